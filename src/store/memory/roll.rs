//! Revocations in memory, by fingerprint: readers take no lock, and a line costs about 45 bytes.
//!
//! A table with open addressing, of atomics. There is one writer at a time; it fills a free place from the back (the line, the
//! second half of the fingerprint, then the first, which readers look at), changes the line of a place in one store, and frees
//! no place. A table that is full, or holds much that has expired, is written anew and swapped.
//!
//! In front of the table stands a filter (Bloom's, four bits in one word), of which a byte belongs to each place. Nearly all who
//! are asked for are not revoked, and nearly all of those end there: a million lines are 40 MB, their filter is 2 MB and stays in
//! a processor's cache.
//!
//! Names are not kept. A fingerprint is 127 bits of a hash (`SipHash` 1-3, under a key of this process that nobody outside
//! knows). Somebody who was not revoked would be refused if his token, session or account had the fingerprint of another: with
//! a million lines, at one request in 10^31. The other way round nothing can happen: what is revoked has its own fingerprint.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwap;

use super::shards::lock;
use crate::clock::Timestamp;
use crate::revocation::{Ids, Standing, Subject};

/// A table is not smaller.
const LEAST: usize = 1024;

/// What a line is about: with the name it makes the fingerprint, so that a name of one kind revokes nothing of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Kind {
    /// `jti`.
    Token,
    /// `sid`.
    Session,
    /// `sub`.
    Account,
}

impl Kind {
    pub(in crate::store) const fn of(subject: &Subject) -> Self {
        match subject {
            Subject::Token(_) => Self::Token,
            Subject::Session(_) => Self::Session,
            Subject::Account(..) => Self::Account,
        }
    }

    /// Its letter, in Redis too.
    pub(in crate::store) const fn letter(self) -> char {
        match self {
            Self::Token => 't',
            Self::Session => 's',
            Self::Account => 'a',
        }
    }
}

/// Which tokens, and until when: whole seconds since 1970, good until 2106.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct Line {
    /// Tokens of a lower revision; [`u32::MAX`] for all.
    below: u32,
    /// Rounded up.
    expires_at: u32,
}

impl Line {
    /// Whatever was issued, for ever: what stands for a line that cannot be read.
    pub(in crate::store) const ALL: Self = Self { below: u32::MAX, expires_at: u32::MAX };

    /// All that it names, until `expires_at`.
    pub(in crate::store) fn until(expires_at: Timestamp) -> Self {
        let up = expires_at.as_millis().saturating_add(999).div_euclid(1000);
        Self { below: u32::MAX, expires_at: capped(up) }
    }

    /// Only tokens of lower revisions.
    pub(in crate::store) fn below(self, revision: i64) -> Self {
        Self { below: capped(revision), ..self }
    }

    fn is_live(self, now: Timestamp) -> bool {
        Timestamp::from_secs(i64::from(self.expires_at)) > now
    }

    fn concerns(self, revision: i64, now: Timestamp) -> bool {
        self.is_live(now) && (self.below == u32::MAX || revision < i64::from(self.below))
    }

    fn and(self, other: Self) -> Self {
        Self { below: self.below.max(other.below), expires_at: self.expires_at.max(other.expires_at) }
    }

    fn packed(self) -> u64 {
        u64::from(self.below) << 32 | u64::from(self.expires_at)
    }

    fn unpacked(packed: u64) -> Self {
        let half = |bits: u64| u32::try_from(bits & u64::from(u32::MAX)).unwrap_or(u32::MAX);
        Self { below: half(packed >> 32), expires_at: half(packed) }
    }
}

fn capped(number: i64) -> u32 {
    u32::try_from(number.max(0)).unwrap_or(u32::MAX)
}

/// One place of the table: free while `first` is zero.
#[derive(Debug, Default)]
struct Place {
    first: AtomicU64,
    second: AtomicU64,
    line: AtomicU64,
}

#[derive(Debug)]
struct Table {
    places: Box<[Place]>,
    /// A word for each eight places.
    filter: Box<[AtomicU64]>,
}

/// Lines by the fingerprint of what they name.
#[derive(Debug)]
pub(in crate::store) struct Roll {
    key: RandomState,
    table: ArcSwap<Table>,
    /// One writer at a time; how many places are taken.
    taken: Mutex<usize>,
}

impl Default for Roll {
    fn default() -> Self {
        Self { key: RandomState::new(), table: ArcSwap::from_pointee(Table::with(LEAST)), taken: Mutex::new(0) }
    }
}

