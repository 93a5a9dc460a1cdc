//! What operators are told: every refusal can be found again by its request id, and every metric that is promised is there.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use http::Method;
use serde_json::json;

use super::place::{ACCESS, ENCRYPTION_KEY, Place, REFRESH, Wants, ask, verify, wrong};
use crate::immunity::factors::Enrolled;
use crate::support::client::{Person, Raw, Reply, TEXT_FRAME};
use crate::support::gateway::Gateway;
use crate::support::redis::Redis;
use crate::support::tls::Authority;
use crate::support::upstream::Upstream;
use crate::support::{curl, ports, wait};

const ADA: &str = "ada@example.com";

/// A place where everything can be refused.
async fn place() -> (Place, Upstream) {
    let (dead, slow) = (ports::free_address(), Upstream::start().await);
    let slow_url = slow.url();
    let route = |name: &str, path: &str, upstream: &str, more: &str| {
        format!("[[route]]\nname = \"{name}\"\npath = \"{path}\"\nupstream = [\"{upstream}\"]\n{more}\n")
    };
    let routes = [
        route("vault", "/vault", "UPSTREAM", "require = \"second_factor\""),
        route("admins", "/admins", "UPSTREAM", "require = \"session\"\ngroups = [\"admins\"]"),
        route("quiet", "/quiet", "UPSTREAM", "require = \"session\"\npreflight = \"refuse\""),
        route("dead", "/dead", &format!("http://{dead}"), "require = \"public\""),
        route("slow", "/slow", &slow_url, "require = \"public\"\nread_timeout = \"5s\"\nmax_connections = 1"),
        route("small", "/small", "UPSTREAM", "require = \"public\"\nmax_body = \"1KiB\""),
    ]
    .concat();
    let sections = vec![
        ("listen", "head_timeout = \"1s\"\nstreams = 1\ntrusted_proxies = [\"127.0.0.0/8\"]"),
        ("otp", "resend_after = \"0s\""),
        ("limits", "codes_per_network = 20"),
        ("otp", "registration = \"open\""),
    ];
    let place = Place::with(Wants { routes: Box::leak(routes.into_boxed_str()), sections, ..Wants::default() }).await;
    (place, slow)
}

/// The codes that were seen, each with the ids of its replies.
#[derive(Default)]
struct Seen(BTreeMap<String, usize>, BTreeSet<String>);

impl Seen {
    /// A refusal in JSON: its id stands in the header and in the body, and is nobody else's.
    fn problem(&mut self, reply: &Reply, code: &str) {
        let id = self.named(reply, code);
        assert_eq!(reply.header("content-type").as_deref(), Some("application/problem+json"), "{code}: {}", reply.text());
        let body = reply.json();
        assert_eq!((body["code"].as_str(), body["request_id"].as_str()), (Some(code), Some(id.as_str())), "{body}");
        assert_eq!(body["status"], reply.status, "{body}");
        *self.0.entry(code.to_owned()).or_default() += 1;
    }

    /// One for people or for gRPC: the id is in the header.
    fn named(&mut self, reply: &Reply, what: &str) -> String {
        assert!(reply.status >= 300 || reply.header("grpc-status").is_some(), "{what}: {} {}", reply.status, reply.text());
        let [id] = reply.all("x-request-id").try_into().unwrap_or_else(|ids| panic!("{what}: one id, and not {ids:?}"));
        assert!(id.len() >= 16, "{what}: {id}");
        assert!(self.1.insert(id.clone()), "{what}: {id} is another's");
        id
    }
}

async fn raw(place: &Place, bytes: &str) -> Reply {
    Raw::exchange(place.gateway.public(), bytes.replace("HOST", &place.gateway.public().to_string())).await
}

async fn send(person: &Person, method: Method, path: &str, lines: &[(&str, &str)]) -> Reply {
    let mut request = person.request(method, path);
    for (name, value) in lines {
        request = request.header(name, value);
    }
    request.send().await
}

