//! Many at once: guesses, right codes, refreshes. On each database.

use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;

use super::place::{ACCESS, Database, Place, REFRESH, Wants, ask, code_of, on_each_database, verify, wrong};
use crate::support::client::{Person, Reply};
use crate::support::wait;

const SOON: Duration = Duration::from_secs(10);

async fn at_once<F>(count: usize, mut one: impl FnMut() -> F) -> Vec<Reply>
where
    F: Future<Output = Reply> + Send + 'static,
{
    let mut all = JoinSet::new();
    for _ in 0..count {
        all.spawn(one());
    }
    all.join_all().await
}

async fn guess(person: Person, code: String) -> Reply {
    verify(&person, "ada@example.com", &code).await
}

async fn sixty_wrong_guesses_evaluate_at_most_five(database: Database) {
    let place = Place::on(database).await;
    let person = place.person();
    let code = place.code_for(&person, "ada@example.com").await;

    let replies = at_once(60, || guess(person.copy(), wrong(&code))).await;

    let evaluated = replies.iter().filter(|reply| reply.status == 401).count();
    let refused = replies.iter().filter(|reply| reply.status == 429 && code_of(reply) == "too_many_attempts").count();
    assert_eq!((evaluated, refused), (5, 55), "{database:?}");
    let right = verify(&person, "ada@example.com", &code).await;
    assert_eq!(right.status, 429, "the right code too");
    assert!(right.header("retry-after").is_some());
}

async fn of_twenty_right_codes_one_signs_in(database: Database) {
    let wants = Wants {
        store: database.url(),
        sections: vec![("otp", "attempts = 20\nresend_after = \"0s\""), ("limits", "failures_per_account = 50")],
        ..Wants::default()
    };
    let place = Place::with(wants).await;
    let person = place.person();
    let code = place.code_for(&person, "ada@example.com").await;
    let replies = at_once(20, || guess(person.copy(), code.clone())).await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 200).count(), 1, "{database:?}");
    assert_eq!(replies.iter().filter(|reply| reply.status == 401).count(), 19, "{database:?}");
}

async fn two_hundred_refreshes_sign_nobody_out(database: Database) {
    let wants = Wants { store: database.url(), sections: vec![("session", "concurrent_refresh_window = \"2s\"")], ..Wants::default() };
    let place = Place::with(wants).await;
    let person = place.sign_in("ada@example.com").await;
    let old = person.copy();

    let tabs: Vec<Person> = (0..200).map(|_| person.copy()).collect();
    let mut all = JoinSet::new();
    for tab in tabs {
        all.spawn(async move {
            let reply = tab.post("/auth/refresh", &json!({})).await;
            (reply.status, tab.cookie(REFRESH).unwrap_or_default())
        });
    }
    let outcomes = all.join_all().await;

    assert!(outcomes.iter().all(|(status, _)| *status == 200), "{database:?}");
    let successors: std::collections::HashSet<_> = outcomes.iter().map(|(_, cookie)| cookie.clone()).collect();
    assert_eq!(successors.len(), 1, "one successor");
    person.set_cookie(REFRESH, successors.iter().next().unwrap());
    assert_eq!(person.post("/auth/refresh", &json!({})).await.status, 200, "still signed in");

    // The old token after the window: somebody else has it.
    let seconds = std::time::Duration::from_secs(10);
    crate::support::wait::until_async("the window to close", seconds, || async {
        let probe = old.copy();
        (probe.post("/auth/refresh", &json!({})).await.status == 401).then_some(())
    })
    .await;
    assert_eq!(person.post("/auth/refresh", &json!({})).await.status, 401, "the family is ended");
    assert_eq!(person.get("/").await.status, 401);
}

on_each_database! {
    guesses_at_once => sixty_wrong_guesses_evaluate_at_most_five;
    right_codes_at_once => of_twenty_right_codes_one_signs_in;
    refreshes_at_once => two_hundred_refreshes_sign_nobody_out;
}

