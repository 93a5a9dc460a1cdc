//! Codes that an app has sent, and what comes back.

use http::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{Backend, assert_refused, generous_on, on_each_database, strict_on};
use crate::flow::place::{Database, Place, Wants, wrong};
use crate::support::wait;

on_each_database!(
    a_code_is_sent_and_is_good_once,
    a_code_goes_where_the_last_one_went,
    a_code_of_one_app_is_worth_nothing_at_another,
    five_hundred_guesses_at_once_are_five,
    asking_again_gives_no_more_guesses,
    more_than_a_minute_allows_is_refused,
);

async fn a_code_is_sent_and_is_good_once(database: Database) {
    let place = generous_on(database).await;
    let shop = Backend::registered(&place, "shop");

    let sent = shop.send("customer-7", "Ada@Example.com ").await;
    assert_eq!(sent.status, 201, "{}", sent.text());
    assert_eq!(sent.header("cache-control").as_deref(), Some("no-store"));
    let told = sent.json();
    assert_eq!((&told["expires_in"], &told["masked_to"]), (&json!(600), &json!("a***@example.com")));
    assert_eq!(told.as_object().unwrap().len(), 3, "{told}");
    let mail = place.mailbox.wait_for("ada@example.com").await;
    let code = mail.code();
    assert!(mail.subject().ends_with("is your confirmation code from Doorward"), "{}", mail.subject());

    let of = |code: &str| json!({ "challenge_id": told["challenge_id"], "code": code });
    assert_refused(&shop.verify(&of(&wrong(&code))).await, 401, "invalid_code");
    assert_refused(&shop.verify(&of("")).await, 401, "invalid_code");
    let verified = shop.verify(&of(&format!(" {code} "))).await;
    assert_eq!((verified.status, verified.json()), (200, json!({ "verified": true })));
    assert_refused(&shop.verify(&of(&code)).await, 401, "invalid_code");
    assert_refused(&shop.verify(&json!({ "challenge_id": "unknown", "code": code })).await, 401, "invalid_code");

    let (id, code) = shop.sent(&place, "customer-7", "ada@example.com").await;
    let (_, later) = shop.sent(&place, "customer-7", "ada@example.com").await;
    assert_eq!(shop.verify(&json!({ "subject": "customer-7", "code": code })).await.status, 200, "the earlier one lives on");
    assert_refused(&shop.verify(&json!({ "challenge_id": id, "code": code })).await, 401, "invalid_code");
    let other = json!({ "challenge_id": id, "subject": "customer-8", "code": later });
    assert_refused(&shop.verify(&other).await, 401, "invalid_code");
    assert_eq!(shop.verify(&json!({ "subject": "customer-7", "code": later })).await.status, 200);
    assert_refused(&shop.verify(&json!({ "subject": "customer-7", "code": later })).await, 401, "invalid_code");
    assert_refused(&shop.verify(&json!({ "subject": "nobody", "code": later })).await, 401, "invalid_code");
    assert!(!place.gateway.log().contains(&later) && !place.gateway.log().contains("ada@example.com"), "nothing of it is in the log");
}

async fn a_code_goes_where_the_last_one_went(database: Database) {
    let place = generous_on(database).await;
    let shop = Backend::registered(&place, "shop");
    let without = |subject: &str| json!({ "subject": subject, "channel": "email" });

    assert_refused(&shop.post("/auth/api/code", &without("customer-7")).await, 422, "address_needed");
    shop.sent(&place, "customer-7", "ada@example.com").await;
    assert_eq!(shop.post("/auth/api/code", &without("customer-7")).await.status, 201);
    place.mailbox.wait_for_nth("ada@example.com", 2).await;
    shop.sent(&place, "customer-7", "bob@example.com").await;
    assert_eq!(shop.post("/auth/api/code", &without("customer-7")).await.status, 201);
    place.mailbox.wait_for_nth("bob@example.com", 2).await;
    assert_eq!(place.mailbox.mails_to("ada@example.com").len(), 2);

    let own = shop.post("/auth/api/code", &without("Eve@example.com")).await;
    assert_eq!((own.status, own.json()["masked_to"].as_str()), (201, Some("e***@example.com")), "a subject may be an address");
    place.mailbox.wait_for("eve@example.com").await;

    let addressed = |to: &str, channel: &str| json!({ "subject": "customer-7", "channel": channel, "to": to });
    for odd in ["", "ada", "a@b@example.com", "ada@example.com,eve@evil.example", "\"e@evil.example\"@example.com", "+4915112345678"] {
        assert_refused(&shop.post("/auth/api/code", &addressed(odd, "email")).await, 422, "invalid_address");
    }
    assert_refused(&shop.post("/auth/api/code", &addressed("+4915112345678", "sms")).await, 422, "channel_unavailable");
    assert_refused(&shop.post("/auth/api/code", &addressed("ada@example.com", "pigeon")).await, 422, "invalid_body");
}

