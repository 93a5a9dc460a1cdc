//! A walk over the whole log, a batch at a time, that ends at the first row that does not fit.

use std::fmt;

use super::chain::{Chain, Head};
use super::event::Record;
use super::port::Audit;
use super::words::What;
use crate::outage::Outage;

/// Rows that are read at once.
const BATCH: u32 = 1000;

/// How often rows that the head speaks of are looked for again: they may have been written between two looks.
const LOOKS: u32 = 3;

/// What a walk has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Every row fits the one before, and the head the last.
    Whole(Head),
    /// It does not, first here.
    Broken(Break),
}

/// Where and how the log does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Break {
    /// This row is not there, and later ones are.
    Missing(i64),
    /// This row is not as we wrote it, or not where we wrote it.
    Changed(i64),
    /// This row says that what was before it had been altered when it was written.
    Marked(i64),
    /// Rows from this one on are not there, up to the one that the head names.
    Cut(i64, i64),
    /// This row lies beyond the head.
    Beyond(i64),
    /// The head is not as we wrote it.
    Head,
    /// This row is not the one that was expected: the log was put back to an earlier state, and has grown again.
    Unexpected(i64),
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(number) => write!(f, "row {number} is missing"),
            Self::Changed(number) => write!(f, "row {number} was changed, moved or put in"),
            Self::Marked(number) => write!(f, "row {number} says that the log had been altered before it"),
            Self::Cut(from, to) => write!(f, "rows {from} to {to} are missing at the end"),
            Self::Beyond(number) => write!(f, "row {number} lies beyond the head: it was put in, or the head was put back"),
            Self::Head => f.write_str("the head was changed"),
            Self::Unexpected(number) => {
                write!(f, "row {number} is not the one that was expected: the log was put back, and has grown again")
            }
        }
    }
}

/// Walk over all rows of `audit`. `expected` is a row that somebody has noted, by number and code. `passed` is told now and then
/// how far it has come.
pub async fn verify(
    audit: &dyn Audit,
    chain: &Chain,
    expected: Option<&(i64, String)>,
    mut passed: impl FnMut(i64),
) -> Result<Verdict, Outage> {
    let mut walk = Walk::new(chain, expected);
    let mut looks = 0;
    loop {
        // From the very beginning: what has a number before the first was never written by us.
        let after = if walk.number == 0 { i64::MIN } else { walk.number };
        let rows = audit.walk(after, BATCH).await?;
        if let Err(found) = rows.iter().try_for_each(|row| walk.pass(row)) {
            return Ok(Verdict::Broken(found));
        }
        passed(walk.number);
        if !rows.is_empty() {
            looks = 0;
            continue;
        }
        let head = audit.newest().await?;
        looks += 1;
        if head.number <= walk.number || looks >= LOOKS {
            return Ok(walk.end(head));
        }
    }
}

/// How far a walk has come.
pub struct Walk<'a> {
    chain: &'a Chain,
    expected: Option<&'a (i64, String)>,
    number: i64,
    mac: String,
}

impl<'a> Walk<'a> {
    /// Before the first row.
    pub const fn new(chain: &'a Chain, expected: Option<&'a (i64, String)>) -> Self {
        Self { chain, expected, number: 0, mac: String::new() }
    }

    /// The next row.
    ///
    /// # Errors
    /// When it is not the next, or not as we wrote it.
    pub fn pass(&mut self, record: &Record) -> Result<(), Break> {
        let next = self.number.saturating_add(1);
        if record.number != next {
            return Err(Break::Missing(next));
        }
        if !self.chain.follows(&self.mac, record) {
            return Err(Break::Changed(next));
        }
        if record.what == What::AuditAltered.as_str() {
            return Err(Break::Marked(next));
        }
        if self.expected.is_some_and(|(number, mac)| *number == next && *mac != record.mac) {
            return Err(Break::Unexpected(next));
        }
        self.number = next;
        self.mac.clone_from(&record.mac);
        Ok(())
    }

    /// There are no more rows, and this is the head.
    pub fn end(&self, head: Head) -> Verdict {
        let found = if !self.chain.is_ours(&head) {
            Some(Break::Head)
        } else if head.number > self.number {
            Some(Break::Cut(self.number.saturating_add(1), head.number))
        } else if head.number < self.number {
            Some(Break::Beyond(head.number.saturating_add(1)))
        } else if head.mac != self.mac {
            Some(Break::Head)
        } else {
            let missing = self.expected.filter(|(number, _)| *number > self.number);
            missing.map(|(number, _)| Break::Cut(self.number.saturating_add(1), *number))
        };
        found.map_or(Verdict::Whole(head), Verdict::Broken)
    }
}
