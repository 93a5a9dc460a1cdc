//! Where the rows of the log are kept: added at its end, read, and nothing else.

use std::fmt;

use async_trait::async_trait;

use super::chain::{Chain, Head};
use super::event::{Event, Record};
use super::words::What;
use crate::clock::Timestamp;
use crate::id::AccountId;
use crate::outage::Outage;

/// The rows of the log. There is no way to change one, or to take one away.
#[async_trait]
pub trait Audit: Send + Sync {
    /// Add rows for `events`, in their order, at the end: all or none. The head is locked, [`Chain::extend`] says what the rows
    /// and the new head are, and both are kept in one transaction. Returns the new head: durable when this returns.
    async fn append(&self, events: &[Event], chain: &Chain) -> Result<Head, Outage>;

    /// The head: the newest row, as who has written it left it.
    async fn newest(&self) -> Result<Head, Outage>;

    /// Rows after the one with this number, in the order of their numbers.
    async fn walk(&self, after: i64, limit: u32) -> Result<Vec<Record>, Outage>;

    /// Rows that are wanted, in the order of time.
    async fn page(&self, wanted: &Wanted) -> Result<Vec<Record>, Outage>;
}

/// A page of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Which.
    pub filter: Filter,
    /// From which end.
    pub order: Order,
    /// After this row, in that order; from that end when there is none.
    pub after: Option<Cursor>,
    /// At most so many.
    pub limit: u32,
}

/// Which rows: those to which all of it applies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// That concern this account.
    pub account: Option<AccountId>,
    /// Of this.
    pub what: Option<What>,
    /// Not before this moment.
    pub since: Option<Timestamp>,
    /// Before this moment.
    pub until: Option<Timestamp>,
}

/// From which end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// The newest first.
    #[default]
    Newest,
    /// The oldest first.
    Oldest,
}

/// The place of a row among all, in the order of time. Written as `1790000000123.42`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// When it happened.
    pub at: Timestamp,
    /// Its number, which orders those of one moment.
    pub number: i64,
}

impl Cursor {
    /// Where `record` stands.
    pub const fn of(record: &Record) -> Self {
        Self { at: record.at, number: record.number }
    }

    /// The place that `text` names, as it was written; `None` when it names none.
    pub fn parse(text: &str) -> Option<Self> {
        let (at, number) = text.split_once('.')?;
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten();
        Some(Self { at: Timestamp::from_millis(digits(at)?), number: digits(number)? })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.at.as_millis(), self.number)
    }
}

impl Wanted {
    /// What a store compares: the far end of the time, then where to go on at the near end. Rows whose time is between the two,
    /// and which lie beyond `near` in the order wanted.
    pub fn bounds(&self) -> (Timestamp, Cursor) {
        let first = self.filter.since.unwrap_or(Timestamp::from_millis(i64::MIN));
        let last = self.filter.until.map_or(i64::MAX, |until| until.as_millis().saturating_sub(1));
        let last = Timestamp::from_millis(last);
        match self.order {
            Order::Newest => {
                let end = Cursor { at: last, number: i64::MAX };
                (first, self.after.map_or(end, |after| after.min(end)))
            }
            Order::Oldest => {
                let end = Cursor { at: first, number: i64::MIN };
                (last, self.after.map_or(end, |after| after.max(end)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        let cursor = Cursor { at: Timestamp::from_millis(1_790_000_000_123), number: 42 };
        assert_eq!(cursor.to_string(), "1790000000123.42");
        assert_eq!(Cursor::parse("1790000000123.42"), Some(cursor));
        for odd in ["", ".", "1", "1.", ".1", "-1.2", "1.-2", "1.2.3", "a.b", "99999999999999999999.1", "1 .2", "+1.2"] {
            assert_eq!(Cursor::parse(odd), None, "{odd:?}");
        }
    }

    #[test]
    fn bounds_meet_the_filter_and_the_cursor() {
        let at = Timestamp::from_millis;
        let filter = Filter { since: Some(at(10)), until: Some(at(20)), ..Filter::default() };
        let wanted = |order, after| Wanted { filter: filter.clone(), order, after, limit: 1 }.bounds();
        let cursor = |millis, number| Cursor { at: at(millis), number };

        assert_eq!(wanted(Order::Newest, None), (at(10), cursor(19, i64::MAX)));
        assert_eq!(wanted(Order::Newest, Some(cursor(15, 3))), (at(10), cursor(15, 3)));
        assert_eq!(wanted(Order::Newest, Some(cursor(25, 3))), (at(10), cursor(19, i64::MAX)));
        assert_eq!(wanted(Order::Oldest, None), (at(19), cursor(10, i64::MIN)));
        assert_eq!(wanted(Order::Oldest, Some(cursor(15, 3))), (at(19), cursor(15, 3)));
        assert_eq!(wanted(Order::Oldest, Some(cursor(5, 3))), (at(19), cursor(10, i64::MIN)));
    }
}
