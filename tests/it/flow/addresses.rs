//! What stands where an address belongs: one account each, or a refusal, and mail to nobody else. And an address changes, end
//! to end, on each database.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use super::place::{ACCESS, Database, Place, REFRESH, Wants, ask, claims_of, code_of, verify};
use crate::support::client::Person;
use crate::support::wait;

/// What is typed, and the one address that it is.
fn corpus() -> Vec<(String, Option<String>)> {
    let lines = include_str!("../corpus/addresses.txt").lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let read = |line: &str| {
        let (typed, canonical) = line.split_once('\t').unwrap();
        (serde_json::from_str(typed).unwrap(), serde_json::from_str(canonical).ok())
    };
    lines.map(read).collect()
}

/// How each place where an address is typed answers.
async fn answers(place: &Place, signed_in: &Person, typed: &str) -> [(u16, String); 4] {
    let email = json!({ "email": typed });
    let replies = [
        signed_in.post("/auth/addresses", &email).await,
        ask(&place.person(), typed).await,
        place.person().post("/auth/register", &email).await,
    ];
    let form = place.person().post_form("/auth/login", &[("address", typed)]).await;
    let [changed, asked, registered] = replies.map(|reply| (reply.status, code_of(&reply)));
    [changed, asked, registered, (form.status, String::new())]
}

#[tokio::test(flavor = "multi_thread")]
async fn each_line_of_the_corpus_is_one_account_or_a_refusal_and_mail_goes_nowhere_else() {
    let corpus = corpus();
    assert!(corpus.len() >= 150, "{}", corpus.len());
    let place = Place::with(Wants { sections: vec![("limits", "codes_per_address = 1000")], ..Wants::default() }).await;
    let person = place.sign_in("judge@example.net").await;

    for (typed, canonical) in &corpus {
        let answers = answers(&place, &person, typed).await;
        let refused = (422, "invalid_address".to_owned());
        let (no, yes) = ([refused.clone(), refused.clone(), refused, (422, String::new())], [200, 200, 200, 303]);
        match canonical {
            Some(_) => assert_eq!(answers.map(|(status, _)| status), yes, "{typed:?}"),
            None => assert_eq!(answers, no, "{typed:?}"),
        }
    }

    let mut expected: BTreeSet<String> = corpus.into_iter().filter_map(|(_, canonical)| canonical).collect();
    expected.insert("judge@example.net".to_owned());
    let all = || async { Some(recipients(&place)).filter(|found| found.len() >= expected.len()) };
    assert_eq!(wait::until_async("a mail to each", Duration::from_secs(60), all).await, expected);
    let accounts = || async { Some(accounts(&place)).filter(|found| found.len() >= expected.len()) };
    assert_eq!(wait::until_async("an account each", Duration::from_secs(30), accounts).await, expected.into_iter().collect::<Vec<_>>());
}

/// To whom mail has come; each mail to one, who is the one it names.
fn recipients(place: &Place) -> BTreeSet<String> {
    let named = |mail: crate::support::smtp::Mail| {
        assert_eq!(mail.recipients.len(), 1, "{:?}", mail.recipients);
        assert!(mail.header("Cc").is_none() && mail.header("Bcc").is_none());
        mail.recipients[0].clone()
    };
    place.mailbox.mails().into_iter().map(named).collect()
}

/// The addresses of all accounts, sorted, each as often as it is there.
fn accounts(place: &Place) -> Vec<String> {
    let (status, listed, complaint) = place.gateway.command(&["account", "list", "--json"]);
    assert_eq!(status, 0, "{complaint}");
    let listed: Vec<Value> = serde_json::from_str(&listed).unwrap();
    let mut all: Vec<String> = listed.iter().map(|account| account["email"].as_str().unwrap().to_owned()).collect();
    all.sort();
    all
}

async fn an_address_changes_and_the_old_one_is_told(database: Database) {
    let place = Place::on(database).await;
    let person = place.sign_in("ada@example.com").await;
    let sub = claims_of(&person.cookie(ACCESS).unwrap())["sub"].clone();

    let asked = person.post("/auth/addresses", &json!({ "email": "ada@new.example" })).await;
    assert_eq!(asked.status, 200, "{}", asked.text());
    let mail = place.mailbox.wait_for("ada@new.example").await;
    assert!(mail.text().contains("to add this address to an account"), "{}", mail.text());
    let code = mail.code();
    assert_eq!(place.mailbox.mails_to("ada@example.com").len(), 1, "the old address is sent no code");
    let old = person.copy();
    old.forget_cookie(REFRESH);
    let confirmed = person.post("/auth/addresses/confirm", &json!({ "code": code })).await;
    assert_eq!(confirmed.status, 200, "{}", confirmed.text());

    // The session goes on, and the next request tells the new address; the token from before is good for nothing.
    assert_eq!(person.get("/page").await.status, 200);
    assert_eq!(old.get("/page").await.status, 401);
    assert_eq!(place.upstream.last().header("remote-email").unwrap(), "ada@new.example");
    let told = place.mailbox.wait_for_nth("ada@example.com", 2).await;
    assert!(!told.text().contains("ada@new.example") && !told.text().contains(&code), "{}", told.text());
    let again = place.sign_in("ada@new.example").await;
    assert_eq!(claims_of(&again.cookie(ACCESS).unwrap())["sub"], sub, "{database:?}");
    let log = place.gateway.log();
    assert!(log.contains("address_changed") && !log.contains("ada@"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_changes_on_sqlite() {
    an_address_changes_and_the_old_one_is_told(Database::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_changes_on_postgres() {
    an_address_changes_and_the_old_one_is_told(Database::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_changes_on_mariadb() {
    an_address_changes_and_the_old_one_is_told(Database::MariaDb).await;
}

#[cfg(feature = "mongodb")]
#[tokio::test(flavor = "multi_thread")]
async fn an_address_changes_on_mongodb() {
    an_address_changes_and_the_old_one_is_told(Database::MongoDb).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn registering_overrides_nothing_of_an_account_that_is_there() {
    let place = Place::on(Database::Sqlite).await;
    let add = |arguments: &[&str]| place.gateway.command(&[["account", "add"].as_slice(), arguments].concat());
    assert_eq!(add(&["--email", "ada@example.com", "--username", "Ada", "--name", "Ada", "--group", "staff"]).0, 0);
    assert_eq!(add(&["--email", "eve@example.com", "--username", "ADA"]).0, 1, "it differs in case alone");

    let wish = json!({ "email": "ada@example.com", "username": "mallory", "name": "Mallory" });
    assert_eq!(place.person().post("/auth/register", &wish).await.status, 200);
    let code = place.mailbox.wait_for("ada@example.com").await.code();
    let person = place.person();
    assert_eq!(verify(&person, "ada@example.com", &code).await.status, 200);

    let claims = claims_of(&person.cookie(ACCESS).unwrap());
    assert_eq!((&claims["preferred_username"], &claims["name"], &claims["groups"]), (&json!("Ada"), &json!("Ada"), &json!(["staff"])));
    // Somebody else who wishes for a user name that looks like Ada's goes without one.
    let wish = json!({ "email": "bob@example.com", "username": "ada" });
    assert_eq!(place.person().post("/auth/register", &wish).await.status, 200);
    let code = place.mailbox.wait_for("bob@example.com").await.code();
    let bob = place.person();
    assert_eq!(verify(&bob, "bob@example.com", &code).await.status, 200);
    assert_eq!(claims_of(&bob.cookie(ACCESS).unwrap())["preferred_username"], Value::Null);
}
