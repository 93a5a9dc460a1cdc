//! What the app is told: the headers that are taken from the client's request, and those that are set instead.

use std::sync::Arc;

use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::admission::credentials::{self, Tokens};
use crate::admission::names::{Names, Told};
use crate::admission::policy::Permit;
use crate::admission::revocation::Live;
use crate::admission::route::Route;
use crate::clock::Timestamp;
use crate::cookie::{self, Cookies};
use crate::outage::{Dependency, Outage};
use crate::token::{Asserter, Claims};

/// Makes assertions.
pub trait Assertions: Send + Sync {
    /// The assertion of `claims`, which are those of a verified token, for the app behind `route`.
    fn assert(&self, claims: &Claims, route: &str, now: Timestamp) -> Result<Arc<str>, Outage>;
}

impl Assertions for Asserter {
    fn assert(&self, claims: &Claims, route: &str, now: Timestamp) -> Result<Arc<str>, Outage> {
        self.assert(claims, route, now)
    }
}

/// What is changed in the headers of a request before the upstream sees it: first the removals, then the sets.
#[derive(Debug, Clone)]
pub struct HeaderEdit {
    names: Names,
    /// `Authorization` and `Cookie`, where nothing but ours was in them.
    emptied: Vec<HeaderName>,
    sets: Vec<(HeaderName, HeaderValue)>,
    _made_here: (),
}

impl HeaderEdit {
    /// Which of `headers` have to go: every name that could pass for one of ours, and what carries our tokens.
    pub fn removals(&self, headers: &HeaderMap) -> Vec<HeaderName> {
        let goes = |name: &&HeaderName| self.emptied.contains(name) || self.is_reserved(name);
        headers.keys().filter(goes).cloned().collect()
    }

    /// Could this name pass for one of ours? Clients that use one are counted.
    pub fn is_reserved(&self, name: &HeaderName) -> bool {
        self.names.is_reserved(name)
    }

    /// What is set, each once, in place of whatever was there.
    pub fn sets(&self) -> &[(HeaderName, HeaderValue)] {
        &self.sets
    }
}

/// What identity is told with.
pub(super) struct Teller<'a> {
    pub(super) names: &'a Names,
    pub(super) cookies: &'a Cookies,
    pub(super) tokens: &'a dyn Tokens,
    pub(super) assertions: &'a dyn Assertions,
}

impl Teller<'_> {
    /// The edit for a request with these headers that has leave to pass.
    ///
    /// # Errors
    /// An [`Outage`] when there is nothing to sign the assertion with.
    pub(super) fn edit(&self, permit: &Permit, headers: &HeaderMap, route: &Route, now: Timestamp) -> Result<HeaderEdit, Outage> {
        let mut edit = HeaderEdit { names: self.names.clone(), emptied: Vec::new(), sets: Vec::new(), _made_here: () };
        if self.holds_ours(permit, headers) {
            edit.emptied.push(AUTHORIZATION);
        }
        if carries_ours(headers) {
            match self.cookies.without_ours(headers) {
                Some(left) => edit.sets.push((COOKIE, left)),
                None => edit.emptied.push(COOKIE),
            }
        }
        if let Some(live) = &permit.live {
            self.tell(live, route, now, &mut edit.sets)?;
        }
        Ok(edit)
    }

    /// Is the token in `Authorization` ours? Where credentials were looked at, that is known.
    fn holds_ours(&self, permit: &Permit, headers: &HeaderMap) -> bool {
        permit.live.as_ref().map_or_else(|| credentials::holds_ours(headers, self.tokens), |live| live.verified.by_header)
    }

    fn tell(&self, live: &Live, route: &Route, now: Timestamp, sets: &mut Vec<(HeaderName, HeaderValue)>) -> Result<(), Outage> {
        let claims = live.verified.claims.as_ref();
        let assertion = self.assertions.assert(claims, &route.name, now)?;
        for (name, told) in self.names.told() {
            let value = match told {
                Told::Assertion => Some(secret(&assertion)?),
                Told::Claim(claim, separator) => value(|say| claim.each(claims, say), *separator),
            };
            sets.extend(value.map(|value| (name.clone(), value)));
        }
        if route.forward_token {
            sets.push((AUTHORIZATION, secret(&format!("Bearer {}", live.verified.token.expose()))?));
        }
        Ok(())
    }
}

fn secret(text: &str) -> Result<HeaderValue, Outage> {
    let mut value = HeaderValue::from_str(text).map_err(|cause| Outage::new(Dependency::Keys, cause))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Does a cookie of ours stand there, under whatever prefix?
fn carries_ours(headers: &HeaderMap) -> bool {
    let pairs = headers.get_all(COOKIE).into_iter().flat_map(|header| header.as_bytes().split(|byte| *byte == b';'));
    pairs.map(|pair| pair.split(|byte| *byte == b'=').next().unwrap_or_default()).any(cookie::is_ours)
}

/// The texts of a claim as one value; none when there are none: the header is then absent.
fn value(texts: impl FnOnce(&mut dyn FnMut(&str)), separator: char) -> Option<HeaderValue> {
    let mut joined = String::new();
    texts(&mut |text| {
        if !joined.is_empty() {
            joined.push(separator);
        }
        encode(text, separator, &mut joined);
    });
    HeaderValue::try_from(joined).ok().filter(|value| !value.is_empty())
}

/// Plain ASCII as it is; the rest, `%` and what separates texts percent-encoded (RFC 3986 §2.1), and a space where HTTP would
/// take it away.
fn encode(text: &str, separator: char, out: &mut String) {
    const BASE: &AsciiSet = &CONTROLS.add(b'%');
    const COMMA: &AsciiSet = &BASE.add(b',');
    const BAR: &AsciiSet = &BASE.add(b'|');
    let set = if separator == '|' { BAR } else { COMMA };
    let inner = text.trim_matches(' ');
    let (before, after) = text.split_once(inner).unwrap_or((text, ""));
    out.extend(before.chars().map(|_| "%20"));
    out.extend(utf8_percent_encode(inner, set));
    out.extend(after.chars().map(|_| "%20"));
}

#[cfg(test)]
mod tests;
