//! What [`AddressChanges`] promises.

use std::time::Duration;

use doorward::id::AccountId;
use doorward::limits::Quota;
use doorward::revocation::{Entry, Ledger, Subject};
use doorward::signin::{
    Account, Accounts, AddressChange, AddressChanges, Attempt, Bounds, Challenge, Challenges, ChangeAttempt, ChangeTaken, Changed, Channel,
    Counted, Handle, Opened, Pending, Pendings, Place, Pointer, Removed, Settled, Taken,
};
use doorward::token::Amr;
use serde_json::json;

use super::{Fresh, HOUR, NOW, account, at, at_once, of_accounts, on_each_database};

on_each_database!(
    an_address_becomes_the_accounts_once,
    tokens_from_before_are_outdated_and_nobody_who_came_half_way_signs_in,
    a_change_is_nobody_elses,
    of_twenty_who_settle_at_once_one_does,
    of_two_accounts_that_want_one_address_one_gets_it,
    an_address_that_is_taken_stays_where_it_is,
    nothing_is_settled_for_who_is_gone_or_disabled,
    an_address_is_asked_for_again_after_a_wait_whoever_asks,
    the_newest_three_changes_are_live,
    an_attempt_is_compared_with_the_codes_for_its_own_address,
    of_sixty_attempts_at_once_five_count,
    changing_and_signing_in_have_one_budget,
    a_right_code_gives_its_attempt_back,
    the_last_verified_address_stays,
    of_two_who_remove_both_addresses_at_once_one_does,
    sweeping_deletes_what_has_expired,
);

/// What this suite is about, and what it needs beside it.
pub(super) trait Promised: Accounts + AddressChanges + Challenges + Ledger + Pendings + Clone + 'static {}

impl<S: Accounts + AddressChanges + Challenges + Ledger + Pendings + Clone + 'static> Promised for S {}

const MINUTE: i64 = 60_000;
const WAIT: Duration = Duration::from_secs(60);
const BUDGET: Quota = Quota { count: 10, window: Duration::from_secs(3600) };

fn ada() -> AccountId {
    AccountId::new("ada")
}

fn email(text: &str) -> Handle {
    Handle::Email(text.to_owned())
}

fn phone(text: &str) -> Handle {
    Handle::Phone(text.to_owned())
}

/// A change of Ada's to `handle` (its MAC), asked for at `now`, good for ten minutes.
fn change(id: &str, handle: &str, now: i64) -> AddressChange {
    AddressChange {
        id: id.to_owned(),
        account: ada(),
        handle: handle.to_owned(),
        sealed: format!("sealed {handle}"),
        channel: Channel::Email,
        code: format!("code {id}"),
        created_at: at(now),
        expires_at: at(now + 10 * MINUTE),
    }
}

fn verified() -> Account {
    Account { email: Some("ada@example.com".to_owned()), email_verified: true, ..account("ada") }
}

impl<S: Promised> Fresh<S> {
    async fn with_ada(&self) {
        assert!(self.store.add(&verified()).await.unwrap());
    }

    async fn open_change(&self, change: &AddressChange) -> Opened {
        AddressChanges::open(&self.store, change, WAIT, 3).await.unwrap()
    }

    async fn try_change(&self, id: Option<&str>, account: &str, now: i64) -> ChangeTaken {
        let attempt = ChangeAttempt { id: id.map(str::to_owned), account: AccountId::new(account), per_change: 5, budget: BUDGET };
        AddressChanges::take_attempt(&self.store, &attempt, at(now)).await.unwrap()
    }

    async fn settle(&self, id: &str, handle: &Handle, now: i64) -> Settled {
        self.settle_of(id, &ada(), handle, now).await.0
    }

    async fn settle_of(&self, id: &str, account: &AccountId, handle: &Handle, now: i64) -> (Settled, Vec<Entry>) {
        AddressChanges::settle(&self.store, id, account, handle, at(now), at(now + HOUR)).await.unwrap()
    }

    async fn remove(&self, account: &AccountId, which: Changed) -> (Removed, Vec<Entry>) {
        AddressChanges::remove(&self.store, account, which, at(NOW + HOUR)).await.unwrap()
    }

