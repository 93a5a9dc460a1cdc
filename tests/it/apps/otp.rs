//! The authenticator of a subject, from its picture to its end; each step with what it refuses.

use http::Method;
use serde_json::json;
use tokio::task::JoinSet;

use super::{Backend, Phone, assert_refused, generous_on, lenient_on, on_each_database, strict_on};
use crate::flow::place::Database;
use crate::support::mariadb::MariaDb;
#[cfg(feature = "mongodb")]
use crate::support::mongo::MongoDb;
use crate::support::postgres::Postgres;

on_each_database!(
    the_whole_way_with_each_refusal,
    a_step_is_good_once_however_many_show_it,
    guesses_at_an_authenticator_end,
    subjects_are_what_the_app_calls_them,
    nothing_that_can_be_used_is_in_the_database,
);

async fn the_whole_way_with_each_refusal(database: Database) {
    let place = lenient_on(database).await;
    let (shop, bank) = (Backend::registered(&place, "shop"), Backend::registered(&place, "bank"));
    assert_refused(&shop.status("ada").await, 404, "unknown_subject");
    assert_refused(&shop.enable("ada", "123456").await, 404, "unknown_subject");
    assert_refused(&shop.disable("ada", "123456").await, 404, "unknown_subject");
    assert_refused(&shop.recover("ada", &json!({ "code": "123456" })).await, 404, "unknown_subject");

    // Registered.
    let forgotten = Phone::scanned(&shop.register("ada").await.json());
    let labelled = shop.post("/auth/api/otp", &json!({ "subject": "ada", "label": "Ada Lövelace" })).await;
    assert_eq!(labelled.status, 201, "one that never counted is replaced: {}", labelled.text());
    let url = labelled.json()["otpauth_url"].as_str().unwrap().to_owned();
    assert!(url.starts_with("otpauth://totp/shop:Ada%20L%C3%B6velace?") && url.contains("issuer=shop"), "{url}");
    let phone = Phone::scanned(&labelled.json());
    let status = shop.status("ada").await;
    assert_eq!((status.status, &status.json()["enabled"], &status.json()["method"]), (200, &json!(false), &json!("totp")));
    assert_eq!(status.json()["last_used_at"], json!(null));

    // Enabled.
    assert_refused(&shop.enable("ada", &phone.wrong()).await, 401, "invalid_code");
    assert_refused(&shop.enable("ada", &forgotten.code().await).await, 401, "invalid_code");
    assert_refused(&bank.enable("ada", &phone.wrong()).await, 404, "unknown_subject");
    assert_refused(&shop.verify(&json!({ "subject": "ada", "code": phone.wrong() })).await, 401, "invalid_code");
    let code = phone.code().await;
    let enabled = shop.enable("ada", &code).await;
    assert_eq!((enabled.status, &enabled.json()["enabled"]), (200, &json!(true)), "{}", enabled.text());
    assert_refused(&shop.enable("ada", &phone.wrong()).await, 409, "already_enabled");
    assert_refused(&shop.register("ada").await, 409, "already_enabled");
    let status = shop.status("ada").await.json();
    assert!(status["enabled"] == true && status["created_at"].is_string() && status["last_used_at"].is_string(), "{status}");
    assert_eq!(status.as_object().unwrap().len(), 4, "{status}");

    // Used.
    assert_refused(&shop.verify(&json!({ "subject": "ada", "code": code })).await, 401, "invalid_code");
    let code = phone.code().await;
    assert_refused(&bank.verify(&json!({ "subject": "ada", "code": code })).await, 401, "invalid_code");
    assert_eq!(shop.verify(&json!({ "subject": "ada", "code": code })).await.status, 200);
    assert_refused(&shop.verify(&json!({ "subject": "ada", "code": code })).await, 401, "invalid_code");
    let (_, sent) = shop.sent(&place, "ada", "ada@example.com").await;
    assert_eq!(shop.verify(&json!({ "subject": "ada", "code": sent })).await.status, 200, "a code that was sent is good too");

    // Recovered: the phone is gone, a code that was sent is the proof.
    let (id, sent) = shop.sent(&place, "ada", "ada@example.com").await;
    let (other, of_bob) = shop.sent(&place, "bob", "bob@example.com").await;
    for no_proof in [
        json!({ "code": phone.wrong() }),
        json!({ "challenge_id": other, "code": of_bob }),
        json!({ "challenge_id": "unknown", "code": sent }),
    ] {
        assert_refused(&shop.recover("ada", &no_proof).await, 401, "invalid_code");
    }
    assert_eq!(shop.status("ada").await.json()["enabled"], true);
    let recovered = shop.recover("ada", &json!({ "challenge_id": id, "code": sent })).await;
    assert_eq!(recovered.status, 200, "{}", recovered.text());
    let new = Phone::scanned(&recovered.json());
    assert_ne!(new.app.bytes(), phone.app.bytes());
    assert_eq!(shop.status("ada").await.json()["enabled"], false, "the old one counts no more");
    assert_refused(&shop.recover("ada", &json!({ "challenge_id": id, "code": sent })).await, 401, "invalid_code");
    assert_refused(&shop.enable("ada", &phone.code().await).await, 401, "invalid_code");
    assert_eq!(shop.enable("ada", &new.code().await).await.status, 200);

    // Disabled.
    assert_refused(&shop.disable("ada", &new.wrong()).await, 401, "invalid_code");
    assert_refused(&bank.disable("ada", &new.wrong()).await, 404, "unknown_subject");
    let code = new.code().await;
    let disabled = shop.disable("ada", &code).await;
    assert_eq!((disabled.status, &disabled.json()["enabled"]), (200, &json!(false)), "{}", disabled.text());
    assert_refused(&shop.disable("ada", &code).await, 404, "unknown_subject");
    assert_refused(&shop.verify(&json!({ "subject": "ada", "code": code })).await, 401, "invalid_code");
    let status = shop.status("ada").await;
    let nothing = json!({ "enabled": false, "method": null, "created_at": null, "last_used_at": null });
    assert_eq!((status.status, status.json()), (200, nothing));
    assert_eq!(shop.register("ada").await.status, 201, "and it begins anew");
}

