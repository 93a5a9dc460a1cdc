//! What [`ApiKeys`] promises, and the act of the ledger that revokes one.

use doorward::app::{ApiKey, ApiKeys, HashedKey};
use doorward::id::{AccountId, KeyId, SessionId, TokenId};
use doorward::revocation::{Act, Entry, Ids, Ledger, Standing, Subject};

use super::{Fresh, HOUR, NOW, at, at_once, on_each_database};

on_each_database!(
    a_key_is_kept_whole,
    a_name_belongs_to_one_key_at_a_time,
    a_revoked_or_expired_key_gives_its_name_free,
    of_twenty_who_take_one_name_at_once_one_does,
    a_successor_takes_the_name_and_the_old_key_has_an_end,
    an_end_is_never_moved_away,
    what_is_gone_has_no_successor,
    of_twenty_who_replace_one_key_at_once_one_does,
    keys_are_listed_in_pages,
    revoking_writes_one_line_once,
    of_twenty_who_revoke_one_key_at_once_one_writes_the_line,
    a_use_is_kept_once_a_minute,
    a_use_never_goes_back,
    keys_that_were_over_long_ago_are_forgotten,
);

/// What this suite is about, and what it needs beside it.
pub(super) trait Promised: ApiKeys + Ledger + Clone + 'static {}

impl<S: ApiKeys + Ledger + Clone + 'static> Promised for S {}

fn key(id: &str, name: &str) -> ApiKey {
    ApiKey {
        id: KeyId::new(id),
        hash: HashedKey::stored("hash"),
        name: name.to_owned(),
        owner: None,
        scopes: vec!["read".parse().unwrap()],
        groups: Vec::new(),
        created_at: at(NOW),
        expires_at: None,
        last_used_at: None,
        revoked_at: None,
    }
}

impl<S: Promised> Fresh<S> {
    async fn add_key_of(&self, key: &ApiKey) -> bool {
        ApiKeys::add(&self.store, key, at(NOW)).await.unwrap()
    }

    async fn replaced(&self, id: &str, successor: &ApiKey, until: i64) -> bool {
        self.store.replace(&KeyId::new(id), successor, at(until), at(NOW)).await.unwrap()
    }

    async fn api_key(&self, id: &str) -> Option<ApiKey> {
        ApiKeys::find(&self.store, &KeyId::new(id)).await.unwrap()
    }

    async fn revoke_key(&self, id: &str) -> Vec<Entry> {
        self.store.commit(&Act::ApiKey(KeyId::new(id)), "", at(NOW), at(NOW + HOUR)).await.unwrap()
    }

    async fn ends(&self, id: &str) -> Option<i64> {
        self.api_key(id).await.unwrap().expires_at.map(doorward::clock::Timestamp::as_millis)
    }
}

async fn a_key_is_kept_whole<S: Promised>(fresh: &Fresh<S>) {
    let whole = ApiKey {
        owner: Some("Ada \u{1f98a} 'quoted'".to_owned()),
        scopes: ["admin", "app:shop", "route:wiki:GET,HEAD"].map(|text| text.parse().unwrap()).to_vec(),
        groups: vec!["robots".to_owned(), "r\u{e9}seau".to_owned()],
        expires_at: Some(at(NOW + HOUR)),
        ..key("a", "CI")
    };

    assert!(fresh.add_key_of(&whole).await);

    assert_eq!(fresh.api_key("a").await, Some(whole));
    assert_eq!(fresh.api_key("A").await, None);
    assert_eq!(fresh.api_key("").await, None);
}

async fn a_name_belongs_to_one_key_at_a_time<S: Promised>(fresh: &Fresh<S>) {
    assert!(fresh.add_key_of(&key("a", "ci")).await);

    assert!(!fresh.add_key_of(&key("b", "ci")).await);
    assert!(!fresh.add_key_of(&key("c", "CI")).await);
    assert!(!fresh.add_key_of(&key("a", "other")).await, "nor does an id");

    assert!(fresh.add_key_of(&key("d", "ci2")).await);
    assert_eq!(fresh.api_key("b").await, None);
}

