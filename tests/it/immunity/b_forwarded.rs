//! B 13 to 21: what others say of a request decides nothing, unless it is a proxy that we trust, and then nothing but what a
//! proxy may say.

use std::collections::BTreeMap;

use http::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::factors::Enrolled;
use crate::flow::place::{ACCESS, Database, Place, Wants, claims_of, code_of, verify, wrong};
use crate::forward;
use crate::gateway::redirect;
use crate::support::client::{Person, Raw, Reply};
use crate::support::tls::Authority;
use crate::support::upstream::Upstream;

const ADA: &str = "ada@example.com";
const EVIL: &str = "evil.example";

/// A path of the app that somebody else's word could open: one that wants a session, one that wants two factors, one that is
/// for a network alone.
const ROUTES: &str = "[[route]]\nname = \"vault\"\npath = \"/vault\"\nupstream = [\"UPSTREAM\"]\nrequire = \"second_factor\"\n\
    [[route]]\nname = \"inside\"\npath = \"/inside\"\nupstream = [\"UPSTREAM\"]\nrequire = \"public\"\nnetworks = [\"10.0.0.0/8\"]\n";

const TRUSTING: &str = "trusted_proxies = [\"127.0.0.0/8\"]";

const DIALECTS: [&str; 5] = ["nginx", "traefik", "caddy", "envoy", "haproxy"];
const LOOPBACK: &str = r#"["127.0.0.0/8"]"#;
const WIKI: &str = "wiki.localhost";

/// A place that believes nobody, and one that believes who speaks from this machine.
async fn places() -> [Place; 2] {
    let trusting = Wants { routes: ROUTES, sections: vec![("listen", TRUSTING)], ..Wants::default() };
    [Place::with(Wants { routes: ROUTES, ..Wants::default() }).await, Place::with(trusting).await]
}

async fn send(place: &Place, path: &str, cookie: &str, lines: &str) -> Reply {
    let address = place.gateway.public();
    let cookie = if cookie.is_empty() { String::new() } else { format!("Cookie: {cookie}\r\n") };
    Raw::exchange(address, format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{cookie}{lines}Connection: close\r\n\r\n")).await
}

/// oauth2-proxy chose the rule by what a header said was asked for, and let the path through that was really asked for.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_40575_no_header_says_what_is_asked_for() {
    for place in places().await {
        let open = format!("http://{}/open/page", place.gateway.public());
        for name in ["X-Forwarded-Uri", "X-Original-URL", "X-Original-URI", "X-Rewrite-URL", "X-Forwarded-Path", "X-Forwarded-Prefix"] {
            for value in ["/open/page", "/open", "/", open.as_str()] {
                let reply = send(&place, "/page", "", &format!("{name}: {value}\r\n")).await;
                assert_eq!((reply.status, code_of(&reply).as_str()), (401, "unauthenticated"), "{name}: {value}");
            }
        }
        for lines in [
            "Forwarded: for=10.0.0.1;host=other.example;proto=https;path=/open/page\r\n",
            "X-Forwarded-Method: OPTIONS\r\n",
            "X-Original-Method: OPTIONS\r\n",
            "X-HTTP-Method-Override: OPTIONS\r\n",
        ] {
            assert_eq!(send(&place, "/page", "", lines).await.status, 401, "{lines}");
        }
        assert_eq!(place.upstream.count(), 0);
        // A target that stands in the request line decides, and no header closes what is open.
        assert_eq!(send(&place, "/open/page", "", "X-Forwarded-Uri: /page\r\n").await.status, 200);
    }
}

/// And every proxy was believed, since nobody had been named.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_40575_who_is_not_named_is_not_believed() {
    let app = Upstream::start().await;
    let gateway = forward::gateway("http://wiki.localhost", "[]", &app);
    let (ada, stranger) = (gateway.person_at(WIKI), gateway.person_at(WIKI));
    forward::sign_in(&ada).await;

    for dialect in DIALECTS {
        for person in [&ada, &stranger] {
            for target in ["/a", "/open/a"] {
                let reply = forward::question(person, dialect, "GET", WIKI, target).send().await;
                assert_eq!((reply.status, code_of(&reply).as_str()), (403, "proxy_not_trusted"), "{dialect} {target}");
                assert!(reply.header("remote-user").is_none() && reply.header("x-doorward-assertion").is_none(), "{dialect}");
            }
        }
    }
    // Where nothing is said, nothing is believed either: the two lists are empty from the start.
    let place = Place::on(Database::Sqlite).await;
    let reply = forward::question(&place.person(), "nginx", "GET", WIKI, "/open/a").send().await;
    assert_eq!(reply.status, 403);
}

