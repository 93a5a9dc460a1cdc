//! The body of a request under HTTP/2, while it comes: no wire reads it alone, so its silences are counted from beside it.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::pace::Pace;
use crate::gateway::cord::{Cord, cord};

/// A body that is on its way; it is watched as long as this lives.
pub(in crate::gateway) struct Upload {
    moved: Arc<Moved>,
    watch: JoinHandle<()>,
}

/// What came since somebody looked.
#[derive(Default)]
struct Moved {
    bytes: AtomicUsize,
    some: Notify,
}

impl Upload {
    /// Of the request that this task serves: its stream is reset when its client keeps us waiting for longer than `most`.
    pub(in crate::gateway) fn begin(most: Duration) -> Option<Self> {
        let cord = cord()?;
        let moved = Arc::new(Moved::default());
        let watch = tokio::spawn(Arc::clone(&moved).watch(cord, most));
        Some(Self { moved, watch })
    }

    /// So many bytes have come.
    pub(in crate::gateway) fn moved(&self, bytes: usize) {
        self.moved.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.moved.some.notify_one();
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

impl Moved {
    async fn watch(self: Arc<Self>, cord: Cord, most: Duration) {
        let mut pace = Pace::default();
        loop {
            tokio::select! {
                () = self.some.notified() => pace.moved(self.bytes.swap(0, Ordering::Relaxed)),
                () = poll_fn(|context| pace.poll_late(most, context)) => break,
            }
        }
        tracing::debug!("a body of HTTP/2 came too slowly, its stream was reset");
        cord.pull();
    }
}
