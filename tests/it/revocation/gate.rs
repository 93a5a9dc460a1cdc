//! A ledger in a real database, behind a gate: its answers come when the test lets them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use doorward::clock::Timestamp;
use doorward::outage::Outage;
use doorward::revocation::news::{News, Reader};
use doorward::revocation::{Act, Entry, Head, Ids, Ledger, Pace, Standing};
use tokio::sync::{Notify, watch};
use tokio::time::timeout;

use super::node::{HOUR, Node, Person, SOON, T};
use super::truth::Truth;
use crate::support::redis::Redis;

/// What it does besides is what the ledger does.
struct Gate {
    ledger: Arc<dyn Ledger>,
    /// Nobody is told the head while this is so.
    holds_head: watch::Sender<bool>,
    /// So long takes whether somebody is revoked, and what was revoked since.
    delay: watch::Sender<Duration>,
    /// Neither has an answer.
    is_out: AtomicBool,
    /// Somebody has asked whether somebody is revoked.
    asked: Notify,
}

impl Gate {
    fn before(ledger: Arc<dyn Ledger>) -> Arc<Self> {
        let (holds_head, delay) = (watch::Sender::new(false), watch::Sender::new(Duration::ZERO));
        Arc::new(Self { ledger, holds_head, delay, is_out: AtomicBool::new(false), asked: Notify::new() })
    }

    fn answer(&self) -> Result<(), Outage> {
        if self.is_out.load(Ordering::SeqCst) { Err(Outage::store("it is out")) } else { Ok(()) }
    }

    async fn delayed(&self) {
        let delay = *self.delay.borrow();
        tokio::time::sleep(delay).await;
    }
}

#[async_trait]
impl Ledger for Gate {
    async fn commit(&self, act: &Act, reason: &str, now: Timestamp, expires_at: Timestamp) -> Result<Vec<Entry>, Outage> {
        self.ledger.commit(act, reason, now, expires_at).await
    }

    async fn head(&self) -> Result<Head, Outage> {
        drop(self.holds_head.subscribe().wait_for(|holds| !holds).await);
        self.answer()?;
        self.ledger.head().await
    }

    async fn since(&self, number: i64, now: Timestamp, limit: u32) -> Result<Vec<Entry>, Outage> {
        self.delayed().await;
        self.ledger.since(number, now, limit).await
    }

    async fn revoked(&self, ids: Ids<'_>, now: Timestamp) -> Result<Standing, Outage> {
        self.asked.notify_one();
        self.answer()?;
        self.delayed().await;
        self.ledger.revoked(ids, now).await
    }

    async fn sweep(&self, now: Timestamp) -> Result<u64, Outage> {
        self.ledger.sweep(now).await
    }
}

/// A question on a thread of its own, which has its own connection to Redis: one that was opened after the last poll.
fn asked_anew(node: &Arc<Node>, person: &Person) -> std::thread::JoinHandle<Result<Standing, Outage>> {
    let (node, person) = (Arc::clone(node), person.clone());
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(node.ask(&person))
    })
}

async fn answered(asked: std::thread::JoinHandle<Result<Standing, Outage>>) -> Result<Standing, Outage> {
    tokio::task::spawn_blocking(|| asked.join().unwrap()).await.unwrap()
}

/// Redis lacks a line, as a replica does that was late and has taken over; the database is slow, and not out.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_database_is_waited_for_where_redis_may_have_lost_a_line() {
    let (server, truth) = (Redis::start(), Truth::new().await);
    let gate = Gate::before(truth.ledger());
    let node = Arc::new(Node::with_redis(&server.url(), Arc::<Gate>::clone(&gate)).settled().await);
    let out = Person::new("out");

    gate.delay.send_replace(Pace::default().patience * 3);
    gate.holds_head.send_replace(true);
    truth.ledger().commit(&Act::Token(out.token.clone()), "test", T, T.plus(HOUR * 24 * 10_000)).await.unwrap();
    let asked = asked_anew(&node, &out);
    gate.asked.notified().await;
    gate.holds_head.send_replace(false);

    assert_eq!(answered(asked).await.unwrap(), Standing::Revoked);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_refused_because_the_database_has_gone_before_a_poll_could_tell() {
    let (server, truth) = (Redis::start(), Truth::new().await);
    let gate = Gate::before(truth.ledger());
    let node = Arc::new(Node::with_redis(&server.url(), Arc::<Gate>::clone(&gate)).settled().await);

    gate.holds_head.send_replace(true);
    gate.is_out.store(true, Ordering::SeqCst);
    let asked = asked_anew(&node, &Person::new("in"));
    gate.asked.notified().await;
    gate.holds_head.send_replace(false);

    assert_eq!(answered(asked).await.unwrap(), Standing::Good);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_holds_something_open_does_not_wait_for_a_slow_database() {
    let (server, truth) = (Redis::start(), Truth::new().await);
    let gate = Gate::before(truth.ledger());
    let node = Node::with_redis(&server.url(), Arc::<Gate>::clone(&gate)).settled().await;
    let mut reader = Reader::default();
    while node.revocations.news(&mut reader, T).await != News::None {}

    gate.delay.send_replace(SOON * 6);
    node.end(&Person::new("out")).await;
    let read = async {
        loop {
            match node.revocations.news(&mut reader, T).await {
                News::None => tokio::task::yield_now().await,
                news => return news,
            }
        }
    };

    assert_eq!(timeout(SOON, read).await.expect("in time"), News::Anything);
}
