//! What counting messages promises, in memory and in Redis, and what is left of it while Redis is gone.

use std::sync::Arc;
use std::time::Duration;

use doorward::clock::Timestamp;
use doorward::limits::{Breaker, Charge, Expense, Shut, Spending, SpendingFallback, Spent, midnight};
use doorward::store::memory::MemorySpending;
use doorward::store::redis::RedisSpending;

use super::node::{self, T};
use crate::support::child::Signal;
use crate::support::redis::Redis;

const HOUR: Duration = Duration::from_hours(1);
const MILLI: Duration = Duration::from_millis(1);
const BREAKER: Breaker = Breaker { window: HOUR, least: 10, percent: 20 };

/// Runs a promise on every implementation.
async fn on_each(promise: impl AsyncFn(Arc<dyn Spending>, &str)) {
    promise(Arc::new(MemorySpending::new()), "memory").await;
    let server = Redis::start();
    let (redis, _prober) = node::whole(&server.url()).await;
    promise(Arc::new(RedisSpending::new(redis)), "redis").await;
    let (redis, _prober) = node::whole_in_cluster().await;
    promise(Arc::new(RedisSpending::new(redis)), "cluster").await;
    assert_all_expire(&server);
}

/// Every key that is there has an end, within a day.
fn assert_all_expire(server: &Redis) {
    for key in server.keys() {
        let life = server.command::<i64>(&["PTTL", &key]);
        assert!((1..=86_400_000).contains(&life), "{key} lives {life} ms");
    }
}

fn code_to(prefix: &str) -> Expense {
    Expense { prefix: prefix.to_owned(), charge: Charge::Code, breaker: BREAKER, per_day: 1000 }
}

async fn spend(spending: &dyn Spending, expense: &Expense, now: Timestamp) -> Spent {
    spending.spend(expense, now).await.unwrap()
}

async fn spend_times(spending: &dyn Spending, expense: &Expense, times: u32) {
    for _ in 0..times {
        assert!(matches!(spend(spending, expense, T).await, Spent::Taken(_)));
    }
}

fn open(wait: Duration, is_first: bool, sent: u32, verified: u32) -> Spent {
    Spent::Open { shut: Shut { wait, is_first }, sent, verified }
}

fn capped(wait: Duration, is_first: bool) -> Spent {
    Spent::Capped(Shut { wait, is_first })
}

#[tokio::test]
async fn a_day_has_so_many_messages_and_then_none_until_it_ends() {
    on_each(async |spending, kind| {
        let rest = midnight(T).since(T);
        let some = |number: u32| Expense { per_day: 3, ..code_to(&number.to_string()) };
        for number in 1..=3 {
            assert_eq!(spend(spending.as_ref(), &some(number), T).await, Spent::Taken(number), "{kind}");
        }
        assert_eq!(spend(spending.as_ref(), &some(4), T).await, capped(rest, true), "{kind}");
        assert_eq!(spend(spending.as_ref(), &some(5), T).await, capped(rest, false), "{kind}");
        let last = midnight(T).minus(MILLI);
        assert_eq!(spend(spending.as_ref(), &some(6), last).await, capped(MILLI, false), "{kind}");
        assert_eq!(spend(spending.as_ref(), &some(7), midnight(T)).await, Spent::Taken(1), "{kind}");
    })
    .await;
}

#[tokio::test]
async fn what_the_cap_refused_is_not_counted_at_its_prefix() {
    on_each(async |spending, kind| {
        let full = Expense { per_day: 0, ..code_to("49151") };
        for _ in 0..20 {
            assert!(matches!(spend(spending.as_ref(), &full, T).await, Spent::Capped(_)), "{kind}");
        }
        assert_eq!(spend(spending.as_ref(), &code_to("49151"), T).await, Spent::Taken(1), "{kind}");
    })
    .await;
}

#[tokio::test]
async fn a_prefix_whose_codes_do_not_come_back_is_shut_until_the_window_ends() {
    on_each(async |spending, kind| {
        spend_times(spending.as_ref(), &code_to("49151"), 10).await;

        assert_eq!(spend(spending.as_ref(), &code_to("49151"), T).await, open(HOUR, true, 10, 0), "{kind}");
        let late = T.plus(HOUR).minus(MILLI);
        assert_eq!(spend(spending.as_ref(), &code_to("49151"), late).await, open(MILLI, false, 10, 0), "{kind}");
        assert_eq!(spend(spending.as_ref(), &code_to("49152"), late).await, Spent::Taken(11), "{kind}");
        assert_eq!(spend(spending.as_ref(), &code_to("49151"), T.plus(HOUR)).await, Spent::Taken(12), "{kind}");
    })
    .await;
}

