//! Listings as the store gives them.

use doorward::app::{ApiKeys, Apps, Subjects};
use doorward::audit::{Audit, Cursor, Filter, Order, Wanted, What};
use doorward::clock::Timestamp;
use doorward::id::{AccountId, AppId, KeyId, SessionId, SubjectId};
use doorward::signin::{Accounts, Sessions};

use crate::book::{Book, timed};
use crate::{ACCOUNTS, APPS, FULL, Filled, KEYS, PAGE, ROWS, SESSIONS, SUBJECTS};

pub async fn measure(filled: &Filled, book: &mut Book) {
    things(filled, book).await;
    let account = Some(AccountId::new("account-00007"));
    let middle = filled.middle();
    let filters = [
        ("audit", Filter::default()),
        ("audit of an account", Filter { account: account.clone(), ..Filter::default() }),
        ("audit of a word", Filter { what: Some(What::CodeRequested), ..Filter::default() }),
        ("audit of an account and a word", Filter { account, what: Some(What::SignedOut), ..Filter::default() }),
        ("audit since half way", Filter { since: Some(middle), ..Filter::default() }),
        ("audit until half way", Filter { until: Some(middle), ..Filter::default() }),
        ("audit of a word until half way", Filter { what: Some(What::CodeRequested), until: Some(middle), ..Filter::default() }),
    ];
    for (name, filter) in filters {
        let page = async |order| {
            let wanted = Wanted { filter: filter.clone(), order, after: None, limit: PAGE };
            timed(async || assert!(!Audit::page(filled.store.as_ref(), &wanted).await.unwrap().is_empty(), "{name}")).await
        };
        book.row(name, page(Order::Newest).await, page(Order::Oldest).await);
    }
    let after = Some(Cursor { at: middle, number: ROWS / 2 });
    let deep = async |order| {
        let wanted = Wanted { filter: Filter::default(), order, after, limit: PAGE };
        timed(async || assert_eq!(Audit::page(filled.store.as_ref(), &wanted).await.unwrap().len(), FULL)).await
    };
    book.row("audit after a cursor half way", deep(Order::Newest).await, deep(Order::Oldest).await);
}

/// What is listed in the order of ids: the last page begins where exactly one is left.
async fn things(filled: &Filled, book: &mut Book) {
    let store = filled.store.as_ref();
    let now: Timestamp = filled.now();
    let left = |count: i64| count - i64::from(PAGE) - 1;

    let accounts = async |after: Option<AccountId>| {
        timed(async || assert_eq!(Accounts::list(store, after.as_ref(), PAGE).await.unwrap().len(), FULL)).await
    };
    book.row("accounts", accounts(None).await, accounts(Some(AccountId::new(format!("account-{:05}", left(ACCOUNTS))))).await);

    let sessions = async |after: Option<SessionId>| {
        timed(async || assert_eq!(Sessions::page(store, None, after.as_ref(), now, PAGE).await.unwrap().len(), FULL)).await
    };
    // Every other one is over.
    let last = SessionId::new(format!("filled-{:06}", 2 * (SESSIONS - i64::from(PAGE)) - 1));
    book.row("sessions", sessions(None).await, sessions(Some(last)).await);
    let of = AccountId::new("account-00007");
    let own = timed(async || assert!(!Sessions::list(store, &of, now, 200).await.unwrap().is_empty())).await;
    book.row("sessions of an account (one page)", own, own);

    let keys = async |after: Option<KeyId>| {
        timed(async || assert_eq!(ApiKeys::list(store, after.as_ref(), PAGE).await.unwrap().len(), FULL)).await
    };
    book.row("API keys", keys(None).await, keys(Some(KeyId::new(format!("key-{:05}", left(KEYS))))).await);

    let apps = async |after: Option<&str>| timed(async || assert_eq!(Apps::list(store, after, PAGE).await.unwrap().len(), FULL)).await;
    book.row("apps", apps(None).await, apps(Some(&format!("app-{:04}", left(APPS)))).await);

    let (app, half) = (AppId::new("app-0007"), SUBJECTS / 2);
    let subjects = async |after: Option<SubjectId>| {
        timed(async || assert_eq!(Subjects::list(store, &app, after.as_ref(), PAGE).await.unwrap().len(), FULL)).await
    };
    book.row("subjects of an app", subjects(None).await, subjects(Some(SubjectId::new(format!("subject-{:05}", left(half))))).await);
}
