//! Not asking a database that was just found gone, so that requests fail at once instead of queueing for it.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long nobody asks after a connection has failed: recovery is noticed this much later.
const PAUSE: Duration = Duration::from_millis(300);

/// The database did not answer a moment ago, and is left alone.
#[derive(Debug, thiserror::Error)]
#[error("the database did not answer a moment ago: {0}")]
pub(super) struct Broken(String);

/// Remembers that connecting has failed, and why. A std mutex: held for a copy, never across an await.
#[derive(Debug, Default)]
pub(super) struct Breaker(Mutex<Option<(Instant, String)>>);

impl Breaker {
    /// May the database be asked?
    ///
    /// # Errors
    /// When connecting failed less than a moment ago.
    pub(super) fn check(&self) -> Result<(), Broken> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match state.as_ref() {
            Some((since, cause)) if since.elapsed() < PAUSE => Err(Broken(cause.clone())),
            Some(_) | None => Ok(()),
        }
    }

    /// Connecting has failed.
    pub(super) fn trip(&self, cause: impl fmt::Display) {
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
        breaker.trip("no answer in time");
        assert!(matches!(breaker.check(), Err(Broken(cause)) if cause == "no answer in time"));
        breaker.reset();
        assert!(breaker.check().is_ok());
    }
}
