//! Real proxies in front of a real app: sign in through each, be refused, be renewed, sign out; and lie in every dialect.

use reqwest::Method;
use serde_json::json;

use super::proxy::{Kind, Pasted, Proxy};
use super::{gateway_with, routes, sign_in};
use crate::support::client::Person;
use crate::support::gateway::Gateway;
use crate::support::ports;
use crate::support::tls::Authority;
use crate::support::upstream::Upstream;

/// A proxy that asks a gateway, in front of an app.
struct House {
    app: Upstream,
    gateway: Gateway,
    proxy: Proxy,
    name: &'static str,
    port: u16,
    _authority: Option<Authority>,
}

/// All from this machine.
const TRUSTED: &str = r#"["127.0.0.0/8"]"#;

impl House {
    async fn with(kind: Kind) -> Self {
        Self::at(kind, "127.0.0.1", None).await
    }

    /// At which people arrive by this name; the gateway speaks TLS where there is an authority to vouch for it.
    async fn at(kind: Kind, name: &'static str, authority: Option<Authority>) -> Self {
        let app = Upstream::start().await;
        let routes = routes(&app);
        Self::open(kind, name, authority, app, &routes)
    }

    fn open(kind: Kind, name: &'static str, authority: Option<Authority>, app: Upstream, routes: &str) -> Self {
        let port = ports::free();
        let tls = authority.as_ref().map(|authority| format!("[tls]\ncertificate = [{}]\n", authority.server(&[name]).toml()));
        let gateway = gateway_with(&format!("http://{name}:{port}"), TRUSTED, routes, &tls.unwrap_or_default());
        let (code, snippet, said) = gateway.command(&["snippet", kind.name()]);
        assert_eq!((code, said.as_str()), (0, ""), "{snippet}");
        let proxy = Proxy::start(kind, &Pasted { port, name, snippet: &snippet, authority: authority.as_ref().map(Authority::file) });
        Self { app, gateway, proxy, name, port, _authority: authority }
    }

    fn person(&self) -> Person {
        self.person_at(self.name)
    }

    fn person_at(&self, name: &str) -> Person {
        Person::at_host(([127, 0, 0, 1], self.port).into(), &format!("{name}:{}", self.port))
    }

    /// Everything that both have said, for a test that fails.
    fn said(&self) -> String {
        format!("{}\n{}", self.proxy.log(), self.gateway.log())
    }
}

async fn the_whole_way(house: House) {
    let (ada, stranger) = (house.person(), house.person());

    // Refused: a program by status, a person by the way to sign in.
    let refused = stranger.get("/a").await;
    assert_eq!(refused.status, 401, "{}\n{}", refused.text(), house.said());
    let sent = stranger.visit("/a?b=c").await;
    let back = format!("http://{0}:{1}/auth/login?next=http%3A%2F%2F{0}%3A{1}%2Fa%3Fb%3Dc", house.name, house.port);
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
    let own = ada.request(Method::POST, "/a").header("Origin", &format!("http://{}:{}", house.name, house.port)).body("x=1").send().await;
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

/// A host that no route names finds neither the app nor the pages of ours.
async fn other_hosts_find_nobody(kind: Kind) {
    let app = Upstream::start().await;
    let route = |name: &str, host: &str| {
        format!("[[route]]\nname = \"{name}\"\nhost = \"{host}\"\nupstream = [\"{}\"]\nrequire = \"public\"\n", app.url())
    };
    let routes = route("wiki", "wiki.localhost") + &route("notes", "*.notes.localhost");
    let house = House::open(kind, "wiki.localhost", None, app, &routes);

    for host in ["wiki.localhost", "a.notes.localhost"] {
        let before = house.app.count();
        assert_eq!(house.person_at(host).get("/a").await.status, 200, "{host}: {}", house.said());
        assert_eq!(house.app.count(), before + 1, "{host}");
        assert_eq!(house.person_at(host).get("/auth/login").await.status, 200, "{host}");
    }
    let before = house.app.count();
    for host in ["evil.example", "127.0.0.1", "notes.localhost", "xwiki.localhost", "wiki.localhost.evil.example"] {
        for path in ["/a", "/", "/auth/login", "/auth/check/nginx"] {
            let reply = house.person_at(host).get(path).await;
            assert!([404, 421].contains(&reply.status), "{host} {path}: {}", reply.status);
        }
    }
    assert_eq!(house.app.count(), before);
}

/// Of two addresses the one that weighs twice as much is asked twice as often.
async fn every_address_has_its_share(kind: Kind) {
    let (heavy, light) = (Upstream::start().await, Upstream::start().await);
    let routes = format!(
        "[[route]]\nname = \"app\"\nupstream = [{{ url = \"{}\", weight = 20 }}, {{ url = \"{}\", weight = 10 }}]\nrequire = \"public\"\n",
        heavy.url(),
        light.url()
    );
    let house = House::open(kind, "127.0.0.1", None, heavy, &routes);

    for number in 0..30 {
        assert_eq!(house.person().get(&format!("/{number}")).await.status, 200, "{}", house.said());
    }

    let (heavy, light) = (house.app.count(), light.count());
    assert_eq!(heavy + light, 30);
    assert!((19..=21).contains(&heavy), "{heavy} and {light}");
}

macro_rules! through {
    ($($name:ident: $kind:ident),+) => {$(
        mod $name {
            use super::{Authority, House, Kind, every_address_has_its_share, lies_change_nothing, other_hosts_find_nobody, the_whole_way};

            #[tokio::test(flavor = "multi_thread")]
            async fn a_person_signs_in_is_renewed_and_signs_out() {
                the_whole_way(House::with(Kind::$kind).await).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn the_gateway_is_asked_over_tls_where_it_speaks_it() {
                the_whole_way(House::at(Kind::$kind, "localhost", Some(Authority::new("ours"))).await).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn what_a_client_says_of_itself_changes_nothing() {
                lies_change_nothing(Kind::$kind).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn a_host_that_is_none_of_ours_finds_nobody() {
                other_hosts_find_nobody(Kind::$kind).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn addresses_are_asked_by_their_weight() {
                every_address_has_its_share(Kind::$kind).await;
            }
        }
    )+};
}

through!(nginx: Nginx, haproxy: Haproxy, caddy: Caddy, traefik: Traefik, envoy: Envoy);
