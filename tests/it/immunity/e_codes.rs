//! E 45–49 and 52: codes are guessed in vain, at whichever endpoint, however many at once, however the address is spelled.

use serde_json::json;
use tokio::task::JoinSet;

use super::endpoints;
use super::factors::{self, Enrolled};
use crate::apps::{Backend, Phone};
use crate::flow::place::{ACCESS, Database, Place, REFRESH, Wants, ask, code_of, verify, wrong};
use crate::support::authenticator::Authenticator;
use crate::support::client::{Person, Reply};

const ADA: &str = "ada@example.com";

/// The endpoints that compare a code with one that was sent to sign in.
const COMPARE: [&str; 2] = ["POST /verify-otp", "POST /verify"];

/// Those that compare a code which somebody says who is signed in, or half.
const COMPARE_INSIDE: [&str; 12] = [
    "POST /addresses/confirm",
    "POST /verify-totp",
    "POST /verify-recovery",
    "POST /totp/confirm",
    "DELETE /totp",
    "POST /recovery-codes",
    "POST /second-factor",
    "POST /recovery",
    "POST /account/confirm",
    "POST /account/authenticator/confirm",
    "POST /account/authenticator/remove",
    "POST /account/recovery-codes",
];

/// Those that compare a code which an app passes on.
const COMPARE_FOR_APPS: [&str; 4] =
    ["POST /api/code/verify", "PUT /api/otp/{id}/enable", "DELETE /api/otp/{id}", "POST /api/otp/{id}/recover"];

/// Those that compare none. A new endpoint has to be put into one of the four; what is only looked at compares nothing.
const COMPARE_NOTHING: [&str; 17] = [
    "POST /api/code",
    "POST /api/otp",
    "POST /register",
    "POST /request-otp",
    "POST /login",
    "POST /refresh",
    "POST /logout",
    "POST /totp/enroll",
    "POST /addresses",
    "DELETE /addresses",
    "DELETE /sessions/{id}",
    "POST /account/sessions",
    "POST /account/authenticator",
    "POST /account/email",
    "POST /account/phone",
    "POST /account/addresses/remove",
    "POST /step-up",
];

/// Says a code at an endpoint, as who asked for it.
async fn say(endpoint: &str, person: &Person, code: &str) -> Reply {
    say_for(ADA, endpoint, person, code).await
}

async fn say_for(email: &str, endpoint: &str, person: &Person, code: &str) -> Reply {
    match endpoint {
        "POST /verify-otp" => verify(person, email, code).await,
        "POST /verify" => person.post_form("/auth/verify", &[("code", code), ("next", "/")]).await,
        other => panic!("{other} compares codes, and nobody says how to send it one"),
    }
}

fn is_in(person: &Person) -> bool {
    person.cookie(ACCESS).is_some() || person.cookie(REFRESH).is_some()
}

#[test]
fn every_endpoint_is_known_to_compare_codes_or_not() {
    for listed in endpoints::all() {
        let key = listed.key();
        let sorts = [
            listed.method == "GET",
            COMPARE.contains(&key.as_str()),
            COMPARE_INSIDE.contains(&key.as_str()),
            COMPARE_FOR_APPS.contains(&key.as_str()),
            COMPARE_NOTHING.contains(&key.as_str()),
        ];
        assert_eq!(sorts.iter().filter(|is_one| **is_one).count(), 1, "{listed:?}: does it compare a code?");
    }
}

/// Zitadel and others counted wrong codes at one endpoint and forgot its sibling.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2024_32868_wrong_codes_lock_on_every_verify_endpoint() {
    let place = Place::on(Database::Sqlite).await;
    for (number, endpoint) in COMPARE.into_iter().enumerate() {
        let email = format!("ada{number}@example.com");
        let person = place.person();
        let right = place.code_for(&person, &email).await;
        let mut evaluated = 0;
        let locked = loop {
            let reply = say_for(&email, endpoint, &person, &wrong(&right)).await;
            if reply.status == 429 {
                break reply;
            }
            assert_eq!(reply.status, 401, "{endpoint}: {}", reply.text());
            evaluated += 1;
            assert!(evaluated <= 5, "{endpoint} evaluates wrong codes without end");
        };
        assert_eq!(evaluated, 5, "{endpoint}");
        assert!(locked.header("retry-after").is_some(), "{endpoint}");
        for sibling in COMPARE {
            let reply = say_for(&email, sibling, &person, &right).await;
            assert_eq!(reply.status, 429, "locked at {endpoint}, and the right code opens {sibling}");
        }
        assert!(!is_in(&person), "{endpoint}");
    }
}

