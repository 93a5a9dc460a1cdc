//! The second factor: set up, shown, lost, taken away; and that nothing passes without it.

use std::time::Duration;

use doorward::id::AccountId;
use doorward::revocation::Act;
use doorward::signin::Notice;
use http::StatusCode;
use serde_json::{Value, json};

use super::door::{Door, Visitor, Wish, cookies, json, problem};
use crate::support::authenticator::Authenticator;
use crate::support::postgres::Postgres;

const ACCESS: &str = "__Host-doorward_access";
const REFRESH: &str = "__Host-doorward_refresh";
const CHALLENGE: &str = "__Host-doorward_challenge";

const ADA: &str = "ada@example.com";

/// A step later, so that the next code is another.
const STEP: Duration = Duration::from_secs(30);

/// So long that an address may be asked for again.
const RESEND: Duration = Duration::from_secs(61);

fn body(code: &str) -> String {
    json!({ "code": code }).to_string()
}

fn with_id(id: &str, code: &str) -> String {
    json!({ "challenge_id": id, "code": code }).to_string()
}

/// Somebody who has an authenticator, and the codes that were shown to them.
pub(super) struct Enrolled {
    phone: Authenticator,
    codes: Vec<String>,
}

impl Enrolled {
    fn code(&self, door: &Door) -> String {
        self.phone.code(door.now().as_secs())
    }

    fn wrong(&self, door: &Door) -> String {
        self.phone.wrong(door.now().as_secs())
    }
}

fn codes(reply: &Value) -> Vec<String> {
    reply["recovery_codes"].as_array().unwrap().iter().map(|code| code.as_str().unwrap().to_owned()).collect()
}

pub(super) async fn enrol(door: &Door, visitor: &Visitor<'_>) -> Enrolled {
    let told = visitor.send("POST", "/auth/totp/enroll", None, b"").await;
    assert_eq!(told.status(), 200);
    let phone = Authenticator::scanned(json(&told)["otpauth_url"].as_str().unwrap());
    let confirmed = visitor.post("/auth/totp/confirm", &body(&phone.code(door.now().as_secs()))).await;
    assert_eq!(confirmed.status(), 200);
    door.pass(STEP);
    Enrolled { phone, codes: codes(&json(&confirmed)) }
}

/// A visitor who has entered the mailed code, and what they were told.
async fn half_way<'a>(door: &'a Door, email: &str) -> (Visitor<'a>, Value) {
    door.pass(RESEND);
    let visitor = door.visitor();
    let sent = door.mailbox.count();
    assert_eq!(visitor.post("/auth/request-otp", &json!({ "email": email }).to_string()).await.status(), 200);
    let code = door.mailbox.code(sent + 1).await;
    let reply = visitor.post("/auth/verify-otp", &json!({ "email": email, "code": code }).to_string()).await;
    assert_eq!(reply.status(), 200);
    (visitor, json(&reply))
}

async fn claims(visitor: &Visitor<'_>) -> Value {
    let reply = visitor.get("/auth/session").await;
    assert_eq!(reply.status(), 200);
    json(&reply)
}

async fn is_signed_in(visitor: &Visitor<'_>) -> bool {
    visitor.get("/auth/session").await.status() == StatusCode::OK
}

#[tokio::test]
async fn an_authenticator_is_set_up_with_a_code_of_it() {
    let door = Door::open().await;
    let visitor = door.signed_in(ADA).await;
    let old = visitor.cookie(ACCESS).unwrap();

    let told = visitor.send("POST", "/auth/totp/enroll", None, b"").await;
    let told = json(&told);
    let phone = Authenticator::typed(told["secret"].as_str().unwrap());
    let confirmed = visitor.post("/auth/totp/confirm", &body(&phone.code(door.now().as_secs()))).await;

    let members: Vec<&String> = told.as_object().unwrap().keys().collect();
    assert_eq!(members, ["otpauth_url", "qr_svg", "secret"]);
    assert_eq!(told["secret"].as_str().unwrap().len(), 32, "160 bits");
    let url = told["otpauth_url"].as_str().unwrap();
    assert!(url.starts_with("otpauth://totp/Doorward:ada%40example.com?secret="), "{url}");
    assert!(told["qr_svg"].as_str().unwrap().starts_with("<svg "));
    let reply = json(&confirmed);
    let members: Vec<&String> = reply.as_object().unwrap().keys().collect();
    assert_eq!(members, ["access_token", "expires_in", "recovery_codes", "token_type"]);
    let mut shown = codes(&reply);
    shown.sort();
    shown.dedup();
    assert_eq!(shown.len(), 10);
    assert_eq!(cookies(confirmed.headers()).len(), 3);
    let now = claims(&visitor).await;
    assert_eq!((&now["amr"], &now["acr"]), (&json!(["email", "otp", "mfa"]), &json!("two_factor")));
    assert_eq!(door.mailbox.notices_when(1).await, [(ADA.to_owned(), Notice::AuthenticatorAdded)]);

    // The session is another one, and the old one is over.
    let before = door.visitor();
    before.set_cookie(ACCESS, &old);
    assert!(!is_signed_in(&before).await);
}

