//! The fast copy of the ledger: a port, and what it must promise so that its "no" can be believed.
//!
//! The promise is about one number, the **marker**: an index with the marker *n* of a ledger holds every live line of that
//! ledger up to *n*. Lines may be in it beyond the marker; none may be missing below. `super::check` builds on nothing else.

use std::time::Instant;

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::outage::Outage;
use crate::revocation::ledger::{Entry, Ids};

/// What the index says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The token or its session is revoked, wherever the marker stands.
    Revoked,
    /// Neither is, as far as the index knows, but the account was changed since; wherever the marker stands.
    Outdated,
    /// None of them is in the index, whose marker of this ledger stands here: `None` when it has none (emptied, never filled,
    /// another ledger's).
    Clear(Option<i64>),
}

/// Consecutive lines of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lines<'a> {
    /// Whose lines they are.
    pub ledger: &'a str,
    /// The number before the first one; 0 for the beginning of the ledger.
    pub after: i64,
    /// The last number that they cover.
    pub upto: i64,
    /// All live lines above `after`, up to and with `upto`, in order. Those that have expired may be absent.
    pub entries: &'a [Entry],
}

/// Who writes to an index, and so how long its answers hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feed {
    /// Every node, with each commit. It is the same server as before since this moment, as far as this node can tell:
    /// connections that are opened anew may lead to a replica that was promoted, or to a restored copy.
    Shared {
        /// When the newest connection was opened.
        since: Instant,
    },
    /// This node alone: its own commits, and those of others as far as it has polled the ledger.
    Own,
}

/// Who answered: the label `source` of `doorward_revocation_checks_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// The index in Redis.
    Redis,
    /// The copy of that index in this process.
    Mirror,
    /// The index in this process.
    Memory,
    /// The ledger, in the database.
    Ledger,
}

impl Source {
    /// The word for metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Redis => "redis",
            Self::Mirror => "mirror",
            Self::Memory => "memory",
            Self::Ledger => "database",
        }
    }
}

/// The fast copy of the ledger: Redis, or this process's memory.
#[async_trait]
pub trait Index: Send + Sync {
    /// Ask for all ids and for the marker of `ledger` in one round trip, as of one moment.
    ///
    /// # Errors
    /// An [`Outage`] when it cannot be asked in time.
    async fn ask(&self, ids: Ids<'_>, ledger: &str, now: Timestamp) -> Result<Answer, Outage>;

    /// Write `lines`, each with its remaining life, then move the marker up to `lines.upto`; both in one atomic act. The
    /// marker is never moved down, nor past a hole: unless the lines begin with the ledger (`after` is 0), it moves only when
    /// it stands at `lines.after` or beyond.
    ///
    /// `true` when the marker covers the lines now; `false` when they were written and something before them is missing.
    async fn write(&self, lines: Lines<'_>, now: Timestamp) -> Result<bool, Outage>;

    /// Where the marker of this ledger stands; `None` when there is none.
    async fn marker(&self, ledger: &str) -> Result<Option<i64>, Outage>;

    /// Forget the marker if it stands exactly here: the ledger was set back behind it. Lines stay.
    async fn forget(&self, ledger: &str, marker: i64) -> Result<(), Outage>;

    /// Who writes to it.
    fn feed(&self) -> Feed;

    /// What it is, for metrics.
    fn source(&self) -> Source;

    /// In which of its eras it is, as far as is known: a number that is another one whenever it did not answer in between.
    /// `None` while it does not.
    fn era(&self) -> Option<u64>;

    /// What of it is in this process, and can be asked at once.
    fn near(&self) -> Option<&dyn Near> {
        None
    }

    /// Returns when line `number` of `ledger`, written here, has come back to this node by the way on which it comes to the
    /// others; at once where they ask and nothing comes to them.
    async fn spread(&self, _ledger: &str, _number: i64) {}
}

/// An index in this process: it answers without waiting, without an allocation, and without a lock that readers share.
pub trait Near: Send + Sync {
    /// What it says, and how long that holds. `None` when it cannot say at `now`, which is the moment `at`: ask the [`Index`].
    fn glance(&self, ids: Ids<'_>, ledger: &str, now: Timestamp, at: Instant) -> Option<(Answer, Feed)>;

    /// Forget lines that have expired.
    fn sweep(&self, now: Timestamp);

    /// What it is, for metrics.
    fn source(&self) -> Source;
}
