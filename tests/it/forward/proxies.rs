//! Real proxies in front of a real app: sign in through each, be refused, be renewed, sign out; and lie in every dialect.

use reqwest::Method;
use serde_json::json;

use super::proxy::{Kind, Proxy};
use super::{gateway, sign_in};
use crate::support::client::Person;
use crate::support::gateway::Gateway;
use crate::support::ports;
use crate::support::upstream::Upstream;

/// A proxy that asks a gateway, in front of an app.
struct House {
    app: Upstream,
    gateway: Gateway,
    proxy: Proxy,
    port: u16,
}

impl House {
    async fn with(kind: Kind) -> Self {
        let app = Upstream::start().await;
        let port = ports::free();
        let gateway = gateway(&format!("http://127.0.0.1:{port}"), r#"["127.0.0.0/8"]"#, &app);
        let (code, snippet, said) = gateway.command(&["snippet", kind.name()]);
        assert_eq!((code, said.as_str()), (0, ""), "{snippet}");
        let proxy = Proxy::start(kind, port, &snippet);
        Self { app, gateway, proxy, port }
    }

    fn person(&self) -> Person {
        Person::at(([127, 0, 0, 1], self.port).into())
    }

    /// Everything that both have said, for a test that fails.
    fn said(&self) -> String {
        format!("{}\n{}", self.proxy.log(), self.gateway.log())
    }
}

async fn the_whole_way(kind: Kind) {
    let house = House::with(kind).await;
    let (ada, stranger) = (house.person(), house.person());

    // Refused: a program by status, a person by the way to sign in.
    let refused = stranger.get("/a").await;
    assert_eq!(refused.status, 401, "{}\n{}", refused.text(), house.said());
    let sent = stranger.visit("/a?b=c").await;
    let back = format!("http://127.0.0.1:{0}/auth/login?next=http%3A%2F%2F127.0.0.1%3A{0}%2Fa%3Fb%3Dc", house.port);
    assert_eq!((sent.status, sent.header("location")), (302, Some(back)), "{}", house.said());
    assert_eq!(stranger.visit("/auth/login").await.status, 200);
    assert_eq!(house.app.count(), 0);

    // Open to all, and as nobody.
    let open = stranger.request(Method::GET, "/open/a").header("Remote-User", "evil").header("Remote-Email", "evil").send().await;
    assert_eq!(open.status, 200, "{}", house.said());
    assert_eq!((house.app.last().header("remote-user"), house.app.last().header("remote-email")), (None, None));

    // Signed in.
    sign_in(&ada).await;
    ada.set_cookie("theme", "dark");
    let before = house.app.count();
    let inside = ada.get("/a/b?c=d%2Fe").await;
    assert_eq!(inside.status, 200, "{}", house.said());
    let received = house.app.last();
    assert_eq!(house.app.count(), before + 1);
    assert_eq!(received.target(), "/a/b?c=d%2Fe");
    assert_eq!(received.header("remote-email").as_deref(), Some("ada@example.com"));
    assert!(received.header("x-doorward-assertion").is_some());
    assert_eq!(received.header("cookie").as_deref(), Some("theme=dark"), "our cookies do not reach the app");
    assert_eq!(ada.get("/strict/a").await.status, 401, "a second factor is missing");

    // A token that is sent as such does not reach it either.
    let token = ada.cookie("doorward_access").unwrap();
    assert_eq!(stranger.request(Method::GET, "/a").bearer(&token).send().await.status, 200);
    assert_eq!(house.app.last().header("authorization"), None);

    // Another site's form.
    let count = house.app.count();
    let forged = ada.request(Method::POST, "/a").header("Origin", "http://evil.example").body("x=1").send().await;
    assert_eq!((forged.status, house.app.count()), (403, count));
    let own = ada.request(Method::POST, "/a").header("Origin", &format!("http://127.0.0.1:{}", house.port)).body("x=1").send().await;
    assert_eq!((own.status, house.app.last().body.as_slice()), (200, b"x=1".as_slice()), "{}", house.said());

    // Renewed in passing: the browser gets both cookies.
    ada.forget_cookie("doorward_access");
    let refresh = ada.cookie("doorward_refresh");
    let renewed = ada.get("/a").await;
    assert_eq!(renewed.status, 200, "{}", house.said());
    assert!(ada.cookie("doorward_access").is_some(), "{:?}", renewed.all("set-cookie"));
    assert_ne!(ada.cookie("doorward_refresh"), refresh, "{:?}", renewed.all("set-cookie"));

    // Signed out.
    let kept = ada.copy();
    assert_eq!(ada.post("/auth/logout", &json!({})).await.status, 200);
    let count = house.app.count();
    assert_eq!((ada.get("/a").await.status, kept.get("/a").await.status), (401, 401));
    assert_eq!(house.app.count(), count);
}

/// Whatever a client says of itself, the app is told who it is by us, once.
async fn lies_change_nothing(kind: Kind) {
    let house = House::with(kind).await;
    let (ada, stranger) = (house.person(), house.person());
    sign_in(&ada).await;

    let metadata = [
        ("X-Forwarded-Uri", "/open/a"),
        ("X-Original-URL", "http://127.0.0.1/open/a"),
        ("X-Original-URI", "/open/a"),
        ("X-Rewrite-URL", "/open/a"),
        ("X-Forwarded-Method", "OPTIONS"),
        ("X-Original-Method", "OPTIONS"),
        ("X-Forwarded-Host", "other.example"),
        ("X-Forwarded-Prefix", "/open"),
        ("X-Forwarded-For", "127.0.0.1"),
        ("Forwarded", "for=127.0.0.1;host=other.example"),
        ("User-Agent", "kube-probe/1.30"),
    ];
    for (name, value) in metadata {
        let count = house.app.count();
        let reply = stranger.request(Method::GET, "/a").header(name, value).send().await;
        assert!((400..500).contains(&reply.status), "{name}: {value} gave {}", reply.status);
        assert_eq!(house.app.count(), count, "{name}: {value} reached the app");
    }
    let names = ["Remote-User", "Remote-Email", "Remote-Name", "Remote-Groups", "X-Doorward-Assertion"];
    for name in names {
        let reply = ada.request(Method::GET, "/a").header(name, "evil").header(&name.to_lowercase(), "evil").send().await;
        assert_eq!(reply.status, 200, "{name}: {}", house.said());
        assert!(!house.app.last().head_text().contains("evil"), "{name} reached the app:\n{}", house.app.last().head_text());
        assert_eq!(house.app.last().header("remote-email").as_deref(), Some("ada@example.com"), "{name}");
    }
    for alias in [
        "Remote_User",
        "Remote.User",
        "X-Remote-User",
        "X_Remote_Email",
        "X-Auth-Request-User",
        "X-Forwarded-User",
        "Cf-Access-Jwt-Assertion",
    ] {
        let (count, reply) = (house.app.count(), ada.request(Method::GET, "/a").header(alias, "evil").send().await);
        let reached = house.app.count() > count;
        assert!(!reached || !house.app.last().head_text().contains("evil"), "{alias} reached the app ({})", reply.status);
    }
}

macro_rules! through {
    ($($name:ident: $kind:ident),+) => {$(
        mod $name {
            use super::{Kind, lies_change_nothing, the_whole_way};

            #[tokio::test(flavor = "multi_thread")]
            async fn a_person_signs_in_is_renewed_and_signs_out() {
                the_whole_way(Kind::$kind).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn what_a_client_says_of_itself_changes_nothing() {
                lies_change_nothing(Kind::$kind).await;
            }
        }
    )+};
}

through!(nginx: Nginx, haproxy: Haproxy, caddy: Caddy, traefik: Traefik, envoy: Envoy);
