//! Connections: one for each worker thread, opened in the worker's own runtime, so that no request waits for another thread.
//!
//! Not the library's `ConnectionManager`: with its defaults every command stalls for 9.45 s while Redis is gone.

use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::{
    AsyncConnectionConfig, Client, ConnectionInfo, ErrorKind, ProtocolVersion, PushInfo, RedisError, RedisResult, ServerErrorKind,
};
use tokio::runtime::{Handle, Id, RuntimeFlavor};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{Notify, OnceCell};

use super::breaker::{Breaker, Pass};
use super::cluster::slot_of;
use super::place::Place;
use super::seat::{Seat, Torn};
use crate::outage::Outage;
use crate::secret::Secret;
use crate::store::RedisSettings;

/// Requests of one worker that may wait for the same connection; the library's 50 are few.
const PIPELINE: usize = 1024;

/// One Redis, as this process reaches it.
#[derive(Debug)]
pub struct Redis {
    place: Place,
    password: Option<Secret<String>>,
    /// How it is reached; `None` while nobody has said where it is.
    ends: Mutex<Option<Arc<Ends>>>,
    /// How often it has moved.
    moves: AtomicU64,
    timeout: Duration,
    /// What the keys of the index share, so that they are in one slot of a cluster.
    pub(super) tag: String,
    /// Before every other key: the tag, and as a tag where everything must be in one slot.
    pub(super) prefix: String,
    /// Have keys been seen half-way between two nodes of a cluster?
    torn: Torn,
    pub(super) breaker: Breaker,
    /// Something failed: the prober has work.
    pub(super) failed: Notify,
    born: Instant,
    /// When the newest connection was opened, in nanoseconds since `born`.
    opened: AtomicU64,
    /// The connection of runtimes with several threads.
    shared: Mutex<Option<Link>>,
}

/// How one address is connected to.
#[derive(Debug)]
struct Ends {
    info: ConnectionInfo,
    /// What its cluster calls it.
    node: Option<String>,
    client: Client,
    /// The same, for connections on which Redis may speak first (RESP3).
    pushing: Client,
}

/// A connection that is there, or on its way.
#[derive(Debug, Clone)]
struct Link {
    pass: Pass,
    connection: Arc<OnceCell<MultiplexedConnection>>,
}

/// The link of one worker thread to one Redis.
struct Local {
    owner: Weak<Redis>,
    runtime: Id,
    link: Link,
}

thread_local! {
    static LINKS: RefCell<Vec<Local>> = const { RefCell::new(Vec::new()) };
}

impl Redis {
    /// One Redis by its settings. Nothing is connected yet, and nothing is until a [`super::Prober`] has found it whole.
    ///
    /// # Errors
    /// When the URL is none.
    pub fn new(settings: &RedisSettings) -> Result<Arc<Self>, Outage> {
        let place = Place::read(settings.url.expose()).map_err(Outage::redis)?;
        let ends = match &place {
            Place::Fixed(info) => Some(Arc::new(Ends::to(info, settings.password.as_ref()).map_err(Outage::redis)?)),
            Place::Watched(_) | Place::Clustered(_) => None,
        };
        let tag = settings.prefix.clone();
        let prefix = if matches!(place, Place::Clustered(_)) { format!("{{{tag}}}") } else { tag.clone() };
        Ok(Arc::new(Self {
            place,
            password: settings.password.clone(),
            ends: Mutex::new(ends),
            moves: AtomicU64::new(0),
            timeout: settings.timeout,
            tag,
            prefix,
            torn: Torn::default(),
            breaker: Breaker::new(),
            failed: Notify::new(),
            born: Instant::now(),
            opened: AtomicU64::new(0),
            shared: Mutex::new(None),
        }))
    }

    /// Does it answer, as far as is known? `doorward_redis_up`.
    pub fn is_whole(&self) -> bool {
        self.breaker.is_closed()
    }

    /// When the newest connection was opened.
    pub(super) fn opened(&self) -> Instant {
        self.born + Duration::from_nanos(self.opened.load(Ordering::Acquire))
    }