async fn a_code_of_one_app_is_worth_nothing_at_another(database: Database) {
    let place = generous_on(database).await;
    let (shop, bank) = (Backend::registered(&place, "shop"), Backend::registered(&place, "bank"));

    let (id, code) = shop.sent(&place, "ada", "ada@example.com").await;

    assert_refused(&bank.verify(&json!({ "challenge_id": id, "code": code })).await, 401, "invalid_code");
    assert_refused(&bank.verify(&json!({ "subject": "ada", "code": code })).await, 401, "invalid_code");
    let unknown = bank.post("/auth/api/code", &json!({ "subject": "ada", "channel": "email" })).await;
    assert_refused(&unknown, 422, "address_needed");
    for _ in 0..20 {
        assert_refused(&bank.verify(&json!({ "challenge_id": id, "code": wrong(&code) })).await, 401, "invalid_code");
    }
    assert_refused(&shop.verify(&json!({ "subject": "ADA", "code": code })).await, 401, "invalid_code");
    assert_eq!(shop.verify(&json!({ "challenge_id": id, "code": code })).await.status, 200, "the other's guesses took nothing");
}

/// So many guesses at once; the statuses.
async fn guesses(shop: &Backend, count: usize, body: &Value) -> Vec<u16> {
    let mut all = JoinSet::new();
    for _ in 0..count {
        let (key, client, body) = (shop.key.clone(), shop.client.copy(), body.clone());
        all.spawn(async move { client.request(Method::POST, "/auth/api/code/verify").bearer(&key).json(&body).send().await.status });
    }
    all.join_all().await
}

fn count(statuses: &[u16], status: u16) -> usize {
    statuses.iter().filter(|it| **it == status).count()
}

async fn five_hundred_guesses_at_once_are_five(database: Database) {
    let place = generous_on(database).await;
    let shop = Backend::registered(&place, "shop");
    let (id, code) = shop.sent(&place, "ada", "ada@example.com").await;

    let statuses = guesses(&shop, 500, &json!({ "challenge_id": id, "code": wrong(&code) })).await;

    assert_eq!((count(&statuses, 401), count(&statuses, 429)), (5, 495), "{statuses:?}");
    assert_refused(&shop.verify(&json!({ "challenge_id": id, "code": code })).await, 429, "too_many_attempts");

    let (_, code) = shop.sent(&place, "bob", "bob@example.com").await;
    let statuses = guesses(&shop, 500, &json!({ "subject": "bob", "code": wrong(&code) })).await;
    assert_eq!((count(&statuses, 401), count(&statuses, 429)), (5, 495), "{statuses:?}");
    assert_refused(&shop.verify(&json!({ "subject": "bob", "code": code })).await, 429, "too_many_attempts");

    let (id, code) = shop.sent(&place, "eve", "eve@example.com").await;
    let statuses = guesses(&shop, 100, &json!({ "challenge_id": id, "code": code })).await;
    assert_eq!(count(&statuses, 200), 1, "{statuses:?}");
}

