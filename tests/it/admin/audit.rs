//! Every change is in the audit log, and the log is read and exported here.

use std::time::Duration;

use serde_json::{Value, json};

use super::desk::{Desk, code_of};
use crate::flow::place::{Database, Place, Wants, on_each_database};
use crate::support::cable::{Cable, Flow};
use crate::support::postgres::Postgres;
use crate::support::wait;

fn words(records: &[Value]) -> Vec<&str> {
    records.iter().map(|record| record["what"].as_str().unwrap()).collect()
}

async fn every_change_is_in_the_log_before_it_is_answered(database: Database) {
    let place = Place::on(database).await;
    let desk = Desk::open(&place, "admin").await;
    let ada = place.sign_in("ada@example.com").await;
    let account = desk.all("/api/accounts").await[0]["id"].as_str().unwrap().to_owned();
    let path = format!("/api/accounts/{account}");
    let own = format!("/api/audit?account={account}&order=oldest");
    let before = desk.all(&own).await.len();

    desk.patch(&path, &json!({ "groups": ["staff"] })).await;
    desk.post(&format!("{path}/disable"), &json!({})).await;
    desk.post(&format!("{path}/enable"), &json!({})).await;
    desk.delete(&format!("{path}/sessions")).await;
    desk.delete(&path).await;

    let records = desk.all(&own).await.split_off(before);
    let told: Vec<&str> = words(&records).into_iter().filter(|word| word.starts_with("account_")).collect();
    assert_eq!(told, ["account_changed", "account_disabled", "account_enabled", "account_removed"]);
    let changed = &records[0];
    assert_eq!((&changed["who"], &changed["outcome"], &changed["account"]), (&json!("machine"), &json!("done"), &json!(account)));
    assert_eq!(changed["address"], "127.0.0.1");
    assert_eq!(changed["detail"], "groups", "what of it, not what it is now");
    assert!(changed["who_id"].as_str().is_some_and(|id| desk.key.contains(id)), "{changed}");
    // What was refused changed nothing, and is not there.
    let all = desk.all("/api/audit?what=account_added").await.len();
    assert_eq!(desk.post("/api/accounts", &json!({ "email": "nonsense" })).await.status, 422);
    assert_eq!(desk.all("/api/audit?what=account_added").await.len(), all);
    let made = desk.post("/api/accounts", &json!({ "email": "grace@example.com" })).await;
    let added = desk.get("/api/audit?what=account_added&limit=1").await.json();
    assert_eq!(added["items"][0]["account"], made.json()["id"]);
    // No word of a person's is in it.
    let text = desk.get("/api/audit/export").await.text();
    let secrets = [desk.key.clone(), ada.cookie_header()];
    assert!(secrets.iter().all(|secret| !text.contains(secret)) && !text.contains("@example.com"));
}

