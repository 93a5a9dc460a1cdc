//! The server: everything is put together, and runs until it is told to leave.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};

use crate::boot::core::Core;
use crate::boot::keeper::{Keeper, Pulse};
use crate::boot::reload::{Reload, Watched};
use crate::boot::rules::Rulemaker;
use crate::boot::services;
use crate::boot::{Extras, NotServing};
use crate::config::Config;
use crate::deliver::{Providers, Queue, QueueParts};
use crate::endpoint::{Admin, Readiness, State, Status, Vitals};
use crate::gateway::{Gateway, Listeners, Stop, Swap};
use crate::random::Drawn;
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
    let listeners = Listeners::bind(&config.listen)?;
    let runtime = slow()?;
    let parts = runtime.block_on(put_together(config, &extras, &runtime))?;
    let mut gateway = Gateway::new(parts.setup(config, listeners, &runtime)?);
    let reload = extras.file.as_deref().map(|file| parts.reload(config, file, gateway.swap(), &runtime));
    if let Some(app) = extras.app {
        gateway = gateway.with_demo_app(app);
    }
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "Doorward {} serves {}", env!("CARGO_PKG_VERSION"), config.public_url);
    leave_when_told(&runtime, &extras.stop)?;
    (extras.on_ready)();
    gateway.run(extras.stop);
    drop(reload);
    runtime.block_on(parts.queue.drain(LAST_MAIL));
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

/// All that lives as long as the gateway runs.
struct Parts {
    core: Arc<Core>,
    queue: Arc<Queue>,
    rulemaker: Arc<Rulemaker>,
    vitals: Arc<Signs>,
    _keeper: Keeper,
}

async fn put_together(config: &Config, extras: &Extras, runtime: &Runtime) -> Result<Parts, NotServing> {
    let core = Arc::new(Core::open(config, runtime.handle()).await?);
    let ring = Arc::new(Ring::new(core.keymaker().ready(core.clock.now()).await.map_err(NotServing::Keys)?));
    let (queue, channels) = queue(config, extras, &core, runtime)?;
    let signin = services::sign_in(config, &core, &ring, Arc::<Queue>::clone(&queue), channels);
    let pulse = Arc::new(Pulse::beating());
    let keeper = Keeper::start(&core, &ring, &pulse);
    let (inbox, slow) = (extras.inbox.clone(), runtime.handle().clone());
    let rulemaker = Arc::new(Rulemaker { core: Arc::clone(&core), ring, signin, inbox, slow });
    let vitals = Arc::new(Signs { core: Arc::clone(&core), pulse, leaving: AtomicBool::new(false) });
    Ok(Parts { core, queue, rulemaker, vitals, _keeper: keeper })
}

impl Parts {
    fn setup(&self, config: &Config, listeners: Listeners, runtime: &Runtime) -> Result<crate::gateway::Setup, NotServing> {
        let admin = Admin::new(Arc::<Signs>::clone(&self.vitals), config.listen.admin.ip().map(|ip| ip.to_string()).unwrap_or_default());
        let vitals = Arc::clone(&self.vitals);
        Ok(crate::gateway::Setup {
            listeners,
            workers: config.listen.workers,
            patience: config.listen.patience(),
            rules: self.rulemaker.rules(config)?,
            admin: Arc::new(admin),
            metrics: Arc::clone(&self.core.metrics),
            revocations: Arc::clone(&self.core.revocations),
            slow: runtime.handle().clone(),
            clock: Arc::clone(&self.core.clock),
            entropy: Arc::new(Drawn::default()),
            on_leaving: Box::new(move || vitals.leaving.store(true, Ordering::SeqCst)),
        })
    }

    /// Watch the configuration's file, where it came from one.
    fn reload(&self, config: &Config, file: &Path, swap: Swap, runtime: &Runtime) -> Reload {
        let (rulemaker, metrics) = (Arc::clone(&self.rulemaker), Arc::clone(&self.core.metrics));
        Reload::watch(Watched { file: file.to_owned(), started: config.clone(), rulemaker, swap, metrics }, runtime.handle())
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
        challenges: Arc::new(core.store.clone()),
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
