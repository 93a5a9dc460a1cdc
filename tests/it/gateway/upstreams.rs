//! Apps that fail: the client is told what happened, in time, and nobody else is bothered.

use super::{Edge, get, public};
use crate::support::client::Raw;
use crate::support::ports;
use crate::support::upstream::Upstream;

fn ask(host: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_take_turns() {
    let (one, two) = (Upstream::start().await, Upstream::start().await);
    let edge = Edge::start("", &public("app", &[&one.url(), &two.url()], ""));

    for _ in 0..6 {
        assert_eq!(Raw::exchange(edge.address(), get("")).await.status, 200);
    }

    assert_eq!((one.count(), two.count()), (3, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_address_is_passed_over() {
    let app = Upstream::start().await;
    let dead = format!("http://{}", ports::free_address());
    let edge = Edge::start("", &public("app", &[&dead, &app.url()], ""));

    for _ in 0..4 {
        let reply = Raw::exchange(edge.address(), "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 3\r\n\r\nabc").await;
        assert_eq!(reply.status, 200);
    }

    assert_eq!(app.count(), 4);
    let metrics = edge.gateway.operator().get("/metrics").await.text();
    assert!(
        metrics.contains(&format!("doorward_upstream_up{{address=\"{}\",route=\"app\"}} 0", dead.trim_start_matches("http://"))),
        "{metrics}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_is_gone_is_502_and_the_others_go_on() {
    let app = Upstream::start().await;
    let dead = format!("http://{}", ports::free_address());
    let routes = public("dead", &[&dead], "host = \"dead.example\"") + &public("app", &[&app.url()], "host = \"app.example\"");
    let edge = Edge::start("", &routes);

    let program = Raw::exchange(edge.address(), ask("dead.example")).await;
    let person = Raw::exchange(edge.address(), "GET / HTTP/1.1\r\nHost: dead.example\r\nAccept: text/html\r\n\r\n").await;
    let other = Raw::exchange(edge.address(), ask("app.example")).await;

    assert_eq!((program.status, program.json()["code"].as_str()), (502, Some("upstream_failed")));
    assert_eq!(program.header("Server"), None);
    assert!(!program.text().contains(dead.trim_start_matches("http://")));
    assert_eq!(person.status, 502);
    assert!(person.header("Content-Type").unwrap().starts_with("text/html"));
    assert_eq!(other.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_hangs_up_is_502() {
    let app = Upstream::start().await;
    let edge = Edge::before(&app);

    app.hang_up_next();
    let hung_up = Raw::exchange(edge.address(), "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 0\r\n\r\n").await;
    app.raw_next(b"nonsense\r\n\r\n");
    let nonsense = Raw::exchange(edge.address(), get("")).await;

    assert_eq!((hung_up.status, nonsense.status), (502, 502));
    assert_eq!(hung_up.json()["code"], "upstream_failed");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_breaks_off_is_not_answered_twice() {
    let app = Upstream::start().await;
    let edge = Edge::before(&app);
    app.raw_next(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    let mut raw = Raw::connect(edge.address()).await;

    raw.send(get("")).await;
    let head = raw.reply_head().await.unwrap();
    let chunk = raw.chunk().await;
    let next = raw.chunk().await;

    assert_eq!(head.status, 200);
    assert_eq!(chunk.as_deref(), Some(&b"hello"[..]));
    assert_eq!(next, None);
    assert!(raw.is_closed_within(std::time::Duration::from_secs(5)).await, "nothing follows a body that was cut off");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_is_silent_is_504() {
    let app = Upstream::start().await;
    let edge = Edge::start("", &public("app", &[&app.url()], "read_timeout = \"300ms\""));
    app.silence_next();

    let reply = Raw::exchange(edge.address(), get("")).await;

    assert_eq!((reply.status, reply.json()["code"].as_str()), (504, Some("upstream_timeout")));
    assert_eq!(Raw::exchange(edge.address(), get("")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_without_address_is_502() {
    let edge = Edge::start("", &public("app", &["http://nothing.invalid:3000"], ""));

    assert_eq!(Raw::exchange(edge.address(), get("")).await.status, 502);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_app_is_found_again() {
    let app = Upstream::start().await;
    let edge = Edge::before(&app);

    app.raw_next(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    let before = Raw::exchange(edge.address(), get("")).await;
    let after = Raw::exchange(edge.address(), get("")).await;

    assert_eq!((before.status, after.status), (200, 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_says_why_and_no_secret() {
    let dead = format!("http://{}", ports::free_address());
    let edge = Edge::start("", &public("dead", &[&dead], ""));

    let lines = "Cookie: session=cookie-secret\r\nAuthorization: Bearer bearer-secret\r\n\r\n";
    let reply = Raw::exchange(edge.address(), format!("GET /path?token=query-secret HTTP/1.1\r\nHost: a.example\r\n{lines}")).await;
    let id = reply.header("X-Request-Id").unwrap();
    edge.gateway.wait_for_log(&id);
    edge.gateway.wait_for_log("ConnectRefused");

    let log = edge.gateway.log();
    assert!(!log.contains("secret"), "{log}");
}