    /// Do `act` over this worker's connection, within the timeout in all. Whatever fails opens the breaker.
    ///
    /// `act` must bear to be done twice: a connection that was closed while nobody used it (servers and firewalls do that) is
    /// found out by using it, and is no outage if a new one works.
    ///
    /// # Errors
    /// An [`Outage`], at once while the breaker is open.
    pub(super) async fn run<T, F>(self: &Arc<Self>, act: impl Fn(MultiplexedConnection) -> F + Send + Sync) -> Result<T, Outage>
    where
        F: Future<Output = RedisResult<T>> + Send,
    {
        let pass = self.breaker.pass().ok_or_else(|| Outage::redis("it failed a moment ago"))?;
        match tokio::time::timeout(self.timeout, self.attempt(pass, act)).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => {
                self.note(&error);
                Err(self.fail(pass, &error.to_string()))
            }
            Err(_) => Err(self.fail(pass, "no answer in time")),
        }
    }

    async fn attempt<T, F>(self: &Arc<Self>, pass: Pass, act: impl Fn(MultiplexedConnection) -> F + Send + Sync) -> RedisResult<T>
    where
        F: Future<Output = RedisResult<T>> + Send,
    {
        let link = self.link(pass, None)?;
        let is_used = link.connection.initialized();
        match act(self.open(&link).await?).await {
            Err(error) if is_used && error.is_connection_dropped() => {
                let link = self.link(pass, Some(&link))?;
                act(self.open(&link).await?).await
            }
            answer => answer,
        }
    }

    async fn open(&self, link: &Link) -> RedisResult<MultiplexedConnection> {
        link.connection.get_or_try_init(|| self.connect()).await.cloned()
    }

    /// Do `act` over a new connection, whatever the breaker says.
    pub(super) async fn probe<T, F>(&self, act: impl FnOnce(MultiplexedConnection) -> F) -> Result<T, String>
    where
        F: Future<Output = RedisResult<T>>,
    {
        let answer = tokio::time::timeout(self.timeout, async { act(self.connect().await?).await });
        let answer = answer.await.map_err(|_| "no answer in time".to_owned())?;
        answer.inspect_err(|error| self.note(error)).map_err(|error| error.to_string())
    }

    fn fail(&self, pass: Pass, cause: &str) -> Outage {
        if self.breaker.open(pass) {
            tracing::warn!("Redis failed: {cause}. The database is asked until it is whole again.");
            self.failed.notify_one();
        }
        Outage::redis(cause)
    }

    /// Keys that are moved to another node one by one are no index: whoever reads on might miss those that have gone. It shows
    /// in every command that names a key that is not there.
    fn note(&self, error: &RedisError) {
        let kind = error.kind();
        if matches!(kind, ErrorKind::Server(ServerErrorKind::Ask | ServerErrorKind::TryAgain)) && matches!(self.place, Place::Clustered(_))
        {
            self.torn.see();
        }
    }

    /// A follower's connection failed. That is for the follower alone, unless it has seen keys half-way.
    pub(super) fn heard(&self, error: &RedisError) {
        self.note(error);
        if self.torn.is_open()
            && let Some(pass) = self.breaker.pass()
        {
            self.fail(pass, &error.to_string());
        }
    }

    /// Does somebody say where it is, and may say otherwise later?
    pub(super) const fn may_move(&self) -> bool {
        match self.place {
            Place::Fixed(_) => false,
            Place::Watched(_) | Place::Clustered(_) => true,
        }
    }

    /// How often it has moved: connections from before lead to where it was.
    pub(super) fn moves(&self) -> u64 {
        self.moves.load(Ordering::Acquire)
    }

    /// Find out where it is. `true` when that is elsewhere than before, or when what is there is not what it was.
    ///
    /// # Errors
    /// Why nobody says, in words.
    pub(super) async fn settle(&self) -> Result<bool, String> {
        let torn = self.torn.seen();
        let (who, info, node) = match &self.place {
            Place::Fixed(_) => return Ok(false),
            Place::Watched(watched) => ("sentinels name", watched.primary(self.timeout).await?, None),
            Place::Clustered(clustered) => {
                let owner = clustered.owner(slot_of(&self.tag), self.password.as_ref(), self.timeout).await?;
                ("cluster names", owner.info, Some(owner.node))
            }
        };
        if self.ends().is_ok_and(|ends| ends.info.addr() == info.addr() && ends.node == node) && !self.torn.is_open() {
            return Ok(false);
        }
        let ends = Ends::to(&info, self.password.as_ref()).map_err(|error| error.to_string())?;
        let ends = Arc::new(Ends { node: node.clone(), ..ends });
        // Before anybody connects there.
        if let Some(node) = &node {
            let seat = Seat { tag: &self.tag, node, is_torn: self.torn.is_open() };
            tokio::time::timeout(self.timeout, seat.take(&ends.client)).await.map_err(|_| "no answer in time")?.map_err(|error| {
                self.note(&error);
                error.to_string()
            })?;
            self.torn.mend(torn);
        }
        tracing::info!("The {who} {} as the primary of Redis.", info.addr());
        *self.ends.lock().unwrap_or_else(PoisonError::into_inner) = Some(ends);
        self.moves.fetch_add(1, Ordering::AcqRel);
        Ok(true)
    }

    fn ends(&self) -> RedisResult<Arc<Ends>> {
        let ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner).clone();
        ends.ok_or_else(|| std::io::Error::new(std::io::ErrorKind::NotConnected, "nobody has said where the primary is").into())
    }

    /// A connection of its own, that nobody else uses; what Redis says unasked goes to `pushes`, in the order of the answers.
    pub(super) async fn listen(&self, pushes: UnboundedSender<PushInfo>) -> RedisResult<MultiplexedConnection> {
        if self.torn.is_open() {
            return Err(std::io::Error::new(std::io::ErrorKind::NotConnected, "keys are being moved to another node").into());
        }
        self.ends()?.pushing.get_multiplexed_async_connection_with_config(&untimed().set_push_sender(pushes)).await
    }

    async fn connect(&self) -> Result<MultiplexedConnection, RedisError> {
        let config = untimed().set_pipeline_buffer_size(PIPELINE);
        let connection = self.ends()?.client.get_multiplexed_async_connection_with_config(&config).await?;
        self.opened.fetch_max(u64::try_from(self.born.elapsed().as_nanos()).unwrap_or(u64::MAX), Ordering::AcqRel);
        Ok(connection)
    }

    /// This worker's link: a new one after the breaker was open, or in the place of one that is `dead`.
    fn link(self: &Arc<Self>, pass: Pass, dead: Option<&Link>) -> RedisResult<Link> {
        let runtime = Handle::try_current().map_err(std::io::Error::other)?;
        if runtime.runtime_flavor() != RuntimeFlavor::CurrentThread {
            let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
            let link = Link::renewed(shared.take(), pass, dead);
            *shared = Some(link.clone());
            return Ok(link);
        }
        Ok(LINKS.try_with(|links| self.local(&mut links.borrow_mut(), runtime.id(), pass, dead)).map_err(std::io::Error::other)?)
    }

    fn local(self: &Arc<Self>, links: &mut Vec<Local>, runtime: Id, pass: Pass, dead: Option<&Link>) -> Link {
        let is_ours = |local: &Local| std::ptr::eq(local.owner.as_ptr(), Arc::as_ptr(self)) && local.runtime == runtime;
        if let Some(local) = links.iter_mut().find(|local| is_ours(local)) {
            if !local.link.serves(pass, dead) {
                local.link = Link::new(pass);
            }
            return local.link.clone();
        }
        links.retain(|local| local.owner.strong_count() > 0);
        let link = Link::new(pass);
        links.push(Local { owner: Arc::downgrade(self), runtime, link: link.clone() });
        link
    }
}

