//! Where a route's requests go: which of its addresses takes the next one, and what is learned from how that went.
//!
//! ```text
//! names ─▶ endpoints ─▶ pool (who is well, in which order) ─▶ a request takes one ─▶ what became of it ─▶ health
//! keeper: resolves again, asks addresses whether they are well, brings back who was out
//! ```
//!
//! A request only reads the pool, which is replaced whole when something changes; it waits for no lock.

mod endpoint;
mod health;
mod keeper;
mod names;
mod pool;
mod probe;
mod retry;
mod trust;

use std::collections::HashMap;
use std::hash::{Hash as _, Hasher as _};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;

use crate::admission::{Balance, Destination, Protocol, Route};
use crate::telemetry::Metrics;

pub(super) use endpoint::{Endpoint, KEPT_FOR, Manner, PROBES};
pub(super) use health::{Attempt, Failure};
pub(super) use keeper::Keepers;
pub(super) use retry::{Trial, is_unprocessed};
pub use trust::Trusts;

use endpoint::Common;
use health::Health;
use names::Names;
use pool::Pool;

/// How long a request waits for another to end, where the route has as many as it may have.
const QUEUE: Duration = Duration::from_secs(1);

/// Why a request has nowhere to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Nowhere {
    /// None of the names has an address.
    #[error("no address of the route's upstream could be found")]
    NoAddress,
    /// As many requests are there as the route allows.
    #[error("the route has as many requests at its upstream as it may have")]
    Busy,
    /// Every address has been tried.
    #[error("every address of the route's upstream has been tried")]
    Exhausted,
}

/// The upstream of one route.
pub(super) struct Upstream {
    route: Arc<str>,
    destination: Destination,
    names: Names,
    common: Common,
    metrics: Arc<Metrics>,
    /// The addresses that are there, and what is known of them.
    roster: Mutex<Roster>,
    pool: ArcSwap<Pool>,
    turn: AtomicUsize,
    /// Every name was looked up at least once.
    ready: watch::Sender<bool>,
    places: Option<Arc<Semaphore>>,
    /// Something has changed that the keeper should look at.
    changed: tokio::sync::Notify,
    connect_timeout: Duration,
}

#[derive(Default)]
struct Roster {
    endpoints: Vec<Arc<Endpoint>>,
    health: HashMap<Arc<str>, Arc<Health>>,
}

impl Upstream {
    /// Of a route. What `before` (the same route's, of a configuration that is replaced) knows of addresses is kept.
    pub(super) fn new(route: &Route, trusts: &Trusts, metrics: &Arc<Metrics>, before: Option<&Self>) -> Self {
        let destination = route.destination.clone();
        let mut health = before.map(|before| before.roster().health.clone()).unwrap_or_default();
        if destination.health.is_none() {
            for health in health.values_mut() {
                health.forget_checks();
            }
        }
        let names = Names::new(&destination.addresses, before.map(|before| &before.names));
        let upstream = Self {
            route: route.name.as_str().into(),
            common: Common::new(route, trusts.of(&route.name)),
            names,
            metrics: Arc::clone(metrics),
            roster: Mutex::new(Roster { endpoints: Vec::new(), health }),
            pool: ArcSwap::from_pointee(Pool::default()),
            turn: AtomicUsize::new(0),
            ready: watch::Sender::new(false),
            places: places(&destination, before),
            changed: tokio::sync::Notify::new(),
            connect_timeout: route.connect_timeout,
            destination,
        };
        upstream.enrol();
        upstream.ready.send_replace(upstream.names.are_known());
        upstream
    }

    /// A place among the requests at this upstream; `None` where there is no bound. Waits for a second at most.
    ///
    /// # Errors
    /// [`Nowhere::Busy`].
    pub(super) async fn enter(&self) -> Result<Option<OwnedSemaphorePermit>, Nowhere> {
        let Some(places) = &self.places else { return Ok(None) };
        if let Ok(place) = Arc::clone(places).try_acquire_owned() {
            return Ok(Some(place));
        }
        let waited = timeout(QUEUE, Arc::clone(places).acquire_owned()).await;
        waited.ok().and_then(Result::ok).map(Some).ok_or(Nowhere::Busy)
    }