#[tokio::test]
async fn codes_that_come_back_keep_a_prefix_open_and_open_it_again() {
    on_each(async |spending, kind| {
        spend_times(spending.as_ref(), &code_to("49151"), 10).await;
        assert_eq!(spend(spending.as_ref(), &code_to("49151"), T).await, open(HOUR, true, 10, 0), "{kind}");
        spending.verified("49151", T).await.unwrap();
        assert_eq!(spend(spending.as_ref(), &code_to("49151"), T).await, open(HOUR, false, 10, 1), "{kind}");
        spending.verified("49151", T).await.unwrap();
        assert_eq!(spend(spending.as_ref(), &code_to("49151"), T).await, Spent::Taken(11), "{kind}");
        assert_eq!(spend(spending.as_ref(), &code_to("49151"), T).await, open(HOUR, false, 11, 2), "{kind}");
    })
    .await;
}

#[tokio::test]
async fn what_came_back_counts_in_its_window_and_never_above_what_was_sent() {
    on_each(async |spending, kind| {
        spending.verified("49151", T).await.unwrap();
        spend_times(spending.as_ref(), &code_to("49151"), 1).await;
        for _ in 0..50 {
            spending.verified("49151", T).await.unwrap();
        }
        spend_times(spending.as_ref(), &code_to("49151"), 9).await;
        assert_eq!(spend(spending.as_ref(), &code_to("49151"), T).await, open(HOUR, true, 10, 1), "{kind}");
        let later = T.plus(HOUR);
        spending.verified("49151", later).await.unwrap();
        for _ in 0..10 {
            assert!(matches!(spend(spending.as_ref(), &code_to("49151"), later).await, Spent::Taken(_)), "{kind}");
        }
        assert_eq!(spend(spending.as_ref(), &code_to("49151"), later).await, open(HOUR, true, 10, 0), "{kind}");
    })
    .await;
}

#[tokio::test]
async fn a_notice_is_counted_in_the_day_alone_and_what_is_not_sent_nowhere() {
    on_each(async |spending, kind| {
        let notice = Expense { charge: Charge::Notice, ..code_to("49151") };
        let nothing = Expense { charge: Charge::Nothing, ..code_to("49151") };
        for number in 1..=20 {
            assert_eq!(spend(spending.as_ref(), &notice, T).await, Spent::Taken(number), "{kind}");
            assert_eq!(spend(spending.as_ref(), &nothing, T).await, Spent::Taken(number), "{kind}");
        }
        spend_times(spending.as_ref(), &code_to("49151"), 10).await;
        assert_eq!(spend(spending.as_ref(), &nothing, T).await, open(HOUR, false, 10, 0), "{kind}");
        assert_eq!(spend(spending.as_ref(), &notice, T).await, Spent::Taken(31), "{kind}");
        assert_eq!(spend(spending.as_ref(), &code_to("49151"), T).await, open(HOUR, true, 10, 0), "{kind}");
        let full = Expense { per_day: 31, ..nothing };
        let elsewhere = Expense { prefix: "1212".to_owned(), ..full };
        assert_eq!(spend(spending.as_ref(), &elsewhere, T).await, capped(midnight(T).since(T), false), "{kind}");
    })
    .await;
}

#[tokio::test]
async fn what_is_given_back_was_not_sent() {
    on_each(async |spending, kind| {
        let few = Expense { per_day: 10, ..code_to("49151") };
        spend_times(spending.as_ref(), &few, 10).await;
        spending.give_back(&few, T).await.unwrap();
        assert_eq!(spend(spending.as_ref(), &few, T).await, Spent::Taken(10), "{kind}");
        assert_eq!(spend(spending.as_ref(), &few, T).await, open(HOUR, true, 10, 0), "{kind}");
        spending.give_back(&Expense { charge: Charge::Nothing, ..few.clone() }, T).await.unwrap();
        spending.give_back(&Expense { charge: Charge::Notice, ..few.clone() }, T).await.unwrap();
        assert_eq!(spend(spending.as_ref(), &few, T).await, open(HOUR, false, 10, 0), "{kind}");
        assert_eq!(spend(spending.as_ref(), &Expense { prefix: "1212".to_owned(), ..few }, T).await, Spent::Taken(10), "{kind}");
    })
    .await;
}

#[tokio::test]
async fn what_was_never_sent_cannot_be_given_back() {
    on_each(async |spending, kind| {
        spending.give_back(&code_to("49151"), T).await.unwrap();
        assert_eq!(spend(spending.as_ref(), &code_to("49151"), T).await, Spent::Taken(1), "{kind}");
    })
    .await;
}

#[tokio::test]
async fn a_clock_that_is_set_back_shuts_nothing_for_longer() {
    on_each(async |spending, kind| {
        spend_times(spending.as_ref(), &code_to("49151"), 10).await;
        let back = T.minus(Duration::from_hours(50));
        assert_eq!(spend(spending.as_ref(), &code_to("49151"), back).await, open(HOUR, true, 10, 0), "{kind}");
        let Spent::Capped(shut) = spend(spending.as_ref(), &Expense { per_day: 1, ..code_to("1212") }, back).await else {
            panic!("{kind}: the cap was forgotten")
        };
        assert!(shut.wait <= Duration::from_hours(24), "{kind}: {shut:?}");
    })
    .await;
}

