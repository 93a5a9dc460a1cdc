//! What [`Sessions`] promises.

use std::net::IpAddr;
use std::time::Duration;

use doorward::clock::Timestamp;
use doorward::id::{AccountId, SessionId};
use doorward::revocation::{Act, Ledger};
use doorward::signin::{Accounts, Family, NewSession, Session, Sessions};
use doorward::token::{Acr, Amr};

use super::{Fresh, HOUR, NOW, account, at, at_once, on_each_database, session};

on_each_database!(
    a_session_is_found_whole_with_its_family,
    no_session_begins_for_an_account_that_is_gone_or_disabled,
    of_two_hundred_rotations_at_once_one_moves_on,
    a_spent_token_is_known_with_the_moment,
    a_session_is_renewed_until_it_expires,
    a_session_that_is_over_is_not_renewed,
    the_last_address_is_kept,
    no_session_outlives_its_account_being_disabled,
    live_sessions_are_listed_newest_first,
    names_that_differ_in_case_are_two,
    sweeping_deletes_sessions_that_are_over_with_their_tokens,
);

/// What this suite is about, and what it needs beside it.
pub(super) trait Promised: Accounts + Ledger + Sessions + Clone + 'static {}

impl<S: Accounts + Ledger + Sessions + Clone + 'static> Promised for S {}

impl<S: Promised> Fresh<S> {
    async fn with_account(&self, id: &str) {
        assert!(self.store.add(&account(id)).await.unwrap());
    }

    async fn start(&self, new: &NewSession) -> bool {
        self.store.start(new).await.unwrap()
    }

    async fn rotate(&self, id: &str, presented: i64, successor: &str, now: i64) -> bool {
        self.store.rotate(&SessionId::new(id), presented, successor, at(now), None).await.unwrap()
    }

    async fn session(&self, id: &str) -> Option<Session> {
        Sessions::find(&self.store, &SessionId::new(id)).await.unwrap()
    }

    async fn live(&self, account: &str, now: i64, limit: u32) -> Vec<String> {
        let live = Sessions::list(&self.store, &AccountId::new(account), at(now), limit).await.unwrap();
        live.into_iter().map(|session| session.id.as_str().to_owned()).collect()
    }

    async fn end(&self, act: Act, now: i64) -> usize {
        self.store.commit(&act, "test", at(now), at(now + HOUR)).await.unwrap().len()
    }
}

async fn a_session_is_found_whole_with_its_family<S: Promised>(fresh: &Fresh<S>) {
    fresh.with_account("ada").await;
    let mut new = session("one", "ada");
    new.session.amr = vec![Amr::Email, Amr::Otp, Amr::Mfa];
    new.session.acr = Acr::TwoFactor;
    new.session.address = Some("2001:db8::7".parse().unwrap());

    assert!(fresh.start(&new).await);

    assert_eq!(fresh.session("one").await, Some(new.session.clone()));
    assert_eq!(fresh.session("two").await, None);
    let family = Family { session: new.session, family_key: "sealed".to_owned(), newest: 1, presented: 1, spent_at: None };
    assert_eq!(fresh.store.family("one-1").await.unwrap(), Some(family));
    assert_eq!(fresh.store.family("one-2").await.unwrap(), None);
}

async fn no_session_begins_for_an_account_that_is_gone_or_disabled<S: Promised>(fresh: &Fresh<S>) {
    fresh.with_account("ada").await;
    fresh.end(Act::Disable(AccountId::new("ada")), NOW).await;

    assert!(!fresh.start(&session("one", "ada")).await);
    assert!(!fresh.start(&session("two", "nobody")).await);
    assert_eq!(fresh.session("one").await, None);
    assert_eq!(fresh.store.family("one-1").await.unwrap(), None);

    fresh.store.enable(&AccountId::new("ada")).await.unwrap();
    assert!(fresh.start(&session("one", "ada")).await);
}

