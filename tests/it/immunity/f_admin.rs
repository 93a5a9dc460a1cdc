//! D 33, 41 and F 63, 65, 66: the admin API, and what is changed through it.

use reqwest::Method;
use serde_json::json;

use crate::admin::desk::{Desk, code_of, key};
use crate::flow::place::{ACCESS, Database, ENCRYPTION_KEY, Place, REFRESH, Wants, claims_of};
use crate::support::client::Raw;

#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_43983_refreshing_gives_back_no_group_that_was_taken_away() {
    let routes = "[[route]]\nname = \"staff\"\npath = \"/staff\"\nupstream = [\"UPSTREAM\"]\ngroups = [\"staff\"]\n";
    let place = Place::with(Wants { routes, ..Wants::default() }).await;
    let ada = place.sign_in("ada@example.com").await;
    let desk = Desk::open(&place, "admin").await;
    let path = format!("/api/accounts/{}", desk.all("/api/accounts").await[0]["id"].as_str().unwrap());
    desk.patch(&path, &json!({ "groups": ["staff"] })).await;
    assert_eq!(ada.get("/staff").await.status, 200);
    let (old_access, old_refresh) = (ada.cookie(ACCESS).unwrap(), ada.cookie(REFRESH).unwrap());
    let before = place.upstream.count();

    desk.patch(&path, &json!({ "groups": [] })).await;

    assert_eq!(ada.get("/staff").await.status, 403, "the next request");
    let refreshed = ada.post("/auth/refresh", &json!({})).await;
    assert_eq!(refreshed.status, 200, "{}", refreshed.text());
    assert_eq!(claims_of(refreshed.json()["access_token"].as_str().unwrap())["groups"], json!([]));
    // Those from before, within the window in which a refresh token may race.
    let tab = place.person();
    tab.set_cookie(ACCESS, &old_access);
    tab.set_cookie(REFRESH, &old_refresh);
    assert_eq!(tab.get("/staff").await.status, 403);
    let raced = tab.post("/auth/refresh", &json!({})).await;
    assert_eq!(claims_of(raced.json()["access_token"].as_str().unwrap())["groups"], json!([]));
    // Disabled: neither the next request nor the next refresh.
    desk.post(&format!("{path}/disable"), &json!({})).await;
    assert_eq!(ada.get("/").await.status, 401);
    assert_eq!(ada.post("/auth/refresh", &json!({})).await.status, 401);
    assert_eq!(place.upstream.count(), before, "nothing reached the app");
}

#[tokio::test(flavor = "multi_thread")]
async fn cve_2024_29892_a_custom_claim_takes_no_registered_name() {
    let place = Place::on(Database::Sqlite).await;
    let ada = place.sign_in("ada@example.com").await;
    let desk = Desk::open(&place, "admin").await;
    let account = desk.all("/api/accounts").await[0].clone();
    let path = format!("/api/accounts/{}", account["id"].as_str().unwrap());

    for name in doorward::token::claims::REGISTERED {
        for value in [json!("evil"), json!(["mfa"]), json!(4_102_444_800_i64), json!({ "a": 1 }), json!(null)] {
            let reply = desk.patch(&path, &json!({ "claims": { "harmless": 1, name: value } })).await;
            let is_refused = (reply.status, code_of(&reply).as_str()) == (422, "reserved_claim");
            // Taking away what is not there changes nothing.
            assert!(is_refused || value.is_null(), "{name}: {}", reply.text());
        }
        let reply = desk.post("/api/accounts", &json!({ "email": "eve@example.com", "claims": { name: "evil" } })).await;
        assert_eq!(code_of(&reply), "reserved_claim", "{name}");
    }

    desk.patch(&path, &json!({ "claims": { "department": "door" } })).await;
    assert_eq!(ada.get("/").await.status, 200);
    let claims = claims_of(&ada.cookie(ACCESS).unwrap());
    assert_eq!((&claims["sub"], &claims["department"], &claims["amr"]), (&account["id"], &json!("door"), &json!(["email"])));
}

