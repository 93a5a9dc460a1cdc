//! What a changed configuration replaces while requests go on. A request keeps what it began with; the next one has the new.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::runtime::Handle;

use super::Proxy;
use super::answer::{Answer, Answering};
use super::backend::Backends;
use super::client::Trusted;
use super::stream::Lasting;
use super::tls::Tls;
use crate::admission::Gate;
use crate::cookie::Cookies;
use crate::endpoint::Endpoints;
use crate::telemetry::Metrics;

/// What can be replaced.
pub struct Rules {
    /// Decides who is let in, and holds all routes.
    pub gate: Arc<Gate>,
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
}

impl Swap {
    /// Beginning with `rules`.
    pub(super) fn new(rules: Rules, metrics: Arc<Metrics>, slow: Handle) -> Self {
        let live = Arc::new(ArcSwap::from_pointee(Live::new(rules, &metrics, &slow)));
        Self { live, metrics, slow }
    }

    /// From the next request on, `rules` count. No request is dropped, no connection closed.
    pub fn replace(&self, rules: Rules) {
        self.live.store(Arc::new(Live::new(rules, &self.metrics, &self.slow)));
    }

    /// What counts now.
    pub(super) fn current(&self) -> Arc<Live> {
        self.live.load_full()
    }
}

impl Live {
    fn new(rules: Rules, metrics: &Metrics, slow: &Handle) -> Self {
        metrics.certificates(rules.tls.iter().flat_map(|tls| tls.expiries()));
        let answer: Arc<dyn Answer> = Arc::<Endpoints>::clone(&rules.endpoints);
        Self {
            backends: Backends::new(rules.gate.table(), metrics),
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
