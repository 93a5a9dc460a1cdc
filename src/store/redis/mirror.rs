//! The mirror: the index in Redis, copied into this process, so that a request asks nobody.
//!
//! Its "no" is believed while two things are proven; else Redis is asked, as if there were no mirror.
//!
//! 1. **It is young.** A [`super::Follower`] keeps it, and gives the [`Proof`] of a moment: all that was acknowledged before it
//!    is in the mirror ([`super::beat`] says why). The moment lies back less than `max_staleness`.
//! 2. **It covers the ledger.** Its marker has come as far as the newest number that this node knows of, from a look at the
//!    ledger that began less than `max_staleness` ago, and after the connection was opened: [`crate::revocation::check`], in
//!    the same words as for Redis itself.
//!
//! The marker says that every live line of the ledger up to it is in this memory, and moves by one of two ways: the follower
//! read it in Redis, where it has no holes, and has all that was written before; or this node wrote the lines itself. Lines
//! are only added, and leave when they expire. So "revoked" is believed always.
//!
//! # What is promised
//!
//! *On the node that revokes*: from the moment that it answers. The lines are in its mirror before they are in Redis.
//!
//! *On every other node*: `max_staleness` after that answer, at the latest, whatever fails; a millisecond after it, as long as
//! nothing does.
//!
//! - Redis took the line, and this node hears Redis: it comes with the next push. If the node hears nothing any more (Redis
//!   stands still, the network is cut, the connection was killed or overflowed), the last proof is from before, and is used up
//!   after `max_staleness`.
//! - Redis took the line and lost it before it was read here. *Emptied*: Redis says so on this connection, before the next
//!   beat is answered; and the marker, which every read brings along, is gone or has gone back. *Restarted, failed over*: the
//!   connection is a new one. Either way nothing is believed before a look at the ledger that began afterwards, and that one
//!   knows the number.
//! - Redis did not take the line: whoever revoked held back the answer until every look at the ledger that is still used is
//!   newer than the commit ([`crate::revocation::revoke`]); the marker here has not come as far, and the mirror is not asked.
//! - Two servers take themselves for the Redis, and this node follows the wrong one: its proofs are good and worth nothing, but
//!   the second condition holds it to the ledger, within `max_staleness`.
//! - A machine slept, or its clock was set: the age is taken by two clocks, the older counts. A clock that was set back may
//!   have forgotten what had not expired: the follower starts over.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::sync::watch;

use super::beat::Beat;
use super::index::RedisIndex;
use super::link::Redis;
use super::proof::Proof;
use crate::clock::Timestamp;
use crate::outage::Outage;
use crate::revocation::{Answer, Feed, Head, Ids, Index, Lines, Near, Source};
use crate::store::memory::MemoryIndex;

/// The index in Redis, and its copy.
#[derive(Debug)]
pub struct Mirror {
    pub(super) redis: Arc<Redis>,
    pub(super) strict: RedisIndex,
    pub(super) memory: MemoryIndex,
    proof: Proof,
    max_staleness: Duration,
    /// How far the follower has come; `None` while it has not.
    reached: watch::Sender<Option<Head>>,
}

impl Mirror {
    /// The mirror of the index in `redis`. It holds nothing, and Redis is asked, until a [`super::Follower`] keeps it.
    pub fn new(redis: Arc<Redis>, max_staleness: Duration) -> Arc<Self> {
        Arc::new(Self {
            strict: RedisIndex::new(Arc::clone(&redis)),
            redis,
            memory: MemoryIndex::new(),
            proof: Proof::new(),
            max_staleness,
            reached: watch::Sender::new(None),
        })
    }

    /// How old it may be at most.
    pub const fn max_staleness(&self) -> Duration {
        self.max_staleness
    }

    /// How many lines it holds.
    pub fn len(&self) -> usize {
        self.memory.len()
    }

    /// Does it hold none?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many bytes its lines take.
    pub fn bytes(&self) -> usize {
        self.memory.bytes()
    }

    /// Does a follower keep it, as far as is known?
    pub fn is_kept(&self) -> bool {
        self.reached.borrow().is_some()
    }

    /// The follower has a new connection.
    pub(super) fn begin(&self) {
        self.proof.begin(Instant::now());
        self.memory.begin_again();
    }

    /// What the follower heard makes it doubt everything.
    pub(super) fn doubt(&self) {
        self.proof.end();
        self.memory.begin_again();
    }

    /// All that was written before this beat is here, and so are all lines up to its marker.
    pub(super) fn proven(&self, beat: &Beat) {
        let Some(head) = &beat.marker else { return };
        self.memory.raise(head);
        self.proof.give(beat.at, beat.now);
        let was_kept = self.is_kept();
        self.reached.send_if_modified(|reached| {
            let is_news = reached.as_ref() != Some(head);
            if is_news {
                *reached = Some(head.clone());
            }
            is_news
        });
        if !was_kept {
            tracing::info!(lines = self.len(), "The mirror of revocations is whole, with {} lines.", self.len());
        }
    }

    /// It is not kept any more. Said once.
    pub(super) fn is_stale(&self, cause: &str) {
        if self.reached.send_replace(None).is_some() {
            tracing::warn!("The mirror of revocations is not kept up: {cause}. Redis is asked on every request until it is whole again.");
        }
    }
}

#[async_trait]
impl Index for Mirror {
    async fn ask(&self, ids: Ids<'_>, ledger: &str, now: Timestamp) -> Result<Answer, Outage> {
        self.strict.ask(ids, ledger, now).await
    }

    /// Into the memory first: whatever becomes of Redis, this node refuses from here on.
    async fn write(&self, lines: Lines<'_>, now: Timestamp) -> Result<bool, Outage> {
        self.memory.add(lines, now);
        self.strict.write(lines, now).await
    }

    async fn marker(&self, ledger: &str) -> Result<Option<i64>, Outage> {
        self.strict.marker(ledger).await
    }

    async fn forget(&self, ledger: &str, marker: i64) -> Result<(), Outage> {
        self.memory.begin_again();
        self.strict.forget(ledger, marker).await
    }

    fn feed(&self) -> Feed {
        self.strict.feed()
    }

    fn source(&self) -> Source {
        self.strict.source()
    }

    fn era(&self) -> Option<u64> {
        self.strict.era()
    }

    fn near(&self) -> Option<&dyn Near> {
        Some(self)
    }

    async fn spread(&self, ledger: &str, number: i64) {
        let is_there = |reached: &Option<Head>| reached.as_ref().is_none_or(|head| head.ledger == ledger && head.number >= number);
        // It fails when the mirror is gone, and then nobody waits.
        drop(self.reached.subscribe().wait_for(is_there).await);
    }
}

impl Near for Mirror {
    fn glance(&self, ids: Ids<'_>, ledger: &str, now: Timestamp, at: Instant) -> Option<(Answer, Feed)> {
        let is_young = self.proof.is_fresh(now, at, self.max_staleness);
        let feed = Feed::Shared { since: self.proof.since() };
        let answer = self.memory.look(ids, ledger, now);
        (is_young || matches!(answer, Answer::Revoked | Answer::Outdated)).then_some((answer, feed))
    }

    fn sweep(&self, now: Timestamp) {
        self.memory.sweep(now);
    }

    fn source(&self) -> Source {
        Source::Mirror
    }
}
