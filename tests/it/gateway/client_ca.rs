//! Client certificates: an extra rule of a route, asked for only where they may matter, and carried nowhere else.

use super::{Edge, public};
use crate::support::curl::{self, Curled};
use crate::support::tls::{Authority, Pair, section};
use crate::support::upstream::Upstream;
use crate::support::wait;

/// Two sites with certificates of their own: one that everybody may see, one for who shows a certificate.
struct Two {
    app: Upstream,
    servers: Authority,
    clients: Authority,
    edge: Edge,
}

impl Two {
    async fn start(listen: &str, same_certificate: bool) -> Self {
        let (app, servers, clients) = (Upstream::start().await, Authority::new("servers"), Authority::new("clients"));
        let pairs = if same_certificate {
            vec![servers.server(&["*.example.com"])]
        } else {
            vec![servers.server(&["open.example.com"]), servers.server(&["closed.example.com"])]
        };
        let open = public("open", &[&app.url()], "host = \"open.example.com\"");
        let client_ca = format!("host = \"closed.example.com\"\nclient_ca = \"{}\"", clients.file().display());
        let closed = public("closed", &[&app.url()], &client_ca);
        let edge = Edge::start(listen, &format!("{open}{closed}{}", section("", &pairs.iter().collect::<Vec<_>>())));
        Self { app, servers, clients, edge }
    }

    fn call(&self, url: &str, options: &[&str]) -> Curled {
        curl::trusting(&self.servers.file(), self.edge.address(), url, options)
    }

    fn call_with(&self, pair: &Pair, url: &str, options: &[&str]) -> Curled {
        let (certificate, key) = (pair.certificate.display().to_string(), pair.key.display().to_string());
        self.call(url, &[&["--cert", &certificate, "--key", &key], options].concat())
    }
}

const OPEN: &str = "https://open.example.com/";
const CLOSED: &str = "https://closed.example.com/";

#[tokio::test(flavor = "multi_thread")]
async fn a_route_asks_for_a_certificate_of_its_authority() {
    let two = Two::start("", false).await;
    let others = Authority::new("others");
    let (ours, theirs) = (two.clients.client("ours"), others.client("theirs"));

    for protocol in ["--http2", "--http1.1"] {
        let before = two.app.count();
        for (reply, what) in [
            (two.call(CLOSED, &[protocol]), "none"),
            (two.call_with(&theirs, CLOSED, &[protocol]), "another's"),
            (two.call_with(&two.servers.server(&["closed.example.com"]), CLOSED, &[protocol]), "a server's"),
        ] {
            assert_eq!(reply.status, 403, "{what}: {reply:?}");
            assert!(reply.body.contains("\"code\":\"certificate_required\""), "{what}: {reply:?}");
        }
        assert_eq!(two.app.count(), before);

        let reply = two.call_with(&ours, CLOSED, &[protocol]);
        assert_eq!((reply.status, two.app.count()), (200, before + 1), "{reply:?}");
        assert_eq!(two.call_with(&theirs, OPEN, &[protocol]).status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_asked_for_only_where_it_may_matter() {
    let two = Two::start("", false).await;

    for (url, asked) in [(OPEN, false), (CLOSED, true)] {
        for version in [["--tls-max", "1.2"], ["--tlsv1.3", "--http1.1"]] {
            let said = two.call(url, &version).said;
            assert_eq!(said.contains("Request CERT"), asked, "{url} {version:?}: {said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_is_asked_for_over_a_connection_of_its_own_kind() {
    for same_certificate in [false, true] {
        let two = Two::start("", same_certificate).await;
        let ours = two.clients.client("ours");
        for protocol in ["--http2", "--http1.1"] {
            for (url, host) in [
                (OPEN, "closed.example.com"),
                (OPEN, "Closed.Example.com."),
                (OPEN, "closed.example.com:443"),
                (CLOSED, "open.example.com"),
            ] {
                let reply = two.call_with(&ours, url, &[protocol, "-H", &format!("Host: {host}")]);
                assert_eq!(reply.status, 421, "{same_certificate} {url} {host}: {reply:?}");
            }
            for (url, host) in [(OPEN, "OPEN.example.com."), (CLOSED, "closed.example.com:8443")] {
                let reply = two.call_with(&ours, url, &[protocol, "-H", &format!("Host: {host}")]);
                assert_eq!(reply.status, 200, "{same_certificate} {url} {host}: {reply:?}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_name_is_the_name_of_no_site_that_asks() {
    let two = Two::start("", false).await;
    let ours = two.clients.client("ours");
    let address = two.edge.address();

    let (certificate, key) = (ours.certificate.display().to_string(), ours.key.display().to_string());
    let bare = format!("https://{address}/");
    let reply = curl::curl(&["--insecure", "--cert", &certificate, "--key", &key, "-H", "Host: closed.example.com", &bare]);
    assert_eq!(reply.status, 421, "{reply:?}");

    let reply = curl::curl(&["--insecure", "-H", "Host: open.example.com", &bare]);
    assert_eq!(reply.status, 200, "{reply:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_for_every_host_asks_who_comes_by_address_too() {
    let (app, servers, clients) = (Upstream::start().await, Authority::new("servers"), Authority::new("clients"));
    let ours = clients.client("ours");
    let route = public("app", &[&app.url()], &format!("client_ca = \"{}\"", clients.file().display()));
    let edge = Edge::start("", &format!("{route}{}", section("", &[&servers.server(&["a.example", "127.0.0.1"])])));
    let (authority, bare) = (servers.file().display().to_string(), format!("https://{}/", edge.address()));
    let (certificate, key) = (ours.certificate.display().to_string(), ours.key.display().to_string());

    assert_eq!(curl::curl(&["--cacert", &authority, &bare]).status, 403);
    let reply = curl::curl(&["--cacert", &authority, "--cert", &certificate, "--key", &key, &bare]);
    assert_eq!(reply.status, 200, "{reply:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_is_replaced_lets_nobody_in_any_more() {
    let two = Two::start("", false).await;
    let (ours, others) = (two.clients.client("ours"), Authority::new("others"));
    let theirs = others.client("theirs");
    assert_eq!(two.call_with(&ours, CLOSED, &[]).status, 200);

    std::fs::copy(others.file(), two.clients.file()).unwrap();

    let replaced = || two.call_with(&theirs, CLOSED, &[]).status == 200;
    wait::until_true("the new authority", std::time::Duration::from_secs(10), replaced);
    assert_eq!(two.call_with(&ours, CLOSED, &[]).status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_of_one_certificate_share_a_connection() {
    let (app, servers) = (Upstream::start().await, Authority::new("servers"));
    let pair = servers.server(&["*.example.com"]);
    let edge = Edge::start("", &format!("{}{}", public("app", &[&app.url()], ""), section("", &[&pair])));

    let reply = curl::trusting(&servers.file(), edge.address(), OPEN, &["-H", "Host: other.example.com"]);

    assert_eq!(reply.status, 200, "{reply:?}");
}
