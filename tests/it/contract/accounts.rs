//! What [`Accounts`] promises.

use doorward::id::AccountId;
use doorward::signin::{Account, Accounts, Handle};
use serde_json::json;

use super::{Fresh, NOW, account, at, at_once, of_accounts, on_each_database};

on_each_database!(
    an_account_is_found_by_its_id_and_its_addresses_whole,
    what_is_unique_is_taken_once,
    of_twenty_who_add_one_address_at_once_one_does,
    names_that_differ_in_case_are_two,
    user_names_that_differ_in_case_are_one,
    an_address_is_verified_while_it_belongs_to_the_account,
    enabling_says_whether_there_is_such_an_account,
    accounts_are_listed_in_the_order_of_their_bytes,
    odd_names_are_found_nowhere_and_are_no_outage,
    a_row_that_cannot_be_read_is_an_outage,
);

/// What this suite is about, and what it needs beside it.
pub(super) trait Promised: Accounts + Clone + 'static {}

impl<S: Accounts + Clone + 'static> Promised for S {}

fn ada() -> Account {
    Account {
        username: Some("ada".to_owned()),
        name: Some("Ada Łovelace \u{1f98a}".to_owned()),
        email: Some("ada@example.com".to_owned()),
        email_verified: true,
        phone: Some("+4915112345678".to_owned()),
        groups: vec!["staff, all".to_owned(), "\"admin\"".to_owned()],
        claims: json!({ "department": { "floor": 3, "name": "it's" } }).as_object().unwrap().clone(),
        ..account("ada-id")
    }
}

fn email(text: &str) -> Handle {
    Handle::Email(text.to_owned())
}

async fn an_account_is_found_by_its_id_and_its_addresses_whole<S: Promised>(fresh: &Fresh<S>) {
    let accounts = &fresh.store;

    assert!(accounts.add(&ada()).await.unwrap());

    assert_eq!(accounts.find(&ada().id).await.unwrap(), Some(ada()));
    assert_eq!(accounts.find_by_handle(&email("ada@example.com")).await.unwrap(), Some(ada()));
    assert_eq!(accounts.find_by_handle(&Handle::Phone("+4915112345678".to_owned())).await.unwrap(), Some(ada()));
    assert_eq!(accounts.find_by_handle(&Handle::Phone("ada@example.com".to_owned())).await.unwrap(), None);
    assert_eq!(accounts.find(&AccountId::new("nobody")).await.unwrap(), None);
}

async fn what_is_unique_is_taken_once<S: Promised>(fresh: &Fresh<S>) {
    let accounts = &fresh.store;
    accounts.add(&ada()).await.unwrap();
    let other = || account("other");

    let same_id = Account { name: Some("else".to_owned()), ..account("ada-id") };
    let same_username = Account { username: ada().username, ..other() };
    let same_email = Account { email: ada().email, ..other() };
    let same_phone = Account { phone: ada().phone, ..other() };

    for taken in [same_id, same_username, same_email, same_phone] {
        assert!(!accounts.add(&taken).await.unwrap(), "{taken:?}");
    }
    assert_eq!(accounts.list(None, 10).await.unwrap(), vec![ada()]);
    // What is not there is not taken: many have no address.
    assert!(accounts.add(&other()).await.unwrap());
    assert!(accounts.add(&account("third")).await.unwrap());
}

async fn of_twenty_who_add_one_address_at_once_one_does<S: Promised>(fresh: &Fresh<S>) {
    let added = at_once(20, |number| {
        let accounts = fresh.store.clone();
        async move { accounts.add(&Account { email: ada().email, ..account(&format!("id-{number}")) }).await.unwrap() }
    })
    .await;

    assert_eq!(added.iter().filter(|added| **added).count(), 1);
    assert_eq!(fresh.store.list(None, 30).await.unwrap().len(), 1);
}

async fn names_that_differ_in_case_are_two<S: Promised>(fresh: &Fresh<S>) {
    let accounts = &fresh.store;
    accounts.add(&ada()).await.unwrap();

    let shouted = Account { name: Some("ADA".to_owned()), ..account("ADA-ID") };
    assert!(accounts.add(&shouted).await.unwrap());

    assert_eq!(accounts.find(&AccountId::new("ADA-ID")).await.unwrap(), Some(shouted));
    assert_eq!(accounts.find(&AccountId::new("Ada-id")).await.unwrap(), None);
    assert_eq!(accounts.find_by_handle(&email("ADA@example.com")).await.unwrap(), None);
    assert_eq!(accounts.find_by_handle(&email("adá@example.com")).await.unwrap(), None);
}