/// Says a code at an endpoint for those who are signed in, or half.
async fn say_inside(endpoint: &str, person: &Person, code: &str) -> Reply {
    let (method, path) = endpoint.split_once(' ').unwrap();
    let is_form = ["/second-factor", "/recovery"].contains(&path) || path.starts_with("/account/");
    let path = format!("/auth{path}");
    if is_form {
        return person.post_form(&path, &[("code", code)]).await;
    }
    person.request(method.parse().unwrap(), &path).json(&json!({ "code": code })).send().await
}

/// The endpoints at which a sign-in that is half done is finished.
const SECOND: [&str; 4] = ["POST /verify-totp", "POST /verify-recovery", "POST /second-factor", "POST /recovery"];

/// The endpoints at which a session shows its second factor, to step up or to change it.
const PROOF: [&str; 8] = [
    "POST /verify-totp",
    "POST /verify-recovery",
    "POST /second-factor",
    "POST /recovery",
    "DELETE /totp",
    "POST /recovery-codes",
    "POST /account/authenticator/remove",
    "POST /account/recovery-codes",
];

/// Somebody who is asked for a code at an endpoint, the right one, and the endpoints at which it is the same question.
async fn asked_inside(place: &Place, endpoint: &str, email: &str) -> (Person, String, &'static [&'static str]) {
    match endpoint {
        "POST /addresses/confirm" | "POST /account/confirm" => {
            let person = place.sign_in(email).await;
            let new = format!("new.{email}");
            assert_eq!(person.post("/auth/addresses", &json!({ "email": new })).await.status, 200);
            (person, place.mailbox.wait_for(&new).await.code(), &["POST /addresses/confirm", "POST /account/confirm"])
        }
        "POST /totp/confirm" | "POST /account/authenticator/confirm" => {
            let person = place.sign_in(email).await;
            let told = person.post("/auth/totp/enroll", &json!({})).await.json();
            let phone = Authenticator::scanned(told["otpauth_url"].as_str().unwrap());
            let right = phone.code(factors::soon_after_a_step().await);
            (person, right, &["POST /totp/confirm", "POST /account/authenticator/confirm"])
        }
        half if SECOND.contains(&half) => {
            let enrolled = Enrolled::at(place, email).await;
            let (person, _) = enrolled.half_way(place).await;
            let right = if half.contains("recovery") { enrolled.recovery_codes[0].clone() } else { enrolled.code() };
            (person, right, &SECOND)
        }
        proof if PROOF.contains(&proof) => {
            let enrolled = Enrolled::at(place, email).await;
            let right = if proof.contains("recovery") { enrolled.recovery_codes[0].clone() } else { enrolled.code() };
            (enrolled.person, right, &PROOF)
        }
        other => panic!("{other} compares codes, and nobody says how to be asked for one"),
    }
}

/// A page says it in words; both say when to come back.
fn status_and_code(reply: &Reply) -> (u16, bool) {
    (reply.status, reply.header("retry-after").is_some())
}

/// The same where somebody is signed in already, or half: a session that was left open is no reason to guess on.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2025_64102_wrong_codes_lock_on_every_endpoint_inside_too() {
    let place = Place::on(Database::Sqlite).await;
    for (number, endpoint) in endpoints::there(&COMPARE_INSIDE).into_iter().enumerate() {
        let email = format!("bob{number}@example.com");
        let (person, right, siblings) = asked_inside(&place, endpoint, &email).await;
        let tokens = (person.cookie(ACCESS), person.cookie(REFRESH));
        for guess in 1..=5 {
            let reply = say_inside(endpoint, &person, &wrong(&right)).await;
            assert_eq!(reply.status, 401, "{endpoint}, guess {guess}: {}", reply.text());
        }
        for sibling in endpoints::there(siblings) {
            for code in [&wrong(&right), &right] {
                let reply = say_inside(sibling, &person, code).await;
                assert_eq!(status_and_code(&reply), (429, true), "locked at {endpoint}, open at {sibling}: {}", reply.text());
            }
        }
        assert_eq!((person.cookie(ACCESS), person.cookie(REFRESH)), tokens, "{endpoint}");
        let account = place.gateway.command(&["account", "show", &email, "--json"]);
        assert!(account.0 == 0 && !account.1.contains("new."), "{endpoint}: {account:?}");
    }
}

