//! What both the server and a command of the operator need: the store, the revocations, the keys.

use std::sync::Arc;

use tokio::runtime::Handle;

use crate::app::{AppDesk, AppKeyed, Judge, KeyDesk};
use crate::audit::{Chain, Recorder};
use crate::boot::NotServing;
use crate::boot::guests::Judged;
use crate::boot::heard::Heard;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::limits::{Fallback, Limits, Spending, SpendingFallback};
use crate::outage::Outage;
use crate::random::{Entropy, SystemEntropy};
use crate::revocation::{Index, Pace, Parts, Revocations, Watch, keep_for};
use crate::seal::Sealer;
use crate::secret::RootKey;
use crate::signin::Registrar;
use crate::store::memory::{MemoryIndex, MemoryLimits, MemorySpending};
use crate::store::redis::{Follower, Mirror, Prober, Redis, RedisIndex, RedisLimits, RedisSpending};
use crate::store::{self, Check, Durable};
use crate::telemetry::Metrics;
use crate::token::rotate::Keymaker;
use crate::token::{Algorithm, TokenSettings, UnderWay};

/// Stores, opened, and what looks after them. What it owns ends with it.
pub struct Core {
    /// The durable store.
    pub store: Arc<dyn Durable>,
    /// Redis, where it is configured.
    pub redis: Option<Arc<Redis>>,
    /// What asks and writes revocations.
    pub revocations: Arc<Revocations>,
    /// What counts uses.
    pub limits: Arc<dyn Limits>,
    /// What counts messages that cost money.
    pub spending: Arc<dyn Spending>,
    /// The operator's key.
    pub root: RootKey,
    /// What seals under it.
    pub sealer: Sealer,
    /// New refresh tokens whose replies have yet to leave, whatever is reloaded meanwhile.
    pub under_way: UnderWay,
    /// Where chance comes from.
    pub entropy: Arc<dyn Entropy>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Writes the audit log: `core.audit.record(Event::new(What::…, Who::Operator, core.clock.now()).on(…)).await?`, after the act.
    pub audit: Arc<Recorder>,
    /// What binds the rows of that log to one another.
    pub chain: Arc<Chain>,
    tokens: TokenSettings,
    _watch: Watch,
    _prober: Option<Prober>,
    _follower: Option<Follower>,
}

impl Core {
    /// Open what `config` names, in the runtime `slow`, in which this is called. The database is brought up to date where
    /// `store.migrate` says so.
    ///
    /// # Errors
    /// When the database cannot be reached or is not up to date, or Redis' URL is none.
    pub async fn open(config: &Config, slow: &Handle) -> Result<Self, NotServing> {
        let store = open_store(config).await?;
        let metrics = Arc::new(Metrics::new()?);
        let redis = config.redis.as_ref().map(Redis::new).transpose()?;
        let prober = redis.as_ref().map(|redis| Prober::start(redis, slow));
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let (index, mirror) = index(config, redis.as_ref());
        let revocations = Revocations::new(Parts {
            index,
            ledger: store.clone(),
            observer: Arc::new(Heard::new(&metrics)),
            keep: keep_for(config.tokens.access_lifetime, config.tokens.leeway),
            pace: mirror.as_ref().map_or_else(Pace::default, |mirror| Pace::within(mirror.max_staleness())),
            slow: slow.clone(),
        });
        let root = config.root_key().map_err(|mistake| NotServing::Configuration(vec![mistake]))?;
        let chain = Arc::new(Chain::new(&root));
        let audit = Recorder::start(store.clone(), Arc::clone(&chain), slow);
        Ok(Self {
            audit: Arc::new(audit),
            chain,
            _watch: revocations.watch(Arc::clone(&clock)),
            _prober: prober,
            _follower: mirror.map(|mirror| Follower::start(&mirror, Arc::clone(&clock), slow)),
            limits: limits(redis.as_ref()),
            spending: spending(redis.as_ref()),
            under_way: UnderWay::default(),
            sealer: Sealer::new(&root).map_err(Outage::from)?,
            entropy: Arc::new(SystemEntropy::default()),
            tokens: config.tokens.clone(),
            store,
            redis,
            revocations,
            root,
            clock,
            metrics,
        })
    }

    /// What changes accounts.
    pub fn registrar(&self) -> Registrar {
        Registrar { accounts: self.store.clone(), roster: self.store.clone(), revocations: Arc::clone(&self.revocations) }
    }

    /// What makes and revokes API keys.
    pub fn key_desk(&self) -> KeyDesk {
        KeyDesk { keys: self.store.clone(), revocations: Arc::clone(&self.revocations), entropy: Arc::clone(&self.entropy) }
    }

    /// What registers apps, beside the routes of `config`.
    pub fn app_desk(&self, config: &Config) -> AppDesk {
        self.app_desk_beside(Arc::new(Judged { config: config.clone(), now: self.clock.now() }))
    }

    /// What registers apps, beside the routes that `judge` knows.
    pub fn app_desk_beside(&self, judge: Arc<dyn Judge>) -> AppDesk {
        AppDesk { apps: self.store.clone(), subjects: self.store.clone(), keys: self.key_desk(), keyed: AppKeyed::new(&self.root), judge }
    }

    /// What makes signing keys and opens them.
    pub fn keymaker(&self) -> Keymaker<'_> {
        Keymaker {
            keys: self.store.as_ref(),
            sealer: &self.sealer,
            entropy: self.entropy.as_ref(),
            settings: &self.tokens,
            assertions: Algorithm::Es256,
        }
    }
}

/// The store that `config` names, up to date.
async fn open_store(config: &Config) -> Result<Arc<dyn Durable>, NotServing> {
    let store = store::open(&config.store).map_err(NotServing::Store)?;
    if config.store.migrate {
        store.migrate().await.map_err(NotServing::Store)?;
        return Ok(store);
    }
    let pending = store.pending_migrations().await.map_err(NotServing::Store)?;
    if pending.is_empty() { Ok(store) } else { Err(NotServing::Pending(pending)) }
}

/// The index, and the mirror if it is one.
fn index(config: &Config, redis: Option<&Arc<Redis>>) -> (Arc<dyn Index>, Option<Arc<Mirror>>) {
    let (Some(redis), Some(settings)) = (redis, &config.redis) else { return (Arc::new(MemoryIndex::new()), None) };
    match settings.check {
        Check::Strict => (Arc::new(RedisIndex::new(Arc::clone(redis))), None),
        Check::Mirror => {
            let mirror = Mirror::new(Arc::clone(redis), settings.max_staleness);
            (Arc::<Mirror>::clone(&mirror), Some(mirror))
        }
    }
}

fn limits(redis: Option<&Arc<Redis>>) -> Arc<dyn Limits> {
    let own: Arc<dyn Limits> = Arc::new(MemoryLimits::new());
    match redis {
        Some(redis) => Arc::new(Fallback { common: Arc::new(RedisLimits::new(Arc::clone(redis))), own }),
        None => own,
    }
}

fn spending(redis: Option<&Arc<Redis>>) -> Arc<dyn Spending> {
    let own: Arc<dyn Spending> = Arc::new(MemorySpending::new());
    match redis {
        Some(redis) => Arc::new(SpendingFallback { common: Arc::new(RedisSpending::new(Arc::clone(redis))), own }),
        None => own,
    }
}
