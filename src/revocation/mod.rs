//! Is this token, this session, this account revoked? Asked on every proxied request.
//!
//! The **ledger** in the database is the truth: numbered without gaps, in the order of commits. The **index** (Redis, or this
//! process's memory) is the speed: it answers only when it can show that it has seen everything up to the newest number that
//! this node knows of. Otherwise the same question goes to the ledger.
//!
//! [`check`] asks, [`revoke`] writes, [`news`] tells those who hold something open, [`watch`] keeps the index and what this node knows up to date.

pub mod check;
pub mod index;
mod known;
pub mod ledger;
pub mod news;
pub mod revoke;
pub mod watch;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Notify;

pub use index::{Answer, Feed, Index, Lines, Near, Source};
use known::Knowledge;
pub use ledger::{Act, Entry, Head, Ids, Ledger, Standing, Subject};
pub use watch::Watch;

/// The rhythm in which nodes learn of one another's revocations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Between two polls of the ledger's head.
    pub poll: Duration,
    /// After this a poll has failed. With `poll` it must stay below `bound`: a database that hangs is then known to be out
    /// before the last good poll is too old.
    pub patience: Duration,
    /// How long the start of a poll may lie back for its result to be used.
    pub bound: Duration,
}

impl Pace {
    /// No node has a longer bound, whatever its settings: so long whoever revokes waits where Redis could not be told.
    pub const LONGEST: Duration = Duration::from_secs(1);

    /// The rhythm in which nothing is older than `bound`; never slower than the default.
    pub fn within(bound: Duration) -> Self {
        let bound = bound.min(Self::LONGEST);
        Self { poll: bound / 4, patience: bound / 2, bound }
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self::within(Self::LONGEST)
    }
}

/// Wants to know what happens here: metrics.
pub trait Observer: Send + Sync {
    /// A question was answered by `source`.
    fn checked(&self, source: Source);

    /// A line of this kind (`token`, `session`, `account`) was written.
    fn revoked(&self, kind: &'static str);

    /// So long after its commit a revocation was in the index; at most, where the index was repaired.
    fn lag(&self, lag: Duration);
}

/// Nobody wants to know.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn checked(&self, _: Source) {}
    fn revoked(&self, _: &'static str) {}
    fn lag(&self, _: Duration) {}
}

/// What revocation stands on.
pub struct Parts {
    /// The speed.
    pub index: Arc<dyn Index>,
    /// The truth.
    pub ledger: Arc<dyn Ledger>,
    /// Who wants to know.
    pub observer: Arc<dyn Observer>,
    /// How long a line is kept: the life of an access token, with some to spare for clocks that differ.
    pub keep: Duration,
    /// The rhythm.
    pub pace: Pace,
    /// The runtime in which the ledger's connections live.
    pub slow: Handle,
}

/// How long a line must be kept so that it outlives every token that it concerns: their lifetime, the leeway at both ends,
/// and a minute for clocks that differ.
pub fn keep_for(access_lifetime: Duration, leeway: Duration) -> Duration {
    access_lifetime.saturating_add(leeway.saturating_mul(2)).saturating_add(Duration::from_mins(1))
}

/// Asks whether something is revoked, and revokes.
pub struct Revocations {
    parts: Parts,
    known: Knowledge,
    /// Wakes the watch: something is missing in the index.
    wake: Notify,
    /// Where the index's marker stood after the last look.
    reached: tokio::sync::watch::Sender<i64>,
    seen: Mutex<Seen>,
}

/// What the last look at the index found that could tell.
#[derive(Debug, Clone, Copy)]
enum Seen {
    /// There was none yet.
    Nothing,
    /// The index lacks what the ledger has.
    Lacking,
    /// It has all, in this era.
    WholeIn(u64),
}

impl Revocations {
    /// Knows nothing yet: every question goes to the ledger until a [`Watch`] has looked at it.
    pub fn new(parts: Parts) -> Arc<Self> {
        let reached = tokio::sync::watch::Sender::new(0);
        Arc::new(Self { parts, known: Knowledge::default(), wake: Notify::new(), reached, seen: Mutex::new(Seen::Nothing) })
    }

    /// Do checks go to the database because the index is gone, or lost what it had? What `/readyz` calls `degraded`.
    pub fn is_degraded(&self) -> bool {
        let Some(era) = self.parts.index.era() else { return true };
        match *self.seen() {
            Seen::Nothing => false,
            Seen::Lacking => true,
            Seen::WholeIn(seen) => seen != era,
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Revocations {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Revocations").field("known", &self.known).finish_non_exhaustive()
    }
}
