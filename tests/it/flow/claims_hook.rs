//! `[claims_hook]`: a server that says what else tokens say, and everything that such a server can do wrong.

use std::time::{Duration, Instant};

use doorward::secret::MacKey;
use serde_json::{Value, json};

use super::factors::enrol;
use super::place::{ACCESS, Database, Place, REFRESH, Wants, ask, claims_of, code_of, verify, wrong};
use crate::support::cable::{Cable, Flow};
use crate::support::client::Person;
use crate::support::provider::{Manner, Provider};

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const ADA: &str = "ada@example.com";

/// A rule that only the hook can satisfy.
const SALES: &str = "[[route]]\nname = \"sales\"\npath = \"/sales\"\nupstream = [\"UPSTREAM\"]\nclaims = { department = [\"sales\"] }\n";

/// Lines of a section that outlive the test.
fn lines(url: &str, more: &str) -> &'static str {
    format!("url = \"{url}/claims\"\nsecret = \"{SECRET}\"\nallow_private = true\ntimeout = \"500ms\"\n{more}").leak()
}

async fn place(url: &str, more: &str) -> Place {
    Place::with(Wants { sections: vec![("claims_hook", lines(url, more))], routes: SALES, ..Wants::default() }).await
}

fn says(answer: &Value) -> Manner {
    Manner::Say(200, answer.to_string())
}

fn sales() -> Value {
    json!({ "claims": { "department": "sales", "level": 3 }, "groups": ["staff", "sellers"] })
}

fn claims(person: &Person) -> Value {
    claims_of(&person.cookie(ACCESS).expect("a token"))
}