/// And where an app passes on what its own users say.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2025_64102_wrong_codes_lock_on_every_endpoint_of_apps_too() {
    let sections = vec![("limits", "app_verifications = 1000")];
    let place = Place::with(Wants { sections, ..Wants::default() }).await;
    let shop = Backend::registered(&place, "shop");
    for (number, endpoint) in endpoints::there(&COMPARE_FOR_APPS).into_iter().enumerate() {
        let subject = format!("ada{number}");
        let phone = Phone::scanned(&shop.register(&subject).await.json());
        let to = format!("{subject}@example.com");
        let (_, code) = shop.sent(&place, &subject, &to).await;
        let say = async |code: &str| {
            let (method, path) = endpoint.split_once(' ').unwrap();
            let with_subject = endpoint == "POST /api/code/verify";
            let body = if with_subject { json!({ "subject": subject, "code": code }) } else { json!({ "code": code }) };
            shop.call(method.parse().unwrap(), &format!("/auth{}", path.replace("{id}", &subject)), Some(&body)).await
        };
        for guess in 1..=5 {
            let reply = say(&wrong(&code)).await;
            assert_eq!(reply.status, 401, "{endpoint}, guess {guess}: {}", reply.text());
        }
        for right in [&code, &phone.code().await] {
            let reply = say(right).await;
            assert_eq!(status_and_code(&reply), (429, true), "{endpoint}: {}", reply.text());
        }
    }
}

async fn at_once(people: Vec<Person>, code: &str) -> Vec<(bool, Reply)> {
    let mut all = JoinSet::new();
    for (number, person) in people.into_iter().enumerate() {
        let code = code.to_owned();
        all.spawn(async move {
            let reply = say(COMPARE[number % 2], &person, &code).await;
            (is_in(&person), reply)
        });
    }
    all.join_all().await
}

fn evaluated(outcomes: &[(bool, Reply)]) -> usize {
    for (is_in, reply) in outcomes {
        assert!(!is_in && [401, 429].contains(&reply.status), "{reply:?}");
    }
    outcomes.iter().filter(|(_, reply)| reply.status == 401).count()
}

/// Many guesses at once overtook the counter of authentik and Keycloak. Here they come at two endpoints.
#[tokio::test(flavor = "multi_thread")]
async fn includesec_m1_of_five_hundred_guesses_at_once_five_are_evaluated() {
    let place = Place::on(Database::Sqlite).await;
    let person = place.person();
    let right = place.code_for(&person, ADA).await;

    let outcomes = at_once((0..500).map(|_| person.copy()).collect(), &wrong(&right)).await;

    assert_eq!(evaluated(&outcomes), 5);
    assert_eq!(verify(&person, ADA, &right).await.status, 429, "the right code too");
}

/// The same of second factors, at every endpoint where a half-finished sign-in is finished.
#[tokio::test(flavor = "multi_thread")]
async fn keycloak_31726_of_second_factors_guessed_at_once_five_are_evaluated() {
    let place = Place::on(Database::Sqlite).await;
    let enrolled = Enrolled::at(&place, ADA).await;
    let (person, _) = enrolled.half_way(&place).await;
    let (ways, mut all) = (endpoints::there(&SECOND), JoinSet::new());
    for number in 0..200 {
        let (person, code, way) = (person.copy(), enrolled.wrong(), ways[number % ways.len()]);
        all.spawn(async move {
            let reply = say_inside(way, &person, &code).await;
            (is_in(&person), reply)
        });
    }
    assert_eq!(evaluated(&all.join_all().await), 5);
    assert_eq!(say_inside("POST /verify-totp", &person, &enrolled.code()).await.status, 429, "the right code too");
}

/// The same, spread over two nodes with one database.
#[tokio::test(flavor = "multi_thread")]
async fn keycloak_31726_of_guesses_at_two_nodes_at_once_five_are_evaluated() {
    let place = Place::on(Database::Postgres).await;
    let other = place.another_node().await;
    let person = place.person();
    let right = place.code_for(&person, ADA).await;
    let people = (0..200).map(|number| if number % 4 < 2 { person.copy() } else { person.copy_at(other.public()) });

    let outcomes = at_once(people.collect(), &wrong(&right)).await;

    assert_eq!(evaluated(&outcomes), 5);
    assert_eq!(verify(&person.copy_at(other.public()), ADA, &right).await.status, 429, "the right code too");
}

