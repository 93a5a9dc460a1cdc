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
use pingora::protocols::http::v2::server::{H2Options, default_h2_options};
use pingora::proxy::HttpProxy;
use pingora::server::configuration::ServerConf;
use pingora::server::{RunArgs, Server, ShutdownSignal, ShutdownSignalWatch};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::accept::{Closing, Door, Entrance};
use super::answer::OwnListener;
use super::cord::Corded;
use super::flight::Flights;
use super::listener::Bound;
use super::phases::Phases;
use super::settings::Patience;
use super::straight::Straight;
use super::wire::{Front, TurnedAway};
use crate::random::Entropy;

/// How long requests in flight may take to finish, once we are told to leave.
const LEAVE_WITHIN: Duration = Duration::from_secs(30);
/// How long connections may stay on which nothing is in flight.
const GOODBYE: Duration = Duration::from_secs(2);
/// How often a request may go to its upstream in all: once to each of its addresses, and again when a connection that was
/// kept turns out to be dead.
pub(super) const MOST_TRIES: usize = 16;

/// Requests at once on one connection of HTTP/2.
const MOST_STREAMS: u32 = 100;
/// The largest head there, in bytes, each field with 32 more (RFC 9113 §6.5.2).
const LARGEST_HEAD: u32 = 32 * 1024;

/// Why a gateway leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaving {
    /// It was told to stop.
    Stopped,
    /// Another process listens on its sockets.
    HandedOver,
}

/// Tells a running gateway to leave, as SIGTERM does.
#[derive(Debug, Clone)]
pub struct Stop(Arc<watch::Sender<Option<Leaving>>>);

impl Default for Stop {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }
}

impl Stop {
    /// Leave: stop listening, finish what is in flight.
    pub fn stop(&self) {
        self.leave(Leaving::Stopped);
    }

    /// Leave to another process, which listens on the same sockets: as [`Stop::stop`], but nobody is told that we go.
    pub fn hand_over(&self) {
        self.leave(Leaving::HandedOver);
    }

    /// Whoever comes first says why.
    fn leave(&self, why: Leaving) {
        self.0.send_if_modified(|told| told.is_none() && told.replace(why).is_none());
    }

    async fn told(&self) -> Leaving {
        // The sender lives in `self`, so the channel cannot close while we wait.
        self.0.subscribe().wait_for(Option::is_some).await.ok().and_then(|told| *told).unwrap_or(Leaving::Stopped)
    }
}

/// Called when something becomes of a running gateway.
pub struct Hooks {
    /// Everything listens.
    pub on_running: Box<dyn Fn() + Send + Sync>,
    /// First thing when it is told to leave: readiness goes before the listeners do.
    pub on_leaving: Box<dyn Fn(Leaving) + Send + Sync>,
}

