//! What a connection may take: how long its silences are, how many requests it carries, how large their bodies get.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{interval, timeout};

use super::{Edge, get, public};
use crate::support::client::{Raw, TEXT_FRAME};
use crate::support::upstream::Upstream;
use crate::support::wait;

const PATIENT: Duration = Duration::from_secs(20);
/// No test waits for a bound that is this far away.
const FAR: &str = "5m";

async fn with(listen: &str, route: &str) -> (Upstream, Edge) {
    let app = Upstream::start().await;
    let edge = Edge::start(listen, &public("app", &[&app.url()], route));
    (app, edge)
}

fn post(framing: &str) -> String {
    format!("POST /upload HTTP/1.1\r\nHost: app.example\r\n{framing}\r\n\r\n")
}

// === connections

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_says_nothing_is_closed_with_the_heads_deadline() {
    let (app, edge) = with(&format!("head_timeout = \"1s\"\nkeep_alive = {FAR:?}"), "").await;
    let begun = Instant::now();

    for address in [edge.address(), edge.gateway.admin()] {
        for said in ["", "\r\n"] {
            let mut raw = Raw::connect(address).await;
            raw.send(said).await;
            assert!(raw.is_closed_within(PATIENT).await, "{said:?}");
        }
    }

    assert!(begun.elapsed() >= Duration::from_secs(4), "each may take its second");
    assert_eq!(app.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_closed_when_it_was_idle_for_too_long() {
    let (_app, edge) = with(&format!("keep_alive = \"1s\"\nhead_timeout = {FAR:?}"), "").await;
    let mut raw = Raw::connect(edge.address()).await;
    raw.send(get("")).await;
    assert_eq!(raw.reply().await.unwrap().status, 200);
    let begun = Instant::now();

    assert!(raw.is_closed_within(PATIENT).await);
    assert!(begun.elapsed() >= Duration::from_millis(900), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_reply_on_a_connection_says_that_it_closes() {
    let (app, edge) = with("requests_per_connection = 3", "").await;
    let own = "GET /auth/login HTTP/1.1\r\nHost: app.example\r\n\r\n".to_owned();
    let health = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned();
    for (address, request) in [(edge.address(), get("")), (edge.address(), own), (edge.gateway.admin(), health)] {
        let mut raw = Raw::connect(address).await;

        // One more than will be answered.
        raw.send(request.repeat(4)).await;

        for connection in ["keep-alive", "keep-alive", "close"] {
            let reply = raw.reply().await.unwrap();
            assert_eq!((reply.status, reply.header("Connection").as_deref()), (200, Some(connection)), "{request:?}");
        }
        assert!(raw.is_closed_within(PATIENT).await);
    }
    assert_eq!(app.count(), 3);
}

// === large bodies

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_announced_too_large_never_reaches_the_app() {
    let (app, edge) = with("", "max_body = \"1KiB\"").await;
    for head in ["Content-Length: 1025", "Content-Length: 9999999999999999999", "Expect: 100-continue\r\nContent-Length: 1025"] {
        let mut raw = Raw::connect(edge.address()).await;

        raw.send(post(head)).await;
        let reply = raw.reply().await.unwrap();

        assert_eq!((reply.status, reply.json()["code"].as_str()), (413, Some("body_too_large")), "{head}");
        assert_eq!(reply.header("Connection").as_deref(), Some("close"));
        // A client that does not know yet sends on, and reads the answer in peace.
        raw.send("x".repeat(1025)).await;
        assert!(raw.is_closed_within(PATIENT).await, "{head}");
    }
    assert_eq!((app.connections(), app.count()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_turns_out_too_large_is_broken_off_at_the_app() {
    let (app, edge) = with("", "max_body = \"1KiB\"").await;
    let mut raw = Raw::connect(edge.address()).await;

    raw.send(post("Transfer-Encoding: chunked")).await;
    raw.send(format!("400\r\n{}\r\n", "x".repeat(1024))).await;
    // All that is allowed is under way.
    assert!(raw.reply_within(Duration::from_millis(200)).await.is_none());
    raw.send("1\r\nx\r\n").await;
    let reply = raw.reply().await.unwrap();
    raw.send("0\r\n\r\n").await;

    assert_eq!((reply.status, reply.json()["code"].as_str()), (413, Some("body_too_large")));
    assert!(raw.is_closed_within(PATIENT).await);
    // It never had a whole request, and its connection is not used again.
    assert_eq!(app.count(), 0);
    let connections = app.connections();
    assert_eq!(Raw::exchange(edge.address(), get("")).await.status, 200);
    assert_eq!(app.connections(), connections + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_exactly_that_size_passes_and_so_does_any_where_none_is_said() {
    let (app, edge) = with("", "max_body = \"1KiB\"").await;
    let body = "x".repeat(1024);
    for request in [
        format!("{}{body}", post("Content-Length: 1024")),
        format!("{}200\r\n{half}\r\n200\r\n{half}\r\n0\r\n\r\n", post("Transfer-Encoding: chunked"), half = &body[..512]),
    ] {
        assert_eq!(Raw::exchange(edge.address(), request).await.status, 200);
        assert_eq!(app.last().body, body.as_bytes());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_travels_through_a_tunnel_is_no_body() {
    let (_app, edge) = with("", "max_body = \"1KiB\"\nbody_timeout = \"1s\"").await;
    let mut raw = Raw::connect(edge.address()).await;
    let handshake =
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    raw.send(get(handshake)).await;
    assert_eq!(raw.reply_head().await.unwrap().status, 101);
    let text = "x".repeat(100);

    for round in 0..20 {
        raw.send_frame(TEXT_FRAME, &text).await;
        assert_eq!(raw.frame().await, Some((TEXT_FRAME, text.clone())), "{round}");
    }

    // Longer than any body may be silent.
    assert!(!raw.is_closed_within(Duration::from_secs(3)).await);
    raw.send_frame(TEXT_FRAME, &text).await;
    assert_eq!(raw.frame().await, Some((TEXT_FRAME, text)));
}

// === slow bodies

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_falls_silent_within_a_body_is_told_so() {
    let (app, edge) = with("", "body_timeout = \"1s\"").await;
    for (framing, beginning) in [("Content-Length: 10", "abc"), ("Transfer-Encoding: chunked", "3\r\nabc\r\n"), ("Content-Length: 10", "")]
    {
        let mut raw = Raw::connect(edge.address()).await;

        raw.send(post(framing) + beginning).await;
        let reply = raw.reply().await.unwrap();

        assert_eq!((reply.status, reply.json()["code"].as_str()), (408, Some("request_timeout")), "{framing}");
        assert!(raw.is_closed_within(PATIENT).await);
    }
    assert_eq!(app.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trickle_is_cut_however_busily_it_comes() {
    let (app, edge) = with("", "body_timeout = \"2s\"").await;
    let mut raw = Raw::connect(edge.address()).await;
    raw.send(post("Content-Length: 100000")).await;
    let mut beats = interval(Duration::from_millis(200));

    let reply = loop {
        beats.tick().await;
        raw.send("x").await;
        if let Some(reply) = raw.reply_within(Duration::from_millis(1)).await {
            break reply;
        }
    };

    assert_eq!(reply.status, 408);
    assert!(raw.is_closed_within(PATIENT).await);
    assert_eq!(app.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_honest_upload_may_take_as_long_as_it_needs() {
    // Longer than every bound of the route.
    let (app, edge) = with("", "body_timeout = \"2s\"\nread_timeout = \"2s\"\nwrite_timeout = \"2s\"").await;
    let mut raw = Raw::connect(edge.address()).await;
    let piece = "x".repeat(1024);
    let mut beats = interval(Duration::from_millis(300));

    raw.send(post("Content-Length: 20480")).await;
    for _ in 0..20 {
        beats.tick().await;
        raw.send(&piece).await;
    }

    assert_eq!(raw.reply().await.unwrap().status, 200);
    assert_eq!(app.last().body.len(), 20_480);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_for_ourselves_has_one_deadline_for_all_of_it() {
    let (_app, edge) = with("", "").await;
    let mut raw = Raw::connect(edge.address()).await;
    raw.send("POST /auth/request-otp HTTP/1.1\r\nHost: app.example\r\nContent-Type: application/json\r\nContent-Length: 16000\r\n\r\n{")
        .await;
    let begun = Instant::now();
    let mut beats = interval(Duration::from_millis(250));

    // Faster than any trickle that is cut.
    let reply = loop {
        beats.tick().await;
        raw.send(" ".repeat(300)).await;
        if let Some(reply) = raw.reply_within(Duration::from_millis(1)).await {
            break reply;
        }
    };

    assert_eq!((reply.status, reply.json()["code"].as_str()), (408, Some("request_timeout")));
    assert!(begun.elapsed() >= Duration::from_secs(9), "{:?}", begun.elapsed());
    assert!(raw.is_closed_within(PATIENT).await);
}

// === slow readers

/// A download of this many bytes: more than the system keeps for any connection.
const DOWNLOAD: usize = 64 * 1024 * 1024;

fn download(app: &Upstream) {
    let mut answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {DOWNLOAD}\r\n\r\n").into_bytes();
    answer.resize(answer.len() + DOWNLOAD, b'x');
    app.raw_next(&answer);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_nothing_is_cut() {
    let (app, edge) = with("write_timeout = \"1s\"", "").await;
    download(&app);
    let mut stream = TcpStream::connect(edge.address()).await.unwrap();

    stream.write_all(get("").as_bytes()).await.unwrap();

    let cut = || edge.gateway.log().contains("client_gone");
    wait::until_true("the end of it", PATIENT, cut);
    let mut rest = Vec::new();
    drop(timeout(PATIENT, stream.read_to_end(&mut rest)).await.expect("it is closed"));
    // What the system kept, on both sides.
    assert!(rest.len() < 1024 * 1024, "{}", rest.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_reads_slowly_gets_everything() {
    let (app, edge) = with("write_timeout = \"2s\"", "write_timeout = \"2s\"\nread_timeout = \"2s\"").await;
    download(&app);
    let mut stream = TcpStream::connect(edge.address()).await.unwrap();
    stream.write_all(get("").as_bytes()).await.unwrap();
    let (mut seen, mut beats) = (0, interval(Duration::from_millis(100)));
    let mut piece = vec![0; 1024 * 1024];

    while seen < DOWNLOAD {
        beats.tick().await;
        let count = timeout(PATIENT, stream.read(&mut piece)).await.expect("it goes on").unwrap();
        assert!(count > 0, "cut after {seen} bytes");
        seen += count;
    }
}
