//! Tokens that are renewed in passing: the response carries them, whatever it says, and no cache keeps them.

use serde_json::json;

use super::{Edge, configuration};
use crate::support::client::Person;
use crate::support::gateway::Gateway;
use crate::support::upstream::Upstream;

const ACCESS: &str = "doorward_access";
const REFRESH: &str = "doorward_refresh";

/// A gateway before an app with a rule, and somebody who has signed in there.
async fn signed_in(app: &Upstream, rule: &str) -> (Edge, Person) {
    let route = format!("[development]\nenabled = true\n\n[[route]]\nname = \"app\"\nupstream = [\"{}\"]\n{rule}\n", app.url());
    let edge = Edge { gateway: Gateway::start(|place| configuration(place, "", &route)) };
    let person = edge.gateway.person();
    let asked = person.post("/auth/request-otp", &json!({ "email": "ann@example.com" })).await;
    assert_eq!(asked.status, 200, "{}", asked.text());
    let verified = person.post("/auth/verify-otp", &json!({ "email": "ann@example.com", "code": "000000" })).await;
    assert_eq!(verified.status, 200, "{}", verified.text());
    (edge, person)
}

#[tokio::test(flavor = "multi_thread")]
async fn new_cookies_come_with_the_apps_answer_and_are_not_cached() {
    let app = Upstream::start().await;
    let (_edge, person) = signed_in(&app, "").await;
    app.add_header("Cache-Control", "public, max-age=3600");
    app.add_header("Set-Cookie", "theme=dark");

    let plain = person.get("/").await;
    person.forget_cookie(ACCESS);
    let spent = person.cookie(REFRESH);
    let renewed = person.get("/").await;

    assert_eq!(plain.header("Cache-Control").as_deref(), Some("public, max-age=3600"));
    assert_eq!(plain.set_cookie(ACCESS), None);
    assert_eq!(renewed.status, 200);
    assert_eq!(renewed.header("Cache-Control").as_deref(), Some("private, no-store"));
    assert_eq!(renewed.set_cookie("theme").as_deref(), Some("theme=dark"));
    assert!(renewed.set_cookie(ACCESS).is_some());
    assert_ne!(person.cookie(REFRESH), spent);
    assert_eq!(person.get("/").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_renewed_and_still_not_allowed_keeps_the_session() {
    let app = Upstream::start().await;
    let (_edge, person) = signed_in(&app, "groups = [\"staff\"]").await;

    person.forget_cookie(ACCESS);
    let refused = person.get("/").await;

    assert_eq!((refused.status, refused.json()["code"].as_str()), (403, Some("forbidden")));
    assert!(refused.set_cookie(ACCESS).is_some());
    assert!(refused.set_cookie(REFRESH).is_some());
    assert_eq!(person.get("/auth/session").await.status, 200);
    assert_eq!(app.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_renewed_while_the_app_is_gone_keeps_the_session() {
    let app = Upstream::start().await;
    let (_edge, person) = signed_in(&app, "").await;

    person.forget_cookie(ACCESS);
    let spent = person.cookie(REFRESH);
    app.hang_up_next();
    let failed = person.post("/", &json!({})).await;

    assert_eq!(failed.status, 502, "{}", failed.text());
    assert!(failed.set_cookie(ACCESS).is_some() && failed.set_cookie(REFRESH).is_some());
    assert_ne!(person.cookie(REFRESH), spent);
    assert_eq!(person.get("/").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn identity_reaches_the_app_and_our_cookies_do_not() {
    let app = Upstream::start().await;
    let (_edge, person) = signed_in(&app, "").await;
    person.set_cookie("theme", "dark");

    let reply = person.request(http::Method::GET, "/").header("Remote-User", "root").header("Connection", "Remote-User").send().await;

    assert_eq!(reply.status, 200);
    let received = app.last();
    assert_eq!(received.header("Remote-Email").as_deref(), Some("ann@example.com"));
    assert!(received.header("Remote-User").is_some_and(|user| user != "root"));
    assert!(received.header("X-Doorward-Assertion").is_some());
    assert_eq!(received.header("Cookie").as_deref(), Some("theme=dark"));
}
