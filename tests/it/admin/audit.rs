//! Every change is in the audit log, and the log is read and exported here.

use serde_json::{Value, json};

use super::desk::{Desk, code_of};
use crate::flow::place::{Database, Place, on_each_database};

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
