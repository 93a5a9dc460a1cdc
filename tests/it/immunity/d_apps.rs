//! D of the table, as far as apps go: what is good once is used once, and what was given to one app is of no use to another.

use http::Method;
use serde_json::json;
use tokio::task::JoinSet;

use crate::apps::Backend;
use crate::flow::place::{Database, Place, Wants};

async fn place() -> Place {
    Place::with(Wants { sections: vec![("limits", "app_verifications = 1000")], ..Wants::default() }).await
}

/// Zitadel and tinyauth let an artifact that is good once be used again, by who came at the same time.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2025_46815_what_is_good_once_is_used_once_however_many_present_it() {
    let place = Place::with(Wants {
        store: Database::Postgres.url(),
        sections: vec![("limits", "app_verifications = 1000"), ("otp", "attempts = 100")],
        ..Wants::default()
    })
    .await;
    let other = place.another_node().await;
    let shop = Backend::registered(&place, "shop");
    let (id, code) = shop.sent(&place, "ada", "ada@example.com").await;

    let mut all = JoinSet::new();
    for number in 0..40 {
        let there = if number % 2 == 0 { shop.at(&place.gateway) } else { shop.at(&other) };
        let body = if number % 4 < 2 { json!({ "challenge_id": id, "code": code }) } else { json!({ "subject": "ada", "code": code }) };
        all.spawn(async move { there.call(Method::POST, "/auth/api/code/verify", Some(&body)).await.status });
    }
    let statuses = all.join_all().await;

    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| [200, 401, 429].contains(status)), "{statuses:?}");
}

/// Pocket ID took a code that was given to another client.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_28513_what_one_app_was_given_is_worth_nothing_at_another() {
    let place = place().await;
    let (shop, bank) = (Backend::registered(&place, "shop"), Backend::registered(&place, "bank"));
    let phone = shop.enrolled("ada").await;
    assert_eq!(bank.register("ada").await.status, 201, "the same name, and another subject");
    let (id, code) = shop.sent(&place, "ada", "ada@example.com").await;
    let (own, _) = bank.sent(&place, "ada", "ada@example.com").await;

    for body in [
        json!({ "challenge_id": id, "code": code }),
        json!({ "challenge_id": own, "code": code }),
        json!({ "subject": "ada", "code": code }),
        json!({ "subject": "ada", "code": phone.code().await }),
    ] {
        assert_eq!(bank.verify(&body).await.status, 401, "{body}");
    }
    for proof in [json!({ "challenge_id": id, "code": code }), json!({ "code": code })] {
        assert_eq!(bank.recover("ada", &proof).await.status, 401, "{proof}");
    }
    assert_eq!(bank.enable("ada", &phone.code().await).await.status, 401);
    assert_eq!(shop.status("ada").await.json()["enabled"], true, "nothing of it has moved the first one's");
    assert_eq!(shop.verify(&json!({ "challenge_id": id, "code": code })).await.status, 200, "and its code is still good");
}
