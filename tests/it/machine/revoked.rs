//! A key that is revoked, expired or followed by another: at once, on every node, whatever is remembered.

use std::time::{Duration, Instant};

use super::{ROUTES, get, id, key, place};
use crate::flow::place::{Database, Place, Wants, code_of};
use crate::support::redis::Redis;
use crate::support::wait;

fn revoke(place: &Place, named: &str) {
    let done = place.gateway.command(&["apikey", "revoke", named]);
    assert_eq!(done.0, 0, "{done:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_is_refused_at_the_next_request() {
    let place = place().await;
    let (one, other) = (key(&place.gateway, &["one", "--scope", "route:wiki"]), key(&place.gateway, &["other", "--scope", "route:wiki"]));
    for key in [&one, &other] {
        assert_eq!(get(&place.gateway, "/page", key).await.status, 200);
    }
    let before = place.upstream.count();

    revoke(&place, &id(&one));

    let reply = get(&place.gateway, "/page", &one).await;
    assert_eq!((reply.status, code_of(&reply).as_str()), (401, "invalid_token"));
    assert_eq!(place.upstream.count(), before);
    assert_eq!(get(&place.gateway, "/page", &other).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_redis_it_is_refused_on_every_node_when_the_command_has_returned() {
    for check in ["check = \"strict\"", "check = \"mirror\"\nmax_staleness = \"500ms\""] {
        let redis = Redis::start();
        let wants = Wants { store: Database::Postgres.url(), redis: Some(redis.url()), sections: vec![("redis", check)], routes: ROUTES };
        let place = Place::with(wants).await;
        let nodes = [place.another_node().await, place.another_node().await];
        for round in 0..5 {
            let name = format!("ci-{round}");
            let made = key(&place.gateway, &[&name, "--scope", "route:wiki"]);
            for node in &nodes {
                assert_eq!(get(node, "/page", &made).await.status, 200);
            }
            revoke(&place, &name);
            let begun = Instant::now();
            for node in &nodes {
                // A mirror may be behind by max_staleness; asking Redis each time is never behind.
                let limit = if check.contains("mirror") { Duration::from_millis(500) } else { Duration::ZERO };
                let mut status = get(node, "/page", &made).await.status;
                while status != 401 && begun.elapsed() < limit {
                    status = get(node, "/page", &made).await.status;
                }
                assert_eq!(status, 401, "{check}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_another_node_knows_when_the_command_has_returned() {
    let place = Place::with(Wants { store: Database::MariaDb.url(), routes: ROUTES, ..Wants::default() }).await;
    let node = place.another_node().await;
    let made = key(&place.gateway, &["ci", "--scope", "route:wiki"]);
    assert_eq!(get(&node, "/page", &made).await.status, 200);

    revoke(&place, "ci");

    assert_eq!(get(&node, "/page", &made).await.status, 401);
    assert_eq!(get(&place.gateway, "/page", &made).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_stays_revoked_after_a_restart() {
    let mut place = place().await;
    let made = key(&place.gateway, &["ci", "--scope", "route:wiki"]);
    assert_eq!(get(&place.gateway, "/page", &made).await.status, 200);
    revoke(&place, "ci");

    place.gateway.kill9();
    place.gateway.restart();

    assert_eq!(get(&place.gateway, "/page", &made).await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_ends_at_its_time() {
    let place = place().await;
    let made = key(&place.gateway, &["ci", "--scope", "route:wiki", "--expires", "8s"]);
    assert_eq!(get(&place.gateway, "/page", &made).await.status, 200);

    let refused = || async { (get(&place.gateway, "/page", &made).await.status == 401).then_some(()) };
    wait::until_async("the key to end", Duration::from_secs(20), refused).await;

    let listed = place.gateway.command(&["apikey", "list"]);
    assert!(listed.1.contains("expired"), "{listed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_machine_holds_open_is_cut_when_its_key_is_revoked() {
    let place = place().await;
    let made = key(&place.gateway, &["ci", "--scope", "route:wiki"]);
    let events = place.upstream.stream_next();
    let address = place.gateway.public();
    let mut open = crate::support::client::Raw::connect(address).await;
    open.send(format!("GET /events HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {made}\r\n\r\n")).await;
    assert_eq!(open.reply_head().await.unwrap().status, 200);
    events.send("data: 1\n\n".to_owned()).unwrap();
    assert!(open.chunk().await.is_some());

    revoke(&place, "ci");

    assert!(open.is_closed_within(Duration::from_secs(2)).await);
}
