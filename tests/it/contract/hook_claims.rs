//! What [`LastClaims`] promises.

use doorward::id::AccountId;
use doorward::signin::LastClaims;

use super::{Fresh, HOUR, NOW, at, at_once, on_each_database};

on_each_database!(
    the_last_answer_of_each_account_is_kept,
    of_twenty_at_once_one_answer_stays,
    answers_that_nobody_gave_again_are_forgotten,
);

/// What this suite is about, and what it needs beside it.
pub(super) trait Promised: LastClaims + Clone + 'static {}

impl<S: LastClaims + Clone + 'static> Promised for S {}

const DAY: i64 = 24 * HOUR;

impl<S: Promised> Fresh<S> {
    async fn keep_answer(&self, account: &str, answer: &str, now: i64) {
        LastClaims::keep(&self.store, &AccountId::new(account), answer, at(now)).await.unwrap();
    }

    async fn last_answer(&self, account: &str) -> Option<String> {
        self.store.last(&AccountId::new(account)).await.unwrap()
    }
}

async fn the_last_answer_of_each_account_is_kept<S: Promised>(fresh: &Fresh<S>) {
    assert_eq!(fresh.last_answer("ada").await, None);

    fresh.keep_answer("ada", "{\"a\":\"ü\u{1f98a}'\\\\\"}", NOW).await;
    fresh.keep_answer("Ada", "other", NOW).await;
    assert_eq!(fresh.last_answer("ada").await.as_deref(), Some("{\"a\":\"ü\u{1f98a}'\\\\\"}"));

    let long = "x".repeat(4096);
    fresh.keep_answer("ada", &long, NOW + 1).await;
    assert_eq!(fresh.last_answer("ada").await, Some(long));
    assert_eq!(fresh.last_answer("Ada").await.as_deref(), Some("other"));
}

async fn of_twenty_at_once_one_answer_stays<S: Promised>(fresh: &Fresh<S>) {
    at_once(20, |number| {
        let store = fresh.store.clone();
        async move { LastClaims::keep(&store, &AccountId::new("ada"), &format!("answer {number}"), at(NOW)).await.unwrap() }
    })
    .await;

    assert!(fresh.last_answer("ada").await.unwrap().starts_with("answer "));
}

async fn answers_that_nobody_gave_again_are_forgotten<S: Promised>(fresh: &Fresh<S>) {
    fresh.keep_answer("ada", "same", NOW).await;
    fresh.keep_answer("grace", "same", NOW).await;
    fresh.keep_answer("grace", "same", NOW + 2 * DAY).await;

    assert_eq!(LastClaims::sweep(&fresh.store, at(NOW)).await.unwrap(), 0);
    assert_eq!(LastClaims::sweep(&fresh.store, at(NOW + DAY)).await.unwrap(), 1);

    assert_eq!((fresh.last_answer("ada").await, fresh.last_answer("grace").await.as_deref()), (None, Some("same")));
}
