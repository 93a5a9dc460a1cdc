//! A node: what one process has of revocation, on a runtime of its own as in the program.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use doorward::clock::{Clock, SystemClock, Timestamp};
use doorward::id::{AccountId, SessionId, TokenId};
use doorward::outage::Outage;
use doorward::revocation::{Act, Entry, Ids, Index, Ledger, Observer, Pace, Parts, Revocations, Source, Standing, Watch};
use doorward::secret::Secret;
use doorward::store::memory::MemoryIndex;
use doorward::store::redis::{Follower, Mirror, Prober, Redis, RedisIndex};
use doorward::store::{Check, RedisSettings};
use tokio::runtime::Runtime;

use crate::support::cluster::Cluster;
use crate::support::wait;

/// What must be true soon is true within this.
pub const SOON: Duration = Duration::from_secs(10);

/// The contract's bound for what other nodes learn.
pub const BOUND: Duration = Duration::from_secs(1);

pub const HOUR: Duration = Duration::from_hours(1);

/// Counts who answered.
#[derive(Debug, Default)]
pub struct Tally([AtomicU64; 4]);

impl Tally {
    pub fn of(&self, source: Source) -> u64 {
        self.slot(source).load(Ordering::SeqCst)
    }

    fn slot(&self, source: Source) -> &AtomicU64 {
        match source {
            Source::Redis => &self.0[0],
            Source::Memory => &self.0[1],
            Source::Ledger => &self.0[2],
            Source::Mirror => &self.0[3],
        }
    }
}

impl Observer for Tally {
    fn checked(&self, source: Source) {
        self.slot(source).fetch_add(1, Ordering::SeqCst);
    }
    fn revoked(&self, _: &'static str) {}
    fn lag(&self, _: Duration) {}
}

/// One node. Dropping it ends its tasks and its runtime.
pub struct Node {
    pub revocations: Arc<Revocations>,
    pub tally: Arc<Tally>,
    pub redis: Option<Arc<Redis>>,
    pub mirror: Option<Arc<Mirror>>,
    _follower: Option<Follower>,
    _watch: Watch,
    _prober: Option<Prober>,
    slow: Option<Runtime>,
}

impl Drop for Node {
    fn drop(&mut self) {
        // A test may drop it inside another runtime, where waiting is forbidden.
        if let Some(slow) = self.slow.take() {
            slow.shutdown_background();
        }
    }
}

impl Node {
    /// Without Redis.
    pub fn alone(ledger: Arc<dyn Ledger>) -> Self {
        Self::with(Parted { index: Arc::new(MemoryIndex::new()), redis: None, mirror: None }, ledger)
    }

    /// With the Redis at this URL, whether it is there or not.
    pub fn with_redis(url: &str, ledger: Arc<dyn Ledger>) -> Self {
        Self::with_settings(&settings(url), ledger)
    }

    /// With a mirror of the Redis at this URL.
    pub fn mirrored(url: &str, ledger: Arc<dyn Ledger>) -> Self {
        Self::with_settings(&RedisSettings { check: Check::Mirror, ..settings(url) }, ledger)
    }

    pub fn with_settings(settings: &RedisSettings, ledger: Arc<dyn Ledger>) -> Self {
        let redis = Redis::new(settings).unwrap();
        let parted = match settings.check {
            Check::Strict => Parted { index: Arc::new(RedisIndex::new(Arc::clone(&redis))), redis: Some(redis), mirror: None },
            Check::Mirror => {
                let mirror = Mirror::new(Arc::clone(&redis), settings.max_staleness);
                Parted { index: Arc::<Mirror>::clone(&mirror), redis: Some(redis), mirror: Some(mirror) }
            }
        };
        Self::with(parted, ledger)
    }

    fn with(parted: Parted, ledger: Arc<dyn Ledger>) -> Self {
        let Parted { index, redis, mirror } = parted;
        let slow = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let tally = Arc::new(Tally::default());
        let observer: Arc<dyn Observer> = tally.clone();
        let pace = mirror.as_ref().map_or_else(Pace::default, |mirror| Pace::within(mirror.max_staleness()));
        let parts = Parts { index, ledger, observer, keep: HOUR, pace, slow: slow.handle().clone() };
        let revocations = Revocations::new(parts);
        let watch = revocations.watch(Arc::new(SystemClock));
        let prober = redis.as_ref().map(|redis| Prober::start(redis, slow.handle()));
        let follower = mirror.as_ref().map(|mirror| Follower::start(mirror, Arc::new(SystemClock), slow.handle()));
        Self { revocations, tally, redis, mirror, _follower: follower, _watch: watch, _prober: prober, slow: Some(slow) }
    }

