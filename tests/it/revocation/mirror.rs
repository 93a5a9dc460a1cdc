//! The mirror: what it says, how soon it knows, when it is not believed.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use doorward::clock::{Clock, SystemClock};
use doorward::revocation::{Act, Source, Standing};
use doorward::store::{Check, RedisSettings};

use super::load::Load;
use super::node::{self, BOUND, HOUR, Node, Person, SOON};
use super::truth::Truth;
use crate::support::child::Signal;
use crate::support::redis::Redis;
use crate::support::wait;

/// Two nodes with mirrors on one Redis.
async fn two(server: &Redis, truth: &Truth) -> (Node, Node) {
    let first = Node::mirrored(&server.url(), truth.ledger()).settled().await;
    let second = Node::mirrored(&server.url(), truth.ledger()).settled().await;
    (first, second)
}

/// How long until this node refuses. Nobody but the mirror is asked.
async fn until_refused(node: &Node, person: &Person) -> Duration {
    let began = Instant::now();
    loop {
        let standing = node.revocations.glance(person.ids(), SystemClock.now());
        if standing == Some(Standing::Revoked) {
            return began.elapsed();
        }
        assert!(began.elapsed() < SOON, "the mirror does not learn of {person:?}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_is_revoked_on_one_node_is_refused_there_at_once_and_on_another_a_moment_later() {
    let server = Redis::start();
    let truth = Truth::new().await;
    let (first, second) = two(&server, &truth).await;
    let mut took = Vec::new();
    for number in 0..200 {
        let person = Person::new(&format!("p{number}"));
        assert_eq!(second.ask(&person).await.unwrap(), Standing::Good);

        first.end(&person).await;

        assert_eq!(first.revocations.glance(person.ids(), SystemClock.now()), Some(Standing::Revoked));
        took.push(until_refused(&second, &person).await);
    }
    took.sort();
    eprintln!("from the answer to the refusal elsewhere: median {:?}, longest {:?}", took[took.len() / 2], took[took.len() - 1]);
    assert!(took[took.len() / 2] < Duration::from_millis(10), "{took:?}");
    assert!(took[took.len() - 1] < BOUND, "{took:?}");
}

#[tokio::test]
async fn a_request_asks_neither_redis_nor_the_database() {
    let server = Redis::start();
    let truth = Truth::new().await;
    let (_first, second) = two(&server, &truth).await;
    server.command::<()>(&["CONFIG", "RESETSTAT"]);
    let before = second.tally.of(Source::Mirror);

    for number in 0..10_000 {
        assert_eq!(second.ask(&Person::new(&format!("p{number}"))).await.unwrap(), Standing::Good);
    }

    let by_mirror = second.tally.of(Source::Mirror) - before;
    assert!(by_mirror > 9_900, "{:?}", second.tally);
    let stats: String = server.command(&["INFO", "commandstats"]);
    let mget =
        stats.lines().find_map(|line| line.strip_prefix("cmdstat_mget:calls=")).and_then(|rest| rest.split(',').next()).unwrap_or("0");
    assert!(mget.parse::<u64>().unwrap() < 1_000, "{stats}");
}

#[tokio::test]
async fn a_node_that_starts_reads_all_that_is_there() {
    let server = Redis::start();
    let truth = Truth::new().await;
    let now = SystemClock.now();
    let people: Vec<_> = (0..3000).map(|number| Person::new(&format!("p{number}"))).collect();
    for person in &people {
        truth.ledger().commit(&Act::Token(person.token.clone()), "", now, now.plus(HOUR)).await.unwrap();
    }
    let _first = Node::with_redis(&server.url(), truth.ledger()).settled().await;

    let second = Node::mirrored(&server.url(), truth.ledger()).settled().await;

    assert_eq!(second.mirror.as_ref().unwrap().len(), people.len());
    for person in &people {
        assert_eq!(second.revocations.glance(person.ids(), SystemClock.now()), Some(Standing::Revoked));
    }
}

#[tokio::test]
async fn while_redis_stands_still_the_mirror_is_believed_for_its_time_and_then_the_database_is_asked() {
    let mut server = Redis::start();
    let truth = Truth::new().await;
    let (_first, second) = two(&server, &truth).await;

    server.pause();
    let began = Instant::now();
    second.until_answered_by(Source::Ledger).await;
    assert!(began.elapsed() < BOUND * 3, "{:?}", began.elapsed());
    for number in 0..20 {
        let person = Person::new(&format!("p{number}"));
        assert_eq!(second.revocations.glance(person.ids(), SystemClock.now()), None, "a mirror that is too old is believed");
        assert_eq!(second.ask(&person).await.unwrap(), Standing::Good);
    }
    assert!(second.revocations.is_degraded());

    server.resume();
    second.until_usual().await;
}

#[tokio::test]
async fn a_redis_that_stood_still_goes_on_where_it_was() {
    let mut server = Redis::start();
    let truth = Truth::new().await;
    let (_first, second) = two(&server, &truth).await;
    let connections = || server.command::<String>(&["CLIENT", "LIST"]).lines().filter(|line| line.contains("flags=t")).count();
    // Redis turns its list round as it goes: their order says nothing.
    let id = |server: &Redis| {
        let list: String = server.command(&["CLIENT", "LIST"]);
        list.lines().filter(|line| line.contains("flags=t")).map(|line| line.split(' ').next().unwrap().to_owned()).collect::<BTreeSet<_>>()
    };
    assert_eq!(connections(), 2);
    let before = id(&server);

    server.pause();
    second.until_answered_by(Source::Ledger).await;
    server.resume();
    second.until_usual().await;

    assert_eq!(id(&server), before);
}

#[tokio::test]
async fn a_connection_that_is_killed_is_replaced_and_nothing_is_missed() {
    let server = Redis::start();
    let truth = Truth::new().await;
    let (first, second) = two(&server, &truth).await;
    for number in 0..20 {
        let person = Person::new(&format!("p{number}"));
        server.command::<()>(&["CLIENT", "KILL", "TYPE", "normal"]);

        first.end(&person).await;

        until_refused(&second, &person).await;
        assert_eq!(second.ask(&Person::new("in")).await.unwrap(), Standing::Good);
    }
    second.until_usual().await;
}

#[tokio::test]
async fn an_emptied_redis_makes_the_mirror_ask_until_it_is_filled_again() {
    let server = Redis::start();
    let truth = Truth::new().await;
    let (first, second) = two(&server, &truth).await;
    let out = Person::new("out");
    first.end(&out).await;
    until_refused(&second, &out).await;

    server.flush();

    for person in [&out, &Person::new("in")] {
        let standing = if person.token == out.token { Standing::Revoked } else { Standing::Good };
        assert_eq!(second.ask(person).await.unwrap(), standing);
    }
    second.until_usual().await;
    assert_eq!(second.revocations.glance(out.ids(), SystemClock.now()), Some(Standing::Revoked));
}

#[tokio::test]
async fn a_redis_that_was_never_there_leaves_the_database() {
    let url = format!("redis://127.0.0.1:{}", crate::support::ports::free());
    let truth = Truth::new().await;
    let node = Node::mirrored(&url, truth.ledger());
    let person = Person::new("a");
    assert_eq!(node.ask(&person).await.unwrap(), Standing::Good);
    node.end(&person).await;
    assert_eq!(node.ask(&person).await.unwrap(), Standing::Revoked);
    assert!(node.revocations.is_degraded());
}

#[tokio::test]
async fn a_redis_that_does_not_let_us_listen_is_asked_each_time() {
    let server = Redis::start();
    server.command::<()>(&["ACL", "SETUSER", "default", "-client|tracking"]);
    let truth = Truth::new().await;
    let node = Node::mirrored(&server.url(), truth.ledger());

    node.until_answered_by(Source::Redis).await;
    let person = Person::new("a");
    node.end(&person).await;

    assert_eq!(node.ask(&person).await.unwrap(), Standing::Revoked);
    assert!(!node.revocations.is_degraded() && !node.mirror.as_ref().unwrap().is_kept());
}

#[tokio::test]
async fn under_load_everything_is_answered_and_rightly_while_redis_comes_and_goes() {
    let mut server = Redis::start();
    let truth = Truth::new().await;
    let (first, second) = two(&server, &truth).await;
    let out = Person::new("out");
    first.end(&out).await;
    until_refused(&second, &out).await;
    let (good, bad) = (Load::of(&second, &Person::new("in")), Load::of(&second, &out));

    server.stop(Signal::Kill);
    second.until_answered_by(Source::Ledger).await;
    server.start_again();
    second.until_usual().await;
    server.flush();
    second.until_usual().await;

    let (good, bad) = (good.stop(), bad.stop());
    assert_eq!((good.revoked, good.outages), (0, 0), "{good:?}");
    assert_eq!((bad.good, bad.outages), (0, 0), "{bad:?}");
}

#[tokio::test]
async fn a_shorter_staleness_is_kept_too() {
    let mut server = Redis::start();
    let truth = Truth::new().await;
    let settings = RedisSettings { check: Check::Mirror, max_staleness: Duration::from_millis(100), ..node::settings(&server.url()) };
    let node = Node::with_settings(&settings, truth.ledger()).settled().await;

    server.pause();

    let began = Instant::now();
    wait::until_async("the mirror to be too old", SOON, async || {
        node.revocations.glance(Person::new("a").ids(), SystemClock.now()).is_none().then_some(())
    })
    .await;
    assert!(began.elapsed() < BOUND, "{:?}", began.elapsed());
    server.resume();
}