async fn a_revoked_or_expired_key_gives_its_name_free<S: Promised>(fresh: &Fresh<S>) {
    fresh.add_key_of(&key("revoked", "one")).await;
    fresh.add_key_of(&ApiKey { expires_at: Some(at(NOW)), ..key("expired", "two") }).await;
    fresh.add_key_of(&ApiKey { expires_at: Some(at(NOW + 1)), ..key("good", "three") }).await;
    assert!(!fresh.add_key_of(&key("a", "one")).await);

    fresh.revoke_key("revoked").await;

    assert!(fresh.add_key_of(&key("a", "one")).await);
    assert!(fresh.add_key_of(&key("b", "Two")).await);
    assert!(!fresh.add_key_of(&key("c", "three")).await);
    assert_eq!(fresh.api_key("revoked").await.unwrap().name, "one", "it is still there to be listed");
}

async fn of_twenty_who_take_one_name_at_once_one_does<S: Promised>(fresh: &Fresh<S>) {
    let added = at_once(20, |number| {
        let store = fresh.store.clone();
        async move { ApiKeys::add(&store, &key(&format!("key-{number}"), "ci"), at(NOW)).await.unwrap() }
    })
    .await;

    assert_eq!(added.into_iter().filter(|added| *added).count(), 1);
}

async fn a_successor_takes_the_name_and_the_old_key_has_an_end<S: Promised>(fresh: &Fresh<S>) {
    fresh.add_key_of(&key("old", "ci")).await;

    assert!(fresh.replaced("old", &key("new", "ci"), NOW + HOUR).await);

    assert_eq!(fresh.ends("old").await, Some(NOW + HOUR));
    assert_eq!(fresh.ends("new").await, None);
    assert!(!fresh.replaced("old", &key("third", "ci"), NOW + HOUR).await, "it has a successor");
    assert_eq!(fresh.api_key("third").await, None);
    assert!(fresh.replaced("new", &key("third", "ci"), NOW + 2 * HOUR).await);
    assert_eq!(fresh.ends("old").await, Some(NOW + HOUR));
}

async fn an_end_is_never_moved_away<S: Promised>(fresh: &Fresh<S>) {
    fresh.add_key_of(&ApiKey { expires_at: Some(at(NOW + 5)), ..key("soon", "one") }).await;
    fresh.add_key_of(&ApiKey { expires_at: Some(at(NOW + 2 * HOUR)), ..key("late", "two") }).await;

    assert!(fresh.replaced("soon", &key("a", "one"), NOW + HOUR).await);
    assert!(fresh.replaced("late", &key("b", "two"), NOW + HOUR).await);

    assert_eq!(fresh.ends("soon").await, Some(NOW + 5));
    assert_eq!(fresh.ends("late").await, Some(NOW + HOUR));
}

async fn what_is_gone_has_no_successor<S: Promised>(fresh: &Fresh<S>) {
    fresh.add_key_of(&ApiKey { expires_at: Some(at(NOW)), ..key("expired", "one") }).await;
    fresh.add_key_of(&key("revoked", "two")).await;
    fresh.add_key_of(&key("good", "three")).await;
    fresh.revoke_key("revoked").await;

    for id in ["expired", "revoked", "nobody"] {
        assert!(!fresh.replaced(id, &key("new", "new"), NOW + HOUR).await, "{id}");
    }
    assert!(!fresh.replaced("good", &key("expired", "three"), NOW + HOUR).await, "the successor's id is taken");
    assert_eq!(fresh.ends("good").await, None);
    assert_eq!(fresh.api_key("new").await, None);
}

async fn of_twenty_who_replace_one_key_at_once_one_does<S: Promised>(fresh: &Fresh<S>) {
    fresh.add_key_of(&key("old", "ci")).await;

    let replaced = at_once(20, |number| {
        let store = fresh.store.clone();
        async move { store.replace(&KeyId::new("old"), &key(&format!("new-{number}"), "ci"), at(NOW + HOUR), at(NOW)).await.unwrap() }
    })
    .await;

    assert_eq!(replaced.into_iter().filter(|replaced| *replaced).count(), 1);
    assert_eq!(ApiKeys::list(&fresh.store, None, 100).await.unwrap().len(), 2);
}