/// The framework's server, with services on sockets that are ours already.
pub(super) struct Running {
    server: Server,
    /// Requests.
    flights: Flights,
    /// Public listeners that are open.
    open: Flights,
    /// Connections to them.
    connections: Flights,
    closing: watch::Sender<bool>,
    /// Closes the other listeners too, where another process listens on.
    closing_own: watch::Sender<bool>,
    /// How many services there are, and how many of them listen.
    doors: usize,
    listening: watch::Sender<usize>,
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
        Self {
            server,
            flights,
            open: Flights::default(),
            connections: Flights::default(),
            closing: watch::Sender::new(false),
            closing_own: watch::Sender::new(false),
            doors: 0,
            listening: watch::Sender::new(0),
        }
    }

    /// The proxy, on the public listeners. It closes first.
    pub(super) fn serve_proxy(
        &mut self,
        phases: Phases,
        sockets: Vec<Bound>,
        entrance: Entrance,
        entropy: Arc<dyn Entropy>,
        turned_away: TurnedAway,
        patience: Patience,
    ) {
        let straight = Some(Straight(phases.clone()));
        let mut proxy = HttpProxy::new(phases, Arc::clone(&self.server.configuration));
        let mut options = HttpServerOptions::default();
        // Only so that CONNECT reaches our phases, which refuse it in words of ours.
        options.allow_connect_method_proxying = true;
        options.h2_idle_timeout = Some(patience.idle);
        proxy.server_options = Some(options);
        proxy.h2_options = Some(http2());
        proxy.handle_init_modules();
        let closing = Closing {
            told: self.closing.subscribe(),
            open: self.open.clone(),
            connections: self.connections.clone(),
            listening: self.listening.clone(),
        };
        self.doors += 1;
        let front = Front { app: Arc::new(Corded(Arc::new(proxy))), entropy, turned_away: Some(turned_away), patience, straight };
        self.server.add_service(Door::new("public", front, sockets, closing).behind(entrance));
    }

    /// An app of ours, on a listener of its own. It stays until the end.
    pub(super) fn serve_own(&mut self, name: &str, app: OwnListener, socket: Bound) {
        self.serve_owns(name, app, vec![socket], None);
    }

    /// The same on several sockets, behind an entrance.
    pub(super) fn serve_behind(&mut self, name: &str, app: OwnListener, sockets: Vec<Bound>, entrance: Entrance) {
        self.serve_owns(name, app, sockets, Some(entrance));
    }

    fn serve_owns(&mut self, name: &str, app: OwnListener, sockets: Vec<Bound>, entrance: Option<Entrance>) {
        let app =
            Front { entropy: Arc::clone(&app.entropy), patience: app.patience, app: Arc::new(app), turned_away: None, straight: None };
        // Nobody waits for these: who asks how we are is told until the end.
        let closing = Closing {
            told: self.closing_own.subscribe(),
            open: Flights::default(),
            connections: Flights::default(),
            listening: self.listening.clone(),
        };
        self.doors += 1;
        let door = Door::new(name, app, sockets, closing).with_threads(1);
        self.server.add_service(if let Some(entrance) = entrance { door.behind(entrance) } else { door });
    }

    /// Run until `stop` or a signal, then leave.
    ///
    /// Blocks; must not be called inside a runtime.
    pub(super) fn run(self, stop: Stop, hooks: Hooks) {
        let Self { server, flights, open, connections, closing, closing_own, doors, listening } = self;
        let departure = Departure { stop, flights, open, connections, closing, closing_own, doors, listening, hooks };
        server.run(RunArgs { shutdown_signal: Box::new(departure) });
    }
}

/// What a connection of HTTP/2 may have us keep. What it may have us do is bounded at the wire.
fn http2() -> H2Options {
    let mut options = default_h2_options();
    options.max_concurrent_streams(MOST_STREAMS).max_header_list_size(LARGEST_HEAD);
    // Requests that are broken on purpose, so that we reset them (CVE-2025-8671), and those that are reset before their turn.
    options.max_local_error_reset_streams(Some(64)).max_pending_accept_reset_streams(20);
    // Of each response, where the client's window is open and its connection takes nothing.
    options.max_send_buffer_size(64 * 1024);
    options
}

/// What is done between the signal and the end.
struct Departure {
    stop: Stop,
    flights: Flights,
    open: Flights,
    connections: Flights,
    closing: watch::Sender<bool>,
    closing_own: watch::Sender<bool>,
    doors: usize,
    listening: watch::Sender<usize>,
    hooks: Hooks,
}

#[async_trait]
impl ShutdownSignalWatch for Departure {
    async fn recv(&self) -> ShutdownSignal {
        let leaving = tokio::select! {
            leaving = self.told() => leaving,
            leaving = self.running() => leaving,
        };
        tracing::info!(requests = self.flights.count(), "leaving: no new connections, requests in flight finish");
        (self.hooks.on_leaving)(leaving);
        self.closing.send_replace(true);
        self.closing_own.send_replace(leaving == Leaving::HandedOver);
        tokio::select! {
            () = self.landed() => tracing::info!("left, nothing is in flight"),
            () = tokio::time::sleep(LEAVE_WITHIN) => tracing::warn!(requests = self.flights.count(), "left after {LEAVE_WITHIN:?}, requests were cut off"),
            () = signalled() => tracing::warn!(requests = self.flights.count(), "left at a second signal, requests were cut off"),
        }
        ShutdownSignal::FastShutdown
    }
}

impl Departure {
    /// Say so when everything listens, then wait to be told.
    async fn running(&self) -> Leaving {
        drop(self.listening.subscribe().wait_for(|listening| *listening >= self.doors).await);
        (self.hooks.on_running)();
        self.told().await
    }

    /// Listeners first: nothing can come after the last request. Connections last: whoever keeps one is told with the next
    /// answer that it closes, or sees it close when there is none for a moment.
    async fn landed(&self) {
        self.open.landed().await;
        self.flights.landed().await;
        drop(tokio::time::timeout(GOODBYE, self.connections.landed()).await);
        self.flights.landed().await;
    }

    async fn told(&self) -> Leaving {
        tokio::select! {
            () = signalled() => Leaving::Stopped,
            leaving = self.stop.told() => leaving,
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
