//! Who may do what in the admin API, and where it is.

use reqwest::Method;
use serde_json::json;

use super::desk::{Desk, code_of, key};
use crate::flow::place::{Database, Place, Wants};
use crate::support::client::Person;

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_may_read_changes_nothing_and_other_keys_are_nobody() {
    let place = Place::on(Database::Sqlite).await;
    let (read, admin) = (Desk::open(&place, "read").await, Desk::open(&place, "admin").await);
    let made = admin.post("/api/accounts", &json!({ "email": "ada@example.com" })).await;
    let path = made.header("location").unwrap();

    for get in ["/api/accounts", path.as_str(), "/api/sessions", "/api/apikeys", "/api/routes", "/api/limits"] {
        assert_eq!(read.get(get).await.status, 200, "{get}");
    }
    for (method, path) in [
        (Method::POST, "/api/accounts".to_owned()),
        (Method::PATCH, path.clone()),
        (Method::DELETE, path.clone()),
        (Method::POST, format!("{path}/disable")),
        (Method::DELETE, format!("{path}/sessions")),
        (Method::POST, "/api/apikeys".to_owned()),
        (Method::DELETE, "/api/sessions/x".to_owned()),
    ] {
        let reply = read.send(method.clone(), &path, Some(&json!({ "email": "eve@example.com" })), &[]).await;
        assert_eq!((reply.status, code_of(&reply).as_str()), (403, "insufficient_scope"), "{method} {path}");
    }
    assert_eq!(admin.all("/api/accounts").await.len(), 1);

    let route = key(&place, "passes", "route:wiki").await;
    let operator = place.gateway.operator();
    let reply = operator.request(Method::GET, "/api/accounts").bearer(&route).send().await;
    assert_eq!((reply.status, code_of(&reply).as_str()), (403, "insufficient_scope"));
    let wanted = |scope: &str| Some(format!(r#"Bearer realm="doorward", error="insufficient_scope", scope="{scope}""#));
    assert_eq!(reply.header("www-authenticate"), wanted("read"));
    let reply = operator.request(Method::DELETE, "/api/accounts/x").bearer(&route).send().await;
    assert_eq!((reply.status, reply.header("www-authenticate")), (403, wanted("admin")));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_good_key_nobody_gets_anything_and_all_are_answered_alike() {
    let place = Place::on(Database::Sqlite).await;
    let person = place.sign_in("ada@example.com").await;
    let operator = place.gateway.operator();
    let good = key(&place, "good", "admin").await;
    let mut mistyped = good.clone();
    mistyped.pop();

    let nothing = operator.get("/api/accounts").await;
    assert_eq!((nothing.status, code_of(&nothing).as_str()), (401, "unauthenticated"));
    assert_eq!(nothing.header("www-authenticate").as_deref(), Some(r#"Bearer realm="doorward""#));
    for wrong in [mistyped.as_str(), "x", "dwk_", "dwk_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "' OR 1=1 --"] {
        let reply = operator.request(Method::GET, "/api/accounts").bearer(wrong).send().await;
        assert_eq!((reply.status, code_of(&reply).as_str()), (401, "invalid_token"), "{wrong}");
        assert_eq!(reply.header("www-authenticate").as_deref(), Some(r#"Bearer realm="doorward", error="invalid_token""#));
    }
    // A person who is signed in is no operator, with cookies or with a token.
    let access = person.cookie(crate::flow::place::ACCESS).unwrap();
    let with_cookies = person.copy_at(place.gateway.admin()).get("/api/accounts").await;
    assert_eq!(with_cookies.status, 401);
    assert_eq!(operator.request(Method::GET, "/api/accounts").bearer(&access).send().await.status, 401);
    let basic = operator.request(Method::GET, "/api/accounts").header("Authorization", "Basic eDp5").send().await;
    assert_eq!(basic.status, 401);

    // Revoked: at the next request.
    let reply = operator.request(Method::GET, "/api/accounts").bearer(&good).send().await;
    assert_eq!(reply.status, 200);
    let desk = Desk::open(&place, "admin").await;
    let keys = desk.all("/api/apikeys").await;
    let id = keys.iter().find(|key| key["name"] == "good").unwrap()["id"].as_str().unwrap().to_owned();
    assert_eq!(desk.delete(&format!("/api/apikeys/{id}")).await.status, 204);
    assert_eq!(operator.request(Method::GET, "/api/accounts").bearer(&good).send().await.status, 401);
    assert_eq!(desk.delete(&format!("/api/apikeys/{id}")).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_made_and_rotated_and_shown_once() {
    let place = Place::on(Database::Sqlite).await;
    let desk = Desk::open(&place, "admin").await;

    let made = desk.post("/api/apikeys", &json!({ "name": "ci", "scopes": ["read"], "owner": "Ada", "expires_in": 3600 })).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let (path, text) = (made.header("location").unwrap(), made.json()["key"].as_str().unwrap().to_owned());
    let shown = desk.get(&path).await;
    assert_eq!((shown.json()["secret"].clone(), shown.json()["scopes"].clone()), (json!({ "set": true }), json!(["read"])));
    assert_eq!(code_of(&desk.post("/api/apikeys", &json!({ "name": "ci", "scopes": ["read"] })).await), "taken");

    let next = desk.post(&format!("{path}/rotate"), &json!({ "grace": 0 })).await;
    assert_eq!(next.status, 201, "{}", next.text());
    let new = next.json()["key"].as_str().unwrap().to_owned();
    let operator = place.gateway.operator();
    assert_eq!(operator.request(Method::GET, "/api/limits").bearer(&text).send().await.status, 401);
    assert_eq!(operator.request(Method::GET, "/api/limits").bearer(&new).send().await.status, 200);

    for body in [
        json!({ "name": "a b", "scopes": ["read"] }),
        json!({ "name": "x", "scopes": [] }),
        json!({ "name": "x", "scopes": ["everything"] }),
        json!({ "name": "x", "scopes": ["read"], "expires_in": 0 }),
    ] {
        assert_eq!(code_of(&desk.post("/api/apikeys", &body).await), "invalid_api_key", "{body}");
    }
    let everything = [desk.get("/api/apikeys").await.text(), desk.get(&path).await.text(), place.gateway.log()].concat();
    assert!(!everything.contains(&text) && !everything.contains(&new));
}

#[tokio::test(flavor = "multi_thread")]
async fn routes_and_limits_are_shown_as_they_count() {
    let wants = Wants { sections: vec![("limits", "sms_countries = [\"DE\"]\nsms_per_day = 7")], ..Wants::default() };
    let place = Place::with(wants).await;
    let desk = Desk::open(&place, "read").await;

    let routes = desk.all("/api/routes").await;
    assert_eq!(routes.iter().map(|route| route["name"].as_str().unwrap()).collect::<Vec<_>>(), ["open", "wiki"]);
    assert_eq!(desk.get("/api/routes/wiki").await.json(), routes[1]);
    assert_eq!(routes[1]["rules"][0]["require"], "session");
    assert_eq!(desk.get("/api/routes/nothing").await.status, 404);
    let limits = desk.get("/api/limits").await.json();
    assert_eq!(limits["sms_today"], json!({ "sent": 0, "left": 7 }));
    assert_eq!(limits["settings"]["sms_countries"], json!(["DE"]));
    let of_apps = ["app_codes", "app_email", "app_sms", "app_whatsapp", "app_verifications"].map(|name| limits["settings"][name].clone());
    assert_eq!(of_apps, [5, 5, 3, 3, 10].map(|count| json!(count)));
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_are_listed_shown_and_ended() {
    let place = Place::on(Database::Sqlite).await;
    let (ada, grace) = (place.sign_in("ada@example.com").await, place.sign_in("grace@example.com").await);
    let second = place.sign_in("ada@example.com").await;
    let desk = Desk::open(&place, "admin").await;
    let account = desk.all("/api/accounts?email=ada@example.com").await[0]["id"].as_str().unwrap().to_owned();

    assert_eq!(desk.all("/api/sessions").await.len(), 3);
    let own = desk.all(&format!("/api/sessions?account={account}")).await;
    assert_eq!(own.len(), 2);
    let current = second.get("/auth/session").await.json()["sid"].as_str().unwrap().to_owned();
    let shown = desk.get(&format!("/api/sessions/{current}")).await.json();
    assert!(own.contains(&shown));

    assert_eq!(desk.delete(&format!("/api/sessions/{current}")).await.status, 204);
    assert_eq!(second.get("/").await.status, 401);
    assert_eq!(ada.get("/").await.status, 200);
    for reply in [desk.delete(&format!("/api/sessions/{current}")).await, desk.get(&format!("/api/sessions/{current}")).await] {
        assert_eq!(reply.status, 404);
    }
    let ended = desk.delete(&format!("/api/accounts/{account}/sessions")).await;
    assert_eq!((ended.status, ended.json()), (200, json!({ "ended": 1 })));
    assert_eq!(ada.get("/").await.status, 401);
    assert_eq!(grace.get("/").await.status, 200);
    assert_eq!(desk.delete("/api/accounts/nobody/sessions").await.status, 404);
    for (method, path) in [(Method::GET, "/api/accounts/nobody/factor"), (Method::DELETE, "/api/accounts/nobody/factor")] {
        assert_eq!(desk.send(method, path, None, &[]).await.status, 404);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_and_the_documents_are_there_for_who_reaches_the_listener() {
    let place = Place::on(Database::Sqlite).await;
    let operator: Person = place.gateway.operator();

    let page = operator.get("/api/docs").await;
    assert_eq!(page.status, 200);
    assert!(page.text().contains("/api/accounts/{id}"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    let document = operator.get("/api/openapi.json").await.json();
    assert_eq!(document["openapi"], "3.1.0");
    let public = place.person().get("/auth/openapi.json").await.json();
    assert!(public["paths"]["/auth/verify-otp"]["post"].is_object());
}
