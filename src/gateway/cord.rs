//! A cord round each request, to end it from anywhere: its connection under HTTP/1, its own stream under HTTP/2.
//!
//! Nothing in the framework ends a tunnel that is silent. So what serves a request is raced with its cord, and is dropped when
//! somebody pulls: under HTTP/2 that resets the one stream (RFC 9113 §6.4), and the connection goes on.

use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use pingora::apps::{HttpServerApp, HttpServerOptions, ReusedHttpStream};
use pingora::protocols::http::ServerSession;
use pingora::protocols::http::v2::server::H2Options;
use pingora::server::ShutdownWatch;
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

tokio::task_local! {
    /// The cord of the request that this task serves.
    static CORD: Cord;
}

/// Ready once a cord is pulled.
pub(super) type Pulled = Pin<Box<OwnedNotified>>;

/// Ends a request, from anywhere.
#[derive(Debug, Clone, Default)]
pub(super) struct Cord(Arc<Notify>);

impl Cord {
    /// End it.
    pub(super) fn pull(&self) {
        self.0.notify_one();
    }

    /// Until it is pulled; where that has happened already, at once.
    pub(super) fn pulled(&self) -> Pulled {
        Box::pin(Arc::clone(&self.0).notified_owned())
    }
}

/// The cord of the request that this task serves.
pub(super) fn cord() -> Option<Cord> {
    CORD.try_with(Cord::clone).ok()
}

/// An app whose requests each have a cord.
pub(super) struct Corded<A>(pub Arc<A>);

#[async_trait]
impl<A: HttpServerApp + Send + Sync + 'static> HttpServerApp for Corded<A> {
    async fn process_new_http(self: &Arc<Self>, session: ServerSession, shutdown: &ShutdownWatch) -> Option<ReusedHttpStream> {
        let cord = Cord::default();
        let serving = CORD.scope(cord.clone(), self.0.process_new_http(session, shutdown));
        // Who was cut gets nothing more, however much is there for him.
        tokio::select! {
            biased;
            () = cord.0.notified() => None,
            reused = serving => reused,
        }
    }

    fn h2_options(&self) -> Option<H2Options> {
        self.0.h2_options()
    }

    fn server_options(&self) -> Option<&HttpServerOptions> {
        self.0.server_options()
    }

    async fn http_cleanup(&self) {
        self.0.http_cleanup().await;
    }
}
