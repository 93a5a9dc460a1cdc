//! Replies: their bodies, and the headers that all of them carry.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION, RETRY_AFTER, SET_COOKIE, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use serde::Serialize;

use crate::clock::ceil_secs;
use crate::config::Mistake;
use crate::endpoint::problem::Problem;
use crate::outage::Outage;

/// A reply of ours.
pub type Reply = Response<Bytes>;

/// The header that carries the request id.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// How long to wait when something is out, in the sentence of `Retry-After`.
pub(super) const OUT_FOR: Duration = Duration::from_secs(5);

/// Why an endpoint does not do what was asked, and what its reply carries besides.
#[derive(Debug)]
pub(super) struct No {
    pub(super) problem: Problem,
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// What is wrong with what was sent, by its keys; for operators alone.
    pub(super) mistakes: Vec<Mistake>,
    /// For the log, never for a reply.
    outage: Option<Outage>,
}

impl No {
    /// With `Retry-After`: whole seconds, rounded up.
    pub(super) fn after(problem: Problem, wait: Duration) -> Self {
        Self { headers: vec![(RETRY_AFTER, HeaderValue::from(ceil_secs(wait)))], ..Self::from(problem) }
    }

    /// With another header.
    pub(super) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// With what is wrong, by its keys.
    pub(super) fn because(mut self, mistakes: Vec<Mistake>) -> Self {
        self.mistakes = mistakes;
        self
    }

    /// Is it that nobody could decide?
    pub(super) const fn is_outage(&self) -> bool {
        self.outage.is_some()
    }

    /// What could not be decided is told to the operator, once.
    pub(super) fn log(&self, request_id: &str) {
        if let Some(outage) = &self.outage {
            tracing::error!(request.id = request_id, dependency = %outage.dependency, "request {request_id} could not be decided: {outage}");
        }
    }
}

impl<P: Into<Problem>> From<P> for No {
    fn from(problem: P) -> Self {
        Self { problem: problem.into(), headers: Vec::new(), mistakes: Vec::new(), outage: None }
    }
}

impl From<Outage> for No {
    fn from(outage: Outage) -> Self {
        Self { outage: Some(outage), ..Self::after(Problem::Unavailable, OUT_FOR) }
    }
}

/// A reply without a body.
pub(super) fn empty(status: StatusCode) -> Reply {
    with_room(status, Bytes::new())
}

/// A reply with room for the headers that most have: a map that grows is filled anew.
fn with_room(status: StatusCode, body: Bytes) -> Reply {
    let mut reply = Response::new(body);
    *reply.status_mut() = status;
    *reply.headers_mut() = HeaderMap::with_capacity(HEADERS);
    reply
}

/// A reply with a body of one kind.
pub(super) fn body(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Reply {
    let mut reply = with_room(status, body.into());
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    reply
}

/// Room for a reply in JSON, in bytes: few are longer.
const ROOM: usize = 512;
/// So many headers few replies exceed.
const HEADERS: usize = 12;

/// A reply in JSON.
pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Reply {
    let mut text = Vec::with_capacity(ROOM);
    match serde_json::to_writer(&mut text, value) {
        Ok(()) => body(status, "application/json", text),
        Err(_) => empty(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

/// A problem in JSON (RFC 9457 §3).
pub(super) fn problem(problem: Problem, request_id: &str, login_url: Option<&str>) -> Reply {
    let mut reply = json(problem.status(), &problem.body(request_id, login_url));
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    reply
}

/// The same with every mistake that was found, for an operator.
pub(super) fn problem_with(problem: Problem, request_id: &str, mistakes: &[Mistake]) -> Reply {
    let mut reply = json(problem.status(), &problem.body_with(request_id, mistakes));
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    reply
}

/// The browser shall go on to `location` with GET (RFC 9110 §15.4.4).
pub(super) fn see_other(location: &str) -> Result<Reply, No> {
    let location = HeaderValue::try_from(location).map_err(|_| No::from(Problem::Internal))?;
    let mut reply = empty(StatusCode::SEE_OTHER);
    reply.headers_mut().insert(LOCATION, location);
    Ok(reply)
}

/// Add cookies to a reply.
pub(super) fn with_cookies(mut reply: Reply, cookies: impl IntoIterator<Item = HeaderValue>) -> Reply {
    for cookie in cookies {
        reply.headers_mut().append(SET_COOKIE, cookie);
    }
    reply
}

/// Add `Retry-After`: whole seconds, rounded up.
pub(super) fn with_wait(mut reply: Reply, wait: Option<Duration>) -> Reply {
    if let Some(wait) = wait {
        reply.headers_mut().insert(RETRY_AFTER, HeaderValue::from(ceil_secs(wait)));
    }
    reply
}

/// What every reply carries: the request id, no sniffing, no storing unless it says otherwise, and a challenge with every
/// 401 (RFC 9110 §15.5.2).
pub(super) fn finish(mut reply: Reply, request_id: &str) -> Reply {
    let unauthorized = reply.status() == StatusCode::UNAUTHORIZED;
    let headers = reply.headers_mut();
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(id) = HeaderValue::try_from(request_id) {
        headers.insert(REQUEST_ID, id);
    }
    if unauthorized {
        headers.entry(WWW_AUTHENTICATE).or_insert(HeaderValue::from_static("Bearer realm=\"doorward\""));
    }
    reply
}
