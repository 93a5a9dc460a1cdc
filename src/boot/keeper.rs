//! What is done again and again while the server runs: look for new signing keys, forget what is over, see who is there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use crate::app::{ApiKeys, SentCodes};
use crate::boot::core::Core;
use crate::outage::Outage;
use crate::signin::{AddressChanges, Challenges, Devices, LastClaims, Pendings, Sessions};
use crate::token::rotate::LOOK_AGAIN;
use crate::token::{Keys, Ring};

/// Between two looks at the database and Redis.
const PULSE: Duration = Duration::from_secs(1);

/// Between two tries whether the database can be written to.
const WRITES: Duration = Duration::from_secs(10);

/// Between two sweeps.
const SWEEP: Duration = Duration::from_secs(600);

/// How long a session that is over is kept, for people who ask what became of it, and to tell a stolen token from nonsense.
const SESSIONS_KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// How long a device is remembered that nobody signs in on: who comes back once a year is not told of it.
const DEVICES_KEPT: Duration = Duration::from_secs(400 * 24 * 3600);

/// How long an API key that is over is kept, for who asks what became of it.
const API_KEYS_KEPT: Duration = Duration::from_secs(90 * 24 * 3600);

/// How long what the claims hook said of somebody is kept after it was last said.
const CLAIMS_KEPT: Duration = Duration::from_secs(90 * 24 * 3600);

/// The running tasks; they end when this is dropped.
pub struct Keeper(Vec<JoinHandle<()>>);

impl Drop for Keeper {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}

/// Is the database there? As of the last look.
#[derive(Debug)]
pub struct Pulse(AtomicBool);

impl Pulse {
    /// It was there when it was opened.
    pub const fn beating() -> Self {
        Self(AtomicBool::new(true))
    }

    /// Was it there at the last look?
    pub fn is_beating(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Keeper {
    /// Begin, in the runtime in which this is called.
    pub fn start(core: &Arc<Core>, ring: &Arc<Ring>, pulse: &Arc<Pulse>) -> Self {
        Self(vec![
            tokio::spawn(renew_keys(Arc::clone(core), Arc::clone(ring))),
            tokio::spawn(sweep(Arc::clone(core))),
            tokio::spawn(feel(Arc::clone(core), Arc::clone(pulse))),
        ])
    }
}

async fn renew_keys(core: Arc<Core>, ring: Arc<Ring>) {
    let mut ticks = tokio::time::interval(LOOK_AGAIN);
    loop {
        ticks.tick().await;
        match core.keymaker().ready(core.clock.now()).await {
            Ok(keys) => ring.replace(keys),
            Err(outage) => tracing::warn!(cause = %outage, "Signing keys could not be looked up, those at hand go on"),
        }
    }
}

async fn sweep(core: Arc<Core>) {
    let mut ticks = tokio::time::interval(SWEEP);
    loop {
        ticks.tick().await;
        if let Err(outage) = sweep_once(&core).await {
            tracing::warn!(cause = %outage, "What is over could not be swept, the next sweep tries again");
        }
    }
}

async fn sweep_once(core: &Core) -> Result<(), Outage> {
    let now = core.clock.now();
    let challenges = Challenges::sweep(core.store.as_ref(), now).await?;
    let changes = AddressChanges::sweep(core.store.as_ref(), now).await?;
    let devices = Devices::sweep(core.store.as_ref(), now.minus(DEVICES_KEPT)).await?;
    let sessions = Sessions::sweep(core.store.as_ref(), now.minus(SESSIONS_KEPT)).await?;
    let pendings = Pendings::sweep(core.store.as_ref(), now).await?;
    let claims = LastClaims::sweep(core.store.as_ref(), now.minus(CLAIMS_KEPT)).await?;
    let codes = SentCodes::sweep(core.store.as_ref(), now).await?;
    let api_keys = ApiKeys::sweep(core.store.as_ref(), now.minus(API_KEYS_KEPT)).await?;
    let keys = Keys::sweep(core.store.as_ref(), now).await?;
    tracing::debug!(
        api_keys,
        challenges,
        changes,
        claims,
        codes,
        devices,
        pendings,
        sessions,
        keys,
        "swept {challenges} challenges, {sessions} sessions and {keys} keys"
    );
    Ok(())
}

/// Whether something can be written is tried less often, until it cannot: then at every look.
async fn feel(core: Arc<Core>, pulse: Arc<Pulse>) {
    let mut ticks = tokio::time::interval(PULSE);
    let (mut writes, mut tried) = (true, Instant::now());
    loop {
        ticks.tick().await;
        if !writes || tried.elapsed() >= WRITES {
            (writes, tried) = (core.store.can_write().await.is_ok(), Instant::now());
        }
        let there = writes && core.store.ping().await.is_ok();
        pulse.0.store(there, Ordering::Relaxed);
        core.metrics.store_up(there);
        core.metrics.redis_up(core.redis.as_ref().is_some_and(|redis| redis.is_whole()));
    }
}
