//! What [`Ledger`] promises.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use doorward::clock::Timestamp;
use doorward::id::{AccountId, SessionId, TokenId};
use doorward::revocation::{Act, Entry, Ids, Ledger, Standing, Subject};
use doorward::signin::{Accounts, Sessions};
use serde_json::json;

use super::{Fresh, HOUR, NOW, account, at, at_once, on_each_database, session};

on_each_database!(
    ending_a_session_writes_one_line_once,
    a_stranger_ends_no_session,
    ending_the_others_keeps_one,
    ending_an_account_ends_what_was_live,
    disabling_writes_a_line_for_the_account_too,
    an_account_line_is_for_tokens_of_lower_revisions,
    what_ends_a_session_counts_before_what_makes_a_token_outdated,
    a_token_is_ended_once,
    of_twenty_who_end_one_session_at_once_one_writes_the_line,
    lines_are_numbered_without_gaps_by_fifty_at_once,
    acts_of_all_sorts_at_once_get_on_with_one_another,
    lines_are_read_in_order_until_they_expire,
    a_line_counts_until_it_expires,
    names_that_differ_in_case_are_two,
    sweeping_forgets_lines_and_no_numbers,
    the_reason_is_kept_with_the_session,
    an_act_may_end_a_thousand_sessions,
);

/// What this suite is about, and what it needs beside it.
pub(super) trait Promised: Accounts + Sessions + Ledger + Clone + 'static {}

impl<S: Accounts + Sessions + Ledger + Clone + 'static> Promised for S {}

impl<S: Promised> Fresh<S> {
    /// Two people with sessions `ada-1`, `ada-2`, `ada-3` and `grace-1`.
    async fn with_sessions(&self) {
        for person in ["ada", "grace"] {
            assert!(self.store.add(&account(person)).await.unwrap());
        }
        for (id, person) in [("ada-1", "ada"), ("ada-2", "ada"), ("ada-3", "ada"), ("grace-1", "grace")] {
            assert!(self.store.start(&session(id, person)).await.unwrap());
        }
    }

    async fn commit(&self, act: Act) -> Vec<(i64, Subject)> {
        let entries = self.store.commit(&act, "test", at(NOW), at(NOW + HOUR)).await.unwrap();
        assert!(entries.iter().all(|entry| entry.expires_at == at(NOW + HOUR)));
        entries.into_iter().map(|entry| (entry.number, entry.subject)).collect()
    }

    async fn head(&self) -> i64 {
        self.store.head().await.unwrap().number
    }

    /// What is a token worth with these names, made when its account had this revision?
    async fn standing(&self, names: [&str; 3], revision: i64, now: Timestamp) -> Standing {
        let [token, session, account] = names;
        let (token, session, account) = (TokenId::new(token), SessionId::new(session), AccountId::new(account));
        self.store.revoked(Ids { token: &token, session: &session, account: &account, revision }, now).await.unwrap()
    }

    /// Is a token with these names revoked?
    async fn revoked(&self, names: [&str; 3], now: Timestamp) -> bool {
        self.standing(names, 0, now).await == Standing::Revoked
    }

    async fn session_revoked(&self, id: &str) -> bool {
        self.revoked(["any", id, "any"], at(NOW)).await
    }
}

fn ended(id: &str) -> Subject {
    Subject::Session(SessionId::new(id))
}

fn ada() -> AccountId {
    AccountId::new("ada")
}

async fn ending_a_session_writes_one_line_once<S: Promised>(fresh: &Fresh<S>) {
    fresh.with_sessions().await;
    assert_eq!(fresh.head().await, 0);
    assert!(!fresh.session_revoked("ada-1").await);

    assert_eq!(fresh.commit(Act::Session(SessionId::new("ada-1"))).await, [(1, ended("ada-1"))]);
    assert_eq!(fresh.commit(Act::Session(SessionId::new("ada-1"))).await, []);
    assert_eq!(fresh.commit(Act::Session(SessionId::new("nobody"))).await, []);
    assert_eq!(fresh.head().await, 1, "where nothing was written, nothing moves");
    assert_eq!(fresh.commit(Act::Session(SessionId::new("ada-2"))).await, [(2, ended("ada-2"))]);

    assert!(fresh.session_revoked("ada-1").await);
    assert!(!fresh.session_revoked("ada-3").await);
    assert_eq!(Sessions::find(&fresh.store, &SessionId::new("ada-1")).await.unwrap().unwrap().ended_at, Some(at(NOW)));
}

