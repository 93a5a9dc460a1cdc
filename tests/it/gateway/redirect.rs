//! Plain listeners that only say where to go, and the header that keeps browsers from coming back to them.

use std::net::SocketAddr;

use super::{Edge, configuration, public};
use crate::support::client::Raw;
use crate::support::curl;
use crate::support::gateway::Gateway;
use crate::support::ports;
use crate::support::tls::{Authority, section};
use crate::support::upstream::Upstream;

/// A gateway over TLS, with a plain listener beside it.
pub fn start(app: &Upstream, authority: &Authority, tls: &str) -> (Edge, SocketAddr) {
    let plain = ports::free_address();
    let route = public("app", &[&app.url()], "host = \"a.example\"");
    let wild = public("wild", &[&app.url()], "host = \"*.wild.example\"");
    let any = public("any", &[&app.url()], "");
    let rest = format!("{route}{wild}{any}{}", section(tls, &[&authority.server(&["a.example"])]));
    let listen = format!("redirect = [\"{plain}\"]");
    let gateway = Gateway::start(|place| configuration(place, &listen, &rest).replacen("public_url = \"http:", "public_url = \"https:", 1));
    (Edge { gateway }, plain)
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_is_sent_to_the_same_place_over_tls() {
    let (app, authority) = (Upstream::start().await, Authority::new("ours"));
    let (edge, plain) = start(&app, &authority, "");
    let (port, own) = (edge.address().port(), edge.address());

    for (method, host, target, location) in [
        ("GET", "a.example", "/page?q=1", format!("https://a.example:{port}/page?q=1")),
        ("HEAD", "A.Example.:80", "/", format!("https://a.example:{port}/")),
        ("POST", "x.wild.example", "/a//b", format!("https://x.wild.example:{port}/a//b")),
        ("GET", "x.y.wild.example", "/", format!("https://{own}/")),
        ("GET", "evil.example", "/page", format!("https://{own}/page")),
        ("GET", "evil.example", "//evil.example/", format!("https://{own}//evil.example/")),
        ("GET", "a.example", "http://a.example/x", format!("https://a.example:{port}/x")),
        ("OPTIONS", "a.example", "*", format!("https://a.example:{port}/")),
        ("GET", "a.example", "/größe", format!("https://a.example:{port}/gr%C3%B6%C3%9Fe")),
        ("GET", "a.example", "/auth/login", format!("https://a.example:{port}/auth/login")),
    ] {
        let mut raw = Raw::connect(plain).await;
        raw.send(format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
        let reply = raw.reply_head().await.expect("an answer");

        assert_eq!((reply.status, reply.header("location")), (308, Some(location)), "{method} {host} {target}");
        assert_eq!(reply.header("strict-transport-security"), None);
    }
    assert_eq!(app.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_in_one_way_is_refused_there_too() {
    let (app, authority) = (Upstream::start().await, Authority::new("ours"));
    let (_edge, plain) = start(&app, &authority, "");

    for head in ["GET / HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n"] {
        let reply = Raw::exchange(plain, head).await;
        assert!((400..500).contains(&reply.status), "{head}: {reply:?}");
        assert_eq!(reply.header("location"), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_over_tls_says_that_there_is_no_other_way() {
    let (app, authority) = (Upstream::start().await, Authority::new("ours"));
    app.add_header("Strict-Transport-Security", "max-age=0");
    let (edge, _) = start(&app, &authority, "hsts = \"365d\"");

    for protocol in ["--http2", "--http1.1"] {
        for (path, status) in [("/", 200), ("/auth/login", 200), ("/auth/nothing", 404), ("/a%2e%2e/auth/x", 400)] {
            let url = format!("https://a.example{path}");
            let reply = curl::trusting(&authority.file(), edge.address(), &url, &[protocol, "--path-as-is"]);

            let said: Vec<_> = reply.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("strict-transport-security")).collect();
            assert_eq!(said.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>(), ["max-age=31536000"], "{path} {reply:?}");
            assert!(reply.status == status || path.contains("%2e"), "{path}: {reply:?}");
        }
    }
    let turned_away = curl::trusting(&authority.file(), edge.address(), "https://a.example/", &["--http1.1", "-H", "Bad Name: x"]);
    assert_eq!((turned_away.status, turned_away.header("strict-transport-security")), (400, Some("max-age=31536000")), "{turned_away:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_setting_the_app_says_what_it_likes() {
    let (app, authority) = (Upstream::start().await, Authority::new("ours"));
    app.add_header("Strict-Transport-Security", "max-age=7");
    let (edge, _) = start(&app, &authority, "");

    let reply = curl::trusting(&authority.file(), edge.address(), "https://a.example/", &[]);

    assert_eq!(reply.header("strict-transport-security"), Some("max-age=7"), "{reply:?}");
}
