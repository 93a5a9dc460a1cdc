//! Keeps what this node knows of the ledger new, and repairs the index: after a flush, a restart, a hole, another node's
//! commits. One task, in the runtime of the ledger's connections.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::clock::{Clock, Timestamp};
use crate::outage::Outage;
use crate::revocation::index::Lines;
use crate::revocation::ledger::Head;
use crate::revocation::{Revocations, Seen};

/// Lines in one step of a repair.
const PAGE: u32 = 500;

/// Between two looks, also when every request wakes us.
const BREATH: Duration = Duration::from_millis(20);

/// Between two sweeps of the ledger, and of what is in memory.
const SWEEP: Duration = Duration::from_mins(10);

/// The ledger keeps lines for so long after they have expired: a node whose clock is ahead must not sweep what others still need.
const SPARE: Duration = Duration::from_hours(24);

/// What a look at the index found, or did.
enum Looked {
    /// It covered the ledger.
    Covered,
    /// It does now.
    Repaired,
    /// It does not, or nobody can say.
    Behind,
}

/// The running task; it ends when this is dropped.
#[derive(Debug)]
pub struct Watch(JoinHandle<()>);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Revocations {
    /// Begin to look at the ledger, now and every [`Pace::poll`](super::Pace).
    pub fn watch(self: &Arc<Self>, clock: Arc<dyn Clock>) -> Watch {
        let this = Arc::clone(self);
        Watch(self.parts.slow.spawn(async move { this.keep_watch(clock.as_ref()).await }))
    }

    /// Beside one another: sweeping takes its time, and a head must not be looked for later because of it.
    async fn keep_watch(&self, clock: &dyn Clock) {
        tokio::join!(self.keep_looking(clock), self.keep_sweeping(clock));
    }

    async fn keep_sweeping(&self, clock: &dyn Clock) {
        loop {
            self.sweep(clock.now()).await;
            sleep(SWEEP).await;
        }
    }

    async fn keep_looking(&self, clock: &dyn Clock) {
        let mut covered = Instant::now();
        loop {
            match self.look(clock.now()).await {
                Looked::Covered => covered = Instant::now(),
                Looked::Repaired => {
                    self.parts.observer.lag(covered.elapsed());
                    covered = Instant::now();
                }
                Looked::Behind => (),
            }
            sleep(BREATH).await;
            drop(timeout(self.parts.pace.poll.saturating_sub(BREATH), self.wake.notified()).await);
        }
    }

    /// One look at the ledger and the index.
    ///
    /// The marker is read *before* the head: a marker that is larger all the same belongs to a ledger that was set back.
    async fn look(&self, now: Timestamp) -> Looked {
        let before = self.known.keep();
        let era = self.parts.index.era();
        let marker = match &before.head {
            Some(head) => self.parts.index.marker(&head.ledger).await,
            None => Ok(None),
        };
        let polled = self.poll(before.head.as_ref()).await;
        let Some(head) = polled else {
            if let (Ok(marker), Some(era)) = (&marker, era) {
                *self.seen() = if self.suffices(*marker) { Seen::WholeIn(era) } else { Seen::Lacking };
            }
            return Looked::Behind;
        };
        // One that is a little behind lacks nothing: other nodes commit before they write to it.
        if before.head.is_some() && matches!(marker, Ok(None)) {
            *self.seen() = Seen::Lacking;
        }
        if before.head.as_ref().is_none_or(|before| before.ledger != head.ledger) {
            self.wake.notify_one();
            return Looked::Behind;
        }
        let looked = match marker {
            Ok(marker) => self.bring_up(&head, marker, now).await,
            Err(outage) => Err(outage),
        };
        if let (Ok(Looked::Covered | Looked::Repaired), Some(era)) = (&looked, era) {
            *self.seen() = Seen::WholeIn(era);
        }
        looked.unwrap_or_else(|outage| {
            tracing::debug!("The index was not brought up to the ledger: {outage}.");
            Looked::Behind
        })
    }

    /// Ask the ledger how far it has come, and remember when that was.
    async fn poll(&self, before: Option<&Head>) -> Option<Head> {
        let began = Instant::now();
        let answer = timeout(self.parts.pace.patience, self.parts.ledger.head()).await;
        let was_out = self.known.look().is_out();
        let outage = match answer {
            Ok(Ok(head)) => {
                self.known.polled(&head, before, began);
                if was_out {
                    tracing::info!("The ledger of revocations can be read again.");
                }
                return Some(head);
            }
            Ok(Err(outage)) => outage,
            Err(late) => Outage::store(late),
        };
        self.known.failed();
        if !was_out {
            tracing::warn!("The ledger of revocations cannot be read: {outage}.");
        }
        None
    }

    async fn bring_up(&self, head: &Head, marker: Option<i64>, now: Timestamp) -> Result<Looked, Outage> {
        if marker == Some(head.number) {
            self.reached.send_replace(head.number);
            return Ok(Looked::Covered);
        }
        let marker = match marker {
            Some(number) if number > head.number => {
                tracing::warn!("The index has seen line {number}, the ledger ends with {}: it was set back. Starting over.", head.number);
                // Numbers are given out anew: what was reached says nothing of the lines to come.
                self.reached.send_replace(0);
                self.parts.index.forget(&head.ledger, number).await?;
                None
            }
            other => other,
        };
        if self.repair(head, marker, now).await? {
            self.reached.send_replace(head.number);
            return Ok(Looked::Repaired);
        }
        // It was emptied again meanwhile, or others are repairing it too.
        self.wake.notify_one();
        Ok(Looked::Behind)
    }

    /// Write what the index lacks, page by page; each page moves the marker, so that an interrupted repair goes on there.
    async fn repair(&self, head: &Head, marker: Option<i64>, now: Timestamp) -> Result<bool, Outage> {
        let mut after = marker.unwrap_or(0);
        loop {
            let entries = self.parts.ledger.since(after, now, PAGE).await?;
            let last = entries.last().map_or(after, |entry| entry.number);
            let is_full = u32::try_from(entries.len()).is_ok_and(|count| count >= PAGE);
            let upto = if is_full { last } else { last.max(head.number) };
            let lines = Lines { ledger: &head.ledger, after, upto, entries: &entries };
            if !self.parts.index.write(lines, now).await? {
                return Ok(false);
            }
            tracing::debug!("The index was brought from line {after} to {upto} of the ledger.");
            if !is_full {
                return Ok(true);
            }
            after = upto;
        }
    }

    async fn sweep(&self, now: Timestamp) {
        if let Some(near) = self.parts.index.near() {
            near.sweep(now);
        }
        match self.parts.ledger.sweep(now.minus(SPARE)).await {
            Ok(0) => (),
            Ok(count) => tracing::debug!("{count} lines of the ledger of revocations had expired and were forgotten."),
            Err(outage) => tracing::debug!("The ledger of revocations was not swept: {outage}."),
        }
    }
}
