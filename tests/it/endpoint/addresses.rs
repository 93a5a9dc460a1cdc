//! A person adds, changes and takes away addresses of theirs; nobody else's, and never by saying so.

use std::time::Duration;

use doorward::endpoint::Reply;
use doorward::signin::{Changed, Handle, Notice};

use super::door::{Door, Visitor, Wish, cookies, json, problem, text};
use super::factors;

const ACCESS: &str = "__Host-doorward_access";
const CHALLENGE: &str = "__Host-doorward_challenge";
const MINUTE: Duration = Duration::from_secs(61);
const ADA: &str = "ada@example.com";

/// Long enough for what must not come to have come.
const A_WHILE: Duration = Duration::from_millis(600);

async fn change(visitor: &Visitor<'_>, body: &str) -> Reply {
    visitor.post("/auth/addresses", body).await
}

async fn confirm(visitor: &Visitor<'_>, code: &str) -> Reply {
    visitor.post("/auth/addresses/confirm", &format!(r#"{{"code":"{code}"}}"#)).await
}

async fn remove(visitor: &Visitor<'_>, body: &str) -> Reply {
    visitor.send("DELETE", "/auth/addresses", Some("application/json"), body.as_bytes()).await
}

async fn verify(visitor: &Visitor<'_>, who: &str, code: &str) -> Reply {
    visitor.post("/auth/verify-otp", &format!(r#"{{{who},"code":"{code}"}}"#)).await
}

/// What the account that is signed in is, as the next token tells.
async fn renewed(visitor: &Visitor<'_>) -> serde_json::Value {
    assert_eq!(visitor.send("POST", "/auth/refresh", None, b"").await.status(), 200);
    json(&visitor.get("/auth/session").await)
}

/// The code that was sent last to `address`.
async fn code_to(door: &Door, address: &str, sent: usize) -> String {
    door.mailbox.code(sent + 1).await;
    let (to, code) = door.mailbox.codes().pop().unwrap();
    assert_eq!(to, address);
    code
}

/// Add `body`'s address to who is signed in.
async fn add(door: &Door, visitor: &Visitor<'_>, body: &str, address: &str) {
    let sent = door.mailbox.count();
    assert_eq!(change(visitor, body).await.status(), 200);
    let code = code_to(door, address, sent).await;
    assert_eq!(confirm(visitor, &code).await.status(), 200);
}

fn wrong(code: &str) -> String {
    code.chars().map(|digit| if digit == '9' { '0' } else { '9' }).collect()
}

async fn with_phones() -> Door {
    Door::wished(Wish { phones: true, lines: "[limits]\nsms_countries = [\"DE\"]", ..Wish::default() }).await
}

#[tokio::test]
async fn a_new_address_takes_the_place_of_the_old_one() {
    let door = Door::open().await;
    let visitor = door.signed_in(ADA).await;
    let before = json(&visitor.get("/auth/session").await);

    let asked = change(&visitor, r#"{"email":" Ada@NEW.example "}"#).await;
    let code = code_to(&door, "ada@new.example", 1).await;
    let challenge = visitor.cookie(CHALLENGE).unwrap();
    let confirmed = confirm(&visitor, &code).await;
    let again = confirm(&visitor, &code).await;

    assert_eq!(asked.status(), 200);
    let body = json(&asked);
    assert_eq!(body.as_object().unwrap().len(), 5, "{body}");
    assert_eq!((&body["channel"], &body["expires_in"], &body["resend_after"]), (&"email".into(), &600.into(), &60.into()));
    assert_eq!(body["challenge_id"], challenge);
    assert!(!text(&asked).contains(&code));
    assert_eq!((confirmed.status().as_u16(), json(&confirmed).as_object().unwrap().len()), (200, 1));
    assert_eq!(cookies(confirmed.headers()).len(), 3, "the challenge is cleared, the session stays, with tokens that say the new address");
    assert_eq!(problem(&again), (401, "invalid_code".to_owned()));
    let after = renewed(&visitor).await;
    assert_eq!((&after["sub"], &after["sid"]), (&before["sub"], &before["sid"]));
    assert_eq!((&after["email"], &after["email_verified"]), (&"ada@new.example".into(), &true.into()));
    let told = door.mailbox.notices_when(1).await;
    assert_eq!(told, [(ADA.to_owned(), Notice::AddressChanged(Changed::Email))], "told to the old address, which may be who did it not");
}

#[tokio::test]
async fn the_old_address_signs_nobody_in_from_then_on() {
    let door = Door::open().await;
    let visitor = door.signed_in(ADA).await;
    let sub = json(&visitor.get("/auth/session").await)["sub"].clone();
    door.pass(MINUTE);
    // A code is on its way to the old address while it changes.
    let mailbox_reader = door.visitor();
    mailbox_reader.post("/auth/request-otp", &format!(r#"{{"email":"{ADA}"}}"#)).await;
    let old = code_to(&door, ADA, 1).await;

    add(&door, &visitor, r#"{"email":"ada@new.example"}"#, "ada@new.example").await;

    let by_old = verify(&mailbox_reader, &format!(r#""email":"{ADA}""#), &old).await;
    assert_eq!(problem(&by_old), (401, "invalid_code".to_owned()));
    door.pass(MINUTE);
    let new = door.signed_in("ada@new.example").await;
    assert_eq!(json(&new.get("/auth/session").await)["sub"], sub);
    let stranger = door.signed_in(ADA).await;
    assert_ne!(json(&stranger.get("/auth/session").await)["sub"], sub, "the old address is free, for another account");
}

#[tokio::test]
async fn a_phone_is_added_and_both_sign_in() {
    let door = with_phones().await;
    let visitor = door.signed_in(ADA).await;
    let sub = json(&visitor.get("/auth/session").await)["sub"].clone();

    let asked = change(&visitor, r#"{"phone":"+49 151 2345-6789","channel":"whatsapp"}"#).await;
    assert_eq!(json(&asked)["channel"], "whatsapp");
    let code = code_to(&door, "+4915123456789", 1).await;
    assert_eq!(confirm(&visitor, &code).await.status(), 200);

    let claims = renewed(&visitor).await;
    assert_eq!((&claims["email"], &claims["email_verified"]), (&ADA.into(), &true.into()));
    assert_eq!((&claims["phone_number"], &claims["phone_number_verified"]), (&"+4915123456789".into(), &true.into()));
    door.pass(MINUTE);
    for who in [r#""phone":"+4915123456789""#, r#""email":"ada@example.com""#] {
        let other = door.visitor();
        let sent = door.mailbox.count();
        assert_eq!(other.post("/auth/request-otp", &format!("{{{who}}}")).await.status(), 200);
        let code = door.mailbox.code(sent + 1).await;
        assert_eq!(verify(&other, who, &code).await.status(), 200, "{who}");
        assert_eq!(json(&other.get("/auth/session").await)["sub"], sub, "{who}");
    }
    let told = door.mailbox.notices_when(1).await;
    assert_eq!(told, [(ADA.to_owned(), Notice::AddressChanged(Changed::Phone))]);
}

#[tokio::test]
async fn another_address_needs_a_fresh_sign_in() {
    let door = with_phones().await;
    let visitor = door.signed_in(ADA).await;
    add(&door, &visitor, r#"{"phone":"+4915123456789"}"#, "+4915123456789").await;
    door.pass(Duration::from_secs(539));
    assert_eq!(change(&visitor, r#"{"email":"one@new.example"}"#).await.status(), 200);
    let code = code_to(&door, "one@new.example", 2).await;
    let sent = door.mailbox.count();

    // Whole seconds: a token tells no more.
    door.pass(Duration::from_secs(62));
    let stale = [change(&visitor, r#"{"email":"two@new.example"}"#).await, remove(&visitor, r#"{"phone":true}"#).await];

    for reply in &stale {
        assert_eq!(problem(reply), (401, "insufficient_user_authentication".to_owned()));
        let bearer = reply.headers()["www-authenticate"].to_str().unwrap();
        assert_eq!(bearer, "Bearer realm=\"doorward\", error=\"insufficient_user_authentication\", max_age=\"600\"");
    }
    // What was begun in time may be finished.
    assert_eq!(confirm(&visitor, &code).await.status(), 200);
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(door.mailbox.count(), sent);
}

#[tokio::test]
async fn where_there_is_a_second_factor_a_mailbox_alone_changes_nothing() {
    let door = with_phones().await;
    let early = door.signed_in(ADA).await;
    door.pass(MINUTE);
    let visitor = door.signed_in(ADA).await;
    add(&door, &visitor, r#"{"phone":"+4915123456789"}"#, "+4915123456789").await;
    factors::enrol(&door, &visitor).await;
    renewed(&early).await;

    // Signed in by a mailed code a moment ago, before there was a second factor.
    let refused = [change(&early, r#"{"email":"eve@evil.example"}"#).await, remove(&early, r#"{"phone":true}"#).await];
    let sent = door.mailbox.count();
    assert_eq!(change(&visitor, r#"{"email":"ada@new.example"}"#).await.status(), 200);
    let code = code_to(&door, "ada@new.example", sent).await;
    let confirmed_early = confirm(&early, &code).await;

    for reply in refused.iter().chain([&confirmed_early]) {
        assert_eq!(problem(reply), (401, "insufficient_user_authentication".to_owned()));
        assert!(reply.headers()["www-authenticate"].to_str().unwrap().contains("acr_values=\"two_factor\""));
    }
    assert_eq!(confirm(&visitor, &code).await.status(), 200);
    assert_eq!(renewed(&visitor).await["email"], "ada@new.example");
}

#[tokio::test]
async fn nobody_who_is_not_signed_in_changes_anything() {
    let door = Door::open().await;
    let stranger = door.visitor();

    for reply in [
        change(&stranger, r#"{"email":"x@example.com"}"#).await,
        confirm(&stranger, "123456").await,
        remove(&stranger, r#"{"email":true}"#).await,
    ] {
        assert_eq!(problem(&reply), (401, "unauthenticated".to_owned()));
    }
    assert_eq!(door.mailbox.count(), 0);
    let signed_in = door.signed_in(ADA).await;
    signed_in.says("sec-fetch-site", "cross-site");
    assert_eq!(problem(&change(&signed_in, r#"{"email":"x@example.com"}"#).await), (403, "cross_site".to_owned()));
    assert_eq!(problem(&remove(&signed_in, r#"{"email":true}"#).await), (403, "cross_site".to_owned()));
}

#[tokio::test]
async fn somebody_elses_address_is_answered_alike_and_never_taken() {
    let door = Door::open().await;
    door.signed_in("bob@example.com").await;
    let visitor = door.signed_in(ADA).await;
    let sent = door.mailbox.count();
    door.pass(MINUTE);

    let taken = change(&visitor, r#"{"email":"bob@example.com"}"#).await;
    let guessed = confirm(&visitor, "123456").await;
    let free = change(&visitor, r#"{"email":"free@example.com"}"#).await;
    let guessed_free = confirm(&visitor, &wrong(&code_to(&door, "free@example.com", sent).await)).await;

    assert_eq!((taken.status(), guessed.status()), (free.status(), guessed_free.status()));
    for (name, value) in json(&free).as_object().unwrap() {
        assert!(name == "challenge_id" || json(&taken)[name] == *value, "{name}");
    }
    assert_eq!(guessed.body(), guessed_free.body());
    let names = |reply: &Reply| reply.headers().keys().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!((names(&taken), names(&guessed)), (names(&free), names(&guessed_free)));
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(door.mailbox.count(), sent + 1, "nothing was sent to Bob");
    let bob = Handle::email("bob@example.com").unwrap();
    assert!(door.sign_in.accounts.find_by_handle(&bob).await.unwrap().is_some());
}

#[tokio::test]
async fn even_the_right_code_takes_nothing_from_anybody() {
    let lines = "[development]\nenabled = true";
    let door = Door::wished(Wish { public_url: Some("http://127.0.0.1:8080"), lines, ..Wish::default() }).await;
    let sign_in = async |email: &str| {
        let visitor = door.visitor();
        visitor.post("/auth/request-otp", &format!(r#"{{"email":"{email}"}}"#)).await;
        assert_eq!(verify(&visitor, &format!(r#""email":"{email}""#), "000000").await.status(), 200);
        visitor
    };
    let bob = sign_in("bob@example.com").await;
    let visitor = sign_in(ADA).await;
    door.pass(MINUTE);

    assert_eq!(change(&visitor, r#"{"email":"bob@example.com"}"#).await.status(), 200);
    assert_eq!(problem(&confirm(&visitor, "000000").await), (401, "invalid_code".to_owned()));

    assert_eq!(renewed(&visitor).await["email"], ADA);
    assert_eq!(renewed(&bob).await["email"], "bob@example.com");
}

#[tokio::test]
async fn the_code_goes_to_the_address_that_was_asked_for_and_no_other_is_set() {
    let door = Door::open().await;
    let visitor = door.signed_in(ADA).await;
    change(&visitor, r#"{"email":"ada@new.example"}"#).await;
    let code = code_to(&door, "ada@new.example", 1).await;

    for body in [
        format!(r#"{{"code":"{code}","email":"mallory@example.com"}}"#),
        format!(r#"{{"code":"{code}","phone":"+4915123456789"}}"#),
        format!(r#"{{"code":"{code}","to":"mallory@example.com"}}"#),
        format!(r#"{{"code":"{code}","account":"x"}}"#),
        format!(r#"["{code}"]"#),
        r#"{"code":null}"#.to_owned(),
        r#"{"code":["1"]}"#.to_owned(),
        "{}".to_owned(),
    ] {
        assert_eq!(problem(&visitor.post("/auth/addresses/confirm", &body).await), (422, "invalid_body".to_owned()), "{body}");
    }
    assert_eq!(confirm(&visitor, &code).await.status(), 200);
    assert_eq!(renewed(&visitor).await["email"], "ada@new.example");
}

#[tokio::test]
async fn nobody_says_of_themselves_that_an_address_is_verified() {
    let door = with_phones().await;
    let visitor = door.signed_in(ADA).await;
    let flags = [r#""email_verified":true"#, r#""phone_verified":true"#, r#""phone_number_verified":true"#, r#""verified":true"#];
    for flag in flags {
        for (path, body) in [
            ("/auth/register", format!(r#"{{"email":"x@example.com",{flag}}}"#)),
            ("/auth/request-otp", format!(r#"{{"email":"x@example.com",{flag}}}"#)),
            ("/auth/verify-otp", format!(r#"{{"email":"x@example.com","code":"123456",{flag}}}"#)),
            ("/auth/addresses", format!(r#"{{"email":"x@example.com",{flag}}}"#)),
            ("/auth/addresses", format!(r#"{{"phone":"+4915123456789",{flag}}}"#)),
            ("/auth/addresses/confirm", format!(r#"{{"code":"123456",{flag}}}"#)),
        ] {
            assert_eq!(problem(&visitor.post(path, &body).await), (422, "invalid_body".to_owned()), "{path} {body}");
        }
    }

    // Asking for it does not verify it either.
    change(&visitor, r#"{"email":"ada@new.example"}"#).await;
    let claims = renewed(&visitor).await;
    assert_eq!((&claims["email"], &claims["phone_number_verified"]), (&ADA.into(), &false.into()));
    let unverified = door.visitor();
    unverified.post("/auth/register", r#"{"email":"new@example.com"}"#).await;
    tokio::time::sleep(A_WHILE).await;
    let kept = door.sign_in.accounts.find_by_handle(&Handle::email("new@example.com").unwrap()).await.unwrap();
    assert!(!kept.unwrap().email_verified);
}

#[tokio::test]
async fn a_code_that_signs_in_changes_nothing_and_the_other_way_round() {
    let door = Door::open().await;
    let visitor = door.signed_in(ADA).await;
    door.pass(MINUTE);
    let asked = visitor.post("/auth/request-otp", &format!(r#"{{"email":"{ADA}"}}"#)).await;
    let (sign_in_id, sign_in_code) = (json(&asked)["challenge_id"].clone(), code_to(&door, ADA, 1).await);
    let asked = change(&visitor, r#"{"email":"ada@new.example"}"#).await;
    let (change_id, change_code) = (json(&asked)["challenge_id"].clone(), code_to(&door, "ada@new.example", 2).await);

    let at_confirm = format!(r#"{{"code":"{sign_in_code}","challenge_id":{sign_in_id}}}"#);
    assert_eq!(problem(&visitor.post("/auth/addresses/confirm", &at_confirm).await).0, 401);
    if sign_in_code != change_code {
        assert_eq!(problem(&confirm(&visitor, &sign_in_code).await).0, 401);
        for who in [ADA, "ada@new.example"] {
            let stranger = door.visitor();
            assert_eq!(problem(&verify(&stranger, &format!(r#""email":"{who}""#), &change_code).await).0, 401, "{who}");
        }
    }
    for who in [ADA, "ada@new.example"] {
        let named = format!(r#"{{"email":"{who}","code":"{change_code}","challenge_id":{change_id}}}"#);
        assert_eq!(problem(&door.visitor().post("/auth/verify-otp", &named).await).0, 401, "{who}");
    }

    assert_eq!(confirm(&visitor, &change_code).await.status(), 200);
}

#[tokio::test]
async fn a_change_is_confirmed_by_the_account_that_asked_alone() {
    let door = Door::open().await;
    let (ada, bob) = (door.signed_in(ADA).await, door.signed_in("bob@example.com").await);
    let asked = change(&ada, r#"{"email":"ada@new.example"}"#).await;
    let (id, code) = (json(&asked)["challenge_id"].clone(), code_to(&door, "ada@new.example", 2).await);

    let named = format!(r#"{{"code":"{code}","challenge_id":{id}}}"#);
    assert_eq!(problem(&bob.post("/auth/addresses/confirm", &named).await), (401, "invalid_code".to_owned()));
    bob.set_cookie(CHALLENGE, &ada.cookie(CHALLENGE).unwrap());
    assert_eq!(problem(&confirm(&bob, &code).await), (401, "invalid_code".to_owned()));

    let same_person = door.visitor();
    same_person.set_cookie(ACCESS, &ada.cookie(ACCESS).unwrap());
    assert_eq!(confirm(&same_person, &code).await.status(), 200, "another browser of the same account, by its latest change");
}

#[tokio::test]
async fn wrong_codes_for_a_new_address_end_at_their_bound() {
    let door = Door::open().await;
    let visitor = door.signed_in(ADA).await;
    let mut refused = Vec::new();

    for (sent, address) in [(1, "one@new.example"), (2, "two@new.example"), (3, "three@new.example")] {
        change(&visitor, &format!(r#"{{"email":"{address}"}}"#)).await;
        let code = code_to(&door, address, sent).await;
        for _ in 0..5 {
            refused.push(confirm(&visitor, &wrong(&code)).await.status().as_u16());
        }
        let right = confirm(&visitor, &code).await;
        assert_eq!(problem(&right), (429, "too_many_attempts".to_owned()), "{address}");
        assert!(right.headers().contains_key("retry-after"));
    }

    assert_eq!(refused, [[401; 10].as_slice(), &[429; 5]].concat(), "ten for the account, whatever is asked for");
    door.pass(MINUTE);
    let other = door.visitor();
    other.post("/auth/request-otp", &format!(r#"{{"email":"{ADA}"}}"#)).await;
    let code = code_to(&door, ADA, 4).await;
    assert_eq!(verify(&other, &format!(r#""email":"{ADA}""#), &code).await.status(), 429, "one budget with signing in");
    assert_eq!(renewed(&visitor).await["email"], ADA);
}

#[tokio::test]
async fn asking_too_soon_is_told_so() {
    let door = Door::open().await;
    let visitor = door.signed_in(ADA).await;
    change(&visitor, r#"{"email":"new@example.com"}"#).await;

    let soon = change(&visitor, r#"{"email":"NEW@example.com"}"#).await;
    let for_another = door.visitor().post("/auth/request-otp", r#"{"email":"new@example.com"}"#).await;

    for reply in [soon, for_another] {
        assert_eq!(problem(&reply), (429, "resend_too_soon".to_owned()));
        assert_eq!(reply.headers()["retry-after"], "60");
    }
}

#[tokio::test]
async fn an_address_is_taken_away_but_never_the_last() {
    let door = with_phones().await;
    let visitor = door.signed_in(ADA).await;

    assert_eq!(problem(&remove(&visitor, r#"{"email":true}"#).await), (409, "last_address".to_owned()));
    assert_eq!(problem(&remove(&visitor, r#"{"phone":true}"#).await), (404, "not_found".to_owned()));
    add(&door, &visitor, r#"{"phone":"+4915123456789"}"#, "+4915123456789").await;
    door.mailbox.notices_when(1).await;
    let removed = remove(&visitor, r#"{"email":true}"#).await;

    assert_eq!((removed.status().as_u16(), json(&removed).as_object().unwrap().len()), (200, 1));
    let claims = renewed(&visitor).await;
    assert_eq!((&claims["email"], &claims["email_verified"]), (&serde_json::Value::Null, &false.into()));
    assert_eq!(problem(&remove(&visitor, r#"{"phone":true}"#).await), (409, "last_address".to_owned()));
    let told = door.mailbox.notices_when(2).await;
    let expected = [(ADA, Changed::Phone), ("+4915123456789", Changed::Email)];
    assert_eq!(told, expected.map(|(to, which)| (to.to_owned(), Notice::AddressChanged(which))), "one of a kind an hour for each address");
}

#[tokio::test]
async fn what_is_taken_away_is_said_with_a_plain_yes() {
    let door = Door::open().await;
    let visitor = door.signed_in(ADA).await;
    let bodies = [
        "{}",
        r#"{"email":false}"#,
        r#"{"email":true,"phone":true}"#,
        r#"{"email":true,"phone":false}"#,
        r#"{"email":"ada@example.com"}"#,
        r#"{"email":1}"#,
        r#"{"email":null}"#,
        r#"{"all":true}"#,
    ];
    for body in bodies {
        assert_eq!(problem(&remove(&visitor, body).await), (422, "invalid_body".to_owned()), "{body}");
    }
    assert_eq!(problem(&visitor.send("DELETE", "/auth/addresses", None, b"").await).0, 415);
}

#[tokio::test]
async fn an_account_has_one_failure_budget_whatever_it_is_called() {
    for bound in [true, false] {
        let door = with_phones().await;
        let visitor = door.signed_in(ADA).await;
        add(&door, &visitor, r#"{"phone":"+4915123456789"}"#, "+4915123456789").await;
        let mut codes = Vec::new();
        let ways = [
            [r#""email":"ada@example.com""#, r#""email":" ADA@Example.COM""#],
            [r#""phone":"+4915123456789""#, r#""phone":"+49 (151) 2345-6789""#],
        ];
        for (asked, typed) in ways.map(|[asked, typed]| (asked, typed)) {
            door.pass(MINUTE);
            let guesser = door.visitor();
            let sent = door.mailbox.count();
            assert_eq!(guesser.post("/auth/request-otp", &format!("{{{asked}}}")).await.status(), 200);
            codes.push(door.mailbox.code(sent + 1).await);
            let guesser = if bound { guesser } else { door.visitor() };
            for _ in 0..5 {
                let reply = verify(&guesser, typed, "not a code").await;
                assert_eq!(problem(&reply), (401, "invalid_code".to_owned()), "{typed} {bound}");
            }
        }

        // Ten of one account: it is locked by each of its names, for a new code too, and only what did not guess goes on.
        door.pass(MINUTE);
        for (asked, typed) in ways.map(|[asked, typed]| (asked, typed)) {
            let other = door.visitor();
            let sent = door.mailbox.count();
            assert_eq!(other.post("/auth/request-otp", &format!("{{{asked}}}")).await.status(), 200);
            let code = door.mailbox.code(sent + 1).await;
            let other = if bound { other } else { door.visitor() };
            assert_eq!(problem(&verify(&other, typed, &code).await), (429, "too_many_attempts".to_owned()), "{typed} {bound}");
        }
    }
}
