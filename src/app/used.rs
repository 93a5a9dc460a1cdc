//! When keys were used last: told to the store by a task of its own, so that no request waits for it.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::JoinHandle;

use crate::app::known::USED_EVERY;
use crate::app::store::ApiKeys;
use crate::clock::Timestamp;
use crate::id::KeyId;

/// Uses that wait to be told. What comes beyond is not told: it only says when, to the minute.
const WAITING: usize = 1024;

/// Takes uses, and tells them. Its task ends with it.
pub(super) struct Uses {
    to: Sender<(KeyId, Timestamp)>,
    task: JoinHandle<()>,
}

impl Drop for Uses {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Uses {
    /// Begin, in the runtime of the store's connections.
    pub(super) fn start(keys: Arc<dyn ApiKeys>, slow: &Handle) -> Self {
        let (to, from) = mpsc::channel(WAITING);
        Self { to, task: slow.spawn(tell(keys, from)) }
    }

    /// The key was used; does not wait.
    pub(super) fn note(&self, id: &KeyId, at: Timestamp) {
        if self.to.try_send((id.clone(), at)).is_err() {
            tracing::debug!("A use of the API key {id} was not noted: too many wait.");
        }
    }
}

async fn tell(keys: Arc<dyn ApiKeys>, mut from: Receiver<(KeyId, Timestamp)>) {
    while let Some((id, at)) = from.recv().await {
        if let Err(outage) = keys.used(&id, at, at.minus(USED_EVERY)).await {
            tracing::debug!("A use of the API key {id} was not noted: {outage}.");
        }
    }
}