async fn of_two_hundred_rotations_at_once_one_moves_on<S: Promised>(fresh: &Fresh<S>) {
    fresh.with_account("ada").await;
    fresh.start(&session("one", "ada")).await;

    let rotated = at_once(200, |number| {
        let store = fresh.store.clone();
        // Whoever races derives the same successor; here they differ, to see whose it was.
        async move { (number, store.rotate(&SessionId::new("one"), 1, &format!("next-{number}"), at(NOW), None).await.unwrap()) }
    })
    .await;

    let winners: Vec<usize> = rotated.iter().filter(|(_, won)| *won).map(|(number, _)| *number).collect();
    assert_eq!(winners.len(), 1);
    let family = fresh.store.family(&format!("next-{}", winners[0])).await.unwrap().unwrap();
    assert_eq!((family.newest, family.presented, family.spent_at), (2, 2, None));
    for (number, won) in rotated {
        assert_eq!(fresh.store.family(&format!("next-{number}")).await.unwrap().is_some(), won);
    }
}

async fn a_spent_token_is_known_with_the_moment<S: Promised>(fresh: &Fresh<S>) {
    fresh.with_account("ada").await;
    fresh.start(&session("one", "ada")).await;

    assert!(fresh.rotate("one", 1, "one-2", NOW + 5).await);
    assert!(!fresh.rotate("one", 1, "one-2", NOW + 6).await, "1 is no longer the newest");
    assert!(!fresh.rotate("one", 3, "one-4", NOW + 6).await, "3 was never issued");
    assert!(fresh.rotate("one", 2, "one-3", NOW + 7).await);

    let spent = async |token: &str| {
        let family = fresh.store.family(token).await.unwrap().unwrap();
        (family.newest, family.presented, family.spent_at.map(Timestamp::as_millis), family.session.last_seen_at.as_millis())
    };
    assert_eq!(spent("one-1").await, (3, 1, Some(NOW + 5), NOW + 7));
    assert_eq!(spent("one-2").await, (3, 2, Some(NOW + 7), NOW + 7));
    assert_eq!(spent("one-3").await, (3, 3, None, NOW + 7));
}

async fn a_session_is_renewed_until_it_expires<S: Promised>(fresh: &Fresh<S>) {
    fresh.with_account("ada").await;
    fresh.start(&session("one", "ada")).await;

    assert!(!fresh.rotate("one", 1, "late", NOW + HOUR).await);
    assert!(!fresh.rotate("one", 1, "late", NOW + HOUR + 1).await);
    assert!(fresh.rotate("one", 1, "in time", NOW + HOUR - 1).await);
    assert!(!fresh.rotate("nobody", 1, "else", NOW).await);
}

async fn a_session_that_is_over_is_not_renewed<S: Promised>(fresh: &Fresh<S>) {
    fresh.with_account("ada").await;
    fresh.start(&session("one", "ada")).await;
    fresh.end(Act::Session(SessionId::new("one")), NOW + 1).await;

    assert!(!fresh.rotate("one", 1, "one-2", NOW + 2).await);
    assert_eq!(fresh.session("one").await.unwrap().ended_at, Some(at(NOW + 1)));
    let family = fresh.store.family("one-1").await.unwrap().unwrap();
    assert_eq!((family.session.ended_at, family.spent_at), (Some(at(NOW + 1)), None));
}

async fn the_last_address_is_kept<S: Promised>(fresh: &Fresh<S>) {
    fresh.with_account("ada").await;
    fresh.start(&session("one", "ada")).await;
    let from: IpAddr = "203.0.113.9".parse().unwrap();

    fresh.store.rotate(&SessionId::new("one"), 1, "one-2", at(NOW + 1), Some(from)).await.unwrap();
    assert_eq!(fresh.session("one").await.unwrap().address, Some(from));
    assert!(fresh.rotate("one", 2, "one-3", NOW + 2).await);
    assert_eq!(fresh.session("one").await.unwrap().address, Some(from));
}