impl Roll {
    /// Is one of these revoked?
    pub(in crate::store) fn holds(&self, ids: Ids<'_>, now: Timestamp) -> Standing {
        let table = self.table.load();
        let names = [(Kind::Token, ids.token.as_str()), (Kind::Session, ids.session.as_str()), (Kind::Account, ids.account.as_str())];
        let firsts = names.map(|(kind, name)| self.half(0, kind, name));
        // None waits for another: where the filter is in no cache, the three are fetched at once.
        let may = firsts.map(|first| table.may_hold(first));
        if may == [false; 3] {
            return Standing::Good;
        }
        let [token, session, account] = std::array::from_fn(|at| {
            let (&(kind, name), &first) = (names.get(at)?, firsts.get(at)?);
            table.find(first, || self.half(1, kind, name)).filter(|line| line.concerns(ids.revision, now))
        });
        match (token.or(session), account) {
            (Some(_), _) => Standing::Revoked,
            (None, Some(_)) => Standing::Outdated,
            (None, None) => Standing::Good,
        }
    }

    /// Add lines; of two for one name the higher revision and the later end hold.
    pub(in crate::store) fn put<'a>(&self, lines: impl Iterator<Item = (Kind, &'a str, Line)>, now: Timestamp) {
        let mut taken = lock(&self.taken);
        let mut table = self.table.load_full();
        for (kind, name, line) in lines {
            if taken.saturating_mul(8) >= table.places.len().saturating_mul(5) {
                table = self.renew(&table, &mut taken, now);
            }
            *taken += usize::from(table.put(self.half(0, kind, name), self.half(1, kind, name), line));
        }
    }

    /// Forget lines that have expired, where they are an eighth of all.
    pub(in crate::store) fn sweep(&self, now: Timestamp) {
        let mut taken = lock(&self.taken);
        let table = self.table.load_full();
        let expired = table.lines().filter(|(_, _, line)| !line.is_live(now)).count();
        if expired > 0 && expired.saturating_mul(8) >= *taken {
            self.renew(&table, &mut taken, now);
        }
    }

    /// How many lines it holds, those included that have expired since the last sweep.
    pub(in crate::store) fn len(&self) -> usize {
        *lock(&self.taken)
    }

    /// How many bytes it takes.
    pub(in crate::store) fn bytes(&self) -> usize {
        self.table.load().places.len().saturating_mul(size_of::<Place>() + 1)
    }

    /// A table of twice the size of what is live.
    fn renew(&self, old: &Table, taken: &mut usize, now: Timestamp) -> Arc<Table> {
        let live = || old.lines().filter(|(_, _, line)| line.is_live(now));
        *taken = live().count();
        let new = Arc::new(Table::with(taken.saturating_mul(2).max(LEAST)));
        live().for_each(|(first, second, line)| {
            new.put(first, second, line);
        });
        self.table.store(Arc::clone(&new));
        new
    }

    /// One half of a fingerprint; the first is never zero.
    fn half(&self, which: u8, kind: Kind, name: &str) -> u64 {
        let mut hasher = self.key.build_hasher();
        hasher.write_u32(u32::from(kind.letter()) << 8 | u32::from(which));
        hasher.write(name.as_bytes());
        hasher.finish() | u64::from(which == 0)
    }
}

impl Table {
    fn with(places: usize) -> Self {
        let words = places.div_ceil(8);
        Self { places: (0..places).map(|_| Place::default()).collect(), filter: (0..words).map(|_| AtomicU64::new(0)).collect() }
    }

    /// What the filter says: false where it is not there.
    fn may_hold(&self, first: u64) -> bool {
        let bits = bits_of(first);
        self.word_of(first).is_none_or(|word| word.load(Ordering::Acquire) & bits == bits)
    }

    fn find(&self, first: u64, second: impl FnOnce() -> u64) -> Option<Line> {
        if !self.may_hold(first) {
            return None;
        }
        let mut wanted = None;
        let mut second = Some(second);
        for place in self.places_of(first) {
            let there = place.first.load(Ordering::Acquire);
            if there == 0 {
                return None;
            }
            if there == first {
                let wanted = *wanted.get_or_insert_with(|| second.take().map(|second| second()));
                if wanted == Some(place.second.load(Ordering::Relaxed)) {
                    return Some(Line::unpacked(place.line.load(Ordering::Relaxed)));
                }
            }
        }
        None
    }

    /// `true` when it took a new place. There is always a free one.
    fn put(&self, first: u64, second: u64, line: Line) -> bool {
        if let Some(word) = self.word_of(first) {
            word.fetch_or(bits_of(first), Ordering::Release);
        }
        for place in self.places_of(first) {
            let there = place.first.load(Ordering::Relaxed);
            if there == 0 {
                place.line.store(line.packed(), Ordering::Relaxed);
                place.second.store(second, Ordering::Relaxed);
                place.first.store(first, Ordering::Release);
                return true;
            }
            if there == first && place.second.load(Ordering::Relaxed) == second {
                let both = Line::unpacked(place.line.load(Ordering::Relaxed)).and(line);
                place.line.store(both.packed(), Ordering::Relaxed);
                return false;
            }
        }
        false
    }