#[tokio::test]
async fn signing_in_takes_both_factors() {
    let door = Door::open().await;
    let enrolled = enrol(&door, &door.signed_in(ADA).await).await;

    let (visitor, told) = half_way(&door, ADA).await;
    let id = told["challenge_id"].as_str().unwrap();

    assert_eq!(told, json!({ "second_factor_required": true, "challenge_id": id, "methods": ["totp", "recovery_code"] }));
    assert_eq!(visitor.cookie(CHALLENGE).as_deref(), Some(id));
    assert!(visitor.cookie(ACCESS).is_none() && visitor.cookie(REFRESH).is_none());
    assert_eq!(id.len(), 43, "256 bits");
    let wrong = visitor.post("/auth/verify-totp", &with_id(id, &enrolled.wrong(&door))).await;
    assert_eq!(problem(&wrong), (401, "invalid_code".to_owned()));
    let right = visitor.post("/auth/verify-totp", &with_id(id, &enrolled.code(&door))).await;
    assert_eq!(right.status(), 200);
    let members: Vec<String> = json(&right).as_object().unwrap().keys().cloned().collect();
    assert_eq!(members, ["access_token", "expires_in", "token_type"]);
    assert!(visitor.cookie(CHALLENGE).is_none());
    let now = claims(&visitor).await;
    assert_eq!((&now["amr"], &now["acr"]), (&json!(["email", "otp", "mfa"]), &json!("two_factor")));
    assert_eq!(now["auth_time"], door.now().as_secs());

    // Renewal keeps what the session is worth.
    assert_eq!(visitor.send("POST", "/auth/refresh", None, b"").await.status(), 200);
    assert_eq!(claims(&visitor).await["acr"], "two_factor");
}

#[tokio::test]
async fn the_cookie_is_as_good_as_the_id_in_the_body() {
    let door = Door::open().await;
    let enrolled = enrol(&door, &door.signed_in(ADA).await).await;
    let (visitor, _) = half_way(&door, ADA).await;

    assert_eq!(visitor.post("/auth/verify-totp", &body(&enrolled.code(&door))).await.status(), 200);

    let (_, told) = half_way(&door, ADA).await;
    let elsewhere = door.visitor();
    let named = with_id(told["challenge_id"].as_str().unwrap(), &enrolled.code(&door));
    assert_eq!(elsewhere.post("/auth/verify-totp", &named).await.status(), 200);
}

#[tokio::test]
async fn a_code_and_a_half_finished_sign_in_are_good_once() {
    let door = Door::open().await;
    let enrolled = enrol(&door, &door.signed_in(ADA).await).await;
    let (_, first) = half_way(&door, ADA).await;
    let (_, second) = half_way(&door, ADA).await;
    let (first, second) = (first["challenge_id"].as_str().unwrap(), second["challenge_id"].as_str().unwrap());
    let code = enrolled.code(&door);

    assert_eq!(door.visitor().post("/auth/verify-totp", &with_id(first, &code)).await.status(), 200);

    // The same code elsewhere, and the one before it, which was never used.
    let earlier = enrolled.phone.code(door.now().as_secs() - 30);
    for used in [&code, &earlier] {
        let replayed = door.visitor().post("/auth/verify-totp", &with_id(second, used)).await;
        assert_eq!(problem(&replayed), (401, "invalid_code".to_owned()));
    }
    door.pass(STEP);
    let next = enrolled.code(&door);
    let spent = door.visitor().post("/auth/verify-totp", &with_id(first, &next)).await;
    assert_eq!(problem(&spent), (401, "invalid_code".to_owned()));
    assert_eq!(door.visitor().post("/auth/verify-totp", &with_id(second, &next)).await.status(), 200);
}

