//! The circuit breaker: closed while Redis is whole; opened by the first failure; closed again by the prober alone.
//!
//! It knows no time: nobody but the prober waits. While it is open requests are told so at once, and ask the database.

use std::sync::atomic::{AtomicU64, Ordering};

/// Leave to use Redis, until the breaker opens next. Connections are kept as long as the pass they were opened with is good,
/// so that none outlives a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pass(u64);

impl Pass {
    /// Another number after each repair.
    pub(super) const fn era(self) -> u64 {
        self.0
    }
}

/// An even number: closed. An odd one: open. Each change adds one, so a failure that comes late, from before the last
/// repair, opens nothing.
#[derive(Debug)]
pub(super) struct Breaker(AtomicU64);

impl Breaker {
    /// Open: nobody knows yet whether there is a Redis.
    pub(super) const fn new() -> Self {
        Self(AtomicU64::new(1))
    }

    /// Leave to try, while it is closed.
    pub(super) fn pass(&self) -> Option<Pass> {
        let state = self.0.load(Ordering::Acquire);
        is_closed(state).then_some(Pass(state))
    }

    /// What was tried with `pass` failed. `true` when this opened it.
    pub(super) fn open(&self, pass: Pass) -> bool {
        is_closed(pass.0) && self.step(pass.0)
    }

    /// Redis answers writes. `true` when this closed it.
    pub(super) fn close(&self) -> bool {
        let state = self.0.load(Ordering::Acquire);
        !is_closed(state) && self.step(state)
    }

    pub(super) fn is_closed(&self) -> bool {
        is_closed(self.0.load(Ordering::Acquire))
    }

    fn step(&self, from: u64) -> bool {
        self.0.compare_exchange(from, from.wrapping_add(1), Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

const fn is_closed(state: u64) -> bool {
    state.is_multiple_of(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed() -> Breaker {
        let breaker = Breaker::new();
        breaker.close();
        breaker
    }

    #[test]
    fn it_is_open_until_redis_has_answered() {
        let breaker = Breaker::new();
        assert_eq!(breaker.pass(), None);
        assert!(breaker.close());
        assert!(breaker.pass().is_some() && breaker.is_closed());
    }

    #[test]
    fn the_first_failure_opens_it_and_the_others_of_that_moment_do_nothing() {
        let breaker = closed();
        let (first, second) = (breaker.pass().unwrap(), breaker.pass().unwrap());
        assert!(breaker.open(first));
        assert!(!breaker.open(second));
        assert!(!breaker.is_closed());
        assert_eq!(breaker.pass(), None);
    }

    #[test]
    fn a_failure_from_before_the_repair_does_not_open_it_again() {
        let breaker = closed();
        let late = breaker.pass().unwrap();
        breaker.open(late);
        breaker.close();
        assert!(!breaker.open(late));
        assert!(breaker.is_closed());
    }

    #[test]
    fn a_pass_from_before_the_repair_is_not_one_of_after_it() {
        let breaker = closed();
        let before = breaker.pass().unwrap();
        breaker.open(before);
        breaker.close();
        assert_ne!(breaker.pass(), Some(before));
    }

    #[test]
    fn closing_what_is_closed_does_nothing() {
        let breaker = closed();
        let pass = breaker.pass();
        assert!(!breaker.close());
        assert_eq!(breaker.pass(), pass);
    }
}