/// authentik let everything pass that was said to lead to its own pages.
#[tokio::test(flavor = "multi_thread")]
async fn ghsa_5wcc_hf24_rf5h_our_own_prefix_opens_nothing() {
    let app = Upstream::start().await;
    let gateway = forward::gateway("http://wiki.localhost", LOOPBACK, &app);
    let (ada, stranger) = (gateway.person_at(WIKI), gateway.person_at(WIKI));
    forward::sign_in(&ada).await;

    let targets =
        ["/auth", "/auth/", "/auth/login", "/auth/login?next=/a", "/auth/check/nginx", "/auth/logout", "/auth/.well-known/jwks.json"];
    for dialect in DIALECTS {
        for target in targets {
            for person in [&ada, &stranger] {
                let reply = forward::question(person, dialect, "GET", WIKI, target).send().await;
                assert!((400..500).contains(&reply.status), "{dialect} {target}: {}", reply.status);
                assert!(reply.header("remote-user").is_none(), "{dialect} {target}");
            }
        }
        // Spellings of it are either no path, or one of the app's, for which a session is needed.
        for target in ["/AUTH/login", "/%61uth/login", "//auth/login", "/auth/../a", "/a/../auth/login", "/auth;x/login", "/auth%2flogin"] {
            let reply = forward::question(&stranger, dialect, "GET", WIKI, target).send().await;
            assert!((400..500).contains(&reply.status), "{dialect} {target}: {}", reply.status);
        }
        // The prefix in one header, another path in the next.
        for (name, value) in [
            ("X-Original-URI", "/auth/login"),
            ("X-Original-URL", "http://wiki.localhost/auth/login"),
            ("X-Forwarded-Uri", "/auth/login"),
            ("X-Rewrite-URL", "/auth/login"),
        ] {
            let reply = forward::question(&stranger, dialect, "GET", WIKI, "/a").header(name, value).send().await;
            assert!((400..500).contains(&reply.status), "{dialect} {name}: {}", reply.status);
        }
    }
    assert_eq!(app.count(), 0);
}

/// Oathkeeper took the rule for https because a stranger said that it was https.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_33495_a_strangers_scheme_is_that_of_its_connection() {
    let [deaf, trusting] = places().await;
    for (name, value) in [
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Scheme", "https"),
        ("X-Forwarded-Ssl", "on"),
        ("X-Scheme", "https"),
        ("X-Url-Scheme", "https"),
        ("Front-End-Https", "on"),
        ("Forwarded", "for=10.0.0.1;proto=https"),
    ] {
        let lines = format!("{name}: {value}\r\n");
        assert_eq!(send(&deaf, "/open/page", "", &lines).await.status, 200);
        let seen = deaf.upstream.last();
        assert_eq!(seen.header("X-Forwarded-Proto").as_deref(), Some("http"), "{name}");
        assert!(seen.header("Forwarded").is_none() && seen.header("X-Forwarded-Ssl").is_none(), "{}", seen.head_text());
    }
    // Who is trusted is believed.
    assert_eq!(send(&trusting, "/open/page", "", "X-Forwarded-For: 192.0.2.9\r\nX-Forwarded-Proto: https\r\n").await.status, 200);
    assert_eq!(trusting.upstream.last().header("X-Forwarded-Proto").as_deref(), Some("https"));
}

