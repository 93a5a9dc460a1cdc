//! Heads that two servers could read in two ways: refused, closed, and never seen by the app.

use std::time::Duration;

use super::{Edge, get};
use crate::support::client::Raw;
use crate::support::upstream::Upstream;

#[tokio::test(flavor = "multi_thread")]
async fn what_can_be_read_in_two_ways_is_refused_and_closed() {
    let app = Upstream::start().await;
    let edge = Edge::before(&app);
    let post = |lines: &str| format!("POST / HTTP/1.1\r\nHost: app.example\r\n{lines}\r\nabc");
    let heads = [
        (400, "GET / HTTP/1.1\r\nAccept: */*\r\n\r\n".to_owned()),
        (400, "GET / HTTP/1.1\r\nHost:\r\n\r\n".to_owned()),
        (400, "GET / HTTP/1.1\r\nHost: app.example\r\nHost: app.example\r\n\r\n".to_owned()),
        (400, "GET / HTTP/1.1\r\nHost: app.example\r\nHost: other.example\r\n\r\n".to_owned()),
        (400, "GET / HTTP/1.1\r\nHost: user@app.example\r\n\r\n".to_owned()),
        (400, "GET / HTTP/1.1\r\nHost: app.example, other.example\r\n\r\n".to_owned()),
        (400, "GET http://other.example/ HTTP/1.1\r\nHost: app.example\r\n\r\n".to_owned()),
        (400, "GET ftp://app.example/ HTTP/1.1\r\nHost: app.example\r\n\r\n".to_owned()),
        (400, "GET /a#b HTTP/1.1\r\nHost: app.example\r\n\r\n".to_owned()),
        (400, "GET * HTTP/1.1\r\nHost: app.example\r\n\r\n".to_owned()),
        (400, "get / HTTP/1.1\r\nHost: app.example\r\n\r\n".to_owned()),
        (400, "GET / HTTP/1.1\nHost: app.example\n\n".to_owned()),
        (400, "GET / HTTP/1.1\r\nHost: app.example\r\nA: 1\nB: 2\r\n\r\n".to_owned()),
        (400, get("A: 1\r\n folded\r\n")),
        (400, get("A : 1\r\n")),
        (400, get("A\"B: 1\r\n")),
        (400, get("Connection: X-Forwarded-For\r\n")),
        (400, post("Content-Length: 3, 3\r\n")),
        (400, post("Content-Length: 3\r\nContent-Length: 3\r\n")),
        (400, post("Content-Length: 3\r\nContent-Length: 4\r\n")),
        (400, post("Content-Length: +3\r\n")),
        (400, post("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n")),
        (400, post("Transfer-Encoding: gzip, chunked\r\n")),
        (400, post("Transfer-Encoding: chunked, chunked\r\n")),
        (400, post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")),
        (400, post("Transfer-Encoding: xchunked\r\n")),
        (405, "CONNECT app.example:443 HTTP/1.1\r\nHost: app.example:443\r\n\r\n".to_owned()),
        (405, "TRACE / HTTP/1.1\r\nHost: app.example\r\n\r\n".to_owned()),
        (431, get(&"X-Line: 1\r\n".repeat(100))),
        (431, get(&format!("X-Large: {}\r\n", "a".repeat(33 * 1024)))),
    ];

    for (status, head) in heads {
        let mut raw = Raw::connect(edge.address()).await;
        raw.send(&head).await;
        let reply = raw.reply().await.unwrap_or_else(|| panic!("no answer to {head:?}"));
        assert_eq!(reply.status, status, "{head:?}");
        assert!(raw.is_closed_within(Duration::from_secs(5)).await, "{head:?}");
    }

    assert_eq!(app.count(), 0, "{:?}", app.received());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_says_what_it_is_in_our_words() {
    let app = Upstream::start().await;
    let edge = Edge::before(&app);

    let reply = Raw::exchange(edge.address(), "POST / HTTP/1.1\r\nHost: app.example\r\nContent-Length: 3, 3\r\n\r\nabc").await;

    assert_eq!(reply.header("Content-Type").as_deref(), Some("application/problem+json"));
    assert_eq!(reply.json()["code"], "bad_request");
    assert_eq!(reply.json()["request_id"].as_str(), reply.header("X-Request-Id").as_deref());
    assert_eq!(reply.header("Server"), None);
    assert_eq!(reply.header("Connection").as_deref(), Some("close"));
}