async fn keys_are_listed_in_pages<S: Promised>(fresh: &Fresh<S>) {
    for number in 0..5 {
        fresh.add_key_of(&key(&format!("key-{number}"), &format!("name-{number}"))).await;
    }
    fresh.revoke_key("key-3").await;

    let first = ApiKeys::list(&fresh.store, None, 3).await.unwrap();
    let rest = ApiKeys::list(&fresh.store, first.last().map(|key| &key.id), 3).await.unwrap();

    let ids: Vec<&str> = first.iter().chain(&rest).map(|key| key.id.as_str()).collect();
    assert_eq!(ids, ["key-0", "key-1", "key-2", "key-3", "key-4"]);
    assert_eq!(rest[0].revoked_at, Some(at(NOW)));
}

async fn revoking_writes_one_line_once<S: Promised>(fresh: &Fresh<S>) {
    fresh.add_key_of(&key("a", "ci")).await;

    let lines = fresh.revoke_key("a").await;

    let subject = Subject::Token(TokenId::new("a"));
    assert_eq!(lines, [Entry { number: 1, subject, expires_at: at(NOW + HOUR) }]);
    assert_eq!(fresh.revoke_key("a").await, []);
    assert_eq!(fresh.revoke_key("nobody").await, []);
    assert_eq!(fresh.api_key("a").await.unwrap().revoked_at, Some(at(NOW)));
    let (token, session, account) = (TokenId::new("a"), SessionId::new("a"), AccountId::new("a"));
    let ids = Ids { token: &token, session: &session, account: &account, revision: 0 };
    assert_eq!(fresh.store.revoked(ids, at(NOW)).await.unwrap(), Standing::Revoked);
}

async fn of_twenty_who_revoke_one_key_at_once_one_writes_the_line<S: Promised>(fresh: &Fresh<S>) {
    fresh.add_key_of(&key("a", "ci")).await;

    let lines = at_once(20, |_| {
        let store = fresh.store.clone();
        async move { store.commit(&Act::ApiKey(KeyId::new("a")), "", at(NOW), at(NOW + HOUR)).await.unwrap() }
    })
    .await;

    assert_eq!(lines.concat().len(), 1);
}

async fn a_use_is_kept_once_a_minute<S: Promised>(fresh: &Fresh<S>) {
    fresh.add_key_of(&key("a", "ci")).await;
    let used = async |millis: i64| fresh.store.used(&KeyId::new("a"), at(millis), at(millis - 60_000)).await.unwrap();

    assert!(used(NOW).await);
    assert!(!used(NOW + 59_999).await);
    assert!(used(NOW + 60_000).await);

    assert_eq!(fresh.api_key("a").await.unwrap().last_used_at, Some(at(NOW + 60_000)));
    assert!(!fresh.store.used(&KeyId::new("nobody"), at(NOW), at(NOW)).await.unwrap());
}

async fn a_use_never_goes_back<S: Promised>(fresh: &Fresh<S>) {
    fresh.add_key_of(&key("a", "ci")).await;
    fresh.store.used(&KeyId::new("a"), at(NOW), at(NOW)).await.unwrap();

    assert!(!fresh.store.used(&KeyId::new("a"), at(NOW - 1), at(NOW - 1)).await.unwrap());

    assert_eq!(fresh.api_key("a").await.unwrap().last_used_at, Some(at(NOW)));
}

async fn keys_that_were_over_long_ago_are_forgotten<S: Promised>(fresh: &Fresh<S>) {
    let expired = |id: &str, until: i64| ApiKey { expires_at: Some(at(until)), ..key(id, id) };
    for one in [key("lasting", "lasting"), expired("old", NOW - 1), expired("young", NOW), key("revoked", "revoked")] {
        assert!(fresh.add_key_of(&one).await);
    }
    assert_eq!(fresh.revoke_key("revoked").await.len(), 1);

    assert_eq!(ApiKeys::sweep(&fresh.store, at(NOW)).await.unwrap(), 1);
    assert!(fresh.api_key("old").await.is_none());
    assert_eq!(ApiKeys::sweep(&fresh.store, at(NOW + 1)).await.unwrap(), 2);
    assert!(fresh.api_key("lasting").await.is_some() && fresh.api_key("young").await.is_none());
}
