//! The database gone: those who are signed in go on while Redis is whole; nothing is revoked that is not durable.

use std::sync::Arc;
use std::time::Instant;

use doorward::outage::Dependency;
use doorward::revocation::{Act, Ledger, Source, Standing};

use super::book::Book;
use super::load::Load;
use super::node::{BOUND, Node, Person, SOON};
use crate::support::child::Signal;
use crate::support::redis::Redis;
use crate::support::wait;

fn book() -> (Arc<Book>, Arc<dyn Ledger>) {
    let book = Arc::new(Book::default());
    (Arc::clone(&book), book)
}

/// Longer than anything that was known before counts for new.
async fn until_all_is_old() {
    let began = Instant::now();
    wait::until_async("time to pass", SOON, async || (began.elapsed() > BOUND * 3).then_some(())).await;
}

#[tokio::test]
async fn with_redis_those_who_are_signed_in_go_on_and_those_who_are_out_stay_out() {
    let server = Redis::start();
    let (book, ledger) = book();
    let node = Node::with_redis(&server.url(), ledger).settled().await;
    let out = Person::new("out");
    node.end(&out).await;
    let (good, bad) = (Load::of(&node, &Person::new("in")), Load::of(&node, &out));
    node.until_answered_by(Source::Redis).await;

    book.cut();
    until_all_is_old().await;

    let (good, bad) = (good.stop(), bad.stop());
    assert_eq!((good.revoked, good.outages), (0, 0), "{good:?}");
    assert_eq!((bad.good, bad.outages), (0, 0), "{bad:?}");
}

#[tokio::test]
async fn with_redis_a_database_that_hangs_stops_nobody_either() {
    let server = Redis::start();
    let (book, ledger) = book();
    let node = Node::with_redis(&server.url(), ledger).settled().await;
    let load = Load::of(&node, &Person::new("in"));
    node.until_answered_by(Source::Redis).await;

    book.hang();
    until_all_is_old().await;
    book.mend();

    let seen = load.stop();
    assert_eq!((seen.revoked, seen.outages), (0, 0), "{seen:?}");
    assert!(seen.slowest < BOUND / 2, "{seen:?}");
}

#[tokio::test]
async fn nothing_is_revoked_that_is_not_durable() {
    let server = Redis::start();
    let (book, ledger) = book();
    let node = Node::with_redis(&server.url(), ledger).settled().await;
    let person = Person::new("a");

    book.cut();

    let outage = node.revoke(Act::Session(person.session.clone())).await.unwrap_err();
    assert_eq!(outage.dependency, Dependency::Store);
    assert_eq!(node.ask(&person).await.unwrap(), Standing::Good);
}

#[tokio::test]
async fn without_redis_nobody_is_let_in_on_old_knowledge() {
    let (book, ledger) = book();
    let node = Node::alone(ledger).settled().await;
    let person = Person::new("in");

    book.cut();
    wait::until_async("an outage", SOON, async || node.ask(&person).await.is_err().then_some(())).await;
    for _ in 0..100 {
        assert_eq!(node.ask(&person).await.unwrap_err().dependency, Dependency::Store);
    }
    book.mend();

    node.until_answered_by(Source::Memory).await;
    assert_eq!(node.ask(&person).await.unwrap(), Standing::Good);
}

#[tokio::test]
async fn with_both_gone_there_is_no_answer_and_then_it_heals() {
    let mut server = Redis::start();
    let (book, ledger) = book();
    let node = Node::with_redis(&server.url(), ledger).settled().await;
    let (good, out) = (Person::new("in"), Person::new("out"));
    node.end(&out).await;

    book.cut();
    server.stop(Signal::Kill);
    for person in [&good, &out] {
        wait::until_async("an outage", SOON, async || node.ask(person).await.is_err().then_some(())).await;
    }
    book.mend();
    assert_eq!(node.ask(&good).await.unwrap(), Standing::Good);
    assert_eq!(node.ask(&out).await.unwrap(), Standing::Revoked);
    server.start_again();

    node.until_answered_by(Source::Redis).await;
    assert_eq!(node.ask(&good).await.unwrap(), Standing::Good);
    assert_eq!(node.ask(&out).await.unwrap(), Standing::Revoked);
}

#[tokio::test]
async fn a_redis_that_was_emptied_while_the_database_is_gone_is_not_believed() {
    let server = Redis::start();
    let (book, ledger) = book();
    let node = Node::with_redis(&server.url(), ledger).settled().await;
    book.cut();
    until_all_is_old().await;

    server.flush();

    assert_eq!(node.ask(&Person::new("in")).await.unwrap_err().dependency, Dependency::Store);
}
