//! Tunnels (WebSocket) and event streams: passed on piece by piece, and patient with silence.

use std::time::Duration;

use super::{Edge, get, public};
use crate::support::client::{CLOSE_FRAME, Raw, TEXT_FRAME};
use crate::support::upstream::Upstream;

const UPGRADE: &str =
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
/// Longer than the routes' `read_timeout` here.
const SILENCE: Duration = Duration::from_millis(900);

async fn impatient() -> (Upstream, Edge) {
    let app = Upstream::start().await;
    let edge = Edge::start("", &public("app", &[&app.url()], "read_timeout = \"300ms\""));
    (app, edge)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_passes_and_may_be_silent() {
    let (app, edge) = impatient().await;
    let mut raw = Raw::connect(edge.address()).await;

    raw.send(get(UPGRADE)).await;
    let head = raw.reply_head().await.unwrap();
    raw.send_frame(TEXT_FRAME, "hello").await;
    let first = raw.frame().await;
    let gone = raw.is_closed_within(SILENCE).await;
    raw.send_frame(TEXT_FRAME, "still there").await;
    let second = raw.frame().await;
    let open = edge.gateway.operator().get("/metrics").await.text();
    raw.send_frame(CLOSE_FRAME, "").await;

    assert_eq!((head.status, head.header("Sec-WebSocket-Accept").as_deref()), (101, Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")));
    assert_eq!((head.header("Upgrade").as_deref(), head.header("Connection").as_deref()), (Some("websocket"), Some("Upgrade")));
    assert_eq!(first, Some((TEXT_FRAME, "hello".to_owned())));
    assert!(!gone);
    assert_eq!(second, Some((TEXT_FRAME, "still there".to_owned())));
    assert!(open.contains("doorward_streams_open 1"), "{open}");
    assert_eq!(app.last().header("Upgrade").as_deref(), Some("websocket"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_that_comes_with_the_upgrade_is_not_lost() {
    let (_app, edge) = impatient().await;
    let mut raw = Raw::connect(edge.address()).await;

    // A masked text frame, mask zero: what an eager client sends before it has seen the answer.
    let mut eager = get(UPGRADE).into_bytes();
    eager.extend([0x81, 0x85, 0, 0, 0, 0]);
    eager.extend(b"eager");
    raw.send(eager).await;
    let head = raw.reply_head().await.unwrap();
    let frame = raw.frame().await;

    assert_eq!(head.status, 101);
    assert_eq!(frame, Some((TEXT_FRAME, "eager".to_owned())));
}

/// Nobody reads on behind so much, and nobody would see such a client leave: it would hold its place for as long as the app is silent.
#[tokio::test(flavor = "multi_thread")]
async fn who_waits_for_events_and_sends_on_is_hung_up_on() {
    let (app, edge) = impatient().await;
    let events = app.stream_next();
    let mut raw = Raw::connect(edge.address()).await;

    raw.send(get("Accept: text/event-stream\r\n")).await;
    assert_eq!(raw.reply_head().await.unwrap().status, 200);
    raw.send("x".repeat(60 * 1024)).await;
    let is_gone_early = raw.is_closed_within(SILENCE).await;
    raw.send("x".repeat(20 * 1024)).await;

    assert!(!is_gone_early);
    assert!(raw.is_closed_within(Duration::from_secs(10)).await);
    drop(events);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_arrive_when_they_are_sent_and_silence_does_not_end_them() {
    let (app, edge) = impatient().await;
    let events = app.stream_next();
    let mut raw = Raw::connect(edge.address()).await;

    raw.send(get("Accept: text/event-stream\r\n")).await;
    let head = raw.reply_head().await.unwrap();
    events.send("data: 1\n\n".to_owned()).unwrap();
    let first = raw.chunk().await;
    let gone = raw.is_closed_within(SILENCE).await;
    events.send("data: 2\n\n".to_owned()).unwrap();
    let second = raw.chunk().await;
    drop(events);
    let end = raw.chunk().await;

    assert_eq!(head.status, 200);
    assert_eq!(first.as_deref(), Some(&b"data: 1\n\n"[..]));
    assert!(!gone);
    assert_eq!(second.as_deref(), Some(&b"data: 2\n\n"[..]));
    assert_eq!(end, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_upgrade_is_an_ordinary_request() {
    let (app, edge) = impatient().await;

    let reply =
        Raw::exchange(edge.address(), get("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n")).await;

    assert_eq!(reply.status, 200);
    for name in ["Upgrade", "Connection", "HTTP2-Settings"] {
        assert_eq!(app.last().header(name), None, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_ends_its_stream_at_the_app() {
    let (app, edge) = impatient().await;
    let events = app.stream_next();
    let mut raw = Raw::connect(edge.address()).await;
    raw.send(get("Accept: text/event-stream\r\n")).await;
    events.send("data: 1\n\n".to_owned()).unwrap();
    assert!(raw.reply_head().await.is_some());

    drop(raw);

    let open = || async {
        let metrics = edge.gateway.operator().get("/metrics").await.text();
        metrics.contains("doorward_streams_open 0").then_some(())
    };
    crate::support::wait::until_async("the stream's end", Duration::from_secs(5), open).await;
}
