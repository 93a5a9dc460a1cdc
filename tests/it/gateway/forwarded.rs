//! What the app is told of the client, and by whom.

use super::{Edge, get, public};
use crate::support::client::Raw;
use crate::support::upstream::{Received, Upstream};

const LIES: &str = "X-Forwarded-For: 198.51.100.9\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil.example\r\nX_Forwarded_For: 198.51.100.9\r\n\
    X-Forwarded-Port: 1\r\nX-Forwarded-Server: evil\r\nX-Forwarded-Ssl: on\r\nX-Forwarded-Prefix: /evil\r\nForwarded: for=198.51.100.9;proto=https\r\n\
    X-Real-Ip: 198.51.100.9\r\nX-Original-Url: /admin\r\nX-Original-Uri: /admin\r\nX-Rewrite-Url: /admin\r\nX-Request-Id: chosen\r\n";

fn told(received: &Received) -> Vec<(String, String)> {
    let about = |name: &str| name.contains("forwarded") || name.starts_with("x-") || name.starts_with("x_");
    let mut told: Vec<_> =
        received.headers().into_iter().map(|(name, value)| (name.to_lowercase(), value)).filter(|(name, _)| about(name)).collect();
    told.sort();
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_is_not_believed() {
    let app = Upstream::start().await;
    let edge = Edge::before(&app);

    let reply = Raw::exchange(edge.address(), get(LIES)).await;

    let id = reply.header("X-Request-Id").unwrap();
    let expected = [
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-host", "app.example"),
        ("x-forwarded-proto", "http"),
        ("x-real-ip", "127.0.0.1"),
        ("x-request-id", id.as_str()),
    ];
    assert_eq!(told(&app.last()), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_ne!(id, "chosen");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_in_front_is_believed() {
    let app = Upstream::start().await;
    let edge = Edge::start("trusted_proxies = [\"127.0.0.1/32\"]", &public("app", &[&app.url()], ""));

    let reply = Raw::exchange(edge.address(), get(LIES)).await;

    let expected = [
        ("x-forwarded-for", "198.51.100.9, 127.0.0.1"),
        ("x-forwarded-host", "evil.example"),
        ("x-forwarded-proto", "https"),
        ("x-real-ip", "198.51.100.9"),
        ("x-request-id", "chosen"),
    ];
    assert_eq!(told(&app.last()), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!(reply.header("X-Request-Id").as_deref(), Some("chosen"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_host_is_the_clients_unless_the_route_says_otherwise() {
    let app = Upstream::start().await;
    let routes = public("kept", &[&app.url()], "") + &public("own", &[&app.url()], "host = \"own.example\"\npreserve_host = false");
    let edge = Edge::start("", &routes);

    assert_eq!(Raw::exchange(edge.address(), "GET / HTTP/1.1\r\nHost: Kept.example:8080\r\n\r\n").await.status, 200);
    let kept = app.last().header("Host");
    assert_eq!(Raw::exchange(edge.address(), "GET http://own.example/x HTTP/1.1\r\nHost: own.example\r\n\r\n").await.status, 200);
    let own = app.last();

    assert_eq!(kept.as_deref(), Some("Kept.example:8080"));
    assert_eq!(own.header("Host"), Some(app.address().to_string()));
    assert_eq!(own.header("X-Forwarded-Host").as_deref(), Some("own.example"));
    assert_eq!(own.target(), "/x");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prefix_that_is_taken_off_is_told() {
    let app = Upstream::start().await;
    let edge = Edge::start("", &public("wiki", &[&app.url()], "path = \"/wiki\"\nstrip_prefix = true"));

    for (sent, received) in [("/wiki/a%2Fb?c=%20", "/a%2Fb?c=%20"), ("/wiki", "/"), ("/wiki?q", "/?q"), ("/wiki/größe", "/größe")] {
        let reply =
            Raw::exchange(edge.address(), format!("GET {sent} HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-Prefix: /evil\r\n\r\n")).await;
        assert_eq!(reply.status, 200, "{sent}: {}", reply.text());
        assert_eq!((app.last().target().as_str(), app.last().header("X-Forwarded-Prefix").as_deref()), (received, Some("/wiki")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn identity_of_a_strangers_making_never_arrives() {
    let app = Upstream::start().await;
    let edge = Edge::before(&app);
    let forged = "Remote-User: root\r\nremote_user: root\r\nREMOTE-EMAIL: root@example.com\r\nX-Remote-User: root\r\nX-Forwarded-User: root\r\n\
        X-Auth-Request-User: root\r\nX-Authentik-Username: root\r\nCf-Access-Jwt-Assertion: x\r\nX-Doorward-Assertion: x\r\nX.Doorward.Assertion: x\r\n";

    assert_eq!(Raw::exchange(edge.address(), get(forged)).await.status, 200);
    let nominated = get(&format!("{forged}Connection: Remote-User, X-Real-Ip\r\n"));
    assert_eq!(Raw::exchange(edge.address(), nominated).await.status, 200);

    for received in app.received() {
        assert!(!received.head_text().contains("root"), "{}", received.head_text());
        assert!(!received.head_text().to_lowercase().contains("assertion"), "{}", received.head_text());
        assert_eq!(received.header("X-Real-Ip").as_deref(), Some("127.0.0.1"));
    }
    let metrics = edge.gateway.operator().get("/metrics").await.text();
    assert!(metrics.contains("doorward_reserved_headers_removed_total 20"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_sets_its_own_cookies_and_none_of_ours() {
    let app = Upstream::start().await;
    let edge = Edge::before(&app);
    app.add_header("Set-Cookie", "session=1; Path=/");
    app.add_header("Set-Cookie", "doorward_access=forged; Path=/");
    app.add_header("Set-Cookie", "__Host-Doorward_Refresh=forged; Path=/; Secure");
    app.add_header("Set-Cookie", "theme=dark");
    app.add_header("Cache-Control", "public, max-age=60");

    let reply = Raw::exchange(edge.address(), get("Cookie: a=1; doorward_access=ours; b=2\r\n")).await;

    assert_eq!(reply.all("Set-Cookie"), ["session=1; Path=/", "theme=dark"]);
    assert_eq!(reply.header("Cache-Control").as_deref(), Some("public, max-age=60"));
    assert_eq!(app.last().header("Cookie").as_deref(), Some("a=1; b=2"));
}
