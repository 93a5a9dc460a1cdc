//! The fast copy of the ledger.

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::outage::Outage;
use crate::revocation::ledger::{Entry, Head, Ids};

/// What the index says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// One of the ids is revoked.
    Revoked,
    /// None is, and the index has seen the ledger up to this number.
    Clear(i64),
    /// The index was emptied, is behind, or belongs to another ledger: it has seen the ledger up to this number at most.
    Behind(i64),
}

/// The fast copy of the ledger: Redis, or this process's memory.
#[async_trait]
pub trait Index: Send + Sync {
    /// Ask for all ids and for how far the index has come, in one round trip. `known` is the newest head that the caller
    /// knows of: an index that has not come that far answers `Behind`, unless it has one of the ids.
    ///
    /// # Errors
    /// An [`Outage`] when it cannot be asked in time.
    async fn ask(&self, ids: Ids<'_>, known: &Head, now: Timestamp) -> Result<Answer, Outage>;

    /// Write lines of the ledger, contiguous and ascending, each with its remaining life; then move the marker up to the
    /// last of them, but only if it stood right before the first (else it stays, and `false` is returned: something between
    /// is missing, and wants [`Index::repair`]).
    async fn record(&self, ledger: &str, entries: &[Entry], now: Timestamp) -> Result<bool, Outage>;

    /// How far the index says that it has come in this ledger; `None` when it has no marker of it (emptied, or another's).
    async fn marker(&self, ledger: &str) -> Result<Option<i64>, Outage>;

    /// Write `entries`, which are all live lines after the marker's number (after 0 when there was none), and set the marker
    /// to `head` if it is lower or missing.
    async fn repair(&self, head: &Head, entries: &[Entry], now: Timestamp) -> Result<(), Outage>;
}