    /// Who answers while nothing is wrong.
    pub fn usual(&self) -> Source {
        match (&self.mirror, &self.redis) {
            (Some(_), _) => Source::Mirror,
            (None, Some(_)) => Source::Redis,
            (None, None) => Source::Memory,
        }
    }

    /// Waits until questions are answered by the index.
    pub async fn settled(self) -> Self {
        self.until_usual().await;
        self
    }

    /// Waits until a question was answered as usual.
    pub async fn until_usual(&self) {
        self.until_answered_by(self.usual()).await;
    }

    /// Waits until a question was answered by this one.
    pub async fn until_answered_by(&self, source: Source) {
        let stranger = Person::new("stranger");
        wait::until_async(&format!("an answer of {source:?}"), SOON, async || {
            let before = self.tally.of(source);
            drop(self.ask(&stranger).await);
            (self.tally.of(source) > before).then_some(())
        })
        .await;
    }

    pub async fn ask(&self, person: &Person) -> Result<Standing, Outage> {
        self.revocations.ask(person.ids(), SystemClock.now()).await
    }

    pub async fn revoke(&self, act: Act) -> Result<Vec<Entry>, Outage> {
        self.revocations.revoke(act, "test", SystemClock.now()).await
    }

    /// Ends the token of this person.
    pub async fn end(&self, person: &Person) -> Vec<Entry> {
        self.revoke(Act::Token(person.token.clone())).await.unwrap()
    }
}

/// What a node asks, taken apart.
struct Parted {
    index: Arc<dyn Index>,
    redis: Option<Arc<Redis>>,
    mirror: Option<Arc<Mirror>>,
}

pub fn settings(url: &str) -> RedisSettings {
    RedisSettings {
        url: Secret::new(url.to_owned()),
        password: None,
        password_file: None,
        timeout: Duration::from_millis(100),
        check: Check::Strict,
        max_staleness: Duration::from_secs(1),
        prefix: "doorward".to_owned(),
    }
}

/// A Redis that was found whole, and its prober in the runtime of the test. It may take its time: what is asked of it here is
/// what it does, and not how fast.
pub async fn whole(url: &str) -> (Arc<Redis>, Prober) {
    whole_with(settings(url)).await
}

/// The same in a cluster, under a prefix that nobody else has.
pub async fn whole_in_cluster() -> (Arc<Redis>, Prober) {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let node = tokio::task::spawn_blocking(Cluster::of_one).await.unwrap();
    let url = node.redis.url().replacen("redis://", "redis+cluster://", 1);
    let prefix = format!("test{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    whole_with(RedisSettings { prefix, ..settings(&url) }).await
}

async fn whole_with(settings: RedisSettings) -> (Arc<Redis>, Prober) {
    let redis = Redis::new(&RedisSettings { timeout: Duration::from_secs(10), ..settings }).unwrap();
    let prober = Prober::start(&redis, &tokio::runtime::Handle::current());
    wait::until_async("Redis to be whole", SOON, async || redis.is_whole().then_some(())).await;
    (redis, prober)
}

/// Somebody with a token.
#[derive(Debug, Clone)]
pub struct Person {
    pub token: TokenId,
    pub session: SessionId,
    pub account: AccountId,
    /// Of the account, when the token was made.
    pub revision: i64,
}

impl Person {
    pub fn new(name: &str) -> Self {
        Self {
            token: TokenId::new(format!("{name}-token")),
            session: SessionId::new(format!("{name}-session")),
            account: AccountId::new(format!("{name}-account")),
            revision: 0,
        }
    }

    pub fn ids(&self) -> Ids<'_> {
        Ids { token: &self.token, session: &self.session, account: &self.account, revision: self.revision }
    }
}

/// A point in time that is not now.
pub const T: Timestamp = Timestamp::from_secs(1_800_000_000);
