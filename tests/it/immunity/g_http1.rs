//! G 69–77, 79: the bytes of HTTP/1, where the two ends of a proxy have been made to disagree about whose they are.

use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::{interval, timeout};

use crate::flow::place::{Place, Wants};
use crate::gateway::{Edge, get, public};
use crate::support::client::{CLOSE_FRAME, Raw, TEXT_FRAME};
use crate::support::upstream::Upstream;

const PATIENT: Duration = Duration::from_secs(20);
/// Long enough for what must not come.
const A_WHILE: Duration = Duration::from_millis(500);

const HANDSHAKE: &str =
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
const SECOND: &str = "GET /second HTTP/1.1\r\nHost: app.example\r\n\r\n";

async fn open() -> (Upstream, Edge) {
    let app = Upstream::start().await;
    let edge = Edge::before(&app);
    (app, edge)
}

/// A route for who is signed in.
async fn shut() -> (Upstream, Edge) {
    let app = Upstream::start().await;
    let route = public("app", &[&app.url()], "").replace("\"public\"", "\"session\"");
    let edge = Edge::start("", &route);
    (app, edge)
}

fn post(lines: &str, body: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: app.example\r\n{lines}\r\n{body}")
}

/// An app that reads one head, waits for more before it answers with these bytes, and tells all that it was ever sent.
async fn listener(answer: &'static str) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    let seen = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut seen = Vec::new();
        while !seen.ends_with(b"\r\n\r\n") {
            stream.read_buf(&mut seen).await.expect("a head");
        }
        drop(timeout(A_WHILE, stream.read_buf(&mut seen)).await);
        stream.write_all(answer.as_bytes()).await.expect("somebody who listens");
        drop(timeout(PATIENT, stream.read_to_end(&mut seen)).await.expect("it is closed"));
        String::from_utf8_lossy(&seen).into_owned()
    });
    (url, seen)
}

/// Refused, closed, and nothing of it reached the app.
async fn is_refused(edge: &Edge, app: &Upstream, request: &str) {
    let mut raw = Raw::connect(edge.address()).await;
    raw.send(request).await;
    let reply = raw.reply().await.unwrap_or_else(|| panic!("no answer to {request:?}"));
    assert_eq!(reply.status, 400, "{request:?}");
    assert!(raw.is_closed_within(PATIENT).await, "{request:?}");
    assert_eq!(app.count(), 0, "{request:?}: {:?}", app.received());
}

/// Pingora sent what followed an upgrade on before the app had agreed to it.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_2833_what_follows_a_handshake_waits_for_the_apps_consent() {
    let (url, seen) = listener("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno").await;
    let edge = Edge::start("", &public("app", &[&url], ""));
    let mut raw = Raw::connect(edge.address()).await;

    raw.send(get(HANDSHAKE) + SECOND).await;

    assert_eq!(raw.reply().await.unwrap().status, 200);
    assert!(raw.is_closed_within(PATIENT).await, "nobody answers what is no frame");
    let seen = seen.await.unwrap();
    assert!(seen.starts_with("GET / HTTP/1.1\r\n") && !seen.contains("/second"), "{seen:?}");
}

/// The same with an upgrade that is none: what follows is a request like any other, and nobody is signed in.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_2833_what_follows_another_upgrade_is_asked_who_it_is() {
    let (app, edge) = shut().await;
    let mut raw = Raw::connect(edge.address()).await;

    raw.send(get("Connection: Upgrade\r\nUpgrade: x\r\n") + SECOND).await;

    for _ in 0..2 {
        assert_eq!(raw.reply().await.unwrap().status, 401);
    }
    assert_eq!(app.connections(), 0);
}

/// Pingora read a body of HTTP/1.0 until the connection closed, and chunks where several codings were named.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_2835_chunks_are_what_http_1_1_says_they_are() {
    let (app, edge) = open().await;
    let chunks = "0\r\n\r\n";
    for request in [
        format!("POST / HTTP/1.0\r\nHost: app.example\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}{SECOND}"),
        format!("POST / HTTP/1.0\r\nHost: app.example\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}{SECOND}"),
        post("Transfer-Encoding: chunked, identity\r\n", chunks) + SECOND,
        post("Transfer-Encoding: identity, chunked\r\n", chunks) + SECOND,
        post("Transfer-Encoding: gzip, chunked\r\n", chunks) + SECOND,
        post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", chunks) + SECOND,
        post("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n", chunks) + SECOND,
        post("Transfer-Encoding: chunked\r\ntransfer-encoding: chunked\r\n", chunks) + SECOND,
        post("Transfer-Encoding:\r\n", chunks) + SECOND,
    ] {
        is_refused(&edge, &app, &request).await;
    }
}

