//! A code leaves for its address. Queued: a reply never waits for a provider.

use serde::{Deserialize, Serialize};

use crate::secret::Secret;
use crate::signin::address::Handle;

/// How a code is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// By e-mail.
    Email,
    /// By SMS.
    Sms,
    /// By WhatsApp.
    Whatsapp,
}

impl Channel {
    /// Its word, in stores, replies and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Sms => "sms",
            Self::Whatsapp => "whatsapp",
        }
    }

    /// From its word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Email, Self::Sms, Self::Whatsapp].into_iter().find(|channel| channel.as_str() == word)
    }
}

/// A code on its way.
#[derive(Debug, Clone)]
pub struct Message {
    /// Where to: the canonical stored address.
    pub to: Handle,
    /// How.
    pub channel: Channel,
    /// The code.
    pub code: Secret<String>,
    /// How long it is good, in whole minutes, rounded up.
    pub minutes: u64,
    /// MAC of the address: names the resend wait to release when every provider refuses, and the inbox of the demo.
    pub handle: String,
}

/// Takes messages to be sent.
pub trait Deliver: Send + Sync {
    /// Queue `message`. False when the queue is full: it is dropped, counted and logged by the queue.
    fn enqueue(&self, message: Message) -> bool;
}
