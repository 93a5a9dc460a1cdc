//! Redis behind sentinels: a primary dies, stands still, comes back; its replica is late. Whoever was signed out stays out, and
//! nobody is thrown out, in the midst of requests.

use super::house::{House, Load, is_an_outage_and_no_more};
use crate::support::child::Signal;
use crate::support::client::Person;
use crate::support::sentinel::Watched;

/// The primary dies; its replica, which has all or lacks the newest, takes its place.
async fn failover(check: &'static str) {
    let mut redis = tokio::task::spawn_blocking(Watched::start).await.unwrap();
    let house = House::at(redis.url(), check).await;
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
        let old = redis.primary();
        let staying: Vec<&Person> = live[..2].iter().map(|(program, _)| program).collect();
        let gone: Vec<&Person> = out.iter().collect();
        let mut load = Load::of(&house, &staying, &gone);
        load.goes_on(100).await;
        // The newest line is not in a replica that stands still.
        let is_late = fault == "dies with a late replica";
        if is_late {
            redis.servers[1 - old].pause();
        }
        let leaving = live.pop().unwrap();
        let newest = house.signs_out(leaving).await;
        if fault == "stands still" {
            redis.servers[old].pause();
        } else {
            redis.servers[old].stop(Signal::Kill);
        }
        if is_late {
            redis.servers[1 - old].resume();
        }

        // In the midst of it everybody is who they were, and who has just left is out.
        load.goes_on(200).await;
        for node in house.nodes() {
            assert_eq!(newest.copy_at(node.public()).get("/page").await.status, 401, "{check}, {fault}");
        }
        tokio::task::block_in_place(|| redis.wait_for_primary(1 - old));
        house.is_whole().await;
        load.goes_on(200).await;
        // The new one is asked again, and has what it lacked.
        let keys = redis.servers[1 - old].keys();
        assert!(keys.iter().any(|key| key.ends_with(":rev:marker")), "{check}, {fault}: {keys:?}");
        out.push(newest);

        // The old one comes back, empty or as it was, and takes itself for the primary until the sentinel tells it otherwise.
        if fault == "stands still" {
            redis.servers[old].resume();
        } else {
            redis.servers[old].start_again();
        }
        load.goes_on(200).await;
        tokio::task::block_in_place(|| redis.wait_for_replica());
        let asked = load.end().await;
        for person in &out {
            for node in house.nodes() {
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
    is_an_outage_and_no_more("redis+sentinel://127.0.0.1:9/main").await;
}
