//! One address of an upstream, with all that a connection to it needs: made once, copied for each request.

use std::hash::{Hash as _, Hasher as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use pingora::protocols::l4::socket::SocketAddr as Socket;
use pingora::protocols::{ALPN, TcpKeepalive};
use pingora::upstreams::peer::{HttpPeer, Scheme};

use super::Fnv;
use super::health::Health;
use super::trust::Trust;
use crate::admission::{Address, Place, Protocol, Route};

/// How long an idle connection to an upstream is kept. Many servers close theirs after five seconds: a request that is sent at
/// that very moment is lost, and only an idempotent one may be sent again.
pub(in crate::gateway) const KEPT_FOR: Duration = Duration::from_secs(4);
/// The same for a request that must not be sent twice, and so cannot be saved when its connection turns out to be closing: hardly a
/// server closes one as soon as this.
pub(in crate::gateway) const KEPT_FOR_ONCE: Duration = Duration::from_secs(1);
/// The same for HTTP/2, whose servers say in time that they are about to close (RFC 9113 §6.8).
const H2_KEPT_FOR: Duration = Duration::from_secs(60);
/// When the system asks whether the other end of a silent connection is still there, an app or a client. Not by HTTP/2's own
/// pings: servers of gRPC take those for an attack when they come oftener than every five minutes.
pub(in crate::gateway) const PROBES: TcpKeepalive =
    TcpKeepalive { idle: Duration::from_secs(60), interval: Duration::from_secs(15), count: 4, user_timeout: Duration::ZERO };
/// Most requests on one HTTP/2 connection.
const H2_STREAMS: usize = 100;
/// How much of a response may wait for its client, and for all clients of a connection together: as many full streams as there
/// can be, so that slow clients cannot stop the others.
const H2_STREAM_WINDOW: u32 = 512 * 1024;
const H2_WINDOW: u32 = 64 * 1024 * 1024;

/// The number of the next endpoint.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// One address.
pub(in crate::gateway) struct Endpoint {
    /// Its number in this process: no other has it, before or after.
    pub id: u64,
    /// What the upstream calls itself: its `Host`, unless the client's is kept.
    pub authority: Arc<str>,
    /// Where it is, in logs and metrics.
    pub label: Arc<str>,
    /// Its share.
    pub(super) weight: u32,
    /// Its place among the others where requests have a home.
    pub(super) number: u64,
    /// How it does.
    pub(super) health: Arc<Health>,
    peer: HttpPeer,
    http2: bool,
}

/// What a request is like, as far as its connection must know.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::gateway) struct Manner {
    /// Silence is normal in its response, and does not end it.
    pub is_patient: bool,
    /// It becomes a tunnel, which only HTTP/1 can do here.
    pub is_upgrade: bool,
    /// It is gRPC, which only HTTP/2 can carry.
    pub is_grpc: bool,
    /// It must not be sent twice (RFC 9110 §9.2.2).
    pub is_once: bool,
}

impl Manner {
    /// How long the connection that it takes may have been idle, over HTTP/1.
    pub(in crate::gateway) const fn takes_idle_for(self) -> Duration {
        if self.is_once { KEPT_FOR_ONCE } else { KEPT_FOR }
    }
}

/// What all addresses of a route share.
pub(super) struct Common {
    group: u64,
    trust: Trust,
    connect_timeout: Duration,
    read_timeout: Duration,
    write_timeout: Duration,
    http2: bool,
}

impl Common {
    /// Of a route.
    pub(super) fn new(route: &Route, trust: Trust) -> Self {
        // Connections are shared within a route, never between two; nor with those that were made when the files of its
        // certificates held something else.
        let mut hasher = Fnv::default();
        route.name.hash(&mut hasher);
        trust.fingerprint.hash(&mut hasher);
        Self {
            group: hasher.finish(),
            trust,
            connect_timeout: route.connect_timeout,
            read_timeout: route.read_timeout,
            write_timeout: route.write_timeout,
            http2: route.destination.http2,
        }
    }
}

impl Endpoint {
    /// Of an address that is at `place`.
    pub(super) fn new(address: &Address, place: Socket, label: Arc<str>, common: &Common, health: Arc<Health>) -> Self {
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            authority: address.authority.as_str().into(),
            number: super::number(label.as_bytes()),
            label,
            weight: address.weight,
            health,
            peer: peer(&address.protocol, place, common),
            http2: common.http2,
        }
    }

    /// Its socket.
    pub(in crate::gateway) const fn socket(&self) -> &Socket {
        &self.peer._address
    }

    /// How to reach it with a request of this manner.
    pub(in crate::gateway) fn peer(&self, manner: Manner) -> HttpPeer {
        let mut peer = self.peer.clone();
        if manner.is_patient {
            peer.options.read_timeout = None;
        }
        if peer.scheme == Scheme::HTTPS {
            peer.options.alpn = match manner {
                Manner { is_grpc: true, .. } => ALPN::H2,
                Manner { is_upgrade: true, .. } => ALPN::H1,
                Manner { .. } if self.http2 => ALPN::H2H1,
                Manner { .. } => ALPN::H1,
            };
        }
        if manner.is_once && peer.options.alpn == ALPN::H1 {
            // The framework closes what was idle for too long, and does not ask who comes next: so these have connections of their
            // own. Over HTTP/2 a server says what it has not looked at.
            peer.group_key = !peer.group_key;
            peer.options.idle_timeout = Some(manner.takes_idle_for());
        }
        peer
    }
}

fn peer(protocol: &Protocol, place: Socket, common: &Common) -> HttpPeer {
    let (is_tls, name) = match protocol {
        // An empty name would turn verification off; the configuration has none.
        Protocol::Https { name } => (true, name.clone()),
        Protocol::Http | Protocol::H2c => (false, String::new()),
    };
    let mut peer = HttpPeer::new(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)), is_tls, name);
    peer._address = place;
    peer.group_key = common.group;
    if is_tls {
        peer.client_cert_key.clone_from(&common.trust.identity);
        peer.options.ca.clone_from(&common.trust.authorities);
    }
    let options = &mut peer.options;
    options.connection_timeout = Some(common.connect_timeout);
    options.total_connection_timeout = Some(common.connect_timeout);
    options.read_timeout = Some(common.read_timeout);
    options.write_timeout = Some(common.write_timeout);
    options.idle_timeout = Some(KEPT_FOR);
    options.tcp_keepalive = Some(PROBES);
    options.max_h2_streams = H2_STREAMS;
    options.h2_stream_window_size = Some(H2_STREAM_WINDOW);
    options.h2_connection_window_size = Some(H2_WINDOW);
    if *protocol == Protocol::H2c {
        options.alpn = ALPN::H2;
        options.idle_timeout = Some(H2_KEPT_FOR);
    }
    peer
}

/// How a place is called in logs and metrics.
pub(super) fn label(place: &Socket) -> Arc<str> {
    match place {
        Socket::Inet(address) => address.to_string().into(),
        Socket::Unix(socket) => format!("unix:{}", socket.as_pathname().unwrap_or_else(|| std::path::Path::new("?")).display()).into(),
    }
}

/// The socket of a place that needs no resolving.
pub(super) fn socket(place: &Place) -> Option<Socket> {
    match place {
        Place::Fixed(address) => Some(Socket::Inet(*address)),
        Place::Unix(path) => std::os::unix::net::SocketAddr::from_pathname(path).ok().map(Socket::Unix),
        Place::Named { .. } => None,
    }
}
