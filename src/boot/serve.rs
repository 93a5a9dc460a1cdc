//! The server: everything is put together, and runs until it is told to leave.

use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};

use crate::app::KeyCheck;
use crate::boot::core::Core;
use crate::boot::handover::{self, Offer, Predecessor, Successor};
use crate::boot::keeper::{Keeper, Pulse};
use crate::boot::notify::{self, Alive};
use crate::boot::reload::{Reload, Watched};
use crate::boot::ruler::{Guests, Ruler};
use crate::boot::rules::{Rulemaker, Told};
use crate::boot::traces::Traces;
use crate::boot::{Extras, NotServing, services};
use crate::config::Config;
use crate::deliver::{Providers, Queue, QueueParts};
use crate::endpoint::{Admin, Api, ApiSetup, Desk, Operator, Readiness, Refusals, State, Status, Vitals};
use crate::gateway::{Bounds, Gateway, Hooks, Leaving, Listeners, Stop, allow_files};
use crate::random::Drawn;
use crate::signin::Deliver;
use crate::token::Ring;

/// How long messages may take to leave when we leave.
const LAST_MAIL: Duration = Duration::from_secs(5);

/// Threads of everything slow.
const SLOW_THREADS: usize = 2;

/// Run the gateway of `config` until it is told to leave.
///
/// Blocks; must not be called inside a runtime. The runtime of everything slow is owned here, and lives until the last worker
/// has returned.
pub fn serve(config: &Config, extras: Extras) -> Result<(), NotServing> {
    for doubt in config.doubts() {
        tracing::warn!(key = doubt.key, "in the configuration: {doubt}");
    }
    allow_files(config.listen.connections);
    // An address that is taken is found before anything else is done; one that is lent, when all else is done.
    let bound = if extras.upgrade { None } else { Some(Listeners::bind(&config.listen)?) };
    let runtime = slow()?;
    let mut parts = runtime.block_on(put_together(config, &extras, &runtime))?;
    let (listeners, predecessor) = match bound {
        Some(listeners) => (listeners, None),
        None => take_over(config)?,
    };
    let offer = offer(config, &extras, &listeners, &runtime);
    let hooks = hooks(&parts.vitals, offer, predecessor);
    let mut gateway = Gateway::new(parts.setup(config, listeners, hooks, &runtime)?);
    parts.ruler.take(gateway.swap());
    let watch = parts.ruler.watch(runtime.handle());
    let reload = extras.file.as_deref().map(|file| parts.reload(config, file, &runtime));
    if let Some(app) = extras.app {
        gateway = gateway.with_demo_app(app);
    }
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "Doorward {} serves {}", env!("CARGO_PKG_VERSION"), config.public_url);
    leave_when_told(&runtime, &extras.stop)?;
    if let Some(file) = &extras.file {
        replace_when_told(&runtime, file)?;
    }
    let alive = Alive::keep_saying(runtime.handle());
    (extras.on_ready)();
    gateway.run(extras.stop);
    drop((reload, watch, alive));
    runtime.block_on(parts.queue.drain(LAST_MAIL));
    runtime.block_on(parts.end_audit());
    runtime.block_on(parts.traces.end());
    drop(parts);
    runtime.shutdown_timeout(LAST_MAIL);
    Ok(())
}

fn slow() -> Result<Runtime, NotServing> {
    Builder::new_multi_thread().worker_threads(SLOW_THREADS).thread_name("slow").enable_all().build().map_err(NotServing::Runtime)
}

/// Listen for SIGTERM and SIGINT before anybody can know that we are here: one that comes while the workers start is obeyed,
/// and does not kill the process.
fn leave_when_told(runtime: &Runtime, stop: &Stop) -> Result<(), NotServing> {
    let _in_it = runtime.enter();
    let mut terminate = signal(SignalKind::terminate()).map_err(NotServing::Runtime)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(NotServing::Runtime)?;
    let stop = stop.clone();
    runtime.spawn(async move {
        tokio::select! {
            _ = terminate.recv() => (),
            _ = interrupt.recv() => (),
        }
        stop.stop();
    });
    Ok(())
}

