//! Tokens that were believed before: the same bytes, under the same keys, say the same again.
//!
//! Apart from the check, because it must be held to one rule: whatever it gives back, the check would give back at this moment.
//! So an entry is found by a hash of the whole token (a stolen signature under another payload is another token) and by the
//! generation of the keys, and holds no longer than the token and its key. What is forged under these keys stays so, and is kept
//! apart: who makes many takes no place from those that are believed. Whether the session has ended is asked on every
//! request all the same: nothing of that is here.

use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;

use aws_lc_rs::digest;
use quick_cache::UnitWeighter;
use quick_cache::sync::{Cache, DefaultLifecycle};

use crate::clock::Timestamp;
use crate::token::check::{Invalid, Verifier};
use crate::token::claims::Claims;

/// How many tokens are kept: a node with more of them in use checks some anew.
pub const KEPT: usize = 32 * 1024;

/// How many forged ones are: what a client goes on showing that was refused is refused at once.
const REFUSED: usize = 1024;

/// Wants to know how well it works: metrics.
pub trait Lookups: Send + Sync {
    /// A token was known, or not.
    fn looked_up(&self, is_known: bool);
}

/// Believes access tokens, and remembers them.
pub struct Remembering {
    verifier: Verifier,
    kept: Kept<Belief>,
    /// Their signature is not that of their key, and never will be.
    forged: Kept<()>,
    lookups: Arc<dyn Lookups>,
}

type Kept<V> = Cache<Mark, V, UnitWeighter, AsItIs, DefaultLifecycle<Mark, V>>;

impl Remembering {
    /// What `verifier` believes; nothing is remembered yet.
    pub fn new(verifier: Verifier, lookups: Arc<dyn Lookups>) -> Self {
        Self::of_at_most(KEPT, verifier, lookups)
    }

    fn of_at_most(most: usize, verifier: Verifier, lookups: Arc<dyn Lookups>) -> Self {
        Self { verifier, kept: kept(most), forged: kept(REFUSED), lookups }
    }

    /// What `token` says, if it is to be believed at `now`. Those who present one token are given one object.
    pub fn check(&self, token: &str, now: Timestamp) -> Result<Arc<Claims>, Invalid> {
        // The generation before the check: keys that are replaced meanwhile make the entry useless, never wrong.
        let mark = Mark::of(token, self.verifier.generation());
        let known = self.kept.get(&mark).filter(|belief| belief.holds(now));
        self.lookups.looked_up(known.is_some());
        match known {
            Some(belief) => Ok(belief.claims),
            None if self.forged.get(&mark).is_some() => Err(Invalid::Forged),
            None => self.check_anew(token, mark, now),
        }
    }

    /// Does `token` say that it is ours, whether or not it is to be believed?
    pub fn names_us(&self, token: &str) -> bool {
        // One that was believed is.
        self.kept.peek(&Mark::of(token, self.verifier.generation())).is_some() || self.verifier.names_us(token)
    }

    /// How many are remembered.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// None at all?
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    fn check_anew(&self, token: &str, mark: Mark, now: Timestamp) -> Result<Arc<Claims>, Invalid> {
        let belief = self.verifier.believe_for_a_while(token, now).inspect_err(|invalid| {
            if *invalid == Invalid::Forged {
                self.forged.insert(mark, ());
            }
        })?;
        let claims = Arc::clone(&belief.claims);
        self.kept.insert(mark, belief);
        Ok(claims)
    }
}

/// What a token says, and when that can be believed.
#[derive(Debug, Clone)]
pub(super) struct Belief {
    pub(super) claims: Arc<Claims>,
    /// From this second on.
    pub(super) from: i64,
    /// Not from this second on.
    pub(super) until: i64,
    /// Its key verifies no longer.
    pub(super) key_until: Option<Timestamp>,
}

impl Belief {
    fn holds(&self, now: Timestamp) -> bool {
        (self.from..self.until).contains(&now.as_secs()) && self.key_until.is_none_or(|until| until > now)
    }
}

/// Which token, under which keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mark {
    /// SHA-256 of all of it.
    token: [u8; 32],
    generation: u64,
}

impl Mark {
    fn of(token: &str, generation: u64) -> Self {
        let whole = digest::digest(&digest::SHA256, token.as_bytes());
        // It is 32 bytes long; were it not, all tokens would be as unknown as the first.
        let token = whole.as_ref().first_chunk().copied().unwrap_or_default();
        Self { token, generation }
    }
}

impl Hash for Mark {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let first = self.token.first_chunk().copied().unwrap_or_default();
        state.write_u64(u64::from_ne_bytes(first) ^ self.generation);
    }
}

/// A part of a hash is a hash: nobody chooses its bits.
#[derive(Debug, Clone, Copy, Default)]
struct AsItIs;

#[derive(Debug, Default)]
struct Bits(u64);

impl BuildHasher for AsItIs {
    type Hasher = Bits;

    fn build_hasher(&self) -> Bits {
        Bits::default()
    }
}

impl Hasher for Bits {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, bits: u64) {
        self.0 = bits;
    }
}

fn kept<V: Clone>(most: usize) -> Kept<V> {
    let weight = u64::try_from(most).unwrap_or(u64::MAX);
    Cache::with(most, weight, UnitWeighter, AsItIs, DefaultLifecycle::default())
}

#[cfg(test)]
mod tests;