#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_27589_a_page_of_another_site_does_nothing_in_the_admin_api() {
    let place = Place::on(Database::Sqlite).await;
    let key = key(&place, "admin", "admin").await;
    let operator = place.gateway.operator();
    let body = json!({ "email": "eve@example.com" });

    // A name that a stranger's DNS points here, with the right key even.
    for host in ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "evil.example:9080", "wiki.example.com"] {
        let rebound = crate::support::client::Person::at_host(place.gateway.admin(), host);
        for path in ["/api/accounts", "/api/openapi.json", "/api/docs"] {
            let reply = rebound.request(Method::GET, path).bearer(&key).send().await;
            assert_eq!((reply.status, code_of(&reply).as_str()), (421, "misdirected"), "{host} {path}");
        }
        let reply = rebound.request(Method::POST, "/api/accounts").bearer(&key).json(&body).send().await;
        assert_eq!(reply.status, 421, "{host}");
    }
    // No browser may read an answer, or send what is not simple; and a simple request carries no key.
    let preflight = operator.request(Method::OPTIONS, "/api/accounts").header("Origin", "https://evil.example");
    let preflight = preflight.header("Access-Control-Request-Method", "POST").send().await;
    assert_eq!(preflight.status, 405);
    let simple = operator.request(Method::POST, "/api/accounts").header("Origin", "https://evil.example");
    let simple = simple.header("Content-Type", "text/plain").json(&body).send().await;
    assert_eq!(simple.status, 401);
    let read = operator.request(Method::GET, "/api/accounts").header("Origin", "https://evil.example").bearer(&key).send().await;
    for reply in [&preflight, &simple, &read] {
        assert!(reply.headers.iter().all(|(name, _)| !name.starts_with("access-control-")), "{reply:?}");
    }
    assert_eq!(read.json()["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn cve_2025_24030_the_admin_api_is_on_its_own_listener_alone() {
    let place = Place::on(Database::Sqlite).await;
    let key = key(&place, "admin", "admin").await;
    let before = place.upstream.count();

    for path in ["/api/accounts", "/api/openapi.json", "/auth/api/accounts", "/auth/../api/accounts", "/metrics", "/auth/metrics"] {
        let bytes = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n\r\n");
        let reply = Raw::exchange(place.gateway.public(), bytes).await;
        assert!((400..500).contains(&reply.status), "{path}: {}", reply.status);
        assert!(!reply.text().contains("next_cursor") && !reply.text().contains("doorward_build_info"), "{path}");
    }
    assert_eq!(place.upstream.count(), before);
    // And the other way: nothing of the public listener here.
    for path in ["/auth/login", "/", "/page"] {
        assert_eq!(place.gateway.operator().get(path).await.status, 404, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_45692_no_spelling_of_a_path_gets_round_the_key() {
    let place = Place::on(Database::Sqlite).await;
    let paths = [
        "/api/accounts",
        "//api/accounts",
        "/api//accounts",
        "/api/./accounts",
        "/api/accounts/",
        "/API/accounts",
        "/api/Accounts",
        "/metrics/../api/accounts",
        "/api/docs/../accounts",
        "/api/openapi.json/../accounts",
        "/api/%61ccounts",
        "/%61pi/accounts",
        "/api/accounts%2f",
        "/api/openapi.json%2f..%2faccounts",
        "/api\\accounts",
        "/api/accounts;x",
        "/api/accounts?x=/api/docs",
        "/api/accounts/index.json",
        "/api/openapi.json/accounts",
        "/healthz/../api/accounts",
        "http://localhost/api/accounts",
    ];
    for path in paths {
        for method in ["GET", "POST"] {
            let bytes = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
            let reply = Raw::exchange(place.gateway.admin(), bytes).await;
            assert!((400..500).contains(&reply.status), "{method} {path}: {}", reply.status);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_33503_a_forged_cursor_is_refused_in_every_listing() {
    let place = Place::on(Database::Sqlite).await;
    let desk = Desk::open(&place, "admin").await;
    for number in 0..3 {
        desk.post("/api/accounts", &json!({ "email": format!("p{number}@example.com") })).await;
        key(&place, &format!("k{number}"), "read").await;
    }
    let own = desk.get("/api/accounts?limit=1").await.json()["next_cursor"].as_str().unwrap().to_owned();
    let mut forged: Vec<String> = ["", ".", "..", "e30", "null", "-1", "%27%20OR%201%3D1%20--", "a%00b", "AAAA.AAAA", "MQ.", ".MQ", "%FF"]
        .into_iter()
        .map(str::to_owned)
        .filter(|text| !text.is_empty())
        .collect();
    // Every byte of a good one, changed; and a good one with something added or taken away.
    for place in 0..own.len() {
        let mut bytes = own.clone().into_bytes();
        bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
        forged.push(String::from_utf8(bytes).unwrap());
        forged.push(own[..place].to_owned());
    }
    forged.push(format!("{own}A"));
    forged.push(format!("{own}.{own}"));

    for listing in ["/api/accounts", "/api/sessions", "/api/apikeys", "/api/routes"] {
        for cursor in forged.iter().filter(|cursor| !cursor.is_empty()) {
            let reply = desk.get(&format!("{listing}?cursor={cursor}")).await;
            let is_refused = matches!((reply.status, code_of(&reply).as_str()), (400, "invalid_cursor") | (422, "invalid_query"));
            assert!(is_refused, "{listing} {cursor}: {}", reply.text());
        }
    }
    assert_eq!(desk.get(&format!("/api/accounts?limit=1&cursor={own}")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_40166_who_may_read_reads_no_secret() {
    const SECRET: &str = "a-secret-of-forty-characters-that-is-ours";
    let wants = Wants { sections: vec![("tokens", "secret = \"a-secret-of-forty-characters-that-is-ours\"")], ..Wants::default() };
    let place = Place::with(wants).await;
    let ada = place.sign_in("ada@example.com").await;
    let told = ada.post("/auth/totp/enroll", &json!({})).await.json();
    let totp = told["secret"].as_str().unwrap().to_owned();
    let admin = key(&place, "other", "admin").await;
    let desk = Desk::open(&place, "read").await;
    let account = desk.all("/api/accounts").await[0]["id"].as_str().unwrap().to_owned();
    let id = desk.all("/api/apikeys").await[0]["id"].as_str().unwrap().to_owned();

    let paths = [
        "/api/accounts",
        "/api/sessions",
        "/api/apikeys",
        "/api/routes",
        "/api/routes/wiki",
        "/api/limits",
        "/api/openapi.json",
        "/api/docs",
        &format!("/api/accounts/{account}"),
        &format!("/api/accounts/{account}/factor"),
        &format!("/api/apikeys/{id}"),
    ];
    for path in paths {
        let text = desk.get(path).await.text();
        for secret in [SECRET, ENCRYPTION_KEY, admin.as_str(), desk.key.as_str(), totp.as_str(), &ada.cookie(REFRESH).unwrap()] {
            assert!(!text.contains(secret), "{path} shows a secret");
        }
        for word in ["\"hash\"", "\"sealed\"", "family_key", "otpauth"] {
            assert!(!text.contains(word), "{path} has {word}");
        }
    }
    assert_eq!(desk.get(&format!("/api/apikeys/{id}")).await.json()["secret"], json!({ "set": true }));
}