/// Authelia counted by what was typed: each spelling of a name had guesses of its own.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2025_24806_every_spelling_of_an_address_has_the_one_budget() {
    let place = Place::on(Database::Sqlite).await;
    let added = place.gateway.command(&["account", "add", "--email", ADA, "--phone", "+4915112345678"]);
    assert_eq!(added.0, 0, "{added:?}");
    let holder = place.person();
    let right = place.code_for(&holder, ADA).await;
    let spellings = [
        json!({ "email": ADA }),
        json!({ "email": "ADA@EXAMPLE.COM" }),
        json!({ "email": " ada@Example.com\t" }),
        json!({ "email": "\u{ff41}da@example.com" }),
        json!({ "email": "ada@ex\u{ff41}mple.com" }),
        json!({ "email": "ad\u{1d41a}@example.com" }),
        json!({ "phone": "+4915112345678" }),
        json!({ "phone": "+49 151 1234-5678" }),
        json!({ "phone": "+49 (151) 123.456.78" }),
    ];

    // Strangers, who hold no challenge: all they have is a spelling.
    let mut wrongs = 0;
    for _ in 0..5 {
        for spelling in &spellings {
            let mut body = spelling.clone();
            body["code"] = json!(wrong(&right));
            let reply = place.person().post("/auth/verify-otp", &body).await;
            assert!([401, 429].contains(&reply.status), "{spelling}: {}", reply.text());
            wrongs += usize::from(reply.status == 401);
        }
    }

    assert_eq!(wrongs, 5, "45 guesses with nine spellings");
    for spelling in &spellings {
        let mut body = spelling.clone();
        body["code"] = json!(right);
        let reply = place.person().post("/auth/verify-otp", &body).await;
        assert_eq!((reply.status, code_of(&reply).as_str()), (429, "too_many_attempts"), "{spelling}");
    }
}

/// A different address is a different account: no budget of its own for a code that is not its own.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_47203_another_address_does_not_open_this_one() {
    let place = Place::on(Database::Sqlite).await;
    let holder = place.person();
    let right = place.code_for(&holder, ADA).await;
    let challenge = holder.cookie("doorward_challenge").unwrap();
    for other in ["ada+tag@example.com", "a.da@example.com", "ada@example.co", "\u{430}da@example.com"] {
        let named = json!({ "email": other, "code": right, "challenge_id": challenge });
        for body in [json!({ "email": other, "code": right }), named] {
            let stranger = place.person();
            let reply = stranger.post("/auth/verify-otp", &body).await;
            assert!([401, 422].contains(&reply.status) && !is_in(&stranger), "{body}: {}", reply.text());
        }
    }
    assert_eq!(verify(&holder, ADA, &right).await.status, 200, "and none of it cost the holder an attempt");
}

/// NIST SP 800-63B: what a person asks for again brings no new guesses.
#[tokio::test(flavor = "multi_thread")]
async fn nist_63b_asking_again_by_any_way_does_not_reset_the_budget() {
    let section = "resend_after = \"0s\"\nattempts = 5";
    let wants = Wants { sections: vec![("otp", section), ("limits", "failures_per_account = 5")], ..Wants::default() };
    let place = Place::with(wants).await;
    let person = place.person();
    let first = place.code_for(&person, ADA).await;
    for _ in 0..4 {
        assert_eq!(verify(&person, ADA, &wrong(&first)).await.status, 401);
    }

    // Asked for again by each way there is; one guess is left, whichever code it is at.
    let mut codes = vec![first];
    codes.push(place.code_for(&person, ADA).await);
    let before = place.mailbox.mails_to(ADA).len();
    assert_eq!(person.post("/auth/register", &json!({ "email": ADA })).await.status, 200);
    codes.push(place.mailbox.wait_for_nth(ADA, before + 1).await.code());
    assert_eq!(person.post_form("/auth/login", &[("address", ADA), ("next", "/")]).await.status, 303);
    codes.push(place.mailbox.wait_for_nth(ADA, before + 2).await.code());

    let unlike = (0..10).map(|number| format!("{number:06}")).find(|code| !codes.contains(code)).unwrap();
    assert_eq!(verify(&person, ADA, &unlike).await.status, 401, "the last guess");
    for code in codes {
        for endpoint in COMPARE {
            assert_eq!(say(endpoint, &person, &code).await.status, 429, "{endpoint}");
        }
    }
    assert!(!is_in(&person));
}

