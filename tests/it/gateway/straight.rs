//! Plain requests go to their app on a way of their own. Whatever an app answers, and whatever a client sends, comes out the same
//! as on the framework's way, which a request with `Content-Length: 0` takes.

use crate::support::client::{Raw, Reply};
use crate::support::upstream::Upstream;

use super::Edge;

/// Asks for the same on both ways. The app answers both with these bytes, and hangs up.
async fn both(edge: &Edge, app: &Upstream, method: &str, answer: &[u8]) -> [Vec<Reply>; 2] {
    let mut replies = [Vec::new(), Vec::new()];
    for (replies, more) in replies.iter_mut().zip(["", "Content-Length: 0\r\n"]) {
        app.raw_next(answer);
        let mut client = Raw::connect(edge.address()).await;
        client.send(format!("{method} /x HTTP/1.1\r\nHost: a.example\r\n{more}\r\n")).await;
        while let Some(reply) = if method == "HEAD" { client.reply_head().await } else { client.reply().await } {
            let is_last = reply.status >= 200;
            replies.push(reply);
            if is_last {
                break;
            }
        }
    }
    replies
}

/// A status, headers, a body.
type Seen = (u16, Vec<(String, String)>, String);

/// What does not differ by chance, or by what is allowed. The framework writes its own `Date`, passes `Keep-Alive` on, frames what
/// has no body, repeats a length that came twice, and puts one blank where a line was folded.
fn seen(replies: &[Reply]) -> Vec<Seen> {
    let of_one = |reply: &Reply| {
        let straight = |value: &str| value.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut headers: Vec<_> = reply.headers.iter().map(|(name, value)| (name.to_lowercase(), straight(value))).collect();
        headers.retain(|(name, _)| match name.as_str() {
            "date" | "x-request-id" | "keep-alive" => false,
            "content-length" => reply.status != 204 && reply.status < 500,
            "transfer-encoding" => !matches!(reply.status, 204 | 304),
            _ => true,
        });
        headers.sort();
        headers.dedup_by(|one, other| one == other && one.0 == "content-length");
        (reply.status, headers, if reply.status >= 500 { String::new() } else { reply.text() })
    };
    replies.iter().map(of_one).collect()
}

#[tokio::test]
async fn an_answer_is_read_in_the_same_way_on_both() {
    let app = Upstream::start().await;
    let edge = Edge::before(&app);
    let many = (0..200).map(|number| format!("X-{number}: {number}\r\n")).collect::<Vec<_>>().concat();
    let long = "0123456789abcdef".repeat(20_000);
    let large = format!("Content-Length: {}\r\n\r\n{long}", long.len());
    let large_chunk = format!("Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{long}\r\n0\r\n\r\n", long.len());
    for rest in [
        "Content-Length: 5\r\n\r\nhello",
        "Content-Length: 0\r\n\r\n",
        "content-length:5\r\nContent-Length: 5\r\n\r\nhello",
        "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        "Content-Length: five\r\n\r\nhello",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n3;a=b\r\nhel\r\n2\r\nlo\r\n0\r\nSet-Cookie: a=b\r\n\r\n",
        "Transfer-Encoding: Chunked\r\n\r\n0\r\n\r\n",
        "Connection: keep-alive\r\nKeep-Alive: timeout=5\r\nContent-Length: 2\r\n\r\nok",
        "Connection: close\r\n\r\nuntil the end",
        "\r\nuntil the end",
        "\r\n",
        "X-Folded: a\r\n b\r\nX-Spaced : c\r\nX-Empty:\r\nContent-Length: 2\r\n\r\nok",
        "Set-Cookie: a=b\r\nSet-Cookie: doorward_access=evil; Path=/\r\nset-cookie: c=d\r\nContent-Length: 2\r\n\r\nok",
        "X-Request-Id: mine\r\nCache-Control: public\r\nX-Odd: \u{fc}\r\nContent-Length: 2\r\n\r\nok",
        "Strict-Transport-Security: max-age=1\r\nServer: app\r\nVary: *\r\nVary: a\r\nContent-Length: 2\r\n\r\nok",
        "Content-Length: 2\r\n\r\nok and more than that",
        &format!("{many}Content-Length: 2\r\n\r\nok"),
        &format!("{many}{many}Content-Length: 2\r\n\r\nok"),
        &large,
        &large_chunk,
        &format!("\r\n{long}"),
    ] {
        for line in ["HTTP/1.1 200 OK", "HTTP/1.0 404 Nowhere", "HTTP/1.1 204 No Content", "HTTP/1.1 304 Not Modified"] {
            let answer = format!("{line}\r\n{rest}");
            let [straight, other] = both(&edge, &app, "GET", answer.as_bytes()).await;
            assert_eq!(seen(&straight), seen(&other), "{}", &answer[..answer.len().min(300)]);
        }
    }
}

