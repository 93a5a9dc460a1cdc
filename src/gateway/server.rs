//! The running gateway: listeners, workers, and how it leaves.
//!
//! The framework closes every listener at a signal and then sleeps a whole grace period. So the signal stays with us: first
//! readiness goes, then the public listeners close, then what is in flight finishes, and only then is the framework told, which
//! ends at once.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use async_trait::async_trait;
use pingora::apps::HttpServerOptions;
use pingora::proxy::{HttpProxy, ProxyHttp};
use pingora::server::configuration::ServerConf;
use pingora::server::{RunArgs, Server, ShutdownSignal, ShutdownSignalWatch};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::accept::{Door, Entrance};
use super::answer::OwnListener;
use super::cord::Corded;
use super::flight::Flights;
use super::listener::Bound;
use super::settings::Patience;
use super::wire::Front;
use crate::random::Entropy;
use crate::telemetry::RouteMetrics;

/// How long requests in flight may take to finish, once we are told to leave.
const LEAVE_WITHIN: Duration = Duration::from_secs(30);
/// How often a request may go to its upstream in all: once to each of its addresses, and again when a connection that was
/// kept turns out to be dead.
const MOST_TRIES: usize = 16;

/// Tells a running gateway to leave, as SIGTERM does.
#[derive(Debug, Clone)]
pub struct Stop(Arc<watch::Sender<bool>>);

impl Default for Stop {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl Stop {
    /// Leave: stop listening, finish what is in flight.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }

    async fn told(&self) {
        // The sender lives in `self`, so the channel cannot close while we wait.
        drop(self.0.subscribe().wait_for(|told| *told).await);
    }
}

/// The framework's server, with services on sockets that are ours already.
pub(super) struct Running {
    server: Server,
    /// Requests.
    flights: Flights,
    /// Public listeners that are open.
    open: Flights,
    closing: watch::Sender<bool>,
}

impl Running {
    /// A server whose services have `workers` threads each, one per core when unset. `flights` counts requests.
    pub(super) fn new(workers: Option<usize>, flights: Flights) -> Self {
        let cores = available_parallelism().map_or(1, NonZeroUsize::get);
        let configuration = ServerConf {
            threads: workers.unwrap_or(cores).max(1),
            // One runtime per worker, measured ahead of one that steals.
            work_stealing: false,
            max_retries: MOST_TRIES,
            ..ServerConf::default()
        };
        let server = Server::new_with_opt_and_conf(None, configuration);
        Self { server, flights, open: Flights::default(), closing: watch::Sender::new(false) }
    }

    /// The proxy, on the public listeners. It closes first.
    pub(super) fn serve_proxy<P>(
        &mut self,
        phases: P,
        sockets: Vec<Bound>,
        entrance: Entrance,
        entropy: Arc<dyn Entropy>,
        metrics: RouteMetrics,
        patience: Patience,
    ) where
        P: ProxyHttp + Send + Sync + 'static,
        P::CTX: Send + Sync,
    {
        let mut proxy = HttpProxy::new(phases, Arc::clone(&self.server.configuration));
        let mut options = HttpServerOptions::default();
        // Only so that CONNECT reaches our phases, which refuse it in words of ours.
        options.allow_connect_method_proxying = true;
        options.h2_idle_timeout = Some(patience.idle);
        proxy.server_options = Some(options);
        proxy.handle_init_modules();
        let closing = Some((self.closing.subscribe(), self.open.clone()));
        let front = Front { app: Arc::new(Corded(Arc::new(proxy))), entropy, metrics: Some(metrics), patience };
        self.server.add_service(Door::new("public", front, sockets, closing).behind(entrance));
    }

    /// An app of ours, on a listener of its own. It stays until the end.
    pub(super) fn serve_own(&mut self, name: &str, app: OwnListener, socket: Bound) {
        let app = Front { entropy: Arc::clone(&app.entropy), patience: app.patience, app: Arc::new(app), metrics: None };
        self.server.add_service(Door::new(name, app, vec![socket], None).with_threads(1));
    }

    /// Run until `stop` or a signal, then leave. `on_leaving` is called first.
    ///
    /// Blocks; must not be called inside a runtime.
    pub(super) fn run(self, stop: Stop, on_leaving: Box<dyn Fn() + Send + Sync>) {
        let Self { server, flights, open, closing } = self;
        let departure = Departure { stop, flights, open, closing, on_leaving };
        server.run(RunArgs { shutdown_signal: Box::new(departure) });
    }
}

/// What is done between the signal and the end.
struct Departure {
    stop: Stop,
    flights: Flights,
    open: Flights,
    closing: watch::Sender<bool>,
    on_leaving: Box<dyn Fn() + Send + Sync>,
}

#[async_trait]
impl ShutdownSignalWatch for Departure {
    async fn recv(&self) -> ShutdownSignal {
        self.told().await;
        tracing::info!(requests = self.flights.count(), "leaving: no new connections, requests in flight finish");
        (self.on_leaving)();
        self.closing.send_replace(true);
        tokio::select! {
            () = self.landed() => tracing::info!("left, nothing is in flight"),
            () = tokio::time::sleep(LEAVE_WITHIN) => tracing::warn!(requests = self.flights.count(), "left after {LEAVE_WITHIN:?}, requests were cut off"),
            () = signalled() => tracing::warn!(requests = self.flights.count(), "left at a second signal, requests were cut off"),
        }
        ShutdownSignal::FastShutdown
    }
}

impl Departure {
    /// Listeners first: nothing can come after the last request.
    async fn landed(&self) {
        self.open.landed().await;
        self.flights.landed().await;
    }

    async fn told(&self) {
        tokio::select! {
            () = signalled() => (),
            () = self.stop.told() => (),
        }
    }
}

/// Until SIGTERM or SIGINT. Never, where signals cannot be heard: then the parent ends us as it likes.
async fn signalled() {
    let (Ok(mut terminate), Ok(mut interrupt)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => (),
        _ = interrupt.recv() => (),
    }
}