/// New cookies come with the app's answer. Until then the browser has the old ones alone, and is right to come with them.
#[tokio::test(flavor = "multi_thread")]
async fn who_reloads_while_the_app_takes_its_time_is_not_taken_for_a_thief() {
    let place = Place::with(Wants { sections: vec![("session", "concurrent_refresh_window = \"1ms\"")], ..Wants::default() }).await;
    let ada = place.sign_in("ada@example.com").await;
    ada.forget_cookie(ACCESS);
    let (waiting, reloading, thief) = (ada.copy(), ada.copy(), ada);
    place.upstream.delay(Duration::from_secs(2));

    let report = tokio::spawn(async move { (waiting.get("/report").await.status, waiting) });
    wait::until_true("the app to be asked", SOON, || place.upstream.count() == 1);
    assert_eq!(reloading.get("/report").await.status, 200);
    let (status, waiting) = report.await.unwrap();

    assert_eq!(status, 200);
    assert_eq!(waiting.cookie(REFRESH), reloading.cookie(REFRESH));
    place.upstream.delay(Duration::ZERO);
    assert_eq!(waiting.get("/page").await.status, 200, "they are signed in still");
    // From now on whoever has the old ones alone is somebody else.
    let is_caught = async || (thief.copy().get("/page").await.status == 401).then_some(());
    wait::until_async("the thief to be caught", SOON, is_caught).await;
    assert_eq!(waiting.get("/page").await.status, 401, "the family is ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_again_does_not_give_new_guesses() {
    let place = Place::on(Database::Sqlite).await;
    let person = place.person();
    for _ in 0..2 {
        let code = place.code_for(&person, "ada@example.com").await;
        for _ in 0..5 {
            assert_eq!(verify(&person, "ada@example.com", &wrong(&code)).await.status, 401);
        }
    }
    let code = place.code_for(&person, "ada@example.com").await;
    assert_eq!(verify(&person, "ada@example.com", &code).await.status, 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_who_guesses_does_not_lock_out_the_browser_that_asked() {
    let place = Place::on(Database::Sqlite).await;
    let person = place.person();
    let code = place.code_for(&person, "ada@example.com").await;
    let replies = at_once(30, || guess(place.person(), wrong(&code))).await;
    assert!(replies.iter().any(|reply| reply.status == 429));
    assert_eq!(verify(&person, "ada@example.com", &code).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_can_tell_a_known_address_from_an_unknown_one_by_guessing() {
    let place =
        Place::with(Wants { sections: vec![("otp", "registration = \"closed\"\nresend_after = \"0s\"")], ..Wants::default() }).await;
    assert_eq!(place.gateway.command(&["account", "add", "--email", "ada@example.com"]).0, 0);
    let mut seen = Vec::new();
    for email in ["ada@example.com", "nobody@example.com"] {
        let person = place.person();
        let mut replies = vec![verify(&person, email, "123456").await, ask(&person, email).await];
        let code = if email.starts_with("ada") { wrong(&place.mailbox.wait_for(email).await.code()) } else { "123456".to_owned() };
        for _ in 0..6 {
            replies.push(verify(&person, email, &code).await);
        }
        seen.push(replies.iter().map(look).collect::<Vec<_>>());
    }
    assert_eq!(seen[0], seen[1]);
}

/// All of a reply but what is different each time.
fn look(reply: &Reply) -> (u16, Vec<String>, String) {
    let mut body = reply.json();
    for name in ["request_id", "challenge_id"] {
        if body.get(name).is_some() {
            body[name] = json!("…");
        }
    }
    let names = ["content-type", "cache-control", "content-length", "set-cookie"].map(|name| reply.header(name).unwrap_or_default());
    let names = names.map(|value| value.split('=').next().unwrap_or_default().to_owned());
    (reply.status, names.to_vec(), body.to_string())
}
