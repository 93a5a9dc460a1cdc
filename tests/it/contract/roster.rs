//! What [`Roster`] promises, and listing sessions page by page.

use std::time::Duration;

use doorward::id::{AccountId, SessionId};
use doorward::limits::Quota;
use doorward::revocation::{Act, Entry, Ids, Ledger, Standing, Subject};
use doorward::signin::{
    Account, Accounts, Bounds, Challenge, Challenges, Channel, Counted, Factors, Handle, LastClaims, Pending, Pendings, Place, Roster,
    Sessions, Sought, Written,
};
use doorward::token::Amr;
use serde_json::json;

use super::{Fresh, HOUR, NOW, account, at, at_once, on_each_database, session};

on_each_database!(
    a_change_is_kept_and_writes_one_line_with_its_revision,
    a_change_of_another_revision_changes_nothing,
    of_twenty_changes_of_one_revision_at_once_one_is_kept,
    an_address_that_is_taken_changes_nothing,
    another_address_ends_what_is_under_way_and_another_name_does_not,
    every_change_moves_the_revision_on,
    who_came_half_way_signs_in_no_more_where_all_or_all_others_are_ended,
    a_removed_account_is_gone_with_its_sessions_and_belongings,
    a_session_that_starts_while_its_account_is_removed_is_refused_or_ended,
    accounts_are_listed_by_what_is_sought,
    sessions_are_listed_page_by_page,
    two_thousand_accounts_are_listed_in_pages,
);

/// What this suite is about, and what it needs beside it.
pub(super) trait Promised:
    Accounts + Challenges + Factors + LastClaims + Ledger + Pendings + Roster + Sessions + Clone + 'static
{
}

impl<S: Accounts + Challenges + Factors + LastClaims + Ledger + Pendings + Roster + Sessions + Clone + 'static> Promised for S {}

fn ada() -> AccountId {
    AccountId::new("ada")
}

fn full() -> Account {
    Account {
        username: Some("Ada".to_owned()),
        email: Some("ada@example.com".to_owned()),
        email_verified: true,
        groups: vec!["staff".to_owned(), "admins".to_owned()],
        ..account("ada")
    }
}

impl<S: Promised> Fresh<S> {
    async fn ada_now(&self) -> Account {
        Accounts::find(&self.store, &ada()).await.unwrap().unwrap()
    }

    async fn change(&self, account: &Account) -> Written {
        Roster::change(&self.store, account, at(NOW + HOUR)).await.unwrap()
    }

    async fn accounts_page(&self, sought: &Sought, after: Option<&str>, limit: u32) -> Vec<String> {
        let after = after.map(AccountId::new);
        let found = Roster::page(&self.store, sought, after.as_ref(), limit).await.unwrap();
        found.into_iter().map(|account| account.id.to_string()).collect()
    }

    async fn worth(&self, session: &str, revision: i64) -> Standing {
        let (token, session) = (doorward::id::TokenId::new("any"), SessionId::new(session));
        self.store.revoked(Ids { token: &token, session: &session, account: &ada(), revision }, at(NOW)).await.unwrap()
    }
}

fn line(number: i64, revision: i64) -> Entry {
    Entry { number, subject: Subject::Account(ada(), revision), expires_at: at(NOW + HOUR) }
}

async fn a_change_is_kept_and_writes_one_line_with_its_revision<S: Promised>(fresh: &Fresh<S>) {
    fresh.store.add(&full()).await.unwrap();
    assert!(fresh.store.start(&session("ada-1", "ada")).await.unwrap());
    let changed = Account {
        name: Some("Ada \u{1f98a}".to_owned()),
        phone: Some("+4915112345678".to_owned()),
        groups: vec!["staff".to_owned()],
        claims: json!({ "department": { "floor": 3 } }).as_object().unwrap().clone(),
        ..full()
    };

    assert_eq!(fresh.change(&changed).await, Written::Done(vec![line(1, 1)]));

    assert_eq!(fresh.ada_now().await, Account { revision: 1, ..changed });
    assert_eq!(fresh.worth("ada-1", 0).await, Standing::Outdated);
    assert_eq!(fresh.worth("ada-1", 1).await, Standing::Good);
    assert_eq!(Sessions::find(&fresh.store, &SessionId::new("ada-1")).await.unwrap().unwrap().ended_at, None, "its sessions go on");
    assert_eq!(fresh.store.since(0, at(NOW), 9).await.unwrap(), [line(1, 1)]);
}

