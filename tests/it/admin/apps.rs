//! `/api/apps`, over HTTP, on the real program.

use reqwest::Method;
use serde_json::json;

use super::desk::{Desk, code_of};
use crate::flow::place::{Database, Place};

#[tokio::test(flavor = "multi_thread")]
async fn an_app_is_registered_read_changed_given_another_key_and_removed() {
    let place = Place::on(Database::Sqlite).await;
    let desk = Desk::open(&place, "admin").await;

    let made = desk.post("/api/apps", &json!({ "name": "billing", "owner": "Ada" })).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let key = made.json()["key"].as_str().unwrap().to_owned();
    assert_eq!(made.header("location").as_deref(), Some("/api/apps/billing"));
    assert_eq!(code_of(&desk.post("/api/apps", &json!({ "name": "billing" })).await), "taken");
    assert_eq!(code_of(&desk.post("/api/apps", &json!({ "name": "Bill ing" })).await), "invalid_app");
    assert_eq!(code_of(&desk.post("/api/apps", &json!({ "name": "x", "route": { "nonsense": 1 } })).await), "invalid_app");

    let shown = desk.get("/api/apps/billing").await;
    assert_eq!((shown.json()["secret"].clone(), shown.header("etag")), (json!({ "set": true }), made.header("etag")));
    assert!(!shown.text().contains(&key));
    let changed = desk.send(Method::PATCH, "/api/apps/billing", Some(&json!({ "owner": "Grace" })), &[("If-Match", "\"1\"")]).await;
    assert_eq!(changed.json()["owner"], "Grace");
    let stale = desk.send(Method::PATCH, "/api/apps/billing", Some(&json!({ "owner": "Eve" })), &[("If-Match", "\"1\"")]).await;
    assert_eq!((stale.status, code_of(&stale).as_str()), (412, "precondition_failed"));

    let caller = place.person();
    let status = |key: String| caller.request(Method::GET, "/auth/api/otp/somebody").bearer(&key).send();
    assert_eq!(status(key.clone()).await.status, 404);
    let next = desk.post("/api/apps/billing/rotate-key", &json!({ "grace": 0 })).await;
    assert_eq!(next.status, 201, "{}", next.text());
    let new = next.json()["key"].as_str().unwrap().to_owned();
    assert_eq!(status(key).await.status, 401);
    assert_eq!(status(new.clone()).await.status, 404);
    assert_eq!(desk.all("/api/apps").await.len(), 1);
    assert_eq!(desk.all("/api/apps/billing/subjects").await.len(), 0);

    // Its id is as good as its name, everywhere.
    let by_id = format!("/api/apps/{}", made.json()["id"].as_str().unwrap());
    assert_eq!(desk.get(&by_id).await.json(), desk.get("/api/apps/billing").await.json());
    let changed = desk.send(Method::PATCH, &by_id, Some(&json!({ "owner": "Ada" })), &[]).await;
    assert_eq!((changed.status, changed.json()["owner"].clone()), (200, json!("Ada")));
    assert_eq!(desk.all(&format!("{by_id}/subjects")).await.len(), 0);
    let old = new;
    let new = desk.post(&format!("{by_id}/rotate-key"), &json!({ "grace": 0 })).await.json()["key"].as_str().unwrap().to_owned();
    assert_eq!((status(old).await.status, status(new.clone()).await.status), (401, 404));
    let other = desk.post("/api/apps", &json!({ "name": "other" })).await.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(desk.delete(&format!("/api/apps/{other}")).await.status, 204);
    assert_eq!(desk.get("/api/apps/other").await.status, 404);

    assert_eq!(desk.delete("/api/apps/billing").await.status, 204);
    assert_eq!(status(new).await.status, 401);
    for reply in [desk.get(&by_id).await, desk.get("/api/apps/billing").await, desk.delete("/api/apps/billing").await] {
        assert_eq!(reply.status, 404);
    }
}