on_each_database! {
    changes => every_change_is_in_the_log_before_it_is_answered;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_is_one_thing_in_the_log_however_it_is_named() {
    let place = Place::on(Database::Sqlite).await;
    let desk = Desk::open(&place, "admin").await;
    let made = desk.post("/api/apps", &json!({ "name": "shop" })).await.json();
    let id = made["id"].as_str().unwrap();

    desk.patch("/api/apps/shop", &json!({ "owner": "Ada" })).await;
    desk.patch(&format!("/api/apps/{id}"), &json!({ "owner": "Grace" })).await;
    desk.post("/api/apps/shop/rotate-key", &json!({})).await;
    desk.delete("/api/apps/shop").await;

    let records = desk.all("/api/audit?order=oldest").await;
    let of_app: Vec<&Value> = records.iter().filter(|record| record["thing"] == "app").collect();
    let told: Vec<&str> = of_app.iter().map(|record| record["what"].as_str().unwrap()).collect();
    assert_eq!(told, ["app_added", "app_changed", "app_changed", "app_key_rotated", "app_removed"]);
    assert!(of_app.iter().all(|record| record["thing_id"] == *id), "{of_app:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_a_record_in_a_line_and_says_what_the_listing_says() {
    let place = Place::on(Database::Sqlite).await;
    let desk = Desk::open(&place, "admin").await;
    for number in 0..5 {
        desk.post("/api/accounts", &json!({ "email": format!("p{number}@example.com") })).await;
    }

    let listed = desk.all("/api/audit?order=oldest&what=account_added").await;
    let export = desk.get("/api/audit/export?what=account_added").await;
    assert_eq!(export.header("content-type").as_deref(), Some("application/x-ndjson"));
    assert_eq!(export.header("doorward-next-cursor"), None);
    let lines: Vec<Value> = export.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, listed);
    assert_eq!(listed.len(), 5);
    let mut newest = desk.all("/api/audit?what=account_added").await;
    newest.reverse();
    assert_eq!(newest, listed);
    assert_eq!(desk.all("/api/audit?since=2000-01-01&until=2000-01-02").await, Vec::<Value>::new());
    for (query, code) in [
        ("what=nothing", "invalid_query"),
        ("since=yesterday", "invalid_query"),
        ("until=2026-02-30", "invalid_query"),
        ("order=random", "invalid_query"),
        ("cursor=1790000000123.42", "invalid_cursor"),
    ] {
        assert_eq!(code_of(&desk.get(&format!("/api/audit?{query}")).await), code, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_is_not_in_the_log_is_no_success() {
    let place = Place::on(Database::Postgres).await;
    let desk = Desk::open(&place, "admin").await;
    let made = desk.post("/api/accounts", &json!({ "email": "ada@example.com" })).await;
    let path = made.header("location").unwrap();
    let sql = |sql: &str| drop(Postgres::shared().psql(&place.wants.store, sql));

    sql("ALTER TABLE audit_log RENAME TO gone");
    let changed = desk.patch(&path, &json!({ "groups": ["staff"], "name": "Ada" })).await;
    let key = desk.post("/api/apikeys", &json!({ "name": "ci", "scopes": ["read"] })).await;
    let (code, printed, complaint) = place.gateway.command(&["apikey", "create", "cli", "--scope", "read"]);

    for reply in [&changed, &key] {
        assert_eq!((reply.status, code_of(reply).as_str()), (503, "not_logged"), "{}", reply.text());
        assert!(reply.header("retry-after").is_some());
    }
    assert_eq!(desk.get(&path).await.json()["groups"], json!(["staff"]), "it is done");
    assert_eq!(code, 1);
    assert!(printed.starts_with("dwk_"), "a key that was made is shown, whatever the log says: {complaint}");
    assert!(complaint.contains("it is done, and is not in the audit log"), "{complaint}");
    sql("ALTER TABLE gone RENAME TO audit_log");
    let look = async || {
        let listed = desk.get("/api/audit?what=account_changed").await.json();
        listed["items"].as_array().and_then(|items| items.first()).map(|row| row["detail"].clone())
    };
    let detail = wait::until_async("the row that waited", Duration::from_secs(10), look).await;
    assert_eq!(detail, "name,groups");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_cable_is_pulled_nothing_is_changed_and_nothing_is_said_to_be() {
    let port = Postgres::shared().url("postgres").rsplit_once(':').and_then(|(_, rest)| rest.split('/').next()?.parse::<u16>().ok());
    let cable = Cable::to(port.unwrap());
    let url = Database::Postgres.url();
    let through = url.replacen(&format!(":{}/", port.unwrap()), &format!(":{}/", cable.port()), 1);
    assert_ne!(url, through);
    let place = Place::with(Wants { store: through, sections: vec![("store", "timeout = \"1s\"")], ..Wants::default() }).await;
    let desk = Desk::open(&place, "admin").await;
    let made = desk.post("/api/accounts", &json!({ "email": "ada@example.com" })).await;
    let path = made.header("location").unwrap();

    cable.flow(Flow::Refused);
    cable.cut();
    let refused = desk.patch(&path, &json!({ "groups": ["staff"] })).await;
    assert_eq!(refused.status, 503, "{}", refused.text());
    cable.flow(Flow::Free);
    let look = async || (desk.get(&path).await.status == 200).then_some(());
    wait::until_async("the database to be back", Duration::from_secs(20), look).await;

    assert_eq!(desk.get(&path).await.json()["groups"], json!([]));
    assert_eq!(desk.patch(&path, &json!({ "groups": ["staff"] })).await.status, 200);
    let rows = desk.all("/api/audit?what=account_changed").await;
    assert_eq!(rows.len(), 1, "one change, one row: {rows:?}");
}
