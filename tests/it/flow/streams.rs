//! Open streams end with their session: over a WebSocket and over server-sent events, here and on another node, with Redis,
//! without it, and while it is out. Nobody else's stream is touched.

use std::time::Duration;

use serde_json::json;

use super::place::{ACCESS, Database, Place, Wants};
use crate::support::child::Signal;
use crate::support::client::{Person, Raw, TEXT_FRAME};
use crate::support::gateway::Gateway;
use crate::support::redis::Redis;

/// Longer than a cut may take, and long enough for a machine that runs all tests at once.
const PATIENT: Duration = Duration::from_secs(5);

const UPGRADE: &str =
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// A WebSocket of `person` at `node`, through which something has come already.
async fn websocket(node: &Gateway, person: &Person) -> Raw {
    let mut raw = Raw::connect(node.public()).await;
    raw.send(request(node, person, UPGRADE)).await;
    assert_eq!(raw.reply_head().await.unwrap().status, 101);
    still_open(&mut raw).await;
    raw
}

async fn still_open(raw: &mut Raw) {
    raw.send_frame(TEXT_FRAME, "hello").await;
    assert_eq!(raw.frame().await, Some((TEXT_FRAME, "hello".to_owned())));
}

fn request(node: &Gateway, person: &Person, lines: &str) -> String {
    let token = person.cookie(ACCESS).expect("signed in");
    format!("GET /live HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\n{lines}\r\n", node.public())
}

async fn signs_out(person: &Person, scope: &str) {
    let reply = person.post(&format!("/auth/logout?scope={scope}"), &json!({})).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
}

async fn is_cut(raw: &mut Raw) {
    assert!(raw.is_closed_within(PATIENT).await, "the stream is still open");
}

async fn cut(place: &Place) -> String {
    let metrics = place.gateway.operator().get("/metrics").await.text();
    let line = metrics.lines().find(|line| line.starts_with("doorward_streams_cut_total "));
    line.and_then(|line| line.rsplit(' ').next()).unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_websocket_and_a_silent_event_stream_end_when_their_session_does() {
    let place = Place::on(Database::Sqlite).await;
    let (ada, grace) = (place.sign_in("ada@example.com").await, place.sign_in("grace@example.com").await);
    let mut socket = websocket(&place.gateway, &ada).await;
    let mut hers = websocket(&place.gateway, &grace).await;
    let events = place.upstream.stream_next();
    let mut stream = Raw::connect(place.gateway.public()).await;
    stream.send(request(&place.gateway, &ada, "Accept: text/event-stream\r\n")).await;
    assert_eq!(stream.reply_head().await.unwrap().status, 200);
    events.send("data: 1\n\n".to_owned()).unwrap();
    assert!(stream.chunk().await.is_some());

    signs_out(&ada, "local").await;

    is_cut(&mut socket).await;
    is_cut(&mut stream).await;
    still_open(&mut hers).await;
    assert_eq!(cut(&place).await, "2");
    place.gateway.wait_for_log("was cut");
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_elsewhere_cuts_the_other_device_and_not_this_one() {
    let place = Place::on(Database::Sqlite).await;
    let (here, there) = (place.sign_in("ada@example.com").await, place.sign_in("ada@example.com").await);
    let (mut this, mut other) = (websocket(&place.gateway, &here).await, websocket(&place.gateway, &there).await);

    signs_out(&here, "others").await;

    is_cut(&mut other).await;
    still_open(&mut this).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_on_another_node_is_cut_with_redis_without_it_and_while_it_is_out() {
    let mut redis = Redis::start();
    let store = Database::Postgres.url();
    let with = Place::with(Wants { store, redis: Some(redis.url()), ..Wants::default() }).await;
    let without = Place::on(Database::Postgres).await;
    for (place, is_out) in [(&with, false), (&without, false), (&with, true)] {
        let other = place.another_node().await;
        let ada = place.sign_in("ada@example.com").await;
        let mut there = websocket(&other, &ada).await;
        if is_out {
            redis.stop(Signal::Kill);
        }

        signs_out(&ada, "global").await;

        is_cut(&mut there).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_disabled_loses_its_streams() {
    let place = Place::on(Database::Postgres).await;
    let ada = place.sign_in("ada@example.com").await;
    let mut socket = websocket(&place.gateway, &ada).await;

    let config = place.gateway.config().display().to_string();
    let (code, _, error) = place.gateway.command(&["account", "disable", "ada@example.com", "--config", &config]);

    assert_eq!(code, 0, "{error}");
    is_cut(&mut socket).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_public_belongs_to_nobody_and_stays() {
    let place = Place::on(Database::Sqlite).await;
    let ada = place.sign_in("ada@example.com").await;
    let mut raw = Raw::connect(place.gateway.public()).await;
    raw.send(request(&place.gateway, &ada, UPGRADE).replacen("/live", "/open/live", 1)).await;
    assert_eq!(raw.reply_head().await.unwrap().status, 101);
    let mut private = websocket(&place.gateway, &ada).await;

    signs_out(&ada, "local").await;

    is_cut(&mut private).await;
    still_open(&mut raw).await;
}
