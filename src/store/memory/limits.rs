//! Limits in this process: where there is no Redis, and while it is out.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;

use super::shards::Shards;
use crate::clock::Timestamp;
use crate::limits::{Limits, Quota, Verdict};
use crate::outage::Outage;

/// How many are counted at once. A stranger who uses more keys makes the ones that end soonest be forgotten.
const CAPACITY: usize = 131_072;

/// Between two sweeps of what has ended.
const SWEEP: Duration = Duration::from_secs(10);

/// One window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Window {
    ends: Timestamp,
    used: u32,
}

/// Limits in this process, bounded.
#[derive(Debug, Default)]
pub struct MemoryLimits {
    windows: Shards<Window>,
    swept: AtomicI64,
}

impl MemoryLimits {
    /// Nothing counted yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many are counted.
    pub fn len(&self) -> usize {
        self.windows.len()
    }

    /// Is nothing counted?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn sweep(&self, now: Timestamp) {
        let swept = self.swept.load(Ordering::Relaxed);
        let is_due = now.since(Timestamp::from_millis(swept)) >= SWEEP;
        if is_due && self.swept.compare_exchange(swept, now.as_millis(), Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            self.windows.retain(|window| window.ends > now);
        }
    }
}

#[async_trait]
impl Limits for MemoryLimits {
    async fn take(&self, key: &str, quota: Quota, now: Timestamp) -> Result<Verdict, Outage> {
        self.sweep(now);
        Ok(self.windows.change(
            key,
            CAPACITY,
            |window| window.ends,
            |old| old.map_or(Window { ends: now, used: 0 }, |it| it).take(quota, now),
        ))
    }
}

impl Window {
    /// The window afterwards, and whether there was some left.
    fn take(self, quota: Quota, now: Timestamp) -> (Self, Verdict) {
        let full = now.plus(quota.window);
        let current = if self.ends <= now { Self { ends: full, used: 0 } } else { Self { ends: self.ends.min(full), ..self } };
        if current.used >= quota.count {
            return (current, Verdict::Spent(current.ends.since(now)));
        }
        let used = current.used.saturating_add(1);
        (Self { used, ..current }, Verdict::Left(quota.count.saturating_sub(used)))
    }
}