async fn a_change_of_another_revision_changes_nothing<S: Promised>(fresh: &Fresh<S>) {
    fresh.store.add(&full()).await.unwrap();

    for stale in [Account { revision: 1, groups: Vec::new(), ..full() }, Account { revision: -1, ..full() }, account("nobody")] {
        assert_eq!(fresh.change(&stale).await, Written::Stale);
    }
    assert_eq!(fresh.ada_now().await, full());
    assert_eq!(fresh.store.head().await.unwrap().number, 0);
    let gone = Roster::remove(&fresh.store, &ada(), 1, "test", at(NOW), at(NOW + HOUR)).await.unwrap();
    assert_eq!(gone, Written::Stale);
    assert_eq!(fresh.ada_now().await, full());
}

async fn of_twenty_changes_of_one_revision_at_once_one_is_kept<S: Promised>(fresh: &Fresh<S>) {
    fresh.store.add(&full()).await.unwrap();

    let written = at_once(20, |number| {
        let store = fresh.store.clone();
        let changed = Account { name: Some(format!("name {number}")), ..full() };
        async move { Roster::change(&store, &changed, at(NOW + HOUR)).await.unwrap() }
    })
    .await;

    assert_eq!(written.iter().filter(|one| matches!(one, Written::Done(_))).count(), 1);
    assert_eq!(written.iter().filter(|one| **one == Written::Stale).count(), 19);
    assert_eq!((fresh.ada_now().await.revision, fresh.store.head().await.unwrap().number), (1, 1));
}

async fn an_address_that_is_taken_changes_nothing<S: Promised>(fresh: &Fresh<S>) {
    fresh.store.add(&full()).await.unwrap();
    fresh.store.add(&Account { email: Some("grace@example.com".to_owned()), ..account("grace") }).await.unwrap();

    assert_eq!(fresh.change(&Account { email: Some("grace@example.com".to_owned()), ..full() }).await, Written::Taken);

    assert_eq!(fresh.ada_now().await, full());
    assert_eq!(fresh.store.head().await.unwrap().number, 0);
}

async fn another_address_ends_what_is_under_way_and_another_name_does_not<S: Promised>(fresh: &Fresh<S>) {
    fresh.store.add(&full()).await.unwrap();
    let challenge = Challenge {
        id: "challenge".to_owned(),
        subject: "subject".to_owned(),
        account: Some(ada()),
        handle: "handle".to_owned(),
        channel: Channel::Email,
        code: "mac".to_owned(),
        created_at: at(NOW),
        expires_at: at(NOW + HOUR),
    };
    fresh.store.open(&challenge, std::time::Duration::ZERO, 3).await.unwrap();

    assert_eq!(fresh.change(&Account { name: Some("Ada L".to_owned()), ..full() }).await, Written::Done(vec![line(1, 1)]));
    assert!(fresh.behind("SELECT id FROM challenges", json!({ "find": "challenges" })).await.contains("challenge"));
    let moved = Account { email: Some("new@example.com".to_owned()), revision: 1, ..full() };
    assert_eq!(fresh.change(&moved).await, Written::Done(vec![line(2, 2)]));
    assert!(!fresh.behind("SELECT id FROM challenges", json!({ "find": "challenges" })).await.contains("challenge"));
}

async fn every_change_moves_the_revision_on<S: Promised>(fresh: &Fresh<S>) {
    let unverified = Account { email_verified: false, ..full() };
    fresh.store.add(&unverified).await.unwrap();
    let email = Handle::Email("ada@example.com".to_owned());

    fresh.store.mark_verified(&ada(), &email).await.unwrap();
    assert_eq!(fresh.ada_now().await.revision, 1);
    fresh.store.mark_verified(&ada(), &email).await.unwrap();
    assert_eq!(fresh.ada_now().await.revision, 1, "nothing was changed");
    fresh.store.enable(&ada()).await.unwrap();
    assert_eq!(fresh.ada_now().await.revision, 1, "it was enabled");
    fresh.store.commit(&doorward::revocation::Act::Disable(ada()), "test", at(NOW), at(NOW + HOUR)).await.unwrap();
    assert_eq!(fresh.ada_now().await.revision, 2);
    fresh.store.enable(&ada()).await.unwrap();
    assert_eq!(fresh.ada_now().await.revision, 3);
}

