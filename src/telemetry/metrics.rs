//! Counters, gauges and histograms in Prometheus' text form: what [`Metrics::render`] prints is what `/metrics` says.
//!
//! The only file that names prometheus. Others call methods in their own words; what a proxied request counts is resolved once
//! per route, in a [`RouteMetrics`], so that it costs no lookup.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{
    Encoder as _, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

use crate::clock::Timestamp;
use crate::signin::{Channel, Means};

/// Upper bounds of a decision's duration, in seconds: from memory, over Redis, to the database.
const ADMISSION: [f64; 12] = [0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.01, 0.05, 0.25, 1.0];
/// Upper bounds of a whole request's duration, in seconds.
const REQUEST: [f64; 13] = [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// Upper bounds of the time from a revocation's commit to its being in the index, in seconds.
const LAG: [f64; 9] = [0.000_5, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0];

/// Status codes are three digits: 100 to 999 have a place each.
const CODES: usize = 1000;

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It was let in, and went to the upstream.
    Admitted,
    /// It was refused.
    Refused,
    /// It could not be decided.
    Outage,
    /// One of our own endpoints answered it.
    Own,
}

impl Decision {
    const ALL: [Self; 4] = [Self::Admitted, Self::Refused, Self::Outage, Self::Own];

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admitted => "admitted",
            Self::Refused => "refused",
            Self::Outage => "outage",
            Self::Own => "own",
        }
    }
}

/// What becomes of most requests, and what an operator is woken for.
const USUAL: [(Decision, &str); 4] =
    [(Decision::Admitted, "200"), (Decision::Refused, "401"), (Decision::Refused, "403"), (Decision::Outage, "503")];

/// What became of codes that let nobody in.
const TRIED_IN_VAIN: [&str; 3] = ["wrong", "exhausted", "nothing"];

/// What became of refresh tokens.
const REFRESHED: [&str; 6] = ["rotated", "concurrent", "ended", "expired", "reused", "unknown"];

/// What is revoked.
const REVOKED: [&str; 3] = ["token", "session", "account"];

/// Who makes people wait.
const LIMITS: [&str; 13] = [
    "attempts",
    "attempts_per_network",
    "codes_per_address",
    "codes_per_network",
    "resend_after",
    "sms_countries",
    "sms_per_day",
    "sms_prefix",
    "app_codes",
    "app_email",
    "app_sms",
    "app_whatsapp",
    "app_verifications",
];

/// What an operator should look at.
const ALARMS: [&str; 3] = ["sms_breaker_opened", "sms_cap_near", "sms_cap_reached"];

/// A metric has a name that is taken, or none that Prometheus allows: a mistake in this file.
#[derive(Debug, thiserror::Error)]
#[error("the metrics cannot be registered: {0}")]
pub struct NotRegistered(#[from] prometheus::Error);

/// All that is counted in this process.
pub struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    request_duration: HistogramVec,
    admission_duration: Histogram,
    otp_sent: IntCounterVec,
    otp_verified: IntCounterVec,
    refresh: IntCounterVec,
    revocations: IntCounterVec,
    revocation_lag: Histogram,
    revocation_checks: IntCounterVec,
    token_cache: IntCounterVec,
    reserved_headers: IntCounter,
    limit_refusals: IntCounterVec,
    alarms: IntCounterVec,
    upstream_up: IntGaugeVec,
    store_up: IntGauge,
    redis_up: IntGauge,
    streams_open: IntGauge,
    streams_cut: IntCounter,
    config_reloaded: IntGauge,
    app_routes: IntGaugeVec,
    certificate_expiry: IntGaugeVec,
    connections_open: IntGauge,
    connections_refused: IntCounterVec,
    spans: IntCounterVec,
}

