//! The database gone: those who are signed in go on while Redis is whole; nothing is revoked that is not durable.

use std::time::Instant;

use doorward::outage::Dependency;
use doorward::revocation::{Act, Source, Standing};

use super::load::Load;
use super::node::{BOUND, Node, Person, SOON};
use super::truth::Truth;
use crate::support::child::Signal;
use crate::support::postgres::Postgres;
use crate::support::redis::Redis;
use crate::support::wait;

/// Longer than anything that was known before counts for new.
async fn until_all_is_old() {
    let began = Instant::now();
    wait::until_async("time to pass", SOON, async || (began.elapsed() > BOUND * 3).then_some(())).await;
}

async fn until_outage(node: &Node, person: &Person) {
    let cause = wait::until_async("an outage", SOON, async || node.ask(person).await.err()).await;
    assert_eq!(cause.dependency, Dependency::Store);
}

#[tokio::test]
async fn with_redis_those_who_are_signed_in_go_on_and_those_who_are_out_stay_out() {
    let (server, mut database) = (Redis::start(), Postgres::start());
    let truth = Truth::at(&database.database()).await;
    let node = Node::with_redis(&server.url(), truth.ledger()).settled().await;
    let out = Person::new("out");
    node.end(&out).await;
    let (good, bad) = (Load::of(&node, &Person::new("in")), Load::of(&node, &out));
    node.until_answered_by(Source::Redis).await;

    database.stop();
    until_all_is_old().await;
    database.start_again();
    until_all_is_old().await;

    let (good, bad) = (good.stop(), bad.stop());
    assert_eq!((good.revoked, good.outages), (0, 0), "{good:?}");
    assert_eq!((bad.good, bad.outages), (0, 0), "{bad:?}");
}

#[tokio::test]
async fn with_redis_a_database_that_hangs_stops_nobody_either() {
    let (server, mut database) = (Redis::start(), Postgres::start());
    let truth = Truth::at(&database.database()).await;
    let node = Node::with_redis(&server.url(), truth.ledger()).settled().await;
    let load = Load::of(&node, &Person::new("in"));
    node.until_answered_by(Source::Redis).await;
    until_all_is_old().await;

    database.pause();
    until_all_is_old().await;
    database.resume();
    until_all_is_old().await;

    let seen = load.stop();
    assert_eq!((seen.revoked, seen.outages), (0, 0), "{seen:?}");
    assert!(seen.slowest < BOUND, "{seen:?}");
}

#[tokio::test]
async fn nothing_is_revoked_that_is_not_durable() {
    let (server, mut database) = (Redis::start(), Postgres::start());
    let truth = Truth::at(&database.database()).await;
    let node = Node::with_redis(&server.url(), truth.ledger()).settled().await;
    let person = Person::new("a");

    database.stop();

    let outage = node.revoke(Act::Token(person.token.clone())).await.unwrap_err();
    assert_eq!(outage.dependency, Dependency::Store);
    assert_eq!(node.ask(&person).await.unwrap(), Standing::Good);
}

#[tokio::test]
async fn without_redis_nobody_is_let_in_on_old_knowledge() {
    let mut database = Postgres::start();
    let truth = Truth::at(&database.database()).await;
    let node = Node::alone(truth.ledger()).settled().await;
    let person = Person::new("in");

    database.stop();
    until_outage(&node, &person).await;
    for _ in 0..100 {
        assert_eq!(node.ask(&person).await.unwrap_err().dependency, Dependency::Store);
    }
    database.start_again();

    node.until_answered_by(Source::Memory).await;
    assert_eq!(node.ask(&person).await.unwrap(), Standing::Good);
}

#[tokio::test]
async fn with_both_gone_there_is_no_answer_and_then_it_heals() {
    let (mut server, mut database) = (Redis::start(), Postgres::start());
    let truth = Truth::at(&database.database()).await;
    let node = Node::with_redis(&server.url(), truth.ledger()).settled().await;
    let (good, out) = (Person::new("in"), Person::new("out"));
    node.end(&out).await;

    database.stop();
    server.stop(Signal::Kill);
    for person in [&good, &out] {
        until_outage(&node, person).await;
    }
    database.start_again();
    node.until_answered_by(Source::Ledger).await;
    assert_eq!(node.ask(&good).await.unwrap(), Standing::Good);
    assert_eq!(node.ask(&out).await.unwrap(), Standing::Revoked);
    server.start_again();

    node.until_answered_by(Source::Redis).await;
    assert_eq!(node.ask(&good).await.unwrap(), Standing::Good);
    assert_eq!(node.ask(&out).await.unwrap(), Standing::Revoked);
}

#[tokio::test]
async fn a_redis_that_was_emptied_while_the_database_is_gone_is_not_believed() {
    let (server, mut database) = (Redis::start(), Postgres::start());
    let truth = Truth::at(&database.database()).await;
    let node = Node::with_redis(&server.url(), truth.ledger()).settled().await;
    database.stop();
    until_all_is_old().await;

    server.flush();

    until_outage(&node, &Person::new("in")).await;
}

#[tokio::test]
async fn an_index_that_is_ahead_of_a_ledger_that_was_set_back_is_written_anew() {
    let (server, database) = (Redis::start(), Postgres::start());
    let url = database.database();
    let truth = Truth::at(&url).await;
    let node = Node::with_redis(&server.url(), truth.ledger()).settled().await;
    for number in 0..5 {
        node.end(&Person::new(&format!("p{number}"))).await;
    }

    // As a backup that was restored.
    database.psql(&url, "BEGIN; DELETE FROM revocations WHERE number > 2; UPDATE ledger SET head = 2; COMMIT");
    let is_set_back = || server.command::<Option<String>>(&["GET", "{doorward}:rev:marker"]).is_some_and(|marker| marker.ends_with(":2"));
    wait::until_true("the marker", SOON, is_set_back);

    let new = Person::new("new");
    node.end(&new).await;
    assert_eq!(node.ask(&new).await.unwrap(), Standing::Revoked);
    node.until_answered_by(Source::Redis).await;
}