/// And one of HTTP/1.0 without a length has no body: what follows is no part of it, and no request either.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_2835_a_body_of_http_1_0_does_not_end_with_the_connection() {
    let (app, edge) = open().await;
    let mut raw = Raw::connect(edge.address()).await;

    raw.send(format!("POST / HTTP/1.0\r\nHost: app.example\r\n\r\n{SECOND}")).await;

    assert_eq!(raw.reply().await.unwrap().status, 200);
    assert!(raw.is_closed_within(PATIENT).await);
    assert_eq!(app.received().iter().map(|request| (request.target(), request.body.len())).collect::<Vec<_>>(), [("/".to_owned(), 0)]);
}

/// Pingora's cache knew a path and forgot the host.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_2836_no_answer_of_one_host_is_given_to_another() {
    let (one, other) = (Upstream::start().await, Upstream::start().await);
    for (app, name) in [(&one, "one"), (&other, "other")] {
        app.add_header("Cache-Control", "public, max-age=3600");
        app.add_header("X-App", name);
    }
    let host = |name: &str, app: &Upstream| public(name, &[&app.url()], &format!("host = \"{name}.example\""));
    let edge = Edge::start("", &(host("one", &one) + &host("other", &other)));

    for round in 1..=3 {
        for (name, app) in [("one", &one), ("other", &other)] {
            let reply = Raw::exchange(edge.address(), format!("GET /same HTTP/1.1\r\nHost: {name}.example\r\n\r\n")).await;
            assert_eq!(reply.header("X-App").as_deref(), Some(name));
            assert_eq!(app.count(), round, "each request is asked of its app");
        }
    }
}

/// Pingora answered without reading the body, and took the body for the next request.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2025_4366_the_body_of_what_we_answer_ourselves_is_never_a_request() {
    let (app, edge) = shut().await;
    let hidden = "GET /auth/hidden HTTP/1.1\r\nHost: app.example\r\n\r\n";
    let length = format!("Content-Length: {}\r\n", hidden.len());
    let page = "Accept: text/html\r\nSec-Fetch-Mode: navigate\r\n";
    let cases = [
        ("/", length.clone(), 401),
        ("/", format!("{length}{page}"), 302),
        ("/", format!("{length}Expect: 100-continue\r\n"), 401),
        ("/auth/login", length.clone(), 415),
        ("/auth/nothing", length.clone(), 404),
        ("/auth/request-otp", length.clone(), 415),
        ("/auth/request-otp", format!("{length}Content-Type: application/json\r\n"), 400),
        ("/auth/session", length.clone(), 405),
    ];
    for (path, lines, status) in cases {
        let head = format!("POST {path} HTTP/1.1\r\nHost: app.example\r\n{lines}\r\n");
        // At once, and the body after its answer was read.
        for is_late in [false, true] {
            let mut raw = Raw::connect(edge.address()).await;
            raw.send(if is_late {
                head.clone()
            } else {
                format!("{head}{hidden}GET /auth/login HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\n\r\n")
            })
            .await;
            let first = if is_late { raw.reply_within(A_WHILE).await } else { raw.reply().await };
            if is_late {
                raw.send(format!("{hidden}GET /auth/login HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\n\r\n")).await;
            }
            let mut replies: Vec<u16> = first.into_iter().map(|reply| reply.status).collect();
            while let Some(reply) = timeout(PATIENT, raw.reply()).await.ok().flatten().filter(|_| replies.len() < 4) {
                replies.push(reply.status);
            }

            // Closed, or the request that is one: never what the body says.
            assert!(matches!(replies.first(), Some(first) if *first == status), "{path} {lines:?} late: {is_late}: {replies:?}");
            assert!(matches!(replies.get(1..), Some([] | [200])), "{path} {lines:?} late: {is_late}: {replies:?}");
        }
    }
    assert_eq!(app.connections(), 0);
}

