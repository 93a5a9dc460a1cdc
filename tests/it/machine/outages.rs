//! The database or Redis is gone: a machine that is known goes on, one that is not cannot be decided about, and nobody who was
//! revoked gets in.

use std::time::Duration;

use super::{ROUTES, get, key};
use crate::flow::place::{Database, Place, Wants};
use crate::support::cable::{Cable, Flow};
use crate::support::child::Signal;
use crate::support::redis::Redis;
use crate::support::wait;

/// A place whose database can be cut off.
async fn cuttable() -> (Place, Cable, Redis) {
    let url = Database::Postgres.url();
    let (user, rest) = url.split_once("127.0.0.1:").expect("a database on this machine");
    let (port, name) = rest.split_once('/').expect("a name");
    let cable = Cable::to(port.parse().expect("a port"));
    let redis = Redis::start();
    let store = format!("{user}127.0.0.1:{}/{name}", cable.port());
    let place = Place::with(Wants { store, redis: Some(redis.url()), routes: ROUTES, ..Wants::default() }).await;
    (place, cable, redis)
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_database_a_known_key_goes_on_and_an_unknown_one_is_503() {
    let (place, cable, _redis) = cuttable().await;
    let known = key(&place.gateway, &["known", "--scope", "route:wiki"]);
    let unknown = key(&place.gateway, &["unknown", "--scope", "route:wiki"]);
    let revoked = key(&place.gateway, &["revoked", "--scope", "route:wiki"]);
    for key in [&known, &revoked] {
        assert_eq!(get(&place.gateway, "/page", key).await.status, 200);
    }
    assert_eq!(place.gateway.command(&["apikey", "revoke", "revoked"]).0, 0);
    let before = place.upstream.count();

    cable.flow(Flow::Refused);
    cable.cut();

    for _ in 0..20 {
        assert_eq!(get(&place.gateway, "/page", &known).await.status, 200);
        let reply = get(&place.gateway, "/page", &unknown).await;
        assert_eq!(reply.status, 503, "{}", reply.text());
        assert!(reply.header("retry-after").is_some());
        assert_eq!(get(&place.gateway, "/page", &revoked).await.status, 401);
        assert_eq!(get(&place.gateway, "/page", &format!("{known}x")).await.status, 401, "that needs no database");
        assert_eq!(get(&place.gateway, "/open", &unknown).await.status, 200);
    }
    assert_eq!(place.upstream.count(), before + 40);

    cable.flow(Flow::Free);
    let back = || async { (get(&place.gateway, "/page", &unknown).await.status == 200).then_some(()) };
    wait::until_async("the database to be asked again", Duration::from_secs(20), back).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_database_and_redis_nobody_passes() {
    let (place, cable, mut redis) = cuttable().await;
    let known = key(&place.gateway, &["known", "--scope", "route:wiki"]);
    assert_eq!(get(&place.gateway, "/page", &known).await.status, 200);
    let before = place.upstream.count();

    cable.flow(Flow::Refused);
    cable.cut();
    redis.stop(Signal::Kill);

    assert_eq!(get(&place.gateway, "/page", &known).await.status, 503);
    assert_eq!(get(&place.gateway, "/open", &known).await.status, 200);
    assert_eq!(place.upstream.count(), before + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_redis_lets_no_revoked_key_in() {
    let redis = Redis::start();
    let place = Place::with(Wants { store: Database::Postgres.url(), redis: Some(redis.url()), routes: ROUTES, ..Wants::default() }).await;
    let (good, revoked) = (key(&place.gateway, &["good", "--scope", "route:wiki"]), key(&place.gateway, &["bad", "--scope", "route:wiki"]));
    for key in [&good, &revoked] {
        assert_eq!(get(&place.gateway, "/page", key).await.status, 200);
    }
    assert_eq!(place.gateway.command(&["apikey", "revoke", "bad"]).0, 0);

    for _ in 0..10 {
        redis.flush();
        assert_eq!(get(&place.gateway, "/page", &revoked).await.status, 401);
        assert_eq!(get(&place.gateway, "/page", &good).await.status, 200);
    }
}
