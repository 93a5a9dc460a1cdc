//! What strangers send: a clear 4xx, never a 5xx, and never a sign-in.

use proptest::sample::select;
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::{Config, TestRunner};

use super::door::{Door, Visitor, cookies, problem};

const JSON: Option<&str> = Some("application/json");
const FORM: Option<&str> = Some("application/x-www-form-urlencoded");

/// Endpoints that take a JSON body, and a body that they take.
const TAKE_JSON: [(&str, &str); 3] = [
    ("/auth/register", r#"{"email":"ada@example.com","username":"ada","name":"Ada"}"#),
    ("/auth/request-otp", r#"{"email":"ada@example.com"}"#),
    ("/auth/verify-otp", r#"{"email":"ada@example.com","code":"123456"}"#),
];

async fn told(visitor: &Visitor<'_>, path: &str, kind: Option<&str>, body: &[u8]) -> (u16, String) {
    let reply = visitor.send("POST", path, kind, body).await;
    assert_eq!(cookies(reply.headers()).len(), 0, "{path}");
    problem(&reply)
}

fn said(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[tokio::test]
async fn bodies_of_another_shape_are_refused() {
    let door = Door::open().await;
    let visitor = door.visitor();
    let shapes: [&[u8]; 30] = [
        b"{}",
        b"[]",
        b"null",
        b"true",
        b"0",
        br#""ada@example.com""#,
        br#"["ada@example.com"]"#,
        br#"["ada@example.com",null,"123456"]"#,
        br#"[{"email":"ada@example.com"}]"#,
        br#"{"email":null}"#,
        br#"{"email":1,"code":"123456"}"#,
        br#"{"email":true,"code":"123456"}"#,
        br#"{"email":[],"code":"123456"}"#,
        br#"{"email":["ada@example.com"],"code":"123456"}"#,
        br#"{"email":{"$ne":""},"code":"123456"}"#,
        br#"{"email":1e999,"code":"123456"}"#,
        br#"{"Email":"ada@example.com","code":"123456"}"#,
        br#"{"e-mail":"ada@example.com","code":"123456"}"#,
        br#"{"email":"ada@example.com","code":"123456","admin":true}"#,
        br#"{"email":"ada@example.com","code":"123456","__proto__":{}}"#,
        br#"{"email":"ada@example.com","email":"bob@example.com","code":"123456"}"#,
        br#"{"email":"ada@example.com","\u0065mail":"bob@example.com","code":"123456"}"#,
        br#"{"email":"ada@example.com","phone":"+4915112345678","code":"123456"}"#,
        br#"{"phone":4915112345678,"code":"123456"}"#,
        br#"{"code":"123456"}"#,
        br#"{"email":"ada@example.com","code":"123456","channel":"pigeon"}"#,
        br#"{"email":"ada@example.com","code":"123456","channel":"sms","groups":["admin"]}"#,
        br#"{"email":"ada@example.com","code":"123456","username":null,"sub":"1"}"#,
        br#"{"":""}"#,
        br#"{"email":"ada@example.com","code":123456,"channel":7}"#,
    ];

    for (path, _) in TAKE_JSON {
        for body in shapes {
            let (status, code) = told(&visitor, path, JSON, body).await;
            assert_eq!(
                (status, code.as_str()),
                if body.windows(5).any(|part| part == b"1e999") { (400, "invalid_json") } else { (422, "invalid_body") },
                "{path} {}",
                String::from_utf8_lossy(body)
            );
        }
    }
    assert_eq!(door.mailbox.count(), 0);
}

#[tokio::test]
async fn what_is_no_json_is_refused() {
    let door = Door::open().await;
    let visitor = door.visitor();
    let deep = r#"{"email":"#.repeat(3000);
    let texts: [&[u8]; 12] = [
        b"",
        b" ",
        b"{",
        b"email=ada@example.com",
        br#"{"email":"ada@example.com""#,
        br#"{"email":"ada@example.com","code":"123456"},"#,
        br#"{"email":"ada@example.com","code":"123456"}{}"#,
        br#"{"email":"\ud800@example.com"}"#,
        b"{\"email\":\"\xff\xfe\"}",
        b"\xef\xbb\xbf{}",
        b"\0",
        b"<email>ada@example.com</email>",
    ];

    for (path, _) in TAKE_JSON {
        for body in texts {
            assert_eq!(told(&visitor, path, JSON, body).await, said(400, "invalid_json"), "{path} {}", String::from_utf8_lossy(body));
        }
        assert_eq!(told(&visitor, path, JSON, &deep.as_bytes()[..16_000]).await.0, 400, "{path}");
    }
}

#[tokio::test]
async fn other_content_types_are_refused() {
    let door = Door::open().await;
    let visitor = door.visitor();
    let kinds = [
        "text/plain",
        "text/plain; application/json",
        "application/jsonx",
        "application/x-json",
        "application/json+x",
        "text/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "",
        "json",
        "application",
        "application/ json",
    ];

    for (path, body) in TAKE_JSON {
        for kind in kinds.map(Some).into_iter().chain([None]) {
            assert_eq!(told(&visitor, path, kind, body.as_bytes()).await, said(415, "unsupported_media_type"), "{path} {kind:?}");
        }
    }
    for path in ["/auth/login", "/auth/verify"] {
        for kind in [JSON, Some("text/plain"), None] {
            assert_eq!(told(&visitor, path, kind, b"").await, said(415, "unsupported_media_type"), "{path} {kind:?}");
        }
    }
    let accepted = visitor.send("POST", "/auth/request-otp", Some("Application/JSON ; charset=utf-8"), TAKE_JSON[1].1.as_bytes()).await;
    assert_eq!(accepted.status(), 200);
}

#[tokio::test]
async fn large_bodies_are_refused_everywhere() {
    let door = Door::open().await;
    let visitor = door.visitor();
    let megabyte = vec![b'a'; 1 << 20];
    let just_over = vec![b' '; 16 * 1024 + 1];
    let paths = ["register", "request-otp", "verify-otp", "refresh", "logout", "login", "verify"];

    for path in paths.map(|path| format!("/auth/{path}")) {
        for body in [&megabyte, &just_over] {
            for kind in [JSON, FORM, None] {
                assert_eq!(told(&visitor, &path, kind, body).await, said(413, "body_too_large"), "{path}");
            }
        }
    }
    let mut fits = TAKE_JSON[1].1.as_bytes().to_vec();
    fits.resize(16 * 1024, b' ');
    assert_eq!(visitor.send("POST", "/auth/request-otp", JSON, &fits).await.status(), 200);
}

#[tokio::test]
async fn what_is_no_address_is_refused() {
    let door = Door::open().await;
    let visitor = door.visitor();
    let long = format!("{}@example.com", "a".repeat(300));
    let addresses = [
        "",
        " ",
        "ada",
        "ada@",
        "@example.com",
        "a@b@example.com",
        "a,b@example.com",
        "ada@example.com,eve@evil.com",
        "<ada@example.com>",
        "ada@example.com\\r\\nBcc: eve@evil.com",
        "ada\\u0000@example.com",
        "ada@ex ample.com",
        "ada＠example.com",
        "\\u202eada@example.com",
        "ada@[127.0.0.1]",
        &long,
    ];

    for address in addresses {
        for body in [format!(r#"{{"email":"{address}"}}"#), format!(r#"{{"phone":"{address}","channel":"sms"}}"#)] {
            assert_eq!(told(&visitor, "/auth/request-otp", JSON, body.as_bytes()).await, said(422, "invalid_address"), "{body}");
        }
        let body = format!(r#"{{"email":"{address}","code":"123456"}}"#);
        assert_eq!(told(&visitor, "/auth/verify-otp", JSON, body.as_bytes()).await, said(422, "invalid_address"), "{body}");
    }
}

#[tokio::test]
async fn a_channel_without_a_provider_is_said_so() {
    let door = Door::open().await;
    for channel in ["sms", "whatsapp"] {
        let body = format!(r#"{{"phone":"+4915112345678","channel":"{channel}"}}"#);
        assert_eq!(told(&door.visitor(), "/auth/request-otp", JSON, body.as_bytes()).await, said(422, "channel_unavailable"));
    }
}

#[tokio::test]
async fn codes_that_are_no_text_are_refused_and_all_others_are_wrong() {
    let door = Door::open().await;
    let visitor = door.visitor();
    for code in ["null", "123456", "1.5", "true", "[]", "{}", r#"["123456"]"#] {
        let body = format!(r#"{{"email":"ada@example.com","code":{code}}}"#);
        assert_eq!(told(&visitor, "/auth/verify-otp", JSON, body.as_bytes()).await, said(422, "invalid_body"), "{code}");
    }
    let long = "1".repeat(15_000);
    for code in [
        "",
        " ",
        "0",
        "12345",
        "1234567",
        "abcdef",
        "１２３４５６",
        "١٢٣٤٥٦",
        "12 34 56",
        "-12345",
        "1e5",
        "\\u0000",
        "\\n",
        "' OR 1=1 --",
        "💥",
        "<script>",
        &long,
    ] {
        let body = format!(r#"{{"email":"ada@example.com","code":"{code}"}}"#);
        assert_eq!(told(&visitor, "/auth/verify-otp", JSON, body.as_bytes()).await, said(401, "invalid_code"), "{code}");
    }
}

#[tokio::test]
async fn a_challenge_that_is_none_of_ours_is_wrong() {
    let door = Door::open().await;
    for id in ["", "x", "../../etc/passwd", "' OR 1=1 --", "💥", &"x".repeat(8000)] {
        let visitor = door.visitor();
        visitor.set_cookie("__Host-doorward_challenge", id.trim_matches('\''));
        let body = format!(r#"{{"email":"ada@example.com","code":"123456","challenge_id":"{id}"}}"#);
        assert_eq!(told(&visitor, "/auth/verify-otp", JSON, body.as_bytes()).await, said(401, "invalid_code"), "{id}");
    }
}

#[tokio::test]
async fn a_cookie_of_ours_twice_is_refused() {
    let door = Door::open().await;
    let calls = [
        ("POST", "/auth/register"),
        ("POST", "/auth/request-otp"),
        ("POST", "/auth/verify-otp"),
        ("POST", "/auth/refresh"),
        ("POST", "/auth/logout"),
        ("GET", "/auth/session"),
        ("GET", "/auth/sessions"),
        ("DELETE", "/auth/sessions/x"),
    ];
    for name in ["access", "refresh", "challenge"] {
        let visitor = door.visitor();
        visitor.says("cookie", &format!("__Host-doorward_{name}=a; x=y; __Host-doorward_{name}=b"));
        for (method, path) in calls {
            let body = TAKE_JSON.iter().find(|(takes, _)| *takes == path).map_or("", |(_, body)| body);
            let reply = visitor.send(method, path, JSON, body.as_bytes()).await;
            assert_eq!(problem(&reply), said(400, "repeated_cookie"), "{name} {path}");
            assert_eq!(cookies(reply.headers()).len(), 0);
        }
    }
}

#[tokio::test]
async fn refreshing_takes_no_body_and_no_nonsense() {
    let door = Door::open().await;
    let visitor = door.visitor();
    assert_eq!(told(&visitor, "/auth/refresh", JSON, br#"{"refresh_token":"x"}"#).await, said(422, "invalid_body"));
    assert_eq!(told(&visitor, "/auth/refresh", JSON, b"[]").await, said(422, "invalid_body"));
    assert_eq!(told(&visitor, "/auth/refresh", JSON, b"{").await, said(400, "invalid_json"));
    assert_eq!(told(&visitor, "/auth/refresh", FORM, b"a=b").await, said(415, "unsupported_media_type"));
    assert_eq!(told(&visitor, "/auth/refresh", JSON, b"{}").await, said(401, "invalid_refresh"));
    for token in ["", "x", "a.b.c", "💥", &"x".repeat(9000)] {
        let visitor = door.visitor();
        visitor.set_cookie("__Host-doorward_refresh", token);
        let reply = visitor.send("POST", "/auth/refresh", None, b"").await;
        assert_eq!(problem(&reply), said(401, "invalid_refresh"), "{token}");
    }
}

#[tokio::test]
async fn a_scope_is_one_of_three() {
    let door = Door::open().await;
    for scope in ["", "Local", "all", "local%20", "global,others", "%00"] {
        assert_eq!(told(&door.visitor(), &format!("/auth/logout?scope={scope}"), None, b"").await, said(422, "invalid_scope"), "{scope}");
    }
}

#[tokio::test]
async fn tokens_that_are_none_are_nobody() {
    let door = Door::open().await;
    let good = door.signed_in("ada@example.com").await.cookie("__Host-doorward_access").unwrap();
    let parts: Vec<&str> = good.split('.').collect();
    let (header, claims, signature) = (parts[0], parts[1], parts[2]);
    let none = "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0";
    let tokens = [
        String::new(),
        "x".to_owned(),
        "..".to_owned(),
        format!("{header}.{claims}"),
        format!("{header}.{claims}."),
        format!("{header}.{claims}.{signature}."),
        format!("{header}.{claims}.{}", signature.chars().rev().collect::<String>()),
        format!("{header}.{}.{signature}", claims.chars().rev().collect::<String>()),
        format!("{none}.{claims}."),
        format!("{none}.{claims}.{signature}"),
        format!("{header}.{claims}.{signature}=="),
        format!(" {header} . {claims} . {signature}"),
        good.to_uppercase(),
        good.chars().take(good.len() - 1).collect(),
        "x".repeat(20_000),
    ];
    for token in tokens {
        let (by_cookie, by_header) = (door.visitor(), door.visitor());
        by_cookie.set_cookie("__Host-doorward_access", &token);
        by_header.says("authorization", &format!("Bearer {token}"));
        let of_header = if token.is_empty() { "unauthenticated" } else { "invalid_token" };
        for (visitor, code) in [(by_cookie, "unauthenticated"), (by_header, of_header)] {
            for (method, path) in [("GET", "/auth/session"), ("GET", "/auth/sessions"), ("DELETE", "/auth/sessions/x")] {
                let reply = visitor.send(method, path, None, b"").await;
                assert_eq!(problem(&reply), said(401, code), "{token}");
                let challenge = reply.headers()["www-authenticate"].to_str().unwrap();
                assert_eq!(challenge.contains("error=\"invalid_token\""), code == "invalid_token", "{token}");
            }
        }
    }
}

#[tokio::test]
async fn what_is_not_there_and_other_methods_are_told_apart() {
    let door = Door::open().await;
    let visitor = door.visitor();
    for path in [
        "/auth",
        "/auth/",
        "/auth/nothing",
        "/auth/login/",
        "/auth/dev/inbox",
        "/auth/api/codes",
        "/auth/%6cogin",
        "/auth/../auth/login",
        "/auth/assets/style.css",
    ] {
        assert_eq!(problem(&visitor.get(path).await), said(404, "not_found"), "{path}");
    }
    let posts = ["register", "request-otp", "verify-otp", "refresh"];
    for path in posts.map(|path| format!("/auth/{path}")) {
        for method in ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"] {
            let reply = visitor.send(method, &path, None, b"").await;
            assert_eq!(
                (reply.status().as_u16(), &reply.headers()["allow"]),
                (405, &http::HeaderValue::from_static("POST")),
                "{method} {path}"
            );
        }
    }
    assert!(visitor.send("HEAD", "/auth/login", None, b"").await.body().is_empty());
}

#[tokio::test]
async fn other_sites_are_refused() {
    let door = Door::open().await;
    let unsafe_calls = [
        ("POST", "register"),
        ("POST", "request-otp"),
        ("POST", "verify-otp"),
        ("POST", "refresh"),
        ("POST", "logout"),
        ("POST", "login"),
        ("POST", "verify"),
        ("DELETE", "sessions/x"),
    ];
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("origin", "https://evil.com"),
        ("origin", "null"),
        ("origin", "https://door.example.com.evil.com"),
    ] {
        let visitor = door.visitor();
        visitor.says(name, value);
        for (method, path) in unsafe_calls {
            let reply = visitor.send(method, &format!("/auth/{path}"), FORM, b"").await;
            assert_eq!(problem(&reply), said(403, "cross_site"), "{name} {value} {path}");
        }
        assert_eq!(visitor.get("/auth/login").await.status(), 200);
    }
    let ours = door.visitor();
    ours.says("origin", "https://door.example.com");
    assert_eq!(ours.post("/auth/request-otp", TAKE_JSON[1].1).await.status(), 200);
}

#[tokio::test]
async fn whatever_arrives_is_a_clear_no() {
    let door = Door::open().await;
    let mut runner = TestRunner::new(Config::with_cases(400));
    let call =
        (select(&CALLS[..]), select(&[JSON, FORM, None][..]), "(\\{\"(email|code|phone|x)\":)?\\PC{0,40}[\\}\"&=%]{0,3}", "\\PC{0,20}");
    let calls: Vec<_> = (0..400).map(|_| call.new_tree(&mut runner).unwrap().current()).collect();

    for ((method, path), kind, body, text) in calls {
        let visitor = door.visitor();
        visitor.set_cookie("__Host-doorward_refresh", &text.replace([';', ','], ""));
        visitor.says("authorization", &text).says("accept-language", &text).says("origin", "https://door.example.com");

        let reply = visitor.send(method, path, kind, body.as_bytes()).await;

        assert!(reply.status().as_u16() < 500, "{method} {path} {kind:?} {body:?} {text:?}: {}", reply.status());
        assert!(!cookies(reply.headers()).iter().any(|cookie| cookie.contains("_access=e")), "{method} {path} {body:?}");
    }
}

const CALLS: [(&str, &str); 10] = [
    ("POST", "/auth/register"),
    ("POST", "/auth/request-otp"),
    ("POST", "/auth/verify-otp"),
    ("POST", "/auth/refresh"),
    ("POST", "/auth/logout"),
    ("POST", "/auth/login"),
    ("POST", "/auth/verify"),
    ("GET", "/auth/session"),
    ("DELETE", "/auth/sessions/x"),
    ("GET", "/auth/login?next=%00%FF%0a"),
];
