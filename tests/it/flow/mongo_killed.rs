//! On MongoDB, from outside: the database is killed (kill -9) while many sign up, refresh and sign out at once. Whoever was told
//! yes has it afterwards; whoever was not is told 503 and can try again. Nobody is told yes by guessing.

use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;

use super::place::{ACCESS, Database, Place, REFRESH, Wants, ask, claims_of, verify};
use crate::support::client::{Person, Reply};
use crate::support::mongo::MongoDb;
use crate::support::redis::Redis;
use crate::support::wait;

const PEOPLE: usize = 16;

fn wants(server: &MongoDb) -> Wants {
    let sections = vec![("store", "timeout = \"1s\""), ("session", "concurrent_refresh_window = \"60s\"")];
    Wants { store: server.database(), sections, ..Wants::default() }
}

fn email(number: usize) -> String {
    format!("person{number}@example.com")
}

/// Answers to the same thing that all ask for at once, while the database is killed after a few of them.
async fn while_it_is_killed<F>(server: &mut MongoDb, all: impl IntoIterator<Item = F>) -> Vec<(Person, Reply)>
where
    F: Future<Output = (Person, Reply)> + Send + 'static,
{
    let mut asking: JoinSet<(Person, Reply)> = JoinSet::new();
    for one in all {
        asking.spawn(one);
    }
    let mut answered = vec![asking.join_next().await.unwrap().unwrap(), asking.join_next().await.unwrap().unwrap()];
    server.stop();
    answered.extend(asking.join_all().await);
    tokio::task::block_in_place(|| server.start_again());
    for (_, reply) in &answered {
        assert!(reply.status == 200 || reply.status == 503, "{} {}", reply.status, reply.text());
    }
    answered
}

fn told_yes(answered: &[(Person, Reply)]) -> impl Iterator<Item = &(Person, Reply)> {
    answered.iter().filter(|(_, reply)| reply.status == 200)
}

