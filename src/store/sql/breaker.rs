//! Not asking a database that was just found gone, so that requests fail at once instead of queueing for it.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::fault::Fault;

/// How long nobody asks after a connection has failed: recovery is noticed this much later.
const PAUSE: Duration = Duration::from_millis(300);

/// Remembers that connecting has failed, and why. A std mutex: held for a copy, never across an await.
#[derive(Debug, Default)]
pub(super) struct Breaker(Mutex<Option<(Instant, String)>>);

impl Breaker {
    /// May the database be asked?
    ///
    /// # Errors
    /// When connecting failed less than a moment ago.
    pub(super) fn check(&self) -> Result<(), Fault> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match state.as_ref() {
            Some((since, cause)) if since.elapsed() < PAUSE => Err(Fault::Broken(cause.clone())),
            Some(_) | None => Ok(()),
        }
    }

    /// Connecting has failed.
    pub(super) fn trip(&self, cause: &Fault) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), cause.to_string()));
    }

    /// There is a connection.
    pub(super) fn reset(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_left_alone_until_a_connection_was_made() {
        let breaker = Breaker::default();
        assert!(breaker.check().is_ok());
        breaker.trip(&Fault::Late);
        assert!(matches!(breaker.check(), Err(Fault::Broken(cause)) if cause == "no answer in time"));
        breaker.reset();
        assert!(breaker.check().is_ok());
    }
}