async fn no_session_outlives_its_account_being_disabled<S: Promised>(fresh: &Fresh<S>) {
    for round in 0..5 {
        let person = format!("person-{round}");
        fresh.with_account(&person).await;

        let started = at_once(21, |number| {
            let (store, person) = (fresh.store.clone(), person.clone());
            async move {
                if number == 10 {
                    let act = Act::Disable(AccountId::new(person));
                    store.commit(&act, "test", at(NOW), at(NOW + HOUR)).await.unwrap().len() - 1
                } else {
                    usize::from(store.start(&session(&format!("{person}-{number}"), &person)).await.unwrap())
                }
            }
        })
        .await;

        assert_eq!(fresh.live(&person, NOW, 100).await, Vec::<String>::new());
        // Each that began was ended with a line of its own: the sum counts each twice.
        assert_eq!(started.iter().sum::<usize>() % 2, 0);
    }
}

async fn live_sessions_are_listed_newest_first<S: Promised>(fresh: &Fresh<S>) {
    fresh.with_account("ada").await;
    fresh.with_account("grace").await;
    for (id, person, begins) in [("a", "ada", 3), ("b", "ada", 1), ("c", "ada", 2), ("d", "grace", 4)] {
        let mut new = session(id, person);
        new.session.created_at = at(NOW + begins);
        new.session.expires_at = at(NOW + HOUR + begins);
        assert!(fresh.start(&new).await);
    }

    assert_eq!(fresh.live("ada", NOW, 10).await, ["a", "c", "b"]);
    assert_eq!(fresh.live("ada", NOW, 2).await, ["a", "c"]);
    assert_eq!(fresh.live("ada", NOW + HOUR, 10).await, ["a", "c", "b"]);
    assert_eq!(fresh.live("ada", NOW + HOUR + 1, 10).await, ["a", "c"], "b has expired");
    fresh.end(Act::Session(SessionId::new("a")), NOW).await;
    assert_eq!(fresh.live("ada", NOW, 10).await, ["c", "b"]);
    assert_eq!(fresh.live("nobody", NOW, 10).await, Vec::<String>::new());
}

async fn names_that_differ_in_case_are_two<S: Promised>(fresh: &Fresh<S>) {
    fresh.with_account("ada").await;
    fresh.start(&session("aBc", "ada")).await;

    assert_eq!(fresh.session("ABC").await, None);
    assert_eq!(fresh.store.family("ABC-1").await.unwrap(), None);
    assert!(!fresh.rotate("ABC", 1, "x", NOW).await);
    assert_eq!(fresh.end(Act::Session(SessionId::new("abc")), NOW).await, 0);
    assert!(fresh.start(&session("ABC", "ada")).await);
}

async fn sweeping_deletes_sessions_that_are_over_with_their_tokens<S: Promised>(fresh: &Fresh<S>) {
    fresh.with_account("ada").await;
    for id in ["ended", "lasting"] {
        fresh.start(&session(id, "ada")).await;
    }
    fresh.rotate("ended", 1, "ended-2", NOW).await;
    fresh.end(Act::Session(SessionId::new("ended")), NOW + 10).await;
    let sweep = async |before: i64| Sessions::sweep(&fresh.store, at(before)).await.unwrap();

    assert_eq!(sweep(NOW + 10).await, 0);
    assert!(fresh.store.family("ended-2").await.unwrap().is_some());
    assert_eq!(sweep(NOW + 11).await, 1);
    for token in ["ended-1", "ended-2"] {
        assert_eq!(fresh.store.family(token).await.unwrap(), None);
    }
    assert_eq!(sweep(NOW + HOUR).await, 0);
    assert!(fresh.session("lasting").await.is_some());
    assert_eq!(sweep(at(NOW + HOUR).plus(Duration::from_millis(1)).as_millis()).await, 1);
    assert_eq!(fresh.session("lasting").await, None);
}
