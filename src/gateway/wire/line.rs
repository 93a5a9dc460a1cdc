//! What a route says to the connection that its request came on: how long the client may be silent within its body.
//!
//! The wire reads the body and knows no route. So the task that serves a connection carries a line to its wire.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long a client may be silent within a body, where no route says otherwise: the body of a request to us has a deadline
/// of its own besides.
const BODY: Duration = Duration::from_mins(1);

tokio::task_local! {
    /// The line to the wire that this task reads from.
    static LINE: Line;
}

/// A line to a wire. It holds milliseconds.
#[derive(Debug, Clone)]
pub(super) struct Line(Arc<AtomicU64>);

impl Default for Line {
    fn default() -> Self {
        Self(Arc::new(AtomicU64::new(milliseconds(BODY))))
    }
}

impl Line {
    /// How long the client may be silent within the body of this request.
    pub(super) fn body(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }

    /// The next request has no route yet.
    pub(super) fn forget_route(&self) {
        self.say(BODY);
    }

    fn say(&self, most: Duration) {
        self.0.store(milliseconds(most), Ordering::Relaxed);
    }

    /// Serve a connection: what `serving` says goes to its wire.
    pub(super) async fn scope<F: Future>(&self, serving: F) -> F::Output {
        LINE.scope(self.clone(), serving).await
    }
}

/// The client may be silent for `most` within the body of the request that this task serves. Nothing happens where no wire
/// reads the body: under HTTP/2.
pub(in crate::gateway) fn wait_for_body(most: Duration) {
    LINE.try_with(|line| line.say(most)).unwrap_or_default();
}

fn milliseconds(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