async fn at_once(spending: &Arc<dyn Spending>, count: u32, expense: impl Fn(u32) -> Expense) -> Vec<Spent> {
    let asked: Vec<_> = (0..count)
        .map(|number| {
            let (spending, expense) = (Arc::clone(spending), expense(number));
            tokio::spawn(async move { spending.spend(&expense, T).await.unwrap() })
        })
        .collect();
    let mut said = Vec::new();
    for task in asked {
        said.push(task.await.unwrap());
    }
    said
}

fn taken(said: &[Spent]) -> usize {
    said.iter().filter(|spent| matches!(spent, Spent::Taken(_))).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_at_once_exactly_the_cap_passes_and_one_tells() {
    on_each(async |spending, kind| {
        let said = at_once(&spending, 200, |number| Expense { per_day: 50, ..code_to(&number.to_string()) }).await;
        let first = said.iter().filter(|spent| matches!(spent, Spent::Capped(shut) if shut.is_first)).count();
        let mut days: Vec<u32> =
            said.iter().filter_map(|spent| if let Spent::Taken(today) = spent { Some(*today) } else { None }).collect();
        days.sort_unstable();
        assert_eq!((days, first), ((1..=50).collect(), 1), "{kind}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_twenty_at_once_exactly_the_least_passes_a_breaker_and_one_tells() {
    on_each(async |spending, kind| {
        let said = at_once(&spending, 20, |_| code_to("49151")).await;
        let first = said.iter().filter(|spent| matches!(spent, Spent::Open { shut, .. } if shut.is_first)).count();
        assert_eq!((taken(&said), first), (10, 1), "{kind}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_nodes_count_together_in_redis() {
    let server = Redis::start();
    let (one, _prober) = node::whole(&server.url()).await;
    let (two, _other_prober) = node::whole(&server.url()).await;
    let nodes: [Arc<dyn Spending>; 2] = [Arc::new(RedisSpending::new(one)), Arc::new(RedisSpending::new(two))];

    let (here, there) = tokio::join!(at_once(&nodes[0], 20, |_| code_to("49151")), at_once(&nodes[1], 20, |_| code_to("49151")));

    assert_eq!(taken(&here) + taken(&there), 10);
}

#[tokio::test]
async fn in_redis_every_key_expires_whatever_was_done() {
    let server = Redis::start();
    let (redis, _prober) = node::whole(&server.url()).await;
    let spending = RedisSpending::new(redis);
    for prefix in ["49151", "1212"] {
        for _ in 0..12 {
            spend(&spending, &Expense { per_day: 15, ..code_to(prefix) }, T).await;
            spending.verified(prefix, T).await.unwrap();
            spending.give_back(&code_to(prefix), T).await.unwrap();
            spend(&spending, &Expense { charge: Charge::Notice, ..code_to(prefix) }, T).await;
            spending.verified("33612", T).await.unwrap();
            assert_all_expire(&server);
        }
    }

    let mut keys: Vec<String> = server.keys().into_iter().filter(|key| key.contains("sms")).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["doorward:{sms}:day", "doorward:{sms}:to:1212", "doorward:{sms}:to:49151"]);
}

#[tokio::test]
async fn in_memory_strangers_cannot_fill_it() {
    let spending = MemorySpending::new();
    for number in 0..100_000_u32 {
        spend(&spending, &Expense { per_day: u32::MAX, ..code_to(&number.to_string()) }, T).await;
    }
    assert!(spending.len() <= 65_536, "{}", spending.len());

    spend(&spending, &code_to("49151"), T.plus(Duration::from_hours(24))).await;

    assert_eq!(spending.len(), 1);
}

#[tokio::test]
async fn while_redis_is_gone_this_node_counts_alone() {
    let mut server = Redis::start();
    let (redis, _prober) = node::whole(&server.url()).await;
    let spending = SpendingFallback { common: Arc::new(RedisSpending::new(redis)), own: Arc::new(MemorySpending::new()) };
    spend_times(&spending, &code_to("49151"), 9).await;

    server.stop(Signal::Kill);

    spend_times(&spending, &code_to("49151"), 10).await;
    assert_eq!(spend(&spending, &code_to("49151"), T).await, open(HOUR, true, 10, 0));
    spending.verified("49151", T).await.unwrap();
    spending.verified("49151", T).await.unwrap();
    spending.give_back(&code_to("49152"), T).await.unwrap();
    assert!(matches!(spend(&spending, &code_to("49151"), T).await, Spent::Taken(_)));
}