#[tokio::test]
async fn the_code_that_confirmed_is_used() {
    let door = Door::open().await;
    let visitor = door.signed_in(ADA).await;
    let told = json(&visitor.send("POST", "/auth/totp/enroll", None, b"").await);
    let phone = Authenticator::typed(told["secret"].as_str().unwrap());
    let code = phone.code(door.now().as_secs());

    assert_eq!(visitor.post("/auth/totp/confirm", &body(&code)).await.status(), 200);

    assert_eq!(problem(&visitor.post("/auth/verify-totp", &body(&code)).await).0, 401);
}

#[tokio::test]
async fn a_lost_phone_is_replaced_by_a_recovery_code_once() {
    let door = Door::open().await;
    let enrolled = enrol(&door, &door.signed_in(ADA).await).await;
    let typed = enrolled.codes[0].to_lowercase().replace('-', " ");
    let (visitor, told) = half_way(&door, ADA).await;

    let reply = visitor.post("/auth/verify-recovery", &with_id(told["challenge_id"].as_str().unwrap(), &typed)).await;

    assert_eq!(reply.status(), 200);
    let now = claims(&visitor).await;
    assert_eq!((&now["amr"], &now["acr"]), (&json!(["email", "recovery", "mfa"]), &json!("two_factor")));
    let told = door.mailbox.notices_when(1).await;
    assert_eq!(told[0].1, Notice::AuthenticatorAdded, "one of a kind an hour");
    let (again, _) = half_way(&door, ADA).await;
    assert_eq!(problem(&again.post("/auth/verify-recovery", &body(&typed)).await), (401, "invalid_code".to_owned()));
    assert_eq!(again.post("/auth/verify-recovery", &body(&enrolled.codes[1])).await.status(), 200);
}

#[tokio::test]
async fn recovery_codes_are_offered_while_there_are_some() {
    let door = Door::wished(Wish { lines: "[limits]\nfailures_per_account = 100", ..Wish::default() }).await;
    let enrolled = enrol(&door, &door.signed_in(ADA).await).await;

    for code in &enrolled.codes {
        let (visitor, told) = half_way(&door, ADA).await;
        assert_eq!(told["methods"], json!(["totp", "recovery_code"]));
        assert_eq!(visitor.post("/auth/verify-recovery", &body(code)).await.status(), 200);
    }

    assert_eq!(half_way(&door, ADA).await.1["methods"], json!(["totp"]));
}

#[tokio::test]
async fn a_session_steps_up_and_is_another_afterwards() {
    let door = Door::open().await;
    let (first, second) = (door.signed_in(ADA).await, {
        door.pass(RESEND);
        door.signed_in(ADA).await
    });
    let enrolled = enrol(&door, &first).await;
    door.pass(Duration::from_secs(3000));
    assert_eq!(claims(&second).await["acr"], "one_factor", "what it was worth when it began");
    let (old, before) = ((second.cookie(ACCESS).unwrap(), second.cookie(REFRESH).unwrap()), claims(&second).await);

    let reply = second.post("/auth/verify-totp", &body(&enrolled.code(&door))).await;

    assert_eq!((reply.status(), cookies(reply.headers()).len()), (StatusCode::OK, 3));
    let after = claims(&second).await;
    assert_eq!((&after["amr"], &after["acr"]), (&json!(["email", "otp", "mfa"]), &json!("two_factor")));
    assert_eq!(after["auth_time"], door.now().as_secs());
    assert_ne!(after["sid"], before["sid"]);
    let thief = door.visitor();
    thief.set_cookie(ACCESS, &old.0);
    thief.set_cookie(REFRESH, &old.1);
    assert!(!is_signed_in(&thief).await);
    assert_eq!(problem(&thief.send("POST", "/auth/refresh", None, b"").await), (401, "invalid_refresh".to_owned()));
    // It ends when the first would have ended.
    let cookie = cookies(reply.headers()).into_iter().find(|cookie| cookie.starts_with(REFRESH)).unwrap();
    let left = 7 * 24 * 3600 - 3000 - 30;
    assert!(cookie.contains(&format!("Max-Age={left};")), "{cookie}");
}

#[tokio::test]
async fn a_recovery_code_steps_up_too() {
    let door = Door::open().await;
    let other = door.signed_in(ADA).await;
    door.pass(RESEND);
    let enrolled = enrol(&door, &door.signed_in(ADA).await).await;

    assert_eq!(other.post("/auth/verify-recovery", &body(&enrolled.codes[3])).await.status(), 200);
    assert_eq!(claims(&other).await["amr"], json!(["email", "recovery", "mfa"]));
    assert_eq!(other.post("/auth/verify-totp", &body(&enrolled.code(&door))).await.status(), 200);
    assert_eq!(claims(&other).await["amr"], json!(["email", "otp", "mfa"]), "the latest second factor");
}

