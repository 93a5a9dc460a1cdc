//! What real clients do: it works, and arrives as it was sent.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::{Edge, get, public};
use crate::support::client::Raw;
use crate::support::upstream::Upstream;

#[tokio::test(flavor = "multi_thread")]
async fn targets_travel_byte_for_byte() {
    let app = Upstream::start().await;
    let edge = Edge::before(&app);

    for target in
        ["/", "/a/b?c=d&e", "/größe?q=ü", "/@scope%2Fpackage", "/a%20b+c", "/a;b=c/d", "/?", "/a?b?c/../d", "/~x/%7Ey", "/a//b/./c/../d"]
    {
        let reply = Raw::exchange(edge.address(), format!("GET {target} HTTP/1.1\r\nHost: app.example\r\n\r\n")).await;
        assert_eq!(reply.status, 200, "{target}");
        assert_eq!(app.last().target(), target);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_url_becomes_a_path_for_the_app() {
    let app = Upstream::start().await;
    let edge = Edge::before(&app);

    for (sent, received) in [("http://app.example/a?b", "/a?b"), ("http://app.example", "/")] {
        let reply = Raw::exchange(edge.address(), format!("GET {sent} HTTP/1.1\r\nHost: app.example\r\n\r\n")).await;
        assert_eq!((reply.status, app.last().target().as_str()), (200, received));
        assert_eq!(app.last().header("Host").as_deref(), Some("app.example"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_of_every_kind_arrive() {
    let app = Upstream::start().await;
    let edge = Edge::before(&app);
    let large = "x".repeat(3 * 1024 * 1024);

    for (head, body, received) in [
        ("GET /s HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3\r\n\r\n".to_owned(), "abc".to_owned(), "abc"),
        (
            "POST /s HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(),
            "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n".to_owned(),
            "abcde",
        ),
        ("PUT /s HTTP/1.0\r\nHost: a.example\r\nContent-Length: 2\r\n\r\n".to_owned(), "ab".to_owned(), "ab"),
        (format!("PUT /s HTTP/1.1\r\nHost: a.example\r\nContent-Length: {}\r\n\r\n", large.len()), large.clone(), &large),
        ("DELETE /s HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\n".to_owned(), String::new(), ""),
    ] {
        let reply = Raw::exchange(edge.address(), head.clone() + &body).await;
        assert_eq!(reply.status, 200, "{head}");
        assert!(app.last().body == received.as_bytes(), "{head}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_waits_for_continue_gets_it_from_the_app() {
    let app = Upstream::start().await;
    let edge = Edge::before(&app);
    let mut raw = Raw::connect(edge.address()).await;

    raw.send("POST / HTTP/1.1\r\nHost: a.example\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n").await;
    let told = raw.reply_head().await.unwrap();
    raw.send("abc").await;
    let reply = raw.reply().await.unwrap();

    assert_eq!((told.status, reply.status), (100, 200));
    assert_eq!(app.last().body, b"abc");
    assert_eq!(told.header("Set-Cookie"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn old_clients_are_understood() {
    let app = Upstream::start().await;
    let edge = Edge::before(&app);
    let mut raw = Raw::connect(edge.address()).await;

    raw.send("GET /old HTTP/1.0\r\nHost: a.example\r\n\r\n").await;
    let reply = raw.reply().await.unwrap();
    let chunks = app.stream_next();
    chunks.send("piece".to_owned()).unwrap();
    drop(chunks);
    let streamed = Raw::exchange(edge.address(), "GET /stream HTTP/1.0\r\nHost: a.example\r\n\r\n").await;

    assert_eq!(reply.status, 200);
    assert!(raw.is_closed_within(Duration::from_secs(5)).await);
    assert_eq!(streamed.header("Transfer-Encoding"), None);
    assert_eq!(streamed.text(), "piece");
}

#[tokio::test(flavor = "multi_thread")]
async fn old_apps_are_understood() {
    let app = Upstream::start().await;
    let edge = Edge::before(&app);
    app.raw_next(b"HTTP/1.0 200 OK\r\nServer: Old/1\r\n\r\nuntil I close");
    let mut raw = Raw::connect(edge.address()).await;

    raw.send(get("")).await;
    let reply = raw.reply().await.unwrap();

    assert_eq!((reply.status, reply.text().as_str()), (200, "until I close"));
    assert_eq!(reply.header("Server").as_deref(), Some("Old/1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_and_conditions_are_the_apps_business() {
    let app = Upstream::start().await;
    let edge = Edge::before(&app);
    app.raw_next(b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-2/9\r\nContent-Length: 3\r\n\r\nabc");

    let reply = Raw::exchange(edge.address(), get("Range: bytes=0-2\r\nIf-Range: \"x\"\r\n")).await;

    assert_eq!((reply.status, reply.text().as_str()), (206, "abc"));
    assert_eq!(reply.header("Content-Range").as_deref(), Some("bytes 0-2/9"));
    assert_eq!(app.last().header("Range").as_deref(), Some("bytes=0-2"));
    assert_eq!(app.last().header("If-Range").as_deref(), Some("\"x\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_serves_many_requests_in_turn() {
    let app = Upstream::start().await;
    let edge = Edge::before(&app);
    let mut raw = Raw::connect(edge.address()).await;

    for place in 0..5 {
        raw.send(format!("GET /{place} HTTP/1.1\r\nHost: a.example\r\n\r\n")).await;
        assert_eq!(raw.reply().await.unwrap().json()["target"], format!("/{place}"));
    }
    raw.send("GET /a HTTP/1.1\r\nHost: a.example\r\n\r\nGET /b HTTP/1.1\r\nHost: a.example\r\n\r\n").await;
    let (first, second) = (raw.reply().await.unwrap(), raw.reply().await.unwrap());

    assert_eq!((first.json()["target"].as_str(), second.json()["target"].as_str()), (Some("/a"), Some("/b")));
    // Connections to the app are used again. One goes back only after its answer has left, so that a quick client may find
    // none and have another opened; but not one for each request.
    assert!(app.connections() < 7, "{} connections for 7 requests", app.connections());
}

#[tokio::test(flavor = "multi_thread")]
async fn head_has_the_length_and_no_body() {
    let app = Upstream::start().await;
    let edge = Edge::before(&app);
    let mut raw = Raw::connect(edge.address()).await;

    raw.send("HEAD /x HTTP/1.1\r\nHost: a.example\r\n\r\n").await;
    let head = raw.reply_head().await.unwrap();
    raw.send("GET /y HTTP/1.1\r\nHost: a.example\r\n\r\n").await;
    let next = raw.reply().await.unwrap();

    assert_eq!(head.status, 200);
    assert!(head.header("Content-Length").is_some_and(|length| length != "0"));
    assert_eq!(next.json()["target"], "/y");
}

/// An app that answers as soon as it has seen the head, and hangs up: too large, not allowed, out of space.
async fn hasty_app() -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut head = vec![0; 1024];
                assert!(stream.read(&mut head).await.unwrap() > 0);
                stream
                    .write_all(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 9\r\nConnection: close\r\n\r\ntoo large")
                    .await
                    .unwrap();
            });
        }
    });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_before_the_upload_ends_arrives() {
    let edge = Edge::start("", &public("hasty", &[&hasty_app().await], ""));

    for _ in 0..10 {
        let mut raw = Raw::connect(edge.address()).await;
        let size = 4 * 1024 * 1024;
        raw.send(format!("PUT /upload HTTP/1.1\r\nHost: a.example\r\nContent-Length: {size}\r\n\r\n")).await;
        raw.send("x".repeat(size / 2)).await;
        let reply = raw.reply().await.expect("the app's answer");
        assert_eq!((reply.status, reply.text().as_str()), (413, "too large"));
    }
}