async fn user_names_that_differ_in_case_are_one<S: Promised>(fresh: &Fresh<S>) {
    let accounts = &fresh.store;
    accounts.add(&Account { username: Some("Ädä".to_owned()), ..account("first") }).await.unwrap();
    assert!(accounts.add(&ada()).await.unwrap());

    for (number, alike) in ["ADA", "Ada", "ａｄａ", "ädä", "A\u{308}DÄ"].into_iter().enumerate() {
        let taken = Account { username: Some(alike.to_owned()), ..account(&format!("id-{number}")) };
        assert!(!accounts.add(&taken).await.unwrap(), "{alike}");
    }

    let kept = accounts.find(&AccountId::new("first")).await.unwrap().unwrap();
    assert_eq!(kept.username.as_deref(), Some("Ädä"), "as it was given");
    assert!(accounts.add(&Account { username: Some("ada2".to_owned()), ..account("other") }).await.unwrap());
}

async fn an_address_is_verified_while_it_belongs_to_the_account<S: Promised>(fresh: &Fresh<S>) {
    let accounts = &fresh.store;
    let grace = Account { email: Some("grace@example.com".to_owned()), phone: Some("+15005550006".to_owned()), ..account("grace") };
    accounts.add(&grace).await.unwrap();

    accounts.mark_verified(&grace.id, &email("ada@example.com")).await.unwrap();
    accounts.mark_verified(&AccountId::new("ada-id"), &email("grace@example.com")).await.unwrap();
    assert_eq!(accounts.find(&grace.id).await.unwrap(), Some(grace.clone()));

    accounts.mark_verified(&grace.id, &email("grace@example.com")).await.unwrap();
    assert_eq!(accounts.find(&grace.id).await.unwrap(), Some(Account { email_verified: true, revision: 1, ..grace.clone() }));
    accounts.mark_verified(&grace.id, &Handle::Phone("+15005550006".to_owned())).await.unwrap();
    assert_eq!(accounts.find(&grace.id).await.unwrap(), Some(Account { email_verified: true, phone_verified: true, revision: 2, ..grace }));
}

async fn enabling_says_whether_there_is_such_an_account<S: Promised>(fresh: &Fresh<S>) {
    let accounts = &fresh.store;
    let disabled = Account { disabled_at: Some(at(NOW)), ..account("grace") };
    accounts.add(&disabled).await.unwrap();
    assert_eq!(accounts.find(&disabled.id).await.unwrap(), Some(disabled.clone()));

    assert!(accounts.enable(&disabled.id).await.unwrap());
    assert!(accounts.enable(&disabled.id).await.unwrap(), "it was enabled already, and it is there");
    assert!(!accounts.enable(&AccountId::new("nobody")).await.unwrap());

    assert_eq!(accounts.find(&disabled.id).await.unwrap().unwrap().disabled_at, None);
}

async fn accounts_are_listed_in_the_order_of_their_bytes<S: Promised>(fresh: &Fresh<S>) {
    let accounts = &fresh.store;
    for id in ["b", "_", "B", "a", "-", "Z", "0"] {
        accounts.add(&account(id)).await.unwrap();
    }

    let page = async |after: Option<&str>, limit| -> Vec<String> {
        let after = after.map(AccountId::new);
        let listed = accounts.list(after.as_ref(), limit).await.unwrap();
        listed.into_iter().map(|account| account.id.as_str().to_owned()).collect()
    };

    assert_eq!(page(None, 10).await, ["-", "0", "B", "Z", "_", "a", "b"]);
    assert_eq!(page(None, 2).await, ["-", "0"]);
    assert_eq!(page(Some("0"), 2).await, ["B", "Z"]);
    assert_eq!(page(Some("b"), 2).await, Vec::<String>::new());
}

async fn odd_names_are_found_nowhere_and_are_no_outage<S: Promised>(fresh: &Fresh<S>) {
    let accounts = &fresh.store;
    accounts.add(&ada()).await.unwrap();

    for odd in ["", "\0", "ada-id\0", "%", "' OR 1 = 1 --", "\\", "\u{10ffff}", &"x".repeat(100_000)] {
        assert_eq!(accounts.find(&AccountId::new(odd)).await.unwrap(), None, "{odd:?}");
        assert_eq!(accounts.find_by_handle(&email(odd)).await.unwrap(), None, "{odd:?}");
    }
}

async fn a_row_that_cannot_be_read_is_an_outage<S: Promised>(fresh: &Fresh<S>) {
    let accounts = &fresh.store;
    accounts.add(&ada()).await.unwrap();

    fresh.behind("UPDATE accounts SET claims = '{'", of_accounts(&json!({ "$set": { "claims": "{" } }))).await;

    accounts.find(&ada().id).await.unwrap_err();
    accounts.list(None, 10).await.unwrap_err();
}