impl Link {
    fn new(pass: Pass) -> Self {
        Self { pass, connection: Arc::new(OnceCell::new()) }
    }

    fn renewed(old: Option<Self>, pass: Pass, dead: Option<&Self>) -> Self {
        old.filter(|link| link.serves(pass, dead)).unwrap_or_else(|| Self::new(pass))
    }

    fn serves(&self, pass: Pass, dead: Option<&Self>) -> bool {
        self.pass == pass && dead.is_none_or(|dead| !Arc::ptr_eq(&dead.connection, &self.connection))
    }
}

/// One timeout, round everything, is with the caller.
pub(super) fn untimed() -> AsyncConnectionConfig {
    AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None)
}

impl Ends {
    fn to(info: &ConnectionInfo, password: Option<&Secret<String>>) -> RedisResult<Self> {
        let client = |protocol| client(info.clone(), password, protocol);
        Ok(Self { info: info.clone(), node: None, client: client(None)?, pushing: client(Some(ProtocolVersion::RESP3))? })
    }
}

/// How this address is connected to.
pub(super) fn client(info: ConnectionInfo, password: Option<&Secret<String>>, protocol: Option<ProtocolVersion>) -> RedisResult<Client> {
    let mut login = info.redis_settings().clone().set_skip_set_lib_name();
    if let Some(protocol) = protocol {
        login = login.set_protocol(protocol);
    }
    if let Some(password) = password {
        login = login.set_password(password.expose());
    }
    let tcp = TcpSettings::default().set_nodelay(true);
    Client::open(info.set_redis_settings(login).set_tcp_settings(tcp))
}
