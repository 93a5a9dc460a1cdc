//! A map in pieces, so that workers rarely meet at one lock and a sweep holds none for long.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

const SHARDS: usize = 64;

/// A map of text in pieces.
#[derive(Debug)]
pub(super) struct Shards<V> {
    hasher: RandomState,
    shards: Vec<RwLock<HashMap<Box<str>, V>>>,
}

impl<V> Default for Shards<V> {
    fn default() -> Self {
        Self { hasher: RandomState::new(), shards: (0..SHARDS).map(|_| RwLock::default()).collect() }
    }
}

impl<V: Copy> Shards<V> {
    /// The value of `key`.
    pub(super) fn find(&self, key: &str) -> Option<V> {
        let shard = self.shard(key)?.read().unwrap_or_else(PoisonError::into_inner);
        shard.get(key).copied()
    }

    /// Change the value of `key`, seeing the one that was there.
    pub(super) fn put(&self, key: &str, value: impl FnOnce(Option<V>) -> V) {
        let Some(shard) = self.shard(key) else { return };
        let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
        let value = value(shard.get(key).copied());
        shard.insert(key.into(), value);
    }

    /// Keep only what `keep` says, one piece after the other.
    pub(super) fn retain(&self, keep: impl Fn(&V) -> bool) {
        for shard in &self.shards {
            let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
            shard.retain(|_, value| keep(value));
            let left = shard.len();
            shard.shrink_to(left.saturating_mul(2));
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.read().unwrap_or_else(PoisonError::into_inner).len()).sum()
    }

    fn shard(&self, key: &str) -> Option<&RwLock<HashMap<Box<str>, V>>> {
        let hash = usize::try_from(self.hasher.hash_one(key) >> 32).unwrap_or(0);
        self.shards.get(hash % SHARDS)
    }
}

/// A lock whose data are whole between any two statements: a panic elsewhere does not make them unusable.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
