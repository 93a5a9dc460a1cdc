//! TLS, as browsers and tools meet it: certificates by name, versions, what is spoken inside, and clients that take their time.

use std::time::Duration;

use tokio::time::timeout;

use super::{Edge, configuration, get, over_tls as edge, public};
use crate::support::child::Signal;
use crate::support::client::Raw;
use crate::support::curl::{self, at};
use crate::support::gateway::{self, Place};
use crate::support::tls::{Authority, Good, Pair, handshake, section};
use crate::support::upstream::Upstream;
use crate::support::{folder, ports, wait};

#[tokio::test(flavor = "multi_thread")]
async fn a_site_is_served_in_both_versions_of_http() {
    let (app, authority) = (Upstream::start().await, Authority::new("ours"));
    let edge = edge(&app, &section("", &[&authority.server(&["a.example"])]));

    for (option, version) in [("--http2", "HTTP/2"), ("--http1.1", "HTTP/1.1")] {
        let reply = curl::trusting(&authority.file(), edge.address(), "https://a.example/page?x", &[option]);

        assert_eq!((reply.exit, reply.status, reply.version.as_str()), (0, 200, version), "{reply:?}");
        let seen = app.last();
        assert_eq!(seen.target(), "/page?x");
        assert_eq!(seen.header("host").as_deref(), Some("a.example"));
        assert_eq!(seen.header("x-forwarded-proto").as_deref(), Some("https"));
        assert_eq!(seen.header("x-forwarded-for").as_deref(), Some("127.0.0.1"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_travels_both_ways_in_both_versions() {
    let (app, authority) = (Upstream::start().await, Authority::new("ours"));
    let edge = edge(&app, &section("", &[&authority.server(&["a.example"])]));
    let body = "0123456789abcdef".repeat(20_000);
    let file = authority.folder().join("body");
    std::fs::write(&file, &body).unwrap();
    let upload = format!("@{}", file.display());

    for option in ["--http2", "--http1.1"] {
        let reply =
            curl::trusting(&authority.file(), edge.address(), "https://a.example/up", &[option, "--data-binary", &upload, "-H", "Expect:"]);

        assert_eq!((reply.exit, reply.status), (0, 200), "{reply:?}");
        assert_eq!(app.last().body, body.as_bytes());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_name_that_is_asked_for_chooses_the_certificate() {
    let (app, first, second) = (Upstream::start().await, Authority::new("first"), Authority::new("second"));
    let pairs = [first.server(&["a.example"]), second.server(&["*.b.example", "c.example"]), first.server(&["special.b.example"])];
    let edge = edge(&app, &section("", &pairs.iter().collect::<Vec<_>>()));

    for (host, authority, fits) in [
        ("a.example", &first, true),
        ("A.Example", &first, true),
        ("x.b.example", &second, true),
        ("c.example", &second, true),
        ("special.b.example", &first, true),
        ("x.y.b.example", &second, false),
        ("b.example", &second, false),
        ("unknown.example", &first, false),
    ] {
        let reply = curl::trusting(&authority.file(), edge.address(), &format!("https://{host}/"), &[]);
        assert_eq!(reply.exit == 0, fits, "{host}: {reply:?}");
    }
    let unknown = at(edge.address(), "https://unknown.example/", &["--insecure"]);
    assert!(unknown.said.contains("subject: CN=a.example"), "{unknown:?}");
    let nameless = handshake(edge.address(), &["-noservername"]);
    assert!(nameless.contains("subject=CN = a.example"), "{nameless}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_protocol_is_not_agreed_upon() {
    let (app, authority) = (Upstream::start().await, Authority::new("ours"));
    let edge = edge(&app, &section("", &[&authority.server(&["a.example"])]));

    let said = handshake(edge.address(), &["-alpn", "ftp,imap"]);

    assert!(said.contains("no application protocol"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_tls_gets_no_page() {
    let (app, authority) = (Upstream::start().await, Authority::new("ours"));
    let edge = edge(&app, &section("", &[&authority.server(&["a.example"])]));

    let plain = at(edge.address(), "http://a.example/", &["--http0.9"]);

    assert_eq!((plain.status, app.count()), (0, 0), "{plain:?}");
    let mut raw = Raw::connect(edge.address()).await;
    raw.send(get("")).await;
    assert!(timeout(Duration::from_secs(5), raw.reply_head()).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_runs_through_tls() {
    let (app, authority) = (Upstream::start().await, Authority::new("ours"));
    let edge = edge(&app, &section("", &[&authority.server(&["a.example"])]));

    let upgrade = [
        "--http1.1",
        "-H",
        "Connection: Upgrade",
        "-H",
        "Upgrade: websocket",
        "-H",
        "Sec-WebSocket-Version: 13",
        "-H",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "--max-time",
        "2",
    ];
    let reply = curl::trusting(&authority.file(), edge.address(), "https://a.example/", &upgrade);

    assert_eq!(reply.status, 101, "{reply:?}");
}

/// The serial number that a handshake shows.
fn serial(edge: &Edge) -> String {
    let reply = at(edge.address(), "https://a.example/", &["--insecure", "--write-out", "%{certs}"]);
    let line = reply.body.lines().find(|line| line.contains("Serial Number")).map(str::to_owned);
    line.unwrap_or_else(|| panic!("no serial number: {reply:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_replaced_is_shown_to_the_next_client() {
    let (app, authority) = (Upstream::start().await, Authority::new("ours"));
    let pair = authority.server(&["a.example"]);
    let edge = edge(&app, &section("", &[&pair]));
    let before = serial(&edge);
    let long = Good::For(Duration::from_hours(24 * 300));

    authority.server_good(&["a.example"], long).replace(&pair);

    wait::until_true("the new certificate", Duration::from_secs(10), || serial(&edge) != before);
    let expiry = edge.gateway.operator().get("/metrics").await.text();
    let expiry =
        expiry.lines().find_map(|line| line.strip_prefix("doorward_certificate_expiry_seconds{name=\"a.example\"} ")).unwrap().to_owned();
    let expected = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() + 300 * 24 * 3600;
    assert!(expected.abs_diff(expiry.parse().unwrap()) < 3600, "{expiry}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_pair_is_told_and_the_old_one_goes_on() {
    let (app, authority) = (Upstream::start().await, Authority::new("ours"));
    let pair = authority.server(&["a.example"]);
    let mut edge = edge(&app, &section("", &[&pair]));
    let before = serial(&edge);

    std::fs::copy(authority.server(&["a.example"]).key, &pair.key).unwrap();
    edge.gateway.wait_for_log("tls.certificate[0].key_file");
    assert_eq!(serial(&edge), before);

    authority.server_good(&["a.example"], Good::NoMore).replace(&pair);
    edge.gateway.wait_for_log("expired at");
    edge.gateway.signal(Signal::Hup);
    assert_eq!(serial(&edge), before);

    authority.server(&["a.example"]).replace(&pair);
    wait::until_true("the good certificate", Duration::from_secs(10), || serial(&edge) != before);
}

#[test]
fn every_mistake_is_named_by_its_key() {
    let authority = Authority::new("ours");
    let (good, other) = (authority.server(&["a.example"]), authority.server(&["b.example"]));
    let expired = authority.server_good(&["a.example"], Good::NoMore);
    let nameless = authority.client("nobody");
    let missing = Pair { certificate: "/nowhere/a.pem".into(), key: "/nowhere/a.key".into() };
    let crossed = Pair { certificate: good.certificate.clone(), key: other.key.clone() };
    let keyless = Pair { certificate: good.certificate.clone(), key: good.certificate.clone() };
    let empty = Pair { certificate: good.key.clone(), key: good.key.clone() };
    let pairs = [&good, &missing, &crossed, &expired, &nameless, &keyless, &empty];
    let folder = folder::new("mistakes");
    let place = Place { public: ports::free_address(), admin: ports::free_address(), folder: folder.path().to_owned() };
    let check = |rest: &str| {
        let file = folder.path().join("doorward.toml");
        std::fs::write(&file, configuration(&place, "", rest)).unwrap();
        let (code, said, complaint) = gateway::command(&["check", "--config", &file.display().to_string()], &[]);
        assert_eq!(code, 1, "{said}{complaint}");
        format!("{said}{complaint}")
    };

    let route = public("app", &["http://127.0.0.1:1"], "client_ca = \"/nowhere/ca.pem\"");
    let said = check(&format!("{route}{}", section("", &pairs)));
    for (key, problem) in [
        ("tls.certificate[1].certificate_file", "cannot be read"),
        ("tls.certificate[2].key_file", "is not the key"),
        ("tls.certificate[3].certificate_file", "expired at"),
        ("tls.certificate[4].certificate_file", "names no host"),
        ("tls.certificate[5].key_file", "has no private key"),
        ("tls.certificate[6].certificate_file", "has no certificate"),
        ("route[0].client_ca", "cannot be read"),
    ] {
        assert!(said.lines().any(|line| line.contains(key) && line.contains(problem)), "{key}: {problem}: {said}");
    }
    assert!(!said.contains("certificate[0]"), "{said}");

    let said = check(&format!("{route}[tls]\nmin_version = \"1.3\"\n"));
    assert!(said.contains("tls.certificate: is missing") && said.contains("route[0].client_ca: needs tls.certificate"), "{said}");
}
