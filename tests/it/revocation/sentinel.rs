//! Redis behind sentinels: a primary dies, stands still, comes back; its replica is late. Whoever was signed out stays out, and
//! nobody is thrown out, in the midst of requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;

use crate::flow::place::{Database, Place, REFRESH, Wants};
use crate::support::child::Signal;
use crate::support::client::Person;
use crate::support::gateway::Gateway;
use crate::support::sentinel::Watched;
use crate::support::wait;

/// Long enough for a machine that does much else.
const SOON: Duration = Duration::from_secs(90);

/// Two nodes, whose Redis a sentinel watches.
struct House {
    place: Place,
    other: Gateway,
    redis: Watched,
}

impl House {
    async fn with(check: &'static str) -> Self {
        let redis = tokio::task::spawn_blocking(Watched::start).await.unwrap();
        let wants =
            Wants { store: Database::Postgres.url(), redis: Some(redis.url()), sections: vec![("redis", check)], ..Wants::default() };
        let place = Place::with(wants).await;
        let other = place.another_node().await;
        let house = Self { place, other, redis };
        house.is_whole().await;
        house
    }

    async fn is_whole(&self) {
        for node in [&self.place.gateway, &self.other] {
            let says = async || (node.operator().get("/readyz").await.json()["status"] == "ok").then_some(());
            wait::until_async("/readyz to say ok", SOON, says).await;
        }
    }

    /// Somebody who holds an access token alone, and the browser that can sign out.
    async fn signs_in(&self, name: &str) -> (Person, Person) {
        let browser = self.place.sign_in(&format!("{name}@example.com")).await;
        let program = browser.copy();
        program.forget_cookie(REFRESH);
        (program, browser)
    }

    /// Signs out, and is out: here at once, on the other node within what is promised.
    async fn signs_out(&self, (program, browser): (Person, Person)) -> Person {
        let out = async || (browser.copy().post("/auth/logout", &json!({})).await.status == 200).then_some(());
        wait::until_async("signing out to be durable", SOON, out).await;
        assert_eq!(program.get("/page").await.status, 401, "signed out, and let in where that was said");
        let there = program.copy_at(self.other.public());
        let refused = async || (there.get("/page").await.status == 401).then_some(());
        wait::until_async("the other node to refuse", Duration::from_millis(1500), refused).await;
        program
    }
}

/// Requests of everybody to both nodes, for as long as it is not told to end.
struct Load {
    over: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
    tasks: JoinSet<()>,
}

impl Load {
    fn of(house: &House, live: &[&Person], out: &[&Person]) -> Self {
        let (over, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let mut tasks = JoinSet::new();
        for (people, status) in [(live, 200), (out, 401)] {
            for person in people {
                for node in [house.place.gateway.public(), house.other.public()] {
                    let (person, over, asked) = (person.copy_at(node), Arc::clone(&over), Arc::clone(&asked));
                    tasks.spawn(async move {
                        while !over.load(Ordering::Relaxed) {
                            let reply = person.get("/page").await;
                            assert_eq!(reply.status, status, "{}", reply.text());
                            asked.fetch_add(1, Ordering::Relaxed);
                        }
                    });
                }
            }
        }
        Self { over, asked, tasks }
    }

    /// So many more have been asked.
    async fn goes_on(&mut self, more: usize) {
        let before = self.asked.load(Ordering::Relaxed);
        let enough = async || (self.asked.load(Ordering::Relaxed) >= before + more).then_some(());
        wait::until_async("more requests", SOON, enough).await;
        while let Some(done) = self.tasks.try_join_next() {
            done.expect("nobody is let in who is out, and nobody thrown out who is in");
        }
    }

    async fn end(mut self) -> usize {
        self.over.store(true, Ordering::Relaxed);
        while let Some(done) = self.tasks.join_next().await {
            done.expect("nobody is let in who is out, and nobody thrown out who is in");
        }
        self.asked.load(Ordering::Relaxed)
    }
}

/// The primary dies; its replica, which has all or lacks the newest, takes its place.
async fn failover(check: &'static str) {
    let mut house = House::with(check).await;
    let mut live = Vec::new();
    for number in 0..5 {
        live.push(house.signs_in(&format!("live{number}")).await);
    }
    let mut out = Vec::new();
    for number in 0..2 {
        let person = house.signs_in(&format!("out{number}")).await;
        out.push(house.signs_out(person).await);
    }
    for fault in ["dies", "dies with a late replica", "stands still"] {
        let old = house.redis.primary();
        let staying: Vec<&Person> = live[..2].iter().map(|(program, _)| program).collect();
        let gone: Vec<&Person> = out.iter().collect();
        let mut load = Load::of(&house, &staying, &gone);
        load.goes_on(100).await;
        // The newest line is not in a replica that stands still.
        let is_late = fault == "dies with a late replica";
        if is_late {
            house.redis.servers[1 - old].pause();
        }
        let leaving = live.pop().unwrap();
        let newest = house.signs_out(leaving).await;
        if fault == "stands still" {
            house.redis.servers[old].pause();
        } else {
            house.redis.servers[old].stop(Signal::Kill);
        }
        if is_late {
            house.redis.servers[1 - old].resume();
        }

        // In the midst of it everybody is who they were, and who has just left is out.
        load.goes_on(200).await;
        for node in [&house.place.gateway, &house.other] {
            assert_eq!(newest.copy_at(node.public()).get("/page").await.status, 401, "{check}, {fault}");
        }
        let redis = &house.redis;
        tokio::task::block_in_place(|| redis.wait_for_primary(1 - old));
        house.is_whole().await;
        load.goes_on(200).await;
        // The new one is asked again, and has what it lacked.
        let keys = house.redis.servers[1 - old].keys();
        assert!(keys.iter().any(|key| key.ends_with(":rev:marker")), "{check}, {fault}: {keys:?}");
        out.push(newest);

        // The old one comes back, empty or as it was, and takes itself for the primary until the sentinel tells it otherwise.
        if fault == "stands still" {
            house.redis.servers[old].resume();
        } else {
            house.redis.servers[old].start_again();
        }
        load.goes_on(200).await;
        tokio::task::block_in_place(|| house.redis.wait_for_replica());
        let asked = load.end().await;
        for person in &out {
            for node in [&house.place.gateway, &house.other] {
                assert_eq!(person.copy_at(node.public()).get("/page").await.status, 401, "{check}, {fault}");
            }
        }
        eprintln!("{check}, the primary {fault}: {asked} requests, all decided as they should be");
    }
    assert!(house.place.gateway.log().contains("The sentinels name"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_lets_nobody_in_and_throws_nobody_out_with_strict_checks() {
    failover("check = \"strict\"").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_lets_nobody_in_and_throws_nobody_out_with_a_mirror() {
    failover("check = \"mirror\"").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sentinels_that_know_nothing_are_an_outage_of_redis_and_no_more() {
    let url = "redis+sentinel://127.0.0.1:9/main".to_owned();
    let place = Place::with(Wants { redis: Some(url), ..Wants::default() }).await;
    let (ada, eve) = (place.sign_in("ada@example.com").await, place.sign_in("eve@example.com").await);
    let kept = eve.copy();
    assert_eq!(eve.post("/auth/logout", &json!({})).await.status, 200);
    assert_eq!((ada.get("/page").await.status, kept.get("/page").await.status), (200, 401));
    assert_eq!(place.gateway.operator().get("/readyz").await.json()["status"], "degraded");
    place.gateway.wait_for_log("Redis does not take writes");
}
