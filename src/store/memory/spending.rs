//! What messages cost, counted in this process: where there is no Redis, and while it is out.

use std::sync::Mutex;

use async_trait::async_trait;

use super::shards::{Shards, lock};
use crate::clock::Timestamp;
use crate::limits::{Breaker, Charge, Expense, Shut, Spending, Spent, midnight};
use crate::outage::Outage;

/// How many prefixes are counted at once; beyond, the ones whose window ends soonest are forgotten.
const CAPACITY: usize = 65_536;

/// Spending in this process, bounded. The day's lock is held while a prefix is counted, so that it is both or neither.
#[derive(Debug, Default)]
pub struct MemorySpending {
    day: Mutex<Day>,
    prefixes: Shards<Prefix>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Day {
    ends: Timestamp,
    used: u32,
    is_told: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Prefix {
    ends: Timestamp,
    sent: u32,
    verified: u32,
    is_told: bool,
}

impl MemorySpending {
    /// Nothing counted yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many prefixes are counted.
    pub fn len(&self) -> usize {
        self.prefixes.len()
    }

    /// Is no prefix counted?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn change<T>(&self, prefix: &str, change: impl FnOnce(Prefix) -> (Prefix, T)) -> T {
        self.prefixes.change(prefix, CAPACITY, |it| it.ends, |old| change(old.unwrap_or_default()))
    }
}

#[async_trait]
impl Spending for MemorySpending {
    async fn spend(&self, expense: &Expense, now: Timestamp) -> Result<Spent, Outage> {
        let mut day = lock(&self.day);
        let today = day.at(now);
        if today.ends != day.ends {
            self.prefixes.retain(|prefix| prefix.ends > now);
        }
        let (after, spent) = match expense.charge {
            Charge::Code => self.change(&expense.prefix, |prefix| {
                let (prefix, after, spent) = prefix.at(expense.breaker, now).take(today, expense, now);
                (prefix, (after, spent))
            }),
            Charge::Notice => today.take(expense.per_day, now),
            Charge::Nothing => {
                let prefix = self.prefixes.find(&expense.prefix).unwrap_or_default();
                return Ok(prefix.at(expense.breaker, now).look(today, expense, now));
            }
        };
        *day = after;
        Ok(spent)
    }

    async fn give_back(&self, expense: &Expense, _now: Timestamp) -> Result<(), Outage> {
        let mut day = lock(&self.day);
        match expense.charge {
            Charge::Code => self.change(&expense.prefix, |it| (Prefix { sent: it.sent.saturating_sub(1), ..it }, ())),
            Charge::Notice => {}
            Charge::Nothing => return Ok(()),
        }
        day.used = day.used.saturating_sub(1);
        Ok(())
    }

    async fn verified(&self, prefix: &str, now: Timestamp) -> Result<(), Outage> {
        let counted = |it: Prefix| {
            let counts = it.ends > now && it.verified < it.sent;
            (Prefix { verified: it.verified.saturating_add(counts.into()), ..it }, ())
        };
        // One that is not known was not sent to in this window, and needs no place.
        if self.prefixes.find(prefix).is_some() {
            self.change(prefix, counted);
        }
        Ok(())
    }
}

impl Day {
    fn at(self, now: Timestamp) -> Self {
        let full = midnight(now);
        if self.ends <= now { Self { ends: full, used: 0, is_told: false } } else { Self { ends: self.ends.min(full), ..self } }
    }

    fn take(self, per_day: u32, now: Timestamp) -> (Self, Spent) {
        if self.used >= per_day {
            let shut = Shut { wait: self.ends.since(now), is_first: !self.is_told };
            return (Self { is_told: true, ..self }, Spent::Capped(shut));
        }
        let used = self.used.saturating_add(1);
        (Self { used, ..self }, Spent::Taken(used))
    }
}

impl Prefix {
    fn at(self, breaker: Breaker, now: Timestamp) -> Self {
        let full = now.plus(breaker.window);
        if self.ends <= now { Self { ends: full, ..Self::default() } } else { Self { ends: self.ends.min(full), ..self } }
    }

    /// The prefix and the day afterwards.
    fn take(self, day: Day, expense: &Expense, now: Timestamp) -> (Self, Day, Spent) {
        if expense.breaker.is_open(self.sent, self.verified) {
            return (Self { is_told: true, ..self }, day, self.open(now));
        }
        let (after, spent) = day.take(expense.per_day, now);
        let sent = self.sent.saturating_add(u32::from(matches!(spent, Spent::Taken(_))));
        (Self { sent, ..self }, after, spent)
    }

    /// What would be said, with nothing counted and nobody told.
    fn look(self, day: Day, expense: &Expense, now: Timestamp) -> Spent {
        let told = (Self { is_told: true, ..self }, Day { is_told: true, ..day });
        match told.0.take(told.1, expense, now).2 {
            Spent::Taken(_) => Spent::Taken(day.used),
            refused @ (Spent::Capped(_) | Spent::Open { .. }) => refused,
        }
    }

    fn open(self, now: Timestamp) -> Spent {
        let shut = Shut { wait: self.ends.since(now), is_first: !self.is_told };
        Spent::Open { shut, sent: self.sent, verified: self.verified }
    }
}
