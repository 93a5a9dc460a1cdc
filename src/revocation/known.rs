//! What this node knows of the ledger: how far it has come, and when that was last asked.
//!
//! Apart and pure, because the correctness of every check hangs on these few lines: their borders are tested here.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, Guard};

use crate::revocation::index::Feed;
use crate::revocation::ledger::Head;

/// What this node knows at one moment.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The newest head that was seen: in a poll, in an own commit, or as a marker in the index. `None` until the first poll.
    pub head: Option<Head>,
    /// When the last successful poll *began*: everything that was committed before is covered by `head`.
    polled: Option<Instant>,
    /// Did the poll after that fail? Then the database is out, and nobody can commit.
    out: bool,
}

impl Known {
    /// May "no" be believed of an index whose marker of our ledger stands at `marker`?
    pub fn covers(&self, marker: Option<i64>, feed: Feed, now: Instant, bound: Duration) -> bool {
        let Some(polled) = self.polled else { return false };
        let is_fresh = now.saturating_duration_since(polled) < bound;
        match feed {
            Feed::Own => is_fresh && self.reaches(marker),
            Feed::Shared { since } if is_fresh && polled >= since => self.reaches(marker),
            Feed::Shared { .. } => self.out && self.covers_without_database(marker, feed),
        }
    }

    /// The same where the database has just been asked in vain.
    pub fn covers_without_database(&self, marker: Option<i64>, feed: Feed) -> bool {
        match feed {
            Feed::Own => false,
            Feed::Shared { .. } => self.reaches(marker),
        }
    }

    /// Was the ledger asked, with an answer or in vain, since the index is the one that it is?
    pub fn was_asked_since(&self, feed: Feed) -> bool {
        match feed {
            Feed::Own => true,
            Feed::Shared { since } => self.out || self.polled.is_some_and(|polled| polled >= since),
        }
    }

    fn reaches(&self, marker: Option<i64>) -> bool {
        self.head.as_ref().is_some_and(|head| marker >= Some(head.number))
    }

    /// Was the last poll in vain?
    pub const fn is_out(&self) -> bool {
        self.out
    }

    fn raised(&self, ledger: &str, number: i64) -> Self {
        let mut next = self.clone();
        if let Some(head) = next.head.as_mut().filter(|head| head.ledger == ledger) {
            head.number = head.number.max(number);
        }
        next
    }

    fn polled(&self, head: &Head, before: Option<&Head>, began: Instant) -> Self {
        let keep = self.head.as_ref().filter(|mine| mine.ledger == head.ledger && mine.number > head.number && Some(*mine) != before);
        Self { head: Some(keep.unwrap_or(head).clone()), polled: self.polled.max(Some(began)), out: false }
    }
}

/// [`Known`], shared between all workers without a lock.
#[derive(Debug, Default)]
pub(super) struct Knowledge(ArcSwap<Known>);

impl Knowledge {
    /// For a look in passing.
    pub(super) fn look(&self) -> Guard<Arc<Known>> {
        self.0.load()
    }

    /// To be kept across a wait.
    pub(super) fn keep(&self) -> Arc<Known> {
        self.0.load_full()
    }

    /// A line with this number exists: a commit of ours returned it, or the index has a marker there.
    pub(super) fn raise(&self, ledger: &str, number: i64) {
        let is_news = |known: &Known| known.head.as_ref().is_some_and(|head| head.ledger == ledger && head.number < number);
        if is_news(&self.look()) {
            self.0.rcu(|known| known.raised(ledger, number));
        }
    }

    /// A poll that began at `began`, when `before` was the newest head, found `head`.
    ///
    /// A ledger never goes back, except when its database was restored from a backup. So a head below `before` is believed,
    /// and one that is merely below what became known while the poll was under way is not.
    pub(super) fn polled(&self, head: &Head, before: Option<&Head>, began: Instant) {
        self.0.rcu(|known| known.polled(head, before, began));
    }

