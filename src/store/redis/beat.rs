//! What a beat of the mirror's heart proves: apart and pure, because "never admits a revoked token" hangs on it.
//!
//! A beat is an `MGET` of the marker and of all keys that Redis has pushed so far, on the connection on which Redis pushes.
//! Beats follow one another: the next is sent when the one before was answered and what came with it was kept.
//!
//! A push follows the write that it tells of, at the latest when Redis has done what it was doing in that moment. It may come
//! *after* the answer to a beat that was done in the same breath, but not after the answer to the next beat, which was sent
//! only when that answer was here. So when beat *k* is answered, pushes have arrived for all that was written before beat
//! *k*-1 was sent. If none of them came after beat *k* was sent, their keys were read by beat *k* or earlier: **all that was
//! written before beat *k*-1 was sent, and all lines up to the marker that it read, are in the mirror.** Else those keys go
//! into the next beat, and the same is certain of *k*-2 only.
//!
//! A plain PING would prove no more, and say nothing about the marker.

use std::time::Instant;

use crate::clock::Timestamp;
use crate::revocation::Head;

/// One beat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Beat {
    /// When it was sent.
    pub(super) at: Instant,
    /// The same moment.
    pub(super) now: Timestamp,
    /// Where the marker stood when Redis answered.
    pub(super) marker: Option<Head>,
}

/// The beats on one connection.
#[derive(Debug, Default)]
pub(super) struct Beats {
    last: Option<Beat>,
    before: Option<Beat>,
}

/// What is proven after a beat.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Proven {
    /// All that was written before this one was sent is in the mirror, and so are all lines up to its marker.
    pub(super) beat: Option<Beat>,
    /// There is no more to find out at once.
    pub(super) is_all: bool,
}

impl Beats {
    /// `beat` was answered, and what it brought was kept. `is_quiet`: nothing was pushed since it was sent.
    pub(super) fn add(&mut self, beat: Beat, is_quiet: bool) -> Proven {
        let proven = if is_quiet { self.last.clone() } else { self.before.clone() };
        let is_all = is_quiet && proven.as_ref().is_some_and(|proven| proven.marker == beat.marker);
        self.before = self.last.replace(beat);
        Proven { beat: proven, is_all }
    }
}

/// May the marker of one Redis be `new` after it was `old`? It never goes back, never goes away, and keeps its ledger.
pub(super) fn follows(old: Option<&Head>, new: Option<&Head>) -> bool {
    match (old, new) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(old), Some(new)) => old.ledger == new.ledger && old.number <= new.number,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(ledger: &str, number: i64) -> Head {
        Head { ledger: ledger.to_owned(), number }
    }

    fn beat(number: i64) -> Beat {
        Beat { at: Instant::now(), now: Timestamp::from_secs(number), marker: Some(head("a", number)) }
    }

    #[test]
    fn one_beat_proves_nothing() {
        assert_eq!(Beats::default().add(beat(1), true), Proven { beat: None, is_all: false });
    }

    #[test]
    fn a_quiet_beat_proves_the_one_before() {
        let mut beats = Beats::default();
        let (first, second) = (beat(1), beat(1));
        beats.add(first.clone(), true);
        assert_eq!(beats.add(second, true), Proven { beat: Some(first), is_all: true });
    }

    #[test]
    fn a_beat_during_which_something_was_pushed_proves_the_one_before_the_last() {
        let mut beats = Beats::default();
        let (first, second, third) = (beat(1), beat(2), beat(2));
        beats.add(first.clone(), true);
        assert_eq!(beats.add(second, false), Proven { beat: None, is_all: false });
        assert_eq!(beats.add(third, false), Proven { beat: Some(first), is_all: false });
    }

    #[test]
    fn while_the_marker_that_was_read_is_not_the_one_that_is_proven_there_is_more_to_find_out() {
        let mut beats = Beats::default();
        let (first, second, third) = (beat(1), beat(2), beat(2));
        beats.add(first.clone(), true);
        assert_eq!(beats.add(second.clone(), true), Proven { beat: Some(first), is_all: false });
        assert_eq!(beats.add(third, true), Proven { beat: Some(second), is_all: true });
    }

    #[test]
    fn a_marker_goes_up_within_its_ledger_and_nowhere_else() {
        let old = head("a", 5);
        for (new, may) in [
            (Some(head("a", 5)), true),
            (Some(head("a", 6)), true),
            (Some(head("a", 4)), false),
            (Some(head("b", 6)), false),
            (None, false),
        ] {
            assert_eq!(follows(Some(&old), new.as_ref()), may, "{new:?}");
            assert!(follows(None, new.as_ref()));
        }
    }
}
