//! The server: everything is put together, and runs until it is told to leave.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::runtime::{Builder, Runtime};

use crate::admission::{Gate, Names, Ports, Table};
use crate::boot::core::Core;
use crate::boot::inbox::Shown;
use crate::boot::keeper::{Keeper, Pulse};
use crate::boot::services::{self, RenewThrough};
use crate::boot::{Extras, NotServing};
use crate::config::Config;
use crate::cookie::Cookies;
use crate::deliver::{Providers, Queue, QueueParts};
use crate::endpoint::{Admin, Endpoints, Readiness, State, Status, Vitals};
use crate::gateway::{Gateway, Listeners};
use crate::signin::SignIn;
use crate::token::{Asserter, Ring};

/// How long messages may take to leave when we leave.
const LAST_MAIL: Duration = Duration::from_secs(5);

/// Threads of everything slow.
const SLOW_THREADS: usize = 2;

/// Run the gateway of `config` until it is told to leave.
///
/// Blocks; must not be called inside a runtime. The runtime of everything slow is owned here, and lives until the last worker
/// has returned.
pub fn serve(config: &Config, extras: Extras) -> Result<(), NotServing> {
    let listeners = Listeners::bind(&config.listen)?;
    let runtime = slow()?;
    let parts = runtime.block_on(put_together(config, &extras, &runtime))?;
    let mut gateway = Gateway::new(parts.setup(config, listeners, &runtime));
    if let Some(app) = extras.app {
        gateway = gateway.with_demo_app(app);
    }
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "Doorward {} serves {}", env!("CARGO_PKG_VERSION"), config.public_url);
    (extras.on_ready)();
    gateway.run(extras.stop);
    runtime.block_on(parts.queue.drain(LAST_MAIL));
    drop(parts);
    runtime.shutdown_timeout(LAST_MAIL);
    Ok(())
}

fn slow() -> Result<Runtime, NotServing> {
    Builder::new_multi_thread().worker_threads(SLOW_THREADS).thread_name("slow").enable_all().build().map_err(NotServing::Runtime)
}

/// All that lives as long as the gateway runs.
struct Parts {
    core: Arc<Core>,
    queue: Arc<Queue>,
    gate: Arc<Gate>,
    endpoints: Arc<Endpoints>,
    vitals: Arc<Signs>,
    cookies: Cookies,
    _keeper: Keeper,
}

async fn put_together(config: &Config, extras: &Extras, runtime: &Runtime) -> Result<Parts, NotServing> {
    let core = Arc::new(Core::open(config, runtime.handle()).await?);
    let ring = Arc::new(Ring::new(core.keymaker().ready(core.clock.now()).await?));
    let (queue, channels) = queue(config, extras, &core, runtime)?;
    let signin = services::sign_in(config, &core, &ring, Arc::<Queue>::clone(&queue), channels);
    let pulse = Arc::new(Pulse::beating());
    let keeper = Keeper::start(&core, &ring, &pulse);
    let cookies = Cookies::new(&config.cookies);
    let gate = Arc::new(gate(config, &core, &ring, &signin, &cookies, runtime)?);
    let endpoints = Arc::new(endpoints(config, extras, signin, &cookies)?);
    let vitals = Arc::new(Signs { core: Arc::clone(&core), pulse, leaving: AtomicBool::new(false) });
    Ok(Parts { core, queue, gate, endpoints, vitals, cookies, _keeper: keeper })
}

impl Parts {
    fn setup(&self, config: &Config, listeners: Listeners, runtime: &Runtime) -> crate::gateway::Setup {
        let admin = Admin::new(Arc::<Signs>::clone(&self.vitals), config.listen.admin.ip().to_string());
        let vitals = Arc::clone(&self.vitals);
        crate::gateway::Setup {
            listeners,
            workers: config.listen.workers,
            trusted_proxies: config.listen.trusted_proxies.clone(),
            gate: Arc::clone(&self.gate),
            endpoints: Arc::clone(&self.endpoints),
            admin: Arc::new(admin),
            cookies: self.cookies.clone(),
            metrics: Arc::clone(&self.core.metrics),
            slow: runtime.handle().clone(),
            clock: Arc::clone(&self.core.clock),
            entropy: Arc::clone(&self.core.entropy),
            on_leaving: Box::new(move || vitals.leaving.store(true, Ordering::SeqCst)),
        }
    }
}

