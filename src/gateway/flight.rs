//! What is in flight: requests that must be answered before the process may leave.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Notify;

/// Counts what is in flight. Every request passes here twice, on any worker: so a number, and a bell that rings only for those
/// who wait.
#[derive(Debug, Clone, Default)]
pub(super) struct Flights(Arc<Tower>);

/// One thing in flight, as long as it lives.
#[derive(Debug)]
pub(super) struct Flight(Arc<Tower>);

#[derive(Debug, Default)]
struct Tower {
    count: AtomicUsize,
    empty: Notify,
}

impl Flights {
    /// Something takes off.
    pub(super) fn begin(&self) -> Flight {
        self.0.count.fetch_add(1, Ordering::AcqRel);
        Flight(Arc::clone(&self.0))
    }

    /// How much is in flight.
    pub(super) fn count(&self) -> usize {
        self.0.count.load(Ordering::Acquire)
    }

    /// Until nothing is.
    pub(super) async fn landed(&self) {
        loop {
            // Listen first, look second: a landing in between is heard.
            let mut bell = std::pin::pin!(self.0.empty.notified());
            bell.as_mut().enable();
            if self.count() == 0 {
                return;
            }
            bell.await;
        }
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if self.0.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.empty.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_have_landed_when_the_last_has() {
        let flights = Flights::default();
        flights.landed().await;
        let (first, second) = (flights.begin(), flights.begin());
        drop(first);
        assert_eq!(flights.count(), 1);
        let waiting = tokio::spawn({
            let flights = flights.clone();
            async move { flights.landed().await }
        });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(second);
        waiting.await.unwrap();
    }
}
