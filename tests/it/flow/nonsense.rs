//! Nonsense at every endpoint: a clear 4xx, never a 5xx, nothing reached the app, and one line in the log.

use http::Method;
use serde_json::json;

use super::place::{ACCESS, Database, Place, REFRESH, code_of};
use crate::support::client::{Raw, Reply};

async fn send(place: &Place, method: Method, path: &str, kind: Option<&str>, body: impl Into<Vec<u8>>) -> Reply {
    let person = place.person();
    let mut request = person.request(method, path).body(body.into());
    if let Some(kind) = kind {
        request = request.header("Content-Type", kind);
    }
    request.send().await
}

fn is_clear(reply: &Reply, expected: u16, what: &str) {
    assert_eq!(reply.status, expected, "{what}: {}", reply.text());
    let problem = reply.json();
    assert_eq!(reply.header("content-type").as_deref(), Some("application/problem+json"), "{what}");
    for name in ["type", "title", "detail", "code", "request_id"] {
        assert!(problem[name].is_string(), "{what}: no {name} in {problem}");
    }
    assert_eq!(problem["status"], expected, "{what}");
}

const JSON: Option<&str> = Some("application/json");
const BODIES: [&str; 2] = ["/auth/request-otp", "/auth/verify-otp"];

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_none() {
    let place = Place::on(Database::Sqlite).await;
    for path in BODIES {
        for body in [
            &b"[]"[..],
            b"null",
            b"\"x\"",
            b"1",
            b"{}",
            br#"{"email":1}"#,
            br#"{"email":null}"#,
            br#"{"email":["a@b.co"]}"#,
            br#"{"email":{}}"#,
            br#"{"email":"ada@example.com","code":"123456","more":1}"#,
            br#"{"email":"a@b.co","email":"c@d.co","code":"123456"}"#,
            br#"{"email":"ada@example.com","phone":"+4915112345678","channel":"sms","code":"123456"}"#,
        ] {
            is_clear(&send(&place, Method::POST, path, JSON, body).await, 422, &format!("{path} {}", String::from_utf8_lossy(body)));
        }
        for body in [&b""[..], b"{", b"not json", b"\xff\xfe", b"{\"email\":\"\xff\"}"] {
            let reply = send(&place, Method::POST, path, JSON, body).await;
            assert!([400, 422].contains(&reply.status), "{path} {body:?}: {}", reply.status);
            is_clear(&reply, reply.status, path);
        }
        let good = br#"{"email":"ada@example.com","code":"123456"}"#;
        for kind in [
            None,
            Some("text/plain"),
            Some("application/x-www-form-urlencoded"),
            Some("multipart/form-data; boundary=x"),
            Some("application/jsonx"),
            Some("nonsense"),
        ] {
            is_clear(&send(&place, Method::POST, path, kind, good).await, 415, &format!("{path} as {kind:?}"));
        }
        is_clear(&send(&place, Method::POST, path, JSON, vec![b'x'; 1 << 20]).await, 413, path);
        is_clear(&send(&place, Method::POST, path, JSON, format!(r#"{{"email":"{}"}}"#, "x".repeat(16 * 1024))).await, 413, path);
    }
    assert_eq!(place.upstream.count(), 0);
    assert!(place.mailbox.mails().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_that_are_none() {
    let place = Place::on(Database::Sqlite).await;
    for email in [
        "",
        " ",
        "ada",
        "a@b@c.co",
        "a,b@c.co",
        "ada@example.com\r\nBcc: x@y.z",
        "<ada@example.com>",
        "ada\u{ff20}example.com",
        "ada@localhost",
        &format!("{}@example.com", "x".repeat(300)),
    ] {
        let reply = send(&place, Method::POST, "/auth/request-otp", JSON, json!({ "email": email }).to_string()).await;
        is_clear(&reply, 422, email);
    }
    assert!(place.mailbox.mails().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_that_are_none_are_wrong_codes() {
    let place = Place::on(Database::Sqlite).await;
    for code in [
        "",
        " ",
        "12345",
        "1234567",
        "000000",
        "١٢٣٤٥٦",
        "１２３４５６",
        "12345a",
        "\u{0}\u{0}",
        "🔑🔑🔑🔑🔑🔑",
        "123456\r\n",
        &"9".repeat(9000),
    ] {
        let body = json!({ "email": "ada@example.com", "code": code }).to_string();
        let reply = send(&place, Method::POST, "/auth/verify-otp", JSON, body).await;
        is_clear(&reply, 401, code);
        assert_eq!(code_of(&reply), "invalid_code");
    }
    for code in [json!(123_456), json!(null), json!(["123456"]), json!({}), json!(true)] {
        let body = json!({ "email": "ada@example.com", "code": code }).to_string();
        is_clear(&send(&place, Method::POST, "/auth/verify-otp", JSON, body).await, 422, &code.to_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_methods_and_unknown_endpoints() {
    let place = Place::on(Database::Sqlite).await;
    let known = ["/auth/request-otp", "/auth/verify-otp", "/auth/refresh"];
    for path in known {
        for method in [Method::GET, Method::PUT, Method::DELETE, Method::PATCH] {
            let reply = send(&place, method.clone(), path, None, "").await;
            is_clear(&reply, 405, &format!("{method} {path}"));
            assert!(reply.header("allow").unwrap().contains("POST"));
        }
    }
    for path in ["/auth", "/auth/", "/auth/nothing", "/auth/verify-otp/", "/auth/verify-otp/x", "/auth/sessions/a/b"] {
        is_clear(&send(&place, Method::GET, path, None, "").await, 404, path);
    }
    assert_eq!(place.upstream.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_are_none_pass_nowhere() {
    let place = Place::on(Database::Sqlite).await;
    let good = place.sign_in("ada@example.com").await.cookie(ACCESS).unwrap();
    let (head, rest) = good.split_once('.').unwrap();
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0";
    let long = format!("{good}{}", "A".repeat(9 * 1024));
    let tokens = [
        String::new(),
        "x".into(),
        "..".into(),
        "a.b.c".into(),
        format!("{none}.{rest}"),
        format!("{none}.{}.", rest.split_once('.').unwrap().0),
        good[..good.len() - 1].to_owned(),
        format!("{good}x"),
        good.to_uppercase(),
        format!("\"{good}\""),
        format!("{head}.{rest}.{rest}"),
        long,
    ];
    let before = place.upstream.count();
    for token in &tokens {
        let person = place.person();
        person.set_cookie(ACCESS, token);
        let status = person.get("/page").await.status;
        assert!((400..500).contains(&status), "cookie {token:.40}: {status}");
        let status = person.get("/auth/session").await.status;
        assert!((400..500).contains(&status), "cookie at the session {token:.40}: {status}");
        let status = place.person().request(Method::GET, "/page").bearer(token).send().await.status;
        assert!((400..500).contains(&status), "bearer {token:.40}: {status}");
        let person = place.person();
        person.set_cookie(REFRESH, token);
        assert_eq!(person.post("/auth/refresh", &json!({})).await.status, 401, "refresh {token:.40}");
        assert_eq!(person.get("/page").await.status, 401, "renewal {token:.40}");
    }
    assert_eq!(place.upstream.count(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cookie_of_ours_twice_is_refused() {
    let place = Place::on(Database::Sqlite).await;
    let person = place.sign_in("ada@example.com").await;
    let (address, good) = (place.gateway.public(), person.cookie(ACCESS).unwrap());
    let before = place.upstream.count();
    for cookies in [format!("Cookie: {ACCESS}={good}; {ACCESS}={good}\r\n"), format!("Cookie: {ACCESS}={good}\r\nCookie: {ACCESS}=x\r\n")] {
        for path in ["/page", "/auth/session"] {
            let reply =
                Raw::exchange(address, format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n{cookies}Connection: close\r\n\r\n")).await;
            assert_eq!((reply.status, code_of(&reply)), (400, "repeated_cookie".to_owned()), "{path}");
        }
    }
    assert_eq!(place.upstream.count(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_site_does_nothing_in_a_person_s_name() {
    let place = Place::on(Database::Sqlite).await;
    let person = place.sign_in("ada@example.com").await;
    let own = format!("http://{}", place.gateway.public());
    let before = place.upstream.count();
    for (name, value) in [("Sec-Fetch-Site", "cross-site"), ("Origin", "https://evil.example"), ("Origin", "null")] {
        for path in ["/page", "/auth/logout", "/auth/refresh"] {
            let reply = person.request(Method::POST, path).header(name, value).json(&json!({})).send().await;
            assert_eq!((reply.status, code_of(&reply)), (403, "cross_site".to_owned()), "{path} {name}: {value}");
        }
    }
    assert_eq!(place.upstream.count(), before);
    assert_eq!(person.request(Method::POST, "/page").header("Origin", &own).send().await.status, 200);
    assert_eq!(person.request(Method::GET, "/page").header("Sec-Fetch-Site", "cross-site").send().await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_one_line_in_the_log() {
    let place = Place::on(Database::Sqlite).await;
    let id = |reply: &Reply| reply.header("x-request-id").unwrap();
    let person = place.person();
    let replies = [
        person.get("/page").await,
        send(&place, Method::POST, "/auth/request-otp", JSON, "{").await,
        send(&place, Method::POST, "/auth/verify-otp", JSON, r#"{"email":"ada@example.com","code":"123456"}"#).await,
        person.request(Method::GET, "/page").bearer("a.b.c").send().await,
    ];
    for reply in &replies {
        place.gateway.wait_for_log(&id(reply));
        let lines = place.gateway.log().lines().filter(|line| line.contains(&id(reply))).count();
        assert_eq!(lines, 1, "{}", place.gateway.log());
    }
    assert!(!place.gateway.log().contains("\"ERROR\"") && !place.gateway.log().contains("panicked"), "{}", place.gateway.log());
}

/// What a reply asks for, without its words.
fn challenge(reply: &Reply) -> String {
    reply.header("www-authenticate").unwrap_or_else(|| panic!("no challenge: {reply:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bearer_token_that_fails_is_told_so_at_our_own_endpoints() {
    let place = Place::on(Database::Sqlite).await;
    let (ada, eve) = (place.sign_in("ada@example.com").await, place.sign_in("eve@example.com").await);
    let (token, ended) = (ada.cookie(ACCESS).unwrap(), eve.cookie(ACCESS).unwrap());
    assert_eq!(eve.post("/auth/logout", &json!({})).await.status, 200);
    let forged = format!("{}.{}", token.rsplit_once('.').unwrap().0, "A".repeat(43));
    let foreign = "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJodHRwczovL290aGVyIn0.AAAA";
    let plain = r#"Bearer realm="doorward""#;
    let invalid = r#"Bearer realm="doorward", error="invalid_token""#;
    let endpoints = [
        (Method::GET, "/auth/session"),
        (Method::GET, "/auth/sessions"),
        (Method::DELETE, "/auth/sessions/x"),
        (Method::POST, "/auth/totp/enroll"),
    ];

    for (method, path) in endpoints {
        for (shown, code, expected) in [
            (forged.as_str(), "invalid_token", invalid),
            ("dwk_x", "invalid_token", invalid),
            (ended.as_str(), "session_ended", invalid),
            (foreign, "invalid_token", invalid),
            ("nonsense", "invalid_token", invalid),
        ] {
            for person in [place.person(), ada.copy()] {
                let reply = person.request(method.clone(), path).bearer(shown).send().await;
                assert_eq!(
                    (reply.status, code_of(&reply).as_str(), challenge(&reply).as_str()),
                    (401, code, expected),
                    "{method} {path} {shown:.9}"
                );
            }
        }
        for cookie in [&forged, &ended] {
            let person = place.person();
            person.set_cookie(ACCESS, cookie);
            let reply = person.request(method.clone(), path).send().await;
            let said = (reply.status, code_of(&reply), challenge(&reply));
            assert_eq!(said, (401, "unauthenticated".to_owned(), plain.to_owned()), "{method} {path}: a cookie says nothing of itself");
        }
    }
    assert_eq!(place.person().request(Method::GET, "/auth/session").bearer(&token).send().await.status, 200);
}
