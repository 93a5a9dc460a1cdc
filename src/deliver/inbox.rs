//! An inbox in memory, for a demo: the last messages, so that a person can try signing in without a mail server.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use super::{NotSent, Provider, Sending};
use crate::clock::Timestamp;
use crate::secret::Secret;
use crate::signin::Handle;

/// How many messages are kept.
const ROOM: usize = 50;

/// The last messages, in memory.
#[derive(Default)]
pub struct Inbox(Mutex<VecDeque<Kept>>);

/// A message that was kept.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Where it went to.
    pub to: Handle,
    /// What it said.
    pub code: Secret<String>,
    /// When it was written.
    pub at: Timestamp,
}

impl Inbox {
    /// The messages that are kept, newest first.
    pub fn latest(&self) -> Vec<Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    fn keep(&self, kept: Kept) {
        let mut messages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        messages.push_front(kept);
        messages.truncate(ROOM);
    }
}

/// Keeps each message, then passes it on.
pub(super) struct Keeping {
    inbox: Arc<Inbox>,
    next: Arc<dyn Provider>,
}

impl Keeping {
    pub(super) fn new(inbox: Arc<Inbox>, next: Arc<dyn Provider>) -> Self {
        Self { inbox, next }
    }
}

#[async_trait]
impl Provider for Keeping {
    fn name(&self) -> &str {
        self.next.name()
    }

    async fn send(&self, sending: &Sending<'_>) -> Result<(), NotSent> {
        if let Some(code) = sending.message.code() {
            self.inbox.keep(Kept { to: sending.message.to.clone(), code: code.clone(), at: sending.now });
        }
        self.next.send(sending).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_messages_are_kept_newest_first() {
        let inbox = Inbox::default();
        for number in 0..60_u32 {
            let to = Handle::email("ada@example.com").unwrap();
            inbox.keep(Kept { to, code: Secret::new(format!("{number:06}")), at: Timestamp::from_secs(number.into()) });
        }
        let codes: Vec<String> = inbox.latest().iter().map(|kept| kept.code.expose().clone()).collect();
        assert_eq!((codes.len(), codes[0].as_str(), codes[49].as_str()), (50, "000059", "000010"));
    }
}
