//! Limits in Redis, counted by all nodes together.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use redis::Script;

use super::link::Redis;
use crate::clock::Timestamp;
use crate::limits::{Limits, Quota, Verdict};
use crate::outage::Outage;

/// Limits in Redis: one key each, which expires with its window.
#[derive(Debug)]
pub struct RedisLimits {
    redis: Arc<Redis>,
    take: Script,
}

impl RedisLimits {
    /// The limits in `redis`.
    pub fn new(redis: Arc<Redis>) -> Self {
        Self { redis, take: Script::new(include_str!("scripts/take.lua")) }
    }
}

#[async_trait]
impl Limits for RedisLimits {
    async fn take(&self, key: &str, quota: Quota, now: Timestamp) -> Result<Verdict, Outage> {
        let window = u64::try_from(quota.window.as_millis()).unwrap_or(u64::MAX);
        let mut invocation = self.take.key(format!("{}:lim:{key}", self.redis.prefix));
        invocation.arg(now.as_millis()).arg(quota.count).arg(window);
        let (is_left, rest): (bool, u64) = self.redis.run(async |mut connection| invocation.invoke_async(&mut connection).await).await?;
        Ok(if is_left { Verdict::Left(u32::try_from(rest).unwrap_or(u32::MAX)) } else { Verdict::Spent(Duration::from_millis(rest)) })
    }
}
