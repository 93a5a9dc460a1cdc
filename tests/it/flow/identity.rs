//! Whatever a client sends, the app sees our word for who is there, once, or nothing.

use super::place::{Database, Place};
use crate::support::client::Raw;
use crate::support::upstream::Received;

/// One name of each preset and the assertion.
const RESERVED: [&str; 12] = [
    "Remote-User",
    "Remote-Email",
    "Remote-Name",
    "Remote-Groups",
    "X-Forwarded-User",
    "X-Forwarded-Email",
    "X-Auth-Request-User",
    "X-Auth-Request-Email",
    "X-authentik-username",
    "Cf-Access-Authenticated-User-Email",
    "Cf-Access-Jwt-Assertion",
    "X-Doorward-Assertion",
];

fn spellings(name: &str) -> Vec<String> {
    let mut all = vec![name.to_owned(), name.to_uppercase(), name.to_lowercase(), format!("X-{name}"), format!("x_{name}")];
    for mark in ["_", ".", "~", "+", "^", "!", "|", "*", "'", "`", "#", "$", "%", "&"] {
        all.push(name.replace('-', mark));
    }
    all.push(name.replacen('-', "_", 1));
    all
}

fn fold(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect()
}

fn forged(seen: &Received) -> Vec<(String, String)> {
    let reserved: Vec<String> = RESERVED.iter().flat_map(|name| [fold(name), fold(&format!("x-{name}"))]).collect();
    seen.headers().into_iter().filter(|(name, _)| reserved.contains(&fold(name))).collect()
}

async fn send(place: &Place, path: &str, cookie: &str, headers: &[String]) -> u16 {
    let address = place.gateway.public();
    let head = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nCookie: {cookie}\r\n{}Connection: close\r\n\r\n", headers.concat());
    Raw::exchange(address, head).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn reserved_names_in_every_spelling_reach_nobody() {
    let place = Place::on(Database::Sqlite).await;
    let cookie = place.sign_in("ada@example.com").await.cookie_header();
    for name in RESERVED {
        for (path, ours) in [("/page", true), ("/open/page", false)] {
            let headers: Vec<String> = spellings(name).iter().map(|name| format!("{name}: evil\r\n")).collect();
            let before = place.upstream.count();
            let status = send(&place, path, &cookie, &headers).await;
            assert_eq!(status, 200, "{name} at {path}");
            assert_eq!(place.upstream.count(), before + 1);
            let seen = place.upstream.last();
            assert!(!seen.head_text().contains("evil"), "{name} at {path}: {}", seen.head_text());
            let users = seen.headers().into_iter().filter(|(name, _)| fold(name) == "remote-user").count();
            assert_eq!(users, usize::from(ours), "{path}");
            assert_eq!(forged(&seen).is_empty(), !ours, "{path}: {:?}", forged(&seen));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_nominated_in_connection_stays() {
    let place = Place::on(Database::Sqlite).await;
    let cookie = place.sign_in("ada@example.com").await.cookie_header();
    for value in ["close, remote-user", "Remote-User, X-Doorward-Assertion, close", "REMOTE-EMAIL"] {
        let status = send(&place, "/page", &cookie, &[format!("Connection: {value}\r\n")]).await;
        assert_eq!(status, 200, "{value}");
        let seen = place.upstream.last();
        assert_eq!(seen.header("remote-user").as_deref(), Some("ada@example.com"), "{value}");
        assert!(seen.header("x-doorward-assertion").is_some(), "{value}");
        assert!(!seen.all("connection").concat().to_lowercase().contains("remote"), "{value}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_is_empty_is_no_header_at_all() {
    let place = Place::on(Database::Sqlite).await;
    let cookie = place.sign_in("ada@example.com").await.cookie_header();
    send(&place, "/page", &cookie, &["Remote-Name: evil\r\n".to_owned(), "Remote-Groups: admin\r\n".to_owned()]).await;
    let seen = place.upstream.last();
    assert_eq!((seen.header("remote-name"), seen.header("remote-groups")), (None, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_app_sets_no_cookie_of_ours_and_sees_none() {
    let place = Place::on(Database::Sqlite).await;
    place.upstream.add_header("Set-Cookie", "doorward_access=evil; Path=/");
    place.upstream.add_header("Set-Cookie", "__Host-doorward_refresh=evil; Path=/; Secure");
    place.upstream.add_header("Set-Cookie", "theirs=fine");
    let person = place.sign_in("ada@example.com").await;
    person.set_cookie("theirs", "kept");
    let reply = person.get("/page").await;
    assert_eq!(reply.all("set-cookie"), ["theirs=fine"]);
    assert_eq!(place.upstream.last().header("cookie").as_deref(), Some("theirs=kept"));
}

#[tokio::test(flavor = "multi_thread")]
async fn forwarded_headers_of_a_stranger_are_replaced() {
    let place = Place::on(Database::Sqlite).await;
    let cookie = place.sign_in("ada@example.com").await.cookie_header();
    let spoofed = [
        "X-Forwarded-For: 6.6.6.6",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Host: evil.example",
        "Forwarded: for=6.6.6.6;host=evil.example",
        "X-Forwarded-Prefix: /evil",
        "X-Forwarded-Port: 6666",
        "X-Real-IP: 6.6.6.6",
        "X-Original-URL: /open/evil",
        "X-Rewrite-URL: /open/evil",
    ];
    let headers: Vec<String> = spoofed.iter().map(|line| format!("{line}\r\n")).collect();
    assert_eq!(send(&place, "/page", &cookie, &headers).await, 200);
    let seen = place.upstream.last();
    assert!(
        !seen.head_text().contains("6.6.6.6") && !seen.head_text().contains("evil") && !seen.head_text().contains("6666"),
        "{}",
        seen.head_text()
    );
    assert_eq!(seen.header("x-forwarded-for").as_deref(), Some("127.0.0.1"));
    assert_eq!(seen.header("x-forwarded-proto").as_deref(), Some("http"));
    // And no decision rests on them.
    assert_eq!(send(&place, "/page", "", &headers).await, 401);
}
