//! G 81: the gate does not stand open when what it leans on is gone. Redis, the database, both, and the secrets are taken
//! away, for each way in which revocation is checked.

use std::time::Duration;

use crate::flow::place::{ACCESS, ENCRYPTION_KEY, Place, REFRESH, Wants};
use crate::support::child::Signal;
use crate::support::client::{Person, Reply};
use crate::support::postgres::Postgres;
use crate::support::redis::Redis;
use crate::support::{gateway, wait};

const SOON: Duration = Duration::from_secs(15);

/// A place of which everything can be taken away.
struct Stage {
    place: Place,
    database: Postgres,
    redis: Option<Redis>,
    /// Signed in.
    ada: Person,
    /// Signed out, with a token that would be good for an hour.
    mallory: Person,
}

impl Stage {
    async fn new(check: Option<&'static str>) -> Self {
        let database = Postgres::start();
        let redis = check.map(|_| Redis::start());
        let sections = vec![("store", "timeout = \"1s\""), ("redis", check.unwrap_or_default())];
        let wants = Wants { store: database.database(), redis: redis.as_ref().map(Redis::url), sections, ..Wants::default() };
        let place = Place::with(wants).await;
        let ada = bearer_of(&place.sign_in("ada@example.com").await);
        let leaving = place.sign_in("mallory@example.com").await;
        let mallory = bearer_of(&leaving);
        assert_eq!(leaving.post("/auth/logout", &serde_json::json!({})).await.status, 200);
        let stage = Self { place, database, redis, ada, mallory };
        stage.goes_on().await;
        stage
    }

    /// Who is signed in gets in, who was signed out does not.
    async fn goes_on(&self) {
        let gets_in = async || (self.ada.get("/page").await.status == 200).then_some(());
        wait::until_async("who is signed in to get in", SOON, gets_in).await;
        for _ in 0..20 {
            assert_eq!(self.ada.get("/page").await.status, 200);
            assert_eq!(self.mallory.get("/page").await.status, 401);
        }
        assert_eq!(self.place.person().get("/open/page").await.status, 200);
    }

    /// Nobody can be checked, so nobody gets in; what was proven a moment ago may hold for that moment.
    async fn waits(&self) {
        let never_in = async || {
            assert_ne!(self.mallory.get("/page").await.status, 200);
            (self.ada.get("/page").await.status == 503).then_some(())
        };
        wait::until_async("the gate to shut", SOON, never_in).await;
        let seen = self.place.upstream.count();
        let cookies = self.ada.cookie_header();
        for _ in 0..20 {
            asks_to_wait(&self.ada.get("/page").await);
            let refused = self.mallory.get("/page").await;
            assert!([401, 503].contains(&refused.status), "{}", refused.status);
        }
        let websocket = self.ada.request(http::Method::GET, "/live").header("connection", "upgrade").header("upgrade", "websocket");
        let websocket = websocket.header("sec-websocket-version", "13").header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        asks_to_wait(&websocket.send().await);
        assert_eq!((self.place.upstream.count(), self.ada.cookie_header()), (seen, cookies));
        assert_eq!(self.place.person().get("/open/page").await.status, 200);
    }
}

fn bearer_of(person: &Person) -> Person {
    let only = person.copy();
    only.forget_cookie(REFRESH);
    assert!(only.cookie(ACCESS).is_some());
    only
}

fn asks_to_wait(reply: &Reply) {
    assert_eq!(reply.status, 503, "{}", reply.text());
    assert!(reply.header("retry-after").is_some());
    assert!(reply.all("set-cookie").is_empty(), "cookies are untouched");
}

