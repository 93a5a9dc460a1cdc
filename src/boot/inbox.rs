//! The demo's inbox, as its page reads it.

use std::sync::Arc;

use crate::deliver;
use crate::endpoint::{Inbox, Mail};

/// What was kept of the messages that were sent.
pub struct Shown(Arc<deliver::Inbox>);

impl Shown {
    /// To be read by the page.
    pub fn shared(inbox: Arc<deliver::Inbox>) -> Arc<dyn Inbox> {
        Arc::new(Self(inbox))
    }
}

impl Inbox for Shown {
    fn latest(&self) -> Vec<Mail> {
        let kept = self.0.latest().into_iter();
        kept.map(|kept| Mail { to: kept.to.expose().to_owned(), code: kept.code.expose().clone(), at: kept.at }).collect()
    }
}
