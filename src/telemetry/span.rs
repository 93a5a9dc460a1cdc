//! What became of a request, for whoever keeps traces: handed over without waiting, and dropped where too much waits.
//!
//! Always here, so that the gateway is the same with and without the feature `otel`; without it nobody takes anything.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::Sender;

use super::metrics::{Counter, Decision};
use crate::clock::Timestamp;

/// How many numbers of 32 bits there are.
const NUMBERS: f64 = 4_294_967_296.0;

/// A request that was proxied, or refused. It holds no target, no header, and nothing of who asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// The trace.
    pub trace: [u8; 16],
    /// The sender's span, where it named one.
    pub parent: Option<[u8; 8]>,
    /// Ours.
    pub span: [u8; 8],
    /// When the head was there.
    pub began: Timestamp,
    /// Until the answer's end.
    pub spent: Duration,
    /// The method; `_OTHER` where it is none of HTTP's own.
    pub method: &'static str,
    /// The route's name.
    pub route: String,
    /// The request's own name.
    pub request_id: String,
    /// What was decided.
    pub decision: Decision,
    /// What went wrong, as a fixed word.
    pub code: Option<&'static str>,
    /// What was answered; 499 where nobody waited for it.
    pub status: u16,
    /// The app, where it was asked.
    pub asked: Option<Asked>,
}

/// The part of a request in which an app was asked, however often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The span that the app was told of.
    pub span: [u8; 8],
    /// How long after the head's arrival it began.
    pub after: Duration,
    /// The app's address, as the configuration has it.
    pub address: Option<Arc<str>>,
}

/// Where exchanges go.
#[derive(Clone, Default)]
pub struct Spans(Option<Arc<Keeper>>);

struct Keeper {
    queue: Sender<Exchange>,
    /// Of all numbers of 32 bits, those below are recorded.
    below: f64,
    dropped: Counter,
}

impl Spans {
    /// Nowhere.
    pub const fn off() -> Self {
        Self(None)
    }

    /// Into this queue, so many of all (0 to 1); those that find no room are counted.
    pub fn to(queue: Sender<Exchange>, share: f64, dropped: Counter) -> Self {
        Self(Some(Arc::new(Keeper { queue, below: share * NUMBERS, dropped })))
    }

    /// Is anything recorded at all?
    pub const fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Is a request recorded that chance has given this number?
    pub fn draws(&self, chance: u32) -> bool {
        self.0.as_ref().is_some_and(|keeper| f64::from(chance) < keeper.below)
    }

    /// It is over. Never waits.
    pub fn keep(&self, exchange: Exchange) {
        if let Some(keeper) = &self.0
            && keeper.queue.try_send(exchange).is_err()
        {
            keeper.dropped.add();
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;
    use crate::telemetry::Metrics;

    fn spans(share: f64) -> (Spans, mpsc::Receiver<Exchange>, Metrics) {
        let (metrics, (sender, receiver)) = (Metrics::new().unwrap(), mpsc::channel(1));
        (Spans::to(sender, share, metrics.spans("dropped")), receiver, metrics)
    }

    fn exchange() -> Exchange {
        Exchange {
            trace: [1; 16],
            parent: None,
            span: [2; 8],
            began: Timestamp::from_secs(1),
            spent: Duration::from_millis(1),
            method: "GET",
            route: "wiki".to_owned(),
            request_id: "one".to_owned(),
            decision: Decision::Admitted,
            code: None,
            status: 200,
            asked: None,
        }
    }

    #[test]
    fn chance_draws_the_share_that_is_wanted() {
        for (share, drawn, not) in [(0.0, None, Some(0)), (0.5, Some((1 << 31) - 1), Some(1 << 31)), (1.0, Some(u32::MAX), None)] {
            let (spans, ..) = spans(share);
            assert!(drawn.is_none_or(|chance| spans.draws(chance)), "{share}");
            assert!(not.is_none_or(|chance| !spans.draws(chance)), "{share}");
        }
        assert!(!Spans::off().draws(0) && !Spans::off().is_on());
    }

    #[test]
    fn what_finds_no_room_is_dropped_and_counted() {
        let (spans, mut kept, metrics) = spans(1.0);
        for _ in 0..3 {
            spans.keep(exchange());
        }
        assert_eq!(kept.try_recv().unwrap(), exchange());
        assert!(kept.try_recv().is_err());
        assert!(metrics.render().contains("doorward_spans_total{outcome=\"dropped\"} 2"));
    }
}
