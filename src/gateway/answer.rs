//! Everything that we answer ourselves, as one port: our endpoints, the admin listener, the demo's app.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, STRICT_TRANSPORT_SECURITY};
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode};
use pingora::apps::{HttpPersistentSettings, HttpServerApp, ReusedHttpStream};
use pingora::protocols::http::ServerSession;
use pingora::protocols::l4::socket::SocketAddr;
use pingora::server::ShutdownWatch;
use tokio::runtime::Handle;

use super::client::{Caller, Connection, Trusted};
use super::exchange::{self, Unread};
use super::head;
use super::settings::Patience;
use super::tls::Handshake;
use crate::admission::Refusal;
use crate::clock::Clock;
use crate::endpoint::{Admin, Call, Decided, Endpoints, Problem};
use crate::random::{self, Entropy};

/// Answers whole requests.
#[async_trait]
pub trait Answer: Send + Sync {
    /// The reply.
    async fn answer(&self, request: Request<Bytes>, call: Call) -> Response<Bytes>;

    /// The reply to a request of which only the head is there; `problem` says why.
    fn refuse(&self, problem: Problem, head: &Parts, call: &Call) -> Response<Bytes>;
}

#[async_trait]
impl Answer for Endpoints {
    async fn answer(&self, request: Request<Bytes>, call: Call) -> Response<Bytes> {
        Self::answer(self, request, &call).await
    }

    fn refuse(&self, problem: Problem, head: &Parts, call: &Call) -> Response<Bytes> {
        Self::refuse(self, problem, head, call)
    }
}

#[async_trait]
impl Answer for Admin {
    async fn answer(&self, request: Request<Bytes>, call: Call) -> Response<Bytes> {
        Self::answer(self, request, &call).await
    }

    fn refuse(&self, problem: Problem, _head: &Parts, call: &Call) -> Response<Bytes> {
        plain(problem, &call.request_id)
    }
}

/// A problem for programs, where there are no pages.
pub(super) fn plain(problem: Problem, request_id: &str) -> Response<Bytes> {
    let body = serde_json::to_vec(&problem.body(request_id, None)).unwrap_or_default();
    let mut reply = Response::new(Bytes::from(body));
    *reply.status_mut() = problem.status();
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
}

/// What answers, and where: on the runtime of everything slow, so that a client that hangs up cannot cancel it half-way.
#[derive(Clone)]
pub(super) struct Answering {
    pub answer: Arc<dyn Answer>,
    pub slow: Handle,
}

/// What became of a request that we answered.
#[derive(Debug, Default)]
pub(super) struct Served {
    /// The status that was written; `None` when the client is gone.
    pub status: Option<StatusCode>,
    /// What was decided of a request that somebody else holds.
    pub decided: Option<Decided>,
}

impl Answering {
    /// Read the body, have it answered, write the reply.
    pub(super) async fn serve(&self, session: &mut ServerSession, call: Call) -> Served {
        let head = session.req_header().as_owned_parts();
        let mut reply = match exchange::body(session).await {
            Ok(body) => self.answered(head, body, call).await,
            Err(Unread::TooLarge) => self.answer.refuse(Problem::BodyTooLarge, &head, &call),
            Err(Unread::TooSlow) => self.answer.refuse(Problem::RequestTimeout, &head, &call),
            Err(Unread::Unsound) => {
                session.set_keepalive(None);
                self.answer.refuse(Problem::Refused(Refusal::Malformed), &head, &call)
            }
            Err(Unread::Broken) => {
                session.set_keepalive(None);
                return Served::default();
            }
        };
        let decided = reply.extensions_mut().remove::<Decided>();
        Served { status: write(session, reply).await, decided }
    }

    async fn answered(&self, head: Parts, body: Bytes, call: Call) -> Response<Bytes> {
        let answer = Arc::clone(&self.answer);
        let (asked, again) = (head.clone(), call.clone());
        let task = self.slow.spawn(async move { answer.answer(Request::from_parts(head, body), call).await });
        // A panic in there is a mistake of ours, and one reply; the cause is in the log already.
        task.await.unwrap_or_else(|_| self.answer.refuse(Problem::Internal, &asked, &again))
    }
}

/// Write a reply, and close in peace when the client is still sending. The status, unless the client is gone.
pub(super) async fn write(session: &mut ServerSession, mut reply: Response<Bytes>) -> Option<StatusCode> {
    if let Some(hsts) = Handshake::of(session).and_then(|handshake| handshake.hsts.clone()) {
        reply.headers_mut().insert(STRICT_TRANSPORT_SECURITY, hsts);
    }
    let status = reply.status();
    if exchange::reply(session, reply).await.is_err() {
        session.set_keepalive(None);
        return None;
    }
    exchange::linger(session).await;
    Some(status)
}

/// A listener on which everything is answered by us.
pub(super) struct OwnListener {
    pub answering: Answering,
    pub patience: Patience,
    pub trusted: Trusted,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
}

impl OwnListener {
    fn call(&self, session: &ServerSession) -> Call {
        let headers = &session.req_header().headers;
        let caller = Caller::find(connection(session), headers, &self.trusted);
        let request_id = caller.request_id.or_else(|| random::id(self.entropy.as_ref()).ok()).unwrap_or_default();
        Call { client: caller.client, peer: caller.peer, now: self.clock.now(), request_id }
    }
}

#[async_trait]
impl HttpServerApp for OwnListener {
    async fn process_new_http(self: &Arc<Self>, mut session: ServerSession, shutdown: &ShutdownWatch) -> Option<ReusedHttpStream> {
        if !session.read_request().await.unwrap_or(false) {
            return None;
        }
        if *shutdown.borrow() {
            session.set_keepalive(None);
        }
        let call = self.call(&session);
        match head::strict(&session) {
            Ok(()) => self.answering.serve(&mut session, call).await.status?,
            Err(problem) => {
                session.set_keepalive(None);
                let reply = self.answering.answer.refuse(problem, session.req_header().as_ref(), &call);
                write(&mut session, reply).await?
            }
        };
        let settings = HttpPersistentSettings::for_session(&session);
        let stream = session.finish().await.ok().flatten()?;
        Some(ReusedHttpStream::from_reusable_stream(stream, settings))
    }
}

/// The other end of a connection: an address, or a Unix socket of ours.
pub(super) fn connection(session: &ServerSession) -> Connection {
    connection_of(session.client_addr(), session.digest().is_some_and(|digest| digest.ssl_digest.is_some()))
}

/// The same of its address, and whether it is TLS.
pub(super) fn connection_of(peer: Option<&SocketAddr>, secure: bool) -> Connection {
    let peer = peer.and_then(|address| address.as_inet()).map(std::net::SocketAddr::ip);
    Connection { peer: peer.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)), is_unix: peer.is_none(), secure }
}
