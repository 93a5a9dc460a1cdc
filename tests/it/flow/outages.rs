//! What happens when Redis, the database or the process is gone, under load: nobody who was signed out gets in, nobody who is
//! signed in is thrown out, and nothing that was acknowledged is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinHandle;

use super::place::{ACCESS, Database, Place, REFRESH, Wants, ask, verify};
use crate::support::child::Signal;
use crate::support::client::Person;
use crate::support::postgres::Postgres;
use crate::support::redis::Redis;
use crate::support::wait;

/// Requests without a pause until it is stopped: of somebody who is signed in, and of somebody who was signed out.
struct Load {
    stop: Arc<AtomicBool>,
    task: JoinHandle<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    requests: usize,
    /// Statuses other than 200 of who is signed in.
    thrown_out: Vec<u16>,
    /// Statuses other than 401 of who was signed out.
    got_in: Vec<u16>,
}

impl Load {
    fn of(valid: Person, revoked: Person) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let task = tokio::spawn(async move {
            let mut seen = Seen::default();
            while !told.load(Ordering::SeqCst) {
                let (good, bad) = tokio::join!(valid.get("/page"), revoked.get("/page"));
                seen.requests += 2;
                seen.thrown_out.extend((good.status != 200).then_some(good.status));
                seen.got_in.extend((bad.status != 401).then_some(bad.status));
            }
            seen
        });
        Self { stop, task }
    }

    async fn end(self) -> Seen {
        self.stop.store(true, Ordering::SeqCst);
        self.task.await.unwrap()
    }
}

/// A person who can only show their access token: nothing is renewed.
fn bearer_of(person: &Person) -> Person {
    let only = person.copy();
    only.forget_cookie(REFRESH);
    only
}

async fn with_redis() -> (Place, Redis) {
    let redis = Redis::start();
    let place = Place::with(Wants { store: Database::Postgres.url(), redis: Some(redis.url()), ..Wants::default() }).await;
    (place, redis)
}

async fn somebody_who_was_signed_out(place: &Place) -> Person {
    let person = place.sign_in("mallory@example.com").await;
    let kept = bearer_of(&person);
    assert_eq!(person.post("/auth/logout", &json!({})).await.status, 200);
    kept
}

async fn ready(place: &Place) -> String {
    place.gateway.operator().get("/readyz").await.json()["status"].as_str().unwrap_or_default().to_owned()
}