impl Metrics {
    /// All at nothing.
    ///
    /// # Errors
    /// Never with the names in this file; a test holds it.
    pub fn new() -> Result<Self, NotRegistered> {
        let registry = Registry::new();
        let r = &registry;
        let build = keep(r, IntGaugeVec::new(named("build_info", "The version that runs; always 1."), &["version"])?)?;
        build.get_metric_with_label_values(&[env!("CARGO_PKG_VERSION")])?.set(1);
        let metrics = Self {
            requests: counters(r, "requests_total", "Requests that were answered.", &["route", "decision", "code"])?,
            request_duration: keep(
                r,
                HistogramVec::new(
                    buckets("request_duration_seconds", "From the head's arrival to the answer's end.", &REQUEST),
                    &["route"],
                )?,
            )?,
            admission_duration: histogram(r, "admission_duration_seconds", "From the head's arrival to the decision.", &ADMISSION)?,
            otp_sent: counters(r, "otp_sent_total", "Messages with codes, by what became of them.", &["channel", "provider", "outcome"])?,
            otp_verified: counters(r, "otp_verified_total", "Codes that were tried.", &["channel", "outcome"])?,
            refresh: counters(r, "refresh_total", "Refresh tokens that were presented.", &["outcome"])?,
            revocations: counters(r, "revocations_total", "Revocations committed here.", &["kind"])?,
            revocation_lag: histogram(r, "revocation_lag_seconds", "From a revocation's commit to its being in the index.", &LAG)?,
            revocation_checks: counters(r, "revocation_checks_total", "Checks of revocation, by who answered.", &["source"])?,
            token_cache: counters(r, "token_cache_total", "Access tokens that were presented, by whether they were known.", &["outcome"])?,
            reserved_headers: counter(r, "reserved_headers_removed_total", "Headers of clients that bore a name of ours.")?,
            limit_refusals: counters(r, "limit_refusals_total", "Refusals by a limit.", &["limit"])?,
            alarms: counters(r, "alarms_total", "What an operator should look at; the log says more.", &["alarm"])?,
            upstream_up: keep(
                r,
                IntGaugeVec::new(named("upstream_up", "1 while an upstream's address takes connections."), &["route", "address"])?,
            )?,
            store_up: gauge(r, "store_up", "1 while the database answers.")?,
            redis_up: gauge(r, "redis_up", "1 while Redis answers and is whole.")?,
            streams_open: gauge(r, "streams_open", "WebSockets and other tunnels that are open.")?,
            streams_cut: counter(r, "streams_cut_total", "Open streams that were cut because their session was revoked.")?,
            app_routes: keep(
                r,
                IntGaugeVec::new(
                    named("app_routes", "Routes that registered apps bring: those that count, and those that are left out."),
                    &["state"],
                )?,
            )?,
            config_reloaded: good_at_start(gauge(
                r,
                "config_last_reload_success",
                "1 while the last reading of the configuration was good.",
            )?),
            certificate_expiry: keep(
                r,
                IntGaugeVec::new(named("certificate_expiry_seconds", "When the certificate for a name expires, in Unix time."), &["name"])?,
            )?,
            connections_open: gauge(r, "connections_open", "Connections to the public listeners.")?,
            connections_refused: counters(r, "connections_refused_total", "Connections that were closed before a request.", &["reason"])?,
            spans: counters(
                r,
                "spans_total",
                "Requests that were recorded for OpenTelemetry, by what became of the record.",
                &["outcome"],
            )?,
            registry,
        };
        metrics.begin();
        Ok(metrics)
    }

    /// What can be counted is there from the start, with nothing: who asks by how much it has grown sees the first time too.
    fn begin(&self) {
        for channel in [Channel::Email, Channel::Sms, Channel::Whatsapp] {
            at_nothing(&self.otp_verified, channel.as_str(), &["verified"]);
            self.expects(channel, "none", &["dropped", "expired"]);
        }
        at_nothing(&self.otp_verified, "none", &TRIED_IN_VAIN);
        for means in [Means::Totp, Means::RecoveryCode] {
            at_nothing(&self.otp_verified, means.channel(), &TRIED_IN_VAIN);
            at_nothing(&self.otp_verified, means.channel(), &["verified", "replayed"]);
        }
        for (counters, words) in [
            (&self.refresh, &REFRESHED[..]),
            (&self.revocations, &REVOKED[..]),
            (&self.limit_refusals, &LIMITS[..]),
            (&self.alarms, &ALARMS[..]),
        ] {
            for word in words {
                drop(counters.get_metric_with_label_values(&[*word]));
            }
        }
    }

