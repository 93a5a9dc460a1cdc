//! Refresh tokens that have been made and have not reached their browser.
//!
//! One that is made in passing goes with the app's answer, and an app may take its time. As long as it does, the browser has the
//! old token alone, and is right to come with it again.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::clock::Timestamp;
use crate::id::SessionId;

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
    /// When the last one left.
    left: Option<Timestamp>,
}

/// A reply with a new refresh token that has yet to leave. Dropped, it has left, or never will.
#[derive(Debug)]
pub struct Departing {
    ways: UnderWay,
    spent: Mutex<Option<Spent>>,
    began: (Timestamp, Instant),
}

impl UnderWay {
    /// The successor of token `number` of `session` is under way at `now`, once more. What left longer than `window` ago may be
    /// forgotten.
    pub fn begin(&self, session: &SessionId, number: i64, window: Duration, now: Timestamp) -> Departing {
        let spent = (session.clone(), number);
        let mut ways = self.lock();
        if ways.of.len() >= ways.full.max(FEW) {
            ways.of.retain(|_, way| way.may_be_missing(window, now));
            ways.full = 2 * ways.of.len();
        }
        ways.of.entry(spent.clone()).or_default().replies += 1;
        drop(ways);
        Departing { ways: self.clone(), spent: Mutex::new(Some(spent)), began: (now, Instant::now()) }
    }

    /// May the browser still be without the successor of token `number` of `session` at `now`? A reply with it has yet to leave, or
    /// left less than `window` ago.
    pub fn may_be_missing(&self, session: &SessionId, number: i64, window: Duration, now: Timestamp) -> bool {
        self.lock().of.get(&(session.clone(), number)).is_some_and(|way| way.may_be_missing(window, now))
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
        if let Some(way) = self.ways.lock().of.get_mut(&spent) {
            way.replies = way.replies.saturating_sub(1);
            let (began, since) = self.began;
            way.left = way.left.max(Some(began.plus(since.elapsed())));
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
    const WINDOW: Duration = Duration::from_secs(10);

    fn ada() -> SessionId {
        SessionId::new("ada")
    }

    #[test]
    fn what_has_yet_to_leave_is_missing_for_as_long_as_that_takes_and_a_window_more() {
        let ways = UnderWay::default();
        let later = NOW.plus(Duration::from_secs(3600));
        let missing = |at| ways.may_be_missing(&ada(), 1, WINDOW, at);
        assert!(!missing(NOW));

        let (first, second) = (ways.begin(&ada(), 1, WINDOW, NOW), ways.begin(&ada(), 1, WINDOW, later));
        first.depart();
        first.depart();
        assert!(missing(later.plus(WINDOW)), "the second has yet to leave");
        assert!(!ways.may_be_missing(&ada(), 2, WINDOW, later) && !ways.may_be_missing(&SessionId::new("eve"), 1, WINDOW, later));

        drop(second);
        assert!(missing(later.plus(WINDOW / 2)));
        assert!(!missing(later.plus(2 * WINDOW)));
    }

    #[test]
    fn what_is_over_is_forgotten_and_what_has_yet_to_leave_is_not() {
        let ways = UnderWay::default();
        let kept: Vec<_> = (0..100).map(|number| ways.begin(&ada(), number, WINDOW, NOW)).collect();
        for number in 100..100_000 {
            drop(ways.begin(&ada(), number, Duration::ZERO, NOW));
        }
        let known = ways.lock().of.len();
        assert!((100..=FEW).contains(&known), "{known}");
        assert!((0..100).all(|number| ways.may_be_missing(&ada(), number, WINDOW, NOW)));
        drop(kept);
    }
}