    async fn ada(&self) -> Account {
        Accounts::find(&self.store, &ada()).await.unwrap().unwrap()
    }
}

fn ids(taken: &ChangeTaken) -> Vec<&str> {
    match taken {
        ChangeTaken::Counted(candidates) => candidates.iter().map(|candidate| candidate.sent.id.as_str()).collect(),
        ChangeTaken::Nothing | ChangeTaken::Exhausted(_) => panic!("{taken:?}"),
    }
}

async fn an_address_becomes_the_accounts_once<S: Promised>(fresh: &Fresh<S>) {
    fresh.with_ada().await;
    fresh.open_change(&change("one", "new", NOW)).await;
    fresh.open_change(&change("two", "phone", NOW)).await;

    assert_eq!(fresh.settle("one", &email("ada@new.example"), NOW).await, Settled::Set(Box::new(verified())));
    assert_eq!(fresh.settle("one", &email("ada@other.example"), NOW).await, Settled::Nothing);
    let moved = Account { email: Some("ada@new.example".to_owned()), revision: 1, ..verified() };
    assert_eq!(fresh.settle("two", &phone("+15005550006"), NOW).await, Settled::Set(Box::new(moved.clone())));

    let both = Account { phone: Some("+15005550006".to_owned()), phone_verified: true, revision: 2, ..moved };
    assert_eq!(fresh.ada().await, both);
    assert_eq!(fresh.store.find_by_handle(&email("ada@example.com")).await.unwrap(), None);
    assert_eq!(fresh.store.find_by_handle(&email("ada@new.example")).await.unwrap(), Some(both.clone()));
    assert_eq!(fresh.store.find_by_handle(&phone("+15005550006")).await.unwrap(), Some(both));
}

/// In one transaction with the change: nobody can see the one without the other.
async fn tokens_from_before_are_outdated_and_nobody_who_came_half_way_signs_in<S: Promised>(fresh: &Fresh<S>) {
    let both = Account { phone: Some("+15005550006".to_owned()), phone_verified: true, ..verified() };
    fresh.store.add(&both).await.unwrap();
    let (now, expires_at) = (at(NOW), at(NOW + 10 * MINUTE));
    let hold = async |id: &str| {
        let half = Pending { id: id.to_owned(), account: ada(), amr: vec![Amr::Email], created_at: now, expires_at };
        fresh.store.hold(&half).await.unwrap();
    };
    let counted = async |id: &str| {
        let bounds = Bounds { place: BUDGET, account: BUDGET };
        fresh.store.count_attempt(&Place::Pending(id.to_owned()), &bounds, now).await.unwrap()
    };
    fresh.open_change(&change("one", "new", NOW)).await;
    let line = |number, revision| Entry { number, subject: Subject::Account(ada(), revision), expires_at: at(NOW + HOUR) };

    hold("a").await;
    assert_eq!(fresh.settle_of("one", &ada(), &email("ada@new.example"), NOW).await.1, [line(1, 1)]);
    assert_eq!(counted("a").await, Counted::Nothing);
    hold("b").await;
    assert_eq!(fresh.remove(&ada(), Changed::Phone).await.1, [line(2, 2)]);
    assert_eq!(counted("b").await, Counted::Nothing);
    assert_eq!(fresh.store.since(0, now, 9).await.unwrap(), [line(1, 1), line(2, 2)]);
}

async fn a_change_is_nobody_elses<S: Promised>(fresh: &Fresh<S>) {
    fresh.with_ada().await;
    fresh.store.add(&account("bob")).await.unwrap();
    fresh.open_change(&change("one", "new", NOW)).await;

    assert_eq!(fresh.try_change(Some("one"), "bob", NOW).await, ChangeTaken::Nothing);
    assert_eq!(fresh.try_change(None, "bob", NOW).await, ChangeTaken::Nothing);
    let settled = fresh.settle_of("one", &AccountId::new("bob"), &email("x@new.example"), NOW).await;

    assert_eq!(settled, (Settled::Nothing, vec![]));
    assert_eq!(Accounts::find(&fresh.store, &AccountId::new("bob")).await.unwrap(), Some(account("bob")));
    assert_eq!(ids(&fresh.try_change(Some("one"), "ada", NOW).await), ["one"]);
}

