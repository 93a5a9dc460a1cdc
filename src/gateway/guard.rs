//! A panic in a step of ours is a mistake of ours, and one reply: the framework would drop the connection, and log nothing.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

/// Something panicked; the panic's own words are in the log already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Panicked;

/// Do `work`, and come back from it in any case.
///
/// What it borrowed may have been left half-changed: the caller must do nothing with it but answer and close.
pub(super) async fn guarded<F: Future>(work: F) -> Result<F::Output, Panicked> {
    let mut work = pin!(work);
    std::future::poll_fn(|cx| match catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(cx))) {
        Ok(Poll::Ready(done)) => Poll::Ready(Ok(done)),
        Ok(Poll::Pending) => Poll::Pending,
        Err(_) => Poll::Ready(Err(Panicked)),
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_comes_back_as_a_value() {
        assert_eq!(guarded(async { 7 }).await, Ok(7));
        let broken = guarded(async {
            tokio::task::yield_now().await;
            let empty: Vec<u8> = Vec::new();
            empty[0]
        });
        assert_eq!(broken.await, Err(Panicked));
    }
}
