//! New connections: accepted here, and made ready for their first request.
//!
//! ```text
//! accept ─▶ TLS ─▶ wire
//! ```
//!
//! One task accepts; each connection is served from beginning to end by one of the workers, chosen by chance. Its socket is
//! watched by that worker's runtime too, so that no byte of it wakes another thread.

mod socket;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use pingora::apps::{HttpServerApp, ServerApp};
use pingora::protocols::Stream;
use pingora::protocols::l4::socket::SocketAddr;
use pingora::server::{ListenFds, ShutdownWatch};
use pingora::services::Service;
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::timeout;

pub(super) use socket::Socket;

use super::flight::Flights;
use super::listener::{Bound, Ear, SocketFile};
use super::live::Swap;
use super::wire::Front;
use socket::Raw;

/// How long a TLS handshake may take in all.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long nothing is accepted where the system has no descriptors left.
const RESPITE: Duration = Duration::from_millis(100);

/// What stands between a new connection and its first request.
#[derive(Default)]
pub(super) struct Entrance {
    /// Where the certificates are, if connections may be TLS.
    pub tls: Option<Swap>,
}

impl Entrance {
    /// The connection, ready for requests; `None` when it is not let in.
    async fn enter(&self, socket: Socket) -> Option<Stream> {
        let Some(tls) = self.tls.as_ref().filter(|_| socket.is_tcp()).and_then(|live| live.current().tls.clone()) else {
            return Some(Box::new(socket));
        };
        match timeout(HANDSHAKE, tls.handshake(socket)).await {
            Ok(Ok(stream)) => return Some(Box::new(stream)),
            Ok(Err(error)) => tracing::debug!(%error, "a TLS handshake failed: {error}"),
            Err(_) => tracing::debug!("a TLS handshake took longer than {HANDSHAKE:?}"),
        }
        None
    }
}

/// A service of the framework that listens on sockets which were bound before it started, and stops when we say so.
pub(super) struct Door<A> {
    name: String,
    threads: Option<usize>,
    sockets: Vec<Bound>,
    closing: Option<(ShutdownWatch, Flights)>,
    inside: Arc<Inside<A>>,
}

/// What serves the connections.
struct Inside<A> {
    entrance: Entrance,
    front: Arc<Front<A>>,
}

impl<A: HttpServerApp + Send + Sync + 'static> Door<A> {
    /// On `sockets`. With `closing` it stops when that says so and counts itself there; else when the process ends.
    pub(super) fn new(name: &str, front: Front<A>, sockets: Vec<Bound>, closing: Option<(ShutdownWatch, Flights)>) -> Self {
        let inside = Arc::new(Inside { entrance: Entrance::default(), front: Arc::new(front) });
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
        let front = Arc::clone(&self.inside.front);
        Self { inside: Arc::new(Inside { entrance, front }), ..self }
    }
}

#[async_trait]
impl<A: HttpServerApp + Send + Sync + 'static> Service for Door<A> {
    async fn start_service(&mut self, _fds: Option<ListenFds>, shutdown: ShutdownWatch, _listeners_per_fd: usize) {
        let (closing, _open) = match &self.closing {
            Some((closing, open)) => (closing.clone(), Some(open.begin())),
            None => (shutdown, None),
        };
        let mut ears = JoinSet::new();
        for bound in self.sockets.drain(..) {
            match Listening::new(bound) {
                Ok(listening) => drop(ears.spawn(listening.accept(Arc::clone(&self.inside), closing.clone()))),
                Err(error) => tracing::error!(%error, "a listener of ours cannot be used: {error}"),
            }
        }
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
        if let Some(stream) = self.entrance.enter(Socket::new(raw, peer)).await {
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
    let arrived = if worker.id() == Handle::current().id() { Ok(Arrived::Here(raw)) } else { Arrived::leaving(raw) };
    drop(worker.spawn(async move {
        let arrived = arrived.and_then(Arrived::settled).map(|raw| (raw, peer));
        inside.serve(arrived, closing).await;
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
