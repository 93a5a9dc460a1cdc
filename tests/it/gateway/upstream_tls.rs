//! TLS to apps: what is verified, what we show, and that nothing is sent to somebody else.

use std::time::Duration;

use serde_json::Value;

use super::{Edge, get, public};
use crate::support::child::Signal;
use crate::support::client::{Raw, Reply};
use crate::support::secureapp::SecureApp;
use crate::support::tls::{Authority, Pair};
use crate::support::wait;

fn app(pair: &Pair, more: &[String]) -> SecureApp {
    let files = [format!("certificate={}", pair.certificate.display()), format!("key={}", pair.key.display())];
    SecureApp::start(&[&files, more].concat())
}

/// The route's TLS: lines of its section.
fn tls(lines: &str) -> String {
    format!("[route.upstream_tls]\n{lines}")
}

fn trusting(authority: &Authority) -> String {
    format!("ca_file = \"{}\"\n", authority.file().display())
}

async fn ask(edge: &Edge) -> Reply {
    Raw::exchange(edge.address(), get("")).await
}

fn said(reply: &Reply) -> Value {
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_with_a_certificate_of_the_routes_authority_is_reached() {
    let authority = Authority::new("ours");
    let app = app(&authority.server(&["127.0.0.1"]), &[]);
    let edge = Edge::start("", &public("app", &[&app.url("https")], &tls(&trusting(&authority))));

    let reply = said(&ask(&edge).await);

    assert_eq!((reply["version"].as_str(), reply["host"].as_str()), (Some("http/1.1"), Some("app.example")));
    ask(&edge).await;
    assert!(app.count("connection") <= 2, "connections are used again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_of_ones_own_is_verified_instead() {
    let authority = Authority::new("ours");
    let app = app(&authority.server(&["app.internal"]), &[]);
    let named = tls(&format!("{}server_name = \"app.internal\"", trusting(&authority)));
    let edge = Edge::start("", &public("app", &[&app.url("https")], &named));

    assert_eq!(ask(&edge).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_not_vouched_for_is_sent_nothing() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let strange = app(&theirs.server(&["127.0.0.1"]), &[]);
    let misnamed = app(&ours.server(&["other.example"]), &[]);
    for (app, lines) in [(&strange, trusting(&ours)), (&misnamed, trusting(&ours)), (&strange, String::new())] {
        let edge = Edge::start("", &public("app", &[&app.url("https")], &tls(&lines)));

        let reply = Raw::exchange(edge.address(), "POST /secret HTTP/1.1\r\nHost: app.example\r\nContent-Length: 6\r\n\r\nsecret").await;

        assert_eq!((reply.status, reply.json()["code"].as_str()), (502, Some("upstream_failed")));
        edge.gateway.wait_for_log("TLSHandshakeFailure");
        assert_eq!(app.count("request"), 0);
        assert!(!app.process.output().text().contains("secret"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_asks_who_comes_is_shown_the_routes_certificate() {
    let authority = Authority::new("ours");
    let pair = authority.client("doorward");
    let asks = [format!("authority={}", authority.file().display())];
    let app = app(&authority.server(&["127.0.0.1"]), &asks);
    let shown =
        format!("{}certificate_file = \"{}\"\nkey_file = \"{}\"", trusting(&authority), pair.certificate.display(), pair.key.display());
    let routes = public("app", &[&app.url("https")], &format!("host = \"app.example\"\n{}", tls(&shown)))
        + &public("bare", &[&app.url("https")], &tls(&trusting(&authority)));
    let edge = Edge::start("", &routes);

    assert_eq!(said(&ask(&edge).await)["client"], "doorward");
    let bare = Raw::exchange(edge.address(), "GET / HTTP/1.1\r\nHost: bare.example\r\n\r\n").await;
    assert_eq!((bare.status, app.count("request")), (502, 1), "the other route has no share in its connections");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_is_withdrawn_counts_for_open_connections_too() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let app = app(&ours.server(&["127.0.0.1"]), &[]);
    let file = ours.folder().join("trusted.pem");
    std::fs::copy(ours.file(), &file).unwrap();
    let mut edge = Edge::start("", &public("app", &[&app.url("https")], &tls(&format!("ca_file = \"{}\"", file.display()))));
    assert_eq!(ask(&edge).await.status, 200);

    std::fs::copy(theirs.file(), &file).unwrap();
    edge.gateway.signal(Signal::Hup);
    edge.gateway.wait_for_log("the configuration was read again");

    assert_eq!(ask(&edge).await.status, 502);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_the_files_is_told_by_its_key() {
    let authority = Authority::new("ours");
    let (one, other) = (authority.client("one"), authority.client("other"));
    let folder = authority.folder();
    std::fs::write(folder.join("empty.pem"), "").unwrap();
    let edge = Edge::start("", &public("app", &["http://127.0.0.1:1"], ""));
    let text = std::fs::read_to_string(edge.gateway.config()).unwrap();
    for (lines, mistake) in [
        (format!("ca_file = \"{}\"", folder.join("none.pem").display()), "upstream_tls.ca_file: "),
        (format!("ca_file = \"{}\"", folder.join("empty.pem").display()), "upstream_tls.ca_file: "),
        (format!("certificate_file = \"{}\"", one.certificate.display()), "upstream_tls.key_file: is missing"),
        (
            format!("certificate_file = \"{}\"\nkey_file = \"{}\"", one.certificate.display(), other.key.display()),
            "upstream_tls.key_file: ",
        ),
        (
            format!("certificate_file = \"{}\"\nkey_file = \"{}\"", folder.join("empty.pem").display(), one.key.display()),
            "upstream_tls.certificate_file: ",
        ),
    ] {
        let route = format!("[[route]]\nname = \"tls\"\npath = \"/tls\"\nupstream = [\"https://127.0.0.1:1\"]\n{}\n", tls(&lines));
        std::fs::write(edge.gateway.config(), format!("{text}\n{route}")).unwrap();

        let (code, _, complaint) = edge.gateway.command(&["check"]);

        assert_eq!(code, 1, "{lines}");
        assert!(complaint.contains(&format!("route[1].{mistake}")), "{lines}: {complaint}");
    }
    std::fs::write(edge.gateway.config(), text).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn checks_verify_as_requests_do() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let (good, strange) = (app(&ours.server(&["127.0.0.1"]), &[]), app(&theirs.server(&["127.0.0.1"]), &[]));
    let more = format!("[route.health]\ninterval = \"100ms\"\nunhealthy = 1\n{}", tls(&trusting(&ours)));
    let edge = Edge::start("", &public("app", &[&good.url("https"), &strange.url("https")], &more));

    let line = format!("the address {} of route app is out: its last checks failed", strange.address());
    wait::until_true("the strange one to be out", Duration::from_secs(10), || edge.gateway.log().contains(&line));
    for _ in 0..4 {
        assert_eq!(ask(&edge).await.status, 200);
    }
    assert_eq!(strange.count("request"), 0);
}