    /// The address for a request, other than those that it has `tried`. `whose` says who asks, and is called only where that
    /// decides.
    ///
    /// # Errors
    /// [`Nowhere`] when there is none.
    pub(super) async fn choose(&self, whose: impl Fn() -> u64, tried: &[Arc<Endpoint>]) -> Result<Attempt, Nowhere> {
        if self.pool.load().is_empty() {
            // The first requests after the start: nobody has looked the names up yet.
            drop(timeout(self.connect_timeout, self.ready.subscribe().wait_for(|ready| *ready)).await);
        }
        let pool = self.pool.load();
        if pool.is_empty() {
            return Err(Nowhere::NoAddress);
        }
        let chosen = match self.destination.balance {
            Balance::RoundRobin => pool.next(self.turn.fetch_add(1, Ordering::Relaxed), tried),
            Balance::Consistent => pool.home(whose(), tried),
        };
        chosen.ok_or(Nowhere::Exhausted)
    }

    /// Is there an address that was not tried?
    pub(super) fn has_another(&self, tried: &[Arc<Endpoint>]) -> bool {
        self.pool.load().has_another(tried)
    }

    /// The address has begun to answer.
    pub(super) fn succeeded(&self, attempt: &mut Attempt) {
        if attempt.succeeded(&self.metrics, Instant::now()) {
            self.recompute();
        }
    }

    /// The address did not answer.
    pub(super) fn failed(&self, attempt: &mut Attempt, failure: Failure) {
        if attempt.failed(&self.metrics, failure, Instant::now()) {
            self.recompute();
        }
    }

    /// Do all of its addresses speak HTTP/1 without TLS?
    pub(super) fn is_plain(&self) -> bool {
        self.destination.addresses.iter().all(|address| address.protocol == Protocol::Http)
    }

    /// How often an idempotent request may be sent again.
    pub(super) const fn retries(&self) -> usize {
        self.destination.retries
    }

    /// What is known of no address any more once this one is gone is not told any more either.
    pub(super) fn retire(&self, after: Option<&Self>) {
        let kept = after.map(|after| after.roster().health.clone()).unwrap_or_default();
        for (label, health) in &self.roster().health {
            if !kept.contains_key(label) {
                health.retire(&self.metrics);
            }
        }
    }

    /// Make the endpoints of all addresses that are known now, and the pool of those.
    fn enrol(&self) {
        let mut roster = self.roster();
        let mut endpoints = Vec::new();
        let mut health = HashMap::new();
        for (address, place) in self.names.places(&self.destination.addresses) {
            let label = endpoint::label(&place);
            let known = roster.health.get(&label).map(Arc::clone);
            let known = known.unwrap_or_else(|| Arc::new(Health::new(&self.route, &label, &self.metrics)));
            health.insert(Arc::clone(&label), Arc::clone(&known));
            let before = roster.endpoints.iter().find(|endpoint| endpoint.label == label && endpoint.weight == address.weight);
            let fresh = || Arc::new(Endpoint::new(address, place, label, &self.common, known));
            endpoints.push(before.map_or_else(fresh, Arc::clone));
        }
        if self.names.are_known() {
            for (_, gone) in roster.health.iter().filter(|(label, _)| !health.contains_key(*label)) {
                gone.retire(&self.metrics);
            }
            roster.health = health;
        } else {
            // What is not resolved yet may turn out to be what was known before.
            roster.health.extend(health);
        }
        roster.endpoints = endpoints;
        self.pool.store(Arc::new(Pool::new(&roster.endpoints, self.destination.slow_start, Instant::now())));
    }

    /// Somebody went out, or came back.
    fn recompute(&self) {
        self.refresh();
        self.changed.notify_one();
    }

    /// Make the pool again.
    fn refresh(&self) {
        let roster = self.roster();
        self.pool.store(Arc::new(Pool::new(&roster.endpoints, self.destination.slow_start, Instant::now())));
    }

    fn roster(&self) -> MutexGuard<'_, Roster> {
        self.roster.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Requests that are under way keep their places when the configuration is replaced and the bound is the same.
fn places(destination: &Destination, before: Option<&Upstream>) -> Option<Arc<Semaphore>> {
    let most = destination.max_connections?;
    let same = before.filter(|before| before.destination.max_connections == Some(most)).and_then(|before| before.places.clone());
    Some(same.unwrap_or_else(|| Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS)))))
}

/// A number for a text, the same on every node and in every release.
pub(super) fn number(text: &[u8]) -> u64 {
    let mut hasher = Fnv::default();
    text.hash(&mut hasher);
    hasher.finish()
}

/// FNV-1a, 64 bits: a few lines that never change, where the standard's hasher may.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl std::hash::Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

#[cfg(test)]
mod tests;
