//! The endpoints themselves, asked as each proxy asks: what is granted, what never is.

use reqwest::Method;

use super::{gateway, question, sign_in};
use crate::support::client::{Person, Raw, Reply};
use crate::support::upstream::Upstream;

const DIALECTS: [&str; 5] = ["nginx", "traefik", "caddy", "envoy", "haproxy"];
const LOOPBACK: &str = r#"["127.0.0.0/8"]"#;
const HOST: &str = "wiki.localhost";

fn is_granted(reply: &Reply) -> bool {
    (200..300).contains(&reply.status)
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_signed_in_is_told_and_who_is_not_is_refused() {
    let app = Upstream::start().await;
    let gateway = gateway("http://wiki.localhost", LOOPBACK, &app);
    let (ada, stranger) = (gateway.person_at(HOST), gateway.person_at(HOST));
    sign_in(&ada).await;

    for dialect in DIALECTS {
        let yes = question(&ada, dialect, "GET", HOST, "/a").header("Cookie", "mine=1").send().await;
        let no = question(&stranger, dialect, "GET", HOST, "/a").send().await;
        let open = question(&stranger, dialect, "GET", HOST, "/open/a").send().await;
        let strict = question(&ada, dialect, "GET", HOST, "/strict").send().await;

        assert_eq!(yes.status, 200, "{dialect}: {}", yes.text());
        assert_eq!(yes.header("remote-email").as_deref(), Some("ada@example.com"), "{dialect}");
        assert!(yes.header("x-doorward-assertion").is_some() && yes.header("remote-name").is_none(), "{dialect}");
        assert_eq!(no.status, 401, "{dialect}");
        assert_eq!(no.json()["code"], "unauthenticated", "{dialect}");
        assert_eq!((open.status, open.header("remote-email")), (200, None), "{dialect}");
        assert_eq!(strict.status, 401, "{dialect}");
        assert!(strict.header("www-authenticate").unwrap().contains("insufficient_user_authentication"), "{dialect}");
    }
    // nginx has no redirect: the page is told beside a 401, and that says what is missing.
    let visit =
        async |person: &Person, path: &str| question(person, "nginx", "GET", HOST, path).header("Sec-Fetch-Mode", "navigate").send().await;
    let (strict, no) = (visit(&ada, "/strict").await, visit(&stranger, "/a").await);
    assert_eq!((strict.status, no.status), (401, 401));
    assert!(strict.header("location").unwrap().contains("/auth/step-up?"), "{strict:?}");
    let missing = r#"Bearer realm="doorward", error="insufficient_user_authentication", acr_values="two_factor""#;
    assert_eq!(strict.all("www-authenticate"), [missing]);
    assert_eq!(no.all("www-authenticate"), [r#"Bearer realm="doorward""#]);
    assert_eq!(app.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn our_tokens_are_taken_out_of_what_the_app_is_sent() {
    let app = Upstream::start().await;
    let gateway = gateway("http://wiki.localhost", LOOPBACK, &app);
    let ada = gateway.person_at(HOST);
    sign_in(&ada).await;
    ada.set_cookie("theme", "dark");

    let by_cookie = question(&ada, "traefik", "GET", HOST, "/").header("Authorization", "Basic b3RoZXI6dXNlcg==").send().await;
    let token = ada.cookie("doorward_access").unwrap();
    let by_header = question(&gateway.person_at(HOST), "traefik", "GET", HOST, "/").bearer(&token).send().await;

    assert_eq!(by_cookie.header("cookie").as_deref(), Some("theme=dark"));
    assert_eq!(by_cookie.header("authorization").as_deref(), Some("Basic b3RoZXI6dXNlcg=="));
    assert_eq!((by_header.status, by_header.header("authorization"), by_header.header("cookie")), (200, None, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_believed_who_is_not_named() {
    let app = Upstream::start().await;
    for trusted in ["[]", r#"["192.0.2.0/24"]"#] {
        let gateway = gateway("http://wiki.localhost", trusted, &app);
        let ada = gateway.person_at(HOST);
        sign_in(&ada).await;

        for dialect in DIALECTS {
            for target in ["/a", "/open/a"] {
                let asked = question(&ada, dialect, "GET", HOST, target).send().await;
                let grpc = question(&ada, dialect, "GET", HOST, target).header("Content-Type", "application/grpc").send().await;

                assert_eq!((asked.status, grpc.status), (403, 403), "{dialect} {trusted}");
                assert_eq!(asked.json()["code"], "proxy_not_trusted", "{dialect} {trusted}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_word_of_another_dialect_changes_what_is_asked() {
    let app = Upstream::start().await;
    let gateway = gateway("http://wiki.localhost", LOOPBACK, &app);
    let stranger = gateway.person_at(HOST);

    let lies = [
        ("X-Original-URL", "http://wiki.localhost/open/a"),
        ("X-Original-URL", "/open/a"),
        ("X-Original-URI", "/open/a"),
        ("X-Rewrite-URL", "/open/a"),
        ("X-Forwarded-Uri", "/open/a"),
        ("X-Forwarded-Host", "other.localhost"),
        ("X-Forwarded-Method", "OPTIONS"),
        ("X-Original-Method", "OPTIONS"),
        ("X-Forwarded-Prefix", "/open"),
        ("Forwarded", "for=127.0.0.1;host=other.localhost;proto=https"),
        ("X-HTTP-Method-Override", "OPTIONS"),
    ];
    for dialect in DIALECTS {
        for (name, value) in lies {
            let asked = question(&stranger, dialect, "GET", HOST, "/a").header(name, value).send().await;
            assert!(!is_granted(&asked), "{dialect}: {name}: {value} gave {}", asked.status);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reserved_prefix_and_what_reads_in_two_ways_never_pass() {
    let app = Upstream::start().await;
    let gateway = gateway("http://wiki.localhost", LOOPBACK, &app);
    let ada = gateway.person_at(HOST);
    sign_in(&ada).await;

    for dialect in DIALECTS.into_iter().filter(|dialect| *dialect != "envoy") {
        for target in
            ["/auth/", "/auth/login", "/auth/check/nginx", "/open/../strict", "/open/%2e%2e/strict", "/open//..//strict", "*", "x"]
        {
            let asked = question(&ada, dialect, "GET", HOST, target).send().await;
            assert!(!is_granted(&asked), "{dialect}: {target} gave {}", asked.status);
        }
    }
    for other in ["/auth/check", "/auth/check/", "/auth/check/apache", "/auth/check/nginx/x"] {
        assert_eq!(ada.get(other).await.status, 404, "{other}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_never_a_status_that_means_yes() {
    let app = Upstream::start().await;
    let gateway = gateway("http://wiki.localhost", LOOPBACK, &app);
    let stranger = gateway.person_at(HOST);

    for dialect in DIALECTS {
        for (kind, value) in [("Content-Type", "application/grpc"), ("Content-Type", "application/grpc+proto"), ("Accept", "*/*")] {
            let asked = question(&stranger, dialect, "POST", HOST, "/a").header(kind, value).send().await;
            assert_eq!(asked.status, 401, "{dialect} {value}");
        }
    }
    // Nothing is said of what was asked for.
    for dialect in DIALECTS {
        let bare = stranger.request(Method::GET, &format!("/auth/check/{dialect}")).header("Content-Type", "application/grpc").send().await;
        assert!((400..500).contains(&bare.status), "{dialect} gave {}", bare.status);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_sent_to_sign_in_and_comes_back() {
    let app = Upstream::start().await;
    let gateway = gateway("http://wiki.localhost", LOOPBACK, &app);
    let stranger = gateway.person_at(HOST);

    for dialect in DIALECTS {
        let asked = question(&stranger, dialect, "GET", HOST, "/a?b=c").header("Sec-Fetch-Mode", "navigate").send().await;
        let expected = if dialect == "nginx" { 401 } else { 302 };

        assert_eq!(asked.status, expected, "{dialect}");
        let location = asked.header("location").unwrap();
        assert_eq!(location, "http://wiki.localhost/auth/login?next=http%3A%2F%2Fwiki.localhost%2Fa%3Fb%3Dc", "{dialect}");
    }
    let elsewhere = question(&stranger, "traefik", "GET", "evil.example", "/a").header("Sec-Fetch-Mode", "navigate").send().await;
    // A cookie that is set at the public address is not shown there: it must be set on that host.
    assert_eq!(elsewhere.header("location").unwrap(), "/auth/login?next=%2Fa");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unsafe_request_of_another_site_is_refused() {
    let app = Upstream::start().await;
    let gateway = gateway("http://wiki.localhost", LOOPBACK, &app);
    let ada = gateway.person_at(HOST);
    sign_in(&ada).await;

    for dialect in DIALECTS {
        let own = question(&ada, dialect, "POST", HOST, "/a").header("Origin", "http://wiki.localhost").send().await;
        let other = question(&ada, dialect, "POST", HOST, "/a").header("Origin", "http://evil.example").send().await;
        assert_eq!((own.status, other.status), (200, 403), "{dialect}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_is_renewed_and_refused_shows_its_cookies_to_no_script() {
    let app = Upstream::start().await;
    let gateway = gateway("http://wiki.localhost", LOOPBACK, &app);

    for dialect in DIALECTS {
        let ada = gateway.person_at(HOST);
        sign_in(&ada).await;
        for (target, status) in [("/a", 200), ("/strict", 401)] {
            ada.forget_cookie("doorward_access");
            let asked = question(&ada, dialect, "GET", HOST, target).send().await;

            assert_eq!(asked.status, status, "{dialect} {target}");
            assert_eq!(asked.all("set-cookie").len(), 2, "{dialect} {target}");
            // Caddy's refusals reach the browser with all their headers, nginx's with none.
            let is_apart = dialect == "nginx" || (dialect == "caddy" && status == 200);
            assert_eq!(asked.header("x-doorward-set-cookie-1").is_some(), is_apart, "{dialect} {target}");
            assert_eq!(asked.header("x-doorward-set-cookie-2").is_some(), is_apart, "{dialect} {target}");
        }
    }
}

/// A request that fails before it is checked: what is wrong with it, and its head without the lines that all have.
const BROKEN: [(&str, &str, &str); 12] = [
    ("no Host", "GET /auth/check/nginx HTTP/1.0", ""),
    ("a Host that is none", "POST /auth/check/nginx HTTP/1.1", "Host: a~b\r\n"),
    ("two Hosts", "POST /auth/check/nginx HTTP/1.1", "Host: wiki.localhost,\r\n"),
    ("a method that is never forwarded", "TRACE /auth/check/traefik HTTP/1.1", "Host: wiki.localhost\r\n"),
    ("a method without a path", "CONNECT wiki.localhost:80 HTTP/1.1", "Host: wiki.localhost:80\r\n"),
    (
        "an upgrade",
        "GET /auth/check/caddy HTTP/1.1",
        "Host: wiki.localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n",
    ),
    ("another upgrade", "POST /auth/check/caddy HTTP/1.1", "Host: wiki.localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"),
    ("a body that is too large", "POST /auth/check/envoy/a HTTP/1.1", "Host: wiki.localhost\r\nContent-Length: 900000\r\n"),
    ("chunks that are none", "POST /auth/check/envoy/a HTTP/1.1", "Host: wiki.localhost\r\nTransfer-Encoding: chunked\r\n"),
    ("a path that is not there", "POST /auth/check/envoy* HTTP/1.1", "Host: wiki.localhost\r\n"),
    ("a path below one", "POST /auth/check/nginx/x HTTP/1.1", "Host: wiki.localhost\r\n"),
    ("an escaped path", "POST /auth/check/envoy%2fa HTTP/1.1", "Host: wiki.localhost\r\n"),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_before_it_is_checked_is_no_yes_either() {
    let app = Upstream::start().await;
    let gateway = gateway("http://wiki.localhost", LOOPBACK, &app);

    for kind in ["application/grpc", "application/grpc+proto", "text/html"] {
        for (what, line, fields) in BROKEN {
            let said = "X-Original-Method: GET\r\nX-Original-URL: http://wiki.localhost/a\r\nX-Forwarded-Proto: http\r\n";
            let body = if fields.contains("chunked") { "nonsense\r\n" } else { "" };
            let head = format!("{line}\r\n{fields}{said}Content-Type: {kind}\r\nConnection: close\r\n\r\n{body}");
            let reply = Raw::exchange(gateway.public(), head).await;
            assert!(!is_granted(&reply), "{what}, {kind}: {}", reply.status);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_decided_is_counted_and_logged_as_a_request_of_the_route() {
    let app = Upstream::start().await;
    let gateway = gateway("http://wiki.localhost", LOOPBACK, &app);
    let (ada, stranger) = (gateway.person_at(HOST), gateway.person_at(HOST));
    sign_in(&ada).await;

    for dialect in DIALECTS {
        question(&ada, dialect, "GET", HOST, "/a").send().await;
        question(&stranger, dialect, "GET", HOST, "/a").send().await;
        question(&stranger, dialect, "GET", HOST, "/open/a").send().await;
        question(&ada, dialect, "GET", HOST, "/strict/a").send().await;
        question(&ada, dialect, "GET", HOST, "/a").header("X-Original-URI", "/b").send().await;
    }

    let metrics = gateway.operator().get("/metrics").await.text();
    for (line, count) in [
        ("code=\"200\",decision=\"admitted\",route=\"app\"", 5),
        ("code=\"401\",decision=\"refused\",route=\"app\"", 5),
        ("code=\"200\",decision=\"admitted\",route=\"open\"", 5),
        ("code=\"401\",decision=\"refused\",route=\"strict\"", 5),
        // Nothing is known of what contradicts itself; nginx knows no 400.
        ("code=\"400\",decision=\"refused\",route=\"-\"", 4),
        ("code=\"403\",decision=\"refused\",route=\"-\"", 1),
    ] {
        assert!(metrics.contains(&format!("doorward_requests_total{{{line}}} {count}\n")), "{line} {count}: {metrics}");
    }
    assert!(metrics.contains("doorward_request_duration_seconds_count{route=\"strict\"} 5\n"), "{metrics}");
    let log = gateway.log();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let of_strict: Vec<_> = lines.filter(|line| line["target"] == "access" && line["route.name"] == "strict").collect();
    assert_eq!(of_strict.len(), 5);
    assert!(of_strict.iter().all(|line| line["decision"] == "refused" && line["refusal.code"] == "insufficient_user_authentication"));
}