    /// There is a provider of this name.
    pub fn provider(&self, channel: Channel, provider: &str) {
        self.expects(channel, provider, &["sent", "deferred", "refused", "skipped"]);
    }

    fn expects(&self, channel: Channel, provider: &str, outcomes: &[&str]) {
        for outcome in outcomes {
            drop(self.otp_sent.get_metric_with_label_values(&[channel.as_str(), provider, outcome]));
        }
    }

    /// All of it, in Prometheus' text form.
    pub fn render(&self) -> String {
        let mut text = Vec::new();
        // Writing to memory fails for a metric without a name alone, and those were refused when they were registered.
        let encoded = TextEncoder::new().encode(&self.registry.gather(), &mut text);
        debug_assert!(encoded.is_ok());
        String::from_utf8_lossy(&text).into_owned()
    }

    /// What the requests of the route `name` count. The usual answers are there from the start.
    pub fn route(&self, name: &str) -> RouteMetrics {
        for (decision, code) in USUAL {
            drop(self.requests.get_metric_with_label_values(&[name, decision.as_str(), code]));
        }
        RouteMetrics {
            name: name.into(),
            requests: self.requests.clone(),
            counts: Decision::ALL.map(|_| std::iter::repeat_with(OnceLock::new).take(CODES).collect()),
            duration: self.request_duration.get_metric_with_label_values(&[name]).ok(),
            admission: self.admission_duration.clone(),
        }
    }

    /// Counts what became of recorded requests: `exported`, `failed`, or `dropped` where too many waited.
    pub fn spans(&self, outcome: &str) -> Counter {
        Counter(self.spans.get_metric_with_label_values(&[outcome]).ok())
    }

    /// A message went to a provider: `sent`, `deferred`, `refused`; or, with provider `none`, `dropped` or `expired`.
    pub fn otp_sent(&self, channel: Channel, provider: &str, outcome: &str) {
        count(&self.otp_sent, &[channel.as_str(), provider, outcome]);
    }

    /// A code was tried.
    pub fn otp_verified(&self, channel: Option<Channel>, outcome: &str) {
        count(&self.otp_verified, &[channel.map_or("none", Channel::as_str), outcome]);
    }

    /// A second factor was shown.
    pub fn second_factor_verified(&self, means: Means, outcome: &str) {
        count(&self.otp_verified, &[means.channel(), outcome]);
    }

    /// A refresh token was presented.
    pub fn refresh(&self, outcome: &str) {
        debug_assert!(REFRESHED.contains(&outcome), "{outcome} is not there from the start");
        count(&self.refresh, &[outcome]);
    }

    /// Something was revoked: `token`, `session`, `account`.
    pub fn revocation(&self, kind: &str) {
        debug_assert!(REVOKED.contains(&kind), "{kind} is not there from the start");
        count(&self.revocations, &[kind]);
    }

    /// So long after its commit a revocation was in the index.
    pub fn revocation_lag(&self, lag: Duration) {
        self.revocation_lag.observe(lag.as_secs_f64());
    }

    /// Revocation was checked; `source` answered: `redis`, `mirror`, `memory`, `database`.
    pub fn revocation_check(&self, source: &str) {
        count(&self.revocation_checks, &[source]);
    }

    /// The counter of checks that `source` answers: for who counts one on every request.
    pub fn revocation_checks_by(&self, source: &str) -> Counter {
        Counter(self.revocation_checks.get_metric_with_label_values(&[source]).ok())
    }

    /// The counter of access tokens that were known, or not: for who counts one on every request.
    pub fn token_lookups(&self, is_known: bool) -> Counter {
        Counter(self.token_cache.get_metric_with_label_values(&[if is_known { "hit" } else { "miss" }]).ok())
    }

    /// So many headers of a client bore a name of ours.
    pub fn reserved_headers_removed(&self, headers: usize) {
        self.reserved_headers.inc_by(u64::try_from(headers).unwrap_or(u64::MAX));
    }

