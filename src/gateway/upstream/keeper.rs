//! What is done for an upstream while no request asks: names are looked up again, addresses are asked whether they are well, and
//! who was out long enough is tried again. One task per route that needs it; it ends with its configuration.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::task::{JoinHandle, JoinSet};

use super::names::{Look, Resolve, System};
use super::probe::Prober;
use super::{Endpoint, Upstream};
use crate::admission::HealthSettings;

/// How long a name's addresses are used before it is looked up again.
const FRESH_FOR: Duration = Duration::from_secs(30);
/// The same, where nobody could say what they are.
const AGAIN_AFTER: Duration = Duration::from_secs(2);
/// Nobody is woken later than this.
const AT_LATEST: Duration = Duration::from_secs(60);

/// The tasks of a configuration; they end when this is dropped, whoever still has the upstreams.
#[derive(Default)]
pub(in crate::gateway) struct Keepers(Vec<JoinHandle<()>>);

impl Drop for Keepers {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}

impl Keepers {
    /// Begin to keep these upstreams, in the runtime `slow`.
    pub(in crate::gateway) fn keep<'a>(upstreams: impl Iterator<Item = &'a Arc<Upstream>>, slow: &Handle) -> Self {
        let prober = Arc::new(OnceLock::new());
        let needed = upstreams.filter(|upstream| upstream.needs_keeping());
        Self(needed.map(|upstream| slow.spawn(Keeper::new(Arc::clone(upstream), Arc::clone(&prober)).keep())).collect())
    }
}

impl Upstream {
    /// One fixed address that is never asked has nothing that could change but by requests.
    fn needs_keeping(&self) -> bool {
        !self.names.all().is_empty() || self.destination.health.is_some() || self.destination.addresses.len() > 1
    }
}

struct Keeper {
    upstream: Arc<Upstream>,
    resolver: System,
    /// Made when the first is asked, and shared by all.
    prober: Arc<OnceLock<Prober>>,
    /// When each name is looked up, and whether the log knows that it cannot be.
    lookups: HashMap<usize, Instant>,
    told: HashMap<usize, bool>,
    /// When each address is asked.
    checks: HashMap<Arc<str>, Instant>,
    /// Somebody had less than its share when it was last looked at.
    was_starting: bool,
    running: JoinSet<Done>,
}

/// What was under way.
enum Done {
    Lookup(usize, Result<Look, String>),
    Check(Arc<Endpoint>, Result<(), String>),
}

impl Keeper {
    fn new(upstream: Arc<Upstream>, prober: Arc<OnceLock<Prober>>) -> Self {
        let now = Instant::now();
        let lookups = (0..upstream.names.all().len()).map(|place| (place, now)).collect();
        let resolver = System { patience: upstream.connect_timeout };
        Self {
            upstream,
            resolver,
            prober,
            lookups,
            told: HashMap::new(),
            checks: HashMap::new(),
            was_starting: false,
            running: JoinSet::new(),
        }
    }

    async fn keep(mut self) {
        let upstream = Arc::clone(&self.upstream);
        loop {
            let next = self.begin_what_is_due(Instant::now());
            tokio::select! {
                () = tokio::time::sleep_until(next.into()) => (),
                () = upstream.changed.notified() => (),
                Some(done) = self.running.join_next() => {
                    if let Ok(done) = done {
                        self.take(done);
                    }
                }
            }
        }
    }

    /// Begin everything whose time has come; when the next thing's does.
    fn begin_what_is_due(&mut self, now: Instant) -> Instant {
        self.wake(now);
        self.begin_lookups(now);
        self.begin_checks(now);
        let endpoints = self.endpoints();
        let slow_start = self.upstream.destination.slow_start;
        let changes = endpoints.iter().filter_map(|endpoint| endpoint.health.due(slow_start, now));
        let planned = self.lookups.values().chain(self.checks.values()).copied();
        planned.chain(changes).min().unwrap_or(now + AT_LATEST).min(now + AT_LATEST)
    }

