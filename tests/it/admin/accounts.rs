//! `/api/accounts`, over HTTP, on the real program.

use reqwest::Method;
use serde_json::{Value, json};

use super::desk::{Desk, code_of};
use crate::flow::place::{Database, Place, on_each_database};

async fn an_account_is_made_read_changed_listed_disabled_and_removed(database: Database) {
    let place = Place::on(database).await;
    let desk = Desk::open(&place, "admin").await;

    let made = desk
        .post("/api/accounts", &json!({ "email": "Ada@Example.com", "username": "ada", "groups": ["staff"], "claims": { "floor": 3 } }))
        .await;
    assert_eq!(made.status, 201, "{}", made.text());
    let account = made.json();
    let path = made.header("location").unwrap();
    assert_eq!(path, format!("/api/accounts/{}", account["id"].as_str().unwrap()));
    assert_eq!((&account["email"], &account["email_verified"]), (&json!("ada@example.com"), &json!(false)));
    assert_eq!(desk.get(&path).await.json(), account);
    assert_eq!(made.header("etag"), desk.get(&path).await.header("etag"));

    let taken = desk.post("/api/accounts", &json!({ "email": "ada@example.com" })).await;
    assert_eq!((taken.status, code_of(&taken).as_str()), (409, "taken"));
    let taken = desk.post("/api/accounts", &json!({ "email": "other@example.com", "username": "ADA" })).await;
    assert_eq!((taken.status, code_of(&taken).as_str()), (409, "taken"));

    let patch = json!({ "name": "Ada", "groups": ["staff", "admins"], "email_verified": true, "claims": { "floor": null, "desk": "4b" } });
    let changed = desk.send(Method::PATCH, &path, Some(&patch), &[("If-Match", &made.header("etag").unwrap())]).await;
    assert_eq!(changed.status, 200, "{}", changed.text());
    let account = changed.json();
    assert_eq!(account["groups"], json!(["staff", "admins"]));
    assert_eq!(account["claims"], json!({ "desk": "4b" }));
    assert_eq!((&account["email_verified"], &account["name"]), (&json!(true), &json!("Ada")));

    let stale = desk.send(Method::PATCH, &path, Some(&patch), &[("If-Match", &made.header("etag").unwrap())]).await;
    assert_eq!((stale.status, code_of(&stale).as_str()), (412, "precondition_failed"));
    let stale = desk.send(Method::DELETE, &path, None, &[("If-Match", &made.header("etag").unwrap())]).await;
    assert_eq!(stale.status, 412);

    let disabled = desk.post(&format!("{path}/disable"), &json!({})).await;
    assert!(disabled.json()["disabled_at"].is_string(), "{}", disabled.text());
    assert_eq!(desk.all("/api/accounts?disabled=true").await.len(), 1);
    let enabled = desk.post(&format!("{path}/enable"), &json!({})).await;
    assert_eq!(enabled.json()["disabled_at"], Value::Null);

    let gone = desk.send(Method::DELETE, &path, None, &[("If-Match", &enabled.header("etag").unwrap())]).await;
    assert_eq!(gone.status, 204);
    for reply in [desk.get(&path).await, desk.patch(&path, &json!({})).await, desk.delete(&path).await] {
        assert_eq!((reply.status, code_of(&reply).as_str()), (404, "not_found"));
    }
    for verb in ["disable", "enable"] {
        assert_eq!(desk.post(&format!("{path}/{verb}"), &json!({})).await.status, 404);
    }
}

