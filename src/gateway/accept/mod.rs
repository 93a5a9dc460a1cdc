//! New connections: accepted here, and made ready for their first request.
//!
//! ```text
//! accept ─▶ caps ─▶ PROXY protocol ─▶ TLS ─▶ wire
//! ```
//!
//! One task accepts; each connection is served from beginning to end by one of the workers, chosen by chance. Its socket is
//! watched by that worker's runtime too, so that no byte of it wakes another thread.

mod caps;
mod proxied;
mod socket;

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pingora::apps::{HttpServerApp, ServerApp};
use pingora::protocols::Stream;
use pingora::protocols::l4::ext::set_tcp_keepalive;
use pingora::protocols::l4::socket::SocketAddr;
use pingora::server::{ListenFds, ShutdownWatch};
use pingora::services::Service;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

pub use caps::Bounds;
pub(super) use caps::Caps;
pub(super) use socket::Socket;

use super::flight::Flights;
use super::listener::{Bound, Ear, SocketFile};
use super::live::Swap;
use super::tls::{Secured, Tls};
use super::upstream::PROBES;
use super::wire::Front;
use crate::admission::Table;
use crate::clock::Clock;
use caps::Place;
use socket::Raw;

/// How long a TLS handshake may take in all.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a trusted proxy may take to say for whom it speaks.
const ANNOUNCED: Duration = Duration::from_secs(5);
/// How long nothing is accepted where the system has no descriptors left.
const RESPITE: Duration = Duration::from_millis(100);

/// What stands between a new connection and its first request.
pub(super) struct Entrance {
    /// Whom we believe, and our certificates.
    pub live: Swap,
    /// Trusted proxies speak the PROXY protocol.
    pub proxy_protocol: bool,
    /// How many there may be.
    pub caps: Caps,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Is TLS spoken here, where there are certificates?
    pub secure: bool,
}

impl Entrance {
    /// The connection, ready for requests, and its places among those that there may be; `None` when it is not let in.
    async fn enter(&self, mut socket: Socket) -> Option<(Stream, [Place; 2])> {
        let all = self.caps.one_of_all()?;
        let live = self.live.current();
        let is_proxy = live.trusted.has(socket.peer().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)), !socket.is_tcp());
        if is_proxy && self.proxy_protocol && !self.is_announced(&mut socket).await {
            return None;
        }
        let counted = socket.peer().filter(|_| !is_proxy || self.proxy_protocol);
        let own = self.caps.one_of_network(counted)?;
        let tls = live.tls.as_deref().filter(|_| self.secure && socket.is_tcp());
        let stream: Stream = match tls {
            Some(tls) => Box::new(self.secured(tls, socket, live.gate.table()).await?),
            None => Box::new(socket),
        };
        Some((stream, [all, own]))
    }

    /// Has the proxy said for whom it speaks?
    async fn is_announced(&self, socket: &mut Socket) -> bool {
        let said = timeout(ANNOUNCED, proxied::read(socket)).await;
        let is_sound = matches!(said, Ok(Ok(())));
        if !is_sound {
            self.refused("proxy_protocol");
            tracing::info!(
                proxy.address = socket.peer().map(display),
                "a trusted proxy did not say for whom it speaks, and was hung up on"
            );
        }
        is_sound
    }

    async fn secured(&self, tls: &Tls, socket: Socket, routes: &Table) -> Option<Secured> {
        match timeout(HANDSHAKE, tls.handshake(socket, routes, self.clock.now())).await {
            Ok(Ok(stream)) => return Some(stream),
            Ok(Err(error)) => {
                self.refused("handshake");
                tracing::debug!(%error, "a TLS handshake failed: {error}");
            }
            Err(_) => {
                self.refused("handshake_timeout");
                tracing::debug!("a TLS handshake took longer than {HANDSHAKE:?}");
            }
        }
        None
    }

    fn refused(&self, reason: &str) {
        self.caps.metrics().connection_refused(reason);
    }
}

/// A service of the framework that listens on sockets which were bound before it started, and stops when we say so.
pub(super) struct Door<A> {
    name: String,
    threads: Option<usize>,
    sockets: Vec<Bound>,
    closing: Closing,
    inside: Arc<Inside<A>>,
}

/// How a door closes, and who waits for it.
pub(super) struct Closing {
    /// Says when to stop listening.
    pub told: ShutdownWatch,
    /// Counts the door, while it listens.
    pub open: Flights,
    /// Counts its connections.
    pub connections: Flights,
    /// Counts the doors that have begun to listen.
    pub listening: watch::Sender<usize>,
}

/// What serves the connections.
struct Inside<A> {
    entrance: Option<Entrance>,
    front: Arc<Front<A>>,
    connections: Flights,
}

impl<A: HttpServerApp + Send + Sync + 'static> Door<A> {
    /// On `sockets`.
    pub(super) fn new(name: &str, front: Front<A>, sockets: Vec<Bound>, closing: Closing) -> Self {
        let connections = closing.connections.clone();
        let inside = Arc::new(Inside { entrance: None, front: Arc::new(front), connections });
        Self { name: name.to_owned(), threads: None, sockets, closing, inside }
    }

    /// With so many workers, instead of the server's number.
    #[must_use]
    pub(super) fn with_threads(self, threads: usize) -> Self {
        Self { threads: Some(threads), ..self }
    }

    /// Behind an entrance.
    #[must_use]
    pub(super) fn behind(self, entrance: Entrance) -> Self {
        let (front, connections) = (Arc::clone(&self.inside.front), self.inside.connections.clone());
        Self { inside: Arc::new(Inside { entrance: Some(entrance), front, connections }), ..self }
    }
}