    /// A poll failed.
    pub(super) fn failed(&self) {
        self.0.rcu(|known| Known { out: true, ..Known::clone(known) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUND: Duration = Duration::from_secs(1);
    const ALMOST: Duration = Duration::from_nanos(999_999_999);
    const TICK: Duration = Duration::from_nanos(1);

    fn head(number: i64) -> Head {
        Head { ledger: "a".to_owned(), number }
    }

    fn polled(number: i64, began: Instant) -> Known {
        Known::default().polled(&head(number), None, began)
    }

    #[test]
    fn nothing_is_believed_before_the_first_poll() {
        let now = Instant::now();
        assert!(!Known::default().covers(Some(9), Feed::Own, now, BOUND));
        assert!(!Known { out: true, ..Known::default() }.covers(Some(9), Feed::Shared { since: now }, now, BOUND));
    }

    #[test]
    fn the_marker_must_have_come_as_far_as_the_ledger() {
        let now = Instant::now();
        let known = polled(5, now);
        for (marker, believed) in [(None, false), (Some(4), false), (Some(5), true), (Some(6), true)] {
            assert_eq!(known.covers(marker, Feed::Own, now, BOUND), believed, "{marker:?}");
        }
    }

    #[test]
    fn an_index_of_our_own_is_as_fresh_as_the_last_poll() {
        let began = Instant::now();
        let known = polled(5, began);
        assert!(known.covers(Some(5), Feed::Own, began + ALMOST, BOUND));
        assert!(!known.covers(Some(5), Feed::Own, began + BOUND, BOUND));
    }

    #[test]
    fn an_index_of_our_own_is_not_believed_longer_because_the_database_is_out() {
        let began = Instant::now();
        let known = Known { out: true, ..polled(5, began) };
        assert!(!known.covers(Some(5), Feed::Own, began + BOUND, BOUND));
    }

    #[test]
    fn a_shared_index_is_believed_after_a_poll_that_began_with_the_connection() {
        let began = Instant::now();
        let known = polled(5, began);
        assert!(known.covers(Some(5), Feed::Shared { since: began }, began, BOUND));
        assert!(!known.covers(Some(5), Feed::Shared { since: began + TICK }, began + TICK, BOUND));
    }

    #[test]
    fn a_shared_index_is_believed_without_polls_only_while_the_database_is_out() {
        let began = Instant::now();
        let shared = Feed::Shared { since: began };
        assert!(!polled(5, began).covers(Some(5), shared, began + BOUND, BOUND));
        let out = Known { out: true, ..polled(5, began) };
        assert!(out.covers(Some(5), shared, began + BOUND, BOUND));
        assert!(!out.covers(Some(4), shared, began + BOUND, BOUND));
        assert!(!polled(5, began).covers_without_database(Some(5), Feed::Own));
    }

    #[test]
    fn a_poll_from_before_a_connection_says_nothing_of_what_is_there_now() {
        let began = Instant::now();
        let (same, newer) = (Feed::Shared { since: began }, Feed::Shared { since: began + TICK });
        let out = Known { out: true, ..polled(5, began) };
        assert!(polled(5, began).was_asked_since(same));
        assert!(!polled(5, began).was_asked_since(newer));
        assert!(out.was_asked_since(newer));
        assert!(!Known::default().was_asked_since(same));
    }

    #[test]
    fn what_became_known_during_a_poll_is_not_forgotten() {
        let knowledge = Knowledge::default();
        let began = Instant::now();
        knowledge.polled(&head(5), None, began);
        let before = knowledge.keep();
        knowledge.raise("a", 6);
        knowledge.polled(&head(5), before.head.as_ref(), began);
        assert_eq!(knowledge.look().head, Some(head(6)));
    }

    #[test]
    fn a_ledger_that_was_set_back_is_believed() {
        let knowledge = Knowledge::default();
        let began = Instant::now();
        knowledge.polled(&head(5), None, began);
        let before = knowledge.keep();
        knowledge.polled(&head(3), before.head.as_ref(), began);
        assert_eq!(knowledge.look().head, Some(head(3)));
    }

    #[test]
    fn a_number_of_another_ledger_is_no_news() {
        let knowledge = Knowledge::default();
        knowledge.raise("a", 5);
        assert_eq!(knowledge.look().head, None);
        knowledge.polled(&head(5), None, Instant::now());
        knowledge.raise("b", 9);
        assert_eq!(knowledge.look().head, Some(head(5)));
    }

    #[test]
    fn a_success_ends_the_outage() {
        let knowledge = Knowledge::default();
        knowledge.failed();
        assert!(knowledge.look().is_out());
        knowledge.polled(&head(0), None, Instant::now());
        assert!(!knowledge.look().is_out());
    }
}
