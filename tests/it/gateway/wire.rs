//! The bytes of a connection: one request after the other, each with an end that everybody finds in the same place.

use std::time::Duration;

use super::{Edge, get};
use crate::support::client::Raw;
use crate::support::upstream::Upstream;

const PATIENT: Duration = Duration::from_secs(20);

async fn open() -> (Upstream, Edge) {
    let app = Upstream::start().await;
    let edge = Edge::before(&app);
    (app, edge)
}

fn chunked(body: &str) -> String {
    chunked_at("/upload", body)
}

fn chunked_at(path: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: app.example\r\nTransfer-Encoding: chunked\r\n\r\n{body}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chunked_body_that_others_would_read_differently_is_refused() {
    let (app, edge) = open().await;
    for body in [
        "3\nabc\r\n0\r\n\r\n",
        "3\r\nabc\n0\r\n\r\n",
        "3;a\nb\r\nabc\r\n0\r\n\r\n",
        "3;a\rb\r\nabc\r\n0\r\n\r\n",
        "+3\r\nabc\r\n0\r\n\r\n",
        "0x3\r\nabc\r\n0\r\n\r\n",
        "3 \r\nabc\r\n0\r\n\r\n",
        "ffffffffffffffff3\r\nabc\r\n0\r\n\r\n",
        "3\r\nabcd\r\n0\r\n\r\n",
        "0\r\nGET /smuggled HTTP/1.1\r\nHost: app.example\r\n\r\n",
    ] {
        // An app's path, and one of ours.
        for path in ["/upload", "/auth/request-otp"] {
            let mut raw = Raw::connect(edge.address()).await;

            raw.send(chunked_at(path, body)).await;
            let reply = raw.reply().await.unwrap_or_else(|| panic!("no answer to {body:?} at {path}"));

            assert_eq!(reply.status, 400, "{body:?} at {path}");
            assert!(raw.is_closed_within(PATIENT).await, "{body:?} at {path}");
        }
    }
    // The app may have seen a head, and never a whole request.
    assert!(app.received().iter().all(|request| request.target() != "/smuggled"), "{:?}", app.received());
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_come_at_once_are_answered_one_by_one() {
    let (app, edge) = open().await;
    let mut raw = Raw::connect(edge.address()).await;

    let two = "POST /a HTTP/1.1\r\nHost: app.example\r\nContent-Length: 3\r\n\r\nabc\r\n";
    let chunks = chunked("3\r\nxyz\r\n0\r\nTrailer: x\r\n\r\n");
    raw.send(format!("{two}{chunks}{}{}", get(""), get("X-Last: 1\r\n"))).await;

    for _ in 0..4 {
        assert_eq!(raw.reply().await.unwrap().status, 200);
    }
    let bodies: Vec<_> = app.received().iter().map(|request| String::from_utf8_lossy(&request.body).into_owned()).collect();
    assert_eq!(bodies, ["abc", "xyz", "", ""]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_may_come_byte_by_byte() {
    let (_app, edge) = open().await;
    let mut raw = Raw::connect(edge.address()).await;

    for byte in chunked("3;x=y\r\nabc\r\n0\r\n\r\n").bytes() {
        raw.send([byte]).await;
    }

    assert_eq!(raw.reply().await.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_takes_too_long_is_told_so_however_busily_it_comes() {
    let (app, edge) = open().await;
    let mut raw = Raw::connect(edge.address()).await;
    raw.send("GET / HTTP/1.1\r\nHost: app.example\r\n").await;

    // Never silent for long, and never done.
    let reply = loop {
        raw.send("X: 1\r\n").await;
        if let Some(reply) = raw.reply_within(Duration::from_millis(500)).await {
            break reply;
        }
    };

    assert_eq!((reply.status, reply.json()["code"].as_str()), (408, Some("request_timeout")));
    assert!(raw.is_closed_within(PATIENT).await);
    assert_eq!(app.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_at_all_is_answered_in_our_words_and_logged_once() {
    let (app, edge) = open().await;
    for bytes in
        ["\u{16}\u{3}\u{1}\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET /\r\n\r\n", "hello\r\n\r\n", "GET / HTTP/1.1\nHost: a\n\n"]
    {
        let mut raw = Raw::connect(edge.address()).await;

        raw.send(bytes).await;
        let reply = raw.reply().await.unwrap_or_else(|| panic!("no answer to {bytes:?}"));

        assert_eq!(reply.status, 400, "{bytes:?}");
        assert_eq!(reply.header("Server"), None);
        assert_eq!(reply.json()["code"], "bad_request");
        let id = reply.header("X-Request-Id").unwrap();
        assert_eq!(reply.json()["request_id"].as_str(), Some(id.as_str()));
        edge.gateway.wait_for_log(&id);
        let log = edge.gateway.log();
        assert_eq!(log.lines().filter(|line| line.contains(&id)).count(), 1, "{log}");
    }
    let metrics = edge.gateway.operator().get("/metrics").await.text();
    assert!(metrics.contains("doorward_requests_total{code=\"400\",decision=\"refused\",route=\"-\"} 5"), "{metrics}");
    assert_eq!(app.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_behind_an_upgrade_that_was_not_answered_reaches_nobody() {
    let (app, edge) = open().await;
    let mut raw = Raw::connect(edge.address()).await;
    // The app answers this path with 200, not 101.
    let upgrade = get("Connection: Upgrade\r\nUpgrade: h2c\r\n");

    raw.send(format!("{upgrade}GET /second HTTP/1.1\r\nHost: app.example\r\n\r\n")).await;

    assert_eq!(raw.reply().await.unwrap().status, 200);
    assert_eq!(raw.reply().await.unwrap().status, 200);
    let paths: Vec<_> = app.received().into_iter().map(|request| request.target()).collect();
    assert_eq!(paths, ["/", "/second"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_follows_a_handshake_that_was_declined_is_never_a_request() {
    let app = Upstream::start().await;
    let route = format!("[[route]]\nname = \"app\"\nupstream = [\"{}\"]\nrequire = \"session\"\n", app.url());
    let edge = Edge::start("", &route);
    let mut raw = Raw::connect(edge.address()).await;
    let handshake =
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

    raw.send(format!("{}GET /auth/login HTTP/1.1\r\nHost: app.example\r\n\r\n", get(handshake))).await;

    assert_eq!(raw.reply().await.unwrap().status, 401);
    assert!(raw.is_closed_within(PATIENT).await);
    assert_eq!(app.count(), 0);
}