async fn until_ready_says(place: &Place, status: &str) {
    wait::until_async(&format!("/readyz to say {status}"), Duration::from_secs(10), || async {
        (ready(place).await == status).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn signed_out_on_one_node_is_out_on_another_at_the_next_request() {
    let (place, _redis) = with_redis().await;
    let other = place.another_node().await;
    for _ in 0..20 {
        let person = place.sign_in("ada@example.com").await;
        let there = bearer_of(&person).copy_at(other.public());
        assert_eq!(there.get("/page").await.status, 200);
        assert_eq!(person.post("/auth/logout", &json!({})).await.status, 200);
        assert_eq!(there.get("/page").await.status, 401);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_another_node_knows_within_a_second() {
    let place = Place::on(Database::Postgres).await;
    let other = place.another_node().await;
    let person = place.sign_in("ada@example.com").await;
    let there = bearer_of(&person).copy_at(other.public());
    assert_eq!(there.get("/page").await.status, 200);
    let begun = Instant::now();
    assert_eq!(person.post("/auth/logout", &json!({})).await.status, 200);
    wait::until_async("the other node to know", Duration::from_secs(5), || async {
        (there.get("/page").await.status == 401).then_some(())
    })
    .await;
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_stopped_paused_flushed_and_restarted_empty_lets_nobody_in_and_throws_nobody_out() {
    let (place, mut redis) = with_redis().await;
    let valid = bearer_of(&place.sign_in("ada@example.com").await);
    let revoked = somebody_who_was_signed_out(&place).await;
    let load = Load::of(valid.copy(), revoked.copy());

    for fault in 0..4 {
        match fault {
            0 => redis.flush(),
            1 => {
                redis.pause();
                until_ready_says(&place, "degraded").await;
                redis.resume();
            }
            2 => {
                redis.stop(Signal::Kill);
                until_ready_says(&place, "degraded").await;
                // Signed out while Redis is gone.
                let late = somebody_who_was_signed_out(&place).await;
                assert_eq!(late.get("/page").await.status, 401);
                redis.start_again();
                until_ready_says(&place, "ok").await;
                assert_eq!(late.get("/page").await.status, 401);
            }
            _ => {
                redis.stop(Signal::Term);
                redis.start_again();
            }
        }
        until_ready_says(&place, "ok").await;
        let late = somebody_who_was_signed_out(&place).await;
        assert_eq!(late.get("/page").await.status, 401);
    }

    let seen = load.end().await;
    assert!(seen.requests > 50, "{seen:?}");
    assert_eq!((seen.got_in, seen.thrown_out), (vec![], vec![]));
    // Repaired: the index knows the old sign-out again, and Redis alone answers.
    assert!(redis.dump().contains("marker") || !redis.keys().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_takes_no_writes_is_not_believed() {
    let (place, redis) = with_redis().await;
    let person = place.sign_in("ada@example.com").await;
    redis.command::<String>(&["REPLICAOF", "127.0.0.1", "1"]);
    let kept = bearer_of(&person);
    assert_eq!(person.post("/auth/logout", &json!({})).await.status, 200);
    assert_eq!(kept.get("/page").await.status, 401);
    redis.command::<String>(&["REPLICAOF", "NO", "ONE"]);
    until_ready_says(&place, "ok").await;
    assert_eq!(kept.get("/page").await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_database_people_go_on_and_nobody_is_told_that_they_are_signed_out() {
    let mut postgres = Postgres::start();
    let redis = Redis::start();
    let wants =
        Wants { store: postgres.database(), redis: Some(redis.url()), sections: vec![("store", "timeout = \"1s\"")], ..Wants::default() };
    let place = Place::with(wants).await;
    let person = place.sign_in("ada@example.com").await;
    let code = place.code_for(&place.person(), "bob@example.com").await;
    let revoked = somebody_who_was_signed_out(&place).await;
    let cookies = person.cookie_header();

    postgres.stop();

    assert_eq!((person.get("/page").await.status, revoked.get("/page").await.status), (200, 401));
    assert_eq!(place.person().get("/open/page").await.status, 200);
    let replies = [
        ask(&place.person(), "eve@example.com").await,
        verify(&place.person(), "bob@example.com", &code).await,
        person.post("/auth/refresh", &json!({})).await,
        person.post("/auth/logout", &json!({})).await,
    ];
    for reply in &replies {
        assert_eq!(reply.status, 503, "{}", reply.text());
        assert!(reply.header("retry-after").is_some());
        assert!(reply.all("set-cookie").is_empty(), "cookies are untouched");
    }
    assert_eq!(person.cookie_header(), cookies);
    assert_eq!(person.get("/page").await.status, 200);

    postgres.start_again();
    wait::until_async("signing out to work again", Duration::from_secs(10), || async {
        (person.copy().post("/auth/logout", &json!({})).await.status == 200).then_some(())
    })
    .await;
    assert_eq!(bearer_of(&person).get("/page").await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_both_protected_routes_wait_and_public_ones_go_on() {
    let mut postgres = Postgres::start();
    let mut redis = Redis::start();
    let wants =
        Wants { store: postgres.database(), redis: Some(redis.url()), sections: vec![("store", "timeout = \"1s\"")], ..Wants::default() };
    let place = Place::with(wants).await;
    let person = place.sign_in("ada@example.com").await;
    let cookies = person.cookie_header();
    let seen = place.upstream.count();

    postgres.stop();
    redis.stop(Signal::Kill);

    let reply = person.get("/page").await;
    assert_eq!(reply.status, 503, "{}", reply.text());
    assert!(reply.header("retry-after").is_some());
    assert_eq!((person.cookie_header(), place.upstream.count()), (cookies, seen));
    assert_eq!(place.person().get("/open/page").await.status, 200);

    postgres.start_again();
    redis.start_again();
    wait::until_async("the page", Duration::from_secs(10), || async { (person.get("/page").await.status == 200).then_some(()) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_has_lost_no_sign_out_that_it_acknowledged() {
    let mut place = Place::on(Database::Sqlite).await;
    let mut people = Vec::new();
    for number in 0..12 {
        people.push(place.sign_in(&format!("person{number}@example.com")).await);
    }
    let mut out = tokio::task::JoinSet::new();
    for person in people {
        let kept = bearer_of(&person);
        out.spawn(async move {
            let reply = person.request(http::Method::POST, "/auth/logout").json(&json!({})).try_send().await;
            (kept, reply.is_ok_and(|reply| reply.status == 200))
        });
    }
    // Some are acknowledged, and then the process is gone.
    let mut kept = vec![out.join_next().await.unwrap().unwrap(), out.join_next().await.unwrap().unwrap()];
    place.gateway.kill9();
    kept.extend(out.join_all().await);
    let time = tokio::task::block_in_place(|| place.gateway.restart());
    assert!(time < Duration::from_secs(10), "{time:?}");

    let acknowledged: Vec<_> = kept.iter().filter(|(_, acknowledged)| *acknowledged).map(|(person, _)| person).collect();
    assert!(acknowledged.len() >= 2);
    for person in acknowledged {
        assert!(person.cookie(ACCESS).is_some());
        assert_eq!(person.get("/page").await.status, 401);
    }
}

/// A disk that is full, or another program that never lets go: questions are answered, and nothing can be kept.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_cannot_be_written_to_is_not_ready() {
    let place = Place::on(Database::Sqlite).await;
    assert_eq!(ready(&place).await, "ok");
    let pool = sqlx::sqlite::SqlitePoolOptions::new().max_connections(1).connect(&place.wants.store).await.unwrap();

    let mut writer = pool.acquire().await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut *writer).await.unwrap();
    let says = async |status: &str| {
        let look = async || (ready(&place).await == status).then_some(());
        wait::until_async(&format!("/readyz to say {status}"), Duration::from_secs(40), look).await;
    };
    says("not_ready").await;
    assert_eq!(place.gateway.operator().get("/readyz").await.status, 503);
    sqlx::raw_sql("ROLLBACK").execute(&mut *writer).await.unwrap();

    says("ok").await;
}