/// The same of second factors: showing the first again brings no new guesses at the second.
#[tokio::test(flavor = "multi_thread")]
async fn nist_63b_signing_in_again_does_not_reset_the_second_factors_budget() {
    let place = Place::on(Database::Sqlite).await;
    let enrolled = Enrolled::at(&place, ADA).await;
    for _ in 0..2 {
        let (person, _) = enrolled.half_way(&place).await;
        for _ in 0..5 {
            assert_eq!(say_inside("POST /verify-totp", &person, &enrolled.wrong()).await.status, 401);
        }
    }
    // Ten in an hour are all there are: the account's first factor is shut too, or its second.
    let person = place.person();
    ask(&person, ADA).await;
    let code = place.code_for(&place.person(), ADA).await;
    let first = verify(&person, ADA, &code).await;
    if first.status == 200 {
        assert_eq!(first.json()["second_factor_required"], true);
        for endpoint in endpoints::there(&SECOND) {
            assert_eq!(say_inside(endpoint, &person, &enrolled.code()).await.status, 429, "{endpoint}");
        }
    } else {
        assert_eq!(first.status, 429, "{}", first.text());
    }
    assert!(!is_in(&person));
}

/// Keycloak asked whether the account was locked when the code was asked for, and not when it came back.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_9798_who_is_locked_after_asking_does_not_get_in_with_the_right_code() {
    let place = Place::on(Database::Sqlite).await;
    let person = place.person();
    let (early, late) = (place.code_for(&person, ADA).await, place.code_for(&person, ADA).await);
    let unlike = wrong(&late);
    assert_ne!(early, unlike);
    for _ in 0..5 {
        assert_eq!(verify(&person, ADA, &unlike).await.status, 401);
    }
    for code in [&early, &late] {
        for endpoint in COMPARE {
            assert_eq!(say(endpoint, &person, code).await.status, 429, "{endpoint}");
        }
    }
    assert!(!is_in(&person));
}

/// The same of an account that is disabled in between.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_16103_who_is_disabled_after_asking_does_not_get_in_with_the_right_code() {
    let place = Place::on(Database::Sqlite).await;
    for (number, endpoint) in COMPARE.into_iter().enumerate() {
        let email = format!("eve{number}@example.com");
        let person = place.person();
        let code = place.code_for(&person, &email).await;
        assert_eq!(place.gateway.command(&["account", "disable", &email]).0, 0);
        let reply = say_for(&email, endpoint, &person, &code).await;
        assert_eq!(reply.status, 401, "{endpoint}: {}", reply.text());
        assert!(!is_in(&person), "{endpoint}");
        assert_eq!(person.get("/page").await.status, 401);
    }
    assert_eq!(place.upstream.count(), 0);
}

/// The same of who has shown the first factor by then.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_9798_who_is_disabled_half_way_does_not_get_in_with_the_right_second_factor() {
    let place = Place::on(Database::Sqlite).await;
    let enrolled = Enrolled::at(&place, ADA).await;
    let (person, _) = enrolled.half_way(&place).await;
    assert_eq!(place.gateway.command(&["account", "disable", ADA]).0, 0);
    assert_eq!(say_inside("POST /verify-totp", &person, &enrolled.code()).await.status, 401);
    assert_eq!(say_inside("POST /verify-recovery", &person, &enrolled.recovery_codes[0]).await.status, 401);
    assert!(!is_in(&person));
}

/// The same of every endpoint for those who are signed in, or half.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_54730_what_is_no_code_is_refused_inside_too() {
    let place = Place::with(Wants { sections: vec![("otp", "resend_after = \"0s\"\nattempts = 100"), LOOSE], ..Wants::default() }).await;
    for (number, endpoint) in endpoints::there(&COMPARE_INSIDE).into_iter().enumerate() {
        let email = format!("cy{number}@example.com");
        let (person, right, _) = asked_inside(&place, endpoint, &email).await;
        let before = (person.cookie(ACCESS), person.cookie(REFRESH));
        let cut = &right[..right.len() - 1];
        for text in [
            "",
            " ",
            "000000",
            "null",
            "-1",
            "%",
            "_____",
            "' OR 1=1 --",
            "\u{ff10}\u{ff11}\u{ff12}",
            cut,
            &format!("{right}0"),
            &format!("{right},{right}"),
        ] {
            let reply = say_inside(endpoint, &person, text).await;
            assert_eq!(reply.status, 401, "{endpoint} {text:?}: {}", reply.text());
        }
        let (method, path) = endpoint.split_once(' ').unwrap();
        let bodies = [
            "",
            "{}",
            "[]",
            "null",
            r#"{"code":null}"#,
            r#"{"code":0}"#,
            r#"{"code":[]}"#,
            r#"{"code":true}"#,
            r#"{"code":{}}"#,
            r#"{"code":"1","code":"1"}"#,
        ];
        for body in bodies {
            let request = person.request(method.parse().unwrap(), &format!("/auth{path}")).header("Content-Type", "application/json");
            let reply = request.body(body).send().await;
            assert!([400, 415, 422].contains(&reply.status), "{endpoint} {body}: {} {}", reply.status, reply.text());
        }
        assert_eq!((person.cookie(ACCESS), person.cookie(REFRESH)), before, "{endpoint}");
    }
}

