//! HTTP/2 to apps: over TLS where both want it, without TLS where the address says so.

use tokio::task::JoinSet;

use super::{Edge, get, public};
use crate::support::client::{Raw, Reply};
use crate::support::secureapp::SecureApp;
use crate::support::tls::Authority;

async fn version(edge: &Edge, more: &str) -> String {
    let reply: Reply = Raw::exchange(edge.address(), get(more)).await;
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()["version"].as_str().unwrap().to_owned()
}

fn tls_app(authority: &Authority, alpn: &str) -> SecureApp {
    let pair = authority.server(&["127.0.0.1"]);
    SecureApp::start(&[
        format!("certificate={}", pair.certificate.display()),
        format!("key={}", pair.key.display()),
        format!("alpn={alpn}"),
    ])
}

#[tokio::test(flavor = "multi_thread")]
async fn over_tls_the_better_of_what_both_speak_is_spoken() {
    let authority = Authority::new("ours");
    let trust = format!("[route.upstream_tls]\nca_file = \"{}\"", authority.file().display());
    for (alpn, http2, expected) in
        [("h2,http/1.1", "true", "h2"), ("h2,http/1.1", "false", "http/1.1"), ("http/1.1", "true", "http/1.1"), ("h2", "true", "h2")]
    {
        let app = tls_app(&authority, alpn);
        let edge = Edge::start("", &public("app", &[&app.url("https")], &format!("http2 = {http2}\n{trust}")));

        assert_eq!(version(&edge, "").await, expected, "{alpn}, http2 = {http2}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_takes_http1_where_others_take_http2() {
    let authority = Authority::new("ours");
    let app = tls_app(&authority, "h2,http/1.1");
    let more = format!("http2 = true\n[route.upstream_tls]\nca_file = \"{}\"", authority.file().display());
    let edge = Edge::start("", &public("app", &[&app.url("https")], &more));

    let upgrade =
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    // In this order: a connection of HTTP/1 that is idle is used before another of HTTP/2 is made.
    assert_eq!(version(&edge, "").await, "h2");
    assert_eq!(version(&edge, upgrade).await, "http/1.1");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_requests_share_a_connection_without_tls() {
    let app = SecureApp::start(&["h2c=yes".to_owned()]);
    let edge = Edge::start("", &public("app", &[&app.url("h2c")], ""));
    assert_eq!(version(&edge, "").await, "h2");

    // Requests that come while none can take them may each make one: then there are some for all.
    fifty_at_once(&edge).await;
    fifty_at_once(&edge).await;

    assert_eq!(app.count("request"), 101);
    let connections = app.count("connection h2");
    assert!(connections < 50, "{connections} connections for 101 requests");
}

async fn fifty_at_once(edge: &Edge) {
    let mut requests = JoinSet::new();
    for place in 0..50 {
        let address = edge.address();
        requests.spawn(async move { Raw::exchange(address, format!("GET /{place}?x HTTP/1.1\r\nHost: app.example\r\n\r\n")).await });
    }
    let replies = requests.join_all().await;
    assert!(replies.iter().all(|reply| reply.status == 200 && reply.json()["host"] == "app.example"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_app_has_not_looked_at_is_sent_again_whatever_it_does() {
    let app = SecureApp::start(&["h2c=yes".to_owned(), "refuse=2".to_owned()]);
    let edge = Edge::start("", &public("app", &[&app.url("h2c")], "retries = 0"));

    let reply = Raw::exchange(edge.address(), "POST /once HTTP/1.1\r\nHost: app.example\r\nContent-Length: 3\r\n\r\nabc").await;

    assert_eq!((reply.status, app.count("refused"), app.count("request")), (200, 2, 1), "{}", app.process.output().text());
}