/// What is served over TLS alone is not served to who says that it came so.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_33495_who_says_that_it_came_over_tls_is_sent_there() {
    let (app, authority) = (Upstream::start().await, Authority::new("ours"));
    let (_edge, plain) = redirect::start(&app, &authority, "");
    for lines in ["", "X-Forwarded-Proto: https\r\n", "Forwarded: proto=https\r\n", "X-Forwarded-Ssl: on\r\nFront-End-Https: on\r\n"] {
        let reply = Raw::exchange(plain, format!("GET /page HTTP/1.1\r\nHost: a.example\r\n{lines}\r\n")).await;
        assert_eq!((reply.status, reply.header("strict-transport-security")), (308, None), "{lines}");
        assert!(reply.header("location").is_some_and(|location| location.starts_with("https://a.example:")), "{lines}");
    }
    assert_eq!(app.count(), 0);
}

/// An address that nobody could read made authentik's policy fail, and the stage with the password was passed over.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2024_47070_an_address_that_is_none_skips_nothing() {
    let long = "1".repeat(10 * 1024);
    let odd = [
        "a",
        "::",
        "",
        "unknown",
        "_hidden",
        "10.0.0.1.",
        "10.0.0",
        "0x0a000001",
        "10.0.0.1\t10.0.0.1",
        "[::1",
        "10.0.0.1%1",
        ",,,",
        &long,
    ];
    let lists: Vec<String> = odd.iter().flat_map(|odd| [(*odd).to_owned(), format!("10.0.0.1, {odd}")]).collect();
    for place in places().await {
        let ada = place.sign_in(ADA).await.cookie_header();
        let before = place.upstream.count();
        for list in &lists {
            for name in ["X-Forwarded-For", "Forwarded", "X-Real-Ip", "Client-Ip"] {
                let value = if name == "Forwarded" { format!("for=\"{list}\"") } else { list.clone() };
                let lines = format!("{name}: {value}\r\n");
                let shown: String = lines.chars().take(60).collect();
                for (path, cookie, status) in [("/page", "", 401), ("/vault", ada.as_str(), 401), ("/inside", ada.as_str(), 403)] {
                    let reply = send(&place, path, cookie, &lines).await;
                    assert!([status, 400].contains(&reply.status), "{path} {shown}: {}", reply.status);
                }
            }
        }
        assert_eq!(place.upstream.count(), before);
    }
    no_stage_is_passed_over(&lists).await;
}

/// With both factors to show, and an address that nobody can read, both are asked for.
async fn no_stage_is_passed_over(lists: &[String]) {
    let [_, place] = places().await;
    let ada = Enrolled::at(&place, ADA).await;
    let lists = lists.iter().filter(|list| list.len() < 1024 && !list.contains('\t')).take(3);
    for list in lists {
        let person = place.person();
        let code = place.code_for(&person, ADA).await;
        for (path, body, status) in [
            ("/auth/verify-otp", json!({ "email": ADA, "code": wrong(&code) }), 401),
            ("/auth/verify-otp", json!({ "email": ADA, "code": code }), 200),
            ("/auth/verify-totp", json!({ "code": ada.wrong() }), 401),
        ] {
            let reply = person.request(Method::POST, path).header("X-Forwarded-For", list).json(&body).send().await;
            assert_eq!(reply.status, status, "{path} {list:?}: {}", reply.text());
            assert!(reply.status != 200 || reply.json()["second_factor_required"] == true, "{list:?}: {}", reply.text());
        }
        assert_eq!(person.request(Method::GET, "/page").header("X-Forwarded-For", list).send().await.status, 401, "{list:?}");
    }
}

/// As if each came from somewhere else: the list begins with another address every time.
fn somewhere(number: u32, tail: &str) -> String {
    format!("203.0.{}.{}{tail}", number / 250, number % 250)
}

/// Many at once, each with a list of its own; how often each status was answered.
async fn all_at_once(person: &Person, path: &'static str, tail: &'static str, body: impl Fn(u32) -> Value) -> BTreeMap<u16, u32> {
    let mut found = BTreeMap::new();
    for first in (0..1000).step_by(50) {
        let mut asked = JoinSet::new();
        for number in first..first + 50 {
            let (person, body) = (person.copy(), body(number));
            asked.spawn(async move {
                let request = person.request(Method::POST, path).header("X-Forwarded-For", &somewhere(number, tail)).json(&body);
                request.send().await.status
            });
        }
        for status in asked.join_all().await {
            *found.entry(status).or_default() += 1;
        }
    }
    found
}

