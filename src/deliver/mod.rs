//! Messages leave: the queue, and the providers behind it.
//!
//! A [`queue::Queue`] takes messages without waiting and tries the providers of their channel in order; a [`Provider`] sends
//! one message, once. The only module that names lettre and reqwest.

mod breaker;
mod console;
mod inbox;
mod letter;
mod providers;
mod queue;
mod rounds;
mod settings;
mod smtp;

use async_trait::async_trait;

pub use console::Console;
pub use inbox::{Inbox, Kept};
pub use providers::{Providers, mistakes};
pub use queue::{Queue, QueueParts};
pub use settings::{DeliverySettings, EmailKind, EmailProvider};

use crate::clock::Timestamp;
use crate::signin::Message;

/// Why a provider did not send a message. The cause is for the log: it names no address and no code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotSent {
    /// It says: not now. It may later.
    #[error("not now: {0}")]
    Later(String),
    /// It says nothing: it cannot be reached, or does not answer in time. It may later.
    #[error("no answer: {0}")]
    Silent(String),
    /// Never, for this message.
    #[error("refused: {0}")]
    Refused(String),
}

/// A message that is being sent.
pub struct Sending<'a> {
    /// The message.
    pub message: &'a Message,
    /// Its name, the same at each attempt and nobody else's: who gets it twice can tell.
    pub id: &'a str,
    /// When this is.
    pub now: Timestamp,
}

/// Sends a message, once.
#[async_trait]
pub trait Provider: Send + Sync {
    /// Its word, in metrics and logs.
    fn name(&self) -> &str;

    /// Send a message.
    async fn send(&self, sending: &Sending<'_>) -> Result<(), NotSent>;
}
