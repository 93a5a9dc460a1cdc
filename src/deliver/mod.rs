//! Messages leave: the queue, and the providers behind it.
//!
//! A [`queue::Queue`] takes messages without waiting and tries the providers of their channel in order; a [`Provider`] sends
//! one message, once. The only module that names lettre and reqwest.

mod breaker;
mod claims_hook;
mod console;
mod inbox;
mod letters;
mod mistakes;
mod providers;
mod queue;
mod reach;
mod resend;
mod rounds;
mod sentences;
mod settings;
mod smtp;
mod templates;
mod twilio;
mod web;
mod webhook;

use async_trait::async_trait;
use url::Url;

pub use claims_hook::{ClaimsHookSettings, HookedClaims};
pub use console::Console;
pub use inbox::{Inbox, Kept};
pub use mistakes::mistakes;
pub use providers::Providers;
pub use queue::{Queue, QueueParts};
pub use settings::{DeliverySettings, EmailKind, EmailProvider, PhoneKind, PhoneProvider};

use crate::clock::Timestamp;
use crate::secret::Secret;
use crate::signin::Message;

/// A mistake in a provider's settings: the field, and a sentence without its value.
type Wrong = (&'static str, &'static str);

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

/// Where a provider's API begins: `url`, or `usual`. It ends with a slash, so that a path can be joined.
///
/// # Errors
/// When it is no such URL.
fn base(url: Option<&Secret<String>>, usual: &str) -> Result<Url, Wrong> {
    let text = url.map_or(usual, |url| url.expose());
    let url = Url::parse(text).ok().filter(|url| url.query().is_none() && url.fragment().is_none() && url.username().is_empty());
    let mut url = url.ok_or(("url", "should be the beginning of an API, as \"https://api.example.com\""))?;
    if url.scheme() != "https" && !(url.scheme() == "http" && reach::is_loopback(&url)) {
        return Err(("url", "should be https://; without TLS only on this machine"));
    }
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}
