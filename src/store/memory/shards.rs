//! A map in pieces, so that workers rarely meet at one lock and a sweep holds none for long.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

/// One piece, and this many others.
const OTHERS: usize = 63;

type Piece<V> = RwLock<HashMap<Box<str>, V>>;

/// A map of text in pieces.
#[derive(Debug)]
pub(super) struct Shards<V> {
    hasher: RandomState,
    first: Piece<V>,
    others: Vec<Piece<V>>,
}

impl<V> Default for Shards<V> {
    fn default() -> Self {
        Self { hasher: RandomState::new(), first: Piece::default(), others: (0..OTHERS).map(|_| Piece::default()).collect() }
    }
}

impl<V: Copy> Shards<V> {
    /// The value of `key`.
    pub(super) fn find(&self, key: &str) -> Option<V> {
        let piece = self.piece(key).read().unwrap_or_else(PoisonError::into_inner);
        piece.get(key).copied()
    }

    /// Change the value of `key` and return what `change` says besides. A new key in a map of `capacity` drives out one of its
    /// piece: the one that is least in `order`.
    pub(super) fn change<O: Ord, T>(
        &self,
        key: &str,
        capacity: usize,
        order: impl Fn(&V) -> O,
        change: impl FnOnce(Option<V>) -> (V, T),
    ) -> T {
        let mut piece = self.piece(key).write().unwrap_or_else(PoisonError::into_inner);
        let old = piece.get(key).copied();
        if old.is_none() && piece.len() >= capacity / (OTHERS + 1) {
            let least = piece.iter().min_by_key(|(_, value)| order(value)).map(|(key, _)| key.clone());
            least.and_then(|key| piece.remove(&key));
        }
        let (value, said) = change(old);
        piece.insert(key.into(), value);
        said
    }

    /// Keep only what `keep` says, one piece after the other.
    pub(super) fn retain(&self, keep: impl Fn(&V) -> bool) {
        for piece in self.pieces() {
            let mut piece = piece.write().unwrap_or_else(PoisonError::into_inner);
            piece.retain(|_, value| keep(value));
            let left = piece.len();
            piece.shrink_to(left.saturating_mul(2));
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.pieces().map(|piece| piece.read().unwrap_or_else(PoisonError::into_inner).len()).sum()
    }

    fn pieces(&self) -> impl Iterator<Item = &Piece<V>> {
        std::iter::once(&self.first).chain(&self.others)
    }

    fn piece(&self, key: &str) -> &Piece<V> {
        let hash = usize::try_from(self.hasher.hash_one(key) >> 32).unwrap_or(0);
        self.others.get(hash % (OTHERS + 1)).unwrap_or(&self.first)
    }
}

/// A lock whose data are whole between any two statements: a panic elsewhere does not make them unusable.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
