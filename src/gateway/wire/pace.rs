//! How long the other side may keep us waiting: in all, not at once.
//!
//! Time that we wait is counted, and every byte that moves earns some of it back. So one figure bounds a silence and, a while
//! later, a trickle: who moves fewer than [`FLOOR`] bytes a second runs out of time as surely as who moves none, and who moves
//! more is never short of it, however long the whole takes. Only time in which we wait for them counts: where the other end of
//! the proxy is slow, nobody waits for this one.

use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;

use crate::gateway::alarm::Alarm;

/// Bytes a second that keep a connection alive. An attacker pays them for every connection that he holds; the slowest honest
/// networks are several times faster.
const FLOOR: u32 = 500;

/// The time that one side has left.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// What was waited and not earned back, before the present wait.
    spent: Duration,
    /// When the present wait began.
    since: Option<Instant>,
    /// Wakes us when the time is up.
    alarm: Alarm,
}

impl Pace {
    /// A new beginning.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// They have moved nothing, and we wait. Ready when `most` is used up.
    pub(super) fn poll_late(&mut self, most: Duration, context: &mut Context<'_>) -> Poll<()> {
        let now = Instant::now();
        let Some(deadline) = self.wait(most, now) else { return Poll::Pending };
        if deadline <= now {
            return Poll::Ready(());
        }
        self.alarm.poll(deadline, context)
    }

    /// They have moved `bytes`.
    pub(super) fn moved(&mut self, bytes: usize) {
        if self.since.is_some() || !self.spent.is_zero() {
            self.count(bytes, Instant::now());
        }
    }

    /// A wait goes on at `now`; when it has to end. None where that is out of reach.
    fn wait(&mut self, most: Duration, now: Instant) -> Option<Instant> {
        let since = *self.since.get_or_insert(now);
        since.checked_add(most.saturating_sub(self.spent))
    }

    /// A wait has ended at `now` with `bytes`.
    fn count(&mut self, bytes: usize, now: Instant) {
        let waited = self.since.take().map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        let earned = Duration::from_secs(u64::try_from(bytes).unwrap_or(u64::MAX)) / FLOOR;
        self.spent = (self.spent + waited).saturating_sub(earned);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: Duration = Duration::from_secs(60);

    /// After how many seconds somebody runs out of time who moves `bytes` every `every` seconds, within a day.
    fn ends(bytes: usize, every: u64) -> Option<u64> {
        let (start, mut pace) = (Instant::now(), Pace::default());
        for at in (0..86_400).step_by(usize::try_from(every).unwrap()) {
            let deadline = pace.wait(MOST, start + Duration::from_secs(at)).unwrap();
            if deadline <= start + Duration::from_secs(at + every) {
                return Some((deadline - start).as_secs());
            }
            pace.count(bytes, start + Duration::from_secs(at + every));
        }
        None
    }

    #[test]
    fn a_silence_ends_at_its_bound() {
        assert_eq!(ends(0, 1), Some(60));
        assert_eq!(ends(1_000_000, 60), Some(60));
        assert_eq!(ends(1_000_000, 59), None);
    }

    #[test]
    fn a_trickle_ends_soon_after_and_what_is_faster_never() {
        assert_eq!(ends(1, 1), Some(60));
        assert_eq!(ends(50, 1), Some(66));
        assert_eq!(ends(499, 1).map(|at| at > 20_000), Some(true));
        assert_eq!(ends(500, 1), None);
        // A pause is made up for by what comes after it.
        assert_eq!(ends(500 * 50, 50), None);
        assert_eq!(ends(500 * 49, 50).map(|at| at < 1_000), Some(true));
    }

    #[test]
    fn nothing_is_earned_in_advance() {
        let (start, mut pace) = (Instant::now(), Pace::default());
        pace.count(1_000_000_000, start);
        assert_eq!(pace.wait(MOST, start), Some(start + MOST));
    }

    #[test]
    fn a_bound_may_be_out_of_reach() {
        let mut pace = Pace::default();
        assert_eq!(pace.wait(Duration::MAX, Instant::now()), None);
        pace.count(usize::MAX, Instant::now());
    }
}
