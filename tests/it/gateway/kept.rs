//! Which connections to an app are used again, and for what: one that its app may be closing takes nothing that cannot be sent
//! twice.

use std::time::Duration;

use super::{Edge, public};
use crate::support::client::Raw;
use crate::support::upstream::Upstream;

/// Longer than a connection may have been idle that takes what must not be sent twice, and shorter than the others'.
const A_WHILE: Duration = Duration::from_millis(1300);

async fn open() -> (Upstream, Edge, Raw) {
    let app = Upstream::start().await;
    let edge = Edge::start("", &public("app", &[&app.url()], ""));
    let raw = Raw::connect(edge.address()).await;
    (app, edge, raw)
}

async fn ask(raw: &mut Raw, method: &str, lines: &str) {
    raw.send(format!("{method} / HTTP/1.1\r\nHost: a.example\r\n{lines}\r\n")).await;
    assert_eq!(raw.reply().await.unwrap().status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_takes_no_connection_that_was_idle_for_a_while() {
    let (app, _edge, mut raw) = open().await;
    ask(&mut raw, "POST", "").await;
    ask(&mut raw, "POST", "").await;
    assert_eq!(app.connections(), 1, "a moment later");

    assert!(!raw.is_closed_within(A_WHILE).await);
    ask(&mut raw, "GET", "").await;
    assert_eq!(app.connections(), 1, "what may be sent twice");
    ask(&mut raw, "PATCH", "").await;
    assert_eq!(app.connections(), 1, "one that was used a moment ago");
    assert!(!raw.is_closed_within(A_WHILE).await);
    ask(&mut raw, "POST", "").await;
    assert_eq!(app.connections(), 2, "after a while");
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_does_one_with_a_length() {
    let (app, _edge, mut raw) = open().await;
    // The framework keeps a connection only after its answer has left: each waits until that has happened.
    let length = "Content-Length: 0\r\n";
    for (method, connections) in [("GET", 1), ("PUT", 1), ("POST", 2), ("POST", 3)] {
        ask(&mut raw, method, length).await;
        assert_eq!(app.connections(), connections, "{method}");
        assert!(!raw.is_closed_within(A_WHILE).await);
    }
}