/// A length and chunks, in either order and in every disguise.
#[tokio::test(flavor = "multi_thread")]
async fn pingora_945_two_framings_of_one_body_are_refused() {
    let (app, edge) = open().await;
    let chunks = "5\r\nabcde\r\n0\r\n\r\n";
    let length = format!("Content-Length: {}\r\n", chunks.len());
    let coding = "Transfer-Encoding: chunked\r\n";
    for lines in [
        // Both, whoever reads which.
        format!("{length}{coding}"),
        format!("{coding}{length}"),
        format!("Content-Length: 4\r\n{coding}"),
        format!("{coding}Content-Length: 0\r\n"),
        format!("{length}Transfer-Encoding: identity\r\n"),
        // Two of one kind.
        format!("{length}{length}"),
        format!("{length}Content-Length: 4\r\n"),
        format!("Content-Length: {0}, {0}\r\n", chunks.len()),
        format!("{coding}{coding}"),
        format!("{coding}Transfer-Encoding: x\r\n"),
        // Names and values that only some read as the coding.
        "Transfer-Encoding: xchunked\r\n".to_owned(),
        "Transfer-Encoding: chunked;q=1\r\n".to_owned(),
        "Transfer-Encoding: \"chunked\"\r\n".to_owned(),
        "Transfer-Encoding: chunked,\r\n".to_owned(),
        "Transfer-Encoding: ,chunked\r\n".to_owned(),
        "Transfer-Encoding : chunked\r\n".to_owned(),
        "Transfer-Encoding\t: chunked\r\n".to_owned(),
        "Transfer-Encoding\r\n: chunked\r\n".to_owned(),
        "Transfer-Encoding:\r\n chunked\r\n".to_owned(),
        "Transfer-Encoding: \u{b}chunked\r\n".to_owned(),
        "Transfer-Encoding: \u{a0}chunked\r\n".to_owned(),
        "X: x\nTransfer-Encoding: chunked\r\n".to_owned(),
        "X: x\rTransfer-Encoding: chunked\r\n".to_owned(),
        " Transfer-Encoding: chunked\r\n".to_owned(),
        "Content-Length: +5\r\n".to_owned(),
        "Content-Length: 0x5\r\n".to_owned(),
        "Content-Length: 5 5\r\n".to_owned(),
        "Content-Length: -1\r\n".to_owned(),
        "Content-Length : 5\r\n".to_owned(),
    ] {
        is_refused(&edge, &app, &(post(&lines, chunks) + SECOND)).await;
    }
}