/// At SIGUSR2 a new process is started, which takes over when it is ready.
fn replace_when_told(runtime: &Runtime, file: &Path) -> Result<(), NotServing> {
    let _in_it = runtime.enter();
    let mut upgrade = signal(SignalKind::user_defined2()).map_err(NotServing::Runtime)?;
    let successor = Successor::new(file).map_err(NotServing::Runtime)?;
    runtime.spawn(async move {
        while upgrade.recv().await.is_some() {
            successor.start();
        }
    });
    Ok(())
}

/// The sockets of the process that runs, and that process.
fn take_over(config: &Config) -> Result<(Listeners, Option<Predecessor>), NotServing> {
    let missing = || io::Error::new(io::ErrorKind::NotFound, "is not set, and there is no $RUNTIME_DIRECTORY");
    let place = handover::place(config.listen.upgrade_socket.as_deref()).ok_or_else(missing).map_err(NotServing::Upgrade)?;
    let (predecessor, lent) = Predecessor::ask(&place).map_err(NotServing::Upgrade)?;
    Ok((Listeners::inherit(&config.listen, lent)?, Some(predecessor)))
}

/// Our sockets for the next process, where the configuration says how it finds us.
fn offer(config: &Config, extras: &Extras, listeners: &Listeners, runtime: &Runtime) -> Option<Offer> {
    let place = handover::place(config.listen.upgrade_socket.as_deref()).filter(|_| extras.file.is_some())?;
    match Offer::new(place, listeners, extras.stop.clone(), runtime.handle().clone()) {
        Ok(offer) => Some(offer),
        Err(error) => {
            tracing::error!(%error, "no new process can take over: {error}");
            None
        }
    }
}

/// What is done when everything listens, and when we leave: first the one that systemd and others ask is another one, then the
/// process before us goes, then we can be taken over from.
fn hooks(vitals: &Arc<Signs>, offer: Option<Offer>, predecessor: Option<Predecessor>) -> Hooks {
    let (vitals, offer) = (Arc::clone(vitals), Arc::new(offer));
    let offered = Arc::clone(&offer);
    let on_running = move || {
        notify::ready();
        if let Some(predecessor) = &predecessor {
            predecessor.relieve();
        }
        if let Some(offer) = offer.as_ref() {
            offer.make();
        }
    };
    let on_leaving = move |leaving| {
        if leaving == Leaving::Stopped {
            notify::stopping();
            vitals.leaving.store(true, Ordering::SeqCst);
        }
        if let Some(offer) = offered.as_ref() {
            offer.withdraw(leaving);
        }
    };
    Hooks { on_running: Box::new(on_running), on_leaving: Box::new(on_leaving) }
}

/// All that lives as long as the gateway runs.
struct Parts {
    core: Arc<Core>,
    queue: Arc<Queue>,
    ruler: Arc<Ruler>,
    keys: Arc<KeyCheck>,
    refusals: Arc<Refusals>,
    told: Arc<Told>,
    vitals: Arc<Signs>,
    traces: Traces,
    _keeper: Keeper,
}

async fn put_together(config: &Config, extras: &Extras, runtime: &Runtime) -> Result<Parts, NotServing> {
    let core = Arc::new(Core::open(config, runtime.handle()).await?);
    let ring = Arc::new(Ring::new(core.keymaker().ready(core.clock.now()).await.map_err(NotServing::Keys)?));
    let (queue, channels) = queue(config, extras, &core, runtime)?;
    let ours: Arc<dyn Deliver> = Arc::<Queue>::clone(&queue);
    let (deliver, channels) = extras.own.deliver.clone().unwrap_or((ours, channels));
    let pulse = Arc::new(Pulse::beating());
    let keeper = Keeper::start(&core, &ring, &pulse);
    let (inbox, slow) = (extras.inbox.clone(), runtime.handle().clone());
    let keys = services::key_check(config, &core, &slow);
    let guests = Guests::now(core.store.as_ref()).await?;
    let (refusals, told) = (Arc::new(Refusals::default()), Arc::<Told>::default());
    let rulemaker = Rulemaker {
        core: Arc::clone(&core),
        keys: Arc::clone(&keys),
        ring,
        deliver,
        channels,
        inbox,
        own: extras.own.clone(),
        refusals: Arc::clone(&refusals),
        slow,
        told: Arc::clone(&told),
    };
    let ruler = Arc::new(Ruler::new(rulemaker, config.clone(), guests));
    let vitals = Arc::new(Signs { core: Arc::clone(&core), pulse, leaving: AtomicBool::new(false) });
    let traces = Traces::start(config, &core.metrics, runtime.handle())?;
    Ok(Parts { core, queue, ruler, keys, refusals, told, vitals, traces, _keeper: keeper })
}

