//! Forward-auth: a proxy that stays in front asks, for each of its requests, whether it may pass. The answer is that of the
//! gate, with the identity in headers that the proxy hands to the app.
//!
//! ```text
//! dialect   which endpoint a proxy asks     original   what it says it was asked for     verdict   the reply
//! ```
//!
//! What was asked for stands in headers, which anybody can write: they are read from trusted proxies only, of one dialect only.

mod decided;
mod dialect;
mod original;
mod settings;
mod verdict;

use std::net::IpAddr;
use std::sync::Arc;

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

pub use decided::Decided;
pub use dialect::Dialect;
pub use settings::ForwardAuthSettings;

use crate::admission::{Denied, Gate, Incoming, Matched, Names, Refusal, Route, Why};
use crate::audit::{Event, Outcome, What, Who};
use crate::endpoint::asker::Asker;
use crate::endpoint::call::Received;
use crate::endpoint::problem::Problem;
use crate::endpoint::refusals::Lost;
use crate::endpoint::reply::{No, Reply};
use crate::endpoint::{Call, Endpoints};
use original::Original;
use verdict::Asked;

/// What answers proxies that ask.
pub struct ForwardAuth {
    gate: Arc<Gate>,
    trusted: Vec<IpNet>,
}

impl ForwardAuth {
    /// By the decisions of `gate`, for the proxies that `settings` name.
    pub fn new(gate: Arc<Gate>, settings: &ForwardAuthSettings) -> Self {
        Self { gate, trusted: settings.trusted_proxies.clone() }
    }

    fn trusts(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.trusted.iter().any(|network| network.contains(&peer))
    }
}

impl Endpoints {
    /// May what the proxy was asked for pass? `below` is the rest of the path after the dialect's name. What was decided goes
    /// with the reply, so that it is counted as one of the route's.
    pub(super) async fn check(&self, received: &Received<'_>, dialect: Dialect, below: &str) -> Reply {
        let mut route = None;
        let (reply, mut decided) = match self.checked(received, dialect, below, &mut route).await {
            Ok((reply, decided)) => (reply, decided),
            // In words for programs: those for gRPC have the status that says yes.
            Err(no) => {
                self.remember(no.problem, received.head, received.call);
                (self.said(&no, Asker::Program, received.head, &received.call.request_id), Decided::not(&no))
            }
        };
        decided.route = route;
        let mut reply = verdict::fitting(dialect, reply);
        reply.extensions_mut().insert(decided);
        reply
    }

    async fn checked(
        &self,
        received: &Received<'_>,
        dialect: Dialect,
        below: &str,
        route: &mut Option<Arc<Route>>,
    ) -> Result<(Reply, Decided), No> {
        let forward = self.forward_auth.as_ref().filter(|forward| forward.trusts(received.call.peer));
        let forward = forward.ok_or_else(|| No::from(Problem::ProxyNotTrusted))?;
        let original =
            Original::read(dialect, received.head, below, &forward.trusted).inspect_err(|_| self.contradicted(dialect, received))?;
        if let Some(name) = alias(&received.head.headers, forward.gate.names()) {
            tracing::info!(request.id = received.call.request_id, header = %name, "a header that could pass for one of ours would reach the app");
            return Err(No::from(Refusal::Malformed));
        }
        let asked = Asked { dialect, held: original.into_held(received.head), request_id: &received.call.request_id };
        let incoming = asked.held.incoming(asked.request_id);
        let matched = forward.gate.matched(&incoming).map_err(No::from)?;
        *route = Some(Arc::clone(matched.route()));
        match forward.gate.admit(&incoming, &matched, received.call.now).await {
            Ok(admitted) => Ok((self.passed(&asked, &admitted, forward.gate.names())?, Decided::admitted())),
            Err(Denied { why: Why::Refused(refusal), issued }) => {
                self.lost(forward, &incoming, &matched, refusal, received.call);
                let reply = self.stopped(&asked, refusal, matched.route().challenge, issued.as_ref())?;
                Ok((reply, Decided::refused(refusal)))
            }
            Err(Denied { why: Why::Outage(outage), issued }) => Err(self.undecided(outage, issued.as_ref())),
        }
    }

    /// Somebody tries to have two servers read two requests, or the proxy is not set up as it should be.
    fn contradicted(&self, dialect: Dialect, received: &Received<'_>) {
        tracing::warn!(
            request.id = received.call.request_id,
            proxy = dialect.name(),
            "what {} says it was asked for is incomplete, or contradicts itself: nothing is granted",
            dialect.name()
        );
        let event = Event::new(What::ForwardAuthContradicted, Who::Nobody, received.call.now).detail(dialect.name());
        self.sign_in.audit.note(event.came_to(Outcome::Refused).seen(&received.seen()));
    }
}

impl Endpoints {
    /// What the proxy asked for, and was told no, can be looked up by the id of its own request to us.
    fn lost(&self, forward: &ForwardAuth, incoming: &Incoming<'_>, matched: &Matched, refusal: Refusal, call: &Call) {
        self.refusals.remember(Lost {
            id: call.request_id.clone(),
            at: call.now,
            decision: "refused",
            code: refusal.code(),
            status: refusal.status(),
            route: Some(matched.route().name.clone()),
            rules: forward.gate.asked(incoming, matched),
            method: incoming.head.method.to_string(),
            host: incoming.client.host.clone(),
            path: incoming.target.split('?').next().unwrap_or_default().to_owned(),
        });
    }
}

/// A header that could pass for one of ours, and that the proxy does not replace: it would reach the app as the client wrote it.
fn alias<'a>(headers: &'a HeaderMap, names: &Names) -> Option<&'a HeaderName> {
    headers.keys().find(|name| names.is_reserved(name) && names.headers().all(|told| told != *name))
}
