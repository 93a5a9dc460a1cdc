//! Serves a connection, one request after the other: reads the head, turns away what is not sound, hands the rest to the app.

use std::future::poll_fn;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::BytesMut;
use http::HeaderValue;
use http::header::STRICT_TRANSPORT_SECURITY;
use pingora::apps::{HttpServerApp, ServerApp};
use pingora::protocols::http::ServerSession;
use pingora::protocols::{ALPN, GetProxyDigest as _, GetSocketDigest as _, Shutdown, Stream};
use pingora::server::ShutdownWatch;
use tokio::io::AsyncWriteExt;

use super::framing::Framing;
use super::{PARTING, Wire, timeout};
use crate::admission::RuleSet;
use crate::clock::Clock;
use crate::endpoint::{Lost, Problem, Refusals};
use crate::gateway::answer;
use crate::gateway::settings::Patience;
use crate::gateway::straight::{Link, Served, Straight};
use crate::gateway::tls::Handshake;
use crate::random::{self, Entropy};
use crate::telemetry::{Decision, RouteMetrics};

/// How much of what it still sends is thrown away meanwhile, in bytes.
const MOST_THROWN_AWAY: usize = 1024 * 1024;

/// How long the next request on a connection is waited for when we leave.
const LAST_CHANCE: Duration = Duration::from_secs(1);

/// An app of the framework behind connections that are read strictly.
pub(in crate::gateway) struct Front<A> {
    pub app: Arc<A>,
    /// Names what is turned away.
    pub entropy: Arc<dyn Entropy>,
    /// Counts and remembers it, on the public listeners.
    pub turned_away: Option<TurnedAway>,
    /// How long its clients may take.
    pub patience: Patience,
    /// Where plain requests go first.
    pub straight: Option<Straight>,
}

/// What becomes of heads that are not sound.
pub(in crate::gateway) struct TurnedAway {
    pub metrics: RouteMetrics,
    pub refusals: Arc<Refusals>,
    pub clock: Arc<dyn Clock>,
}

impl TurnedAway {
    fn note(&self, request_id: &str, problem: Problem, spent: Duration) {
        let status = problem.status().as_u16();
        self.metrics.request(Decision::Refused, status, spent);
        self.refusals.remember(Lost {
            id: request_id.to_owned(),
            at: self.clock.now(),
            decision: Decision::Refused.as_str(),
            code: problem.code(),
            status,
            route: None,
            rules: RuleSet::default(),
            method: String::new(),
            host: String::new(),
            path: String::new(),
        });
    }
}

#[async_trait]
impl<A: HttpServerApp + Send + Sync + 'static> ServerApp for Front<A> {
    async fn process_new(self: &Arc<Self>, stream: Stream, shutdown: &ShutdownWatch) -> Option<Stream> {
        if stream.selected_alpn_proto() == Some(ALPN::H2) {
            return self.app.process_new(Box::new(Wire::through(stream, self.patience)), shutdown).await;
        }
        let wire = Box::new(Wire::new(stream, self.patience));
        wire.line.clone().scope(self.connection(wire, shutdown)).await;
        None
    }

    async fn cleanup(&self) {
        self.app.http_cleanup().await;
    }
}

