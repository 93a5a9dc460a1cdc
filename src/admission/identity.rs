//! What the app is told: the headers that are taken from the client's request, and those that are set instead.

use std::sync::Arc;
use std::time::Duration;

use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use quick_cache::sync::Cache;

use crate::admission::credentials::{self, Tokens};
use crate::admission::names::{Names, Told};
use crate::admission::policy::Permit;
use crate::admission::revocation::Live;
use crate::admission::route::Route;
use crate::clock::Timestamp;
use crate::cookie::{self, Cookies};
use crate::outage::{Dependency, Outage};
use crate::token::{Asserter, Claims, assertion};

/// Makes assertions.
pub trait Assertions: Send + Sync {
    /// An assertion of `claims`, which are those of a verified token, for the app behind `route`.
    fn assert(&self, claims: &Claims, route: &str, now: Timestamp) -> Result<String, Outage>;
}

impl Assertions for Asserter {
    fn assert(&self, claims: &Claims, route: &str, now: Timestamp) -> Result<String, Outage> {
        self.assert(claims, route, now)
    }
}

/// What is changed in the headers of a request before the upstream sees it: first the removals, then the sets.
#[derive(Debug, Clone)]
pub struct HeaderEdit {
    names: Names,
    authorization: Change,
    cookie: Change,
    /// Who is there; nothing is told on what is public.
    introduction: Option<Arc<Introduction>>,
    _made_here: (),
}

/// What becomes of a header that can carry our tokens.
#[derive(Debug, Clone)]
enum Change {
    /// Nothing.
    Stays,
    /// There was nothing but ours in it.
    Goes,
    /// What is left of it, or takes its place.
    Becomes(HeaderValue),
}

impl Change {
    const fn value(&self) -> Option<&HeaderValue> {
        match self {
            Self::Becomes(value) => Some(value),
            Self::Stays | Self::Goes => None,
        }
    }
}

impl HeaderEdit {
    /// Does the header of this name have to go: one that could pass for one of ours, or carries our tokens?
    pub fn removes(&self, name: &HeaderName) -> bool {
        let goes = |change: &Change, of: &HeaderName| matches!(change, Change::Goes) && name == of;
        goes(&self.cookie, &COOKIE) || goes(&self.authorization, &AUTHORIZATION) || self.is_reserved(name)
    }

    /// Could this name pass for one of ours? Clients that use one are counted.
    pub fn is_reserved(&self, name: &HeaderName) -> bool {
        self.names.is_reserved(name)
    }

    /// Does `Cookie` not travel as it came?
    pub const fn changes_cookie(&self) -> bool {
        !matches!(self.cookie, Change::Stays)
    }

    /// Does `Authorization` not travel as it came?
    pub const fn changes_authorization(&self) -> bool {
        !matches!(self.authorization, Change::Stays)
    }

    /// What is set, each once, in place of whatever was there.
    pub fn sets(&self) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        let told = self.introduction.iter().flat_map(|introduction| introduction.sets.iter().map(|(name, value)| (name, value)));
        let cookie = self.cookie.value().map(|value| (&COOKIE, value));
        let authorization = self.authorization.value().map(|value| (&AUTHORIZATION, value));
        cookie.into_iter().chain(authorization).chain(told)
    }
}

/// How many are kept: of so many people and routes, each.
const KEPT: usize = 32 * 1024;

/// How long one is used after it was made: as long as its assertion is fresh.
const FRESH: Duration = assertion::FRESH;

/// What the app behind one route is told of one person: the same on every request, until the assertion in it is stale.
#[derive(Debug)]
struct Introduction {
    /// Of whom: the claims of one verified token, and no others that look like them.
    claims: Arc<Claims>,
    /// To which route.
    route: Arc<Route>,
    sets: Vec<(HeaderName, HeaderValue)>,
    made: Timestamp,
}

impl Introduction {
    fn is_for(&self, claims: &Arc<Claims>, route: &Arc<Route>) -> bool {
        Arc::ptr_eq(&self.claims, claims) && Arc::ptr_eq(&self.route, route)
    }

    fn is_fresh(&self, now: Timestamp) -> bool {
        now >= self.made && now.since(self.made) <= FRESH
    }
}

/// Introductions, so that they are made once for each token and route while they are fresh: signing costs as much as the rest
/// of the request.
///
/// They are found by where claims and route lie in memory. An introduction keeps both there, so as long as it is found, nothing
/// else lies in their place: two people never have one.
pub(super) struct Introductions(Cache<(usize, usize), Arc<Introduction>>);

impl Introductions {
    /// None yet.
    pub(super) fn new() -> Self {
        Self(Cache::new(KEPT))
    }

    fn find(&self, claims: &Arc<Claims>, route: &Arc<Route>, now: Timestamp) -> Option<Arc<Introduction>> {
        self.0.get(&Self::place(claims, route)).filter(|found| found.is_for(claims, route) && found.is_fresh(now))
    }

    fn keep(&self, introduction: &Arc<Introduction>) {
        self.0.insert(Self::place(&introduction.claims, &introduction.route), Arc::clone(introduction));
    }

