//! How an address does: what requests find out in passing, and what it says when it is asked.
//!
//! Three failures in a row take it out, for two seconds the first time, longer each time after. Then it is on trial: one request
//! at a time, until one succeeds. Nothing of this refuses a request: an upstream all of whose addresses are out is tried.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Endpoint;
use crate::telemetry::Metrics;

/// So many failures in a row take an address out.
const PATIENCE: u32 = 3;
/// For how long, the first time and at most.
const SHORTEST: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_secs(60);
/// A whole share, in parts.
const WHOLE: u32 = 10;

/// Whether an address takes everybody, one at a time, or has one right now.
const OPEN: u8 = 0;
const ON_TRIAL: u8 = 1;
const TRIED: u8 = 2;

/// How a request failed at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::gateway) enum Failure {
    /// It took no connection.
    Connect,
    /// It broke off before it answered, or did not answer in time.
    Answer,
}

/// How one address of a route does. It outlives a configuration in which the address stays.
pub(super) struct Health {
    route: Arc<str>,
    label: Arc<str>,
    /// Failures in a row.
    failures: AtomicU32,
    trial: AtomicU8,
    /// What the metric says.
    shown: Mutex<bool>,
    /// The same, for who only wants to know that it is good.
    is_shown_up: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Until when it is out.
    until: Option<Instant>,
    /// How often in a row it was taken out.
    outs: u32,
    /// Since when it is back.
    back: Option<Instant>,
    /// What its own answers say.
    is_ill: bool,
    /// So many answers in a row said something else.
    streak: u32,
    /// The log has said that it is gone.
    is_told: bool,
    /// It is no address of the route any more.
    is_retired: bool,
}

impl Health {
    /// Of an address of which nothing is known: it is taken to be well, and shown so.
    pub(super) fn new(route: &Arc<str>, label: &Arc<str>, metrics: &Metrics) -> Self {
        metrics.upstream_up(route, label, true);
        Self {
            route: Arc::clone(route),
            label: Arc::clone(label),
            failures: AtomicU32::new(0),
            trial: AtomicU8::new(OPEN),
            shown: Mutex::new(true),
            is_shown_up: AtomicBool::new(true),
            state: Mutex::default(),
        }
    }

    /// Should requests go there?
    pub(super) fn is_well(&self, now: Instant) -> bool {
        let state = self.state();
        !state.is_ill && state.until.is_none_or(|until| until <= now)
    }

    /// Its share in tenths: who comes back starts with one, and has the whole after `slow_start`.
    pub(super) fn share(&self, slow_start: Option<Duration>, now: Instant) -> u32 {
        let (Some(span), Some(back)) = (slow_start, self.state().back) else { return WHOLE };
        let passed = now.saturating_duration_since(back).as_millis().saturating_mul(u128::from(WHOLE));
        u32::try_from(passed / span.as_millis().max(1)).unwrap_or(WHOLE).clamp(1, WHOLE)
    }

    /// When something about it changes by itself, after `now`: it is no longer out, or has another share.
    pub(super) fn due(&self, slow_start: Option<Duration>, now: Instant) -> Option<Instant> {
        let is_starting = self.is_starting(slow_start, now);
        let step = slow_start.filter(|_| is_starting).map(|span| now + (span / WHOLE).max(Duration::from_millis(10)));
        self.state().until.into_iter().chain(step).min()
    }

    /// Has it less than its share?
    pub(super) fn is_starting(&self, slow_start: Option<Duration>, now: Instant) -> bool {
        self.share(slow_start, now) < WHOLE
    }

    /// Who was out long enough is on trial. True when that changed something.
    pub(super) fn wake(&self, now: Instant) -> bool {
        let mut state = self.state();
        let is_over = state.until.is_some_and(|until| until <= now);
        if is_over {
            state.until = None;
            self.trial.store(ON_TRIAL, Ordering::Release);
        }
        is_over
    }

    /// It answered a request. True when the pool should be made again.
    fn succeeded(&self, metrics: &Metrics, now: Instant) -> bool {
        let is_quiet = self.failures.load(Ordering::Relaxed) == 0 && self.trial.load(Ordering::Relaxed) == OPEN;
        if is_quiet && self.is_shown_up.load(Ordering::Relaxed) {
            return false;
        }
        self.failures.store(0, Ordering::Relaxed);
        let was_on_trial = self.trial.swap(OPEN, Ordering::AcqRel) != OPEN;
        let mut state = self.state();
        let was_out = state.until.take().is_some();
        if was_on_trial || was_out {
            state.outs = 0;
            state.back = Some(now);
        }
        if !state.is_ill {
            self.returns(&mut state, metrics);
        }
        was_on_trial || was_out
    }

