//! What [`Keys`] promises.

use doorward::token::{Algorithm, Keys, Purpose, StoredKey};

use super::{Fresh, HOUR, NOW, at, at_once, on_each_database};

on_each_database!(
    keys_are_listed_whole_and_oldest_first,
    the_next_key_gives_the_older_ones_of_its_purpose_an_end,
    of_twenty_who_add_the_same_generation_at_once_one_does,
    what_is_taken_changes_nothing,
    sweeping_deletes_keys_that_verify_no_more,
);

/// What this suite is about, and what it needs beside it.
pub(super) trait Promised: Keys + Clone + 'static {}

impl<S: Keys + Clone + 'static> Promised for S {}

fn key(kid: &str, purpose: Purpose, generation: i64) -> StoredKey {
    StoredKey {
        kid: kid.to_owned(),
        purpose,
        algorithm: Algorithm::EdDsa,
        generation,
        sealed: "sealed".repeat(500),
        public_jwk: Some(r#"{"kty":"OKP"}"#.to_owned()),
        created_at: at(NOW),
        signs_from: at(NOW + 5),
        verifies_until: None,
    }
}

impl<S: Promised> Fresh<S> {
    async fn add_key(&self, key: &StoredKey, others_until: i64) -> bool {
        Keys::add(&self.store, key, at(others_until)).await.unwrap()
    }

    async fn keys(&self) -> Vec<StoredKey> {
        Keys::list(&self.store).await.unwrap()
    }
}

async fn keys_are_listed_whole_and_oldest_first<S: Promised>(fresh: &Fresh<S>) {
    let hmac = StoredKey { algorithm: Algorithm::Hs256, public_jwk: None, ..key("a", Purpose::Access, 2) };
    let assertion = key("b", Purpose::Assertion, 1);
    assert_eq!(fresh.keys().await, Vec::new());

    assert!(fresh.add_key(&hmac, NOW).await);
    assert!(fresh.add_key(&assertion, NOW).await);

    assert_eq!(fresh.keys().await, vec![assertion, hmac]);
}

async fn the_next_key_gives_the_older_ones_of_its_purpose_an_end<S: Promised>(fresh: &Fresh<S>) {
    fresh.add_key(&key("a", Purpose::Access, 1), NOW).await;
    fresh.add_key(&key("other", Purpose::Assertion, 1), NOW).await;
    fresh.add_key(&key("b", Purpose::Access, 2), NOW + HOUR).await;
    fresh.add_key(&key("c", Purpose::Access, 3), NOW + 2 * HOUR).await;

    let ends: Vec<_> = fresh.keys().await.into_iter().map(|key| (key.kid, key.verifies_until)).collect();

    let expected = [("a", Some(at(NOW + HOUR))), ("other", None), ("b", Some(at(NOW + 2 * HOUR))), ("c", None)];
    assert_eq!(ends, expected.map(|(kid, end)| (kid.to_owned(), end)));
}

async fn of_twenty_who_add_the_same_generation_at_once_one_does<S: Promised>(fresh: &Fresh<S>) {
    fresh.add_key(&key("first", Purpose::Access, 1), NOW).await;

    let added = at_once(20, |number| {
        let store = fresh.store.clone();
        let until = at(NOW + i64::try_from(number).unwrap());
        async move { (number, Keys::add(&store, &key(&format!("kid-{number}"), Purpose::Access, 2), until).await.unwrap()) }
    })
    .await;

    let winners: Vec<usize> = added.into_iter().filter(|(_, won)| *won).map(|(number, _)| number).collect();
    assert_eq!(winners.len(), 1);
    let keys = fresh.keys().await;
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0].verifies_until, Some(at(NOW + i64::try_from(winners[0]).unwrap())), "the end that the one who won gave");
    assert_eq!(keys[1].kid, format!("kid-{}", winners[0]));
}

async fn what_is_taken_changes_nothing<S: Promised>(fresh: &Fresh<S>) {
    fresh.add_key(&key("a", Purpose::Access, 1), NOW).await;
    fresh.add_key(&key("b", Purpose::Access, 2), NOW + HOUR).await;
    let before = fresh.keys().await;

    assert!(!fresh.add_key(&key("c", Purpose::Access, 2), NOW + 2 * HOUR).await, "the generation is there");
    assert!(!fresh.add_key(&key("a", Purpose::Access, 3), NOW + 2 * HOUR).await, "the name is there");

    assert_eq!(fresh.keys().await, before);
    assert!(fresh.add_key(&key("A", Purpose::Access, 3), NOW + 2 * HOUR).await, "in another case it is another name");
}

async fn sweeping_deletes_keys_that_verify_no_more<S: Promised>(fresh: &Fresh<S>) {
    fresh.add_key(&key("a", Purpose::Access, 1), NOW).await;
    fresh.add_key(&key("b", Purpose::Access, 2), NOW + HOUR).await;
    let sweep = async |now: i64| Keys::sweep(&fresh.store, at(now)).await.unwrap();

    assert_eq!(sweep(NOW + HOUR - 1).await, 0);
    assert_eq!(sweep(NOW + HOUR).await, 1);
    assert_eq!(sweep(NOW + 1000 * HOUR).await, 0, "the newest has no end");
    assert_eq!(fresh.keys().await.len(), 1);
}