async fn accounts_are_listed_page_by_page_and_by_what_is_asked(database: Database) {
    let place = Place::on(database).await;
    let desk = Desk::open(&place, "admin").await;
    for number in 0..7 {
        let group = if number % 2 == 0 { "even" } else { "odd" };
        let body = json!({ "email": format!("p{number}@example.com"), "username": format!("p{number}"), "groups": [group] });
        assert_eq!(desk.post("/api/accounts", &body).await.status, 201);
    }

    let all = desk.all("/api/accounts").await;
    let ids: Vec<&str> = all.iter().map(|account| account["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 7);
    assert!(ids.is_sorted());
    assert_eq!(desk.all("/api/accounts?group=even").await.len(), 4);
    assert_eq!(desk.all("/api/accounts?group=odd").await.len(), 3);
    assert_eq!(desk.all("/api/accounts?group=o").await.len(), 0);
    assert_eq!(desk.all("/api/accounts?disabled=false").await.len(), 7);
    assert_eq!(desk.all("/api/accounts?username=P3").await.len(), 1);
    assert_eq!(desk.all("/api/accounts?email=P3@example.com").await.len(), 1);
    assert_eq!(desk.all("/api/accounts?email=p3@example.com&group=even").await.len(), 0);

    for (query, status, code) in [
        ("limit=0", 422, "invalid_query"),
        ("limit=201", 422, "invalid_query"),
        ("limit=x", 422, "invalid_query"),
        ("page=2", 422, "invalid_query"),
        ("limit=1&limit=2", 422, "invalid_query"),
        ("disabled=yes", 422, "invalid_query"),
        ("email=nonsense", 422, "invalid_address"),
        ("email=a@example.com&phone=%2B4915112345678", 422, "invalid_query"),
        ("cursor=x", 400, "invalid_cursor"),
        ("cursor=' OR 1=1 --", 400, "invalid_cursor"),
    ] {
        let reply = desk.get(&format!("/api/accounts?{query}")).await;
        assert_eq!((reply.status, code_of(&reply).as_str()), (status, code), "{query}");
    }
    // A cursor of one listing is none of another, nor of another question.
    let cursor = desk.get("/api/accounts?limit=1").await.json()["next_cursor"].as_str().unwrap().to_owned();
    for path in ["/api/accounts?group=even", "/api/sessions?", "/api/apikeys?"] {
        assert_eq!(code_of(&desk.get(&format!("{path}&cursor={cursor}")).await), "invalid_cursor", "{path}");
    }
}

on_each_database! {
    one_account => an_account_is_made_read_changed_listed_disabled_and_removed;
    listings => accounts_are_listed_page_by_page_and_by_what_is_asked;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_kept_is_refused_in_a_fixed_word() {
    let place = Place::on(Database::Sqlite).await;
    let desk = Desk::open(&place, "admin").await;
    let made = desk.post("/api/accounts", &json!({ "email": "ada@example.com" })).await;
    let path = made.header("location").unwrap();

    for (body, code) in [
        (json!({ "groups": ["a,b"] }), "invalid_account"),
        (json!({ "groups": ["a", "a"] }), "invalid_account"),
        (json!({ "name": "" }), "invalid_account"),
        (json!({ "name": "a\nb" }), "invalid_account"),
        (json!({ "phone_verified": true }), "invalid_account"),
        (json!({ "claims": { "big": "x".repeat(3000) } }), "invalid_account"),
        (json!({ "claims": { "sub": "somebody" } }), "reserved_claim"),
        (json!({ "claims": { "a\nb": 1 } }), "reserved_claim"),
        (json!({ "claims": { "a\u{0}": 1 } }), "reserved_claim"),
        (json!({ "email": null }), "address_required"),
        (json!({ "email": null, "phone": null }), "address_required"),
        (json!({ "email": "nonsense" }), "invalid_address"),
        (json!({ "phone": "+1" }), "invalid_address"),
        (json!({ "username": "new" }), "invalid_body"),
        (json!({ "groups": null }), "invalid_body"),
        (json!({ "groups": "a" }), "invalid_body"),
        (json!({ "id": "x" }), "invalid_body"),
        (json!({ "nothing": 1 }), "invalid_body"),
        (json!([]), "invalid_body"),
    ] {
        let reply = desk.patch(&path, &body).await;
        assert_eq!((reply.status, code_of(&reply).as_str()), (422, code), "{body}");
    }
    for body in [json!({}), json!({ "username": "nobody" }), json!({ "name": "Nobody" })] {
        assert_eq!(code_of(&desk.post("/api/accounts", &body).await), "invalid_account", "{body}");
    }
    let unchanged = desk.get(&path).await;
    assert_eq!(unchanged.json(), made.json());
    assert_eq!(unchanged.header("etag"), made.header("etag"));

    let large = json!({ "name": "x".repeat(20_000) });
    assert_eq!(desk.patch(&path, &large).await.status, 413);
    let form = desk.send(Method::PATCH, &path, None, &[("Content-Type", "application/x-www-form-urlencoded")]).await;
    assert_eq!(form.status, 415);
    let merge = desk.send(Method::PATCH, &path, Some(&json!({ "name": "Ada" })), &[]).await;
    assert_eq!(merge.status, 200);
}

async fn all_who_change_one_account_at_once_are_done(database: Database) {
    let place = Place::on(database).await;
    let desk = Desk::open(&place, "admin").await;
    let made = desk.post("/api/accounts", &json!({ "email": "ada@example.com" })).await;
    let path = made.header("location").unwrap();

    let all = (0..12).map(|number| {
        let (operator, key, path) = (place.gateway.operator(), desk.key.clone(), path.clone());
        tokio::spawn(async move {
            let body = json!({ "claims": { format!("claim-{number}"): number } });
            operator.request(Method::PATCH, &path).bearer(&key).json(&body).send().await.status
        })
    });
    for done in all.collect::<Vec<_>>() {
        assert_eq!(done.await.unwrap(), 200);
    }

    assert_eq!(desk.get(&path).await.json()["claims"].as_object().unwrap().len(), 12, "none was lost");
    let stale = desk.send(Method::PATCH, &path, Some(&json!({ "name": "Ada" })), &[("If-Match", "\"0\"")]).await;
    assert_eq!(stale.status, 412, "who says what it must be is told when it is not");
}

mod at_once {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn on_sqlite() {
        all_who_change_one_account_at_once_are_done(Database::Sqlite).await;
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn on_postgresql() {
        all_who_change_one_account_at_once_are_done(Database::Postgres).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_has_a_number_may_lose_its_address() {
    let place = Place::on(Database::Sqlite).await;
    let desk = Desk::open(&place, "admin").await;
    let made = desk.post("/api/accounts", &json!({ "email": "ada@example.com", "phone": "+4915112345678" })).await;
    let path = made.header("location").unwrap();

    assert_eq!(desk.patch(&path, &json!({ "email": null })).await.status, 200);
    let (code, _, complaint) = place.gateway.command(&["account", "set", "+4915112345678", "--no-phone"]);

    assert_eq!(code, 1);
    assert!(complaint.contains("needs an e-mail address or a phone number"), "{complaint}");
    assert_eq!(desk.get(&path).await.json()["phone"], "+4915112345678");
}
