//! Restarts and outages: what was said is kept, and what cannot be decided is never a yes.

use std::time::Duration;

use serde_json::json;

use super::{Backend, assert_refused, generous_on, on_each_database};
use crate::flow::place::{Database, Place, Wants};
use crate::support::postgres::Postgres;
use crate::support::wait;

on_each_database!(what_was_answered_survives_the_process);

async fn what_was_answered_survives_the_process(database: Database) {
    let mut place = generous_on(database).await;
    let shop = Backend::registered(&place, "shop");
    let phone = shop.enrolled("ada").await;
    let (id, code) = shop.sent(&place, "bob", "bob@example.com").await;
    let (gone, spent) = shop.sent(&place, "bob", "bob@example.com").await;
    assert_eq!(shop.verify(&json!({ "challenge_id": gone, "code": spent })).await.status, 200);

    place.gateway.kill9();
    place.gateway.restart();

    assert_eq!(shop.status("ada").await.json()["enabled"], true);
    assert_eq!(shop.verify(&json!({ "subject": "ada", "code": phone.code().await })).await.status, 200);
    assert_refused(&shop.verify(&json!({ "challenge_id": gone, "code": spent })).await, 401, "invalid_code");
    assert_eq!(shop.verify(&json!({ "challenge_id": id, "code": code })).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_database_nothing_is_decided_and_routes_go_on() {
    let mut database = Postgres::start();
    let wants = Wants { store: database.database(), sections: vec![("store", "timeout = \"2s\"")], ..Wants::default() };
    let place = Place::with(wants).await;
    let shop = Backend::registered(&place, "shop");
    let route = json!({ "path": "/shop", "upstream": [place.upstream.url()], "require": "public" }).to_string();
    let file = place.gateway.config().with_file_name("route.json");
    std::fs::write(&file, route).unwrap();
    super::done(&place.gateway, &["app", "set", "shop", "--route", file.to_str().unwrap(), "--json"]);
    let open = place.person();
    let serves = async || (open.get("/shop").await.status == 200).then_some(());
    wait::until_async("the route", Duration::from_secs(10), serves).await;
    let (id, code) = shop.sent(&place, "ada", "ada@example.com").await;

    database.stop();

    assert_refused(&shop.status("ada").await, 503, "unavailable");
    assert_refused(&shop.send("ada", "ada@example.com").await, 503, "unavailable");
    assert_refused(&shop.register("ada").await, 503, "unavailable");
    assert_refused(&shop.verify(&json!({ "challenge_id": id, "code": code })).await, 503, "unavailable");
    for _ in 0..20 {
        assert_eq!(open.get("/shop").await.status, 200, "a route that is known goes on");
    }

    database.start_again();

    let verified = async || {
        let reply = shop.verify(&json!({ "challenge_id": id, "code": code })).await;
        assert!(matches!(reply.status, 200 | 503), "{}", reply.text());
        (reply.status == 200).then_some(())
    };
    wait::until_async("the code to be good", Duration::from_secs(20), verified).await;
    super::done(&place.gateway, &["app", "remove", "shop", "--json"]);
    let gone = async || (open.get("/shop").await.status != 200).then_some(());
    wait::until_async("the route to go", Duration::from_secs(10), gone).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_is_one_for_all_nodes_with_redis() {
    let redis = crate::support::redis::Redis::start();
    let place = Place::with(Wants {
        store: Database::Postgres.url(),
        redis: Some(redis.url()),
        sections: vec![("redis", "timeout = \"5s\"")],
        ..Wants::default()
    })
    .await;
    let shop = Backend::registered(&place, "shop");
    let node = place.another_node().await;
    let there = shop.at(&node);

    let mut sent = 0;
    for round in 0..10 {
        let reply = if round % 2 == 0 { shop.send("ada", "ada@example.com").await } else { there.send("ada", "ada@example.com").await };
        sent += usize::from(reply.status == 201);
    }

    assert_eq!(sent, 5);
}
