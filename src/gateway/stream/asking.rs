//! A question about a stream that is not waited for where it is put: what passes meanwhile is held back, piece by piece.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Waker};
use std::time::Duration;

use tokio::task::JoinHandle;

/// For how long the first piece is held back, and all of them together: past that nobody can say, and what nobody can say cuts
/// nothing.
const FIRST: Duration = Duration::from_millis(5);
const MOST: Duration = Duration::from_secs(2);

/// A question that is being asked; it ends with the value.
pub(in crate::gateway) struct Asking {
    task: Option<JoinHandle<()>>,
    is_over: Arc<AtomicBool>,
    wait: Duration,
    waited: Duration,
}

impl Asking {
    /// Ask whether a session is over: true is the answer that cuts. What can be answered from memory is answered by then.
    pub(super) fn begin(question: impl Future<Output = bool> + Send + 'static) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let tells = Arc::clone(&is_over);
        let question = async move { tells.store(question.await, Ordering::Relaxed) };
        let mut question: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(question);
        let is_answered = question.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready();
        let task = (!is_answered).then(|| tokio::spawn(question));
        Self { task, is_over, wait: FIRST, waited: Duration::ZERO }
    }

    /// For how long the piece that passes now is held back; `None` once the answer is that it may pass. Each waits twice as long
    /// as the one before. Who was cut ends while it waits.
    pub(in crate::gateway) fn holds_back(&mut self) -> Option<Duration> {
        if self.is_over.load(Ordering::Relaxed) {
            return Some(MOST);
        }
        self.task.as_ref().filter(|task| !task.is_finished())?;
        let wait = self.wait.min(MOST.saturating_sub(self.waited));
        (self.wait, self.waited) = (self.wait * 2, self.waited + wait);
        (!wait.is_zero()).then_some(wait)
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_memory_answers_holds_nothing_back() {
        assert_eq!(Asking::begin(async { false }).holds_back(), None);
        assert_eq!(Asking::begin(async { true }).holds_back(), Some(MOST));
    }

    #[tokio::test]
    async fn pieces_wait_longer_and_longer_until_there_is_an_answer() {
        let (answer, answered) = tokio::sync::oneshot::channel::<bool>();
        let mut asking = Asking::begin(async move { answered.await.unwrap() });
        let waits: Vec<_> = (0..3).map_while(|_| asking.holds_back()).map(|wait| wait.as_millis()).collect();
        assert_eq!(waits, [5, 10, 20]);

        answer.send(false).unwrap();
        tokio::task::yield_now().await;

        assert_eq!(asking.holds_back(), None);
    }

    #[tokio::test]
    async fn what_is_never_answered_is_not_waited_for_any_longer() {
        let mut asking = Asking::begin(std::future::pending());
        let waited: Duration = std::iter::from_fn(|| asking.holds_back()).sum();
        assert_eq!(waited, MOST);
    }
}
