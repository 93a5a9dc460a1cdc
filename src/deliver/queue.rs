//! The queue: bounded, so that a provider that hangs costs memory of a known size; and with an owner, who drains it.
//!
//! Each message is carried by [`Carriers`]: round after round, until a provider takes it or none will.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{JoinHandle, JoinSet};

use super::Providers;
use super::rounds::{Carriers, Waiting, short};
use crate::clock::Clock;
use crate::random::{self, Entropy};
use crate::signin::{Challenges, Channel, Deliver, Errand, Message};
use crate::telemetry::Metrics;

/// Messages that wait, at most.
const ROOM: usize = 1000;
/// Messages that are being sent at once, at most; those that pause between rounds among them.
const AT_ONCE: usize = 32;
/// Errands that are under way, at most.
const ERRANDS: usize = 4000;

/// Takes messages without waiting, and sends them in the runtime that it was given.
pub struct Queue {
    sender: Mutex<Option<mpsc::Sender<Waiting>>>,
    dispatcher: Mutex<Option<JoinHandle<()>>>,
    errands: Mutex<Option<JoinSet<()>>>,
    /// Theirs who work in the runtime alone: pools of connections must end in it.
    carriers: Weak<Carriers>,
    runtime: Handle,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    metrics: Arc<Metrics>,
}

/// What a queue is made of.
pub struct QueueParts {
    /// The providers of each channel.
    pub providers: Providers,
    /// Where a resend wait is released.
    pub challenges: Arc<dyn Challenges>,
    /// Tells when a code has expired.
    pub clock: Arc<dyn Clock>,
    /// Names messages.
    pub entropy: Arc<dyn Entropy>,
    /// Counts what becomes of messages.
    pub metrics: Arc<Metrics>,
}

impl Queue {
    /// A queue that works in `runtime`.
    pub fn start(parts: QueueParts, runtime: &Handle) -> Self {
        let QueueParts { providers, challenges, clock, entropy, metrics } = parts;
        let (sender, receiver) = mpsc::channel(ROOM);
        let carriers = Arc::new(Carriers::new(&providers, challenges, Arc::clone(&clock), Arc::clone(&metrics)));
        let theirs = Arc::downgrade(&carriers);
        let dispatcher = runtime.spawn(dispatch(receiver, carriers));
        Self {
            sender: Mutex::new(Some(sender)),
            dispatcher: Mutex::new(Some(dispatcher)),
            errands: Mutex::new(Some(JoinSet::new())),
            carriers: theirs,
            runtime: runtime.clone(),
            clock,
            entropy,
            metrics,
        }
    }

    /// Take no more errands and messages, do and send those that are here, for at most `patience`. What is left then is lost,
    /// and logged.
    pub async fn drain(&self, patience: Duration) {
        let Some(mut dispatcher) = take(&self.dispatcher) else { return };
        let all = async {
            // Errands begin errands and queue messages, so both doors are closed behind them.
            while let Some(mut errands) = self.begun() {
                while errands.join_next().await.is_some() {}
            }
            drop(take(&self.errands));
            drop(take(&self.sender));
            (&mut dispatcher).await
        };
        if tokio::time::timeout(patience, all).await.is_err() {
            drop(take(&self.errands));
            drop(take(&self.sender));
            dispatcher.abort();
            tracing::warn!("Messages were still on their way at shutdown and are lost; people ask for another code");
        }
    }

    /// The errands that are under way, if there are any; more may be begun.
    fn begun(&self) -> Option<JoinSet<()>> {
        let mut errands = lock(&self.errands);
        errands.as_mut().filter(|errands| !errands.is_empty()).map(std::mem::take)
    }

    fn dropped(&self, message: &Message, why: &str) -> bool {
        self.metrics.otp_sent(message.channel, "none", "dropped");
        tracing::error!(channel = message.channel.as_str(), handle.mac = short(&message.handle), "A message was dropped: {why}");
        false
    }
}

impl Deliver for Queue {
    fn enqueue(&self, message: Message) -> bool {
        let Ok(id) = random::id(self.entropy.as_ref()) else {
            return self.dropped(&message, "the system's random source failed");
        };
        let waiting = Waiting { message, id, since: self.clock.now() };
        let sender = lock(&self.sender);
        let Some(sender) = sender.as_ref() else {
            return self.dropped(&waiting.message, "the queue is closed");
        };
        match sender.try_send(waiting) {
            Ok(()) => true,
            Err(TrySendError::Full(waiting)) => self.dropped(&waiting.message, "the queue is full"),
            Err(TrySendError::Closed(waiting)) => self.dropped(&waiting.message, "the queue has ended"),
        }
    }

    fn is_slow(&self, channel: Channel) -> bool {
        self.carriers.upgrade().is_some_and(|carriers| carriers.is_slow(channel))
    }

    fn after(&self, pause: Duration, channel: Channel, errand: Errand) -> bool {
        let mut errands = lock(&self.errands);
        if let Some(errands) = errands.as_mut() {
            while errands.try_join_next().is_some() {}
            if errands.len() < ERRANDS {
                errands.spawn_on(later(pause, errand), &self.runtime);
                return true;
            }
        }
        self.metrics.otp_sent(channel, "none", "dropped");
        tracing::error!(channel = channel.as_str(), "A message was dropped before it was written: too many are, or we are leaving");
        false
    }
}

async fn later(pause: Duration, errand: Errand) {
    tokio::time::sleep(pause).await;
    errand.await;
}

fn take<T>(place: &Mutex<Option<T>>) -> Option<T> {
    lock(place).take()
}

fn lock<T>(place: &Mutex<T>) -> MutexGuard<'_, T> {
    place.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends when the queue is closed and everything in it has been dealt with; aborting it ends what it has started.
async fn dispatch(mut receiver: mpsc::Receiver<Waiting>, carriers: Arc<Carriers>) {
    let slots = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    while let Ok(slot) = Arc::clone(&slots).acquire_owned().await {
        let Some(waiting) = receiver.recv().await else { break };
        let carriers = Arc::clone(&carriers);
        running.spawn(async move {
            carriers.carry(&waiting).await;
            drop(slot);
        });
        while running.try_join_next().is_some() {}
    }
    while running.join_next().await.is_some() {}
}
