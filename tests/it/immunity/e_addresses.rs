//! E 53–55: a code goes to the address that is stored, nobody marks an address as their own, and an address is one.

use serde_json::{Value, json};

use crate::flow::place::{ACCESS, CHALLENGE, Database, Place, ask, claims_of, verify};
use crate::support::client::{Person, Reply};
use crate::support::wait;

const ADA: &str = "ada@example.com";
const EVE: &str = "eve@evil.example";

async fn send(person: &Person, path: &str, kind: &str, body: &str) -> Reply {
    person.request(http::Method::POST, path).header("Content-Type", kind).body(body.to_owned()).send().await
}

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// authentik sent the code for somebody's account to whatever address stood in the request.
#[tokio::test(flavor = "multi_thread")]
async fn ghsa_qgqp_xh8r_v73r_a_code_goes_to_the_address_that_is_stored() {
    let place = Place::on(Database::Sqlite).await;
    assert_eq!(place.gateway.command(&["account", "add", "--email", ADA]).0, 0);
    for path in ["/auth/request-otp", "/auth/register"] {
        for body in [
            format!(r#"{{"email":"{ADA}","to":"{EVE}"}}"#),
            format!(r#"{{"email":"{ADA}","recipient":"{EVE}"}}"#),
            format!(r#"{{"email":"{ADA}","email":"{EVE}"}}"#),
            format!(r#"{{"email":"{EVE}","email":"{ADA}"}}"#),
            format!(r#"{{"email":"{ADA}","Email":"{EVE}"}}"#),
            format!(r#"{{"email":["{ADA}","{EVE}"]}}"#),
            format!(r#"{{"email":{{"address":"{ADA}"}}}}"#),
            format!(r#"{{"email":"{ADA},{EVE}"}}"#),
            format!(r#"{{"email":"{ADA};{EVE}"}}"#),
            format!(r#"{{"email":"{ADA} {EVE}"}}"#),
            format!(r#"{{"email":"{ADA}\r\nBcc: {EVE}"}}"#),
            format!(r#"{{"email":"{ADA}","phone":"+4915112345678"}}"#),
            format!(r#"{{"email":"{ADA}","challenge_id":"x"}}"#),
        ] {
            let reply = send(&place.person(), path, JSON, &body).await;
            assert_eq!(reply.status, 422, "{path} {body}");
        }
    }
    for body in [
        format!("address={ADA}&address={EVE}"),
        format!("address={ADA}&email={EVE}"),
        format!("address={ADA}%2C{EVE}"),
        format!("to={EVE}&address={ADA}"),
    ] {
        assert_eq!(send(&place.person(), "/auth/login", FORM, &body).await.status, 422, "{body}");
    }

    // Beside the body, where nobody should look.
    let person = place.person();
    let before = place.mailbox.mails().len();
    let asked = person
        .request(http::Method::POST, &format!("/auth/request-otp?email={EVE}&to={EVE}"))
        .header("X-Email", EVE)
        .header("Remote-Email", EVE)
        .header("X-Forwarded-Email", EVE)
        .json(&json!({ "email": "ADA@Example.com" }))
        .send()
        .await;
    assert_eq!(asked.status, 200);
    let code = place.mailbox.wait_for_nth(ADA, 1).await.code();
    // Asking again, with the first challenge at hand, for another address: that one gets a code of its own.
    assert_eq!(ask(&person, EVE).await.status, 200);
    let other = place.mailbox.wait_for(EVE).await;
    assert_ne!(other.code(), code);
    let mails = place.mailbox.mails();
    assert_eq!(mails.len(), before + 2);
    assert_eq!((mails[before].recipients.clone(), mails[before + 1].recipients.clone()), (vec![ADA.to_owned()], vec![EVE.to_owned()]));
    for mail in &mails {
        assert_eq!(mail.header("To"), mail.recipients.first().cloned());
        assert!(mail.header("Cc").is_none() && mail.header("Bcc").is_none());
    }
    the_code_of_one_is_not_the_code_of_another(&place, &code, &other.code()).await;
}

/// Each code signs in its own address, whatever is named beside it.
async fn the_code_of_one_is_not_the_code_of_another(place: &Place, ada: &str, eve: &str) {
    let mallory = place.person();
    assert_eq!(ask(&mallory, EVE).await.status, 200);
    let challenge = mallory.cookie(CHALLENGE).unwrap();
    let stolen = mallory.post("/auth/verify-otp", &json!({ "email": ADA, "code": eve, "challenge_id": challenge })).await;
    assert_eq!(stolen.status, 401, "{}", stolen.text());
    assert_eq!(verify(&place.person(), ADA, eve).await.status, 401);
    assert_eq!(verify(&place.person(), EVE, ada).await.status, 401);
    let own = place.person();
    assert_eq!(verify(&own, EVE, eve).await.status, 200);
    assert_eq!(claims_of(&own.cookie(ACCESS).unwrap())["email"], EVE);
}

/// Zitadel and authentik let people say that an address was verified.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_27946_nobody_marks_an_address_as_verified() {
    let place = Place::on(Database::Sqlite).await;
    for path in ["/auth/register", "/auth/request-otp"] {
        for (name, value) in [
            ("email_verified", json!(true)),
            ("phone_verified", json!(true)),
            ("phone_number_verified", json!(true)),
            ("verified", json!(true)),
            ("groups", json!(["admins"])),
            ("claims", json!({ "email_verified": true })),
            ("sub", json!("x")),
            ("id", json!("x")),
            ("account_id", json!("x")),
            ("amr", json!(["otp"])),
            ("acr", json!("two_factor")),
            ("disabled_at", Value::Null),
        ] {
            let mut body = json!({ "email": EVE });
            body[name] = value;
            assert_eq!(place.person().post(path, &body).await.status, 422, "{path} {body}");
        }
    }
    assert!(place.mailbox.mails().is_empty());

    // What is verified is what a code came back from, and nothing else.
    let (email, phone) = (ADA, "+4915112345678");
    assert_eq!(place.gateway.command(&["account", "add", "--email", email, "--phone", phone]).0, 0);
    let person = place.sign_in(email).await;
    let claims = claims_of(&person.cookie(ACCESS).unwrap());
    assert_eq!((&claims["email_verified"], &claims["phone_number_verified"]), (&json!(true), &json!(false)), "{claims}");
    let tries = [
        (http::Method::PATCH, "/auth/session"),
        (http::Method::PUT, "/auth/session"),
        (http::Method::POST, "/auth/session"),
        (http::Method::PATCH, "/auth/account"),
        (http::Method::PUT, "/auth/account"),
    ];
    for (method, path) in tries {
        let reply = person.request(method.clone(), path).json(&json!({ "phone_number_verified": true })).send().await;
        assert!([404, 405].contains(&reply.status), "{method} {path}: {}", reply.status);
    }
    assert_eq!(person.post("/auth/refresh", &json!({ "phone_number_verified": true })).await.status, 422);
    assert_eq!(person.post("/auth/refresh", &json!({})).await.status, 200);
    assert_eq!(claims_of(&person.cookie(ACCESS).unwrap())["phone_number_verified"], false);
}

/// Auth.js sent a link for `a@evil,b@victim` to both; others split, quoted or folded an address otherwise than the mail server.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2022_35924_an_address_that_two_readers_read_differently_gets_no_mail() {
    let place = Place::on(Database::Sqlite).await;
    let refused = [
        "eve@evil.example,ada@example.com",
        "eve@evil.example;ada@example.com",
        "eve@evil.example ada@example.com",
        "\"eve@evil.example\"@example.com",
        "\"eve@evil.example,\"@example.com",
        "eve@evil.example@example.com",
        "eve@evil.example%example.com@",
        "eve\u{ff20}evil.example@example.com",
        "ada@example.com\u{ff20}evil.example",
        "ada\u{ff20}example.com",
        "ada\u{fe6b}example.com",
        "<eve@evil.example>ada@example.com",
        "Ada <eve@evil.example>",
        "ada@example.com>",
        "ada@example.com\r\nRCPT TO:<eve@evil.example>",
        "ada@example.com\nCc: eve@evil.example",
        "ada@example.com\0@evil.example",
        "ada@example.com(eve@evil.example)",
        "ada(comment)@example.com",
        "ada@[127.0.0.1]",
        "ada@127.0.0.1",
        "ada@evil.example\u{3000}",
        "ada\u{200b}@example.com",
        "ada@ex\u{ad}ample.com",
        "ada\u{202e}@example.com",
        "ada\\@evil.example@example.com",
        "ada:x@example.com",
        "@evil.example:ada@example.com",
        "ada@example.com.",
        "ada@.example.com",
        "ada@example..com",
        "ada..b@example.com",
        ".ada@example.com",
        "ada@-example.com",
        "ada@localhost",
        "mailto:ada@example.com",
        "ada@example.com?cc=eve@evil.example",
        "ada@example.com/eve",
    ];
    for text in refused.iter().filter(|text| **text != "ada@evil.example\u{3000}") {
        for path in ["/auth/request-otp", "/auth/register"] {
            let reply = place.person().post(path, &json!({ "email": text })).await;
            assert_eq!(reply.status, 422, "{path} {text:?}: {}", reply.text());
        }
        let reply = place.person().post_form("/auth/login", &[("address", text)]).await;
        assert_eq!(reply.status, 422, "{text:?}");
        assert_eq!(verify(&place.person(), text, "123456").await.status, 422, "{text:?}");
    }

    let spellings = ["ada@example.com", " Ada@EXAMPLE.com ", "\u{ff41}da@example.com", "ADA@example.c\u{ff4f}m", "ada@exampl\u{212f}.com"];
    for (number, text) in spellings.into_iter().enumerate() {
        assert_eq!(ask(&place.person(), text).await.status, 200, "{text:?}");
        place.mailbox.wait_for_nth(ADA, number + 1).await;
    }
    let mails = place.mailbox.mails();
    assert_eq!(mails.len(), 5, "nobody else got one");
    assert!(mails.iter().all(|mail| mail.recipients == [ADA] && mail.header("To").as_deref() == Some(ADA)));
    let accounts = || async { Some(place.gateway.command(&["account", "list", "--json"]).1).filter(|list| list.contains(ADA)) };
    let list = wait::until_async("the account", std::time::Duration::from_secs(5), accounts).await;
    assert_eq!(list.matches("@example.com").count(), 1, "one account: {list}");
}
