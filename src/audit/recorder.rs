//! Writes events: one task, which takes all that wait at the same time into one transaction. Its owner ends it by dropping the
//! recorder.
//!
//! `record` is for what was done (a sign-in, a sign-out, a change): durable when it returns, so it is awaited before the answer.
//! `note` is for what was refused or only asked for: written within a second, whatever it was, so that no answer takes longer for
//! it, and no stranger fills the disk with it.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::chain::Chain;
use super::event::Event;
use super::port::Audit;
use super::repeats::Repeats;
use crate::outage::Outage;

/// What is noted waits so long for others.
const PAUSE: Duration = Duration::from_millis(500);

/// How long refusals of one sort are counted for one row.
const MINUTE: Duration = Duration::from_secs(60);

/// Events of one transaction.
const MOST: usize = 256;

/// Events that wait in memory for a database that is gone.
const PATIENCE: usize = 10_000;

/// Those who wait to be written.
const QUEUE: usize = 1024;

/// Writes events to the log.
#[derive(Debug)]
pub struct Recorder {
    jobs: mpsc::Sender<Job>,
    waiting: Arc<Mutex<Waiting>>,
}

/// What is not awaited. A std mutex: held for a push, never across an await.
#[derive(Debug, Default)]
struct Waiting {
    events: Vec<Event>,
    repeats: Repeats,
}

/// Events whose writing somebody awaits.
#[derive(Debug)]
struct Job {
    events: Vec<Event>,
    /// What was counted so far is to be written, too.
    all: bool,
    done: oneshot::Sender<Result<(), Outage>>,
}

impl Recorder {
    /// Begin to write to `audit`, in the runtime `slow`.
    pub fn start(audit: Arc<dyn Audit>, chain: Arc<Chain>, slow: &Handle) -> Self {
        let (jobs, given) = mpsc::channel(QUEUE);
        let waiting = Arc::new(Mutex::new(Waiting::default()));
        let pen = Pen { audit, chain, waiting: Arc::clone(&waiting), ends: Instant::now() + MINUTE, is_gone: false };
        drop(slow.spawn(pen.write(given)));
        Self { jobs, waiting }
    }

    /// Write `event`; durable when this returns. To be called after the act, and awaited before its answer.
    ///
    /// # Errors
    /// When it cannot be written. It is kept in memory, and written when the database is back.
    pub async fn record(&self, event: Event) -> Result<(), Outage> {
        self.record_all(vec![event]).await
    }

    /// The same for several, all or none.
    pub async fn record_all(&self, events: Vec<Event>) -> Result<(), Outage> {
        if events.is_empty() {
            return Ok(());
        }
        self.give(events, false).await
    }

    /// The same where the answer must not fail any more: the act cannot be done again, and holds what nobody could be given again
    /// (tokens, recovery codes). An event that cannot be written now is kept as [`Recorder::record`] keeps it.
    pub async fn record_or_keep(&self, events: Vec<Event>) {
        if let Err(outage) = self.record_all(events).await {
            tracing::error!(cause = %outage, "an event of the audit log waits in memory, since it cannot be written: {outage}");
        }
    }

    /// Have `event` written within a second. Refusals of one sort are counted, and written once a minute.
    pub fn note(&self, event: Event) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let event = if event.is_idle() { waiting.repeats.take(event) } else { Some(event) };
        waiting.push(event);
    }

    /// Write all that waits, and what was counted so far.
    pub async fn flush(&self) -> Result<(), Outage> {
        self.give(Vec::new(), true).await
    }

    async fn give(&self, events: Vec<Event>, all: bool) -> Result<(), Outage> {
        let (done, written) = oneshot::channel();
        let closed = || Outage::store("the audit log is closed");
        self.jobs.send(Job { events, all, done }).await.map_err(|_| closed())?;
        written.await.map_err(|_| closed())?
    }
}

impl Waiting {
    fn push(&mut self, events: impl IntoIterator<Item = Event>) {
        for event in events {
            if self.events.len() >= PATIENCE {
                tracing::error!(what = event.what.as_str(), "an event of the audit log is lost, the database has been gone for too long");
                return;
            }
            self.events.push(event);
        }
    }
}

/// What the task holds.
struct Pen {
    audit: Arc<dyn Audit>,
    chain: Arc<Chain>,
    waiting: Arc<Mutex<Waiting>>,
    /// When this minute of refusals is over.
    ends: Instant,
    /// Was the database gone at the last try?
    is_gone: bool,
}

impl Pen {
    async fn write(mut self, mut given: mpsc::Receiver<Job>) {
        let mut ticks = interval(PAUSE);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let mut jobs = Vec::new();
            tokio::select! {
                job = given.recv() => match job {
                    Some(job) => jobs.push(job),
                    None => return self.last().await,
                },
                _ = ticks.tick() => {}
            }
            let mut count: usize = jobs.iter().map(|job| job.events.len()).sum();
            while count < MOST
                && let Ok(job) = given.try_recv()
            {
                count = count.saturating_add(job.events.len());
                jobs.push(job);
            }
            self.carry_out(jobs).await;
        }
    }

    /// The recorder is gone, and nobody awaits anything.
    async fn last(mut self) {
        let (done, _) = oneshot::channel();
        self.carry_out(vec![Job { events: Vec::new(), all: true, done }]).await;
    }

    async fn carry_out(&mut self, jobs: Vec<Job>) {
        let is_over = self.ends <= Instant::now();
        if is_over {
            self.ends = Instant::now() + MINUTE;
        }
        let mut events = self.noted(is_over || jobs.iter().any(|job| job.all));
        let (given, awaited): (Vec<_>, Vec<_>) = jobs.into_iter().map(|job| (job.events, job.done)).unzip();
        events.extend(given.into_iter().flatten());
        let written = self.append(events).await;
        for done in awaited {
            // Who does not wait any more needs no answer.
            drop(done.send(written.as_ref().map_err(|outage| Outage::new(outage.dependency, &outage.cause)).copied()));
        }
    }

    fn noted(&self, all: bool) -> Vec<Event> {
        let mut waiting = self.waiting();
        if all {
            let counted = waiting.repeats.end();
            waiting.push(counted);
        }
        mem::take(&mut waiting.events)
    }

    /// What cannot be written goes back to what waits, in front.
    async fn append(&mut self, events: Vec<Event>) -> Result<(), Outage> {
        let mut rest = events.as_slice();
        while let Some((some, after)) = rest.split_at_checked(MOST.min(rest.len())).filter(|(some, _)| !some.is_empty()) {
            match self.audit.append(some, &self.chain).await {
                Ok(head) => {
                    self.is_gone = false;
                    self.chain.know(&head);
                    tracing::info!(audit.number = head.number, audit.mac = head.mac, "the audit log is at {}", head.number);
                }
                Err(outage) => {
                    if !mem::replace(&mut self.is_gone, true) {
                        tracing::warn!(cause = %outage, "events of the audit log wait for the database");
                    }
                    let mut waiting = self.waiting();
                    let later = mem::take(&mut waiting.events);
                    waiting.push(rest.iter().cloned().chain(later));
                    return Err(outage);
                }
            }
            rest = after;
        }
        Ok(())
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