#[async_trait]
impl<A: HttpServerApp + Send + Sync + 'static> Service for Door<A> {
    async fn start_service(&mut self, _fds: Option<ListenFds>, _shutdown: ShutdownWatch, _listeners_per_fd: usize) {
        let (closing, _open) = (self.closing.told.clone(), self.closing.open.begin());
        let mut ears = JoinSet::new();
        for bound in self.sockets.drain(..) {
            match Listening::new(bound) {
                Ok(listening) => drop(ears.spawn(listening.accept(Arc::clone(&self.inside), closing.clone()))),
                Err(error) => tracing::error!(%error, "a listener of ours cannot be used: {error}"),
            }
        }
        self.closing.listening.send_modify(|listening| *listening += 1);
        ears.join_all().await;
        self.inside.front.cleanup().await;
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn threads(&self) -> Option<usize> {
        self.threads
    }
}

impl<A: HttpServerApp + Send + Sync + 'static> Inside<A> {
    async fn serve(&self, arrived: io::Result<(Raw, Option<SocketAddr>)>, closing: ShutdownWatch) {
        // A connection that the system takes back is nobody's loss.
        let Ok((raw, peer)) = arrived else { return };
        let socket = Socket::new(raw, peer);
        let Some(entrance) = &self.entrance else {
            self.front.process_new(Box::new(socket), &closing).await;
            return;
        };
        if let Some((stream, _places)) = entrance.enter(socket).await {
            self.front.process_new(stream, &closing).await;
        }
    }
}

/// A socket of ours, in the runtime that accepts.
struct Listening {
    ear: Awake,
    _file: Option<SocketFile>,
}

enum Awake {
    Tcp(TcpListener),
    Unix(UnixListener),
}

/// A connection that was accepted, on its way from the runtime that accepts to the one that serves.
enum Arrived {
    Here(Raw),
    Tcp(std::net::TcpStream),
    Unix(std::os::unix::net::UnixStream),
}

impl Listening {
    fn new(bound: Bound) -> io::Result<Self> {
        let ear = match bound.socket {
            Ear::Tcp(socket) => Awake::Tcp(TcpListener::from_std(socket)?),
            Ear::Unix(socket) => Awake::Unix(UnixListener::from_std(socket)?),
        };
        Ok(Self { ear, _file: bound.file })
    }

    /// Until told to stop.
    async fn accept<A: HttpServerApp + Send + Sync + 'static>(self, inside: Arc<Inside<A>>, mut closing: ShutdownWatch) {
        let told = closing.clone();
        let mut stop = std::pin::pin!(closing.wait_for(|closing| *closing));
        loop {
            let accepted = tokio::select! {
                _ = &mut stop => return,
                accepted = self.next() => accepted,
            };
            match accepted {
                Ok((raw, peer)) => begin(raw, peer, Arc::clone(&inside), told.clone()),
                Err(error) if is_exhausted(&error) => {
                    tracing::error!(%error, "no connection can be accepted: {error}");
                    tokio::time::sleep(RESPITE).await;
                }
                // The client left before it was its turn.
                Err(error) => tracing::debug!(%error, "a connection was not accepted: {error}"),
            }
        }
    }

    async fn next(&self) -> io::Result<(Raw, Option<SocketAddr>)> {
        match &self.ear {
            Awake::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                stream.set_nodelay(true)?;
                // Who vanishes without a word is found out, however silent what they had opened may be.
                set_tcp_keepalive(&stream, &PROBES).map_err(io::Error::other)?;
                Ok((Raw::Tcp(stream), Some(peer.into())))
            }
            Awake::Unix(listener) => {
                let (stream, peer) = listener.accept().await?;
                Ok((Raw::Unix(stream), peer.try_into().ok()))
            }
        }
    }
}

/// Have a connection served by a worker.
fn begin<A: HttpServerApp + Send + Sync + 'static>(raw: Raw, peer: Option<SocketAddr>, inside: Arc<Inside<A>>, closing: ShutdownWatch) {
    let worker = pingora_runtime::current_handle();
    // From here on: between two workers it belongs to nobody else.
    let counted = inside.connections.begin();
    let arrived = if worker.id() == Handle::current().id() { Ok(Arrived::Here(raw)) } else { Arrived::leaving(raw) };
    drop(worker.spawn(async move {
        let arrived = arrived.and_then(Arrived::settled).map(|raw| (raw, peer));
        inside.serve(arrived, closing).await;
        drop(counted);
    }));
}

impl Arrived {
    fn leaving(raw: Raw) -> io::Result<Self> {
        match raw {
            Raw::Tcp(stream) => stream.into_std().map(Self::Tcp),
            Raw::Unix(stream) => stream.into_std().map(Self::Unix),
        }
    }

    /// In the runtime that this is called in.
    fn settled(self) -> io::Result<Raw> {
        match self {
            Self::Here(raw) => Ok(raw),
            Self::Tcp(stream) => TcpStream::from_std(stream).map(Raw::Tcp),
            Self::Unix(stream) => UnixStream::from_std(stream).map(Raw::Unix),
        }
    }
}

/// Out of descriptors or memory: trying again at once would only burn the processor. (EMFILE, ENFILE, ENOBUFS, ENOMEM.)
fn is_exhausted(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(12 | 23 | 24 | 105))
}
