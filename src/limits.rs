//! How much, in how long, and whether there is some left.

use std::time::Duration;

use async_trait::async_trait;

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