async fn a_stranger_ends_no_session<S: Promised>(fresh: &Fresh<S>) {
    fresh.with_sessions().await;

    assert_eq!(fresh.commit(Act::SessionOf(AccountId::new("grace"), SessionId::new("ada-1"))).await, []);
    assert_eq!(fresh.commit(Act::SessionOf(ada(), SessionId::new("\0"))).await, []);
    assert_eq!(fresh.head().await, 0);
    assert_eq!(Sessions::find(&fresh.store, &SessionId::new("ada-1")).await.unwrap().unwrap().ended_at, None);
    assert_eq!(fresh.commit(Act::SessionOf(ada(), SessionId::new("ada-1"))).await, [(1, ended("ada-1"))]);
}

async fn ending_the_others_keeps_one<S: Promised>(fresh: &Fresh<S>) {
    fresh.with_sessions().await;

    let lines = fresh.commit(Act::Others(ada(), SessionId::new("ada-2"))).await;

    assert_eq!(lines, [(1, ended("ada-1")), (2, ended("ada-3"))]);
    assert_eq!(fresh.commit(Act::Others(ada(), SessionId::new("ada-2"))).await, []);
    let live = Sessions::list(&fresh.store, &ada(), at(NOW), 10).await.unwrap();
    assert_eq!(live.len(), 1);
    assert_eq!(live[0].id, SessionId::new("ada-2"));
    assert!(!fresh.session_revoked("grace-1").await);
}

async fn ending_an_account_ends_what_was_live<S: Promised>(fresh: &Fresh<S>) {
    fresh.with_sessions().await;
    let mut expired = session("ada-0", "ada");
    expired.session.expires_at = at(NOW - 300_000);
    fresh.store.start(&expired).await.unwrap();
    // Its last token may still be believed: clocks may differ by up to five minutes.
    let mut just_over = session("ada-00", "ada");
    just_over.session.expires_at = at(NOW - 300_000 + 1);
    fresh.store.start(&just_over).await.unwrap();
    fresh.commit(Act::Session(SessionId::new("ada-2"))).await;

    let lines = fresh.commit(Act::Account(ada())).await;

    assert_eq!(lines, [(2, ended("ada-00")), (3, ended("ada-1")), (4, ended("ada-3"))]);
    assert_eq!(fresh.commit(Act::Account(ada())).await, []);
    assert_eq!(fresh.commit(Act::Account(AccountId::new("nobody"))).await, []);
    // A sign-in in the same moment lives.
    assert!(fresh.store.start(&session("ada-4", "ada")).await.unwrap());
    assert!(!fresh.revoked(["new", "ada-4", "ada"], at(NOW)).await);
}

async fn disabling_writes_a_line_for_the_account_too<S: Promised>(fresh: &Fresh<S>) {
    fresh.with_sessions().await;

    let lines = fresh.commit(Act::Disable(ada())).await;

    let whole = Subject::Account(ada(), 1);
    assert_eq!(lines, [(1, ended("ada-1")), (2, ended("ada-2")), (3, ended("ada-3")), (4, whole.clone())]);
    assert_eq!(Accounts::find(&fresh.store, &ada()).await.unwrap().unwrap().disabled_at, Some(at(NOW)));
    let read: Vec<Entry> = fresh.store.since(3, at(NOW), 10).await.unwrap();
    assert_eq!(read, [Entry { number: 4, subject: whole, expires_at: at(NOW + HOUR) }]);
    assert_eq!(fresh.commit(Act::Disable(ada())).await, []);
    assert_eq!(fresh.commit(Act::Disable(AccountId::new("nobody"))).await, []);
    assert_eq!(fresh.head().await, 4);
}

