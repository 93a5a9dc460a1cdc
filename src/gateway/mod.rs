//! The edge: the only module that names pingora.
//!
//! ```text
//! listener ─▶ accept ─▶ wire ─▶ head ─▶ client ─▶ (our endpoints) or admission ─▶ edit ─▶ upstream ─▶ edit ─▶ the client
//!             TLS       bytes    strict   who calls                                request            response
//! ```
//!
//! [`Gateway`] is all of it: [`Listeners`] are bound first, [`Gateway::run`] blocks until [`Stop`] or a signal.

mod accept;
mod access;
mod alarm;
mod answer;
mod backend;
mod client;
mod context;
mod cord;
mod demo_app;
mod edit;
mod exchange;
mod files;
mod flight;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod guard;
mod head;
mod listener;
mod live;
mod phases;
mod record;
mod redirect;
mod server;
mod settings;
mod straight;
mod stream;
mod tls;
mod trace;
mod upstream;
mod wire;

use std::sync::Arc;

use tokio::runtime::Handle;

use crate::clock::Clock;
use crate::endpoint::{Admin, Refusals};
use crate::random::Entropy;
use crate::revocation::Revocations;
use crate::telemetry::{Metrics, Spans};

pub use accept::Bounds;
pub use demo_app::DemoApp;
pub use files::allow_files;
pub use listener::{Address, CannotListen, Lent, Listeners};
pub use live::{Rules, Swap};
pub use server::{Hooks, Leaving, Stop};
pub use settings::{ListenSettings, Mode, Patience, Proxy};
pub use stream::{Lasting, Opened};
pub use tls::{CertificateSettings, Tls, TlsSettings};
pub use upstream::Trusts;

use accept::{Caps, Entrance};
use answer::{Answer, Answering, OwnListener};
use client::Trusted;
use flight::Flights;
use phases::Phases;
use redirect::Redirect;
use server::Running;
use stream::{Streams, Watch};
use wire::TurnedAway;

/// What a gateway is made of.
pub struct Setup {
    /// Our addresses, taken already.
    pub listeners: Listeners,
    /// Worker threads; one per core when unset.
    pub workers: Option<usize>,
    /// How long clients may take.
    pub patience: Patience,
    /// How many connections there may be.
    pub bounds: Bounds,
    /// Trusted proxies speak the PROXY protocol.
    pub proxy_protocol: bool,
    /// Where people reach us.
    pub public_url: url::Url,
    /// Who is let in, our own endpoints, whom we believe: what can be replaced while it runs.
    pub rules: Rules,
    /// The endpoints of the admin listener.
    pub admin: Arc<Admin>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Keeps traces.
    pub spans: Spans,
    /// Remembers what comes to nothing.
    pub refusals: Arc<Refusals>,
    /// What ends open streams.
    pub revocations: Arc<Revocations>,
    /// The runtime of everything slow: our endpoints run there, so that a client that hangs up cannot cancel them half-way.
    pub slow: Handle,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance, for request ids.
    pub entropy: Arc<dyn Entropy>,
    /// Called when everything listens, and first thing when the process is told to leave.
    pub hooks: Hooks,
}

/// A gateway that is ready to run.
pub struct Gateway {
    running: Running,
    hooks: Hooks,
    common: Common,
    swap: Swap,
    watch: Watch,
}

/// What every listener needs.
#[derive(Clone)]
struct Common {
    patience: Patience,
    trusted: Trusted,
    slow: Handle,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl Common {
    fn own(&self, answer: Arc<dyn Answer>) -> OwnListener {
        let answering = Answering { answer, slow: self.slow.clone() };
        OwnListener {
            answering,
            trusted: self.trusted.clone(),
            patience: self.patience,
            clock: Arc::clone(&self.clock),
            entropy: Arc::clone(&self.entropy),
        }
    }
}

impl Gateway {
    /// From what it is made of.
    pub fn new(setup: Setup) -> Self {
        let flights = Flights::default();
        let mut running = Running::new(setup.workers, flights.clone());
        let trusted = Trusted::new(&setup.rules.trusted_proxies);
        let common = Common { trusted, patience: setup.patience, slow: setup.slow, clock: setup.clock, entropy: setup.entropy };
        let swap = Swap::new(setup.rules, Arc::clone(&setup.metrics), common.slow.clone());
        let streams = Streams::new(Arc::clone(&setup.metrics), setup.revocations, Arc::clone(&common.clock));
        let watch = streams.watch(&common.slow, &swap);
        let turned_away = TurnedAway {
            metrics: setup.metrics.route(backend::NO_ROUTE),
            refusals: Arc::clone(&setup.refusals),
            clock: Arc::clone(&common.clock),
        };
        let caps = Caps::new(setup.bounds, Arc::clone(&setup.metrics));
        let entrance = |secure| Entrance {
            live: swap.clone(),
            proxy_protocol: setup.proxy_protocol,
            caps: caps.clone(),
            clock: Arc::clone(&common.clock),
            secure,
        };
        if !setup.listeners.redirect.is_empty() {
            let redirect = common.own(Arc::new(Redirect { live: swap.clone(), public_url: setup.public_url }));
            running.serve_behind("redirect", redirect, setup.listeners.redirect, entrance(false));
        }
        let entrance = entrance(true);
        let phases = Phases {
            swap: swap.clone(),
            metrics: setup.metrics,
            refusals: Arc::clone(&setup.refusals),
            clock: Arc::clone(&common.clock),
            entropy: Arc::clone(&common.entropy),
            flights,
            streams,
            spans: setup.spans,
            patience: setup.patience,
        };
        running.serve_proxy(phases, setup.listeners.public, entrance, Arc::clone(&common.entropy), turned_away, setup.patience);
        running.serve_own("admin", common.own(setup.admin), setup.listeners.admin);
        Self { running, hooks: setup.hooks, common, swap, watch }
    }

    /// The demo's app too, on a listener of its own.
    #[must_use]
    pub fn with_demo_app(mut self, app: DemoApp) -> Self {
        let (app, socket) = app.into_parts();
        self.running.serve_own("demo app", self.common.own(app), socket);
        self
    }

    /// Replaces its rules while it runs.
    pub fn swap(&self) -> Swap {
        self.swap.clone()
    }

    /// Run until `stop` or SIGTERM or SIGINT: then readiness goes, the public listeners close, requests in flight finish.
    ///
    /// Blocks; must not be called inside a runtime.
    pub fn run(self, stop: Stop) {
        self.running.run(stop, self.hooks);
        drop(self.watch);
    }
}
