//! Whether a request may be sent once more: only where it cannot be done twice, or where doing it twice is the same as once.

use http::Method;
use pingora::{Error, ErrorSource, ErrorType, RetryType};

/// What is known of a request whose upstream failed after a connection was there.
#[derive(Debug, Clone, Copy)]
pub(in crate::gateway) struct Trial<'a> {
    /// Its method.
    pub method: &'a Method,
    /// The client has seen the beginning of an answer.
    pub is_answered: bool,
    /// All of its body that was read is still there.
    pub is_whole: bool,
    /// The connection had served another request before.
    pub is_reused: bool,
    /// How often it was sent again.
    pub again: usize,
    /// How often it may be.
    pub retries: usize,
}

impl Trial<'_> {
    /// May it be sent once more?
    pub(in crate::gateway) fn may_go_again(&self, error: &Error) -> bool {
        if self.is_answered || !self.is_whole || *error.esource() != ErrorSource::Upstream {
            return false;
        }
        if is_unprocessed(error) {
            return true;
        }
        if !self.method.is_idempotent() || is_timeout(error) {
            // Who did not answer in time may still be at it, and the client has waited long enough.
            return false;
        }
        // The app closed a connection that was idle, at the moment when it was used: nobody's failure.
        // (Whether the framework has decided is looked at first: it panics when it is asked before.)
        let is_harmless = match error.retry {
            RetryType::ReusedOnly => self.is_reused,
            RetryType::Decided(is_harmless) => is_harmless,
        };
        is_harmless || (is_broken(error) && self.again < self.retries)
    }

    /// Did the address fail, or only a connection to it?
    pub(in crate::gateway) fn is_its_fault(&self, error: &Error) -> bool {
        *error.esource() == ErrorSource::Upstream
            && !self.is_answered
            && !is_unprocessed(error)
            && (is_timeout(error) || (is_broken(error) && !self.is_reused))
    }
}

/// Has the upstream said that it has not looked at the request: a refused stream, or one beyond the last of a connection that is
/// closing (RFC 9113 §8.7)? Then it may be sent again, whatever it does.
pub(in crate::gateway) fn is_unprocessed(error: &Error) -> bool {
    let Some(cause) = error.root_cause().downcast_ref::<h2::Error>() else { return false };
    let is_refused = cause.is_reset() && cause.reason() == Some(h2::Reason::REFUSED_STREAM);
    let is_beyond = cause.is_go_away() && cause.reason() == Some(h2::Reason::NO_ERROR);
    cause.is_remote() && (is_refused || is_beyond)
}

fn is_timeout(error: &Error) -> bool {
    matches!(error.etype(), ErrorType::ReadTimedout | ErrorType::WriteTimedout)
}

fn is_broken(error: &Error) -> bool {
    matches!(
        error.etype(),
        ErrorType::ReadError | ErrorType::WriteError | ErrorType::ConnectionClosed | ErrorType::H2Error | ErrorType::InvalidH2
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const REUSED: fn(&mut Error) = |error| error.retry = RetryType::ReusedOnly;

    #[expect(clippy::unnecessary_box_returns, reason = "the framework's errors are boxed everywhere")]
    fn error(kind: ErrorType, change: fn(&mut Error)) -> Box<Error> {
        let mut error = Error::new(kind).into_up();
        change(&mut error);
        error
    }

    fn trial(method: &Method) -> Trial<'_> {
        Trial { method, is_answered: false, is_whole: true, is_reused: false, again: 0, retries: 1 }
    }

    #[test]
    fn only_what_is_idempotent_goes_again() {
        let broken = error(ErrorType::ConnectionClosed, |_| ());
        for (method, expected) in
            [(Method::GET, true), (Method::PUT, true), (Method::DELETE, true), (Method::POST, false), (Method::PATCH, false)]
        {
            assert_eq!(trial(&method).may_go_again(&broken), expected, "{method}");
        }
    }

    #[test]
    fn it_goes_as_often_as_it_may() {
        let broken = error(ErrorType::ReadError, |_| ());
        for (again, retries, expected) in [(0, 0, false), (0, 1, true), (1, 1, false), (1, 2, true)] {
            assert_eq!(Trial { again, retries, ..trial(&Method::GET) }.may_go_again(&broken), expected);
        }
    }

    #[test]
    fn what_was_answered_or_lost_stays_where_it_is() {
        let broken = error(ErrorType::ReadError, |_| ());
        assert!(!Trial { is_answered: true, ..trial(&Method::GET) }.may_go_again(&broken));
        assert!(!Trial { is_whole: false, ..trial(&Method::GET) }.may_go_again(&broken));
        assert!(!trial(&Method::GET).may_go_again(&error(ErrorType::ReadTimedout, |_| ())));
        assert!(!trial(&Method::GET).may_go_again(&error(ErrorType::InvalidHTTPHeader, |_| ())));
        assert!(!trial(&Method::GET).may_go_again(&Error::new(ErrorType::ReadError).into_down()));
    }

    #[test]
    fn a_connection_that_was_closed_while_idle_counts_for_nothing() {
        let stale = error(ErrorType::ReadError, REUSED);
        let reused = Trial { is_reused: true, retries: 0, ..trial(&Method::GET) };
        assert!(reused.may_go_again(&stale) && !reused.is_its_fault(&stale));
        assert!(trial(&Method::GET).may_go_again(&stale) && !Trial { retries: 0, ..trial(&Method::GET) }.may_go_again(&stale));
        assert!(!Trial { is_reused: true, ..trial(&Method::POST) }.may_go_again(&stale));
        assert!(trial(&Method::GET).is_its_fault(&error(ErrorType::ReadError, |_| ())));
        assert!(reused.is_its_fault(&error(ErrorType::ReadTimedout, |_| ())));
    }

    #[test]
    fn what_the_upstream_has_not_looked_at_goes_again_whatever_it_does() {
        let refused: h2::Error = h2::Reason::REFUSED_STREAM.into();
        // Such an error of ours is not one of the upstream's.
        let ours = Error::because(ErrorType::H2Error, "test", refused).into_up();
        assert!(!is_unprocessed(&ours));
        assert!(!trial(&Method::POST).may_go_again(&ours));
    }
}