/// What is refused by the wire and by the edge, before anybody is asked who they are.
async fn heads(place: &Place, seen: &mut Seen) {
    for (bytes, code) in [
        ("GET /page HTTP/1.1\r\n\r\n", "bad_request"),
        ("GET /page HTTP/1.1\r\nHost: HOST\r\nHost: HOST\r\n\r\n", "bad_request"),
        ("GET /page HTTP/1.1\nHost: HOST\n\n", "bad_request"),
        ("POST /page HTTP/1.1\r\nHost: HOST\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "bad_request"),
        ("TRACE /page HTTP/1.1\r\nHost: HOST\r\n\r\n", "method_not_allowed"),
        ("CONNECT HOST HTTP/1.1\r\nHost: HOST\r\n\r\n", "method_not_allowed"),
        ("GET /open/..%2fpage HTTP/1.1\r\nHost: HOST\r\n\r\n", "ambiguous_path"),
        ("GET /page HTTP/1.1\r\nHost: HOST\r\nCookie: doorward_access=a; doorward_access=b\r\n\r\n", "repeated_cookie"),
        ("GET /slow", "request_timeout"),
        ("POST /small HTTP/1.1\r\nHost: HOST\r\nContent-Length: 5000\r\n\r\n", "body_too_large"),
        ("POST /auth/verify-otp HTTP/1.1\r\nHost: HOST\r\nContent-Length: 500000\r\n\r\n", "body_too_large"),
    ] {
        seen.problem(&raw(place, bytes).await, code);
    }
    let long = format!("GET /page HTTP/1.1\r\nHost: HOST\r\nX-Long: {}\r\n\r\n", "a".repeat(40_000));
    seen.problem(&raw(place, &long).await, "head_too_large");
}

/// What is refused on the way to an app.
async fn routes(place: &Place, slow: &Upstream, seen: &mut Seen) {
    let (ada, eve, stranger) = (place.sign_in(ADA).await, place.sign_in("eve@example.com").await, place.person());
    let token = ada.cookie(ACCESS).unwrap();
    seen.problem(&stranger.get("/page").await, "unauthenticated");
    seen.problem(&stranger.request(Method::GET, "/page").bearer(&format!("{token}x")).send().await, "invalid_token");
    seen.problem(&eve.request(Method::GET, "/page").bearer(&token).send().await, "conflicting_credentials");
    seen.problem(&ada.get("/vault").await, "insufficient_user_authentication");
    seen.problem(&ada.get("/admins").await, "forbidden");
    seen.problem(&send(&ada, Method::POST, "/page", &[("Sec-Fetch-Site", "cross-site")]).await, "cross_site");
    let preflight = [("Origin", "https://a.example"), ("Access-Control-Request-Method", "GET")];
    seen.problem(&send(&stranger, Method::OPTIONS, "/quiet", &preflight).await, "preflight_refused");
    seen.problem(&stranger.get("/dead").await, "upstream_failed");
    // One is at the app and gets no answer; the next finds it busy.
    slow.silence_next();
    let waits = stranger.copy();
    let first = tokio::spawn(async move { waits.get("/slow").await });
    slow.wait_for_count(1).await;
    seen.problem(&stranger.get("/slow").await, "upstream_busy");
    seen.problem(&first.await.unwrap(), "upstream_timeout");
    // A stream is open; there is no room for another.
    let upgrade = format!(
        "GET /live HTTP/1.1\r\nHost: HOST\r\nAuthorization: Bearer {token}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    let mut open = Raw::connect(place.gateway.public()).await;
    open.send(upgrade.replace("HOST", &place.gateway.public().to_string())).await;
    assert_eq!(open.reply_head().await.unwrap().status, 101);
    seen.problem(&raw(place, &upgrade).await, "too_many_streams");
    // People, HEAD, and gRPC.
    for path in ["/page", "/dead"] {
        seen.named(&stranger.visit(path).await, path);
        seen.named(&stranger.request(Method::HEAD, path).send().await, path);
        seen.named(&send(&stranger, Method::POST, path, &[("Content-Type", "application/grpc")]).await, path);
    }
    seen.named(&ada.visit("/admins").await, "a page that says no");
    assert_eq!(ada.copy().post("/auth/logout", &json!({})).await.status, 200);
    seen.problem(&stranger.request(Method::GET, "/page").bearer(&token).send().await, "session_ended");
    drop(open);
}

/// What our own endpoints refuse.
async fn endpoints(place: &Place, seen: &mut Seen) {
    let person = place.person();
    seen.problem(&person.get("/auth/nowhere").await, "not_found");
    seen.problem(&person.get("/auth/verify-otp").await, "method_not_allowed");
    seen.problem(&person.get("/auth/session").await, "unauthenticated");
    seen.problem(&person.post("/auth/refresh", &json!({})).await, "invalid_refresh");
    seen.problem(&person.post("/auth/logout?scope=all", &json!({})).await, "invalid_scope");
    seen.problem(&person.request(Method::POST, "/auth/verify-otp").body("x").send().await, "unsupported_media_type");
    seen.problem(&send_json(&person, "/auth/verify-otp", "{").await, "invalid_json");
    seen.problem(&send_json(&person, "/auth/verify-otp", "{}").await, "invalid_body");
    seen.problem(&person.post("/auth/request-otp", &json!({ "email": "ada" })).await, "invalid_address");
    seen.problem(&person.post("/auth/request-otp", &json!({ "phone": "+4915112345678", "channel": "sms" })).await, "channel_unavailable");
    seen.problem(&person.request(Method::GET, "/auth/check/nginx").send().await, "proxy_not_trusted");
    seen.named(&person.visit("/auth/nowhere").await, "a page that is not there");

    let code = place.code_for(&person, "locked@example.com").await;
    for _ in 0..5 {
        seen.problem(&verify(&person, "locked@example.com", &wrong(&code)).await, "invalid_code");
    }
    seen.problem(&verify(&person, "locked@example.com", &code).await, "too_many_attempts");

    let ada = Enrolled::at(place, "second@example.com").await;
    seen.problem(&ada.person.post("/auth/totp/enroll", &json!({})).await, "already_enrolled");
    seen.problem(&ada.person.request(Method::DELETE, "/auth/addresses").json(&json!({ "email": true })).send().await, "last_address");
    seen.problem(&ada.person.post("/auth/verify-totp", &json!({ "code": ada.wrong() })).await, "invalid_code");
    for number in 0..30 {
        let body = json!({ "email": format!("many{number}@example.com") });
        let request = person.request(Method::POST, "/auth/request-otp").header("X-Forwarded-For", "198.51.100.9").json(&body);
        let reply = request.send().await;
        if reply.status == 429 {
            return seen.problem(&reply, "limit_reached");
        }
    }
    panic!("no limit was reached");
}

async fn send_json(person: &Person, path: &str, body: &'static str) -> Reply {
    person.request(Method::POST, path).header("Content-Type", "application/json").body(body).send().await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_carries_its_request_id() {
    let (place, slow) = place().await;
    let mut seen = Seen::default();
    heads(&place, &mut seen).await;
    routes(&place, &slow, &mut seen).await;
    endpoints(&place, &mut seen).await;
    drop(slow);

    let soon = Place::with(Wants { sections: vec![("otp", "resend_after = \"60s\"")], ..Wants::default() }).await;
    let person = soon.person();
    assert_eq!(ask(&person, ADA).await.status, 200);
    seen.problem(&ask(&person, ADA).await, "resend_too_soon");

    // What was refused stands in the log under its id, a moment later: of the last one, and of what never reached an endpoint.
    let is_told = || {
        let log = place.gateway.log() + &soon.gateway.log();
        seen.1.iter().all(|id| log.contains(id.as_str()))
    };
    wait::until_true("every id in the log", Duration::from_secs(10), is_told);
    // Of the errors that are documented, these were seen; the others need what is not at hand here.
    let documented = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/errors.md")).unwrap();
    for code in seen.0.keys() {
        assert!(documented.contains(&format!("| `{code}` |")), "{code} is not documented");
    }
    assert!(seen.0.len() >= 33, "{} of them: {:?}", seen.0.len(), seen.0.keys());
}

#[tokio::test(flavor = "multi_thread")]
async fn so_does_what_is_refused_over_tls_and_by_http_2() {
    let (app, authority) = (Upstream::start().await, Authority::new("ours"));
    let pair = authority.server(&["app.example", "other.example"]);
    let gateway = Gateway::start(|place| {
        format!(
            "public_url = \"https://app.example\"\n[listen]\npublic = [\"{}\"]\nadmin = \"{}\"\n[tls]\ncertificate = [{}]\n\
             [store]\nurl = \"sqlite:{}/doorward.db\"\nencryption_key = \"{}\"\n[[delivery.email]]\nkind = \"console\"\n\
             [[route]]\nname = \"app\"\nhost = \"app.example\"\nupstream = [\"{}\"]\nrequire = \"session\"\n\
             [[route]]\nname = \"strict\"\nhost = \"app.example\"\npath = \"/strict\"\nupstream = [\"{}\"]\nrequire = \"public\"\nclient_ca = \"{}\"\n",
            place.public,
            place.admin,
            pair.toml(),
            place.folder.display(),
            ENCRYPTION_KEY,
            app.url(),
            app.url(),
            authority.file().display()
        )
    });
    let mut ids = BTreeSet::new();
    for version in ["--http2", "--http1.1"] {
        for (url, more, code) in [
            ("https://app.example/page", &[][..], "unauthenticated"),
            ("https://app.example/auth/nowhere", &[], "not_found"),
            ("https://app.example/strict", &[], "certificate_required"),
            ("https://other.example/page", &[], "no_route"),
            ("https://app.example/page", &["-H", "Host: elsewhere.example"], "misdirected"),
            ("https://app.example/%2e%2e/auth%2flogin", &["--path-as-is"], "ambiguous_path"),
        ] {
            let reply = curl::trusting(&authority.file(), gateway.public(), url, &[&[version], more].concat());
            let id = reply.header("x-request-id").unwrap_or_default().to_owned();
            let body: serde_json::Value = serde_json::from_str(&reply.body).unwrap_or_else(|_| panic!("{version} {url}: {}", reply.said));
            assert_eq!((body["request_id"].as_str(), body["code"].as_str()), (Some(id.as_str()), Some(code)), "{version} {url}: {body}");
            assert!(id.len() >= 16 && ids.insert(id), "{version} {url}");
        }
    }
}

/// As the contract lists them, with the labels that it promises.
const PROMISED: [(&str, &[&str]); 20] = [
    ("doorward_requests_total", &["route", "decision", "code"]),
    ("doorward_request_duration_seconds_bucket", &["route", "le"]),
    ("doorward_admission_duration_seconds_bucket", &["le"]),
    ("doorward_otp_sent_total", &["channel", "provider", "outcome"]),
    ("doorward_otp_verified_total", &["channel", "outcome"]),
    ("doorward_refresh_total", &["outcome"]),
    ("doorward_revocations_total", &["kind"]),
    ("doorward_revocation_lag_seconds_bucket", &["le"]),
    ("doorward_revocation_checks_total", &["source"]),
    ("doorward_token_cache_total", &["outcome"]),
    ("doorward_reserved_headers_removed_total", &[]),
    ("doorward_limit_refusals_total", &["limit"]),
    ("doorward_upstream_up", &["route", "address"]),
    ("doorward_store_up", &[]),
    ("doorward_redis_up", &[]),
    ("doorward_streams_open", &[]),
    ("doorward_streams_cut_total", &[]),
    ("doorward_config_last_reload_success", &[]),
    ("doorward_certificate_expiry_seconds", &["name"]),
    ("doorward_build_info", &["version"]),
];

/// The names of a line's labels, and its value.
fn read(line: &str) -> Option<(&str, BTreeSet<String>, f64)> {
    let (head, value) = line.rsplit_once(' ')?;
    let (name, labels) = head.split_once('{').unwrap_or((head, ""));
    // Our labels hold neither quotes nor commas, but for routes' names, which hold none either.
    let names = labels.trim_end_matches('}').split("\",").filter_map(|label| label.split_once("=\"")).map(|(name, _)| name.to_owned());
    Some((name, names.collect(), value.parse().ok()?))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_that_is_promised_is_there_and_counts() {
    let redis = Redis::start();
    let authority = Authority::new("ours");
    let sections = vec![("limits", "codes_per_address = 5")];
    let place = Place::with(Wants { redis: Some(redis.url()), sections, ..Wants::default() }).await;
    let ada = place.sign_in(ADA).await;
    // One of everything that is counted.
    assert_eq!(send(&ada, Method::GET, "/page", &[("X-Remote-User", "root")]).await.status, 200);
    assert_eq!(ada.post("/auth/refresh", &json!({})).await.status, 200);
    let token = ada.cookie(ACCESS).unwrap();
    let mut socket = Raw::connect(place.gateway.public()).await;
    let upgrade =
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    socket.send(format!("GET /live HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\n{upgrade}\r\n", place.gateway.public())).await;
    assert_eq!(socket.reply_head().await.unwrap().status, 101);
    socket.send_frame(TEXT_FRAME, "hello").await;
    assert!(socket.frame().await.is_some());
    assert_eq!(ada.copy().post("/auth/logout", &json!({})).await.status, 200);
    assert!(socket.is_closed_within(Duration::from_secs(5)).await);
    let limited = || async { (ask(&place.person(), "many@example.com").await.status == 429).then_some(()) };
    wait::until_async("a limit", Duration::from_secs(10), limited).await;
    assert!(ada.cookie(REFRESH).is_some());

    let plain = place.gateway.operator().get("/metrics").await.text();
    // The certificate's is that of a node that speaks TLS.
    let certified = certified(&place, &authority).await;
    for (name, labels) in PROMISED {
        let text = if name == "doorward_certificate_expiry_seconds" { &certified } else { &plain };
        let lines: Vec<_> = text.lines().filter_map(read).filter(|(found, ..)| *found == name).collect();
        assert!(!lines.is_empty(), "{name} is not there:\n{text}");
        let expected: BTreeSet<String> = labels.iter().map(|label| (*label).to_owned()).collect();
        assert!(lines.iter().all(|(_, found, _)| *found == expected), "{name}: {lines:?}");
        let is_zero = name == "doorward_streams_open";
        assert_eq!(lines.iter().map(|(.., value)| value).sum::<f64>() > 0.0, !is_zero, "{name} has not counted: {lines:?}");
        let kind = name.trim_end_matches("_bucket");
        assert!(text.contains(&format!("# HELP {kind} ")) && text.contains(&format!("# TYPE {kind} ")), "{name} has no word about it");
    }
}

async fn certified(place: &Place, authority: &Authority) -> String {
    let (pair, store) = (authority.server(&["app.example"]), place.wants.store.clone());
    let node = tokio::task::spawn_blocking(move || {
        Gateway::start(move |listen| {
            format!(
                "public_url = \"https://app.example\"\n[listen]\npublic = [\"{}\"]\nadmin = \"{}\"\n[tls]\ncertificate = [{}]\n[store]\nurl = \"{store}\"\n\
                 encryption_key = \"{}\"\n[[delivery.email]]\nkind = \"console\"\n",
                listen.public,
                listen.admin,
                pair.toml(),
                ENCRYPTION_KEY
            )
        })
    });
    node.await.unwrap().operator().get("/metrics").await.text()
}