async fn an_account_line_is_for_tokens_of_lower_revisions<S: Promised>(fresh: &Fresh<S>) {
    fresh.with_sessions().await;
    fresh.commit(Act::Disable(ada())).await;
    let standing = async |account: &str, revision| fresh.standing(["any", "any", account], revision, at(NOW)).await;

    assert_eq!(standing("ada", 0).await, Standing::Outdated);
    assert_eq!(standing("ada", i64::MIN).await, Standing::Outdated);
    assert_eq!(standing("ada", 1).await, Standing::Good);
    assert_eq!(standing("ada", i64::MAX).await, Standing::Good);
    assert_eq!(standing("grace", 0).await, Standing::Good);

    // Another change moves on from there.
    assert!(fresh.store.enable(&ada()).await.unwrap());
    assert_eq!(fresh.commit(Act::Disable(ada())).await, [(5, Subject::Account(ada(), 3))]);
    assert_eq!(standing("ada", 2).await, Standing::Outdated);
    assert_eq!(standing("ada", 3).await, Standing::Good);
}

async fn what_ends_a_session_counts_before_what_makes_a_token_outdated<S: Promised>(fresh: &Fresh<S>) {
    fresh.with_sessions().await;
    fresh.commit(Act::Token(TokenId::new("jti"))).await;
    fresh.commit(Act::Disable(ada())).await;

    assert_eq!(fresh.standing(["any", "ada-1", "ada"], 0, at(NOW)).await, Standing::Revoked);
    assert_eq!(fresh.standing(["jti", "any", "ada"], 0, at(NOW)).await, Standing::Revoked);
    assert_eq!(fresh.standing(["any", "any", "ada"], 0, at(NOW)).await, Standing::Outdated);
}

async fn a_token_is_ended_once<S: Promised>(fresh: &Fresh<S>) {
    fresh.with_sessions().await;
    let token = || Act::Token(TokenId::new("jti"));

    assert_eq!(fresh.commit(token()).await, [(1, Subject::Token(TokenId::new("jti")))]);
    assert_eq!(fresh.commit(token()).await, []);

    assert!(fresh.revoked(["jti", "any", "any"], at(NOW)).await);
    assert!(!fresh.revoked(["any", "jti", "jti"], at(NOW)).await, "it is a token's name");
    assert_eq!(fresh.head().await, 1);
}

async fn of_twenty_who_end_one_session_at_once_one_writes_the_line<S: Promised>(fresh: &Fresh<S>) {
    fresh.with_sessions().await;

    let acts = [Act::Session(SessionId::new("ada-1")), Act::SessionOf(ada(), SessionId::new("ada-1")), Act::Token(TokenId::new("jti"))];
    let lines = at_once(30, |number| {
        let (store, act) = (fresh.store.clone(), acts[number % 3].clone());
        async move { store.commit(&act, "test", at(NOW), at(NOW + HOUR)).await.unwrap().len() }
    })
    .await;

    assert_eq!(lines.iter().sum::<usize>(), 2, "one for the session, one for the token");
    assert_eq!(fresh.head().await, 2);
}

