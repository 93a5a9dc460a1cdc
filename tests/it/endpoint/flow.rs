//! A person signs in, is renewed and signs out, by JSON.

use std::time::Duration;

use super::door::{Door, Wish, cookies, json, problem, text};

const ACCESS: &str = "__Host-doorward_access";
const REFRESH: &str = "__Host-doorward_refresh";
const CHALLENGE: &str = "__Host-doorward_challenge";
const ATTRIBUTES: &str = "Path=/; HttpOnly; Secure; SameSite=Lax";

#[tokio::test]
async fn a_code_is_asked_for_and_signs_in() {
    let door = Door::open().await;
    let visitor = door.visitor();

    let asked = visitor.post("/auth/request-otp", r#"{"email":"Ada@Example.com"}"#).await;
    let code = door.mailbox.code(1).await;
    let challenge = visitor.cookie(CHALLENGE).unwrap();
    let verified = visitor.post("/auth/verify-otp", &format!(r#"{{"email":"ada@example.com","code":"{code}"}}"#)).await;

    assert_eq!(asked.status(), 200);
    let body = json(&asked);
    assert_eq!(body.as_object().unwrap().len(), 5, "{body}");
    assert_eq!((&body["channel"], &body["expires_in"], &body["resend_after"]), (&"email".into(), &600.into(), &60.into()));
    assert_eq!(body["challenge_id"], challenge);
    assert!(!text(&asked).contains(&code));
    assert_eq!(cookies(asked.headers()), [format!("{CHALLENGE}={challenge}; Max-Age=600; {ATTRIBUTES}")]);
    assert_eq!(verified.status(), 200);
    let body = json(&verified);
    assert_eq!(body.as_object().unwrap().len(), 3, "{body}");
    assert_eq!((&body["token_type"], &body["expires_in"]), (&"bearer".into(), &3600.into()));
    let access = body["access_token"].as_str().unwrap();
    let refresh = visitor.cookie(REFRESH).unwrap();
    assert_eq!(
        cookies(verified.headers()),
        [
            format!("{ACCESS}={access}; Max-Age=3600; {ATTRIBUTES}"),
            format!("{REFRESH}={refresh}; Max-Age=604800; {ATTRIBUTES}"),
            format!("{CHALLENGE}=; Max-Age=0; {ATTRIBUTES}"),
        ]
    );
}

#[tokio::test]
async fn known_and_unknown_addresses_are_answered_alike() {
    let door = Door::wished(Wish { lines: "[otp]\nregistration = \"closed\"", ..Wish::default() }).await;
    let visitor = door.visitor();

    let unknown = visitor.post("/auth/request-otp", r#"{"email":"nobody@example.com"}"#).await;
    let registered = visitor.post("/auth/register", r#"{"email":"other@example.com","username":"other","name":"O"}"#).await;

    assert_eq!((unknown.status(), registered.status()), (http::StatusCode::OK, http::StatusCode::OK));
    for (name, value) in json(&unknown).as_object().unwrap() {
        assert!(name == "challenge_id" || json(&registered)[name] == *value, "{name}");
    }
}

#[tokio::test]
async fn registering_twice_is_answered_alike() {
    let door = Door::open().await;
    let (first, second) = (door.visitor(), door.visitor());
    let body = r#"{"email":"ada@example.com","username":"ada","name":"Ada"}"#;

    let free = first.post("/auth/register", body).await;
    door.mailbox.code(1).await;
    door.pass(Duration::from_secs(61));
    let taken = second.post("/auth/register", body).await;

    assert_eq!((free.status(), taken.status()), (http::StatusCode::OK, http::StatusCode::OK));
    assert_eq!(json(&free)["message"], json(&taken)["message"]);
}

#[tokio::test]
async fn asking_too_soon_is_told_how_long_to_wait() {
    let door = Door::open().await;
    let visitor = door.visitor();
    visitor.post("/auth/request-otp", r#"{"email":"ada@example.com"}"#).await;
    let challenge = visitor.cookie(CHALLENGE);

    let soon = visitor.post("/auth/request-otp", r#"{"email":"ada@example.com"}"#).await;

    assert_eq!(problem(&soon), (429, "resend_too_soon".to_owned()));
    assert_eq!(soon.headers()["retry-after"], "60");
    assert_eq!(visitor.cookie(CHALLENGE), challenge);
}

#[tokio::test]
async fn wrong_codes_are_one_answer_until_none_is_left() {
    let door = Door::open().await;
    let (visitor, stranger) = (door.visitor(), door.visitor());
    visitor.post("/auth/request-otp", r#"{"email":"ada@example.com"}"#).await;
    let code = door.mailbox.code(1).await;
    let unknown = stranger.post("/auth/verify-otp", r#"{"email":"nobody@example.com","code":"123456"}"#).await;

    let mut wrong = Vec::new();
    for odd in ["", "x", "１２３４５６", "\\u0000", &"9".repeat(4000)] {
        wrong.push(visitor.post("/auth/verify-otp", &format!(r#"{{"email":"ada@example.com","code":"{odd}"}}"#)).await);
    }
    let exhausted = visitor.post("/auth/verify-otp", &format!(r#"{{"email":"ada@example.com","code":"{code}"}}"#)).await;

    for reply in &wrong {
        assert_eq!(problem(reply), (401, "invalid_code".to_owned()));
        assert_eq!((reply.headers(), reply.body()), (unknown.headers(), unknown.body()));
    }
    assert_eq!(problem(&exhausted), (429, "too_many_attempts".to_owned()));
    assert!(exhausted.headers().contains_key("retry-after"));
}

#[tokio::test]
async fn a_challenge_in_the_body_is_as_good_as_the_cookie() {
    let door = Door::open().await;
    let asked = door.visitor().post("/auth/request-otp", r#"{"email":"ada@example.com"}"#).await;
    let (code, id) = (door.mailbox.code(1).await, json(&asked)["challenge_id"].as_str().unwrap().to_owned());
    let body = format!(r#"{{"email":"ada@example.com","code":"{code}","challenge_id":"{id}"}}"#);

    assert_eq!(door.visitor().post("/auth/verify-otp", &body).await.status(), 200);
    assert_eq!(problem(&door.visitor().post("/auth/verify-otp", &body).await).0, 401);
}

#[tokio::test]
async fn a_session_is_renewed_and_a_reused_token_ends_it() {
    let door = Door::open().await;
    let visitor = door.signed_in("ada@example.com").await;
    let first = visitor.cookie(REFRESH).unwrap();

    let renewed = visitor.send("POST", "/auth/refresh", None, b"").await;
    door.pass(Duration::from_secs(11));
    let thief = door.visitor();
    thief.set_cookie(REFRESH, &first);
    let stolen = thief.send("POST", "/auth/refresh", None, b"").await;
    let at_once = visitor.send("POST", "/auth/refresh", None, b"").await;
    door.pass(Duration::from_secs(11));
    let after = visitor.send("POST", "/auth/refresh", None, b"").await;

    // A moment after the end another tab may hold a new session: nothing is taken from it.
    assert_eq!((problem(&at_once), cookies(at_once.headers()).len()), ((401, "invalid_refresh".to_owned()), 0));
    assert_eq!(renewed.status(), 200);
    assert_eq!(json(&renewed)["token_type"], "bearer");
    assert_eq!(cookies(renewed.headers()).len(), 2);
    for ended in [&stolen, &after] {
        assert_eq!(problem(ended), (401, "invalid_refresh".to_owned()));
        assert_eq!(
            cookies(ended.headers()),
            [format!("{ACCESS}=; Max-Age=0; {ATTRIBUTES}"), format!("{REFRESH}=; Max-Age=0; {ATTRIBUTES}")]
        );
    }
    assert!(visitor.cookie(REFRESH).is_none());
    let without = visitor.send("POST", "/auth/refresh", None, b"").await;
    assert_eq!((problem(&without).1.as_str(), cookies(without.headers()).len()), ("invalid_refresh", 0));
}

#[tokio::test]
async fn a_session_that_is_used_goes_on_and_one_that_idles_ends() {
    const MINUTE: Duration = Duration::from_mins(1);
    let door = Door::wished(Wish { lines: "[session]\nidle = \"30m\"", ..Wish::default() }).await;
    let visitor = door.signed_in("ada@example.com").await;
    for _ in 0..5 {
        door.pass(16 * MINUTE);
        let renewed = visitor.send("POST", "/auth/refresh", None, b"").await;
        assert_eq!((renewed.status().as_u16(), &json(&renewed)["expires_in"]), (200, &900.into()), "use is seen every 15 minutes");
    }

    // Work takes time, too, and what was seen was seen at its end.
    door.pass(31 * MINUTE);
    let idled = visitor.send("POST", "/auth/refresh", None, b"").await;
    assert_eq!(problem(&idled), (401, "invalid_refresh".to_owned()));
}

#[tokio::test]
async fn a_session_says_who_it_is() {
    let door = Door::open().await;
    let visitor = door.signed_in("ada@example.com").await;

    let session = visitor.get("/auth/session").await;

    assert_eq!(session.status(), 200);
    let body = json(&session);
    assert_eq!((&body["email"], &body["email_verified"]), (&"ada@example.com".into(), &true.into()));
    assert_eq!((&body["factors"], &body["acr"]), (&serde_json::json!(["email"]), &"one_factor".into()));
    assert!(body["expires_at"].as_str().unwrap().ends_with('Z'));
    let token = visitor.cookie(ACCESS).unwrap();
    let bearer = door.visitor();
    bearer.says("authorization", &format!("bearer {token}"));
    assert_eq!(json(&bearer.get("/auth/session").await)["sub"], body["sub"]);
    assert_eq!(problem(&door.visitor().get("/auth/session").await), (401, "unauthenticated".to_owned()));
}

#[tokio::test]
async fn a_bearer_token_that_fails_is_not_helped_by_the_cookie() {
    let door = Door::open().await;
    let visitor = door.signed_in("ada@example.com").await;
    let tampered = visitor.cookie(ACCESS).unwrap() + "x";
    visitor.says("authorization", &format!("Bearer {tampered}"));

    assert_eq!(problem(&visitor.get("/auth/session").await).0, 401);
}

#[tokio::test]
async fn credentials_of_two_sessions_are_refused() {
    let door = Door::open().await;
    let (one, two) = (door.signed_in("ada@example.com").await, door.signed_in("bob@example.com").await);
    one.says("authorization", &format!("Bearer {}", two.cookie(ACCESS).unwrap()));

    assert_eq!(problem(&one.get("/auth/session").await), (400, "conflicting_credentials".to_owned()));
}

#[tokio::test]
async fn one_sees_and_ends_ones_own_sessions_only() {
    let door = Door::open().await;
    let first = door.signed_in("ada@example.com").await;
    door.pass(Duration::from_secs(61));
    let second = door.signed_in("ada@example.com").await;
    let stranger = door.signed_in("bob@example.com").await;

    let listed = json(&second.get("/auth/sessions").await)["sessions"].clone();
    let other = listed.as_array().unwrap().iter().find(|item| item["current"] == false).unwrap()["id"].as_str().unwrap().to_owned();
    let path = format!("/auth/sessions/{other}");
    let of_a_stranger = stranger.send("DELETE", &path, None, b"").await;
    let ended = second.send("DELETE", &path, None, b"").await;

    assert_eq!(listed.as_array().unwrap().len(), 2);
    let members: Vec<&String> = listed[0].as_object().unwrap().keys().collect();
    assert_eq!(members, ["address", "agent", "created_at", "current", "id", "last_seen_at"]);
    assert_eq!(listed[0]["address"], "192.0.2.7");
    assert_eq!(problem(&of_a_stranger), (404, "not_found".to_owned()));
    assert_eq!((ended.status().as_u16(), cookies(ended.headers()).len()), (204, 0));
    assert_eq!(problem(&first.get("/auth/session").await).0, 401);
    assert_eq!(second.get("/auth/session").await.status(), 200);
    assert_eq!(problem(&second.send("DELETE", &path, None, b"").await).0, 404);
}

#[tokio::test]
async fn ending_ones_own_session_takes_its_cookies() {
    let door = Door::open().await;
    let visitor = door.signed_in("ada@example.com").await;
    let id = json(&visitor.get("/auth/session").await)["sid"].as_str().unwrap().to_owned();

    let ended = visitor.send("DELETE", &format!("/auth/sessions/{id}"), None, b"").await;

    assert_eq!((ended.status().as_u16(), cookies(ended.headers()).len()), (204, 2));
    assert!(visitor.cookie(ACCESS).is_none());
}

#[tokio::test]
async fn signing_out_ends_the_session_and_clears_the_cookies() {
    let door = Door::open().await;
    let visitor = door.signed_in("ada@example.com").await;
    let (access, refresh) = (visitor.cookie(ACCESS).unwrap(), visitor.cookie(REFRESH).unwrap());

    let reply = visitor.send("POST", "/auth/logout", None, b"").await;

    assert_eq!(reply.status(), 200);
    assert_eq!(json(&reply).as_object().unwrap().keys().collect::<Vec<_>>(), ["message"]);
    let cleared = [ACCESS, REFRESH, CHALLENGE].map(|name| format!("{name}=; Max-Age=0; {ATTRIBUTES}"));
    assert_eq!(cookies(reply.headers()), cleared);
    let again = door.visitor();
    again.set_cookie(ACCESS, &access);
    again.set_cookie(REFRESH, &refresh);
    assert_eq!(problem(&again.get("/auth/session").await).0, 401);
    assert_eq!(problem(&again.send("POST", "/auth/refresh", None, b"").await).0, 401);
}

#[tokio::test]
async fn whatever_was_presented_signing_out_says_yes() {
    let door = Door::open().await;
    for (access, refresh, bearer) in [("", "", ""), ("x", "y", "z"), ("a.b.c", "ÿ", "dwk_1"), (&"x".repeat(9000), "", "a.b.c")] {
        let visitor = door.visitor();
        visitor.set_cookie(ACCESS, access);
        visitor.set_cookie(REFRESH, refresh);
        visitor.says("authorization", &format!("Bearer {bearer}"));

        let reply = visitor.send("POST", "/auth/logout", Some("text/plain"), b"nonsense").await;
        visitor.says("accept", "text/html, application/json");
        let page = visitor.post("/auth/logout", "nonsense").await;

        for reply in [&reply, &page] {
            assert_eq!((reply.status().as_u16(), cookies(reply.headers()).len()), (200, 3), "{access} {refresh} {bearer}");
        }
    }
}

#[tokio::test]
async fn signing_out_elsewhere_keeps_this_device() {
    let door = Door::open().await;
    let first = door.signed_in("ada@example.com").await;
    door.pass(Duration::from_secs(61));
    let second = door.signed_in("ada@example.com").await;

    let others = second.send("POST", "/auth/logout?scope=others", None, b"").await;

    assert_eq!((others.status().as_u16(), cookies(others.headers()).len()), (200, 0));
    assert_eq!(problem(&first.get("/auth/session").await).0, 401);
    assert_eq!(second.get("/auth/session").await.status(), 200);
    assert_eq!(second.send("POST", "/auth/logout?scope=global", None, b"").await.status(), 200);
    assert!(second.cookie(REFRESH).is_none());
}

#[tokio::test]
async fn the_keys_that_verify_are_public() {
    let door = Door::open().await;

    let reply = door.visitor().get("/auth/.well-known/jwks.json").await;

    assert_eq!(reply.headers()["cache-control"], "public, max-age=60");
    let keys = json(&reply)["keys"].as_array().unwrap().clone();
    assert_eq!(keys.len(), 1, "the assertions' key; that of HS256 has no public half");
    assert!(keys[0].get("d").is_none());
}

#[tokio::test]
async fn only_development_shows_the_code() {
    let lines = "[development]\nenabled = true";
    let door = Door::wished(Wish { public_url: Some("http://127.0.0.1:8080"), lines, ..Wish::default() }).await;

    let asked = door.visitor().post("/auth/request-otp", r#"{"email":"ada@example.com"}"#).await;
    let entry = door.visitor();
    entry.browses();

    assert!(json(&asked)["message"].as_str().unwrap().contains("000000"));
    assert!(text(&entry.get("/auth/verify").await).contains("every code is zeros"));
}
