//! Our own endpoints on the edge: bodies have a size and a deadline, and nothing under the prefix is ever forwarded.

use std::time::Duration;

use super::Edge;
use crate::support::client::Raw;
use crate::support::upstream::Upstream;
use crate::support::wait;

fn post(lines: &str) -> String {
    format!("POST /auth/request-otp HTTP/1.1\r\nHost: a.example\r\nContent-Type: application/json\r\n{lines}\r\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_has_a_border() {
    let app = Upstream::start().await;
    let edge = Edge::before(&app);
    let fits = format!("{{\"email\":\"{}\"}}", "a".repeat(16 * 1024 - 12));
    assert_eq!(fits.len(), 16 * 1024);
    let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());

    let within = Raw::exchange(edge.address(), post(&format!("Content-Length: {}\r\n", fits.len())) + &fits).await;
    let announced = Raw::exchange(edge.address(), post("Content-Length: 16385\r\n")).await;
    let sent = Raw::exchange(edge.address(), post("Content-Length: 1000000\r\n") + &"a".repeat(1_000_000)).await;
    let chunked =
        Raw::exchange(edge.address(), post("Transfer-Encoding: chunked\r\n") + &chunk(&fits) + &chunk("more") + "0\r\n\r\n").await;

    assert_eq!(within.status, 422, "{}", within.text());
    for reply in [announced, sent, chunked] {
        assert_eq!((reply.status, reply.json()["code"].as_str()), (413, Some("body_too_large")));
        assert_eq!(reply.header("Connection").as_deref(), Some("close"));
    }
    assert_eq!(app.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_dawdles_is_not_waited_for() {
    let app = Upstream::start().await;
    let edge = Edge::before(&app);
    let mut raw = Raw::connect(edge.address()).await;

    raw.send(post("Content-Length: 20\r\n") + "{").await;
    let reply = raw.reply().await.unwrap();

    assert_eq!((reply.status, reply.json()["code"].as_str()), (408, Some("request_timeout")));
    assert!(raw.is_closed_within(Duration::from_secs(5)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_waits_for_continue_gets_it_from_us() {
    let app = Upstream::start().await;
    let edge = Edge::before(&app);
    let mut raw = Raw::connect(edge.address()).await;

    raw.send(post("Expect: 100-continue\r\nContent-Length: 2\r\n")).await;
    let told = raw.reply_head().await.unwrap();
    raw.send("{}").await;
    let reply = raw.reply().await.unwrap();

    assert_eq!((told.status, reply.status), (100, 422));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_waits_for_continue_is_not_asked_for_too_much() {
    let app = Upstream::start().await;
    let edge = Edge::before(&app);

    let reply = Raw::exchange(edge.address(), post("Expect: 100-continue\r\nContent-Length: 20000\r\n")).await;

    assert_eq!(reply.status, 413);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_prefix_is_ours_on_every_host() {
    let app = Upstream::start().await;
    let edge = Edge::before(&app);

    for (path, status) in [
        ("/auth/login", 200),
        ("/auth/nothing", 404),
        ("/auth", 404),
        ("/auth/../secret", 404),
        ("/AUTH/login", 400),
        ("/%61uth/login", 400),
    ] {
        for host in ["a.example", "127.0.0.1", "unknown.example:99"] {
            let reply = Raw::exchange(edge.address(), format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: text/html\r\n\r\n")).await;
            assert_eq!(reply.status, status, "{path} on {host}: {}", reply.text());
            assert_eq!(reply.header("Server"), None);
        }
    }

    assert_eq!(app.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn head_of_ours_has_no_body() {
    let app = Upstream::start().await;
    let edge = Edge::before(&app);
    let mut raw = Raw::connect(edge.address()).await;

    for path in ["/auth/login", "/auth/nothing", "/auth/.well-known/jwks.json"] {
        raw.send(format!("HEAD {path} HTTP/1.1\r\nHost: a.example\r\n\r\n")).await;
        assert!(raw.reply_head().await.is_some(), "{path}");
    }
    raw.send("GET /next HTTP/1.1\r\nHost: a.example\r\n\r\n").await;

    assert_eq!(raw.reply().await.unwrap().json()["target"], "/next");
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_on_the_admin_listener_alone() {
    let app = Upstream::start().await;
    let edge = Edge::before(&app);

    for path in ["/healthz", "/readyz", "/metrics"] {
        let inside = edge.gateway.operator().get(path).await;
        let outside = edge.gateway.person().get(path).await;
        assert_eq!(inside.status, 200, "{path}");
        assert_eq!(outside.json()["target"], path);
    }
    let login = edge.gateway.operator().get("/auth/login").await;

    assert_eq!(login.status, 404);
    // A request is counted once its answer is out, which the client may have read before.
    let line = "doorward_requests_total{code=\"200\",decision=\"admitted\",route=\"app\"} 3";
    let counted = || async { edge.gateway.operator().get("/metrics").await.text().contains(line).then_some(()) };
    wait::until_async("three requests in the metrics", Duration::from_secs(5), counted).await;
}
