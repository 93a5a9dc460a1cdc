//! What limits promise, in memory and in Redis, and what is left of them while Redis is gone.

use std::sync::Arc;
use std::time::Duration;

use doorward::limits::{Fallback, Limits, Quota, Verdict};
use doorward::store::memory::MemoryLimits;
use doorward::store::redis::RedisLimits;

use super::node::{self, T};
use crate::support::child::Signal;
use crate::support::redis::Redis;

const MINUTE: Duration = Duration::from_mins(1);
const MILLI: Duration = Duration::from_millis(1);
const THREE: Quota = Quota { count: 3, window: MINUTE };

/// Runs a promise on every implementation.
async fn on_each(promise: impl AsyncFn(Arc<dyn Limits>, &str)) {
    promise(Arc::new(MemoryLimits::new()), "memory").await;
    let server = Redis::start();
    let (redis, _prober) = node::whole(&server.url()).await;
    promise(Arc::new(RedisLimits::new(redis)), "redis").await;
    let (redis, _prober) = node::whole_in_cluster().await;
    promise(Arc::new(RedisLimits::new(redis)), "cluster").await;
}

async fn take(limits: &dyn Limits, key: &str) -> Verdict {
    limits.take(key, THREE, T).await.unwrap()
}

#[tokio::test]
async fn so_many_are_left_and_then_none() {
    on_each(async |limits, kind| {
        for left in [2, 1, 0] {
            assert_eq!(take(limits.as_ref(), "a").await, Verdict::Left(left), "{kind}");
        }
        for _ in 0..3 {
            assert_eq!(take(limits.as_ref(), "a").await, Verdict::Spent(MINUTE), "{kind}");
        }
    })
    .await;
}

#[tokio::test]
async fn keys_are_counted_apart() {
    on_each(async |limits, kind| {
        for _ in 0..4 {
            take(limits.as_ref(), "a").await;
        }
        assert_eq!(take(limits.as_ref(), "b").await, Verdict::Left(2), "{kind}");
    })
    .await;
}

#[tokio::test]
async fn the_window_is_fixed_by_its_first_use() {
    on_each(async |limits, kind| {
        take(limits.as_ref(), "a").await;
        let late = T.plus(MINUTE).minus(MILLI);
        for left in [1, 0] {
            assert_eq!(limits.take("a", THREE, late).await.unwrap(), Verdict::Left(left), "{kind}");
        }
        assert_eq!(limits.take("a", THREE, late).await.unwrap(), Verdict::Spent(MILLI), "{kind}");
        assert_eq!(limits.take("a", THREE, T.plus(MINUTE)).await.unwrap(), Verdict::Left(2), "{kind}");
    })
    .await;
}

#[tokio::test]
async fn what_is_refused_does_not_prolong_the_window() {
    on_each(async |limits, kind| {
        for second in 0..59 {
            limits.take("a", THREE, T.plus(Duration::from_secs(second))).await.unwrap();
        }
        assert_eq!(limits.take("a", THREE, T.plus(MINUTE)).await.unwrap(), Verdict::Left(2), "{kind}");
    })
    .await;
}

#[tokio::test]
async fn a_clock_that_is_set_back_keeps_nobody_waiting_longer_than_a_window() {
    on_each(async |limits, kind| {
        for _ in 0..3 {
            take(limits.as_ref(), "a").await;
        }
        let back = T.minus(Duration::from_hours(5));
        assert_eq!(limits.take("a", THREE, back).await.unwrap(), Verdict::Spent(MINUTE), "{kind}");
        assert_eq!(limits.take("a", THREE, back.plus(MINUTE)).await.unwrap(), Verdict::Left(2), "{kind}");
    })
    .await;
}

#[tokio::test]
async fn a_quota_of_none_gives_none() {
    on_each(async |limits, kind| {
        let none = Quota { count: 0, window: MINUTE };
        assert_eq!(limits.take("a", none, T).await.unwrap(), Verdict::Spent(MINUTE), "{kind}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_at_once_exactly_the_quota_passes() {
    on_each(async |limits, kind| {
        let quota = Quota { count: 50, window: MINUTE };
        let takers: Vec<_> = (0..200)
            .map(|_| {
                let limits = Arc::clone(&limits);
                tokio::spawn(async move { limits.take("a", quota, T).await.unwrap() })
            })
            .collect();
        let mut left = Vec::new();
        for taker in takers {
            if let Verdict::Left(count) = taker.await.unwrap() {
                left.push(count);
            }
        }
        left.sort_unstable();
        assert_eq!(left, (0..50).collect::<Vec<_>>(), "{kind}");
    })
    .await;
}

#[tokio::test]
async fn in_redis_what_is_counted_expires_with_its_window() {
    let server = Redis::start();
    let (redis, _prober) = node::whole(&server.url()).await;
    let limits = RedisLimits::new(redis);
    for second in 0..5 {
        limits.take("a", THREE, T.plus(Duration::from_secs(second))).await.unwrap();
    }

    let life = server.command::<i64>(&["PTTL", "doorward:lim:a"]);

    assert!((1..=60_000).contains(&life), "{life}");
}

#[tokio::test]
async fn in_memory_strangers_cannot_fill_it() {
    let limits = MemoryLimits::new();
    for number in 0..300_000 {
        limits.take(&format!("stranger {number}"), THREE, T.minus(MILLI)).await.unwrap();
    }
    take(&limits, "a").await;

    assert!(limits.len() <= 131_072, "{}", limits.len());
    assert_eq!(take(&limits, "a").await, Verdict::Left(1));
}

#[tokio::test]
async fn in_memory_windows_that_ended_leave() {
    let limits = MemoryLimits::new();
    for number in 0..1000 {
        take(&limits, &number.to_string()).await;
    }

    limits.take("a", THREE, T.plus(MINUTE)).await.unwrap();

    assert_eq!(limits.len(), 1);
}

#[tokio::test]
async fn while_redis_is_gone_this_node_counts_alone() {
    let mut server = Redis::start();
    let (redis, _prober) = node::whole(&server.url()).await;
    let limits = Fallback { common: Arc::new(RedisLimits::new(redis)), own: Arc::new(MemoryLimits::new()) };
    assert_eq!(take(&limits, "a").await, Verdict::Left(2));

    server.stop(Signal::Kill);

    for verdict in [Verdict::Left(2), Verdict::Left(1), Verdict::Left(0), Verdict::Spent(MINUTE)] {
        assert_eq!(take(&limits, "a").await, verdict);
    }
}