/// An empty form completed a stage of authentik.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_49443_what_is_no_code_is_refused_on_every_verify_endpoint() {
    let place = Place::with(Wants { sections: vec![("otp", "resend_after = \"0s\"\nattempts = 100"), LOOSE], ..Wants::default() }).await;
    let person = place.person();
    let right = place.code_for(&person, ADA).await;
    let zero = |from: u32| right.chars().map(|digit| char::from_u32(from + digit.to_digit(10).unwrap()).unwrap()).collect::<String>();
    let texts = [
        String::new(),
        " ".to_owned(),
        "0".to_owned(),
        "000000".to_owned(),
        "null".to_owned(),
        "undefined".to_owned(),
        "true".to_owned(),
        "%".to_owned(),
        "_".repeat(6),
        "*".repeat(6),
        "' OR '1'='1".to_owned(),
        "-1".to_owned(),
        "0x0".to_owned(),
        "1e5".to_owned(),
        zero(0xff10),
        zero(0x660),
        zero(0x1d7ce),
        format!("{right}0"),
        format!("0{right}"),
        format!("{right}\0"),
        right[..5].to_owned(),
        format!("{}\u{200b}{}", &right[..3], &right[3..]),
        format!("{right},{right}"),
    ];
    for text in &texts {
        assert_ne!(*text, right);
        for endpoint in COMPARE {
            let reply = say(endpoint, &person, text).await;
            assert_eq!(reply.status, 401, "{endpoint} {text:?}: {}", reply.text());
        }
    }
    assert!(!is_in(&person));
    no_json_but_a_text(&person, &right).await;
    no_form_but_one_field(&person, &right).await;
    assert!(!is_in(&person));
    assert_eq!(verify(&person, ADA, &right).await.status, 200, "and the right code was good all the while");
}

/// Room for many guesses at one code.
const LOOSE: (&str, &str) = ("limits", "failures_per_account = 1000");

async fn no_json_but_a_text(person: &Person, right: &str) {
    let number: u64 = right.parse().unwrap();
    let values = [json!(null), json!(true), json!(number), json!(0), json!([]), json!([right]), json!({}), json!({ "code": right })];
    for value in values {
        let body = json!({ "email": ADA, "code": value });
        assert_eq!(person.post("/auth/verify-otp", &body).await.status, 422, "{body}");
    }
    for body in [json!({ "email": ADA }), json!({ "email": ADA, "Code": right }), json!([ADA, right]), json!({}), json!(null), json!(right)]
    {
        assert_eq!(person.post("/auth/verify-otp", &body).await.status, 422, "{body}");
    }
    let twice = format!(r#"{{"email":"{ADA}","code":"000000","code":"{right}"}}"#);
    let request = person.request(http::Method::POST, "/auth/verify-otp").header("Content-Type", "application/json");
    assert_eq!(request.body(twice).send().await.status, 422);
}

async fn no_form_but_one_field(person: &Person, right: &str) {
    for (body, status) in [
        (String::new(), 401),
        ("next=/".to_owned(), 401),
        ("code=".to_owned(), 401),
        ("code[]=000000".to_owned(), 422),
        (format!("code[]={right}"), 422),
        (format!("code=000000&code={right}"), 422),
        (format!("code={right}&code={right}"), 422),
        (format!("Code={right}"), 422),
        (format!("code=%FF{right}"), 422),
    ] {
        let request = person.request(http::Method::POST, "/auth/verify").header("Content-Type", "application/x-www-form-urlencoded");
        let reply = request.body(body.clone()).send().await;
        assert_eq!(reply.status, status, "{body}: {}", reply.text());
    }
    for query in [format!("/auth/verify?code={right}"), format!("/auth/verify-otp?code={right}&email={ADA}")] {
        let reply = person.request(http::Method::POST, &query).send().await;
        assert!([415, 422].contains(&reply.status), "{query}: {}", reply.status);
    }
    assert_eq!(ask(person, "").await.status, 422);
}