async fn who_came_half_way_signs_in_no_more_where_all_or_all_others_are_ended<S: Promised>(fresh: &Fresh<S>) {
    fresh.store.add(&full()).await.unwrap();
    let (now, expires_at) = (at(NOW), at(NOW + HOUR));
    let others = Act::Others(ada(), SessionId::new("this"));
    for (id, act, is_over) in [("a", Act::Account(ada()), true), ("b", others, true), ("c", Act::Session(SessionId::new("that")), false)] {
        let half = Pending { id: id.to_owned(), account: ada(), amr: vec![Amr::Email], created_at: now, expires_at };
        fresh.store.hold(&half).await.unwrap();
        // She has no session at all.
        assert_eq!(fresh.store.commit(&act, "test", now, expires_at).await.unwrap(), []);

        let most = Quota { count: 9, window: Duration::from_secs(3600) };
        let counted = fresh.store.count_attempt(&Place::Pending(id.to_owned()), &Bounds { place: most, account: most }, now).await.unwrap();
        assert_eq!(counted == Counted::Nothing, is_over, "{act:?}");
    }
}

async fn a_removed_account_is_gone_with_its_sessions_and_belongings<S: Promised>(fresh: &Fresh<S>) {
    for person in [full(), account("grace")] {
        fresh.store.add(&person).await.unwrap();
    }
    for (id, person) in [("ada-1", "ada"), ("ada-2", "ada"), ("grace-1", "grace")] {
        fresh.store.start(&session(id, person)).await.unwrap();
    }
    fresh.store.enrol(&ada(), "sealed", at(NOW)).await.unwrap();
    for person in ["ada", "grace"] {
        fresh.store.keep(&AccountId::new(person), "said", at(NOW)).await.unwrap();
    }

    let written = Roster::remove(&fresh.store, &ada(), 0, "test", at(NOW), at(NOW + HOUR)).await.unwrap();

    let ended = |number, id: &str| Entry { subject: Subject::Session(SessionId::new(id)), ..line(number, 0) };
    assert_eq!(written, Written::Done(vec![ended(1, "ada-1"), ended(2, "ada-2"), line(3, 1)]));
    assert_eq!(Accounts::find(&fresh.store, &ada()).await.unwrap(), None);
    assert_eq!(Factors::find(&fresh.store, &ada()).await.unwrap(), None);
    assert_eq!(fresh.store.last(&ada()).await.unwrap(), None);
    assert_eq!(fresh.store.last(&AccountId::new("grace")).await.unwrap().as_deref(), Some("said"));
    assert_eq!(fresh.worth("ada-1", 0).await, Standing::Revoked);
    assert_eq!(fresh.worth("other", 0).await, Standing::Outdated);
    assert!(!fresh.store.start(&session("ada-3", "ada")).await.unwrap(), "no session of it begins any more");
    assert_eq!(Sessions::find(&fresh.store, &SessionId::new("grace-1")).await.unwrap().unwrap().ended_at, None);
    assert!(fresh.store.add(&full()).await.unwrap(), "its addresses are free");
}

async fn a_session_that_starts_while_its_account_is_removed_is_refused_or_ended<S: Promised>(fresh: &Fresh<S>) {
    fresh.store.add(&full()).await.unwrap();

    let began = at_once(20, |number| {
        let store = fresh.store.clone();
        async move {
            if number == 10 {
                let gone = Roster::remove(&store, &ada(), 0, "test", at(NOW), at(NOW + HOUR)).await.unwrap();
                assert!(matches!(gone, Written::Done(_)), "{gone:?}");
                return None;
            }
            let id = format!("ada-{number}");
            store.start(&session(&id, "ada")).await.unwrap().then_some(id)
        }
    })
    .await;

    for id in began.into_iter().flatten() {
        assert_eq!(fresh.worth(&id, 0).await, Standing::Revoked, "{id}");
    }
}