    fn place(claims: &Arc<Claims>, route: &Arc<Route>) -> (usize, usize) {
        (Arc::as_ptr(claims).addr(), Arc::as_ptr(route).addr())
    }
}

/// What identity is told with.
pub(super) struct Teller<'a> {
    pub(super) names: &'a Names,
    pub(super) cookies: &'a Cookies,
    pub(super) tokens: &'a dyn Tokens,
    pub(super) assertions: &'a dyn Assertions,
    pub(super) introductions: &'a Introductions,
}

impl Teller<'_> {
    /// The edit for a request with these headers that has leave to pass.
    ///
    /// # Errors
    /// An [`Outage`] when there is nothing to sign the assertion with.
    pub(super) fn edit(&self, permit: &Permit<'_>, headers: &HeaderMap, route: &Arc<Route>, now: Timestamp) -> Result<HeaderEdit, Outage> {
        Ok(HeaderEdit {
            names: self.names.clone(),
            authorization: self.authorization(permit, headers, route)?,
            cookie: self.cookie(headers),
            introduction: permit.live.as_ref().map(|live| self.introduce(live, route, now)).transpose()?,
            _made_here: (),
        })
    }

    fn cookie(&self, headers: &HeaderMap) -> Change {
        if !cookie::carries_ours(headers) {
            return Change::Stays;
        }
        self.cookies.without_ours(headers).map_or(Change::Goes, Change::Becomes)
    }

    fn authorization(&self, permit: &Permit<'_>, headers: &HeaderMap, route: &Route) -> Result<Change, Outage> {
        if let Some(live) = permit.live.as_ref().filter(|_| route.forward_token) {
            return Ok(Change::Becomes(secret(&format!("Bearer {}", live.verified.token.secret().expose()))?));
        }
        let goes = self.holds_ours(permit, headers) || credentials::hides_ours(headers, self.tokens);
        Ok(if goes { Change::Goes } else { Change::Stays })
    }

    /// Is the token in `Authorization` ours? Where credentials were looked at, that is known.
    fn holds_ours(&self, permit: &Permit<'_>, headers: &HeaderMap) -> bool {
        permit.live.as_ref().map_or_else(|| credentials::holds_ours(headers, self.tokens), |live| live.verified.by_header)
    }

    /// What is told of who is there: as it was told before while that is fresh.
    fn introduce(&self, live: &Live<'_>, route: &Arc<Route>, now: Timestamp) -> Result<Arc<Introduction>, Outage> {
        let claims = &live.verified.claims;
        if let Some(found) = self.introductions.find(claims, route, now) {
            return Ok(found);
        }
        let sets = self.tell(claims, route, now)?;
        let made = Arc::new(Introduction { claims: Arc::clone(claims), route: Arc::clone(route), sets, made: now });
        self.introductions.keep(&made);
        Ok(made)
    }

    fn tell(&self, claims: &Claims, route: &Route, now: Timestamp) -> Result<Vec<(HeaderName, HeaderValue)>, Outage> {
        let assertion = self.assertions.assert(claims, &route.name, now)?;
        let mut sets = Vec::new();
        for (name, told) in self.names.told() {
            let value = match told {
                Told::Assertion => Some(secret(&assertion)?),
                Told::Claim(claim, separator) => value(|say| claim.each(claims, say), claim.is_list(claims).then_some(*separator)),
            };
            sets.extend(value.map(|value| (name.clone(), value)));
        }
        Ok(sets)
    }
}

fn secret(text: &str) -> Result<HeaderValue, Outage> {
    let mut value = HeaderValue::from_str(text).map_err(|cause| Outage::new(Dependency::Keys, cause))?;
    value.set_sensitive(true);
    Ok(value)
}

/// The texts of a claim as one value, joined by `separator` where it is a list; none when there are none: the header is then absent.
fn value(texts: impl FnOnce(&mut dyn FnMut(&str)), separator: Option<char>) -> Option<HeaderValue> {
    let mut joined = String::new();
    texts(&mut |text| {
        if !joined.is_empty() {
            joined.extend(separator);
        }
        encode(text, separator, &mut joined);
    });
    HeaderValue::try_from(joined).ok().filter(|value| !value.is_empty())
}

/// Plain ASCII as it is; the rest and `%` percent-encoded (RFC 3986 §2.1): else a name that is written `%C3%A9` and one that is `é` would be
/// one value. So is what separates texts, where there can be several, and a space where HTTP would take it away.
fn encode(text: &str, separator: Option<char>, out: &mut String) {
    const BASE: &AsciiSet = &CONTROLS.add(b'%');
    const COMMA: &AsciiSet = &BASE.add(b',');
    const BAR: &AsciiSet = &BASE.add(b'|');
    let set = match separator {
        None => BASE,
        Some('|') => BAR,
        Some(_) => COMMA,
    };
    let inner = text.trim_matches(' ');
    let (before, after) = text.split_once(inner).unwrap_or((text, ""));
    out.extend(before.chars().map(|_| "%20"));
    out.extend(utf8_percent_encode(inner, set));
    out.extend(after.chars().map(|_| "%20"));
}

#[cfg(test)]
mod tests;