impl Parts {
    fn setup(&self, config: &Config, listeners: Listeners, hooks: Hooks, runtime: &Runtime) -> Result<crate::gateway::Setup, NotServing> {
        let host = config.listen.admin.ip().map(|ip| ip.to_string()).unwrap_or_default();
        let refusals = Arc::clone(&self.refusals);
        let desk = Desk { refusals, operator: Operator::new(&self.core.root), clock: Arc::clone(&self.core.clock) };
        let admin = Admin::new(Arc::<Signs>::clone(&self.vitals), host).with(desk).with_api(self.api(config)?);
        Ok(crate::gateway::Setup {
            listeners,
            workers: config.listen.workers,
            patience: config.listen.patience(),
            bounds: Bounds { total: config.listen.connections, per_network: config.listen.connections_per_address },
            proxy_protocol: config.listen.proxy_protocol,
            public_url: config.public_url.clone(),
            rules: self.ruler.rules()?,
            admin: Arc::new(admin),
            metrics: Arc::clone(&self.core.metrics),
            spans: self.traces.spans.clone(),
            refusals: Arc::clone(&self.refusals),
            revocations: Arc::clone(&self.core.revocations),
            slow: runtime.handle().clone(),
            clock: Arc::clone(&self.core.clock),
            entropy: Arc::new(Drawn::default()),
            hooks,
        })
    }

    /// What waits to be written in the audit log is written.
    async fn end_audit(&self) {
        match tokio::time::timeout(LAST_MAIL, self.core.audit.flush()).await {
            Ok(Ok(())) => {}
            Ok(Err(outage)) => tracing::error!(cause = %outage, "the last events are not in the audit log"),
            Err(_) => tracing::error!("the last events are not in the audit log, the database does not answer"),
        }
    }

    fn api(&self, config: &Config) -> Result<Api, NotServing> {
        let core = &self.core;
        Ok(Api::new(ApiSetup {
            registrar: core.registrar(),
            sessions: core.store.clone(),
            factors: core.store.clone(),
            keys: core.key_desk(),
            apps: core.app_desk(config),
            check: Arc::clone(&self.keys),
            spending: Arc::clone(&core.spending),
            audit: core.store.clone(),
            recorder: Arc::clone(&core.audit),
            current: Arc::<Told>::clone(&self.told),
            cursors: core.root.mac_key("admin-cursor"),
            entropy: Arc::clone(&core.entropy),
            name: config.pages.name.clone(),
        })?)
    }

    /// Watch the configuration's file, where it came from one.
    fn reload(&self, config: &Config, file: &Path, runtime: &Runtime) -> Reload {
        let (ruler, metrics) = (Arc::clone(&self.ruler), Arc::clone(&self.core.metrics));
        Reload::watch(Watched { file: file.to_owned(), started: config.clone(), ruler, metrics }, runtime.handle())
    }
}

fn queue(
    config: &Config,
    extras: &Extras,
    core: &Core,
    runtime: &Runtime,
) -> Result<(Arc<Queue>, HashSet<crate::signin::Channel>), NotServing> {
    let mut providers = Providers::new(&config.delivery, &config.pages.name, config.public_url.host_str().unwrap_or_default())?;
    if let Some(inbox) = &extras.inbox {
        providers = providers.keeping(inbox);
    }
    let channels = providers.channels().into_iter().collect();
    let parts = QueueParts {
        providers,
        challenges: core.store.clone(),
        clock: Arc::clone(&core.clock),
        entropy: Arc::clone(&core.entropy),
        metrics: Arc::clone(&core.metrics),
    };
    Ok((Arc::new(Queue::start(parts, runtime.handle())), channels))
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
