//! A timer that is set anew for every wait, and hardly ever has to be: waits come by the thousand, and end long before their
//! time.
//!
//! A deadline that lies behind the one that was set needs nothing now: the timer goes off too early, once, and is set again
//! then.

use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// The timer.
#[derive(Debug, Default)]
pub(super) struct Alarm(Option<Pin<Box<Sleep>>>);

/// When a wait that begins now has to end; `None` where that is out of reach.
pub(super) fn after(span: Duration) -> Option<Instant> {
    Instant::now().checked_add(span)
}

impl Alarm {
    /// Ready at `deadline`.
    pub(super) fn poll(&mut self, deadline: Instant, context: &mut Context<'_>) -> Poll<()> {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        if sleep.deadline() > deadline {
            sleep.as_mut().reset(deadline);
        }
        while sleep.as_mut().poll(context).is_ready() {
            if sleep.deadline() >= deadline {
                return Poll::Ready(());
            }
            // It was set for an earlier wait.
            sleep.as_mut().reset(deadline);
        }
        Poll::Pending
    }

    /// What comes of `work`; `None` where it is not done at `deadline`.
    pub(super) async fn within<F: Future>(&mut self, deadline: Option<Instant>, work: F) -> Option<F::Output> {
        let mut work = pin!(work);
        let both = |context: &mut Context<'_>| {
            if let Poll::Ready(done) = work.as_mut().poll(context) {
                return Poll::Ready(Some(done));
            }
            deadline.map_or(Poll::Pending, |deadline| self.poll(deadline, context).map(|()| None))
        };
        std::future::poll_fn(both).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_wait_ends_at_its_own_deadline() {
        let mut alarm = Alarm::default();
        for span in [20, 20, 5, 30, 0].map(Duration::from_millis) {
            let begun = Instant::now();
            assert_eq!(alarm.within(after(span), std::future::pending::<()>()).await, None);
            assert!(begun.elapsed() >= span, "{span:?}: {:?}", begun.elapsed());
        }
    }

    #[tokio::test]
    async fn what_is_done_in_time_is_given_back() {
        let mut alarm = Alarm::default();
        for _ in 0..100 {
            assert_eq!(alarm.within(after(Duration::from_secs(60)), tokio::task::yield_now()).await, Some(()));
        }
        assert_eq!(alarm.within(after(Duration::MAX), async { 7 }).await, Some(7));
    }
}
