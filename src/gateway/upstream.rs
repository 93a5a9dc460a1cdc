//! Where a route's requests go: its addresses in turn, names resolved by us and again in time.
//!
//! The framework would resolve a name once, blocking, and panic when it fails. Active health checks and other balancing will
//! live here too.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use pingora::protocols::TcpKeepalive;
use pingora::upstreams::peer::HttpPeer;
use tokio::runtime::Handle;

use crate::admission::Route;

/// How long a name's addresses are used before it is resolved again.
const FRESH_FOR: Duration = Duration::from_secs(30);
/// How long an idle connection to an upstream is kept. Many servers close theirs after five seconds: a request that is sent at
/// that very moment is lost, and only an idempotent one may be sent again.
const KEPT_FOR: Duration = Duration::from_secs(4);
/// When the system asks whether the other end of a silent connection is still there.
const PROBES: TcpKeepalive =
    TcpKeepalive { idle: Duration::from_secs(60), interval: Duration::from_secs(15), count: 4, user_timeout: Duration::ZERO };

/// A name that has no address.
#[derive(Debug, thiserror::Error)]
#[error("no address of the route's upstreams could be found: {cause}")]
pub(super) struct NoAddress {
    cause: String,
}

/// The upstream of one route.
#[derive(Debug)]
pub(super) struct Upstream {
    targets: Vec<Target>,
    turn: AtomicUsize,
    /// Connections are shared within a route, never between two.
    group: u64,
    connect_timeout: Duration,
    read_timeout: Duration,
    write_timeout: Duration,
}

/// An address to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice {
    /// Where to connect.
    pub address: SocketAddr,
    /// What the upstream calls itself: its `Host`, unless the client's is kept.
    pub authority: Arc<str>,
}

#[derive(Debug)]
struct Target {
    authority: Arc<str>,
    place: Place,
}

#[derive(Debug)]
enum Place {
    Fixed(SocketAddr),
    Named(Arc<Name>),
}

#[derive(Debug)]
struct Name {
    host: String,
    port: u16,
    resolved: ArcSwapOption<Resolved>,
    /// Somebody is resolving it again.
    busy: AtomicBool,
}

#[derive(Debug)]
struct Resolved {
    addresses: Vec<SocketAddr>,
    until: Instant,
}

impl Upstream {
    /// Of a route, whose addresses were checked when it was read.
    pub(super) fn new(route: &Route) -> Self {
        let mut hasher = DefaultHasher::new();
        route.name.hash(&mut hasher);
        Self {
            targets: route.upstream.iter().filter_map(|address| Target::read(address)).collect(),
            turn: AtomicUsize::new(0),
            group: hasher.finish(),
            connect_timeout: route.connect_timeout,
            read_timeout: route.read_timeout,
            write_timeout: route.write_timeout,
        }
    }

    /// The addresses to try for one request, in order: each request begins one further than the last.
    ///
    /// # Errors
    /// [`NoAddress`] when none of the names has one.
    pub(super) async fn choices(&self, slow: &Handle) -> Result<Vec<Choice>, NoAddress> {
        let mut choices = Vec::with_capacity(self.targets.len());
        let mut missing = None;
        for target in &self.targets {
            match target.addresses(slow, self.connect_timeout).await {
                Ok(addresses) => {
                    choices.extend(addresses.into_iter().map(|address| Choice { address, authority: Arc::clone(&target.authority) }));
                }
                Err(error) => missing = Some(error),
            }
        }
        if choices.is_empty() {
            return Err(missing.unwrap_or(NoAddress { cause: "none is configured".to_owned() }));
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % choices.len();
        choices.rotate_left(turn);
        Ok(choices)
    }

    /// How to reach an address. `patient`: silence is normal there (a WebSocket, an event stream), and does not end it.
    pub(super) fn peer(&self, address: SocketAddr, patient: bool) -> HttpPeer {
        let mut peer = HttpPeer::new(address, false, String::new());
        peer.group_key = self.group;
        peer.options.connection_timeout = Some(self.connect_timeout);
        peer.options.total_connection_timeout = Some(self.connect_timeout);
        peer.options.read_timeout = (!patient).then_some(self.read_timeout);
        peer.options.write_timeout = Some(self.write_timeout);
        peer.options.idle_timeout = Some(KEPT_FOR);
        peer.options.tcp_keepalive = Some(PROBES);
        peer
    }
}

impl Target {
    /// From `host:port`, IPv6 in brackets.
    fn read(text: &str) -> Option<Self> {
        let authority = text.strip_suffix(":80").unwrap_or(text).into();
        if let Ok(address) = text.parse() {
            return Some(Self { authority, place: Place::Fixed(address) });
        }
        let (host, port) = text.rsplit_once(':')?;
        let name = Name { host: host.to_owned(), port: port.parse().ok()?, resolved: ArcSwapOption::empty(), busy: AtomicBool::new(false) };
        Some(Self { authority, place: Place::Named(Arc::new(name)) })
    }