async fn of_twenty_who_settle_at_once_one_does<S: Promised>(fresh: &Fresh<S>) {
    fresh.with_ada().await;
    fresh.open_change(&change("one", "new", NOW)).await;

    let settled = at_once(20, |number| {
        let store = fresh.store.clone();
        async move {
            let (now, expires_at) = (at(NOW), at(NOW + HOUR));
            AddressChanges::settle(&store, "one", &ada(), &email(&format!("ada@{number}.example")), now, expires_at).await.unwrap().0
        }
    })
    .await;

    assert_eq!(settled.iter().filter(|settled| matches!(settled, Settled::Set(_))).count(), 1);
    assert_eq!(settled.iter().filter(|settled| **settled == Settled::Nothing).count(), 19);
}

async fn of_two_accounts_that_want_one_address_one_gets_it<S: Promised>(fresh: &Fresh<S>) {
    for number in 0..8 {
        let id = format!("id-{number}");
        fresh.store.add(&account(&id)).await.unwrap();
        let change = AddressChange { account: AccountId::new(&id), ..change(&id, &format!("wish {number}"), NOW) };
        assert_eq!(fresh.open_change(&change).await, Opened::Open);
    }

    let settled = at_once(8, |number| {
        let store = fresh.store.clone();
        let id = format!("id-{number}");
        async move {
            let (now, expires_at) = (at(NOW), at(NOW + HOUR));
            AddressChanges::settle(&store, &id, &AccountId::new(&id), &email("one@example.com"), now, expires_at).await.unwrap().0
        }
    })
    .await;

    assert_eq!(settled.iter().filter(|settled| matches!(settled, Settled::Set(_))).count(), 1);
    assert_eq!(settled.iter().filter(|settled| **settled == Settled::Taken).count(), 7);
}

async fn an_address_that_is_taken_stays_where_it_is<S: Promised>(fresh: &Fresh<S>) {
    fresh.with_ada().await;
    let bob = Account { email: Some("bob@example.com".to_owned()), ..account("bob") };
    fresh.store.add(&bob).await.unwrap();
    fresh.open_change(&change("one", "new", NOW)).await;

    assert_eq!(fresh.settle("one", &email("bob@example.com"), NOW).await, Settled::Taken);

    assert_eq!(fresh.ada().await, verified());
    assert_eq!(fresh.store.find_by_handle(&email("bob@example.com")).await.unwrap(), Some(bob));
    assert_eq!(ids(&fresh.try_change(Some("one"), "ada", NOW).await), ["one"], "nothing was done");
}

async fn nothing_is_settled_for_who_is_gone_or_disabled<S: Promised>(fresh: &Fresh<S>) {
    fresh.open_change(&change("one", "new", NOW)).await;
    assert_eq!(fresh.settle("one", &email("ada@new.example"), NOW).await, Settled::Nothing);

    let disabled = Account { disabled_at: Some(at(NOW)), ..verified() };
    fresh.store.add(&disabled).await.unwrap();
    assert_eq!(fresh.settle("one", &email("ada@new.example"), NOW).await, Settled::Nothing);

    assert_eq!(fresh.ada().await, disabled);
    fresh.store.enable(&ada()).await.unwrap();
    assert_eq!(fresh.settle("one", &email("ada@new.example"), NOW + 10 * MINUTE).await, Settled::Nothing, "it has expired");
    assert!(matches!(fresh.settle("one", &email("ada@new.example"), NOW + 10 * MINUTE - 1).await, Settled::Set(_)));
}

