//! The queue: bounded, so that a provider that hangs costs memory of a known size; and with an owner, who drains it.
//!
//! A message is tried with each provider of its channel in order, round after round with a growing pause, until one takes it,
//! all refuse it, or its code has expired. If none took it, the resend wait of its address is released.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{JoinHandle, JoinSet};

use super::{NotSent, Provider, Providers};
use crate::clock::{Clock, Timestamp};
use crate::signin::{Challenges, Content, Deliver, Message};
use crate::telemetry::Metrics;

/// Messages that wait, at most.
const ROOM: usize = 1000;
/// Messages that are being sent at once, at most; those that pause between rounds among them.
const AT_ONCE: usize = 32;
/// The pauses before the second and the third round.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];

/// Takes messages without waiting, and sends them in the runtime that it was given.
pub struct Queue {
    sender: Mutex<Option<mpsc::Sender<Waiting>>>,
    dispatcher: Mutex<Option<JoinHandle<()>>>,
    clock: Arc<dyn Clock>,
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
    /// Counts what becomes of messages.
    pub metrics: Arc<Metrics>,
}

struct Waiting {
    message: Message,
    since: Timestamp,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Sent,
    /// Every provider refused it, or no round is left.
    Failed,
    /// Its code would arrive too late.
    Expired,
}

impl Queue {
    /// A queue that works in `runtime`.
    pub fn start(parts: QueueParts, runtime: &Handle) -> Self {
        let (sender, receiver) = mpsc::channel(ROOM);
        let (clock, metrics) = (Arc::clone(&parts.clock), Arc::clone(&parts.metrics));
        let dispatcher = runtime.spawn(dispatch(receiver, Arc::new(parts)));
        Self { sender: Mutex::new(Some(sender)), dispatcher: Mutex::new(Some(dispatcher)), clock, metrics }
    }

    /// Take no more messages, and send those that are here, for at most `patience`. What is left then is lost, and logged.
    pub async fn drain(&self, patience: Duration) {
        drop(take(&self.sender));
        let Some(mut dispatcher) = take(&self.dispatcher) else { return };
        if tokio::time::timeout(patience, &mut dispatcher).await.is_err() {
            dispatcher.abort();
            tracing::warn!("Messages were still on their way at shutdown and are lost; people ask for another code");
        }
    }

    fn dropped(&self, message: &Message, why: &str) -> bool {
        self.metrics.otp_sent(message.channel, "none", "dropped");
        tracing::error!(channel = message.channel.as_str(), handle.mac = short(&message.handle), "A message was dropped: {why}");
        false
    }
}

impl Deliver for Queue {
    fn enqueue(&self, message: Message) -> bool {
        let waiting = Waiting { message, since: self.clock.now() };
        let sender = self.sender.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(sender) = sender.as_ref() else {
            return self.dropped(&waiting.message, "the queue is closed");
        };
        match sender.try_send(waiting) {
            Ok(()) => true,
            Err(TrySendError::Full(waiting)) => self.dropped(&waiting.message, "the queue is full"),
            Err(TrySendError::Closed(waiting)) => self.dropped(&waiting.message, "the queue has ended"),
        }
    }
}

fn take<T>(place: &Mutex<Option<T>>) -> Option<T> {
    place.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// Ends when the queue is closed and everything in it has been dealt with; aborting it ends what it has started.
async fn dispatch(mut receiver: mpsc::Receiver<Waiting>, parts: Arc<QueueParts>) {
    let slots = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    while let Ok(slot) = Arc::clone(&slots).acquire_owned().await {
        let Some(waiting) = receiver.recv().await else { break };
        let parts = Arc::clone(&parts);
        running.spawn(async move {
            deliver(&waiting, &parts).await;
            drop(slot);
        });
        while running.try_join_next().is_some() {}
    }
    while running.join_next().await.is_some() {}
}

async fn deliver(waiting: &Waiting, parts: &QueueParts) {
    let message = &waiting.message;
    let outcome = rounds(waiting, parts).await;
    let (channel, mac) = (message.channel.as_str(), short(&message.handle));
    match outcome {
        Outcome::Sent => return,
        Outcome::Failed => tracing::error!(channel, handle.mac = mac, "No provider of the channel {channel} took a message"),
        Outcome::Expired => {
            parts.metrics.otp_sent(message.channel, "none", "expired");
            tracing::error!(channel, handle.mac = mac, "A message was dropped: its code expired while it waited for {channel}");
        }
    }
    if matches!(message.content, Content::Notice(_)) {
        return;
    }
    if let Err(outage) = parts.challenges.release(&message.handle).await {
        tracing::warn!(error = %outage, "The resend wait of a message that was not sent could not be released");
    }
}

/// Round after round, each through the providers that have not refused the message for good.
async fn rounds(waiting: &Waiting, parts: &QueueParts) -> Outcome {
    let mut left: Vec<&Arc<dyn Provider>> = parts.providers.of(waiting.message.channel).iter().collect();
    let mut pauses = PAUSES.iter();
    loop {
        let mut later = Vec::with_capacity(left.len());
        for provider in left {
            let now = parts.clock.now();
            if has_expired(waiting, now) {
                return Outcome::Expired;
            }
            match attempt(provider.as_ref(), &waiting.message, parts, now).await {
                Ok(()) => return Outcome::Sent,
                Err(NotSent::Later(_)) => later.push(provider),
                Err(NotSent::Refused(_)) => {}
            }
        }
        let Some(pause) = pauses.next().filter(|_| !later.is_empty()) else { return Outcome::Failed };
        tokio::time::sleep(*pause).await;
        left = later;
    }
}

fn has_expired(waiting: &Waiting, now: Timestamp) -> bool {
    match &waiting.message.content {
        Content::Code { minutes, .. } => now.since(waiting.since) >= Duration::from_secs(minutes.saturating_mul(60)),
        Content::Notice(_) => false,
    }
}

async fn attempt(provider: &dyn Provider, message: &Message, parts: &QueueParts, now: Timestamp) -> Result<(), NotSent> {
    let sent = provider.send(message, now).await;
    let outcome = match &sent {
        Ok(()) => "sent",
        Err(NotSent::Later(_)) => "deferred",
        Err(NotSent::Refused(_)) => "refused",
    };
    parts.metrics.otp_sent(message.channel, provider.name(), outcome);
    if let Err(error) = &sent {
        let (name, mac) = (provider.name(), short(&message.handle));
        tracing::warn!(provider = name, handle.mac = mac, error = %error, "Provider {name} did not take a message");
    }
    sent
}

/// Enough of an address's MAC to follow it through the log.
fn short(mac: &str) -> &str {
    mac.get(..8).unwrap_or(mac)
}
