//! How much, in how long, and whether there is some left; and what messages cost ([`Spending`]).

mod spending;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

pub use spending::{Breaker, Charge, Expense, Shut, Spending, SpendingFallback, Spent, midnight, today};

use crate::clock::Timestamp;
use crate::outage::Outage;

/// How much, in how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// How many in one window; the next is refused.
    pub count: u32,
    /// The window, fixed from its first use.
    pub window: Duration,
}

/// Whether there is some left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Taken; so many are left.
    Left(u32),
    /// Nothing was taken; ask again after this long.
    Spent(Duration),
}

/// Counts uses. Keys carry no address in the clear: callers hash what they count by.
#[async_trait]
pub trait Limits: Send + Sync {
    /// Take one of `quota` for `key` at `now`, atomically. What is counted always expires with its window.
    async fn take(&self, key: &str, quota: Quota, now: Timestamp) -> Result<Verdict, Outage>;
}

/// Counts in one place for all nodes, and on this node alone while that place is out. Both count from nothing then: an
/// outage gives each node another quota, and lifts none.
pub struct Fallback {
    /// For all nodes: Redis.
    pub common: Arc<dyn Limits>,
    /// For this node, where nothing can go wrong: its memory.
    pub own: Arc<dyn Limits>,
}

impl std::fmt::Debug for Fallback {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fallback").finish_non_exhaustive()
    }
}

#[async_trait]
impl Limits for Fallback {
    async fn take(&self, key: &str, quota: Quota, now: Timestamp) -> Result<Verdict, Outage> {
        match self.common.take(key, quota, now).await {
            Ok(verdict) => Ok(verdict),
            Err(outage) => {
                tracing::debug!("This node counts alone: {outage}.");
                self.own.take(key, quota, now).await
            }
        }
    }
}