    /// Who was out long enough is tried; who starts slowly has more.
    fn wake(&mut self, now: Instant) {
        let endpoints = self.endpoints();
        let slow_start = self.upstream.destination.slow_start;
        let woken = endpoints.iter().filter(|endpoint| endpoint.health.wake(now)).count();
        let is_starting = endpoints.iter().any(|endpoint| endpoint.health.is_starting(slow_start, now));
        if woken > 0 || is_starting || self.was_starting {
            self.upstream.refresh();
        }
        self.was_starting = is_starting;
    }

    fn begin_lookups(&mut self, now: Instant) {
        let due: Vec<usize> = self.lookups.iter().filter(|(_, when)| **when <= now).map(|(place, _)| *place).collect();
        for place in due {
            // Not again before this one has come back.
            self.lookups.remove(&place);
            let (upstream, resolver) = (Arc::clone(&self.upstream), System { ..self.resolver });
            self.running.spawn(async move {
                let Some(name) = upstream.names.all().get(place) else { return Done::Lookup(place, Ok(Look::Same)) };
                let resolver: &dyn Resolve = &resolver;
                Done::Lookup(place, upstream.names.look_up(name, resolver).await.map_err(|error| error.to_string()))
            });
        }
    }

    fn begin_checks(&mut self, now: Instant) {
        let Some(health) = self.upstream.destination.health.clone() else { return };
        let endpoints = self.endpoints();
        self.checks.retain(|label, _| endpoints.iter().any(|endpoint| endpoint.label == *label));
        for endpoint in endpoints {
            let when = self.checks.entry(Arc::clone(&endpoint.label)).or_insert(now);
            if *when > now {
                continue;
            }
            // Never two at once.
            *when = now + health.interval;
            let (prober, health) = (Arc::clone(&self.prober), health.clone());
            self.running.spawn(async move {
                let answer = prober.get_or_init(Prober::default).ask(&endpoint, &health).await;
                Done::Check(endpoint, answer)
            });
        }
    }

    fn take(&mut self, done: Done) {
        match done {
            Done::Lookup(place, look) => self.looked_up(place, look),
            Done::Check(endpoint, answer) => self.asked(&endpoint, &answer),
        }
    }

    fn looked_up(&mut self, place: usize, look: Result<Look, String>) {
        let is_failed = look.is_err();
        self.lookups.insert(place, Instant::now() + if is_failed { AGAIN_AFTER } else { FRESH_FOR });
        let host = self.upstream.names.all().get(place).map_or("-", |(host, _)| host.as_str());
        let was_failed = self.told.insert(place, is_failed).unwrap_or(false);
        match look {
            Ok(Look::Changed) => self.upstream.enrol(),
            Err(error) if !was_failed => tracing::warn!(
                route.name = %self.upstream.route, upstream.host = host, error,
                "the upstream's name {host} cannot be resolved, what it had is used on"
            ),
            Ok(Look::Same) | Err(_) => {}
        }
        if was_failed && !is_failed {
            tracing::info!(route.name = %self.upstream.route, upstream.host = host, "the upstream's name {host} is resolved again");
        }
        // Failed or not: requests that wait for it go on.
        if self.told.len() == self.upstream.names.all().len() {
            self.upstream.ready.send_replace(true);
        }
    }

    fn asked(&self, endpoint: &Arc<Endpoint>, answer: &Result<(), String>) {
        let Some(HealthSettings { healthy, unhealthy, .. }) = &self.upstream.destination.health else { return };
        let needed = if answer.is_ok() { *healthy } else { *unhealthy };
        if let Err(cause) = answer {
            tracing::debug!(route.name = %self.upstream.route, upstream.address = %endpoint.label, cause, "a check failed");
        }
        if endpoint.health.answered(&self.upstream.metrics, answer.is_ok(), needed, Instant::now()) {
            self.upstream.refresh();
        }
    }

    fn endpoints(&self) -> Vec<Arc<Endpoint>> {
        self.upstream.roster().endpoints.clone()
    }
}
