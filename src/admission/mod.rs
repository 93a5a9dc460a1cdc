//! A proxied request is let in, or not: a chain of types that none can skip.
//!
//! ```text
//! request ─▶ Matched ─▶ Presented ─▶ Verified ─▶ Live ─▶ Permit ─▶ HeaderEdit ─▶ upstream
//!            route      credentials  verify   revocation  policy   identity
//! ```
//!
//! Each type has one function that makes it, in the file of its step. [`Gate`] walks the chain.

mod claim;
mod credentials;
mod cross_site;
pub mod explain;
mod guest;
mod host;
mod identity;
mod machine;
mod matched;
mod names;
mod policy;
mod preflight;
mod reading;
pub mod refusal;
pub mod renew;
mod revocation;
mod route;
mod rule;
mod settings;
#[cfg(test)]
mod support;
mod upstream;
mod verify;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::request::Parts;

#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub use credentials::fuzzing as credentials_fuzzing;
pub use credentials::{Presented, Tokens, key_in};
pub use cross_site::{is_cross_site, is_unsafe};
pub use host::canonical as canonical_host;
pub use identity::{Assertions, HeaderEdit};
pub use machine::{KEY_PREFIX, MACHINE_PREFIX, Machine, Machines, Pass};
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub use matched::fuzzing;
pub use matched::{Matched, RuleSet};
pub use names::{ASSERTION, Names};
pub use policy::Permit;
pub use reading::is_ours;
pub use refusal::Refusal;
pub use renew::{NotRenewed, Renew};
pub use revocation::{Caller, Live, Revocations};
pub use route::{Route, Table};
pub use settings::{Challenge, CrossSite, IdentitySettings, Preflight, Preset, Require, RouteSettings, RuleSettings};
pub use upstream::{
    Address, AddressSettings, Balance, CheckKind, Destination, HealthSettings, LONGEST_SOCKET, Place, Protocol, UpstreamTlsSettings,
};
pub use verify::Verified;

use crate::client::Client;
use crate::clock::Timestamp;
use crate::cookie::Cookies;
use crate::id::SessionId;
use crate::outage::Outage;
use crate::token::{Claims, Issued};
use identity::{Introductions, Teller};
use revocation::Found;
use verify::Verifier;

/// A request that has come in.
#[derive(Debug, Clone, Copy)]
pub struct Incoming<'a> {
    /// Its head. Only method and headers are read.
    pub head: &'a Parts,
    /// Its target as it came, in origin-form (path and query) or `*`.
    pub target: &'a str,
    /// Who is calling; the host that is matched stands here.
    pub client: &'a Client,
    /// The authorities that have signed the certificate of who holds the connection, as routes name them.
    pub authorities: &'a [&'a Path],
    /// What it is called in logs.
    pub request_id: &'a str,
}

/// Why it is not let in.
#[derive(Debug, thiserror::Error)]
pub enum Why {
    /// A decision.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The lack of one.
    #[error(transparent)]
    Outage(#[from] Outage),
}

/// A request that is not let in.
#[derive(Debug)]
pub struct Denied {
    /// Why.
    pub why: Why,
    /// Tokens that were made in passing before it was denied. Their cookies belong on the reply whatever it says: the old
    /// refresh token is spent.
    pub issued: Option<Issued>,
}

/// A request that is let in.
#[derive(Debug)]
pub struct Admitted {
    matched: Matched,
    claims: Option<Arc<Claims>>,
    rule: Option<usize>,
    edit: HeaderEdit,
    issued: Option<Issued>,
    _made_here: (),
}

impl Admitted {
    fn with(permit: &Permit<'_>, matched: &Matched, edit: HeaderEdit, issued: Option<Issued>) -> Self {
        Self { matched: matched.clone(), claims: permit.claims().cloned(), rule: permit.rule, edit, issued, _made_here: () }
    }

    /// Where to.
    pub const fn route(&self) -> &Arc<Route> {
        self.matched.route()
    }

    /// What is changed in its headers.
    pub const fn edit(&self) -> &HeaderEdit {
        &self.edit
    }

    /// Tokens that were made in passing; their cookies belong on the reply.
    pub const fn issued(&self) -> Option<&Issued> {
        self.issued.as_ref()
    }

    /// As whom; nobody on what is public.
    pub fn claims(&self) -> Option<&Claims> {
        self.claims.as_deref()
    }

    /// In which session; none on what is public.
    pub fn session(&self) -> Option<&SessionId> {
        self.claims().map(|claims| &claims.sid)
    }

    /// By which of the route's rules, counted from 0; none for a preflight.
    pub const fn rule(&self) -> Option<usize> {
        self.rule
    }