async fn asking_again_gives_no_more_guesses(database: Database) {
    let place = generous_on(database).await;
    let shop = Backend::registered(&place, "shop");
    let mut evaluated = 0;

    for _ in 0..4 {
        let (id, code) = shop.sent(&place, "ada", "ada@example.com").await;
        evaluated += count(&guesses(&shop, 10, &json!({ "challenge_id": id, "code": wrong(&code) })).await, 401);
    }

    assert_eq!(evaluated, 10, "ten failures an hour");
    let (id, code) = shop.sent(&place, "ada", "ada@example.com").await;
    assert_refused(&shop.verify(&json!({ "challenge_id": id, "code": code })).await, 429, "too_many_attempts");
    let (id, code) = shop.sent(&place, "bob", "ada@example.com").await;
    assert_eq!(shop.verify(&json!({ "challenge_id": id, "code": code })).await.status, 200, "another subject is another");
}

async fn more_than_a_minute_allows_is_refused(database: Database) {
    let place = strict_on(database).await;
    let shop = Backend::registered(&place, "shop");

    for _ in 0..5 {
        shop.sent(&place, "ada", "ada@example.com").await;
    }
    assert_refused(&shop.send("ada", "ada@example.com").await, 429, "limit_reached");
    assert_refused(&shop.send("ada", "another@example.com").await, 429, "limit_reached");
    let (id, code) = shop.sent(&place, "bob", "bob@example.com").await;
    for _ in 0..5 {
        assert_refused(&shop.verify(&json!({ "challenge_id": id, "code": wrong(&code) })).await, 401, "invalid_code");
    }
    for _ in 0..5 {
        assert_refused(&shop.verify(&json!({ "challenge_id": id, "code": code })).await, 429, "too_many_attempts");
    }
    assert_refused(&shop.verify(&json!({ "challenge_id": id, "code": code })).await, 429, "limit_reached");
    assert_eq!(place.mailbox.mails_to("another@example.com").len(), 0, "nothing is sent when it is refused");
}

/// The provider is the app behind the gateway: it remembers what it was sent.
const PROVIDER: &str = r#"
[[delivery.sms]]
kind = "webhook"
url = "UPSTREAM/sms"
secret = "a secret that is long enough for a webhook"
allow_private = true
"#;

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_cost_money_are_counted_with_those_of_signing_in() {
    let sections = vec![("limits", "sms_countries = [\"DE\"]\nsms_per_day = 4\napp_sms = 3")];
    let place = Place::with(Wants { sections, routes: PROVIDER, ..Wants::default() }).await;
    let shop = Backend::registered(&place, "shop");
    let send =
        async |subject: &str, to: &str| shop.post("/auth/api/code", &json!({ "subject": subject, "channel": "sms", "to": to })).await;
    let bodies = || {
        let messages = place.upstream.received().into_iter().filter(|received| received.target() == "/sms");
        messages.map(|message| serde_json::from_slice::<Value>(&message.body).unwrap()).collect::<Vec<_>>()
    };

    let sent = send("ada", "+49 (151) 1234-5678").await;
    assert_eq!((sent.status, sent.json()["masked_to"].as_str()), (201, Some("+49*********78")), "{}", sent.text());
    wait::until_async("a message", std::time::Duration::from_secs(20), async || (bodies().len() == 1).then_some(())).await;
    let body = bodies().remove(0);
    assert_eq!((&body["to"], &body["purpose"]), (&json!("+4915112345678"), &json!("app")));
    let right = json!({ "subject": "ada", "code": body["code"] });
    assert_eq!(shop.verify(&right).await.status, 200);
    assert_refused(&send("ada", "+12025550123").await, 422, "country_not_allowed");

    assert_eq!(send("ada", "+4915112345678").await.status, 201);
    assert_eq!(send("ada", "+4915112345678").await.status, 201);
    assert_refused(&send("ada", "+4915112345678").await, 429, "limit_reached");
    assert_eq!(send("bob", "+4915112345679").await.status, 201);
    assert_refused(&send("eve", "+4915112345670").await, 429, "limit_reached");
    let asked = place.person().post("/auth/request-otp", &json!({ "phone": "+4915112345671", "channel": "sms" })).await;
    assert_refused(&asked, 429, "limit_reached");
}
