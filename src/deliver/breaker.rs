//! A provider that does not answer is left alone for a while, so that messages do not wait for it one after another.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::NotSent;
use crate::clock::Timestamp;

/// So many messages in a row without an answer, and it is left alone.
const PATIENCE: u32 = 5;
/// For so long; then one message tries it.
const REST: Duration = Duration::from_secs(15);

/// What is known of a provider: does it answer?
#[derive(Debug, Default)]
pub(super) struct Breaker(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    silent: u32,
    rests_until: Timestamp,
}

impl Breaker {
    /// May it be tried `now`? Of those who ask after its rest one is told yes, and the others when that one was answered.
    pub(super) fn lets_through(&self, now: Timestamp) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.silent < PATIENCE {
            return true;
        }
        if now < seen.rests_until {
            return false;
        }
        seen.rests_until = now.plus(REST);
        true
    }

    /// Is it left alone?
    pub(super) fn is_resting(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).silent >= PATIENCE
    }

    /// It was tried; this came of it `now`. True when it is to be left alone from now on.
    pub(super) fn note(&self, came: &Result<(), NotSent>, now: Timestamp) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match came {
            Ok(()) | Err(NotSent::Later(_) | NotSent::Refused(_)) => {
                seen.silent = 0;
                false
            }
            Err(NotSent::Silent(_)) => {
                seen.silent = seen.silent.saturating_add(1);
                seen.rests_until = now.plus(REST);
                seen.silent == PATIENCE
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn silent() -> Result<(), NotSent> {
        Err(NotSent::Silent("timed out".to_owned()))
    }

    #[test]
    fn who_does_not_answer_is_left_alone_until_one_has_tried() {
        let breaker = Breaker::default();
        for nth in 1..=PATIENCE {
            assert!(breaker.lets_through(START), "{nth}");
            assert!(!breaker.is_resting());
            assert_eq!(breaker.note(&silent(), START), nth == PATIENCE);
        }
        assert!(breaker.is_resting());
        let end = START.plus(REST);
        assert!(!breaker.lets_through(START));
        assert!(!breaker.lets_through(end.minus(Duration::from_millis(1))));
        assert!(breaker.lets_through(end), "one tries");
        assert!(!breaker.lets_through(end), "and only one");
        breaker.note(&Ok(()), end);
        assert!(!breaker.is_resting());
        assert!(breaker.lets_through(end) && breaker.lets_through(end));
    }

    #[test]
    fn an_answer_is_an_answer_whatever_it_says() {
        let breaker = Breaker::default();
        for _ in 0..20 {
            breaker.note(&Err(NotSent::Later("HTTP 503".to_owned())), START);
            breaker.note(&Err(NotSent::Refused("HTTP 401".to_owned())), START);
            assert!(!breaker.note(&silent(), START));
            assert!(breaker.lets_through(START));
        }
    }
}