async fn an_address_is_asked_for_again_after_a_wait_whoever_asks<S: Promised>(fresh: &Fresh<S>) {
    let challenge = Challenge {
        id: "challenge".to_owned(),
        subject: "somebody".to_owned(),
        account: None,
        handle: "new".to_owned(),
        channel: Channel::Email,
        code: "code".to_owned(),
        created_at: at(NOW),
        expires_at: at(NOW + 10 * MINUTE),
    };
    assert_eq!(Challenges::open(&fresh.store, &challenge, WAIT, 3).await.unwrap(), Opened::Open);

    assert_eq!(fresh.open_change(&change("one", "new", NOW + MINUTE - 1)).await, Opened::TooSoon(Duration::from_millis(1)));
    assert_eq!(fresh.try_change(Some("one"), "ada", NOW + MINUTE).await, ChangeTaken::Nothing, "it was not stored");
    assert_eq!(fresh.open_change(&change("two", "new", NOW + MINUTE)).await, Opened::Open);
    assert_eq!(fresh.open_change(&change("other", "other", NOW + MINUTE)).await, Opened::Open);

    let later = Challenge { id: "later".to_owned(), created_at: at(NOW + MINUTE + 1), ..challenge };
    assert!(matches!(Challenges::open(&fresh.store, &later, WAIT, 3).await.unwrap(), Opened::TooSoon(_)));
    Challenges::release(&fresh.store, "new").await.unwrap();
    assert_eq!(Challenges::open(&fresh.store, &later, WAIT, 3).await.unwrap(), Opened::Open);
}

async fn the_newest_three_changes_are_live<S: Promised>(fresh: &Fresh<S>) {
    fresh.with_ada().await;
    for (number, id) in (0..).zip(["one", "two", "three", "four"]) {
        fresh.open_change(&change(id, id, NOW + number)).await;
    }

    assert_eq!(fresh.try_change(Some("one"), "ada", NOW + 4).await, ChangeTaken::Nothing);
    for id in ["two", "three", "four"] {
        assert_eq!(ids(&fresh.try_change(Some(id), "ada", NOW + 4).await), [id]);
    }
    assert_eq!(ids(&fresh.try_change(None, "ada", NOW + 4).await), ["four"], "the latest, when none is named");
}

async fn an_attempt_is_compared_with_the_codes_for_its_own_address<S: Promised>(fresh: &Fresh<S>) {
    fresh.with_ada().await;
    fresh.open_change(&change("one", "new", NOW)).await;
    fresh.open_change(&change("two", "other", NOW + MINUTE)).await;
    fresh.open_change(&change("three", "new", NOW + MINUTE)).await;

    let taken = fresh.try_change(Some("one"), "ada", NOW + MINUTE).await;

    assert_eq!(ids(&taken), ["three", "one"]);
    let ChangeTaken::Counted(candidates) = taken else { panic!("counted") };
    assert_eq!((candidates[1].sent.code.as_str(), candidates[1].sealed.as_str()), ("code one", "sealed new"));
}

async fn of_sixty_attempts_at_once_five_count<S: Promised>(fresh: &Fresh<S>) {
    fresh.with_ada().await;
    fresh.open_change(&change("one", "new", NOW)).await;

    let taken = at_once(60, |number| {
        let store = fresh.store.clone();
        // Half of them name the change, half mean the latest: it is one.
        let id = (number % 2 == 0).then(|| "one".to_owned());
        let attempt = ChangeAttempt { id, account: ada(), per_change: 5, budget: BUDGET };
        async move { AddressChanges::take_attempt(&store, &attempt, at(NOW)).await.unwrap() }
    })
    .await;

    assert_eq!(taken.iter().filter(|taken| matches!(taken, ChangeTaken::Counted(_))).count(), 5);
    let wait = ChangeTaken::Exhausted(Duration::from_secs(600));
    assert_eq!(taken.iter().filter(|taken| **taken == wait).count(), 55);
}

async fn changing_and_signing_in_have_one_budget<S: Promised>(fresh: &Fresh<S>) {
    fresh.with_ada().await;
    let challenge = Challenge {
        id: "challenge".to_owned(),
        subject: ada().as_str().to_owned(),
        account: Some(ada()),
        handle: "old".to_owned(),
        channel: Channel::Email,
        code: "code".to_owned(),
        created_at: at(NOW),
        expires_at: at(NOW + 10 * MINUTE),
    };
    Challenges::open(&fresh.store, &challenge, WAIT, 3).await.unwrap();
    let sign_in = async || {
        let pointer = Pointer::Bound { id: "challenge".to_owned(), handle: None };
        let attempt = Attempt { pointer, per_challenge: 50, budget: BUDGET };
        Challenges::take_attempt(&fresh.store, &attempt, at(NOW)).await.unwrap()
    };
    fresh.open_change(&change("one", "new", NOW)).await;

    for _ in 0..5 {
        assert!(matches!(sign_in().await, Taken::Counted { .. }));
        assert_eq!(ids(&fresh.try_change(Some("one"), "ada", NOW).await), ["one"]);
    }

    assert_eq!(sign_in().await, Taken::Exhausted(BUDGET.window));
    fresh.open_change(&change("two", "other", NOW)).await;
    assert_eq!(fresh.try_change(Some("two"), "ada", NOW).await, ChangeTaken::Exhausted(BUDGET.window));
}

