//! What nodes see of one another.

use std::sync::Arc;
use std::time::Instant;

use doorward::clock::{Clock as _, ManualClock, SystemClock};
use doorward::revocation::{Act, Pace, Parts, Revocations, Source, Standing, Unobserved};
use doorward::store::memory::MemoryIndex;

use super::node::{BOUND, HOUR, Node, Person, SOON};
use super::truth::Truth;
use crate::support::redis::Redis;
use crate::support::{ports, wait};

/// Where nothing listens.
fn nowhere() -> String {
    format!("redis://127.0.0.1:{}", ports::free())
}

#[tokio::test]
async fn what_is_revoked_on_one_node_is_refused_on_another_at_the_next_question() {
    let server = Redis::start();
    let truth = Truth::new().await;
    let first = Node::with_redis(&server.url(), truth.ledger()).settled().await;
    let second = Node::with_redis(&server.url(), truth.ledger()).settled().await;

    for number in 0..100 {
        let person = Person::new(&format!("p{number}"));
        assert_eq!(second.ask(&person).await.unwrap(), Standing::Good);

        first.end(&person).await;

        assert_eq!(second.ask(&person).await.unwrap(), Standing::Revoked);
        assert_eq!(first.ask(&person).await.unwrap(), Standing::Revoked);
    }
    assert!(second.tally.of(Source::Redis) > 150, "{:?}", second.tally);
}

#[tokio::test]
async fn it_is_refused_there_also_when_the_node_that_revoked_cannot_reach_redis() {
    let server = Redis::start();
    let truth = Truth::new().await;
    let cut_off = Node::with_redis(&nowhere(), truth.ledger());
    let other = Node::with_redis(&server.url(), truth.ledger()).settled().await;
    let person = Person::new("a");
    assert_eq!(other.ask(&person).await.unwrap(), Standing::Good);

    let began = Instant::now();
    cut_off.end(&person).await;
    let took = began.elapsed();

    assert_eq!(other.ask(&person).await.unwrap(), Standing::Revoked);
    assert!(took < BOUND * 2, "{took:?}");
    assert_eq!(cut_off.ask(&person).await.unwrap(), Standing::Revoked);
}

#[tokio::test]
async fn it_is_refused_there_also_when_the_request_is_repeated_by_a_client_that_did_not_wait() {
    let server = Redis::start();
    let truth = Truth::new().await;
    let cut_off = Node::with_redis(&nowhere(), truth.ledger());
    let other = Node::with_redis(&server.url(), truth.ledger()).settled().await;
    let person = Person::new("a");
    let hung_up = tokio::time::timeout(BOUND / 10, cut_off.end(&person)).await;
    assert!(hung_up.is_err());

    assert_eq!(cut_off.end(&person).await, []);

    assert_eq!(other.ask(&person).await.unwrap(), Standing::Revoked);
}

#[tokio::test]
async fn a_client_that_hangs_up_cannot_cancel_a_revocation() {
    let server = Redis::start();
    let truth = Truth::new().await;
    let node = Node::with_redis(&server.url(), truth.ledger()).settled().await;
    let person = Person::new("a");

    drop(tokio::time::timeout(std::time::Duration::ZERO, node.end(&person)).await);

    wait::until_async("the revocation", SOON, async || (node.ask(&person).await.unwrap() == Standing::Revoked).then_some(())).await;
}

#[tokio::test]
async fn without_redis_a_node_refuses_at_once_what_it_revoked_itself() {
    let truth = Truth::new().await;
    let node = Node::alone(truth.ledger()).settled().await;
    for number in 0..100 {
        let person = Person::new(&format!("p{number}"));
        assert_eq!(node.ask(&person).await.unwrap(), Standing::Good);
        node.end(&person).await;
        assert_eq!(node.ask(&person).await.unwrap(), Standing::Revoked);
    }
    assert!(node.tally.of(Source::Memory) > 150, "{:?}", node.tally);
}

#[tokio::test]
async fn without_redis_another_node_refuses_within_a_second() {
    let truth = Truth::new().await;
    let first = Node::alone(truth.ledger()).settled().await;
    let second = Node::alone(truth.ledger()).settled().await;
    let person = Person::new("a");

    first.end(&person).await;
    let began = Instant::now();

    wait::until_async("the other node", SOON, async || (second.ask(&person).await.unwrap() == Standing::Revoked).then_some(())).await;
    assert!(began.elapsed() < BOUND, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_node_that_starts_knows_what_was_revoked_before() {
    let truth = Truth::new().await;
    let person = Person::new("a");
    let first = Node::alone(truth.ledger()).settled().await;
    first.end(&person).await;
    drop(first);

    let second = Node::alone(truth.ledger());

    assert_eq!(second.ask(&person).await.unwrap(), Standing::Revoked);
    second.until_answered_by(Source::Memory).await;
    assert_eq!(second.ask(&person).await.unwrap(), Standing::Revoked);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_revoke_at_once_leave_an_index_that_is_believed_again() {
    let server = Redis::start();
    let truth = Truth::new().await;
    let first = Node::with_redis(&server.url(), truth.ledger()).settled().await;
    let second = Node::with_redis(&server.url(), truth.ledger()).settled().await;
    let people: Vec<_> = (0..200).map(|number| Person::new(&format!("p{number}"))).collect();

    let tasks: Vec<_> = people
        .iter()
        .cloned()
        .enumerate()
        .map(|(number, person)| {
            let node = if number % 2 == 0 { &first } else { &second };
            let revocations = Arc::clone(&node.revocations);
            tokio::spawn(async move {
                let now = SystemClock.now();
                revocations.revoke(Act::Token(person.token), "test", now).await.unwrap();
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }

    for person in &people {
        assert_eq!(first.ask(person).await.unwrap(), Standing::Revoked);
        assert_eq!(second.ask(person).await.unwrap(), Standing::Revoked);
    }
    first.until_answered_by(Source::Redis).await;
    second.until_answered_by(Source::Redis).await;
}

/// It sweeps what everybody believes.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_ahead_for_hours_makes_nobody_forget() {
    let truth = Truth::new().await;
    let (ledger, now) = (truth.ledger(), SystemClock.now());
    let (ended, old) = (Person::new("ended"), Person::new("old"));
    let long_ago = now.minus(49 * HOUR);
    ledger.commit(&Act::Token(old.token.clone()), "", long_ago, long_ago.plus(HOUR)).await.unwrap();
    ledger.commit(&Act::Token(ended.token.clone()), "", now, now.plus(HOUR)).await.unwrap();
    let parts = Parts {
        index: Arc::new(MemoryIndex::new()),
        ledger: Arc::clone(&ledger),
        observer: Arc::new(Unobserved),
        keep: HOUR,
        pace: Pace::default(),
        slow: tokio::runtime::Handle::current(),
    };

    let _ahead = Revocations::new(parts).watch(Arc::new(ManualClock::at(now.plus(12 * HOUR))));

    let is_swept = async || (ledger.since(0, long_ago, 10).await.unwrap().len() == 1).then_some(());
    wait::until_async("what is long over to be forgotten", SOON, is_swept).await;
    assert_eq!(ledger.revoked(ended.ids(), now).await.unwrap(), Standing::Revoked);
}