    /// All places, from the one where it belongs.
    fn places_of(&self, first: u64) -> impl Iterator<Item = &Place> {
        let (before, after) = self.places.split_at_checked(share(first, self.places.len())).unwrap_or((&[], &self.places));
        after.iter().chain(before)
    }

    fn word_of(&self, first: u64) -> Option<&AtomicU64> {
        self.filter.get(share(first, self.filter.len()))
    }

    fn lines(&self) -> impl Iterator<Item = (u64, u64, Line)> {
        let taken = self.places.iter().filter(|place| place.first.load(Ordering::Relaxed) != 0);
        taken.map(|place| {
            let [first, second, line] = [&place.first, &place.second, &place.line].map(|part| part.load(Ordering::Relaxed));
            (first, second, Line::unpacked(line))
        })
    }
}

/// Where a fingerprint belongs among so many, by its highest bits.
fn share(first: u64, length: usize) -> usize {
    let length = u64::try_from(length).unwrap_or(0);
    usize::try_from((u128::from(first) * u128::from(length)) >> 64).unwrap_or(0)
}

/// Its bits in its word of the filter, by its lowest bits but the one that is always set.
fn bits_of(first: u64) -> u64 {
    [1, 7, 13, 19].into_iter().fold(0, |bits, shift| bits | 1 << ((first >> shift) & 63))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::id::{AccountId, SessionId, TokenId};

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
    const HOUR: std::time::Duration = std::time::Duration::from_secs(3600);

    fn put(roll: &Roll, names: impl Iterator<Item = String>, expires_at: Timestamp) {
        let names: Vec<String> = names.collect();
        roll.put(names.iter().map(|name| (Kind::Session, name.as_str(), Line::until(expires_at))), NOW);
    }

    fn holds(roll: &Roll, session: &str) -> bool {
        let (token, session, account) = (TokenId::new("t"), SessionId::new(session), AccountId::new("a"));
        roll.holds(Ids { token: &token, session: &session, account: &account, revision: 0 }, NOW) != Standing::Good
    }

    #[test]
    fn all_that_is_put_is_held_and_nothing_else_however_much_it_grows() {
        let roll = Roll::default();
        for page in 0..50 {
            put(&roll, (page * 1000..(page + 1) * 1000).map(|number| format!("s{number}")), NOW.plus(HOUR));
        }
        assert_eq!(roll.len(), 50_000);
        assert!((0..50_000).all(|number| holds(&roll, &format!("s{number}"))));
        assert!((50_000..150_000).all(|number| !holds(&roll, &format!("s{number}"))));
        assert!(roll.bytes() < 50_000 * 60, "{}", roll.bytes());
    }

    #[test]
    fn a_line_that_is_put_twice_is_one() {
        let roll = Roll::default();
        put(&roll, ["s", "s", "t"].into_iter().map(str::to_owned), NOW.plus(HOUR));
        assert_eq!(roll.len(), 2);
    }

    #[test]
    fn what_has_expired_leaves_and_what_has_not_stays() {
        let roll = Roll::default();
        put(&roll, (0..10_000).map(|number| format!("old{number}")), NOW.plus(HOUR));
        put(&roll, (0..10_000).map(|number| format!("new{number}")), NOW.plus(HOUR * 2));
        let before = roll.bytes();
        roll.sweep(NOW.plus(HOUR).minus(std::time::Duration::from_millis(1)));
        assert_eq!((roll.len(), roll.bytes()), (20_000, before));
        roll.sweep(NOW.plus(HOUR));
        assert_eq!(roll.len(), 10_000);
        assert!(roll.bytes() < before);
        assert!((0..10_000).all(|number| holds(&roll, &format!("new{number}"))));
    }

    #[test]
    fn a_reader_misses_nothing_while_the_table_grows() {
        let roll = Roll::default();
        put(&roll, (0..100).map(|number| format!("s{number}")), NOW.plus(HOUR));
        let is_over = AtomicBool::new(false);
        std::thread::scope(|threads| {
            let reader = threads.spawn(|| {
                let mut rounds = 0_u32;
                while !is_over.load(Ordering::Relaxed) {
                    assert!((0..100).all(|number| holds(&roll, &format!("s{number}"))));
                    rounds += 1;
                }
                rounds
            });
            for number in 0..200 {
                put(&roll, (0..100).map(|line| format!("more{number}-{line}")), if number % 2 == 0 { NOW } else { NOW.plus(HOUR) });
                roll.sweep(NOW);
            }
            is_over.store(true, Ordering::Relaxed);
            assert!(reader.join().unwrap() > 0);
        });
    }
}