async fn accounts_are_listed_by_what_is_sought<S: Promised>(fresh: &Fresh<S>) {
    let in_group = |id: &str, group: &str| Account { groups: vec!["all".to_owned(), group.to_owned()], ..account(id) };
    for person in [full(), in_group("b", "staff"), in_group("c", "STAFF"), in_group("d", "x\\\"staff"), account("e")] {
        fresh.store.add(&person).await.unwrap();
    }
    fresh.store.commit(&doorward::revocation::Act::Disable(AccountId::new("b")), "test", at(NOW), at(NOW + HOUR)).await.unwrap();
    let group = |group: &str| Sought { group: Some(group.to_owned()), ..Sought::default() };
    let disabled = |disabled| Sought { disabled: Some(disabled), ..Sought::default() };
    let email = |text: &str| Sought { handle: Some(Handle::Email(text.to_owned())), ..Sought::default() };
    let named = |text: &str| Sought { username: Some(text.to_owned()), ..Sought::default() };

    assert_eq!(fresh.accounts_page(&Sought::default(), None, 9).await, ["ada", "b", "c", "d", "e"]);
    assert_eq!(fresh.accounts_page(&Sought::default(), Some("b"), 2).await, ["c", "d"]);
    assert_eq!(fresh.accounts_page(&Sought::default(), Some("e"), 2).await, [""; 0]);
    assert_eq!(fresh.accounts_page(&group("staff"), None, 9).await, ["ada", "b"]);
    assert_eq!(fresh.accounts_page(&group("staff"), Some("ada"), 9).await, ["b"]);
    assert_eq!(fresh.accounts_page(&group("staf"), None, 9).await, [""; 0]);
    assert_eq!(fresh.accounts_page(&group("' OR 1=1 --"), None, 9).await, [""; 0]);
    assert_eq!(fresh.accounts_page(&disabled(true), None, 9).await, ["b"]);
    assert_eq!(fresh.accounts_page(&disabled(false), None, 2).await, ["ada", "c"]);
    assert_eq!(fresh.accounts_page(&Sought { disabled: Some(false), ..group("staff") }, None, 9).await, ["ada"]);
    assert_eq!(fresh.accounts_page(&email("ada@example.com"), None, 9).await, ["ada"]);
    assert_eq!(fresh.accounts_page(&email("ada@example.com"), Some("ada"), 9).await, [""; 0]);
    assert_eq!(fresh.accounts_page(&email("nobody@example.com"), None, 9).await, [""; 0]);
    assert_eq!(fresh.accounts_page(&Sought { disabled: Some(true), ..email("ada@example.com") }, None, 9).await, [""; 0]);
    assert_eq!(fresh.accounts_page(&named("aDA"), None, 9).await, ["ada"]);
    assert_eq!(fresh.accounts_page(&named("ad"), None, 9).await, [""; 0]);
}

async fn sessions_are_listed_page_by_page<S: Promised>(fresh: &Fresh<S>) {
    for person in ["ada", "grace"] {
        fresh.store.add(&account(person)).await.unwrap();
    }
    for (id, person) in [("s1", "ada"), ("s2", "grace"), ("s3", "ada"), ("s4", "ada")] {
        fresh.store.start(&session(id, person)).await.unwrap();
    }
    fresh.store.commit(&doorward::revocation::Act::Session(SessionId::new("s3")), "test", at(NOW), at(NOW + HOUR)).await.unwrap();
    let page = async |account: Option<&str>, after: Option<&str>, now: i64, limit: u32| {
        let (account, after) = (account.map(AccountId::new), after.map(SessionId::new));
        let found = Sessions::page(&fresh.store, account.as_ref(), after.as_ref(), at(now), limit).await.unwrap();
        found.into_iter().map(|session| session.id.to_string()).collect::<Vec<_>>()
    };

    assert_eq!(page(None, None, NOW, 9).await, ["s1", "s2", "s4"]);
    assert_eq!(page(None, Some("s1"), NOW, 1).await, ["s2"]);
    assert_eq!(page(Some("ada"), None, NOW, 9).await, ["s1", "s4"]);
    assert_eq!(page(Some("ada"), Some("s1"), NOW, 9).await, ["s4"]);
    assert_eq!(page(Some("nobody"), None, NOW, 9).await, [""; 0]);
    assert_eq!(page(None, None, NOW + HOUR, 9).await, [""; 0], "their time is over");
}

async fn two_thousand_accounts_are_listed_in_pages<S: Promised>(fresh: &Fresh<S>) {
    const MANY: usize = 2000;
    for page in 0..MANY / 100 {
        at_once(100, |number| {
            let store = fresh.store.clone();
            async move {
                let number = page * 100 + number;
                let groups = if number % 500 == 7 { vec!["rare".to_owned()] } else { vec!["staff".to_owned()] };
                assert!(store.add(&Account { groups, ..account(&format!("person-{number:05}")) }).await.unwrap());
            }
        })
        .await;
    }

    let mut seen: Vec<String> = Vec::new();
    loop {
        let page = fresh.accounts_page(&Sought::default(), seen.last().map(String::as_str), 150).await;
        if page.is_empty() {
            break;
        }
        seen.extend(page);
    }
    assert_eq!(seen, (0..MANY).map(|number| format!("person-{number:05}")).collect::<Vec<_>>());
    let rare = Sought { group: Some("rare".to_owned()), ..Sought::default() };
    assert_eq!(fresh.accounts_page(&rare, None, 9).await, ["person-00007", "person-00507", "person-01007", "person-01507"]);
}
