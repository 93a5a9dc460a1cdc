//! The index of revocations in this process.
//!
//! Readers take no lock: the marker is swapped, the lines are in a [`Roll`]. A reader looks at the marker *before* the lines,
//! a writer moves it *after* them, so a reader that sees the marker *n* finds all lines up to *n*.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use async_trait::async_trait;

use super::roll::{Kind, Line, Roll};
use super::shards;
use crate::clock::Timestamp;
use crate::outage::Outage;
use crate::revocation::{Answer, Entry, Feed, Head, Ids, Index, Lines, Near, Source, Standing, Subject};

/// Between two sweeps of what has expired.
const SWEEP: Duration = Duration::from_mins(1);

/// The index of revocations in this process.
#[derive(Debug, Default)]
pub struct MemoryIndex {
    marker: ArcSwapOption<Head>,
    roll: Roll,
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
        self.roll.len()
    }

    /// Does it hold none?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes its lines take.
    pub fn bytes(&self) -> usize {
        self.roll.bytes()
    }

    /// What it says.
    pub(in crate::store) fn look(&self, ids: Ids<'_>, ledger: &str, now: Timestamp) -> Answer {
        let marker = self.marker_of(ledger);
        match self.roll.holds(ids, now) {
            Standing::Revoked => Answer::Revoked,
            Standing::Outdated => Answer::Outdated,
            Standing::Good => Answer::Clear(marker),
        }
    }

    /// Add lines that are live, whatever the clock of this node says.
    pub(in crate::store) fn hold<'a>(&self, lines: impl Iterator<Item = (Kind, &'a str, Line)>, now: Timestamp) {
        self.roll.put(lines, now);
    }

    /// All live lines of this ledger up to here are held: move the marker up, or set it, where it was another ledger's.
    pub(in crate::store) fn raise(&self, head: &Head) {
        let _writer = shards::lock(&self.writer);
        if self.marker_of(&head.ledger).is_none_or(|number| number < head.number) {
            self.marker.store(Some(Arc::new(head.clone())));
        }
    }

    /// Forget how far it has come. Lines stay.
    pub(in crate::store) fn begin_again(&self) {
        let _writer = shards::lock(&self.writer);
        self.marker.store(None);
    }

    /// Add lines of the ledger, and move the marker: as [`Index::write`].
    pub(in crate::store) fn add(&self, lines: Lines<'_>, now: Timestamp) -> bool {
        let mut swept = shards::lock(&self.writer);
        self.roll.put(lines.entries.iter().filter(|entry| entry.expires_at > now).map(line), now);
        if now.since(*swept) >= SWEEP {
            *swept = now;
            self.roll.sweep(now);
        }
        self.move_up(lines)
    }

    fn marker_of(&self, ledger: &str) -> Option<i64> {
        self.marker.load().as_ref().filter(|head| head.ledger == ledger).map(|head| head.number)
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
}

fn line(entry: &Entry) -> (Kind, &str, Line) {
    let line = Line::until(entry.expires_at);
    let line = match &entry.subject {
        Subject::Token(_) | Subject::Session(_) => line,
        Subject::Account(_, revision) => line.below(*revision),
    };
    (Kind::of(&entry.subject), entry.subject.name(), line)
}

#[async_trait]
impl Index for MemoryIndex {
    async fn ask(&self, ids: Ids<'_>, ledger: &str, now: Timestamp) -> Result<Answer, Outage> {
        Ok(self.look(ids, ledger, now))
    }

    async fn write(&self, lines: Lines<'_>, now: Timestamp) -> Result<bool, Outage> {
        Ok(self.add(lines, now))
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

    fn era(&self) -> Option<u64> {
        Some(0)
    }

    fn near(&self) -> Option<&dyn Near> {
        Some(self)
    }
}

impl Near for MemoryIndex {
    fn glance(&self, ids: Ids<'_>, ledger: &str, now: Timestamp, _at: Instant) -> Option<(Answer, Feed)> {
        Some((self.look(ids, ledger, now), Feed::Own))
    }

    fn sweep(&self, now: Timestamp) {
        self.roll.sweep(now);
    }

    fn source(&self) -> Source {
        Source::Memory
    }
}
