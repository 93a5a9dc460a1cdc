//! Every metric that an operator was promised is there, with its labels, after a day in the life of a gateway; and every refusal of
//! the proxied path names itself, so that it can be looked up.

use std::time::Duration;

use serde_json::{Value, json};

use super::place::{ACCESS, Place, Wants, verify, wrong};
use crate::support::client::{Person, Raw, Reply};
use crate::support::redis::Redis;
use crate::support::wait;

/// What stands in the contract, with its labels; `doorward_certificate_expiry_seconds` needs a certificate, and is looked for where
/// there is one.
const PROMISED: [(&str, &[&str]); 19] = [
    ("doorward_requests_total", &["route", "decision", "code"]),
    ("doorward_request_duration_seconds", &["route"]),
    ("doorward_admission_duration_seconds", &[]),
    ("doorward_otp_sent_total", &["channel", "provider", "outcome"]),
    ("doorward_otp_verified_total", &["channel", "outcome"]),
    ("doorward_refresh_total", &["outcome"]),
    ("doorward_revocations_total", &["kind"]),
    ("doorward_revocation_lag_seconds", &[]),
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
    ("doorward_build_info", &["version"]),
];

/// Every promised metric has a value, with its labels.
fn all_promised(text: &str) {
    for (name, labels) in PROMISED {
        assert!(text.contains(&format!("# TYPE {name} ")), "{name} is missing");
        let lines = || text.lines().filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ', '_'])));
        assert!(lines().count() > 0, "{name} has no value: {text}");
        for label in labels {
            assert!(lines().all(|line| line.contains(&format!("{label}=\""))), "{name} lacks {label}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_promised_metric_is_there_before_anything_happens() {
    let place = Place::with(Wants::default()).await;

    let text = place.gateway.operator().get("/metrics").await.text();

    all_promised(&text);
    let app = place.upstream.address();
    let up = format!("doorward_upstream_up{{address=\"{app}\",route=\"wiki\"}} 1");
    for line in [
        r#"doorward_requests_total{code="200",decision="admitted",route="wiki"} 0"#,
        r#"doorward_requests_total{code="401",decision="refused",route="wiki"} 0"#,
        r#"doorward_requests_total{code="503",decision="outage",route="wiki"} 0"#,
        r#"doorward_otp_sent_total{channel="email",outcome="sent",provider="smtp"} 0"#,
        r#"doorward_otp_sent_total{channel="email",outcome="refused",provider="smtp"} 0"#,
        r#"doorward_otp_sent_total{channel="email",outcome="dropped",provider="none"} 0"#,
        r#"doorward_otp_verified_total{channel="email",outcome="verified"} 0"#,
        r#"doorward_otp_verified_total{channel="none",outcome="wrong"} 0"#,
        r#"doorward_otp_verified_total{channel="totp",outcome="replayed"} 0"#,
        r#"doorward_refresh_total{outcome="reused"} 0"#,
        r#"doorward_revocations_total{kind="account"} 0"#,
        r#"doorward_limit_refusals_total{limit="attempts"} 0"#,
        r#"doorward_limit_refusals_total{limit="sms_per_day"} 0"#,
        up.as_str(),
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_promised_metric_is_there_after_a_day() {
    let redis = Redis::start();
    let place = Place::with(Wants { redis: Some(redis.url()), ..Wants::default() }).await;
    let ada = place.sign_in("ada@example.com").await;
    assert_eq!(ada.get("/").await.status, 200);
    assert_eq!(ada.get("/").await.status, 200);
    assert_eq!(ada.request(http::Method::GET, "/open").header("Remote-User", "root").send().await.status, 200);
    assert_eq!(ada.post("/auth/refresh", &json!({})).await.status, 200);
    let code = place.code_for(&ada, "ada@example.com").await;
    let mut guesses = Vec::new();
    for _ in 0..6 {
        guesses.push(verify(&ada, "ada@example.com", &wrong(&code)).await.status);
    }
    assert_eq!(guesses.last(), Some(&429), "{guesses:?}");
    assert_eq!(ada.post("/auth/logout", &json!({})).await.status, 200);

    let sent = || async {
        let text = place.gateway.operator().get("/metrics").await.text();
        text.lines().any(|line| line.starts_with("doorward_otp_sent_total{") && !line.ends_with(" 0")).then_some(text)
    };
    let text = wait::until_async("a mail to be counted", Duration::from_secs(10), sent).await;

    all_promised(&text);
    let value = |line: &str| text.lines().find_map(|found| found.strip_prefix(line)?.trim().parse::<f64>().ok());
    for (line, least) in [
        ("doorward_refresh_total{outcome=\"rotated\"}", 1.0),
        ("doorward_reserved_headers_removed_total", 1.0),
        ("doorward_store_up", 1.0),
        ("doorward_redis_up", 1.0),
        ("doorward_revocations_total{kind=\"session\"}", 1.0),
        ("doorward_otp_verified_total{channel=\"email\",outcome=\"verified\"}", 1.0),
        ("doorward_limit_refusals_total{limit=\"attempts\"}", 1.0),
    ] {
        assert!(value(line).is_some_and(|value| value >= least), "{line}: {:?}", value(line));
    }
}

/// Routes at which everything can go wrong.
const ROUTES: &str = r#"
[[route]]
name = "admins"
path = "/admins"
upstream = ["UPSTREAM"]
groups = ["admins"]
[[route]]
name = "second"
path = "/second"
upstream = ["UPSTREAM"]
require = "second_factor"
[[route]]
name = "strict"
path = "/strict"
upstream = ["UPSTREAM"]
preflight = "refuse"
[[route]]
name = "small"
path = "/small"
upstream = ["UPSTREAM"]
require = "public"
max_body = "1B"
[[route]]
name = "gone"
path = "/gone"
upstream = ["http://127.0.0.1:1"]
require = "public"
[[route]]
name = "slow"
path = "/slow"
upstream = ["UPSTREAM"]
require = "public"
read_timeout = "300ms"
"#;

/// The code of a refusal, once it has shown its id in both places.
fn named(reply: &Reply, what: &str) -> String {
    let id = reply.header("x-request-id").unwrap_or_else(|| panic!("{what} has no id: {reply:?}"));
    let body: Value = reply.json();
    assert!(!id.is_empty(), "{what}");
    assert_eq!(body["request_id"], json!(id), "{what}");
    body["code"].as_str().unwrap_or_default().to_owned()
}

async fn sent(place: &Place, bytes: &str) -> Reply {
    let mut raw = Raw::connect(place.gateway.public()).await;
    raw.send(bytes.replace("HOST", &place.gateway.public().to_string())).await;
    raw.reply().await.expect("a reply")
}

/// With other lines in the head.
async fn with(person: &Person, method: http::Method, path: &str, headers: &[(&str, &str)]) -> Reply {
    let request = headers.iter().fold(person.request(method, path), |request, (name, value)| request.header(name, value));
    request.send().await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_of_the_proxied_path_can_be_looked_up() {
    use http::Method;

    let place = Place::with(Wants { sections: vec![("listen", "head_timeout = \"1s\"")], routes: ROUTES, ..Wants::default() }).await;
    let (ada, eve, nobody) = (place.sign_in("ada@example.com").await, place.sign_in("eve@example.com").await, place.person());
    let token = ada.cookie(ACCESS).expect("a token");
    let forged = format!("{}.{}", token.rsplit_once('.').expect("a signature").0, "A".repeat(43));
    let gone = ada.copy();
    let other = eve.cookie(ACCESS).expect("a token");
    let cookie = format!("{ACCESS}={other}");
    let preflight = [("Origin", "https://evil.com"), ("Access-Control-Request-Method", "POST")];
    let (bearer, bad) = (format!("Bearer {token}"), format!("Bearer {forged}"));

    let mut replies = vec![
        ("bad_request", sent(&place, "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n").await),
        ("bad_request", sent(&place, "GET http://other/ HTTP/1.1\r\nHost: HOST\r\n\r\n").await),
        ("head_too_large", sent(&place, &format!("GET / HTTP/1.1\r\nHost: HOST\r\nX-Long: {}\r\n\r\n", "x".repeat(40_000))).await),
        ("request_timeout", sent(&place, "GET / HTTP/1.1\r\nHost: HO").await),
        ("method_not_allowed", sent(&place, "TRACE / HTTP/1.1\r\nHost: HOST\r\n\r\n").await),
        ("ambiguous_path", sent(&place, "GET /x/..%2fadmins HTTP/1.1\r\nHost: HOST\r\n\r\n").await),
        ("repeated_cookie", sent(&place, &format!("GET / HTTP/1.1\r\nHost: HOST\r\nCookie: {ACCESS}=a; {ACCESS}=b\r\n\r\n")).await),
        ("unauthenticated", nobody.get("/").await),
        ("invalid_token", with(&nobody, Method::GET, "/", &[("Authorization", &bad)]).await),
        ("conflicting_credentials", with(&nobody, Method::GET, "/", &[("Authorization", &bearer), ("Cookie", &cookie)]).await),
        ("forbidden", ada.get("/admins").await),
        ("insufficient_user_authentication", ada.get("/second").await),
        ("cross_site", with(&ada, Method::POST, "/", &[("Sec-Fetch-Site", "cross-site")]).await),
        ("preflight_refused", with(&nobody, Method::OPTIONS, "/strict", &preflight).await),
        ("body_too_large", nobody.request(Method::POST, "/small").body("too much").send().await),
        ("upstream_failed", nobody.get("/gone").await),
    ];
    place.upstream.delay(Duration::from_secs(2));
    replies.push(("upstream_timeout", nobody.get("/slow").await));
    assert_eq!(ada.post("/auth/logout", &json!({})).await.status, 200);
    replies.push(("session_ended", with(&gone, Method::GET, "/", &[("Authorization", &bearer)]).await));

    for (expected, reply) in &replies {
        let code = named(reply, expected);
        let id = reply.header("x-request-id").unwrap();
        assert_eq!(&code, expected);
        let (done, found, complaint) = place.gateway.command(&["explain", "--json", "--request", &id]);
        assert_eq!(done, 0, "{expected}: {complaint}");
        let found: Value = serde_json::from_str(&found).unwrap();
        assert_eq!((&found["code"], &found["id"]), (&json!(code), &json!(id)), "{expected}");
    }
}