    async fn addresses(&self, slow: &Handle, patience: Duration) -> Result<Vec<SocketAddr>, NoAddress> {
        match &self.place {
            Place::Fixed(address) => Ok(vec![*address]),
            Place::Named(name) => name.addresses(slow, patience).await,
        }
    }
}

impl Name {
    /// What it resolved to. What is no longer fresh is used once more while it is looked up again; only the first request
    /// waits.
    async fn addresses(self: &Arc<Self>, slow: &Handle, patience: Duration) -> Result<Vec<SocketAddr>, NoAddress> {
        if let Some(resolved) = self.resolved.load().as_ref() {
            if resolved.until < Instant::now() && !self.busy.swap(true, Ordering::AcqRel) {
                slow.spawn(Arc::clone(self).resolve_again(patience));
            }
            return Ok(resolved.addresses.clone());
        }
        self.resolve(patience).await
    }

    async fn resolve_again(self: Arc<Self>, patience: Duration) {
        if let Err(error) = self.resolve(patience).await {
            tracing::warn!(upstream.host = %self.host, %error, "the upstream's name {} cannot be resolved, its last addresses are used on", self.host);
            let known = self.resolved.load_full();
            self.resolved
                .store(known.map(|known| Arc::new(Resolved { addresses: known.addresses.clone(), until: Instant::now() + FRESH_FOR })));
        }
        self.busy.store(false, Ordering::Release);
    }

    async fn resolve(&self, patience: Duration) -> Result<Vec<SocketAddr>, NoAddress> {
        let lookup = tokio::time::timeout(patience, tokio::net::lookup_host((self.host.as_str(), self.port)));
        let found = lookup.await.map_err(|_| NoAddress { cause: "resolving took too long".to_owned() })?;
        let addresses: Vec<_> = found.map_err(|error| NoAddress { cause: error.to_string() })?.collect();
        if addresses.is_empty() {
            return Err(NoAddress { cause: format!("{} has none", self.host) });
        }
        self.resolved.store(Some(Arc::new(Resolved { addresses: addresses.clone(), until: Instant::now() + FRESH_FOR })));
        Ok(addresses)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::{RouteSettings, Table};

    fn upstream(addresses: &[&str]) -> Upstream {
        let route: RouteSettings = serde_json::from_value(serde_json::json!({ "name": "wiki", "upstream": addresses })).unwrap();
        let table = Table::new(&[route], "/auth").unwrap();
        Upstream::new(table.iter().next().unwrap())
    }

    #[tokio::test]
    async fn requests_take_turns() {
        let upstream = upstream(&["http://127.0.0.1:3000", "http://127.0.0.2:3000", "http://[::1]"]);
        let mut firsts = Vec::new();
        for _ in 0..4 {
            let choices = upstream.choices(&Handle::current()).await.unwrap();
            assert_eq!(choices.len(), 3);
            firsts.push(choices[0].address.to_string());
        }
        assert_eq!(firsts, ["127.0.0.1:3000", "127.0.0.2:3000", "[::1]:80", "127.0.0.1:3000"]);
    }

    #[tokio::test]
    async fn names_are_resolved_and_remembered() {
        let upstream = upstream(&["http://localhost:3000"]);
        let choices = upstream.choices(&Handle::current()).await.unwrap();
        assert!(choices.iter().all(|choice| choice.address.ip().is_loopback() && choice.address.port() == 3000));
        assert_eq!(&*choices[0].authority, "localhost:3000");
        let Place::Named(name) = &upstream.targets[0].place else { panic!("a name") };
        assert!(name.resolved.load().is_some());
    }

    #[tokio::test]
    async fn a_name_without_address_is_told() {
        assert!(upstream(&["http://nothing.invalid:3000"]).choices(&Handle::current()).await.is_err());
    }

    #[test]
    fn an_upstream_is_called_as_a_url_would_call_it() {
        for (url, authority) in
            [("http://a.example", "a.example"), ("http://a.example:8080", "a.example:8080"), ("http://[::1]:80", "[::1]")]
        {
            assert_eq!(&*upstream(&[url]).targets[0].authority, authority);
        }
    }

    #[test]
    fn silence_is_borne_from_streams_only() {
        let upstream = upstream(&["http://127.0.0.1:3000"]);
        let address = SocketAddr::from(([127, 0, 0, 1], 3000));
        assert_eq!(upstream.peer(address, false).options.read_timeout, Some(Duration::from_secs(60)));
        assert_eq!(upstream.peer(address, true).options.read_timeout, None);
    }
}