#[tokio::test]
async fn a_half_finished_sign_in_that_is_held_comes_before_the_session() {
    let door = Door::open().await;
    let visitor = door.signed_in(ADA).await;
    let enrolled = enrol(&door, &visitor).await;
    let bob = door.signed_in("bob@example.com").await;
    let (_, told) = half_way(&door, ADA).await;
    bob.set_cookie(CHALLENGE, told["challenge_id"].as_str().unwrap());

    assert_eq!(bob.post("/auth/verify-totp", &body(&enrolled.code(&door))).await.status(), 200);
    assert_eq!(claims(&bob).await["email"], ADA);

    // A challenge of a code, or nonsense, is no half-finished sign-in: the session steps up.
    door.pass(STEP);
    visitor.set_cookie(CHALLENGE, "nonsense");
    assert_eq!(visitor.post("/auth/verify-totp", &body(&enrolled.code(&door))).await.status(), 200);
}

#[tokio::test]
async fn what_is_named_in_the_body_is_not_helped_by_the_session() {
    let door = Door::open().await;
    let visitor = door.signed_in(ADA).await;
    let enrolled = enrol(&door, &visitor).await;

    for id in ["", "x", "null", &"x".repeat(43)] {
        let reply = visitor.post("/auth/verify-totp", &with_id(id, &enrolled.code(&door))).await;
        assert_eq!(problem(&reply), (401, "invalid_code".to_owned()), "{id}");
    }
}

#[tokio::test]
async fn another_persons_code_is_of_no_use() {
    let door = Door::open().await;
    let ada = enrol(&door, &door.signed_in(ADA).await).await;
    let bob = enrol(&door, &door.signed_in("bob@example.com").await).await;
    let (visitor, _) = half_way(&door, ADA).await;

    for code in [bob.code(&door), bob.codes[0].clone()] {
        assert_eq!(problem(&visitor.post("/auth/verify-totp", &body(&code)).await).0, 401);
        assert_eq!(problem(&visitor.post("/auth/verify-recovery", &body(&code)).await).0, 401);
    }
    assert_eq!(visitor.post("/auth/verify-totp", &body(&ada.code(&door))).await.status(), 200);
}

#[tokio::test]
async fn whatever_is_missing_or_over_the_answer_is_one() {
    let door = Door::open().await;
    let enrolled = enrol(&door, &door.signed_in(ADA).await).await;
    let unknown = door.visitor().post("/auth/verify-totp", &with_id("unknown", "123456")).await;
    let (_, told) = half_way(&door, ADA).await;
    let id = told["challenge_id"].as_str().unwrap();

    let wrong = door.visitor().post("/auth/verify-totp", &with_id(id, &enrolled.wrong(&door))).await;
    let recovery = door.visitor().post("/auth/verify-recovery", &with_id(id, "AAAAA-AAAAA")).await;
    door.pass(Duration::from_secs(600));
    let expired = door.visitor().post("/auth/verify-totp", &with_id(id, &enrolled.code(&door))).await;
    let nobody = door.visitor().post("/auth/verify-totp", &body("123456")).await;

    for reply in [&wrong, &recovery, &expired, &nobody] {
        assert_eq!(problem(reply), (401, "invalid_code".to_owned()));
        assert_eq!((reply.headers(), reply.body()), (unknown.headers(), unknown.body()));
    }
}

#[tokio::test]
async fn a_half_finished_sign_in_lives_for_ten_minutes() {
    for (span, status) in [(599, 200), (600, 401)] {
        let door = Door::open().await;
        let enrolled = enrol(&door, &door.signed_in(ADA).await).await;
        let (visitor, _) = half_way(&door, ADA).await;
        door.pass(Duration::from_secs(span));

        assert_eq!(visitor.post("/auth/verify-totp", &body(&enrolled.code(&door))).await.status(), status, "{span}");
    }
}

