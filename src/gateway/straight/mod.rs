//! The straight way to an app: for requests without a body, over HTTP/1.1, to apps that speak plain HTTP/1. They are nearly all
//! requests, and cost a third of what the framework takes for them.
//!
//! ```text
//! asked     the head of a request, and what the app gets instead      line   a connection to an app     idle   those that wait
//! answered  the head of a response, and what the client gets instead  body   where its body ends        relay  one exchange
//! tunnel    what becomes of an exchange where both switch to WebSocket
//! ```
//!
//! Apart from the framework's way, and decided before anything is done: what is not plain ([`super::wire`]), is for our own
//! endpoints or for no route, is gRPC, or goes to an app over TLS or HTTP/2 takes that one, untouched. Every
//! decision is made by the same functions on both ([`super::phases`]); here are only bytes.

mod answered;
mod asked;
mod body;
mod idle;
mod line;
mod relay;
mod tunnel;

use std::sync::Arc;

use bytes::BytesMut;
use pingora::protocols::raw_connect::ProxyDigest;
use pingora::protocols::{GetProxyDigest as _, GetSocketDigest as _, Ssl as _};

use super::answer;
use super::client::{Caller, Connection};
use super::context::RequestContext;
use super::cord::Pulled;
use super::guard::guarded;
use super::phases::{No, Phases};
use super::tls::Handshake;
use super::wire::Wire;
use super::{edit, head};
use crate::admission::{Incoming, Matched};
use crate::endpoint::Problem;
use asked::Asked;
use relay::{End, Relay, cord};

/// The straight way.
pub(super) struct Straight(pub Phases);

/// What a connection says of each of its requests.
pub(super) struct Link {
    connection: Connection,
    digest: Option<Arc<ProxyDigest>>,
}

/// What became of a request.
pub(super) enum Served {
    /// Nothing: here is its head, for the framework.
    Not(BytesMut),
    /// It was answered, and the connection stays.
    Kept,
    /// The connection ends.
    Closed,
}

impl Link {
    /// Of a new connection.
    pub(super) fn of(wire: &Wire) -> Self {
        let socket = wire.get_socket_digest();
        let peer = socket.as_deref().and_then(|digest| digest.peer_addr());
        Self { connection: answer::connection_of(peer, wire.get_ssl_digest().is_some()), digest: wire.get_proxy_digest() }
    }

    fn handshake(&self) -> Option<&Handshake> {
        self.digest.as_deref().and_then(Handshake::within)
    }
}

impl Straight {
    /// Serve the request with this head, which has so many fields. The connection `is_last` for it alone.
    pub(super) async fn serve(&self, wire: &mut Wire, head: BytesMut, fields: usize, link: &Link, is_last: bool) -> Served {
        let asked = match Asked::read(head, fields) {
            Ok(asked) => asked,
            Err(head) => return Served::Not(head),
        };
        let mut ctx = self.0.begin();
        let Some((caller, matched)) = self.find(&asked, link, &mut ctx) else { return Served::Not(asked.into_head()) };
        let mut pulled = None;
        let admitted = self.admit(&asked, link, &caller, &matched, &mut ctx, &mut pulled).await;
        ctx.caller = Some(caller);
        // What was said after an offer to switch belongs to nothing where that comes to nothing.
        let keeps = !is_last && !asked.closes && !asked.upgrades;
        let mut relay = Relay::new(&self.0, wire, &asked, link.handshake(), &mut ctx, keeps, pulled);
        let end = match admitted {
            Ok(()) => relay.forward().await,
            Err(no) => relay.refuse(no).await,
        };
        let bytes = relay.passed();
        if matches!(end, End::Cut) {
            // What holds it by its session says so.
            return Served::Closed;
        }
        self.0.tell(asked.head(), bytes, &mut ctx);
        if matches!(end, End::Kept) { Served::Kept } else { Served::Closed }
    }

    /// Who asks, and the route; `None` where the framework's way is taken. Nothing was done by then.
    fn find(&self, asked: &Asked, link: &Link, ctx: &mut RequestContext) -> Option<(Caller, Matched)> {
        let head = asked.head();
        let caller = self.0.identify(link.connection, &head.headers, ctx).ok()?;
        Phases::directed(link.handshake(), link.connection, ctx, &caller).ok()?;
        ctx.manner = edit::manner(&head.method, &head.headers);
        if !head::is_sound(head) || ctx.live.endpoints.owns(head.uri.path()) || ctx.manner.is_grpc {
            return None;
        }
        let authorities = Handshake::vouched(link.handshake(), &ctx.live);
        let incoming =
            Incoming { head, target: asked.target(), client: &caller.client, authorities: &authorities, request_id: &ctx.request_id };
        let matched = ctx.live.gate.matched(&incoming).ok()?;
        let backend = ctx.live.backends.of(matched.route()).filter(|backend| backend.upstream.is_plain())?;
        ctx.backend = Some(backend);
        Some((caller, matched))
    }

    /// Let it in, or not. Where silence is normal in it, it is `pulled` from the beginning when its session ends.
    async fn admit(
        &self,
        asked: &Asked,
        link: &Link,
        caller: &Caller,
        matched: &Matched,
        ctx: &mut RequestContext,
        pulled: &mut Option<Pulled>,
    ) -> Result<(), No> {
        let live = Arc::clone(&ctx.live);
        let authorities = Handshake::vouched(link.handshake(), &live);
        let (head, request_id) = (asked.head(), ctx.request_id.clone());
        let incoming =
            Incoming { head, target: asked.target(), client: &caller.client, authorities: &authorities, request_id: &request_id };
        guarded(self.0.admit(&incoming, matched, ctx)).await.unwrap_or(Err(No::Problem(Problem::Internal)))?;
        if ctx.manner.is_patient { self.0.opens(head, caller, ctx, || Some(cord(pulled))) } else { Ok(()) }
    }
}
