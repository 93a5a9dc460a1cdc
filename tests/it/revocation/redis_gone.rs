//! Redis stopped, paused, flushed, restarted empty or old, read-only: under load, nobody who was signed out gets in, nobody
//! who is signed in is thrown out, and it is repaired without a restart.

use std::time::{Duration, Instant};

use doorward::clock::{Clock, SystemClock};
use doorward::revocation::{Act, Source, Standing};
use doorward::secret::Secret;
use doorward::store::RedisSettings;

use super::load::Load;
use super::node::{self, HOUR, Node, Person, SOON};
use super::truth::Truth;
use crate::support::child::Signal;
use crate::support::redis::Redis;
use crate::support::wait;

/// Two nodes on one Redis, the second under load by somebody who is in and somebody who was signed out on the first.
struct Scene {
    first: Node,
    second: Node,
    truth: Truth,
    server: Redis,
    out: Person,
    good: Load,
    bad: Load,
}

impl Scene {
    async fn new() -> Self {
        let server = Redis::start();
        let truth = Truth::new().await;
        let first = Node::with_redis(&server.url(), truth.ledger()).settled().await;
        let second = Node::with_redis(&server.url(), truth.ledger()).settled().await;
        let out = Person::new("out");
        first.end(&out).await;
        let good = Load::of(&second, &Person::new("in"));
        let bad = Load::of(&second, &out);
        Self { first, second, truth, server, out, good, bad }
    }

    /// Sign somebody out on the first node while it is as it is; the second must know when the first has answered.
    async fn sign_out(&self, name: &str) -> Person {
        let person = Person::new(name);
        self.first.end(&person).await;
        assert_eq!(self.second.ask(&person).await.unwrap(), Standing::Revoked, "{name}");
        person
    }

    /// It heals without a restart; all that was asked was answered, and rightly.
    async fn end(self, more: &[Person]) {
        self.first.until_answered_by(Source::Redis).await;
        self.second.until_answered_by(Source::Redis).await;
        for person in more.iter().chain([&self.out]) {
            assert_eq!(self.second.ask(person).await.unwrap(), Standing::Revoked, "{person:?}");
        }
        let (good, bad) = (self.good.stop(), self.bad.stop());
        assert!(good.all() > 16 && bad.all() > 16, "{good:?} {bad:?}");
        assert_eq!((good.revoked, good.outages), (0, 0), "{good:?}");
        assert_eq!((bad.good, bad.outages), (0, 0), "{bad:?}");
        drop(self.truth);
    }
}

#[tokio::test]
async fn flushed() {
    let scene = Scene::new().await;
    let mut more = Vec::new();
    for round in 0..5 {
        scene.server.flush();
        more.push(scene.sign_out(&format!("p{round}")).await);
    }
    scene.end(&more).await;
}

#[tokio::test]
async fn killed_and_restarted_empty() {
    let mut scene = Scene::new().await;
    scene.server.stop(Signal::Kill);
    let while_gone = scene.sign_out("while it was gone").await;
    assert!(scene.second.revocations.is_degraded());
    scene.server.start_again();
    let after = scene.sign_out("after it returned").await;
    scene.end(&[while_gone, after]).await;
}

#[tokio::test]
async fn restarted_from_an_old_file() {
    let mut scene = Scene::new().await;
    let mut more = Vec::new();
    for round in 0..5 {
        scene.server.command::<()>(&["SAVE"]);
        more.push(scene.sign_out(&format!("p{round}")).await);
        scene.server.stop(Signal::Kill);
        scene.server.start_again();
        for person in &more {
            assert_eq!(scene.second.ask(person).await.unwrap(), Standing::Revoked);
        }
        scene.first.until_answered_by(Source::Redis).await;
    }
    scene.end(&more).await;
}

/// The second node has not polled since the sign-out, nobody has asked it meanwhile, and its connection is new: it must not
/// believe a marker that equals all it knows.
#[tokio::test]
async fn restarted_from_an_old_file_between_two_polls_of_a_node_without_load() {
    for round in 0..10 {
        let mut server = Redis::start();
        let truth = Truth::new().await;
        let first = Node::with_redis(&server.url(), truth.ledger()).settled().await;
        let second = Node::with_redis(&server.url(), truth.ledger()).settled().await;
        let person = Person::new("a");
        server.command::<()>(&["SAVE"]);

        first.end(&person).await;
        server.stop(Signal::Kill);
        server.start_again();

        for _ in 0..50 {
            assert_eq!(second.ask(&person).await.unwrap(), Standing::Revoked, "{round}");
        }
    }
}

#[tokio::test]
async fn paused() {
    let mut scene = Scene::new().await;
    scene.server.pause();
    let while_paused = scene.sign_out("while it was paused").await;
    let asked = Instant::now();
    for _ in 0..20 {
        assert_eq!(scene.second.ask(&Person::new("in")).await.unwrap(), Standing::Good);
    }
    // Each would wait for a tenth of a second.
    assert!(asked.elapsed() < Duration::from_secs(1), "requests wait for Redis: {:?}", asked.elapsed());
    scene.server.resume();
    scene.end(&[while_paused]).await;
}