async fn lines_are_numbered_without_gaps_by_fifty_at_once<S: Promised>(fresh: &Fresh<S>) {
    const WRITERS: usize = 50;
    fresh.store.add(&account("ada")).await.unwrap();
    for number in 0..WRITERS {
        let person = format!("person-{number}");
        fresh.store.add(&account(&person)).await.unwrap();
        for id in ["a", "b"] {
            fresh.store.start(&session(&format!("{person}-{id}"), &person)).await.unwrap();
        }
    }
    let is_over = Arc::new(AtomicBool::new(false));
    let reader = tokio::spawn(follow(fresh.store.clone(), Arc::clone(&is_over)));

    let written = at_once(WRITERS, |number| {
        let store = fresh.store.clone();
        let act = match number % 3 {
            0 => Act::Token(TokenId::new(format!("jti-{number}"))),
            1 => Act::Account(AccountId::new(format!("person-{number}"))),
            _ => Act::Disable(AccountId::new(format!("person-{number}"))),
        };
        async move { store.commit(&act, "test", at(NOW), at(NOW + HOUR)).await.unwrap() }
    })
    .await;
    is_over.store(true, Ordering::SeqCst);

    let mut all: Vec<Entry> = written.into_iter().flatten().collect();
    all.sort_by_key(|entry| entry.number);
    let numbers: Vec<i64> = all.iter().map(|entry| entry.number).collect();
    let newest = fresh.head().await;
    assert_eq!(newest, 17 + 17 * 2 + 16 * 3);
    assert_eq!(numbers, (1..=newest).collect::<Vec<_>>(), "each number once, and none is missing");
    assert_eq!(fresh.store.since(0, at(NOW), 1000).await.unwrap(), all);
    assert!(reader.await.unwrap() > 0, "the reader has looked");
}

/// Reads along: whenever the head says n, all lines up to n are there. Returns how often it looked.
async fn follow(store: impl Ledger, is_over: Arc<AtomicBool>) -> u32 {
    let mut looks = 0;
    while !is_over.load(Ordering::SeqCst) {
        let head = store.head().await.unwrap().number;
        let lines = store.since(0, at(NOW), 1000).await.unwrap();
        let numbers: Vec<i64> = lines.iter().map(|entry| entry.number).collect();
        let newest = i64::try_from(numbers.len()).unwrap();
        assert!(newest >= head, "the head says {head}, and there are {newest} lines");
        assert_eq!(numbers, (1..=newest).collect::<Vec<_>>());
        looks += 1;
    }
    looks
}

async fn acts_of_all_sorts_at_once_get_on_with_one_another<S: Promised>(fresh: &Fresh<S>) {
    fresh.with_sessions().await;

    at_once(60, |number| {
        let store = fresh.store.clone();
        let (mine, new) = (SessionId::new(format!("ada-{}", number % 3 + 1)), session(&format!("new-{number}"), "ada"));
        let commit = async move |act: Act| store.commit(&act, "test", at(NOW), at(NOW + HOUR)).await.map(drop);
        let store = fresh.store.clone();
        async move {
            match number % 6 {
                0 => commit(Act::Account(ada())).await,
                1 => commit(Act::Others(ada(), mine)).await,
                2 => commit(Act::Session(mine)).await,
                3 => store.rotate(&mine, 1, &format!("successor-{number}"), at(NOW), None).await.map(drop),
                4 => store.start(&new).await.map(drop),
                _ => commit(Act::SessionOf(ada(), new.session.id)).await,
            }
            .unwrap();
        }
    })
    .await;

    fresh.commit(Act::Account(ada())).await;
    assert_eq!(Sessions::list(&fresh.store, &ada(), at(NOW), 100).await.unwrap(), []);
    let lines = fresh.store.since(0, at(NOW), 1000).await.unwrap();
    let numbers: Vec<i64> = lines.iter().map(|entry| entry.number).collect();
    assert_eq!(numbers, (1..=fresh.head().await).collect::<Vec<_>>());
}

async fn lines_are_read_in_order_until_they_expire<S: Promised>(fresh: &Fresh<S>) {
    for (number, life) in [(1, 10), (2, 30), (3, 20)] {
        let act = Act::Token(TokenId::new(format!("jti-{number}")));
        fresh.store.commit(&act, "test", at(NOW), at(NOW + life)).await.unwrap();
    }
    let read = async |number, now, limit| -> Vec<i64> {
        let lines = fresh.store.since(number, at(now), limit).await.unwrap();
        lines.into_iter().map(|entry| entry.number).collect()
    };

    assert_eq!(read(0, NOW, 10).await, [1, 2, 3]);
    assert_eq!(read(0, NOW, 2).await, [1, 2]);
    assert_eq!(read(1, NOW, 10).await, [2, 3]);
    assert_eq!(read(3, NOW, 10).await, Vec::<i64>::new());
    assert_eq!(read(0, NOW + 9, 10).await, [1, 2, 3]);
    assert_eq!(read(0, NOW + 10, 10).await, [2, 3]);
    assert_eq!(read(0, NOW + 11, 10).await, [2, 3]);
    assert_eq!(read(0, NOW + 20, 10).await, [2]);
}