    /// A request failed there. True when the pool should be made again.
    fn failed(&self, metrics: &Metrics, failure: Failure, now: Instant) -> bool {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        let was_on_trial = self.trial.swap(OPEN, Ordering::AcqRel) != OPEN;
        let mut state = self.state();
        if failure == Failure::Connect {
            self.show_unless_retired(&state, metrics, false);
        }
        let is_out = state.until.is_some_and(|until| until > now);
        if is_out || (failures < PATIENCE && !was_on_trial) {
            return false;
        }
        let span = SHORTEST.saturating_mul(1_u32.checked_shl(state.outs.min(10)).unwrap_or(u32::MAX)).min(LONGEST);
        state.until = Some(now + span);
        state.outs = state.outs.saturating_add(1);
        self.goes(&mut state, metrics, "its last requests failed");
        true
    }

    /// It was asked, and answered well or not; so many answers in a row count. True when the pool should be made again.
    pub(super) fn answered(&self, metrics: &Metrics, is_good: bool, needed: u32, now: Instant) -> bool {
        let mut state = self.state();
        if is_good != state.is_ill {
            // As before.
            state.streak = 0;
            if is_good && self.failures.load(Ordering::Relaxed) == 0 {
                self.show_unless_retired(&state, metrics, true);
            }
            return false;
        }
        state.streak = state.streak.saturating_add(1);
        if state.streak < needed {
            return false;
        }
        state.streak = 0;
        state.is_ill = !is_good;
        if !is_good {
            self.goes(&mut state, metrics, "its last checks failed");
            return true;
        }
        self.failures.store(0, Ordering::Relaxed);
        state.until = None;
        state.outs = 0;
        state.back = Some(now);
        self.returns(&mut state, metrics);
        true
    }

    /// It is asked no longer: what it answered does not count.
    pub(super) fn forget_checks(&self) {
        let mut state = self.state();
        state.is_ill = false;
        state.streak = 0;
    }

    /// It is no address of the route any more.
    pub(super) fn retire(&self, metrics: &Metrics) {
        self.state().is_retired = true;
        metrics.upstream_gone(&self.route, &self.label);
    }

    fn goes(&self, state: &mut State, metrics: &Metrics, why: &str) {
        self.show_unless_retired(state, metrics, false);
        if !std::mem::replace(&mut state.is_told, true) {
            tracing::warn!(
                route.name = %self.route, upstream.address = %self.label,
                "the address {} of route {} is out: {why}", self.label, self.route
            );
        }
    }

    fn returns(&self, state: &mut State, metrics: &Metrics) {
        self.show_unless_retired(state, metrics, true);
        if std::mem::take(&mut state.is_told) {
            tracing::info!(
                route.name = %self.route, upstream.address = %self.label,
                "the address {} of route {} is back", self.label, self.route
            );
        }
    }

    fn show_unless_retired(&self, state: &State, metrics: &Metrics, is_up: bool) {
        if !state.is_retired {
            self.show(metrics, is_up);
        }
    }

    fn show(&self, metrics: &Metrics, is_up: bool) {
        let mut shown = self.shown();
        if *shown != is_up {
            *shown = is_up;
            self.is_shown_up.store(is_up, Ordering::Relaxed);
            metrics.upstream_up(&self.route, &self.label, is_up);
        }
    }

    fn shown(&self) -> MutexGuard<'_, bool> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One request at one address. Where that is on trial, nobody else goes there meanwhile.
pub(in crate::gateway) struct Attempt {
    /// The address.
    pub endpoint: Arc<Endpoint>,
    holds_trial: bool,
}

impl Attempt {
    /// At an address that is free: not, when it is on trial and has somebody.
    pub(super) fn begin(endpoint: &Arc<Endpoint>) -> Option<Self> {
        let trial = &endpoint.health.trial;
        if trial.load(Ordering::Relaxed) == OPEN {
            return Some(Self::anyway(endpoint));
        }
        let taken = trial.compare_exchange(ON_TRIAL, TRIED, Ordering::AcqRel, Ordering::Acquire);
        taken.ok().map(|_| Self { endpoint: Arc::clone(endpoint), holds_trial: true })
    }

    /// At an address, whoever else is there.
    pub(super) fn anyway(endpoint: &Arc<Endpoint>) -> Self {
        Self { endpoint: Arc::clone(endpoint), holds_trial: false }
    }

    pub(super) fn succeeded(&mut self, metrics: &Metrics, now: Instant) -> bool {
        self.holds_trial = false;
        self.endpoint.health.succeeded(metrics, now)
    }

    pub(super) fn failed(&mut self, metrics: &Metrics, failure: Failure, now: Instant) -> bool {
        self.holds_trial = false;
        self.endpoint.health.failed(metrics, failure, now)
    }
}

impl Drop for Attempt {
    /// Nobody found out (the client left): the next one may try.
    fn drop(&mut self) {
        if self.holds_trial {
            let trial = &self.endpoint.health.trial;
            // Nothing to do where somebody else has found out meanwhile.
            trial.compare_exchange(TRIED, ON_TRIAL, Ordering::AcqRel, Ordering::Acquire).ok();
        }
    }
}
