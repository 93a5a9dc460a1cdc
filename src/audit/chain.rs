//! Each row is bound to the one before, and the head to the last, by codes under a key that the database does not have
//! (derived from `store.encryption_key`): who can write the database alone can make no row, and change, swap or take away none
//! without leaving a place where the codes do not fit.

use std::sync::{Mutex, PoisonError};

use crate::secret::{self, MacKey, RootKey};

use super::event::{Event, Record, Who};
use super::words::What;

/// What the key is derived for.
const PURPOSE: &str = "audit";

/// The end of the log, as it is kept beside the rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Head {
    /// The number of the newest row; 0 when there is none.
    pub number: i64,
    /// The code of that row.
    pub mac: String,
    /// The code of the two.
    pub seal: String,
}

/// Binds rows to one another.
pub struct Chain {
    key: MacKey,
    /// The highest number that this process knows of. A std mutex: held for a copy.
    known: Mutex<i64>,
}

impl Chain {
    /// Under the operator's key.
    pub fn new(root: &RootKey) -> Self {
        Self { key: root.mac_key(PURPOSE), known: Mutex::new(0) }
    }

    /// The rows for `events` after `head`, and the head that is theirs. When `head` is not as we left it, the first row says
    /// so, for ever: what was cut off cannot be had back, but not be hidden either, and people can still sign in.
    pub fn extend(&self, head: &Head, events: &[Event]) -> (Vec<Record>, Head) {
        let mark = events.first().filter(|_| !self.is_ours(head) || head.number < self.known());
        let mark = mark.map(|event| Event::new(What::AuditAltered, Who::Nobody, event.at));
        let mut head = head.clone();
        let rows = mark.iter().chain(events).map(|event| self.bind(&mut head, event)).collect();
        head.seal = self.seal(&head);
        (rows, head)
    }

    /// The log has come so far, and this process has seen it: a head before that is an old one, put back.
    pub fn know(&self, head: &Head) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        *known = head.number.max(*known);
    }

    /// Is this a head that we have made? An old one that was put back is, too.
    pub fn is_ours(&self, head: &Head) -> bool {
        let is_beginning = *head == Head::default();
        is_beginning || secret::same(self.seal(head).as_bytes(), head.seal.as_bytes())
    }

    /// Does `record` follow the row whose code is `before`?
    pub fn follows(&self, before: &str, record: &Record) -> bool {
        secret::same(self.mac(before, record).as_bytes(), record.mac.as_bytes())
    }

    fn known(&self) -> i64 {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bind(&self, head: &mut Head, event: &Event) -> Record {
        let mut record = Record::new(head.number.saturating_add(1), event);
        record.mac = self.mac(&head.mac, &record);
        head.number = record.number;
        head.mac.clone_from(&record.mac);
        record
    }

    /// Each part goes in with its length: no two rows have one form.
    fn mac(&self, before: &str, record: &Record) -> String {
        let Record { number, at, who, who_id, account, what, thing, thing_id, detail, outcome, address, agent, request_id, times, mac: _ } =
            record;
        let (number, at, times) = (number.to_string(), at.as_millis().to_string(), times.to_string());
        self.key.mac(&[
            "row", before, &number, &at, who, who_id, account, what, thing, thing_id, detail, outcome, address, agent, request_id, &times,
        ])
    }

    fn seal(&self, head: &Head) -> String {
        self.key.mac(&["head", &head.number.to_string(), &head.mac])
    }
}

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chain").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;

    fn event(detail: &'static str) -> Event {
        Event::new(What::SignedOut, Who::Operator, Timestamp::from_secs(7)).detail(detail)
    }

    fn chain() -> Chain {
        Chain::new(&RootKey::new([7; 32]))
    }

    #[test]
    fn rows_follow_one_another_under_the_key_alone() {
        let (rows, head) = chain().extend(&Head::default(), &[event("a"), event("b")]);

        assert_eq!(rows.iter().map(|row| row.number).collect::<Vec<_>>(), [1, 2]);
        assert!(chain().follows("", &rows[0]) && chain().follows(&rows[0].mac, &rows[1]));
        assert!(!chain().follows("", &rows[1]));
        assert_eq!((head.number, &head.mac), (2, &rows[1].mac));
        assert!(chain().is_ours(&head));
        let other = Chain::new(&RootKey::new([8; 32]));
        assert!(!other.is_ours(&head) && !other.follows("", &rows[0]));
    }

    #[test]
    fn every_field_counts() {
        let (rows, _) = chain().extend(&Head::default(), &[event("a")]);
        let changes: [fn(&mut Record); 14] = [
            |row| row.number = 2,
            |row| row.at = Timestamp::from_secs(8),
            |row| row.who.push('x'),
            |row| row.who_id.push('x'),
            |row| row.account.push('x'),
            |row| row.what.push('x'),
            |row| row.thing.push('x'),
            |row| row.thing_id.push('x'),
            |row| row.detail.push('x'),
            |row| row.outcome.push('x'),
            |row| row.address.push('x'),
            |row| row.agent.push('x'),
            |row| row.request_id.push('x'),
            |row| row.times = 2,
        ];
        for (place, change) in changes.iter().enumerate() {
            let mut row = rows[0].clone();
            change(&mut row);
            assert!(!chain().follows("", &row), "change {place}");
        }
        assert!(chain().follows("", &rows[0]));
    }

    #[test]
    fn a_head_that_is_not_ours_is_told_of_in_the_first_row() {
        let (_, head) = chain().extend(&Head::default(), &[event("a"), event("b")]);
        let cut = Head { number: 1, ..head };

        let (rows, after) = chain().extend(&cut, &[event("c")]);

        assert_eq!(rows.iter().map(|row| row.what.as_str()).collect::<Vec<_>>(), ["audit_altered", "signed_out"]);
        assert!(chain().is_ours(&after));
    }

    #[test]
    fn an_old_head_that_was_put_back_is_known_to_who_has_seen_a_newer_one() {
        let chain = chain();
        let (_, old) = chain.extend(&Head::default(), &[event("a")]);
        let (_, new) = chain.extend(&old, &[event("b")]);
        assert_eq!(chain.extend(&old, &[event("c")]).0.len(), 1);

        chain.know(&new);

        assert_eq!(chain.extend(&old, &[event("c")]).0[0].what, "audit_altered");
        assert_eq!(chain.extend(&Head::default(), &[event("c")]).0[0].what, "audit_altered");
    }
}