/// kanboard locked out whoever stood leftmost in a list that anybody can begin.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2025_52576_a_new_address_in_front_of_a_list_is_not_a_new_caller() {
    // Behind a proxy that we trust, the client is whom the proxy names: the last.
    let sections = vec![("listen", TRUSTING), ("limits", "codes_per_network = 40")];
    let place = Place::with(Wants { sections, ..Wants::default() }).await;
    let email = |number| json!({ "email": format!("somebody{number}@example.com") });
    let found = all_at_once(&place.person(), "/auth/request-otp", ", 198.51.100.7", email).await;
    assert_eq!(found, BTreeMap::from([(200, 40), (429, 960)]));

    // Whom we do not trust names nobody: a session is of where its connection came from.
    let place = Place::on(Database::Sqlite).await;
    let person = place.person();
    let code = place.code_for(&person, ADA).await;
    let body = json!({ "email": ADA, "code": code });
    let entered =
        person.request(Method::POST, "/auth/verify-otp").header("X-Forwarded-For", "198.51.100.9, 10.0.0.1").json(&body).send().await;
    assert_eq!(entered.status, 200);
    assert_eq!(person.get("/auth/sessions").await.json()["sessions"][0]["address"], "127.0.0.1");
}

/// Nor are a thousand guesses at one account those of a thousand people.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2025_52576_an_account_stays_locked_from_wherever_it_is_asked() {
    let place = Place::on(Database::Sqlite).await;
    let person = place.person();
    let code = place.code_for(&person, ADA).await;
    let guess = wrong(&code);
    let found = all_at_once(&person, "/auth/verify-otp", "", |_| json!({ "email": ADA, "code": guess })).await;
    assert_eq!(found, BTreeMap::from([(401, 5), (429, 995)]));
    assert_eq!(verify(&person, ADA, &code).await.status, 429, "the right one comes too late");
}

/// Zitadel wrote the link of a mail with the host that the request had named.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2023_49097_no_link_leads_where_a_header_says() {
    for place in places().await {
        let address = place.gateway.public();
        let ours = format!("http://{address}");
        for (number, lines) in [
            format!("Host: {EVIL}\r\n"),
            format!("Host: {address}\r\nX-Forwarded-Host: {EVIL}\r\n"),
            format!("Host: {address}\r\nX-Forwarded-Host: {EVIL}\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Port: 444\r\n"),
            format!("Host: {address}\r\nForwarded: host={EVIL};proto=https\r\n"),
            format!(
                "Host: {address}\r\nX-Original-Host: {EVIL}\r\nX-Host: {EVIL}\r\nOrigin: http://{address}\r\nReferer: http://{EVIL}/\r\n"
            ),
        ]
        .into_iter()
        .enumerate()
        {
            let email = format!("ada{number}@example.com");
            let body = json!({ "email": email }).to_string();
            let head = format!(
                "POST /auth/request-otp HTTP/1.1\r\n{lines}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            let asked = Raw::exchange(address, head + &body).await;
            assert_eq!(asked.status, 200, "{lines}: {}", asked.text());
            let mail = place.mailbox.wait_for(&email).await;
            assert!(!mail.text().contains(EVIL) && !mail.html().unwrap_or_default().contains(EVIL), "{lines}: {}", mail.text());
            let links: Vec<String> =
                mail.text().match_indices("http").map(|(at, _)| mail.text()[at..].chars().take(200).collect()).collect();
            assert!(links.iter().all(|link| link.starts_with(&ours) || link.starts_with("http://www.w3.org/")), "{links:?}");

            // Where a program and a browser are sent.
            let program = Raw::exchange(address, format!("GET /page HTTP/1.1\r\n{lines}\r\n")).await;
            assert_eq!(program.status, 401);
            assert!(!format!("{program:?}{}", program.text()).contains(EVIL), "{lines}: {program:?}");
            let browser =
                Raw::exchange(address, format!("GET /page HTTP/1.1\r\n{lines}Sec-Fetch-Mode: navigate\r\nAccept: text/html\r\n\r\n")).await;
            assert_eq!(browser.status, 302);
            let location = browser.header("Location").unwrap();
            assert!(location.starts_with("/auth/login?next=") || location.starts_with(&format!("{ours}/auth/login?next=")), "{location}");
            assert!(!location.contains(EVIL), "{location}");
        }
        let claims = claims_of(&place.sign_in(ADA).await.cookie(ACCESS).unwrap());
        assert_eq!(claims["iss"], ours);
    }
}