    /// These certificates are served, and no others. Where two are for one name, the one that expires first is told.
    pub fn certificates<'a>(&self, expiries: impl Iterator<Item = (&'a str, Timestamp)>) {
        self.certificate_expiry.reset();
        for (name, expires) in expiries {
            let Ok(gauge) = self.certificate_expiry.get_metric_with_label_values(&[name]) else { continue };
            let told = Some(gauge.get()).filter(|told| *told != 0);
            gauge.set(told.map_or(expires.as_secs(), |told| told.min(expires.as_secs())));
        }
    }

    /// So many more connections are open; fewer, when negative.
    pub fn connections(&self, more: i64) {
        self.connections_open.add(more);
    }

    /// A connection was closed before its first request: `connections`, `connections_per_address`, `proxy_protocol`,
    /// `handshake`, `handshake_timeout`.
    pub fn connection_refused(&self, reason: &str) {
        count(&self.connections_refused, &[reason]);
    }

    /// `limit` refused somebody.
    pub fn limit_refusal(&self, limit: &str) {
        debug_assert!(LIMITS.contains(&limit), "{limit} is not there from the start");
        count(&self.limit_refusals, &[limit]);
    }

    /// An operator should look: `sms_breaker_opened`, `sms_cap_near`, `sms_cap_reached`.
    pub fn alarm(&self, alarm: &str) {
        debug_assert!(ALARMS.contains(&alarm), "{alarm} is not there from the start");
        count(&self.alarms, &[alarm]);
    }

    /// The upstream's address takes connections, or not.
    pub fn upstream_up(&self, route: &str, address: &str, up: bool) {
        if let Ok(gauge) = self.upstream_up.get_metric_with_label_values(&[route, address]) {
            gauge.set(i64::from(up));
        }
    }

    /// The address is none of the route's any more: nothing is said of it.
    pub fn upstream_gone(&self, route: &str, address: &str) {
        // Nothing was ever said of one that no request has reached.
        drop(self.upstream_up.remove_label_values(&[route, address]));
    }

    /// So many routes of apps count, and so many are left out.
    pub fn app_routes(&self, live: usize, left_out: usize) {
        for (state, count) in [("live", live), ("left_out", left_out)] {
            if let Ok(gauge) = self.app_routes.get_metric_with_label_values(&[state]) {
                gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
            }
        }
    }

    /// The configuration was read again, and was good, or not.
    pub fn config_reloaded(&self, good: bool) {
        self.config_reloaded.set(i64::from(good));
    }

    /// The database answers, or not.
    pub fn store_up(&self, up: bool) {
        self.store_up.set(i64::from(up));
    }

    /// Redis answers and is whole, or not.
    pub fn redis_up(&self, up: bool) {
        self.redis_up.set(i64::from(up));
    }

    /// A tunnel is open until what is returned is dropped.
    #[must_use]
    pub fn stream_opened(&self) -> OpenStream {
        self.streams_open.inc();
        OpenStream(self.streams_open.clone())
    }

    /// A stream was cut: its session is revoked.
    pub fn stream_cut(&self) {
        self.streams_cut.inc();
    }
}

/// What the requests of one route count: resolved once, and shared by its requests.
pub struct RouteMetrics {
    name: Arc<str>,
    requests: IntCounterVec,
    counts: [Box<[OnceLock<Option<IntCounter>>]>; 4],
    duration: Option<Histogram>,
    admission: Histogram,
}

impl RouteMetrics {
    /// A request was answered with `code` after `duration`.
    pub fn request(&self, decision: Decision, code: u16, duration: Duration) {
        if let Some(counter) = self.counter(decision, code) {
            counter.inc();
        }
        if let Some(histogram) = &self.duration {
            histogram.observe(duration.as_secs_f64());
        }
    }

    /// A decision took `duration`.
    pub fn admission(&self, duration: Duration) {
        self.admission.observe(duration.as_secs_f64());
    }

    fn counter(&self, decision: Decision, code: u16) -> Option<&IntCounter> {
        let [admitted, refused, outage, own] = &self.counts;
        let counts = match decision {
            Decision::Admitted => admitted,
            Decision::Refused => refused,
            Decision::Outage => outage,
            Decision::Own => own,
        };
        let resolve = || {
            let labels = [self.name.as_ref(), decision.as_str(), &code.to_string()];
            self.requests.get_metric_with_label_values(&labels).ok()
        };
        counts.get(usize::from(code))?.get_or_init(resolve).as_ref()
    }
}