#[tokio::test]
async fn an_answer_without_a_body_says_the_same_on_both() {
    let app = Upstream::start().await;
    let edge = Edge::before(&app);
    for rest in ["Content-Length: 5\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n", "\r\n", "Content-Type: a/b\r\nETag: \"c\"\r\n\r\n"] {
        for line in ["HTTP/1.1 200 OK", "HTTP/1.1 304 Not Modified"] {
            let [straight, other] = both(&edge, &app, "HEAD", format!("{line}\r\n{rest}").as_bytes()).await;
            assert_eq!(seen(&straight), seen(&other), "{line} {rest}");
        }
    }
}

#[tokio::test]
async fn what_comes_before_an_answer_and_what_is_none_is_the_same_on_both() {
    let app = Upstream::start().await;
    let edge = Edge::before(&app);
    for answer in [
        "HTTP/1.1 103 Early Hints\r\nLink: <a>; rel=preload\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nOdd\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nOdd(: a\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nA: \u{1}\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/2 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 99 Low\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ] {
        // An answer that is none is asked for once more, and the second time there is one: both get that.
        let [straight, other] = both(&edge, &app, "GET", answer.as_bytes()).await;
        let bare = |replies: &[Reply]| {
            let mut seen = seen(replies);
            for (status, headers, body) in &mut seen {
                // What the app's own answer tells of the request differs by the header that chooses the way.
                if *status == 200 && body.starts_with('{') {
                    (*headers, *body) = (Vec::new(), "told".to_owned());
                }
            }
            seen
        };
        assert_eq!(bare(&straight), bare(&other), "{answer}");
    }
}

#[tokio::test]
async fn a_tunnel_begins_in_the_same_way_on_both() {
    const KEY: &str = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let app = Upstream::start().await;
    let edge = Edge::before(&app);
    let mut heads = Vec::new();
    // The framework's way is that of who says `TE`.
    for more in ["", "TE: trailers\r\n"] {
        app.raw_next(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: WebSocket\r\nSec-X: y\r\n\r\n");
        let mut client = Raw::connect(edge.address()).await;
        client.send(format!("GET /x HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{KEY}{more}\r\n")).await;
        heads.push(client.reply_head().await.expect("a head"));
    }
    let seen = seen(&heads);
    let lower = |(status, headers, _): &Seen| {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (name.clone(), value.to_lowercase())).collect();
        (*status, headers)
    };
    assert_eq!(lower(&seen[0]), lower(&seen[1]));
    assert_eq!((heads[0].status, heads[0].header("Upgrade").as_deref()), (101, Some("WebSocket")));
}

