//! Refresh tokens that have been made and have not reached their browser.
//!
//! One that is made in passing goes with the app's answer, and an app may take its time. As long as it does, the browser has the
//! old token alone, and is right to come with it again; not for ever, or a thief would have it answered for him for ever.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::clock::Timestamp;
use crate::id::SessionId;

/// So long after a token was spent it is not good any more, whatever keeps the answer: as long as an app may take by default.
pub const LONGEST: Duration = Duration::from_mins(1);

/// When it is first looked for what can be forgotten: at so many tokens.
const FEW: usize = 1024;

/// What of this process is under way. Clones are one.
#[derive(Debug, Clone, Default)]
pub struct UnderWay(Arc<Mutex<Ways>>);

/// A spent refresh token, by its session and its number in it.
type Spent = (SessionId, i64);

#[derive(Debug, Default)]
struct Ways {
    of: HashMap<Spent, Way>,
    /// At so many, those that are over are forgotten.
    full: usize,
}

#[derive(Debug, Default)]
struct Way {
    /// So many replies with the successor have yet to leave.
    replies: usize,
    /// When the last one left, of those that took longer than the window of their token.
    left: Option<Timestamp>,
}

/// A reply with a new refresh token that has yet to leave. Dropped, it has left, or never will.
#[derive(Debug)]
pub struct Departing {
    ways: UnderWay,
    spent: Mutex<Option<Spent>>,
    /// Until when its token is good anyhow.
    good_until: Timestamp,
    began: (Timestamp, Instant),
}

impl UnderWay {
    /// The successor of token `number` of `session`, which was spent at `spent_at`, is under way at `now`, once more.
    pub fn begin(&self, session: &SessionId, number: i64, (spent_at, window): (Timestamp, Duration), now: Timestamp) -> Departing {
        let spent = (session.clone(), number);
        let mut ways = self.lock();
        if ways.of.len() >= ways.full.max(FEW) {
            ways.of.retain(|_, way| way.may_be_missing(window, now));
            ways.full = 2 * ways.of.len();
        }
        let good_until = spent_at.plus(window);
        ways.of.entry(spent.clone()).or_default().replies += 1;
        drop(ways);
        Departing { ways: self.clone(), spent: Mutex::new(Some(spent)), good_until, began: (now, Instant::now()) }
    }

    /// May the browser still be without the successor of token `number` of `session` at `now`? It was spent at `spent_at`, longer than
    /// `window` ago, and a reply with the successor has yet to leave, or left late, and less than `window` ago.
    pub fn may_be_missing(&self, session: &SessionId, number: i64, (spent_at, window): (Timestamp, Duration), now: Timestamp) -> bool {
        now.since(spent_at) < LONGEST && self.lock().of.get(&(session.clone(), number)).is_some_and(|way| way.may_be_missing(window, now))
    }

    fn lock(&self) -> MutexGuard<'_, Ways> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Way {
    fn may_be_missing(&self, window: Duration, now: Timestamp) -> bool {
        self.replies > 0 || self.left.is_some_and(|left| now.since(left) < window)
    }
}

impl Departing {
    /// It leaves now.
    pub fn depart(&self) {
        let Some(spent) = self.spent.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        let (began, since) = self.began;
        let left = began.plus(since.elapsed());
        let mut ways = self.ways.lock();
        let Some(way) = ways.of.get_mut(&spent) else { return };
        way.replies = way.replies.saturating_sub(1);
        if left >= self.good_until {
            way.left = way.left.max(Some(left));
        }
        if way.replies == 0 && way.left.is_none() {
            ways.of.remove(&spent);
        }
    }
}

impl Drop for Departing {
    fn drop(&mut self) {
        self.depart();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
    const SECOND: Duration = Duration::from_secs(1);
    const WINDOW: Duration = Duration::from_secs(10);
    const SPENT: (Timestamp, Duration) = (NOW, WINDOW);

    fn ada() -> SessionId {
        SessionId::new("ada")
    }

    #[test]
    fn what_has_yet_to_leave_is_missing_for_as_long_as_that_takes_and_a_window_more() {
        let ways = UnderWay::default();
        let late = NOW.plus(25 * SECOND);
        let missing = |at| ways.may_be_missing(&ada(), 1, SPENT, at);
        assert!(!missing(NOW));

        let (first, second) = (ways.begin(&ada(), 1, SPENT, NOW), ways.begin(&ada(), 1, SPENT, late));
        first.depart();
        first.depart();
        assert!(missing(late), "the second has yet to leave");
        assert!(!ways.may_be_missing(&ada(), 2, SPENT, late) && !ways.may_be_missing(&SessionId::new("eve"), 1, SPENT, late));

        drop(second);
        assert!(missing(late.plus(WINDOW / 2)));
        assert!(!missing(late.plus(2 * WINDOW)));
    }

    #[test]
    fn what_leaves_within_the_window_prolongs_nothing() {
        let ways = UnderWay::default();
        drop(ways.begin(&ada(), 1, SPENT, NOW.plus(9 * SECOND)));
        assert!(!ways.may_be_missing(&ada(), 1, SPENT, NOW.plus(11 * SECOND)));
        assert!(ways.lock().of.is_empty());
    }

    #[test]
    fn nobody_has_it_held_open_for_ever() {
        let ways = UnderWay::default();
        let held = ways.begin(&ada(), 1, SPENT, NOW);
        for seconds in 1..60 {
            assert!(ways.may_be_missing(&ada(), 1, SPENT, NOW.plus(seconds * SECOND)), "{seconds}");
            drop(ways.begin(&ada(), 1, SPENT, NOW.plus(seconds * SECOND)));
        }
        assert!(!ways.may_be_missing(&ada(), 1, SPENT, NOW.plus(LONGEST)));
        drop(held);
    }

    #[test]
    fn what_is_over_is_forgotten_and_what_has_yet_to_leave_is_not() {
        let ways = UnderWay::default();
        let long_ago = (NOW.minus(2 * WINDOW), Duration::ZERO);
        let kept: Vec<_> = (0..100).map(|number| ways.begin(&ada(), number, SPENT, NOW)).collect();
        for number in 100..100_000 {
            drop(ways.begin(&ada(), number, long_ago, NOW));
        }
        let known = ways.lock().of.len();
        assert!((100..=FEW).contains(&known), "{known}");
        assert!((0..100).all(|number| ways.may_be_missing(&ada(), number, SPENT, NOW)));
        drop(kept);
    }
}