/// oauth2-proxy answered everything that said it was a health check.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_34457_no_name_of_a_client_opens_anything() {
    let agents = [
        "kube-probe/1.30",
        "GoogleHC/1.0",
        "ELB-HealthChecker/2.0",
        "Amazon-Route53-Health-Check-Service",
        "Edge Health Probe",
        "Load Balancer Agent",
        "DigitalOcean Uptime Probe 0.22.0",
        "Consul Health Check",
        "Envoy/HC",
        "HAProxy",
        "nginx-health",
        "Pingdom.com_bot_version_1.4",
        "UptimeRobot/2.0",
        "Blackbox Exporter/0.24",
        "Prometheus/2.50",
        "doorward/0.1",
        "",
    ];
    let place = Place::with(Wants { routes: ROUTES, sections: vec![("listen", TRUSTING)], ..Wants::default() }).await;
    for agent in agents {
        for path in
            ["/page", "/vault", "/healthz", "/readyz", "/ping", "/ready", "/robots.txt", "/oauth2/auth", "/metrics", "/api/accounts"]
        {
            for lines in
                [format!("User-Agent: {agent}\r\n"), format!("User-Agent: {agent}\r\nX-Health-Check: 1\r\nX-Forwarded-For: 127.0.0.1\r\n")]
            {
                let reply = send(&place, path, "", &lines).await;
                assert_eq!((reply.status, code_of(&reply).as_str()), (401, "unauthenticated"), "{agent} {path}");
            }
        }
        assert_eq!(send(&place, "/inside", "", &format!("User-Agent: {agent}\r\n")).await.status, 401, "{agent}");
    }
    assert_eq!(place.upstream.count(), 0);
}

/// tinyauth read the headers of two proxies in one request: what the one had been told, the client had told the other.
#[tokio::test(flavor = "multi_thread")]
async fn tinyauth_1089_two_dialects_that_disagree_are_refused() {
    let app = Upstream::start().await;
    let gateway = forward::gateway("http://wiki.localhost", LOOPBACK, &app);
    let ada = gateway.person_at(WIKI);
    forward::sign_in(&ada).await;

    let others = [
        ("X-Original-Method", "OPTIONS"),
        ("X-Original-URL", "http://wiki.localhost/open/a"),
        ("X-Original-URL", "https://wiki.localhost/a"),
        ("X-Original-URI", "/open/a"),
        ("X-Rewrite-URL", "/open/a"),
        ("X-Forwarded-Method", "OPTIONS"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "other.localhost"),
        ("X-Forwarded-Uri", "/open/a"),
    ];
    for dialect in DIALECTS {
        // nginx knows three answers.
        let refused = if dialect == "nginx" { 403 } else { 400 };
        assert_eq!(forward::question(&ada, dialect, "GET", WIKI, "/a").send().await.status, 200, "{dialect}");
        for (name, value) in others {
            let reply = forward::question(&ada, dialect, "GET", WIKI, "/a").header(name, value).send().await;
            assert_eq!((reply.status, code_of(&reply).as_str()), (refused, "bad_request"), "{dialect} {name}: {value}");
            assert!(reply.header("remote-user").is_none(), "{dialect} {name}");
        }
    }
    let told = gateway.log().matches("contradicts itself: nothing is granted").count();
    assert_eq!(told, DIALECTS.len() * others.len());
    // All of them at once, saying the same, are one word.
    let both = forward::question(&ada, "traefik", "GET", WIKI, "/a").header("X-Original-URL", "http://wiki.localhost/a");
    assert_eq!(both.header("X-Original-Method", "GET").send().await.status, 200);
}
