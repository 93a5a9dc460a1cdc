//! What messages cost. Sent against verified per prefix of phone numbers, and a cap over all for a day: whoever has codes sent
//! to numbers that nobody reads (SMS pumping) meets the one soon, and the other at the latest.
//!
//! Apart from [`super::Limits`], because one message is counted in two places, both or neither, and what it brought comes
//! back later.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::outage::Outage;

const DAY: Duration = Duration::from_hours(24);

/// When a prefix is no longer believed to belong to people: at least `least` messages were sent to it within the window, and
/// fewer than `percent` of a hundred came back as verified codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breaker {
    /// How long is counted, from the first message on.
    pub window: Duration,
    /// Fewer messages say nothing.
    pub least: u32,
    /// Of a hundred messages so many must be verified; 0: the breaker never opens.
    pub percent: u32,
}

impl Breaker {
    /// Is it open after so many messages, of which so many were verified?
    pub fn is_open(&self, sent: u32, verified: u32) -> bool {
        sent >= self.least && u64::from(verified) * 100 < u64::from(sent) * u64::from(self.percent)
    }
}

/// How a message is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Charge {
    /// A code: in the day and at its prefix.
    Code,
    /// A notice: in the day alone, since nothing comes back.
    Notice,
    /// Not at all: the answer is wanted for a message that is not sent.
    Nothing,
}

impl Charge {
    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Notice => "notice",
            Self::Nothing => "nothing",
        }
    }
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expense {
    /// Country code and first digits of the number.
    pub prefix: String,
    /// How it is counted.
    pub charge: Charge,
    /// When the prefix is shut.
    pub breaker: Breaker,
    /// Messages a day (UTC), over all.
    pub per_day: u32,
}

/// Whether it may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spent {
    /// It may; it is the so-and-so-manieth of this day.
    Taken(u32),
    /// The day's cap is reached; nothing was counted.
    Capped(Shut),
    /// The breaker of the prefix is open; nothing was counted.
    Open {
        /// For how long.
        shut: Shut,
        /// Messages sent in the window.
        sent: u32,
        /// How many of them were verified.
        verified: u32,
    },
}

/// No, for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shut {
    /// Ask again after this long.
    pub wait: Duration,
    /// Is this the first refusal of the day or the window? True for one caller of all, who tells the operator.
    pub is_first: bool,
}

/// Counts what is spent on messages. What is counted always expires.
#[async_trait]
pub trait Spending: Send + Sync {
    /// Count one message at `now`, atomically: of the day and at its prefix, or neither.
    async fn spend(&self, expense: &Expense, now: Timestamp) -> Result<Spent, Outage>;

    /// The message was not sent: take it out again, of whatever day and window it is now.
    async fn give_back(&self, expense: &Expense, now: Timestamp) -> Result<(), Outage>;

    /// A code that was sent to this prefix came back.
    async fn verified(&self, prefix: &str, now: Timestamp) -> Result<(), Outage>;
}

/// The end of the day (UTC) that `now` is in.
pub fn midnight(now: Timestamp) -> Timestamp {
    let day = i64::try_from(DAY.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(now.as_millis().div_euclid(day).saturating_add(1).saturating_mul(day))
}

/// How many messages were counted on the day (UTC) of `now`: the answer to one that is not counted, and that nothing refuses.
///
/// # Errors
/// An [`Outage`] when it could not be asked.
pub async fn today(spending: &dyn Spending, now: Timestamp) -> Result<u32, Outage> {
    let breaker = Breaker { window: DAY, least: u32::MAX, percent: 0 };
    let none = Expense { prefix: String::new(), charge: Charge::Nothing, breaker, per_day: u32::MAX };
    Ok(match spending.spend(&none, now).await? {
        Spent::Taken(count) => count,
        // Nobody has sent so many.
        Spent::Capped(_) | Spent::Open { .. } => u32::MAX,
    })
}

/// Counts in one place for all nodes, and on this node alone while that place is out; both count from nothing then.
pub struct SpendingFallback {
    /// For all nodes: Redis.
    pub common: Arc<dyn Spending>,
    /// For this node, where nothing can go wrong: its memory.
    pub own: Arc<dyn Spending>,
}

impl std::fmt::Debug for SpendingFallback {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SpendingFallback").finish_non_exhaustive()
    }
}

#[async_trait]
impl Spending for SpendingFallback {
    async fn spend(&self, expense: &Expense, now: Timestamp) -> Result<Spent, Outage> {
        match self.common.spend(expense, now).await {
            Ok(spent) => Ok(spent),
            Err(outage) => {
                tracing::debug!("This node counts messages alone: {outage}.");
                self.own.spend(expense, now).await
            }
        }
    }

    async fn give_back(&self, expense: &Expense, now: Timestamp) -> Result<(), Outage> {
        match self.common.give_back(expense, now).await {
            Ok(()) => Ok(()),
            Err(_) => self.own.give_back(expense, now).await,
        }
    }

    async fn verified(&self, prefix: &str, now: Timestamp) -> Result<(), Outage> {
        match self.common.verified(prefix, now).await {
            Ok(()) => Ok(()),
            Err(_) => self.own.verified(prefix, now).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_breaker_opens_below_its_share_and_not_before_its_least() {
        let breaker = Breaker { window: DAY, least: 10, percent: 20 };
        assert!(!breaker.is_open(9, 0));
        assert!(breaker.is_open(10, 0));
        assert!(breaker.is_open(10, 1));
        assert!(!breaker.is_open(10, 2));
        assert!(breaker.is_open(11, 2));
        assert!(!Breaker { percent: 0, ..breaker }.is_open(1_000_000, 0));
    }

    #[test]
    fn a_day_ends_at_midnight() {
        let day = Timestamp::from_secs(86_400);
        assert_eq!(midnight(Timestamp::from_millis(0)), day);
        assert_eq!(midnight(day.minus(Duration::from_millis(1))), day);
        assert_eq!(midnight(day), Timestamp::from_secs(2 * 86_400));
        assert_eq!(midnight(Timestamp::from_millis(-1)), Timestamp::from_millis(0));
    }
}