async fn a_step_is_good_once_however_many_show_it(database: Database) {
    let place = generous_on(database).await;
    let shop = Backend::registered(&place, "shop");
    let node = place.another_node().await;
    let phone = shop.enrolled("ada").await;
    let code = phone.code().await;

    let mut all = JoinSet::new();
    for number in 0..5 {
        let there = if number % 2 == 0 { shop.at(&place.gateway) } else { shop.at(&node) };
        let body = json!({ "subject": "ada", "code": code });
        all.spawn(
            async move { there.client.request(Method::POST, "/auth/api/code/verify").bearer(&there.key).json(&body).send().await.status },
        );
    }
    let statuses = all.join_all().await;

    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
}

async fn guesses_at_an_authenticator_end(database: Database) {
    let place = strict_on(database).await;
    let shop = Backend::registered(&place, "shop");
    let phone = shop.enrolled("ada").await;

    for _ in 0..2 {
        assert_refused(&shop.disable("ada", &phone.wrong()).await, 401, "invalid_code");
    }
    for _ in 0..3 {
        assert_refused(&shop.verify(&json!({ "subject": "ada", "code": phone.wrong() })).await, 401, "invalid_code");
    }
    let code = phone.code().await;
    for _ in 0..2 {
        assert_refused(&shop.verify(&json!({ "subject": "ada", "code": code })).await, 429, "too_many_attempts");
        assert_refused(&shop.disable("ada", &code).await, 429, "too_many_attempts");
    }
    assert_refused(&shop.disable("ada", &code).await, 429, "limit_reached");
    assert_eq!(shop.status("ada").await.json()["enabled"], true);
}

async fn subjects_are_what_the_app_calls_them(database: Database) {
    let place = generous_on(database).await;
    let shop = Backend::registered(&place, "shop");
    let longest = "\u{1f98a}".repeat(256);
    let odd = [
        ("ada@example.com", "ada@example.com"),
        ("a/b", "a%2Fb"),
        ("a%2Fb", "a%252Fb"),
        (" ", "%20"),
        ("A+b?c#d;e", "A+b%3Fc%23d;e"),
        ("\u{e4}", "%C3%A4"),
        (longest.as_str(), "%F0%9F%A6%8A"),
    ];

    for (subject, in_path) in odd {
        let in_path = if subject == longest { in_path.repeat(256) } else { in_path.to_owned() };
        let told = shop.register(subject).await;
        assert_eq!(told.status, 201, "{subject:?}: {}", told.text());
        Phone::scanned(&told.json());
        let status = shop.status(&in_path).await;
        assert_eq!((status.status, &status.json()["method"]), (200, &json!("totp")), "{subject:?}");
    }

    for near in ["Ada@example.com", "ada@example.com%20", "a", "%C3%84", "a%CC%88"] {
        assert_refused(&shop.status(near).await, 404, "unknown_subject");
    }
    for none in ["%00", "a%0Ab", "%7F", "%FF", &"a".repeat(257)] {
        assert_refused(&shop.status(none).await, 422, "invalid_subject");
    }
    for none in ["", "a\nb", "\0", &"a".repeat(257)] {
        assert_refused(&shop.register(none).await, 422, "invalid_subject");
        assert_refused(&shop.send(none, "ada@example.com").await, 422, "invalid_subject");
        assert_refused(&shop.verify(&json!({ "subject": none, "code": "1" })).await, 422, "invalid_subject");
    }
    let log = place.gateway.log();
    assert!(log.contains("/auth/api/otp/{subject}") && !log.contains("@example.com") && !log.contains("%F0"), "a subject is in no log");
    for label in ["", "a\nb", &"a".repeat(65)] {
        let told = shop.post("/auth/api/otp", &json!({ "subject": "x", "label": label })).await;
        assert_refused(&told, 422, "invalid_body");
    }
}

async fn nothing_that_can_be_used_is_in_the_database(database: Database) {
    let place = generous_on(database).await;
    let shop = Backend::registered(&place, "shop");
    let told = shop.register("customer-7").await.json();
    let (id, code) = shop.sent(&place, "customer-7", "ada@example.com").await;

    let dump = match database {
        Database::Sqlite => {
            let file = place.wants.store.trim_start_matches("sqlite:");
            let parts = ["", "-wal"].map(|end| std::fs::read(format!("{file}{end}")).unwrap_or_default());
            String::from_utf8_lossy(&parts.concat()).into_owned()
        }
        Database::Postgres => Postgres::shared().dump(&place.wants.store),
        Database::MariaDb => MariaDb::shared().dump(&place.wants.store),
        #[cfg(feature = "mongodb")]
        Database::MongoDb => MongoDb::shared().dump(&place.wants.store),
    };

    assert!(dump.contains("customer-7"), "it is the right database");
    for secret in [told["secret"].as_str().unwrap(), &id, &shop.key, "ada@example.com"] {
        assert!(!dump.contains(secret), "{secret} is in the database");
    }
    let mut words = dump.split(|c: char| !c.is_ascii_alphanumeric());
    assert!(!words.any(|word| word == code), "the code is in the database");
}
