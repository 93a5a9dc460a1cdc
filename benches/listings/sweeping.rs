//! Sign-ins one after the other: alone, while what is over is swept, and alone again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use doorward::audit::{Audit, Event, What, Who};
use doorward::id::{AccountId, SessionId};
use doorward::limits::Quota;
use doorward::signin::{Attempt, Challenge, Challenges, Channel, NewSession, Pointer, Session, Sessions};
use doorward::token::{Acr, Amr};

use crate::Filled;
use crate::book::Book;

const SIGN_INS: usize = 300;

/// How many times as long a sign-in may take while there is a sweep, in the median.
const LONGER: f64 = 2.0;

pub async fn measure(filled: &Filled, book: &mut Book) {
    let before = sign_ins(filled, "before", |done| done < SIGN_INS).await;
    let sweeper = {
        let (store, now) = (Arc::clone(&filled.store), filled.now());
        tokio::spawn(async move {
            let began = Instant::now();
            let swept = Sessions::sweep(store.as_ref(), now).await.unwrap();
            (swept, began.elapsed())
        })
    };
    let beside = sign_ins(filled, "beside", |done| !sweeper.is_finished() && done < 3 * SIGN_INS).await;
    assert!(beside.len() >= SIGN_INS, "a sweep that lasts");
    let is_over = sweeper.is_finished();
    let (swept, took) = sweeper.await.unwrap();
    let after = sign_ins(filled, "after", |done| done < SIGN_INS).await;
    let took = took.as_secs_f64();
    show("a sign-in, alone", &before);
    show(&format!("a sign-in, {swept} sessions swept in {took:.1} s"), &beside);
    show("a sign-in, alone again", &after);
    assert!(is_over || swept > 0, "something to sweep");
    let alone = median(&before).max(median(&after));
    if median(&beside) > LONGER * alone {
        book.fail(&format!("a sign-in: {:.1} ms while there is a sweep, {alone:.1} ms without", median(&beside)));
    }
}

fn median(took: &[f64]) -> f64 {
    at(took, 50)
}

fn at(took: &[f64], share: usize) -> f64 {
    took[(took.len() - 1) * share / 100]
}

fn show(name: &str, took: &[f64]) {
    println!("{name:<60} {:>9.2} {:>9.2} {:>9.2}   ms, median, p99, worst of {}", median(took), at(took, 99), at(took, 100), took.len());
}

async fn sign_ins(filled: &Filled, name: &str, goes_on: impl Fn(usize) -> bool) -> Vec<f64> {
    let mut took = Vec::new();
    while took.is_empty() || goes_on(took.len()) {
        let number = took.len();
        let began = Instant::now();
        sign_in(filled, &format!("{name}-{number}"), AccountId::new(format!("account-{:05}", number % 900))).await;
        took.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    took.sort_by(f64::total_cmp);
    took
}

/// What a sign-in writes: a challenge, an attempt, its end, a session, the log.
async fn sign_in(filled: &Filled, name: &str, account: AccountId) {
    let (store, now) = (filled.store.as_ref(), filled.now());
    let challenge = Challenge {
        id: name.to_owned(),
        subject: account.as_str().to_owned(),
        account: Some(account.clone()),
        handle: name.to_owned(),
        channel: Channel::Email,
        code: "hashed".to_owned(),
        created_at: now,
        expires_at: filled.lives_until(),
    };
    Challenges::open(store, &challenge, Duration::from_secs(60), 3).await.unwrap();
    let pointer = Pointer::Bound { id: name.to_owned(), handle: Some(name.to_owned()) };
    let budget = Quota { count: 10, window: Duration::from_secs(3600) };
    let attempt = Attempt { pointer: pointer.clone(), per_challenge: 5, budget };
    Challenges::take_attempt(store, &attempt, now).await.unwrap();
    assert!(Challenges::spend(store, name, &pointer, now).await.unwrap(), "a challenge to spend");
    let session = Session {
        id: SessionId::new(name),
        account: account.clone(),
        created_at: now,
        last_seen_at: now,
        expires_at: filled.lives_until(),
        auth_time: now,
        amr: vec![Amr::Email],
        acr: Acr::OneFactor,
        address: None,
        agent: "bench".to_owned(),
        ended_at: None,
    };
    let new = NewSession { session, family_key: "sealed".to_owned(), refresh: format!("refresh-{name}") };
    assert!(Sessions::start(store, &new).await.unwrap(), "a session");
    let told = |what| Event::new(what, Who::Account(account.clone()), now);
    Audit::append(store, &[told(What::CodeEntered), told(What::SessionBegun)], &filled.chain).await.unwrap();
}