#[tokio::test]
async fn an_app_is_told_the_same_on_both() {
    let app = Upstream::start().await;
    let edge = Edge::before(&app);
    let lines = "Host: a.example:81\r\nX-Forwarded-For: 1.2.3.4\r\nx_real.ip: 1.2.3.4\r\nForwarded: for=x\r\nX-Request-ID: mine\r\n\
                 Remote-User: root\r\nREMOTE_EMAIL: a@b\r\nX-Doorward-Assertion: x\r\nCookie: a=b; doorward_access=x; c=d\r\nCookie: e=f\r\n\
                 Authorization: Basic YTpi\r\nX-Odd:   spaced out \t\r\nx-odd: again\r\nEmpty:\r\nX-Bytes: \u{fc}\r\n\
                 tracestate: a=b\r\nAccept: */*\r\nRange: bytes=0-\r\nConnection: keep-alive\r\n";
    let mut told = Vec::new();
    for more in ["", "Content-Length: 0\r\n"] {
        let reply = Raw::exchange(edge.address(), format!("DELETE /a/%2e?b=\u{e9} HTTP/1.1\r\n{lines}{more}\r\n")).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let received = app.last();
        let mut headers: Vec<_> = received.headers();
        headers.retain(|(name, _)| !matches!(name.as_str(), "Content-Length" | "x-request-id" | "traceparent"));
        headers.sort();
        told.push((received.method(), received.target(), headers));
    }
    assert_eq!(told[0], told[1]);
    assert!(told[0].2.contains(&("X-Odd".to_owned(), "spaced out".to_owned())), "{told:?}");
}

#[tokio::test]
async fn connections_to_an_app_are_used_again() {
    let app = Upstream::start().await;
    let edge = Edge::start("", &super::public("app", &[&app.url()], ""));
    let mut client = Raw::connect(edge.address()).await;
    for _ in 0..20 {
        client.send("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n").await;
        assert_eq!(client.reply().await.unwrap().status, 200);
    }
    assert_eq!((app.count(), app.connections()), (20, 1));
}

/// Some apps send a body after an answer to HEAD all the same, later: it must not be the answer to somebody else's request.
#[tokio::test]
async fn a_connection_on_which_head_was_asked_is_not_used_again() {
    let app = Upstream::start().await;
    let edge = Edge::start("", &super::public("app", &[&app.url()], ""));
    let mut client = Raw::connect(edge.address()).await;
    client.send("HEAD / HTTP/1.1\r\nHost: a.example\r\n\r\n").await;
    assert_eq!(client.reply_head().await.unwrap().status, 200);

    client.send("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n").await;
    assert_eq!(client.reply().await.unwrap().status, 200);

    assert_eq!((app.count(), app.connections()), (2, 2));
}

/// What is announced and never is may come all the same, later.
#[tokio::test]
async fn a_connection_on_which_a_body_was_announced_that_never_is_is_not_used_again() {
    let app = Upstream::start().await;
    let edge = Edge::start("", &super::public("app", &[&app.url()], ""));
    let mut client = Raw::connect(edge.address()).await;
    for (answer, connections) in [
        ("HTTP/1.1 204 No Content\r\n", 1),
        ("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n", 1),
        ("HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n", 1),
        ("HTTP/1.1 204 No Content\r\nContent-Length: 9\r\n", 2),
        ("HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n", 3),
        ("HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n", 4),
    ] {
        let pieces = app.pieces_next();
        pieces.send(format!("{answer}\r\n").into_bytes()).unwrap();
        drop(pieces);
        client.send("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n").await;
        assert!(client.reply().await.unwrap().status < 400);

        client.send("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n").await;
        assert_eq!(client.reply().await.unwrap().status, 200);
        assert_eq!(app.connections(), connections, "{answer}");
    }
}

#[tokio::test]
async fn a_client_that_closes_says_so_in_any_line() {
    let app = Upstream::start().await;
    let edge = Edge::before(&app);
    for lines in
        ["Connection: close\r\n", "Connection: keep-alive\r\nConnection: close\r\n", "Connection: Close\r\nConnection: keep-alive\r\n"]
    {
        let mut client = Raw::connect(edge.address()).await;
        client.send(format!("GET /x HTTP/1.1\r\nHost: a.example\r\n{lines}\r\n")).await;
        assert_eq!(client.reply().await.unwrap().header("Connection").as_deref(), Some("close"), "{lines}");
        assert!(client.is_closed_within(std::time::Duration::from_secs(5)).await, "{lines}");
    }
}
