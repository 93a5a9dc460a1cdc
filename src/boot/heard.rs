//! What happens in the domain, heard by the metrics.

use std::sync::Arc;
use std::time::Duration;

use crate::revocation::{Observer, Source};
use crate::signin::{Channel, Events, Means};
use crate::telemetry::{Counter, Metrics};
use crate::token::Lookups;

/// Counts what it hears.
pub struct Heard {
    metrics: Arc<Metrics>,
    by_redis: Counter,
    by_mirror: Counter,
    by_memory: Counter,
    by_ledger: Counter,
    known_tokens: Counter,
    unknown_tokens: Counter,
}

impl Heard {
    /// Into these metrics.
    pub fn new(metrics: &Arc<Metrics>) -> Self {
        Self {
            by_redis: metrics.revocation_checks_by(Source::Redis.word()),
            by_mirror: metrics.revocation_checks_by(Source::Mirror.word()),
            by_memory: metrics.revocation_checks_by(Source::Memory.word()),
            by_ledger: metrics.revocation_checks_by(Source::Ledger.word()),
            known_tokens: metrics.token_lookups(true),
            unknown_tokens: metrics.token_lookups(false),
            metrics: Arc::clone(metrics),
        }
    }
}

impl Observer for Heard {
    fn checked(&self, source: Source) {
        match source {
            Source::Redis => self.by_redis.add(),
            Source::Mirror => self.by_mirror.add(),
            Source::Memory => self.by_memory.add(),
            Source::Ledger => self.by_ledger.add(),
        }
    }

    fn revoked(&self, kind: &'static str) {
        self.metrics.revocation(kind);
    }

    fn lag(&self, lag: Duration) {
        self.metrics.revocation_lag(lag);
    }
}

impl Lookups for Heard {
    fn looked_up(&self, is_known: bool) {
        if is_known { self.known_tokens.add() } else { self.unknown_tokens.add() }
    }
}

impl Events for Heard {
    fn otp_verified(&self, channel: Option<Channel>, outcome: &'static str) {
        self.metrics.otp_verified(channel, outcome);
    }

    fn second_factor_verified(&self, means: Means, outcome: &'static str) {
        self.metrics.second_factor_verified(means, outcome);
    }

    fn refreshed(&self, outcome: &'static str) {
        self.metrics.refresh(outcome);
    }

    fn limited(&self, limit: &'static str) {
        self.metrics.limit_refusal(limit);
    }

    fn alarmed(&self, alarm: &'static str) {
        self.metrics.alarm(alarm);
    }
}