/// Redis, the database, and both, one after the other.
async fn with_redis(check: &'static str) {
    let mut stage = Stage::new(Some(check)).await;
    let redis = |stage: &mut Stage, act: fn(&mut Redis)| act(stage.redis.as_mut().unwrap());

    redis(&mut stage, |redis| redis.stop(Signal::Kill));
    stage.goes_on().await;
    redis(&mut stage, Redis::start_again);
    stage.goes_on().await;
    redis(&mut stage, Redis::pause);
    stage.goes_on().await;
    redis(&mut stage, Redis::resume);
    until_ready(&stage.place, "ok").await;

    stage.database.stop();
    stage.goes_on().await;
    redis(&mut stage, |redis| redis.stop(Signal::Kill));
    stage.waits().await;
    // Empty, it proves nothing.
    redis(&mut stage, Redis::start_again);
    stage.waits().await;
    stage.database.start_again();
    stage.goes_on().await;
}

/// Redis comes back empty, and the database goes as soon as all is said to be well: who is signed in stays so.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_54762_what_is_said_to_be_well_can_do_without_the_database() {
    let mut stage = Stage::new(Some("check = \"strict\"")).await;
    for _ in 0..3 {
        let redis = stage.redis.as_mut().unwrap();
        redis.stop(Signal::Kill);
        until_ready(&stage.place, "degraded").await;
        redis.start_again();
        until_ready(&stage.place, "ok").await;

        stage.database.stop();
        stage.goes_on().await;
        // A Redis that is away for a moment is believed again, and said to be there.
        stage.redis.as_mut().unwrap().pause();
        until_ready(&stage.place, "not_ready").await;
        stage.redis.as_mut().unwrap().resume();
        until_ready(&stage.place, "degraded").await;
        stage.goes_on().await;
        stage.database.start_again();
        until_ready(&stage.place, "ok").await;
    }
}

async fn until_ready(place: &Place, status: &str) {
    let says = async || (place.gateway.operator().get("/readyz").await.json()["status"] == status).then_some(());
    wait::until_async(&format!("/readyz to say {status}"), SOON, says).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_54762_without_redis_or_database_nobody_passes_unchecked_with_strict_checks() {
    with_redis("check = \"strict\"").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_54762_without_redis_or_database_nobody_passes_unchecked_with_a_mirror() {
    with_redis("check = \"mirror\"").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_54762_without_the_database_nobody_passes_unchecked_with_the_index_in_the_process() {
    let mut stage = Stage::new(None).await;

    stage.database.stop();
    stage.waits().await;
    stage.database.start_again();
    stage.goes_on().await;
    stage.database.pause();
    stage.waits().await;
    stage.database.resume();
    stage.goes_on().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_27586_a_gate_whose_secrets_cannot_be_read_does_not_open() {
    let mut place = Place::on(crate::flow::place::Database::Sqlite).await;
    place.gateway.kill9();
    let config = std::fs::read_to_string(place.gateway.config()).unwrap();
    let key = format!("encryption_key = \"{ENCRYPTION_KEY}\"");
    let folder = crate::support::folder::new("secrets");
    let path = folder.path().join("doorward.toml");
    let other = ENCRYPTION_KEY.replacen('M', "N", 1);
    for (instead, says) in [
        (String::new(), "store.encryption_key"),
        (format!("encryption_key_file = \"{}/none\"", folder.path().display()), "store.encryption_key"),
        ("encryption_key = \"c2hvcnQ=\"".to_owned(), "store.encryption_key"),
        // Somebody else's: the signing keys in the database were sealed under another.
        (format!("encryption_key = \"{other}\""), "key"),
    ] {
        std::fs::write(&path, config.replacen(&key, &instead, 1)).unwrap();

        let arguments = ["serve", "--config", path.to_str().unwrap()].map(str::to_owned);
        let (code, _, error) =
            tokio::task::spawn_blocking(move || gateway::command(&arguments.each_ref().map(String::as_str), &[])).await.unwrap();

        assert_eq!(code, 1, "{instead}: {error}");
        assert!(error.contains(says), "{instead}: {error}");
        assert!(gateway::status_of(place.gateway.public(), "/page").is_none(), "{instead}: something answers");
    }
}
