//! The index of revocations in this process.
//!
//! Readers take no lock that all workers share: the marker is swapped, the lines are in [`Shards`]. A reader looks at the
//! marker *before* the lines, a writer moves it *after* them, so a reader that sees the marker *n* finds all lines up to *n*.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use async_trait::async_trait;

use super::shards::{self, Shards};
use crate::clock::Timestamp;
use crate::outage::Outage;
use crate::revocation::{Answer, Entry, Feed, Head, Ids, Index, Lines, Source, Subject};

/// Between two sweeps of what has expired.
const SWEEP: Duration = Duration::from_mins(1);

/// All tokens issued before a moment.
#[derive(Debug, Clone, Copy)]
struct Before {
    moment: Timestamp,
    expires_at: Timestamp,
}

/// The index of revocations in this process.
#[derive(Debug, Default)]
pub struct MemoryIndex {
    marker: ArcSwapOption<Head>,
    tokens: Shards<Timestamp>,
    sessions: Shards<Timestamp>,
    accounts: Shards<Before>,
    /// One writer at a time; when it swept last.
    writer: Mutex<Timestamp>,
}

impl MemoryIndex {
    /// An empty one, without a marker.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many lines it holds.
    pub fn len(&self) -> usize {
        self.tokens.len() + self.sessions.len() + self.accounts.len()
    }

    /// Does it hold none?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn marker_of(&self, ledger: &str) -> Option<i64> {
        self.marker.load().as_ref().filter(|head| head.ledger == ledger).map(|head| head.number)
    }

    fn holds(&self, ids: Ids<'_>, now: Timestamp) -> bool {
        let live = |expires_at: Timestamp| expires_at > now;
        self.tokens.find(ids.token.as_str()).is_some_and(live)
            || self.sessions.find(ids.session.as_str()).is_some_and(live)
            || self.accounts.find(ids.account.as_str()).is_some_and(|it| live(it.expires_at) && ids.issued_at < it.moment.as_secs())
    }

    fn put(&self, entry: &Entry) {
        let expires_at = entry.expires_at;
        let later = |old: Option<Timestamp>| old.map_or(expires_at, |old| old.max(expires_at));
        match &entry.subject {
            Subject::Token(id) => self.tokens.put(id.as_str(), later),
            Subject::Session(id) => self.sessions.put(id.as_str(), later),
            Subject::Account(id, moment) => self.accounts.put(id.as_str(), |old| Before {
                moment: old.map_or(*moment, |old| old.moment.max(*moment)),
                expires_at: later(old.map(|old| old.expires_at)),
            }),
        }
    }

    fn move_up(&self, lines: Lines<'_>) -> bool {
        let marker = self.marker_of(lines.ledger);
        if marker >= Some(lines.upto) {
            return true;
        }
        let is_joined = lines.after == 0 || marker >= Some(lines.after);
        if is_joined {
            self.marker.store(Some(Arc::new(Head { ledger: lines.ledger.to_owned(), number: lines.upto })));
        }
        is_joined
    }

    fn sweep(&self, now: Timestamp) {
        self.tokens.retain(|expires_at| *expires_at > now);
        self.sessions.retain(|expires_at| *expires_at > now);
        self.accounts.retain(|it| it.expires_at > now);
    }
}

#[async_trait]
impl Index for MemoryIndex {
    async fn ask(&self, ids: Ids<'_>, ledger: &str, now: Timestamp) -> Result<Answer, Outage> {
        let marker = self.marker_of(ledger);
        Ok(if self.holds(ids, now) { Answer::Revoked } else { Answer::Clear(marker) })
    }

    async fn write(&self, lines: Lines<'_>, now: Timestamp) -> Result<bool, Outage> {
        let mut swept = shards::lock(&self.writer);
        lines.entries.iter().filter(|entry| entry.expires_at > now).for_each(|entry| self.put(entry));
        let is_covered = self.move_up(lines);
        if now.since(*swept) >= SWEEP {
            *swept = now;
            self.sweep(now);
        }
        Ok(is_covered)
    }

    async fn marker(&self, ledger: &str) -> Result<Option<i64>, Outage> {
        Ok(self.marker_of(ledger))
    }

    async fn forget(&self, ledger: &str, marker: i64) -> Result<(), Outage> {
        let _writer = shards::lock(&self.writer);
        if self.marker_of(ledger) == Some(marker) {
            self.marker.store(None);
        }
        Ok(())
    }

    fn feed(&self) -> Feed {
        Feed::Own
    }

    fn source(&self) -> Source {
        Source::Memory
    }

    fn is_whole(&self) -> bool {
        true
    }
}