impl<A: HttpServerApp + Send + Sync + 'static> Front<A> {
    /// One request after the other, as long as the connection lasts.
    async fn connection(&self, mut wire: Box<Wire>, shutdown: &ShutdownWatch) {
        let link = Link::of(&wire);
        let mut leaving = std::pin::pin!(leaving(shutdown.clone()));
        let mut is_listening = false;
        let mut head = wire.first(self.patience).await;
        for left in (0..self.patience.requests).rev() {
            let head_of_this = match head {
                Ok(Some(head)) => head,
                Ok(None) => return,
                Err(problem) => return self.turn_away(*wire, problem).await,
            };
            let is_last = left == 0 || *shutdown.borrow();
            let Some(kept) = self.answered(wire, head_of_this, &link, is_last, shutdown).await else { return };
            wire = kept;
            let mut next = std::pin::pin!(wire.next(self.patience));
            let unless_leaving = |context: &mut Context<'_>| {
                if let Poll::Ready(head) = next.as_mut().poll(context) {
                    return Poll::Ready(Some(head));
                }
                // Who listens wakes this task: as long as nothing was said, once is enough.
                if std::mem::replace(&mut is_listening, true) && !*shutdown.borrow() {
                    return Poll::Pending;
                }
                leaving.as_mut().poll(context).map(|()| None)
            };
            let Some(next) = poll_fn(unless_leaving).await else { return };
            head = next;
        }
    }

    /// One request, on one of two ways. The connection, if it can be used again.
    async fn answered(
        &self,
        mut wire: Box<Wire>,
        mut head: BytesMut,
        link: &Link,
        is_last: bool,
        shutdown: &ShutdownWatch,
    ) -> Option<Box<Wire>> {
        if let (Some(straight), Some(fields)) = (&self.straight, wire.plain) {
            // A connection has no room for a request as long as there is none.
            match Box::pin(straight.serve(&mut wire, head, fields, link, is_last)).await {
                Served::Kept => return Some(wire),
                Served::Closed => {
                    Shutdown::shutdown(&mut *wire).await;
                    return None;
                }
                Served::Not(untouched) => head = untouched,
            }
        }
        self.request(wire, head, is_last, shutdown).await
    }

    /// One request, by the framework.
    async fn request(&self, wire: Box<Wire>, head: BytesMut, is_last: bool, shutdown: &ShutdownWatch) -> Option<Box<Wire>> {
        let is_tunnel = wire.framing == Framing::Tunnel;
        let mut session = ServerSession::new_http1(wire);
        session.set_pipelined_prefix(head);
        // The body has a bound of ours, for all of its silences together.
        session.set_read_timeout(None);
        if is_last {
            session.set_keepalive_reuses_remaining(Some(0));
        }
        // An eager client sends its first frame before the handshake is answered: only so the framework keeps it.
        session.set_pipelining_enabled(is_tunnel);
        let (stream, _settings) = self.app.process_new_http(session, shutdown).await?.consume();
        if is_tunnel {
            // What it kept was never looked at, and must not become a request.
            return None;
        }
        stream.into_any().downcast().ok()
    }

    /// Say why, in words for programs: nobody knows what the head asks for.
    async fn turn_away(&self, mut wire: Wire, problem: Problem) {
        let begun = Instant::now();
        let request_id = random::id(self.entropy.as_ref()).unwrap_or_default();
        let address =
            wire.get_socket_digest().and_then(|digest| digest.peer_addr().and_then(|peer| peer.as_inet()).map(std::net::SocketAddr::ip));
        let digest = wire.get_proxy_digest();
        let hsts = digest.as_deref().and_then(Handshake::within).and_then(|handshake| handshake.hsts.clone());
        let text = reply(problem, &request_id, hsts);
        drop(timeout(PARTING, part(&mut wire, text)).await);
        if let Some(turned_away) = &self.turned_away {
            turned_away.note(&request_id, problem, begun.elapsed());
        }
        say(&request_id, problem, address);
    }
}

/// Until we have been leaving for a moment: who keeps a connection busy is told with an answer that it closes, and one on which
/// nothing comes is not waited for.
async fn leaving(mut shutdown: ShutdownWatch) {
    if shutdown.wait_for(|told| *told).await.is_err() {
        // Nobody is left who could tell.
        return std::future::pending().await;
    }
    tokio::time::sleep(LAST_CHANCE).await;
}

/// Write a reply, and read on for a moment, so that the connection is not reset under it (RFC 9112 §9.6).
async fn part(wire: &mut Wire, reply: Vec<u8>) {
    let written = wire.inner.write_all(&reply).await.is_ok() && wire.inner.flush().await.is_ok();
    let written = written && AsyncWriteExt::shutdown(&mut wire.inner).await.is_ok();
    let mut thrown_away = 0;
    while written && thrown_away < MOST_THROWN_AWAY {
        wire.ahead.clear();
        match wire.more().await {
            Ok(count @ 1..) => thrown_away += count,
            Ok(_) | Err(_) => return,
        }
    }
}

fn reply(problem: Problem, request_id: &str, hsts: Option<HeaderValue>) -> Vec<u8> {
    let mut reply = answer::plain(problem, request_id);
    if let Some(hsts) = hsts {
        reply.headers_mut().insert(STRICT_TRANSPORT_SECURITY, hsts);
    }
    if let Ok(id) = HeaderValue::try_from(request_id) {
        reply.headers_mut().insert("x-request-id", id);
    }
    let (head, body) = reply.into_parts();
    let mut text = format!("HTTP/1.1 {}\r\n", head.status).into_bytes();
    for (name, value) in &head.headers {
        text.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    text.extend(format!("content-length: {}\r\nconnection: close\r\n\r\n", body.len()).into_bytes());
    text.extend(body);
    text
}

fn say(request_id: &str, problem: Problem, address: Option<IpAddr>) {
    let status = problem.status().as_u16();
    tracing::event!(
        target: "access",
        tracing::Level::INFO,
        request.id = request_id,
        route.name = "-",
        status,
        decision = Decision::Refused.as_str(),
        refusal.code = problem.code(),
        client.address = address.map(tracing::field::display),
        "a head was turned away: {status}",
    );
}
