//! What counts now: the configuration's routes and those of apps. Either may change while the server runs; whoever changes one puts
//! both into force again, one at a time.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use crate::app::{App, Apps, Judge};
use crate::boot::NotServing;
use crate::boot::guests::{self, Joined, Judged};
use crate::boot::rules::Rulemaker;
use crate::config::{Config, Mistake};
use crate::gateway::{Rules, Swap};
use crate::outage::Outage;
use crate::store::Durable;
use crate::telemetry::Metrics;

/// How often the number of the routes' newest change is asked for: twice within the second after which all nodes have it.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The routes of apps, as they were at a generation.
pub(super) struct Guests {
    generation: i64,
    apps: Vec<App>,
}

impl Guests {
    /// As they are now. The number first: what changes between the two is seen again, and not missed.
    pub(super) async fn now(store: &dyn Durable) -> Result<Self, Outage> {
        let generation = Apps::generation(store).await?;
        Ok(Self { generation, apps: Apps::with_routes(store).await? })
    }

    /// The rules of `config` with these.
    ///
    /// # Errors
    /// Every mistake in `config`.
    pub(super) fn rules(&self, config: &Config, rulemaker: &Rulemaker) -> Result<Rules, NotServing> {
        let joined = guests::join(config, &self.apps, rulemaker.core.clock.now());
        let rules = rulemaker.rules(&joined.config)?;
        tell(&joined, &rulemaker.core.metrics);
        Ok(rules)
    }
}

/// Puts rules into force.
pub(super) struct Ruler {
    rulemaker: Rulemaker,
    /// Where rules go, once the gateway is there.
    swap: OnceLock<Swap>,
    /// A std mutex: what is done under it is short, and waits for nobody.
    now: Mutex<(Config, Guests)>,
}

impl Ruler {
    /// `config` and `guests` are to count.
    pub(super) const fn new(rulemaker: Rulemaker, config: Config, guests: Guests) -> Self {
        Self { rulemaker, swap: OnceLock::new(), now: Mutex::new((config, guests)) }
    }

    /// The rules to begin with.
    ///
    /// # Errors
    /// Every mistake in the configuration.
    pub(super) fn rules(&self) -> Result<Rules, NotServing> {
        let now = self.now();
        now.1.rules(&now.0, &self.rulemaker)
    }

    /// From now on, rules go there.
    pub(super) fn take(&self, swap: Swap) {
        // There is one gateway in a process.
        drop(self.swap.set(swap));
    }

    /// From the next request on, `config` counts.
    ///
    /// # Errors
    /// Every mistake in it. Nothing has changed then.
    pub(super) fn configure(&self, config: Config) -> Result<(), NotServing> {
        let mut now = self.now();
        self.put(now.1.rules(&config, &self.rulemaker)?);
        now.0 = config;
        Ok(())
    }

    /// From the next request on, these routes of apps count. They are asked for again when they cannot be put into force.
    fn invite(&self, guests: Guests) -> Result<(), NotServing> {
        let mut now = self.now();
        self.put(guests.rules(&now.0, &self.rulemaker)?);
        now.1 = guests;
        Ok(())
    }

    fn generation(&self) -> i64 {
        self.now().1.generation
    }

    fn put(&self, rules: Rules) {
        if let Some(swap) = self.swap.get() {
            swap.replace(rules);
        }
    }

    fn now(&self) -> MutexGuard<'_, (Config, Guests)> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Look for changes of apps' routes in the runtime `slow`, as long as what is returned lives.
    pub(super) fn watch(self: &Arc<Self>, slow: &Handle) -> GuestWatch {
        GuestWatch(slow.spawn(watch(Arc::clone(self))))
    }
}

impl Judge for Ruler {
    fn judge(&self, app: &App, others: &[App]) -> Result<(), Vec<Mistake>> {
        let config = self.now().0.clone();
        Judged { config, now: self.rulemaker.core.clock.now() }.judge(app, others)
    }
}

/// Looks for changes, as long as it lives.
pub(super) struct GuestWatch(JoinHandle<()>);

impl Drop for GuestWatch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn watch(ruler: Arc<Ruler>) {
    let mut looks = tokio::time::interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        match look(&ruler).await {
            Ok(Some(guests)) => put(&ruler, guests),
            Ok(None) => {}
            // The pulse tells that the database is gone; the routes that are known go on.
            Err(outage) => tracing::debug!(cause = %outage, "whether routes of apps have changed is not known, those at hand go on"),
        }
    }
}

/// The routes, if they have changed.
async fn look(ruler: &Ruler) -> Result<Option<Guests>, Outage> {
    let store = ruler.rulemaker.core.store.as_ref();
    if Apps::generation(store).await? == ruler.generation() {
        return Ok(None);
    }
    Guests::now(store).await.map(Some)
}

fn put(ruler: &Ruler, guests: Guests) {
    let generation = guests.generation;
    match ruler.invite(guests) {
        Ok(()) => tracing::info!(generation, "the routes of apps have changed, and count from the next request on"),
        Err(error) => tracing::error!(%error, "the routes of apps have changed and stay as they were: {error}"),
    }
}

/// The operator is told of each route that does not count.
fn tell(joined: &Joined, metrics: &Metrics) {
    metrics.app_routes(joined.guests, joined.left_out.len());
    for (app, mistakes) in &joined.left_out {
        for mistake in mistakes {
            tracing::error!(app.name = %app.name, config.key = %mistake.key, "the route of app {} is left out: {mistake}", app.name);
        }
    }
}