/// Every endpoint of ours, with a body that it takes.
const ENDPOINTS: [(&str, &str, &str); 15] = [
    ("GET", "/auth/session", ""),
    ("GET", "/auth/sessions", ""),
    ("DELETE", "/auth/sessions/x", ""),
    ("POST", "/auth/refresh", ""),
    ("POST", "/auth/totp/enroll", ""),
    ("POST", "/auth/totp/confirm", r#"{"code":"123456"}"#),
    ("DELETE", "/auth/totp", r#"{"code":"123456"}"#),
    ("POST", "/auth/recovery-codes", r#"{"code":"123456"}"#),
    ("POST", "/auth/verify-otp", r#"{"email":"ada@example.com","code":"123456"}"#),
    ("POST", "/auth/verify-totp", r#"{"code":"12345"}"#),
    ("POST", "/auth/verify-recovery", r#"{"code":"12345"}"#),
    ("POST", "/auth/addresses", r#"{"email":"mallory@example.com"}"#),
    ("POST", "/auth/addresses/confirm", r#"{"code":"123456"}"#),
    ("DELETE", "/auth/addresses", r#"{"email":true}"#),
    ("GET", "/auth/account", ""),
];

#[tokio::test]
async fn half_a_sign_in_is_none_on_any_endpoint() {
    let door = Door::open().await;
    enrol(&door, &door.signed_in(ADA).await).await;
    let (_, told) = half_way(&door, ADA).await;
    let id = told["challenge_id"].as_str().unwrap();

    for (method, path, text) in ENDPOINTS {
        let kind = (!text.is_empty()).then_some("application/json");
        let carriers: [&dyn Fn(&Visitor<'_>); 4] = [
            &|visitor| visitor.set_cookie(ACCESS, id),
            &|visitor| visitor.set_cookie(REFRESH, id),
            &|visitor| visitor.set_cookie(CHALLENGE, id),
            &|visitor| {
                visitor.says("authorization", &format!("Bearer {id}"));
            },
        ];
        for (number, carry) in carriers.iter().enumerate() {
            let visitor = door.visitor();
            carry(&visitor);
            let reply = visitor.send(method, path, kind, text.as_bytes()).await;
            let status = reply.status().as_u16();
            // An endpoint that is not built yet, or a page for nobody, lets nobody in either.
            assert!(matches!(status, 401 | 404 | 302 | 303), "{method} {path} {number}: {status}");
            assert!(!cookies(reply.headers()).iter().any(|cookie| cookie.starts_with(&format!("{ACCESS}=e"))), "{method} {path}");
            assert!(!is_signed_in(&visitor).await, "{method} {path} {number}");
        }
    }
}

#[tokio::test]
async fn only_a_fresh_sign_in_changes_a_factor() {
    let endpoints = [
        ("POST", "/auth/totp/enroll", ""),
        ("POST", "/auth/totp/confirm", r#"{"code":"123456"}"#),
        ("DELETE", "/auth/totp", r#"{"code":"123456"}"#),
        ("POST", "/auth/recovery-codes", r#"{"code":"123456"}"#),
    ];
    let door = Door::open().await;
    let visitor = door.signed_in(ADA).await;
    let json = Some("application/json");
    door.pass(Duration::from_secs(600));
    for (method, path, text) in endpoints {
        let status = visitor.send(method, path, json.filter(|_| !text.is_empty()), text.as_bytes()).await.status();
        assert!(path.ends_with("enroll") == (status == StatusCode::OK), "{path} {status}");
    }

    door.pass(Duration::from_secs(1));

    for (method, path, text) in endpoints {
        let reply = visitor.send(method, path, json.filter(|_| !text.is_empty()), text.as_bytes()).await;
        assert_eq!(problem(&reply), (401, "insufficient_user_authentication".to_owned()), "{path}");
        let challenge = reply.headers()["www-authenticate"].to_str().unwrap();
        assert_eq!(challenge, r#"Bearer realm="doorward", error="insufficient_user_authentication", max_age="600""#);
        assert_eq!(problem(&door.visitor().send(method, path, json.filter(|_| !text.is_empty()), text.as_bytes()).await).0, 401);
    }
}

#[tokio::test]
async fn an_account_has_one_authenticator() {
    let door = Door::open().await;
    let visitor = door.signed_in(ADA).await;
    let unconfirmed = json(&visitor.send("POST", "/auth/totp/enroll", None, b"").await);
    let replaced = Authenticator::typed(unconfirmed["secret"].as_str().unwrap());
    let enrolled = enrol(&door, &visitor).await;

    let again = visitor.send("POST", "/auth/totp/enroll", None, b"").await;
    let confirmed = visitor.post("/auth/totp/confirm", &body(&enrolled.code(&door))).await;

    assert_eq!(problem(&again), (409, "already_enrolled".to_owned()));
    assert_eq!(problem(&confirmed), (409, "already_enrolled".to_owned()));
    let (half, _) = half_way(&door, ADA).await;
    assert_eq!(problem(&half.post("/auth/verify-totp", &body(&replaced.code(door.now().as_secs()))).await).0, 401);
}

#[tokio::test]
async fn an_authenticator_that_was_never_confirmed_does_not_count() {
    let door = Door::open().await;
    let visitor = door.signed_in(ADA).await;
    let told = json(&visitor.send("POST", "/auth/totp/enroll", None, b"").await);
    let phone = Authenticator::typed(told["secret"].as_str().unwrap());

    let (_, reply) = half_way(&door, ADA).await;

    assert!(reply["access_token"].is_string(), "one factor, as before");
    assert_eq!(problem(&visitor.post("/auth/verify-totp", &body(&phone.code(door.now().as_secs()))).await).0, 401);
}

#[tokio::test]
async fn an_authenticator_is_taken_away_with_a_proof() {
    for proof in ["totp", "recovery"] {
        let door = Door::open().await;
        let visitor = door.signed_in(ADA).await;
        let enrolled = enrol(&door, &visitor).await;
        let old = visitor.cookie(ACCESS).unwrap();
        let wrong = visitor.send("DELETE", "/auth/totp", Some("application/json"), body(&enrolled.wrong(&door)).as_bytes()).await;
        assert_eq!(problem(&wrong), (401, "invalid_code".to_owned()));
        let code = if proof == "totp" { enrolled.code(&door) } else { enrolled.codes[9].clone() };

        let gone = visitor.send("DELETE", "/auth/totp", Some("application/json"), body(&code).as_bytes()).await;

        assert_eq!((gone.status(), cookies(gone.headers()).len()), (StatusCode::OK, 3), "{proof}");
        assert_ne!(visitor.cookie(ACCESS).unwrap(), old);
        let now = claims(&visitor).await;
        assert_eq!((&now["amr"], &now["acr"]), (&json!(["email"]), &json!("one_factor")));
        let before = door.visitor();
        before.set_cookie(ACCESS, &old);
        assert!(!is_signed_in(&before).await);
        let (_, told) = half_way(&door, ADA).await;
        assert!(told["access_token"].is_string(), "one factor is enough again");
        assert_eq!(problem(&visitor.post("/auth/verify-recovery", &body(&enrolled.codes[0])).await).0, 401);
    }
}

#[tokio::test]
async fn new_recovery_codes_end_the_old_ones() {
    let door = Door::open().await;
    let visitor = door.signed_in(ADA).await;
    let enrolled = enrol(&door, &visitor).await;
    assert_eq!(problem(&visitor.post("/auth/recovery-codes", &body(&enrolled.wrong(&door))).await).0, 401);

    let renewed = visitor.post("/auth/recovery-codes", &body(&enrolled.code(&door))).await;

    assert_eq!((renewed.status(), cookies(renewed.headers()).len()), (StatusCode::OK, 0));
    let new = codes(&json(&renewed));
    assert_eq!(new.len(), 10);
    assert!(new.iter().all(|code| !enrolled.codes.contains(code)));
    let (half, _) = half_way(&door, ADA).await;
    assert_eq!(problem(&half.post("/auth/verify-recovery", &body(&enrolled.codes[0])).await).0, 401);
    assert_eq!(half.post("/auth/verify-recovery", &body(&new[0])).await.status(), 200);
}

#[tokio::test]
async fn an_account_that_is_disabled_meanwhile_is_not_let_in() {
    let door = Door::open().await;
    let visitor = door.signed_in(ADA).await;
    let enrolled = enrol(&door, &visitor).await;
    let id = AccountId::new(claims(&visitor).await["sub"].as_str().unwrap());
    let (half, _) = half_way(&door, ADA).await;

    door.sign_in.revocations.revoke(Act::Disable(id.clone()), "test", door.now()).await.unwrap();

    assert_eq!(problem(&half.post("/auth/verify-totp", &body(&enrolled.code(&door))).await), (401, "invalid_code".to_owned()));
    assert_eq!(problem(&half.post("/auth/verify-recovery", &body(&enrolled.codes[0])).await), (401, "invalid_code".to_owned()));
    assert!(!is_signed_in(&half).await && !is_signed_in(&visitor).await);
}

/// A way to try codes, without an end: the visitor, the method, the path.
async fn locked_at_five(door: &Door, visitor: &Visitor<'_>, method: &str, path: &str, wrong: &str, right: &str) {
    let json = Some("application/json");
    for round in 0..5 {
        let reply = visitor.send(method, path, json, body(wrong).as_bytes()).await;
        assert_eq!(problem(&reply), (401, "invalid_code".to_owned()), "{path} {round}");
    }
    for code in [wrong, right] {
        let reply = visitor.send(method, path, json, body(code).as_bytes()).await;
        assert_eq!(problem(&reply), (429, "too_many_attempts".to_owned()), "{path}: the right code too");
        let wait: u64 = reply.headers()["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((1..=600).contains(&wait), "{path} {wait}");
    }
    assert!(door.mailbox.count() > 0);
}

#[tokio::test]
async fn wrong_codes_lock_at_their_bound_wherever_they_are_tried() {
    let nothing = "AAAAA-AAAAA";
    for (path, recovery) in [("/auth/verify-totp", false), ("/auth/verify-recovery", true)] {
        let door = Door::open().await;
        let enrolled = enrol(&door, &door.signed_in(ADA).await).await;
        let (visitor, _) = half_way(&door, ADA).await;
        let (wrong, right) =
            if recovery { (nothing.into(), enrolled.codes[0].clone()) } else { (enrolled.wrong(&door), enrolled.code(&door)) };
        locked_at_five(&door, &visitor, "POST", path, &wrong, &right).await;
        assert!(!is_signed_in(&visitor).await);
    }
    for (method, path) in
        [("POST", "/auth/verify-totp"), ("POST", "/auth/verify-recovery"), ("DELETE", "/auth/totp"), ("POST", "/auth/recovery-codes")]
    {
        let door = Door::open().await;
        let visitor = door.signed_in(ADA).await;
        let enrolled = enrol(&door, &visitor).await;
        let wrong = if path.ends_with("recovery") { nothing.to_owned() } else { enrolled.wrong(&door) };
        locked_at_five(&door, &visitor, method, path, &wrong, &enrolled.code(&door)).await;
    }
    let door = Door::open().await;
    let visitor = door.signed_in(ADA).await;
    let told = json(&visitor.send("POST", "/auth/totp/enroll", None, b"").await);
    let phone = Authenticator::typed(told["secret"].as_str().unwrap());
    let now = door.now().as_secs();
    locked_at_five(&door, &visitor, "POST", "/auth/totp/confirm", &phone.wrong(now), &phone.code(now)).await;
}

#[tokio::test]
async fn signing_in_anew_gives_no_new_attempts() {
    let door = Door::open().await;
    let enrolled = enrol(&door, &door.signed_in(ADA).await).await;

    for _ in 0..2 {
        let (visitor, _) = half_way(&door, ADA).await;
        for _ in 0..5 {
            assert_eq!(problem(&visitor.post("/auth/verify-totp", &body(&enrolled.wrong(&door))).await).0, 401);
        }
    }

    // Ten of an hour are used: no endpoint takes another, the one for mailed codes neither.
    door.pass(RESEND);
    let visitor = door.visitor();
    let sent = door.mailbox.count();
    visitor.post("/auth/request-otp", &json!({ "email": ADA }).to_string()).await;
    let code = door.mailbox.code(sent + 1).await;
    let reply = visitor.post("/auth/verify-otp", &json!({ "email": ADA, "code": code }).to_string()).await;
    assert_eq!(problem(&reply), (429, "too_many_attempts".to_owned()));
}

#[tokio::test]
async fn a_lock_counts_when_the_code_comes_back() {
    let door = Door::open().await;
    let enrolled = enrol(&door, &door.signed_in(ADA).await).await;
    let (waiting, _) = half_way(&door, ADA).await;
    for _ in 0..2 {
        let (other, _) = half_way(&door, ADA).await;
        for _ in 0..5 {
            other.post("/auth/verify-totp", &body(&enrolled.wrong(&door))).await;
        }
    }

    for path in ["/auth/verify-totp", "/auth/verify-recovery"] {
        let code = if path.ends_with("totp") { enrolled.code(&door) } else { enrolled.codes[0].clone() };
        assert_eq!(problem(&waiting.post(path, &body(&code)).await), (429, "too_many_attempts".to_owned()), "{path}");
    }
}

#[tokio::test]
async fn right_codes_use_up_no_attempts() {
    let door = Door::open().await;
    let visitor = door.signed_in(ADA).await;
    let enrolled = enrol(&door, &visitor).await;

    for round in 0..15 {
        assert_eq!(visitor.post("/auth/verify-totp", &body(&enrolled.code(&door))).await.status(), 200, "{round}");
        door.pass(STEP);
    }
}

#[tokio::test]
async fn what_is_no_code_is_refused() {
    let door = Door::open().await;
    let visitor = door.signed_in(ADA).await;
    let enrolled = enrol(&door, &visitor).await;
    let (_, told) = half_way(&door, ADA).await;
    let id = told["challenge_id"].as_str().unwrap();
    let zeros = if enrolled.wrong(&door) == "000000" { "000000" } else { "000001" };
    let texts = [
        json!({}),
        json!({ "code": null }),
        json!({ "code": [] }),
        json!({ "code": ["123456"] }),
        json!({ "code": {} }),
        json!({ "code": 123_456 }),
        json!({ "code": true }),
        json!({ "code": "" }),
        json!({ "code": zeros }),
        json!({ "challenge_id": id }),
        json!({ "challenge_id": null, "code": zeros }),
        json!({ "challenge_id": [id], "code": zeros }),
        json!({ "challenge_id": id, "code": "", "second_factor_required": false }),
        json!([id, zeros]),
        json!(null),
        json!(""),
    ];

    for path in ["/auth/verify-totp", "/auth/verify-recovery"] {
        for text in &texts {
            let stranger = door.visitor();
            let (status, _) = problem(&stranger.post(path, &text.to_string()).await);
            assert!(status == 422 || status == 401, "{path} {text}: {status}");
            assert!(!is_signed_in(&stranger).await);
        }
        assert_eq!(problem(&door.visitor().post(path, "").await).0, 400);
        assert_eq!(problem(&door.visitor().send("POST", path, None, b"").await).0, 415);
    }
    for (method, path) in [("POST", "/auth/totp/confirm"), ("DELETE", "/auth/totp"), ("POST", "/auth/recovery-codes")] {
        for text in &texts[..7] {
            let reply = visitor.send(method, path, Some("application/json"), text.to_string().as_bytes()).await;
            assert_eq!(problem(&reply), (422, "invalid_body".to_owned()), "{path} {text}");
        }
    }
    assert_eq!(claims(&visitor).await["acr"], "two_factor", "nothing has changed");
}

#[tokio::test]
async fn nothing_is_written_that_gives_the_secret_or_a_code_away() {
    let door = Door::open().await;
    let visitor = door.signed_in(ADA).await;
    let told = json(&visitor.send("POST", "/auth/totp/enroll", None, b"").await);
    let secret = told["secret"].as_str().unwrap();
    let phone = Authenticator::typed(secret);
    let confirmed = json(&visitor.post("/auth/totp/confirm", &body(&phone.code(door.now().as_secs()))).await);
    let (_, half) = half_way(&door, ADA).await;

    let written = door.everything_written();

    let mut secrets = codes(&confirmed);
    secrets.extend(codes(&confirmed).iter().map(|code| code.replace('-', "")));
    secrets.extend([secret.to_owned(), half["challenge_id"].as_str().unwrap().to_owned()]);
    for secret in secrets {
        assert!(!written.windows(secret.len()).any(|part| part == secret.as_bytes()), "it stands in the database");
    }
    let raw = phone.bytes();
    assert!(!written.windows(raw.len()).any(|part| part == raw), "the secret stands in the database");
}

#[tokio::test]
async fn without_a_database_nobody_passes_and_no_factor_changes() {
    let server = Postgres::start();
    let door = Door::wished(Wish { database: Some(server.database()), ..Wish::default() }).await;
    let visitor = door.signed_in(ADA).await;
    let enrolled = enrol(&door, &visitor).await;
    let (half, _) = half_way(&door, ADA).await;
    let (code, json) = (body(&enrolled.code(&door)), Some("application/json"));

    drop(server);

    let calls = [
        (&half, "POST", "/auth/verify-totp"),
        (&half, "POST", "/auth/verify-recovery"),
        (&visitor, "POST", "/auth/verify-totp"),
        (&visitor, "POST", "/auth/totp/confirm"),
        (&visitor, "DELETE", "/auth/totp"),
        (&visitor, "POST", "/auth/recovery-codes"),
    ];
    for (person, method, path) in calls {
        let reply = person.send(method, path, json, code.as_bytes()).await;
        assert_eq!(problem(&reply), (503, "unavailable".to_owned()), "{path}");
        assert!(reply.headers().contains_key("retry-after") && cookies(reply.headers()).is_empty(), "{path}");
    }
    assert_eq!(problem(&visitor.send("POST", "/auth/totp/enroll", None, b"").await), (503, "unavailable".to_owned()));
}