#[tokio::test]
async fn only_those_in_flight_wait_for_a_redis_that_was_paused() {
    let mut server = Redis::start();
    let truth = Truth::new().await;
    let node = Node::with_redis(&server.url(), truth.ledger()).settled().await;
    let load = Load::of(&node, &Person::new("in"));
    node.until_answered_by(Source::Redis).await;

    server.pause();
    node.until_answered_by(Source::Ledger).await;
    let before = node.tally.of(Source::Ledger);
    crate::support::wait::until_true("more requests", Duration::from_secs(5), || node.tally.of(Source::Ledger) > before + 1000);
    let seen = load.stop();

    // As many as were under way at once waited, each once; besides, this machine may be slow.
    assert!(seen.slow <= 50, "{seen:?}");
    assert_eq!((seen.revoked, seen.outages), (0, 0), "{seen:?}");
    server.resume();
}

#[tokio::test]
async fn read_only() {
    let scene = Scene::new().await;
    scene.server.command::<()>(&["REPLICAOF", "127.0.0.1", "1"]);
    let while_read_only = scene.sign_out("while it was read-only").await;
    assert!(scene.first.revocations.is_degraded());
    scene.server.command::<()>(&["REPLICAOF", "NO", "ONE"]);
    scene.end(&[while_read_only]).await;
}

#[tokio::test]
async fn full() {
    let scene = Scene::new().await;
    scene.server.command::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
    let while_full = scene.sign_out("while it was full").await;
    assert!(scene.first.revocations.is_degraded());
    scene.server.command::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
    scene.end(&[while_full]).await;
}

#[tokio::test]
async fn a_password_is_given_and_a_wrong_one_is_an_outage() {
    let mut server = Redis::start();
    server.stop(Signal::Kill);
    server.start_again_with(&["--requirepass", "open sesame"]);
    let given = |password: &str| RedisSettings { password: Some(Secret::new(password.to_owned())), ..node::settings(&server.url()) };
    let truth = Truth::new().await;

    let right = Node::with_settings(&given("open sesame"), truth.ledger()).settled().await;
    let wrong = Node::with_settings(&given("wrong"), truth.ledger());

    let person = Person::new("a");
    wrong.end(&person).await;
    assert!(wrong.revocations.is_degraded() && !right.revocations.is_degraded());
    assert_eq!(wrong.ask(&person).await.unwrap(), Standing::Revoked);
    assert_eq!(right.ask(&person).await.unwrap(), Standing::Revoked);
}

#[tokio::test]
async fn connections_that_were_closed_meanwhile_are_no_outage() {
    let server = Redis::start();
    let truth = Truth::new().await;
    let node = Node::with_redis(&server.url(), truth.ledger()).settled().await;
    let (good, out) = (Person::new("in"), Person::new("out"));
    node.end(&out).await;

    server.command::<()>(&["CLIENT", "KILL", "TYPE", "normal"]);

    assert_eq!(node.ask(&good).await.unwrap(), Standing::Good);
    assert_eq!(node.ask(&out).await.unwrap(), Standing::Revoked);
    node.end(&Person::new("another")).await;
    assert!(!node.revocations.is_degraded());
}

#[tokio::test]
async fn a_repair_of_many_pages_holds_all_lines() {
    let mut server = Redis::start();
    let truth = Truth::new().await;
    let now = SystemClock.now();
    let people: Vec<_> = (0..1700).map(|number| Person::new(&format!("p{number}"))).collect();
    for person in &people {
        truth.ledger().commit(&Act::Token(person.token.clone()), "", now, now.plus(HOUR)).await.unwrap();
    }
    let node = Node::with_redis(&server.url(), truth.ledger()).settled().await;
    server.stop(Signal::Kill);
    node.until_answered_by(Source::Ledger).await;
    server.start_again();
    node.until_answered_by(Source::Redis).await;

    // A busy machine may send a question to the ledger now and then: each is asked until the index has said it.
    for person in &people {
        let before = node.tally.of(Source::Redis);
        wait::until_async("the index to answer", SOON, async || {
            assert_eq!(node.ask(person).await.unwrap(), Standing::Revoked);
            (node.tally.of(Source::Redis) > before).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_redis_that_was_never_there_stops_nobody() {
    let url = format!("redis://127.0.0.1:{}", crate::support::ports::free());
    let truth = Truth::new().await;
    let node = Node::with_redis(&url, truth.ledger());
    let person = Person::new("a");
    assert_eq!(node.ask(&person).await.unwrap(), Standing::Good);
    node.end(&person).await;
    assert_eq!(node.ask(&person).await.unwrap(), Standing::Revoked);
    assert!(node.revocations.is_degraded());
}