/// One counter, resolved.
#[derive(Clone)]
pub struct Counter(Option<IntCounter>);

impl Counter {
    /// One more.
    pub fn add(&self) {
        self.add_many(1);
    }

    /// So many more.
    pub fn add_many(&self, number: usize) {
        if let Some(counter) = &self.0 {
            counter.inc_by(u64::try_from(number).unwrap_or(u64::MAX));
        }
    }
}

/// A tunnel that is open.
pub struct OpenStream(IntGauge);

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.dec();
    }
}

fn count(counters: &IntCounterVec, labels: &[&str]) {
    let counter = counters.get_metric_with_label_values(labels);
    debug_assert!(counter.is_ok(), "{labels:?}");
    if let Ok(counter) = counter {
        counter.inc();
    }
}

fn at_nothing(counters: &IntCounterVec, first: &str, outcomes: &[&str]) {
    for outcome in outcomes {
        drop(counters.get_metric_with_label_values(&[first, *outcome]));
    }
}

fn named(name: &str, help: &str) -> Opts {
    Opts::new(name, help).namespace("doorward")
}

fn buckets(name: &str, help: &str, bounds: &[f64]) -> HistogramOpts {
    HistogramOpts::new(name, help).namespace("doorward").buckets(bounds.to_vec())
}

fn counter(registry: &Registry, name: &str, help: &str) -> Result<IntCounter, NotRegistered> {
    keep(registry, IntCounter::with_opts(named(name, help))?)
}

fn counters(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> Result<IntCounterVec, NotRegistered> {
    keep(registry, IntCounterVec::new(named(name, help), labels)?)
}

fn gauge(registry: &Registry, name: &str, help: &str) -> Result<IntGauge, NotRegistered> {
    keep(registry, IntGauge::with_opts(named(name, help))?)
}

fn histogram(registry: &Registry, name: &str, help: &str, bounds: &[f64]) -> Result<Histogram, NotRegistered> {
    keep(registry, Histogram::with_opts(buckets(name, help, bounds))?)
}

fn good_at_start(gauge: IntGauge) -> IntGauge {
    gauge.set(1);
    gauge
}

fn keep<C: Collector + Clone + 'static>(registry: &Registry, collector: C) -> Result<C, NotRegistered> {
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_printed() {
        let metrics = Metrics::new().unwrap();
        let wiki = metrics.route("wiki");
        wiki.request(Decision::Admitted, 200, Duration::from_millis(3));
        wiki.request(Decision::Admitted, 200, Duration::from_millis(3));
        wiki.request(Decision::Refused, 401, Duration::from_millis(1));
        wiki.admission(Duration::from_micros(30));
        metrics.otp_sent(Channel::Email, "smtp", "sent");
        metrics.limit_refusal("codes_per_network");
        metrics.redis_up(true);
        let stream = metrics.stream_opened();
        let text = metrics.render();
        for line in [
            "doorward_requests_total{code=\"200\",decision=\"admitted\",route=\"wiki\"} 2",
            "doorward_requests_total{code=\"401\",decision=\"refused\",route=\"wiki\"} 1",
            "doorward_request_duration_seconds_count{route=\"wiki\"} 3",
            "doorward_admission_duration_seconds_bucket{le=\"0.00005\"} 1",
            "doorward_otp_sent_total{channel=\"email\",outcome=\"sent\",provider=\"smtp\"} 1",
            "doorward_limit_refusals_total{limit=\"codes_per_network\"} 1",
            "doorward_redis_up 1",
            "doorward_store_up 0",
            "doorward_streams_open 1",
        ] {
            assert!(text.lines().any(|printed| printed == line), "{line} is not in\n{text}");
        }
        drop(stream);
        assert!(metrics.render().contains("doorward_streams_open 0\n"));
    }

    #[test]
    fn a_code_that_is_none_counts_nothing() {
        let metrics = Metrics::new().unwrap();
        let wiki = metrics.route("wiki");
        let before = metrics.render();
        wiki.request(Decision::Own, 1000, Duration::ZERO);
        let counters =
            |text: &str| text.lines().filter(|line| line.starts_with("doorward_requests_total{")).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(counters(&metrics.render()), counters(&before));
    }
}
