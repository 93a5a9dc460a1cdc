//! How old the mirror is at most, and since when its connection is the same: read by every request, written by the follower.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::clock::Timestamp;

/// "All that was acknowledged before this moment is in the mirror."
///
/// The moment is kept by two clocks. The steady one stands still while a machine sleeps, the other one may be set; the mirror
/// is as old as the older of them says.
#[derive(Debug)]
pub(super) struct Proof {
    born: Instant,
    /// When the connection was opened, in nanoseconds since `born`.
    since: AtomicU64,
    /// The moment, in nanoseconds since `born`; 0: there is no proof.
    at: AtomicU64,
    /// The same moment, in milliseconds since 1970.
    now: AtomicI64,
}

impl Proof {
    pub(super) fn new() -> Self {
        Self { born: Instant::now(), since: AtomicU64::new(0), at: AtomicU64::new(0), now: AtomicI64::new(0) }
    }

    /// A connection was opened; on it nothing is proven.
    pub(super) fn begin(&self, since: Instant) {
        self.end();
        self.since.store(self.nanos(since), Ordering::Release);
    }

    /// It is not to be believed any more.
    pub(super) fn end(&self) {
        self.at.store(0, Ordering::Release);
    }

    /// All that was acknowledged before this moment is in the mirror: call it after that is so.
    pub(super) fn give(&self, at: Instant, now: Timestamp) {
        self.now.store(now.as_millis(), Ordering::Relaxed);
        self.at.store(self.nanos(at).max(1), Ordering::Release);
    }

    /// Is the proof younger than `bound`, at `now`, which is the moment `at`? Ask before looking into the mirror.
    pub(super) fn is_fresh(&self, now: Timestamp, at: Instant, bound: Duration) -> bool {
        let proven = self.at.load(Ordering::Acquire);
        let proven_now = Timestamp::from_millis(self.now.load(Ordering::Relaxed));
        proven != 0 && at.saturating_duration_since(self.moment(proven)) < bound && now.since(proven_now) < bound
    }

    /// When the connection was opened. Ask after [`Proof::is_fresh`].
    pub(super) fn since(&self) -> Instant {
        self.moment(self.since.load(Ordering::Acquire))
    }

    fn moment(&self, nanos: u64) -> Instant {
        self.born + Duration::from_nanos(nanos)
    }

    fn nanos(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.born).as_nanos()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: Duration = Duration::from_secs(1);
    const ALMOST: Duration = Duration::from_millis(999);
    const MILLI: Duration = Duration::from_millis(1);
    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn proven() -> (Proof, Instant) {
        let proof = Proof::new();
        let at = proof.born + BOUND;
        proof.give(at, NOW);
        (proof, at)
    }

    #[test]
    fn there_is_no_proof_before_one_is_given_nor_after_it_ended() {
        assert!(!Proof::new().is_fresh(NOW, Instant::now(), BOUND));
        let (proof, at) = proven();
        assert!(proof.is_fresh(NOW, at, BOUND));
        proof.end();
        assert!(!proof.is_fresh(NOW, at, BOUND));
    }

    #[test]
    fn it_is_good_until_the_bound_by_either_clock() {
        let (proof, at) = proven();
        assert!(proof.is_fresh(NOW.plus(ALMOST), at + ALMOST, BOUND));
        assert!(!proof.is_fresh(NOW.plus(ALMOST), at + BOUND, BOUND));
        assert!(!proof.is_fresh(NOW.plus(BOUND), at + ALMOST, BOUND));
    }

    #[test]
    fn a_clock_that_was_set_back_makes_it_no_younger() {
        let (proof, at) = proven();
        assert!(!proof.is_fresh(NOW.minus(BOUND), at + BOUND, BOUND));
        assert!(proof.is_fresh(NOW.minus(BOUND), at, BOUND));
    }

    #[test]
    fn a_new_connection_proves_nothing_and_is_dated() {
        let (proof, at) = proven();
        proof.begin(at + MILLI);
        assert!(!proof.is_fresh(NOW, at, BOUND));
        assert_eq!(proof.since(), at + MILLI);
    }
}
