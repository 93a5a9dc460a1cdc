//! Who may call the endpoints of apps, and with what.

use doorward::app::{ApiKey, ApiKeys, PlainKey};
use doorward::clock::{Clock, SystemClock};
use doorward::random::SystemEntropy;
use http::Method;
use serde_json::{Value, json};

use super::{Backend, assert_refused, done, store, strict_on};
use crate::flow::place::{Database, Place};
use crate::support::client::Reply;

/// Every endpoint, with a body that it takes.
fn endpoints() -> Vec<(Method, &'static str, Option<Value>)> {
    vec![
        (Method::POST, "/auth/api/code", Some(json!({ "subject": "ada", "channel": "email", "to": "ada@example.com" }))),
        (Method::POST, "/auth/api/code/verify", Some(json!({ "subject": "ada", "code": "123456" }))),
        (Method::POST, "/auth/api/otp", Some(json!({ "subject": "ada" }))),
        (Method::PUT, "/auth/api/otp/ada/enable", Some(json!({ "code": "123456" }))),
        (Method::DELETE, "/auth/api/otp/ada", Some(json!({ "code": "123456" }))),
        (Method::POST, "/auth/api/otp/ada/recover", Some(json!({ "code": "123456" }))),
        (Method::GET, "/auth/api/otp/ada", None),
    ]
}

async fn all(backend: &Backend) -> Vec<Reply> {
    let mut replies = Vec::new();
    for (method, path, body) in endpoints() {
        replies.push(backend.call(method, path, body.as_ref()).await);
    }
    replies
}

/// Who holds a key that is for these things.
async fn key_with(place: &Place, name: &str, scopes: &[&str]) -> Backend {
    let plain = PlainKey::draw(&SystemEntropy::default()).unwrap();
    let key = ApiKey {
        id: plain.id().clone(),
        hash: plain.hashed(),
        name: name.to_owned(),
        owner: None,
        scopes: scopes.iter().map(|scope| scope.parse().unwrap()).collect(),
        groups: Vec::new(),
        created_at: SystemClock.now(),
        expires_at: None,
        last_used_at: None,
        revoked_at: None,
    };
    assert!(ApiKeys::add(&store(place), &key, SystemClock.now()).await.unwrap());
    Backend::with(place, plain.expose())
}

#[tokio::test(flavor = "multi_thread")]
async fn only_an_apps_own_key_speaks_for_it() {
    let place = strict_on(Database::Sqlite).await;
    let shop = Backend::registered(&place, "shop");

    for (method, path, body) in endpoints() {
        let request = place.person().request(method, path).json(&body.unwrap_or_default()).send().await;
        assert_refused(&request, 401, "unauthenticated");
    }
    let mistyped = format!("{}x", &shop.key[..shop.key.len() - 1]);
    for nonsense in ["dwk_", "nonsense", mistyped.as_str(), "eyJhbGciOiJub25lIn0.e30."] {
        for reply in all(&Backend::with(&place, nonsense)).await {
            assert_refused(&reply, 401, "invalid_token");
        }
    }
    for (name, scopes) in [
        ("reader", vec!["read"]),
        ("administrator", vec!["admin"]),
        ("passer", vec!["route:wiki"]),
        ("of-no-app", vec!["app:unknown"]),
        ("of-two", vec!["app:shop", "app:unknown"]),
    ] {
        for reply in all(&key_with(&place, name, &scopes).await).await {
            assert_refused(&reply, 403, "insufficient_scope");
        }
    }
    let another = key_with(&place, "another-of-shop", &["app:shop", "read"]).await;
    assert_eq!(another.register("ada").await.status, 201, "a key that an operator makes for the app");

    let person = place.sign_in("ada@example.com").await;
    let signed_in = person.get("/auth/api/otp/ada").await;
    assert_refused(&signed_in, 401, "unauthenticated");
    let of_apps = place.mailbox.mails().iter().filter(|mail| mail.subject().contains("confirmation")).count();
    assert_eq!(of_apps, 0, "who is refused sends nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_is_removed_is_gone_at_once_and_a_new_one_of_its_name_is_another() {
    let place = strict_on(Database::Sqlite).await;
    let shop = Backend::registered(&place, "shop");
    let second = key_with(&place, "second", &["app:shop"]).await;
    shop.enrolled("ada").await;
    let (id, code) = shop.sent(&place, "ada", "ada@example.com").await;

    assert_eq!(done(&place.gateway, &["app", "remove", "shop", "--json"]), json!({ "removed": "shop" }));

    for gone in [&shop, &second] {
        for reply in all(gone).await {
            assert_refused(&reply, 401, "invalid_token");
        }
    }
    let new = Backend::registered(&place, "shop");
    assert_ne!(new.key, shop.key);
    assert_refused(&shop.status("ada").await, 401, "invalid_token");
    assert_refused(&new.status("ada").await, 404, "unknown_subject");
    assert_refused(&new.verify(&json!({ "challenge_id": id, "code": code })).await, 401, "invalid_code");
    assert_refused(&new.verify(&json!({ "subject": "ada", "code": code })).await, 401, "invalid_code");
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_read_strictly() {
    let place = strict_on(Database::Sqlite).await;
    let shop = Backend::registered(&place, "shop");

    for (method, path, body) in endpoints().into_iter().filter_map(|(method, path, body)| Some((method, path, body?))) {
        let mut more = body.clone();
        more["unknown"] = json!(1);
        assert_refused(&shop.call(method.clone(), path, Some(&more)).await, 422, "invalid_body");
        for (name, _) in body.as_object().unwrap() {
            for odd in [json!(7), json!([]), json!({}), json!(true)] {
                let mut wrong = body.clone();
                wrong[name] = odd;
                assert_refused(&shop.call(method.clone(), path, Some(&wrong)).await, 422, "invalid_body");
            }
        }
        for odd in [json!([]), json!(null), json!("x"), json!({})] {
            assert_refused(&shop.call(method.clone(), path, Some(&odd)).await, 422, "invalid_body");
        }
        let send = async |kind: &str, text: String| {
            let request = shop.client.request(method.clone(), path).bearer(&shop.key);
            request.header("Content-Type", kind).body(text).send().await
        };
        assert_refused(&send("text/plain", body.to_string()).await, 415, "unsupported_media_type");
        assert_refused(&send("application/json", "{".to_owned()).await, 400, "invalid_json");
        let large = json!({ "code": "1".repeat(16 * 1024), "subject": "ada", "channel": "email" }).to_string();
        assert_refused(&send("application/json", large).await, 413, "body_too_large");
    }
    for (method, path) in [(Method::GET, "/auth/api/code"), (Method::POST, "/auth/api/otp/ada"), (Method::GET, "/auth/api/otp/ada/enable")]
    {
        assert_eq!(shop.call(method, path, None).await.status, 405);
    }
    for path in ["/auth/api", "/auth/api/otp/", "/auth/api/otp/a/b", "/auth/api/code/"] {
        assert_eq!(shop.call(Method::GET, path, None).await.status, 404, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn in_development_the_reply_says_the_code() {
    let place = Place::with(crate::flow::place::Wants { sections: vec![("development", "enabled = true")], ..Default::default() }).await;
    let shop = Backend::registered(&place, "shop");

    let sent = shop.send("ada", "ada@example.com").await;

    assert_eq!((sent.status, sent.json()["message"].as_str()), (201, Some("Development: the code is 000000.")), "{}", sent.text());
    assert_eq!(shop.verify(&json!({ "subject": "ada", "code": "000000" })).await.status, 200);
}