async fn a_right_code_gives_its_attempt_back<S: Promised>(fresh: &Fresh<S>) {
    fresh.with_ada().await;
    for number in 0..12 {
        let (id, now) = (format!("id-{number}"), NOW + number * MINUTE);
        fresh.open_change(&change(&id, "new", now)).await;
        assert_eq!(ids(&fresh.try_change(Some(&id), "ada", now).await), [id.as_str()]);
        assert!(matches!(fresh.settle(&id, &email(&format!("ada@{number}.example")), now).await, Settled::Set(_)));
    }
}

async fn the_last_verified_address_stays<S: Promised>(fresh: &Fresh<S>) {
    fresh.with_ada().await;
    let remove = async |which| fresh.remove(&ada(), which).await.0;

    assert_eq!(remove(Changed::Phone).await, Removed::Nothing);
    assert_eq!(remove(Changed::Email).await, Removed::Last);
    assert_eq!(fresh.remove(&AccountId::new("nobody"), Changed::Email).await, (Removed::Nothing, vec![]));
    let number = of_accounts(&json!({ "$set": { "phone": "+15005550006" } }));
    fresh.behind("UPDATE accounts SET phone = '+15005550006'", number).await;
    assert_eq!(remove(Changed::Email).await, Removed::Last, "nobody knows whether the other one works");
    fresh.behind("UPDATE accounts SET phone_verified = 1", of_accounts(&json!({ "$set": { "phone_verified": true } }))).await;

    let both = Account { phone: Some("+15005550006".to_owned()), phone_verified: true, ..verified() };
    assert_eq!(remove(Changed::Email).await, Removed::Gone(Box::new(both.clone())));
    assert_eq!(fresh.ada().await, Account { email: None, email_verified: false, revision: 1, ..both });
    assert_eq!(remove(Changed::Email).await, Removed::Nothing);
    assert_eq!(remove(Changed::Phone).await, Removed::Last);
    assert!(fresh.store.add(&Account { email: Some("ada@example.com".to_owned()), ..account("bob") }).await.unwrap(), "it is free");
}

async fn of_two_who_remove_both_addresses_at_once_one_does<S: Promised>(fresh: &Fresh<S>) {
    for _ in 0..10 {
        let nobody = json!({ "delete": "accounts", "deletes": [{ "q": {}, "limit": 0 }] });
        fresh.behind("DELETE FROM accounts", nobody).await;
        let both = Account { phone: Some("+15005550006".to_owned()), phone_verified: true, ..verified() };
        fresh.store.add(&both).await.unwrap();

        let removed = at_once(2, |number| {
            let store = fresh.store.clone();
            let which = if number == 0 { Changed::Email } else { Changed::Phone };
            async move { AddressChanges::remove(&store, &ada(), which, at(NOW + HOUR)).await.unwrap().0 }
        })
        .await;

        assert_eq!(removed.iter().filter(|removed| **removed == Removed::Last).count(), 1, "{removed:?}");
    }
}

async fn sweeping_deletes_what_has_expired<S: Promised>(fresh: &Fresh<S>) {
    fresh.open_change(&change("one", "new", NOW)).await;
    fresh.open_change(&change("two", "other", NOW + HOUR)).await;

    assert_eq!(AddressChanges::sweep(&fresh.store, at(NOW + 10 * MINUTE)).await.unwrap(), 0);
    assert_eq!(AddressChanges::sweep(&fresh.store, at(NOW + 10 * MINUTE + 1)).await.unwrap(), 1);
    assert_eq!(AddressChanges::sweep(&fresh.store, at(NOW + HOUR)).await.unwrap(), 0);
}