async fn renew(person: &Person) -> u16 {
    person.post("/auth/refresh", &json!({})).await.status
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_says_is_in_the_token_the_rules_and_the_headers() {
    let hook = Provider::start();
    hook.behave(says(&sales()));
    let place = place(&hook.url(), "").await;

    let ada = place.sign_in(ADA).await;

    let token = claims(&ada);
    assert_eq!((&token["department"], &token["level"], &token["groups"]), (&json!("sales"), &json!(3), &json!(["staff", "sellers"])));
    assert_eq!(ada.get("/sales/x").await.status, 200);
    let seen = place.upstream.last();
    assert_eq!(seen.header("remote-groups").as_deref(), Some("staff,sellers"));
    let asked = hook.requests()[0].clone();
    let question = asked.json();
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", "/claims"));
    assert_eq!((&question["account"], &question["session"], &question["email"]), (&token["sub"], &token["sid"], &json!(ADA)));
    assert_eq!((&question["email_verified"], &question["groups"]), (&json!(true), &json!([])));
    let signature = asked.header("Doorward-Signature").expect("a signature");
    let (time, mac) = signature.strip_prefix("t=").and_then(|rest| rest.split_once(",v1=")).expect("its form");
    let expected = MacKey::new(SECRET.as_bytes()).sign(&[format!("{time}.").as_bytes(), asked.body.as_bytes()]);
    assert_eq!(mac, expected.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}")));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_asked_again_when_tokens_are_renewed() {
    let hook = Provider::start();
    hook.behave(says(&sales()));
    let place = place(&hook.url(), "").await;
    let ada = place.sign_in(ADA).await;

    hook.behave(says(&json!({ "claims": { "department": "research" } })));
    assert_eq!(renew(&ada).await, 200);

    let token = claims(&ada);
    assert_eq!((&token["department"], &token["level"], &token["groups"]), (&json!("research"), &Value::Null, &json!([])));
    assert_eq!(ada.get("/sales/x").await.status, 403);
    // In passing, too.
    hook.behave(says(&sales()));
    ada.forget_cookie(ACCESS);
    assert_eq!(ada.get("/sales/x").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_never_says_who_somebody_is() {
    let hook = Provider::start();
    let forged: serde_json::Map<String, Value> =
        doorward::token::claims::REGISTERED.iter().map(|name| ((*name).to_owned(), json!("forged"))).collect();
    let mut answer = json!({ "claims": forged });
    answer["claims"]["department"] = json!("sales");
    hook.behave(says(&answer));
    let place = place(&hook.url(), "").await;

    let ada = place.sign_in(ADA).await;
    assert_eq!(renew(&ada).await, 200);

    let token = claims(&ada);
    assert!(!token.to_string().contains("forged"), "{token}");
    assert_eq!((&token["email"], &token["department"], &token["acr"]), (&json!(ADA), &json!("sales"), &json!("one_factor")));
    let log = place.gateway.log();
    assert_eq!(log.matches("which a token says itself").count(), doorward::token::claims::REGISTERED.len(), "each is said once");
}

/// Everything that is no answer.
fn nonsense(elsewhere: &Provider) -> Vec<Manner> {
    vec![
        Manner::Hang,
        Manner::Drip(200),
        Manner::DripHead,
        Manner::Cut,
        Manner::CutHead,
        Manner::Redirect(307, format!("{}/claims", elsewhere.url())),
        Manner::Flood(200),
        Manner::FloodHead,
        Manner::Babble,
        Manner::Answer(204),
        Manner::Say(500, sales().to_string()),
        Manner::Say(404, sales().to_string()),
        Manner::Say(200, "{\"claims\": {\"department\"".to_owned()),
        Manner::Say(200, "[]".to_owned()),
        Manner::Say(200, json!({ "claims": { "big": "x".repeat(3000) } }).to_string()),
        Manner::Say(200, json!({ "claims": { "big": "x".repeat(100_000) } }).to_string()),
        Manner::Say(200, json!({ "claims": {}, "groups": ["a,b"] }).to_string()),
        Manner::Say(200, json!({ "claims": {}, "groups": "staff" }).to_string()),
        Manner::Say(200, format!("{}1{}", "{\"claims\":{\"a\":".to_owned() + &"[".repeat(2000), "]".repeat(2000) + "}}")),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_said_last_counts_while_it_answers_nonsense() {
    let (hook, elsewhere) = (Provider::start(), Provider::start());
    elsewhere.behave(says(&json!({ "claims": { "department": "elsewhere" } })));
    hook.behave(says(&sales()));
    let place = place(&hook.url(), "").await;
    let ada = place.sign_in(ADA).await;

    for manner in nonsense(&elsewhere) {
        hook.behave(manner.clone());
        let begun = Instant::now();
        assert_eq!(renew(&ada).await, 200, "{manner:?}");
        let spent = begun.elapsed();

        assert!(spent < Duration::from_secs(3), "{manner:?} took {spent:?}");
        assert_eq!(claims(&ada)["department"], "sales", "{manner:?}");
        assert_eq!(claims(&ada)["groups"], json!(["staff", "sellers"]), "{manner:?}");
    }
    assert_eq!(elsewhere.requests().len(), 0, "redirects are not followed");
    assert!(hook.flooded() < 32 * 1024 * 1024, "{} bytes of a flood were taken", hook.flooded());
    let grace = place.person();
    let code = place.code_for(&grace, "grace@example.com").await;
    let refused = verify(&grace, "grace@example.com", &code).await;
    assert_eq!((refused.status, grace.cookie(ACCESS)), (503, None), "nothing was ever said of her");
    assert!(refused.header("retry-after").is_some());
    assert!(!place.gateway.log().contains("xxxxxxxx"), "its words are in no log");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_cable_is_pulled_nobody_is_thrown_out() {
    let hook = Provider::start();
    hook.behave(says(&sales()));
    let cable = Cable::to(hook.port());
    let place = place(&format!("http://127.0.0.1:{}", cable.port()), "").await;
    let ada = place.sign_in(ADA).await;

    for pulled in [Flow::Held, Flow::Refused] {
        cable.flow(pulled);
        cable.cut();
        assert_eq!(renew(&ada).await, 200, "{pulled:?}");
        assert_eq!(claims(&ada)["department"], "sales", "{pulled:?}");
    }
    cable.flow(Flow::Free);
    hook.behave(says(&json!({ "claims": { "department": "research" } })));

    assert_eq!(renew(&ada).await, 200);
    assert_eq!(claims(&ada)["department"], "research");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_it_must_answer_nothing_is_spent_while_it_does_not() {
    let hook = Provider::start();
    hook.behave(says(&sales()));
    let place = place(&hook.url(), "on_outage = \"refuse\"").await;
    let ada = place.sign_in(ADA).await;
    let before = ada.cookie(REFRESH);

    hook.behave(Manner::Answer(500));
    for _ in 0..3 {
        assert_eq!(renew(&ada).await, 503);
    }
    assert_eq!(ada.cookie(REFRESH), before, "the cookie is as it was");
    let passing = ada.copy();
    passing.forget_cookie(ACCESS);
    assert_eq!(passing.get("/sales/x").await.status, 503);
    assert_eq!(ada.get("/sales/x").await.status, 200, "the token that she has is good");
    let grace = place.person();
    assert_eq!(ask(&grace, "grace@example.com").await.status, 200, "codes are sent all the same");

    hook.behave(says(&json!({ "claims": { "department": "research" } })));
    assert_eq!(renew(&ada).await, 200);
    assert_eq!(claims(&ada)["department"], "research");
}

/// The window begins when a token is spent, not when the request came that spent it.
#[tokio::test(flavor = "multi_thread")]
async fn who_reloads_after_a_renewal_that_waited_for_it_is_not_taken_for_a_thief() {
    let hook = Provider::start();
    hook.behave(says(&sales()));
    let sections = vec![("claims_hook", lines(&hook.url(), "")), ("session", "concurrent_refresh_window = \"500ms\"")];
    let place = Place::with(Wants { sections, ..Wants::default() }).await;
    let ada = place.sign_in(ADA).await;
    // As the browser has it before the answer comes.
    let reloading = ada.copy();

    hook.behave(Manner::Hang);
    assert_eq!(renew(&ada).await, 200);
    assert_eq!(renew(&reloading).await, 200);
    assert_eq!(ada.get("/page").await.status, 200);
}

/// What it says and what the account says are in one cookie.
#[tokio::test(flavor = "multi_thread")]
async fn it_cannot_say_more_than_fits_beside_what_the_account_says() {
    let hook = Provider::start();
    hook.behave(says(&json!({ "claims": { "more": "x".repeat(1200) } })));
    let place = place(&hook.url(), "on_outage = \"refuse\"").await;
    let ada = place.sign_in(ADA).await;

    let (code, _, complaint) = place.gateway.command(&["account", "set", ADA, "--claim", &format!("own={}", "y".repeat(1200))]);
    assert_eq!(code, 0, "{complaint}");
    assert_eq!(renew(&ada).await, 503);
    hook.behave(says(&json!({ "claims": { "own": "instead" } })));
    assert_eq!(renew(&ada).await, 200);

    assert_eq!(claims(&ada)["own"], json!("instead"));
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_renewals_at_once_sign_nobody_out() {
    let hook = Provider::start();
    hook.behave(says(&sales()));
    let place = place(&hook.url(), "").await;
    let ada = place.sign_in(ADA).await;
    hook.behave(Manner::Cut);

    let all = (0..50).map(|_| {
        let tab = ada.copy();
        tokio::spawn(async move { tab.post("/auth/refresh", &json!({})).await.status })
    });
    for done in all.collect::<Vec<_>>() {
        assert_eq!(done.await.unwrap(), 200);
    }
}

/// On this database, where nothing is issued while the hook is out.
async fn refusing_on(database: Database, hook: &Provider) -> Place {
    let sections = vec![("claims_hook", lines(&hook.url(), "on_outage = \"refuse\""))];
    Place::with(Wants { store: database.url(), sections, routes: SALES, ..Wants::default() }).await
}

async fn its_outage_spends_no_code(database: Database) {
    let hook = Provider::start();
    let place = refusing_on(database, &hook).await;
    let ada = place.person();
    let code = place.code_for(&ada, ADA).await;

    hook.behave(Manner::Answer(500));
    // More often than a challenge and an account have attempts.
    for round in 0..12 {
        let refused = verify(&ada, ADA, &code).await;
        assert_eq!((refused.status, code_of(&refused).as_str()), (503, "unavailable"), "round {round}");
        assert!(refused.header("retry-after").is_some() && ada.cookie(ACCESS).is_none());
    }
    let asked = hook.requests().len();
    assert_eq!(verify(&ada, ADA, &wrong(&code)).await.status, 401, "a wrong one is wrong");
    assert_eq!(hook.requests().len(), asked, "nobody is asked about a wrong code");

    hook.behave(says(&sales()));
    let (one, two) = tokio::join!(verify(&ada, ADA, &code), async {
        let other = ada.copy();
        verify(&other, ADA, &code).await
    });
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401], "it works once");
    assert_eq!(verify(&ada, ADA, &code).await.status, 401);
}

async fn wrong_codes_are_counted_while_it_is_out(database: Database) {
    let hook = Provider::start();
    let place = refusing_on(database, &hook).await;
    let ada = place.person();
    let code = place.code_for(&ada, ADA).await;
    hook.behave(Manner::Answer(500));

    for _ in 0..5 {
        assert_eq!(verify(&ada, ADA, &code).await.status, 503);
        assert_eq!(verify(&ada, ADA, &wrong(&code)).await.status, 401);
    }

    assert_eq!(verify(&ada, ADA, &code).await.status, 429, "the right one, too");
    hook.behave(says(&sales()));
    assert_eq!(verify(&ada, ADA, &code).await.status, 429);
}

async fn its_outage_spends_no_second_factor(database: Database) {
    let hook = Provider::start();
    hook.behave(says(&sales()));
    let place = refusing_on(database, &hook).await;
    let ada = place.sign_in(ADA).await;
    let (_, codes) = enrol(&ada).await;
    let half = place.person();
    let code = place.code_for(&half, ADA).await;
    let told = verify(&half, ADA, &code).await.json();
    assert_eq!(told["second_factor_required"], true);
    let recover = async |person: &Person| {
        let body = json!({ "challenge_id": told["challenge_id"], "code": codes[0] });
        person.post("/auth/verify-recovery", &body).await.status
    };
    let step_up = async || ada.post("/auth/verify-recovery", &json!({ "code": codes[1] })).await.status;

    hook.behave(Manner::Answer(500));
    for _ in 0..12 {
        assert_eq!((recover(&half).await, step_up().await), (503, 503));
    }
    hook.behave(says(&sales()));

    assert_eq!((recover(&half).await, step_up().await), (200, 200));
    assert_eq!(recover(&place.person()).await, 401, "it is spent now");
}

macro_rules! on_each_database {
    ($($name:ident),+ $(,)?) => {
        mod sqlite { on_each_database!(@Sqlite $($name)+); }
        mod postgres { on_each_database!(@Postgres $($name)+); }
        mod mariadb { on_each_database!(@MariaDb $($name)+); }
        #[cfg(feature = "mongodb")]
        mod mongodb { on_each_database!(@MongoDb $($name)+); }
    };
    (@$database:ident $($name:ident)+) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(super::Database::$database).await;
            }
        )+
    };
}

on_each_database!(its_outage_spends_no_code, wrong_codes_are_counted_while_it_is_out, its_outage_spends_no_second_factor);
