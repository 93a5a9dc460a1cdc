//! What an app may answer, and what of it reaches the client: the same on both ways.

use super::{Edge, get};
use crate::support::client::{Raw, Reply};
use crate::support::upstream::Upstream;

/// The ways to an app: straight, and the framework's.
const WAYS: [&str; 2] = ["", "Content-Length: 0\r\n"];

/// All that comes for one request, to its last head, with what there is of a body.
async fn replies(edge: &Edge, app: &Upstream, way: &str, answer: impl AsRef<[u8]>) -> Vec<Reply> {
    app.raw_next(answer.as_ref());
    let mut raw = Raw::connect(edge.address()).await;
    raw.send(get(way)).await;
    let mut replies = Vec::new();
    while let Some(reply) = raw.reply().await {
        let is_last = reply.status >= 200;
        replies.push(reply);
        if is_last {
            break;
        }
    }
    replies
}

async fn reply(edge: &Edge, app: &Upstream, way: &str, answer: impl AsRef<[u8]>) -> Reply {
    replies(edge, app, way, answer).await.pop().expect("an answer")
}

async fn open() -> (Upstream, Edge) {
    let app = Upstream::start().await;
    let edge = Edge::before(&app);
    (app, edge)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_app_says_is_of_its_connection_stays_there() {
    let (app, edge) = open().await;
    for way in WAYS {
        let answer = "HTTP/1.1 200 OK\r\nX-Before: a\r\nConnection: x-before, close\r\nConnection: X-After ,,Upgrade, Content-Length\r\n\
                      Upgrade: h2c\r\nKeep-Alive: timeout=5\r\nProxy-Connection: close\r\nX-After: b\r\nX-Kept: c\r\nContent-Length: 2\r\n\r\nok";

        let reply = reply(&edge, &app, way, answer).await;

        assert_eq!((reply.status, reply.text().as_str()), (200, "ok"), "{way:?}");
        for name in ["X-Before", "X-After", "Upgrade", "Keep-Alive", "Proxy-Connection"] {
            assert_eq!(reply.header(name), None, "{name} {way:?}");
        }
        assert_eq!(reply.header("X-Kept").as_deref(), Some("c"));
        assert_eq!(reply.all("Connection"), ["keep-alive"], "{way:?}");
    }
}

/// However slowly the rest comes, and whether it comes.
#[tokio::test(flavor = "multi_thread")]
async fn what_the_app_has_written_is_not_held_back() {
    let (app, edge) = open().await;
    for way in WAYS {
        let pieces = app.pieces_next();
        let mut raw = Raw::connect(edge.address()).await;
        raw.send(get(way)).await;

        pieces.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n".to_vec()).unwrap();
        assert_eq!(raw.reply_head().await.unwrap().status, 200, "{way:?}");
        pieces.send(b"hello".to_vec()).unwrap();
        assert_eq!(raw.bytes(5).await.unwrap(), b"hello", "{way:?}");
        pieces.send(b"world".to_vec()).unwrap();
        assert_eq!(raw.bytes(5).await.unwrap(), b"world", "{way:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_length_is_said_once_and_not_of_what_never_is() {
    let (app, edge) = open().await;
    for way in WAYS {
        let twice = reply(&edge, &app, way, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\ncontent-length: 2\r\n\r\nok").await;
        assert_eq!((twice.status, twice.all("Content-Length"), twice.text().as_str()), (200, vec!["2".to_owned()], "ok"), "{way:?}");
        let none = reply(&edge, &app, way, "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\nConnection: close\r\n\r\n").await;
        assert_eq!((none.status, none.all("Content-Length").len()), (204, 0), "{way:?}");
        let two = reply(&edge, &app, way, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\nConnection: close\r\n\r\nok").await;
        assert_eq!(two.status, 502, "{way:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_early_answer_sets_no_cookie_of_ours() {
    let (app, edge) = open().await;
    for way in WAYS {
        let answer = "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\nSet-Cookie: doorward_access=evil; Path=/\r\nSet-Cookie: a=b\r\n\
                      Connection: X-Hop\r\nX-Hop: 1\r\nX-Request-Id: mine\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

        let replies = replies(&edge, &app, way, answer).await;

        assert_eq!(replies.iter().map(|reply| reply.status).collect::<Vec<_>>(), [103, 200], "{way:?}");
        assert_eq!(replies[0].header("Link").as_deref(), Some("</a>; rel=preload"));
        assert_eq!(replies[0].all("Set-Cookie"), ["a=b"], "{way:?}");
        assert_eq!((replies[0].header("X-Hop"), replies[0].header("X-Request-Id")), (None, None), "{way:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_http_1_0_gets_no_early_answer() {
    let (app, edge) = open().await;
    app.raw_next(b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");

    let reply = Raw::exchange(edge.address(), "GET / HTTP/1.0\r\nHost: app.example\r\n\r\n").await;

    assert_eq!((reply.status, reply.text().as_str()), (200, "ok"));
}

#[tokio::test(flavor = "multi_thread")]
async fn early_answers_have_an_end() {
    let (app, edge) = open().await;
    for way in WAYS {
        for (count, status) in [(32, 200), (33, 502)] {
            let early = "HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n".repeat(count);

            let replies = replies(&edge, &app, way, format!("{early}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")).await;

            assert_eq!((replies.len(), replies.last().unwrap().status), (33, status), "{count} {way:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_in_a_coding_that_is_not_read_is_not_passed_on() {
    let (app, edge) = open().await;
    for way in WAYS {
        for coding in [
            "gzip, chunked",
            "gzip",
            "identity",
            "chunked, gzip",
            "chunked, chunked",
            "chunked\r\nTransfer-Encoding: chunked",
            "identity\r\nTransfer-Encoding: chunked",
            "chunked;q=1",
            "xchunked",
            "",
        ] {
            let answer = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: {coding}\r\n\r\n2\r\nok\r\n0\r\n\r\n");

            let reply = reply(&edge, &app, way, answer).await;

            assert_eq!((reply.status, reply.json()["code"].as_str()), (502, Some("upstream_failed")), "{coding:?} {way:?}");
        }
        let chunked = reply(&edge, &app, way, "HTTP/1.1 200 OK\r\ntransfer-encoding:\tCHUNKED \r\n\r\n2\r\nok\r\n0\r\n\r\n").await;
        assert_eq!((chunked.status, chunked.text().as_str()), (200, "ok"), "{way:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_has_a_size() {
    let (app, edge) = open().await;
    for way in WAYS {
        for (size, status) in [(60, 200), (65, 502), (2000, 502)] {
            // In lines of a KiB, as one line that long no server writes.
            let lines = format!("X: {}\r\n", "a".repeat(1024 - 5)).repeat(size.min(200));
            let filler = "b".repeat(size.saturating_sub(200) * 1024);
            let answer = format!("HTTP/1.1 200 OK\r\n{lines}Y: {filler}\r\nContent-Length: 2\r\n\r\nok");

            let reply = reply(&edge, &app, way, answer).await;

            assert_eq!(reply.status, status, "{size} KiB {way:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_may_come_in_any_pieces() {
    let (app, edge) = open().await;
    for way in WAYS {
        for size in [1, 2, 3, 7] {
            let pieces = app.pieces_next();
            let mut raw = Raw::connect(edge.address()).await;
            raw.send(get(way)).await;
            let answer = b"HTTP/1.1 103 Early\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 2\r\n\r\nok";
            for piece in answer.chunks(size) {
                pieces.send(piece.to_vec()).unwrap();
            }

            let statuses = [raw.reply().await.unwrap().status, raw.reply().await.unwrap().status];

            assert_eq!(statuses, [103, 200], "{size} {way:?}");
        }
    }
}
