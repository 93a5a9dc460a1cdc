//! Finds out when Redis is whole again, so that no request has to try.

use std::sync::Arc;
use std::time::Duration;

use redis::RedisResult;
use redis::aio::MultiplexedConnection;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::link::Redis;

/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(100);

/// Between two questions to sentinels or to a cluster, where nothing fails: a primary that was put out of office answers on.
const LOOK: Duration = Duration::from_millis(500);

/// The running task; it ends when this is dropped.
#[derive(Debug)]
pub struct Prober(JoinHandle<()>);

impl Drop for Prober {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Prober {
    /// Begin to look after `redis`, in the runtime `slow`.
    pub fn start(redis: &Arc<Redis>, slow: &Handle) -> Self {
        let redis = Arc::clone(redis);
        Self(slow.spawn(async move {
            loop {
                redis.until_whole().await;
                redis.until_lost().await;
            }
        }))
    }
}

impl Redis {
    /// Try until it answers *writes*: a replica that is read-only, one that is loading, or one that is full stays out.
    async fn until_whole(&self) {
        let mut is_first = true;
        while !self.breaker.is_closed() {
            match self.found_whole().await {
                Ok(policy) => {
                    warn_of(&policy);
                    self.breaker.close();
                    tracing::info!("Redis is whole.");
                }
                Err(cause) => {
                    if is_first {
                        tracing::warn!("Redis does not take writes: {cause}. Trying again every {} ms.", PAUSE.as_millis());
                    }
                    is_first = false;
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

impl Redis {
    /// Find it, and write to it.
    async fn found_whole(&self) -> Result<String, String> {
        self.settle().await?;
        self.probe(|connection| write(connection, format!("{}:probe", self.prefix))).await
    }

    /// Until something failed, or it is elsewhere.
    async fn until_lost(&self) {
        if !self.may_move() {
            return self.failed.notified().await;
        }
        while timeout(LOOK, self.failed.notified()).await.is_err() {
            let pass = self.breaker.pass();
            // Sentinels and nodes that are silent change nothing.
            if self.settle().await.unwrap_or(false) {
                // Every connection leads to where it was.
                if let Some(pass) = pass {
                    self.breaker.open(pass);
                }
                return;
            }
        }
    }
}

/// Write a key that is gone in a second, and ask for the memory's state.
async fn write(mut connection: MultiplexedConnection, key: String) -> RedisResult<String> {
    redis::cmd("SET").arg(key).arg(1).arg("PX").arg(1000).exec_async(&mut connection).await?;
    // Not all who may write may ask for this; it is for a warning only.
    Ok(redis::cmd("INFO").arg("memory").query_async(&mut connection).await.unwrap_or_default())
}

/// An entry that is evicted revokes no longer, and nothing shows that it is gone.
fn warn_of(memory: &str) {
    if let Some(policy) = memory.lines().find_map(|line| line.strip_prefix("maxmemory_policy:")).filter(|policy| *policy != "noeviction") {
        tracing::warn!("Redis may evict revocations (maxmemory-policy {policy}): set it to noeviction.");
    }
}