    /// The target to forward instead of the one that came, and the path that was taken off it, for `X-Forwarded-Prefix`;
    /// `None` when the target travels untouched.
    pub fn stripped(&self) -> Option<(&str, &str)> {
        self.matched.rest().map(|rest| (rest, self.route().path()))
    }
}

/// What stands behind the gate.
#[derive(Clone)]
pub struct Ports {
    /// Believes access tokens.
    pub tokens: Arc<dyn Tokens>,
    /// Believes API keys.
    pub machines: Arc<dyn Machines>,
    /// Renews sessions in passing.
    pub renew: Arc<dyn Renew>,
    /// Knows what is revoked.
    pub revocations: Arc<dyn Revocations>,
    /// Makes assertions.
    pub assertions: Arc<dyn Assertions>,
}

/// How often a session is renewed for one request: once, and again where its account is changed at that very moment.
const RENEWALS: usize = 3;

/// Lets requests in, or not.
pub struct Gate {
    table: Table,
    names: Names,
    cookies: Cookies,
    leeway: i64,
    ports: Ports,
    introductions: Introductions,
}

impl Gate {
    /// With these routes, header names and cookies; clocks may differ by `leeway`.
    pub fn new(table: Table, names: Names, cookies: Cookies, leeway: Duration, ports: Ports) -> Self {
        let leeway = i64::try_from(leeway.as_secs()).unwrap_or(0);
        Self { table, names, cookies, leeway, ports, introductions: Introductions::new() }
    }

    /// Its routes.
    pub const fn table(&self) -> &Table {
        &self.table
    }

    /// The names of the headers that tell an app who is there.
    pub const fn names(&self) -> &Names {
        &self.names
    }

    /// The route of a request.
    ///
    /// # Errors
    /// A [`Refusal`] that needs no look at who asks.
    pub fn matched(&self, incoming: &Incoming<'_>) -> Result<Matched, Refusal> {
        matched::find(&self.table, incoming)
    }

    /// Let a request in on the route that was found for it, or not.
    pub async fn admit(&self, incoming: &Incoming<'_>, matched: &Matched, now: Timestamp) -> Result<Admitted, Denied> {
        let mut issued = None;
        match self.decide(incoming, matched, now, &mut issued).await {
            Ok((permit, edit)) => Ok(Admitted::with(&permit, matched, edit, issued)),
            Err(why) => Err(Denied { why, issued }),
        }
    }

    /// The rules that are asked about a request, whoever it comes from.
    pub fn asked(&self, incoming: &Incoming<'_>, matched: &Matched) -> RuleSet {
        policy::asked(matched, incoming)
    }

    async fn decide<'a>(
        &self,
        incoming: &Incoming<'a>,
        matched: &Matched,
        now: Timestamp,
        issued: &mut Option<Issued>,
    ) -> Result<(Permit<'a>, HeaderEdit), Why> {
        policy::certified(matched, incoming)?;
        let nobody = Caller::Nobody(Refusal::Unauthenticated);
        let caller = if policy::is_open(matched, incoming) {
            // Who it is does not matter, but two of one name are no request that can be read in one way.
            self.cookies.look(&incoming.head.headers).map_err(|_| Refusal::RepeatedCookie)?;
            nobody
        } else {
            self.caller(incoming, matched, now, issued).await?
        };
        let permit = policy::decide(caller, matched, incoming, self.leeway, now)?;
        let edit = self.teller().edit(&permit, &incoming.head.headers, matched.route(), now)?;
        Ok((permit, edit))
    }

    async fn caller<'a>(
        &self,
        incoming: &Incoming<'a>,
        matched: &Matched,
        now: Timestamp,
        issued: &mut Option<Issued>,
    ) -> Result<Caller<'a>, Why> {
        let Ports { tokens, machines, renew, .. } = &self.ports;
        let step = Verifier { tokens: tokens.as_ref(), machines: machines.as_ref(), renew: renew.as_ref(), now };
        let presented = credentials::extract(&incoming.head.headers, &self.cookies, self.ports.tokens.as_ref())?;
        cross_site::check(&presented, incoming, matched.route())?;
        let revocations = self.ports.revocations.as_ref();
        let refresh = presented.refresh();
        let verified = step.verify(presented, incoming, issued).await?;
        let mut found = revocation::check(verified, revocations, now).await?;
        for _ in 0..RENEWALS {
            match found {
                Found::Caller(caller) => return Ok(caller),
                Found::Outdated => {
                    let renewed = step.renew(refresh, incoming, issued).await?;
                    found = revocation::check(renewed, revocations, now).await?;
                }
            }
        }
        match found {
            Found::Caller(caller) => Ok(caller),
            Found::Outdated => Ok(Caller::Nobody(Refusal::Unauthenticated)),
        }
    }

    fn teller(&self) -> Teller<'_> {
        let (tokens, assertions) = (self.ports.tokens.as_ref(), self.ports.assertions.as_ref());
        Teller { names: &self.names, cookies: &self.cookies, tokens, assertions, introductions: &self.introductions }
    }
}

#[cfg(test)]
mod tests;