fn queue(
    config: &Config,
    extras: &Extras,
    core: &Core,
    runtime: &Runtime,
) -> Result<(Arc<Queue>, HashSet<crate::signin::Channel>), NotServing> {
    let mut providers = Providers::new(&config.delivery, &config.pages.name, &core.entropy)?;
    if let Some(inbox) = &extras.inbox {
        providers = providers.keeping(inbox);
    }
    let channels = providers.channels().into_iter().collect();
    let parts = QueueParts {
        providers,
        challenges: Arc::new(core.store.clone()),
        clock: Arc::clone(&core.clock),
        metrics: Arc::clone(&core.metrics),
    };
    Ok((Arc::new(Queue::start(parts, runtime.handle())), channels))
}

fn gate(
    config: &Config,
    core: &Core,
    ring: &Arc<Ring>,
    signin: &Arc<SignIn>,
    cookies: &Cookies,
    runtime: &Runtime,
) -> Result<Gate, NotServing> {
    let table = Table::new(&config.routes, &config.prefix).map_err(NotServing::Configuration)?;
    let names = Names::new(&config.identity).map_err(NotServing::Configuration)?;
    let ports = Ports {
        tokens: Arc::new(services::verifier(config, ring)),
        renew: Arc::new(RenewThrough { signin: Arc::clone(signin), slow: runtime.handle().clone() }),
        revocations: Arc::<crate::revocation::Revocations>::clone(&core.revocations),
        assertions: Arc::new(Asserter::new(Arc::clone(ring), Arc::clone(&core.entropy))),
    };
    Ok(Gate::new(table, names, cookies.clone(), config.tokens.leeway, ports))
}

fn endpoints(config: &Config, extras: &Extras, sign_in: Arc<SignIn>, cookies: &Cookies) -> Result<Endpoints, NotServing> {
    let setup = crate::endpoint::Setup {
        sign_in,
        cookies: cookies.clone(),
        public_url: config.public_url.clone(),
        prefix: config.prefix.clone(),
        hosts: config.routes.iter().filter_map(|route| route.host.clone()).collect(),
        pages: config.pages.clone(),
        development: config.development.enabled,
        inbox: extras.inbox.clone().map(Shown::shared),
    };
    Ok(Endpoints::new(setup)?)
}

/// How we are.
struct Signs {
    core: Arc<Core>,
    pulse: Arc<Pulse>,
    leaving: AtomicBool,
}

#[async_trait]
impl Vitals for Signs {
    async fn readiness(&self) -> Readiness {
        let store = if self.pulse.is_beating() { State::Up } else { State::Down };
        let redis = match &self.core.redis {
            None => State::None,
            Some(redis) if redis.is_whole() && !self.core.revocations.is_degraded() => State::Up,
            Some(_) => State::Down,
        };
        Readiness { status: self.status(store, redis), store, redis }
    }

    fn metrics(&self) -> String {
        self.core.metrics.render()
    }
}

impl Signs {
    /// While one of the two is there, signed-in people go on: taking every node out would throw them out.
    fn status(&self, store: State, redis: State) -> Status {
        if self.leaving.load(Ordering::SeqCst) {
            return Status::ShuttingDown;
        }
        match (store, redis) {
            (State::Up, State::Up | State::None) => Status::Ok,
            (State::Up, State::Down) | (State::Down | State::None, State::Up) => Status::Degraded,
            (State::Down | State::None, State::Down | State::None) => Status::NotReady,
        }
    }
}