/// An app that agrees to HTTP/2 without TLS would be reached through a tunnel that nobody looks into.
#[tokio::test(flavor = "multi_thread")]
async fn h2c_smuggling_no_tunnel_but_a_websockets() {
    let offer = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n";
    for offer in
        [offer, "Connection: Upgrade\r\nUpgrade: h2c, websocket\r\n", "Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n", "Upgrade: h2c\r\n"]
    {
        let app = Upstream::start().await;
        let edge = Edge::start("", &public("app", &[&app.url()], ""));
        app.raw_next(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n");
        let mut raw = Raw::connect(edge.address()).await;

        raw.send(get(offer) + "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;

        let reply = raw.reply().await.unwrap();
        assert!([400, 502].contains(&reply.status), "{offer:?}: {reply:?}");
        assert!(app.received().iter().all(|request| request.header("Upgrade").is_none()), "{offer:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn h2c_smuggling_a_websocket_needs_its_whole_handshake() {
    let (app, edge) = open().await;
    for part in ["Connection: Upgrade\r\n", "Sec-WebSocket-Version: 13\r\n", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"] {
        is_refused(&edge, &app, &get(&HANDSHAKE.replace(part, ""))).await;
    }
    is_refused(&edge, &app, &get(&HANDSHAKE.replace("13", "8"))).await;
    is_refused(&edge, &app, &get(HANDSHAKE).replace("GET", "POST")).await;
    is_refused(&edge, &app, &get(HANDSHAKE).replace("HTTP/1.1", "HTTP/1.0")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h2c_smuggling_a_websocket_of_another_site_has_no_cookie_to_use() {
    let place = Place::with(Wants::default()).await;
    let person = place.sign_in("ada@example.com").await;
    let host = place.gateway.public();
    let handshake =
        |origin: &str| format!("GET /page HTTP/1.1\r\nHost: {host}\r\nCookie: {}\r\n{origin}{HANDSHAKE}\r\n", person.cookie_header());
    let before = place.upstream.count();
    for origin in ["Origin: https://evil.example\r\n", "Origin: null\r\n", "Sec-Fetch-Site: cross-site\r\n"] {
        let mut raw = Raw::connect(host).await;
        raw.send(handshake(origin)).await;
        assert_eq!(raw.reply().await.unwrap().status, 403, "{origin}");
    }
    assert_eq!(place.upstream.count(), before);

    let mut raw = Raw::connect(host).await;
    raw.send(handshake(&format!("Origin: http://{host}\r\n"))).await;
    assert_eq!(raw.reply_head().await.unwrap().status, 101);
}

/// Traefik's pool held connections on which a tunnel had begun.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_71324_a_tunnel_is_nobody_elses_afterwards() {
    let (app, edge) = open().await;
    for framing in ["Content-Length: 5\r\n", "Content-Length: 0\r\n", "Transfer-Encoding: chunked\r\n"] {
        is_refused(&edge, &app, &(get(&format!("{HANDSHAKE}{framing}")) + "0\r\n\r\n")).await;
    }
    let connect =
        Raw::exchange(edge.address(), "CONNECT app.example:443 HTTP/1.1\r\nHost: app.example:443\r\nContent-Length: 5\r\n\r\nabcde").await;
    assert_eq!((connect.status, app.connections()), (405, 0));

    let mut raw = Raw::connect(edge.address()).await;
    raw.send(get(HANDSHAKE)).await;
    assert_eq!(raw.reply_head().await.unwrap().status, 101);
    raw.send_frame(TEXT_FRAME, "hello").await;
    assert_eq!(raw.frame().await, Some((TEXT_FRAME, "hello".to_owned())));
    raw.send_frame(CLOSE_FRAME, "").await;
    assert_eq!(raw.frame().await, Some((CLOSE_FRAME, String::new())));
    drop(raw);

    assert_eq!(Raw::exchange(edge.address(), get("")).await.status, 200);
    assert_eq!(app.connections(), 2, "the tunnel's connection is not used again");
}

/// .NET took a line feed for the end of a chunk's line, Go within its extension: a proxy that did not saw another request.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2025_55315_a_line_of_chunks_ends_in_one_way() {
    let (app, edge) = open().await;
    let coding = "Transfer-Encoding: chunked\r\n";
    for body in [
        "2;\n\r\nxx\r\n0\r\n\r\n",
        "2;\nxx\r\n0\r\n\r\n",
        "2;a\nxx;b\r\n47\r\n0\r\n\r\n",
        "2;a\rb\r\nxx\r\n0\r\n\r\n",
        "2;a\r\rb\r\nxx\r\n0\r\n\r\n",
        "2\nxx\r\n0\r\n\r\n",
        "2\rxx\r\n0\r\n\r\n",
        "2\r\nxx\n0\r\n\r\n",
        "2\r\nxx\r0\r\n\r\n",
        "2\r\nxxx0\r\n\r\n",
        "2\r\nxx\r\n0\n\n",
        "2\r\nxx\r\n0\r\n\n",
        "2\r\nxx\r\n0\r\nX: y\n\r\n",
    ] {
        is_refused(&edge, &app, &(post(coding, body) + SECOND)).await;
    }
}

/// Go's reader, and others, take for a size what is none.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2025_22871_a_chunks_size_is_hexadecimal_digits_alone() {
    let (app, edge) = open().await;
    let coding = "Transfer-Encoding: chunked\r\n";
    for size in [
        "+2",
        "-2",
        "0x2",
        "0X2",
        " 2",
        "2 ",
        "2\t",
        "2_",
        "_2",
        "2h",
        "",
        "2,2",
        "\"2\"",
        "00000000000000002",
        "10000000000000002",
        "fffffffffffffffff",
    ] {
        is_refused(&edge, &app, &(post(coding, &format!("{size}\r\nxx\r\n0\r\n\r\n")) + SECOND)).await;
    }
}

/// One byte after another, never silent for long: what counts is the total.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2024_28869_a_trickle_is_cut_at_the_total() {
    let app = Upstream::start().await;
    let edge = Edge::start("head_timeout = \"2s\"", &public("app", &[&app.url()], "body_timeout = \"2s\""));
    let head = get("X: x\r\n").into_bytes();
    let head = head[..head.len() - 4].iter().chain(std::iter::repeat(&b'x'));
    trickle(&edge, "", head.copied()).await;
    trickle(&edge, &post("Content-Length: 100000\r\n", ""), std::iter::repeat(b'x')).await;
    trickle(&edge, &post("Transfer-Encoding: chunked\r\n", ""), "1\r\nx\r\n".bytes().cycle()).await;
    assert_eq!(app.count(), 0);
}

async fn trickle(edge: &Edge, beginning: &str, bytes: impl Iterator<Item = u8>) {
    let mut raw = Raw::connect(edge.address()).await;
    raw.send(beginning).await;
    let mut beats = interval(Duration::from_millis(100));
    // A minute of them.
    for byte in bytes.take(600) {
        beats.tick().await;
        raw.send([byte]).await;
        if let Some(reply) = raw.reply_within(Duration::from_millis(1)).await {
            assert_eq!(reply.status, 408, "{beginning:?}");
            assert!(raw.is_closed_within(PATIENT).await);
            return;
        }
    }
    panic!("never cut: {beginning:?}");
}