async fn until_it_is_back(place: &Place) {
    wait::until_async("the store to be back", Duration::from_secs(20), || async {
        (ask(&place.person(), "nobody@example.com").await.status != 503).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signed_up_is_in_after_the_database_was_killed() {
    let mut server = MongoDb::start();
    let place = Place::with(wants(&server)).await;
    let mut coming = Vec::new();
    for number in 0..PEOPLE {
        let person = place.person();
        let code = place.code_for(&person, &email(number)).await;
        coming.push((number, person, code));
    }

    let verifying = coming.into_iter().map(|(number, person, code)| async move {
        let reply = verify(&person, &email(number), &code).await;
        (person, reply)
    });
    let answered = while_it_is_killed(&mut server, verifying).await;

    until_it_is_back(&place).await;
    assert!(told_yes(&answered).count() >= 2);
    for (person, _) in told_yes(&answered) {
        assert_eq!(person.get("/page").await.status, 200);
        assert_eq!(person.post("/auth/refresh", &json!({})).await.status, 200);
        assert_eq!(claims_of(&person.cookie(ACCESS).unwrap())["email_verified"], true);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_refreshed_stays_signed_in_after_the_database_was_killed() {
    let mut server = MongoDb::start();
    let place = Place::with(wants(&server)).await;
    let mut people = Vec::new();
    for number in 0..PEOPLE {
        people.push(place.sign_in(&email(number)).await);
    }

    let refreshing = people.into_iter().map(|person| async move {
        let reply = person.post("/auth/refresh", &json!({})).await;
        (person, reply)
    });
    let answered = while_it_is_killed(&mut server, refreshing).await;

    // Whoever was told yes holds the successor; whoever was not still holds what was good, spent or not.
    until_it_is_back(&place).await;
    for (person, reply) in &answered {
        let again = person.post("/auth/refresh", &json!({})).await;
        assert_eq!(again.status, 200, "after {}: {}", reply.status, again.text());
        assert!(person.cookie(REFRESH).is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signed_out_stays_out_after_the_database_was_killed() {
    let mut server = MongoDb::start();
    let place = Place::with(wants(&server)).await;
    let mut people = Vec::new();
    for number in 0..PEOPLE {
        people.push(place.sign_in(&email(number)).await);
    }

    let leaving = people.into_iter().map(|person| async move {
        let thief = person.copy();
        let reply = person.post("/auth/logout", &json!({})).await;
        (thief, reply)
    });
    let answered = while_it_is_killed(&mut server, leaving).await;

    until_it_is_back(&place).await;
    assert!(told_yes(&answered).count() >= 2);
    for (thief, _) in told_yes(&answered) {
        assert!(thief.cookie(ACCESS).is_some());
        let page = wait::until_async("an answer", Duration::from_secs(10), || async { answer(thief).await }).await;
        assert_eq!(page, 401);
        assert_eq!(thief.post("/auth/refresh", &json!({})).await.status, 401);
    }
}

/// The status of a page, once the ledger can be asked.
async fn answer(person: &Person) -> Option<u16> {
    let status = person.get("/page").await.status;
    (status != 503).then_some(status)
}

#[tokio::test(flavor = "multi_thread")]
async fn without_mongodb_people_go_on_and_nobody_is_told_that_they_are_signed_out() {
    let (mut server, redis) = (MongoDb::start(), Redis::start());
    let place = Place::with(Wants { redis: Some(redis.url()), ..wants(&server) }).await;
    let person = place.sign_in("ada@example.com").await;
    let code = place.code_for(&place.person(), "bob@example.com").await;
    let cookies = person.cookie_header();

    server.stop();

    assert_eq!((person.get("/page").await.status, place.person().get("/open/page").await.status), (200, 200));
    let replies = [
        ask(&place.person(), "eve@example.com").await,
        verify(&place.person(), "bob@example.com", &code).await,
        person.post("/auth/refresh", &json!({})).await,
        person.post("/auth/logout", &json!({})).await,
    ];
    for reply in &replies {
        assert_eq!(reply.status, 503, "{}", reply.text());
        assert!(reply.header("retry-after").is_some() && reply.all("set-cookie").is_empty());
    }
    assert_eq!(person.cookie_header(), cookies);

    tokio::task::block_in_place(|| server.start_again());
    wait::until_async("signing out to work again", Duration::from_secs(10), || async {
        (person.copy().post("/auth/logout", &json!({})).await.status == 200).then_some(())
    })
    .await;
    assert_eq!(person.get("/page").await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_guesses_at_once_evaluate_at_most_five() {
    let place = Place::on(Database::MongoDb).await;
    let person = place.person();
    let code = place.code_for(&person, "ada@example.com").await;
    let guess = super::place::wrong(&code);
    let mut guessing = JoinSet::new();
    for _ in 0..500 {
        let (person, guess) = (person.copy(), guess.clone());
        guessing.spawn(async move { verify(&person, "ada@example.com", &guess).await.status });
    }

    let answered = guessing.join_all().await;

    let evaluated = answered.iter().filter(|status| **status == 401).count();
    assert_eq!(evaluated, 5);
    assert!(answered.iter().all(|status| matches!(status, 401 | 429 | 503)), "{answered:?}");
    assert_eq!(verify(&person, "ada@example.com", &code).await.status, 429, "the right code too");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stands_alone_is_refused_at_the_start_in_a_sentence() {
    let server = MongoDb::start_alone(&[]);
    let folder = crate::support::folder::new("alone");
    let config = folder.path().join("doorward.toml");
    let text = r#"
public_url = "http://127.0.0.1:8080"
[listen]
public = ["127.0.0.1:8080"]
[store]
url = "STORE"
encryption_key = "KEY"
[cookies]
secure = false
[[delivery.email]]
kind = "console"
[[route]]
name = "wiki"
upstream = ["http://127.0.0.1:1"]
require = "session"
"#;
    std::fs::write(&config, text.replace("STORE", &server.database()).replace("KEY", super::place::ENCRYPTION_KEY)).unwrap();

    let config = config.display().to_string();
    let (code, _, said) = tokio::task::block_in_place(|| crate::support::gateway::command(&["migrate", "--config", &config], &[]));

    assert_eq!(code, 1, "{said}");
    assert!(said.contains("stands alone") && said.contains("rs.initiate()"), "{said}");
}
