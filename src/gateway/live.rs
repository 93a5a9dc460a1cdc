//! What a changed configuration replaces while requests go on. A request keeps what it began with; the next one has the new.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use tokio::runtime::Handle;

use super::Proxy;
use super::answer::{Answer, Answering};
use super::backend::Backends;
use super::client::Trusted;
use super::stream::Lasting;
use super::tls::Tls;
use super::upstream::{Keepers, Trusts};
use crate::admission::Gate;
use crate::cookie::Cookies;
use crate::endpoint::Endpoints;
use crate::telemetry::Metrics;

/// What can be replaced.
pub struct Rules {
    /// Decides who is let in, and holds all routes.
    pub gate: Arc<Gate>,
    /// Whom upstreams are vouched for by.
    pub trusts: Trusts,
    /// Our own endpoints.
    pub endpoints: Arc<Endpoints>,
    /// The names and attributes of our cookies.
    pub cookies: Cookies,
    /// Peers whose forwarded headers are believed.
    pub trusted_proxies: Vec<Proxy>,
    /// TLS on the public listeners.
    pub tls: Option<Arc<Tls>>,
    /// Knows how long sessions last.
    pub lasting: Arc<dyn Lasting>,
    /// Streams that may be open at once.
    pub streams: usize,
}

/// The same, with what follows from it.
pub(super) struct Live {
    pub gate: Arc<Gate>,
    pub endpoints: Arc<Endpoints>,
    pub own: Answering,
    pub backends: Backends,
    pub cookies: Cookies,
    pub trusted: Trusted,
    pub tls: Option<Arc<Tls>>,
    pub lasting: Arc<dyn Lasting>,
    pub streams: usize,
}

/// Replaces the rules of a running gateway.
#[derive(Clone)]
pub struct Swap {
    live: Arc<ArcSwap<Live>>,
    metrics: Arc<Metrics>,
    slow: Handle,
    /// Who looks after the upstreams; replaced with them, even where a request that is under way still has the old ones.
    keepers: Arc<Mutex<Keepers>>,
}

impl Swap {
    /// Beginning with `rules`.
    pub(super) fn new(rules: Rules, metrics: Arc<Metrics>, slow: Handle) -> Self {
        let live = Live::new(rules, &metrics, &slow, None);
        let keepers = Arc::new(Mutex::new(live.backends.keep(&slow)));
        Self { live: Arc::new(ArcSwap::from_pointee(live)), metrics, slow, keepers }
    }

    /// From the next request on, `rules` count. No request is dropped, no connection closed.
    pub fn replace(&self, rules: Rules) {
        let mut keepers = self.keepers.lock().unwrap_or_else(PoisonError::into_inner);
        let live = Live::new(rules, &self.metrics, &self.slow, Some(&self.live.load().backends));
        *keepers = live.backends.keep(&self.slow);
        self.live.store(Arc::new(live));
    }

    /// What counts now.
    pub(super) fn current(&self) -> Arc<Live> {
        self.live.load_full()
    }
}

impl Live {
    fn new(rules: Rules, metrics: &Arc<Metrics>, slow: &Handle, before: Option<&Backends>) -> Self {
        metrics.certificates(rules.tls.iter().flat_map(|tls| tls.expiries()));
        let answer: Arc<dyn Answer> = Arc::<Endpoints>::clone(&rules.endpoints);
        Self {
            backends: Backends::new(rules.gate.table(), &rules.trusts, metrics, before),
            gate: rules.gate,
            endpoints: rules.endpoints,
            own: Answering { answer, slow: slow.clone() },
            cookies: rules.cookies,
            trusted: Trusted::new(&rules.trusted_proxies),
            tls: rules.tls,
            lasting: rules.lasting,
            streams: rules.streams,
        }
    }
}
