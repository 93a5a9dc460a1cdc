//! The owner of an account is told of what happens to it: by mail, once, and in words that say what.

use std::time::Duration;

use serde_json::json;

use super::place::{ACCESS, CHALLENGE, Database, Place, REFRESH, Wants};
use crate::support::client::Person;

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0";
const IPHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1";
const ADA: &str = "ada@example.com";

/// Long enough for what must not come to have come.
const A_WHILE: Duration = Duration::from_secs(1);

/// Signs in on a device; `mail` is the number of the mail to Ada that carries the code.
async fn sign_in_on(place: &Place, agent: &str, language: &str, mail: usize) -> Person {
    let person = place.person();
    let send = async |path: &str, body: &serde_json::Value| {
        let request = person.request(http::Method::POST, path).header("User-Agent", agent).header("Accept-Language", language);
        request.json(body).send().await
    };
    assert_eq!(send("/auth/request-otp", &json!({ "email": ADA })).await.status, 200);
    let code = place.mailbox.wait_for_nth(ADA, mail).await.code();
    assert_eq!(send("/auth/verify-otp", &json!({ "email": ADA, "code": code })).await.status, 200);
    person
}

async fn a_new_device_and_a_reused_token_are_told_once_each(database: Database) {
    let wants = Wants { store: database.url(), sections: vec![("session", "concurrent_refresh_window = \"0s\"")], ..Wants::default() };
    let place = Place::with(wants).await;
    sign_in_on(&place, FIREFOX, "en", 1).await;
    let known = sign_in_on(&place, FIREFOX, "en", 2).await;

    // A new device, and another one within the hour.
    sign_in_on(&place, IPHONE, "de-CH, en;q=0.5", 3).await;
    let told = place.mailbox.wait_for_nth(ADA, 4).await;
    assert!(told.text().contains("Safari, iPhone") && told.text().contains("127.0.0.1"), "{}", told.text());
    assert!(told.text().contains("neuen Gerät"), "{}", told.text());
    assert!(told.html().unwrap().contains("Safari, iPhone"));
    sign_in_on(&place, "curl/8.14.1", "en", 5).await;

    // A refresh token is used, and used again.
    let thief = known.copy();
    assert_eq!(known.post("/auth/refresh", &json!({})).await.status, 200);
    for _ in 0..3 {
        assert_eq!(thief.copy().post("/auth/refresh", &json!({})).await.status, 401);
    }
    place.mailbox.wait_for_nth(ADA, 6).await;
    tokio::time::sleep(A_WHILE).await;

    let mails = place.mailbox.mails();
    assert_eq!(mails.len(), 6, "{database:?}");
    assert!(mails.iter().all(|mail| mail.recipients == [ADA]));
    let log = place.gateway.log();
    assert!(log.contains("in the configuration: session.concurrent_refresh_window: is nothing"), "{log}");
    assert!(log.contains("notified") && log.contains("new_device") && log.contains("refresh_token_reused"), "{log}");
    for secret in [ADA, "Safari", FIREFOX]
        .into_iter()
        .map(str::to_owned)
        .chain([ACCESS, REFRESH, CHALLENGE].iter().filter_map(|name| thief.cookie(name)))
    {
        assert!(!log.contains(&secret), "{secret} is in the log");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_told_on_sqlite() {
    a_new_device_and_a_reused_token_are_told_once_each(Database::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_told_on_postgres() {
    a_new_device_and_a_reused_token_are_told_once_each(Database::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_told_on_mariadb() {
    a_new_device_and_a_reused_token_are_told_once_each(Database::MariaDb).await;
}

#[cfg(feature = "mongodb")]
#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_told_on_mongodb() {
    a_new_device_and_a_reused_token_are_told_once_each(Database::MongoDb).await;
}
