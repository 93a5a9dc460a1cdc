//! Messages leave: the queue, and the providers behind it.
//!
//! A [`queue::Queue`] takes messages without waiting and tries the providers of their channel in order; a [`Provider`] sends
//! one message, once. The only module that names lettre.

mod console;
mod inbox;
mod letter;
mod providers;
mod queue;
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
    /// Not now; it may later.
    #[error("not now: {0}")]
    Later(String),
    /// Never, for this message.
    #[error("refused: {0}")]
    Refused(String),
}

/// Sends a message, once.
#[async_trait]
pub trait Provider: Send + Sync {
    /// Its word, in metrics and logs.
    fn name(&self) -> &str;

    /// Send `message`, which says that it was written at `now`.
    async fn send(&self, message: &Message, now: Timestamp) -> Result<(), NotSent>;
}
