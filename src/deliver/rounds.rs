//! One message, round after round: the providers of its channel in order, with a growing pause between rounds, until one takes
//! it, all refuse it, or its code has expired.

use std::sync::Arc;
use std::time::Duration;

use super::breaker::Breaker;
use super::{NotSent, Provider, Providers, Sending};
use crate::clock::{Clock, Timestamp};
use crate::signin::{Challenges, Channel, Content, Message};
use crate::telemetry::Metrics;

/// The pauses before the second and the third round.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];

/// A message that waits for its turn.
pub(super) struct Waiting {
    /// The message.
    pub(super) message: Message,
    /// Its name, the same at each attempt.
    pub(super) id: String,
    /// When it was queued.
    pub(super) since: Timestamp,
}

/// What messages are sent with.
pub(super) struct Carriers {
    lines: Vec<Line>,
    challenges: Arc<dyn Challenges>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
}

/// A provider of a channel, and whether it answers.
struct Line {
    channel: Channel,
    provider: Arc<dyn Provider>,
    breaker: Breaker,
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

impl Carriers {
    /// These providers.
    pub(super) fn new(providers: &Providers, challenges: Arc<dyn Challenges>, clock: Arc<dyn Clock>, metrics: Arc<Metrics>) -> Self {
        let line = |channel, provider: &Arc<dyn Provider>| Line { channel, provider: Arc::clone(provider), breaker: Breaker::default() };
        let lines = providers.channels().into_iter().flat_map(|channel| providers.of(channel).iter().map(move |one| line(channel, one)));
        let lines: Vec<Line> = lines.collect();
        for line in &lines {
            metrics.provider(line.channel, line.provider.name());
        }
        Self { lines, challenges, clock, metrics }
    }

    /// Are all providers of `channel` left alone, since they do not answer?
    pub(super) fn is_slow(&self, channel: Channel) -> bool {
        let mut lines = self.lines.iter().filter(|line| line.channel == channel).peekable();
        lines.peek().is_some() && lines.all(|line| line.breaker.is_resting())
    }

    /// Send the message of `waiting`. If nobody takes it, the resend wait of its address is released.
    pub(super) async fn carry(&self, waiting: &Waiting) {
        let message = &waiting.message;
        let (channel, mac) = (message.channel.as_str(), short(&message.handle));
        match self.rounds(waiting).await {
            Outcome::Sent => return,
            Outcome::Failed => tracing::error!(channel, handle.mac = mac, "No provider of the channel {channel} took a message"),
            Outcome::Expired => {
                self.metrics.otp_sent(message.channel, "none", "expired");
                tracing::error!(channel, handle.mac = mac, "A message was dropped: its code expired while it waited for {channel}");
            }
        }
        if matches!(message.content, Content::Notice(_)) {
            return;
        }
        if let Err(outage) = self.challenges.release(&message.handle).await {
            tracing::warn!(error = %outage, "The resend wait of a message that was not sent could not be released");
        }
    }

    /// Each round goes through the providers that have not refused the message for good.
    async fn rounds(&self, waiting: &Waiting) -> Outcome {
        let mut left: Vec<&Line> = self.lines.iter().filter(|line| line.channel == waiting.message.channel).collect();
        let mut pauses = PAUSES.iter();
        loop {
            let mut later = Vec::with_capacity(left.len());
            for line in left {
                let now = self.clock.now();
                if has_expired(waiting, now) {
                    return Outcome::Expired;
                }
                match self.attempt(line, waiting, now).await {
                    Ok(()) => return Outcome::Sent,
                    Err(NotSent::Later(_) | NotSent::Silent(_)) => later.push(line),
                    Err(NotSent::Refused(_)) => {}
                }
            }
            let Some(pause) = pauses.next().filter(|_| !later.is_empty()) else { return Outcome::Failed };
            tokio::time::sleep(*pause).await;
            left = later;
        }
    }

    async fn attempt(&self, line: &Line, waiting: &Waiting, now: Timestamp) -> Result<(), NotSent> {
        let (message, name) = (&waiting.message, line.provider.name());
        if !line.breaker.lets_through(now) {
            self.metrics.otp_sent(message.channel, name, "skipped");
            return Err(NotSent::Later("it does not answer".to_owned()));
        }
        let sent = line.provider.send(&Sending { message, id: &waiting.id, now }).await;
        let rests = line.breaker.note(&sent, self.clock.now());
        self.metrics.otp_sent(message.channel, name, outcome(&sent));
        if let Err(error) = &sent {
            let mac = short(&message.handle);
            tracing::warn!(provider = name, handle.mac = mac, error = %error, "Provider {name} did not take a message");
        }
        if rests {
            tracing::error!(provider = name, "Provider {name} does not answer; it is left alone, and tried again every few seconds");
        }
        sent
    }
}

fn outcome(sent: &Result<(), NotSent>) -> &'static str {
    match sent {
        Ok(()) => "sent",
        Err(NotSent::Later(_) | NotSent::Silent(_)) => "deferred",
        Err(NotSent::Refused(_)) => "refused",
    }
}

fn has_expired(waiting: &Waiting, now: Timestamp) -> bool {
    match &waiting.message.content {
        Content::Code { minutes, .. } => now.since(waiting.since) >= Duration::from_secs(minutes.saturating_mul(60)),
        Content::Notice(_) => false,
    }
}

/// Enough of an address's MAC to follow it through the log.
pub(super) fn short(mac: &str) -> &str {
    mac.get(..8).unwrap_or(mac)
}