async fn a_line_counts_until_it_expires<S: Promised>(fresh: &Fresh<S>) {
    fresh.with_sessions().await;
    fresh.commit(Act::Disable(ada())).await;
    let end = NOW + HOUR;

    for names in [["any", "ada-1", "any"], ["any", "any", "ada"]] {
        assert_ne!(fresh.standing(names, 0, at(end - 1)).await, Standing::Good);
        assert_eq!(fresh.standing(names, 0, at(end)).await, Standing::Good);
        assert_eq!(fresh.standing(names, 0, at(end + 1)).await, Standing::Good);
    }
    // A token that is ended again after its line has expired gets another one.
    let act = Act::Token(TokenId::new("jti"));
    fresh.commit(act.clone()).await;
    assert_eq!(fresh.store.commit(&act, "test", at(end), at(end + HOUR)).await.unwrap().len(), 1);
}

async fn names_that_differ_in_case_are_two<S: Promised>(fresh: &Fresh<S>) {
    fresh.with_sessions().await;
    fresh.commit(Act::Disable(ada())).await;
    fresh.commit(Act::Token(TokenId::new("aBc"))).await;

    assert!(!fresh.revoked(["abc", "ADA-1", "Ada"], at(NOW)).await);
    assert!(fresh.revoked(["aBc", "ADA-1", "Ada"], at(NOW)).await);
}

async fn sweeping_forgets_lines_and_no_numbers<S: Promised>(fresh: &Fresh<S>) {
    fresh.commit(Act::Token(TokenId::new("jti"))).await;
    let sweep = async |now: i64| Ledger::sweep(&fresh.store, at(now)).await.unwrap();

    assert_eq!(sweep(NOW + HOUR).await, 0);
    assert_eq!(sweep(NOW + HOUR + 1).await, 1);

    assert_eq!(fresh.head().await, 1);
    assert_eq!(fresh.commit(Act::Token(TokenId::new("jti"))).await, [(2, Subject::Token(TokenId::new("jti")))]);
}

async fn the_reason_is_kept_with_the_session<S: Promised>(fresh: &Fresh<S>) {
    fresh.with_sessions().await;

    let act = Act::Session(SessionId::new("ada-1"));
    fresh.store.commit(&act, "signed_out", at(NOW), at(NOW + HOUR)).await.unwrap();

    let command = json!({ "find": "sessions", "filter": { "ended_at": { "$ne": null } }, "projection": { "_id": 0, "ended_reason": 1 } });
    let reason = fresh.behind("SELECT ended_reason FROM sessions WHERE ended_at IS NOT NULL", command).await;
    assert_eq!(reason, "signed_out");
}

async fn an_act_may_end_a_thousand_sessions<S: Promised>(fresh: &Fresh<S>) {
    fresh.store.add(&account("ada")).await.unwrap();
    at_once(1000, |number| {
        let store = fresh.store.clone();
        async move { assert!(store.start(&session(&format!("{number:04}"), "ada")).await.unwrap()) }
    })
    .await;

    let lines = fresh.commit(Act::Account(ada())).await;

    let expected: Vec<_> = (0..1000).map(|number| (number + 1, ended(&format!("{number:04}")))).collect();
    assert_eq!(lines, expected);
    let read = fresh.store.since(0, at(NOW), 2000).await.unwrap();
    assert_eq!(read.into_iter().map(|entry| (entry.number, entry.subject)).collect::<Vec<_>>(), expected);
    assert!(fresh.session_revoked("0999").await);
    assert_eq!(Sessions::sweep(&fresh.store, at(NOW + 1)).await.unwrap(), 1000);
}
