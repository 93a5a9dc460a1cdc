//! The reply to a request that does not get what it asked for. It fits the asker: a page for a person, `grpc-status` for
//! gRPC, a problem in JSON for every other program.

use http::header::{CONTENT_TYPE, LOCATION, RETRY_AFTER, SET_COOKIE, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::admission::{Challenge, Refusal};
use crate::cookie::Kind;
use crate::endpoint::asker::Asker;
use crate::endpoint::page::Words;
use crate::endpoint::problem::Problem;
use crate::endpoint::reply::{self, No, Reply};
use crate::endpoint::{Endpoints, Next};
use crate::outage::Outage;

impl Endpoints {
    /// The reply to a proxied request that is not let in; `challenge` is the route's way of asking for credentials.
    ///
    /// A person who is not signed in is sent to sign in, one whose sign-in is not enough to show what is missing, and then on
    /// to where they were going. There the cookies of a session that has ended are cleared, unless a bearer token beside them
    /// was what ended. A program's are left alone: its request may have been under way while another tab got a new session,
    /// whose cookies the late reply would take.
    pub fn refused(&self, refusal: Refusal, challenge: Challenge, head: &Parts, request_id: &str) -> Reply {
        let asker = self.asker(head);
        let mut reply = match (asker, page_for(refusal)) {
            (Asker::Navigation, Some(page)) => self.to_page(page, head),
            (asker, _) => self.said(&with_challenges(refusal, challenge), asker, head, request_id),
        };
        let by_cookie = !head.headers.contains_key(http::header::AUTHORIZATION);
        if refusal == Refusal::SessionEnded && by_cookie && asker == Asker::Navigation {
            reply = reply::with_cookies(reply, self.cleared([Kind::Access, Kind::Refresh]));
        }
        reply::finish(reply, request_id)
    }

    /// The reply to a request that could not be decided: 503 with `Retry-After`, cookies untouched.
    pub fn outage(&self, outage: Outage, head: &Parts, request_id: &str) -> Reply {
        reply::finish(self.said(&No::from(outage), self.asker(head), head, request_id), request_id)
    }

    /// The reply that says any problem: an app that failed, a head that is not sound, a mistake of ours. What passes by itself
    /// says when to come back.
    pub fn problem(&self, problem: Problem, head: &Parts, request_id: &str) -> Reply {
        let passes = problem.status() == StatusCode::SERVICE_UNAVAILABLE;
        let no = if passes { No::after(problem, reply::OUT_FOR) } else { No::from(problem) };
        reply::finish(self.said(&no, self.asker(head), head, request_id), request_id)
    }

    /// Who asks. Our own endpoints speak no gRPC, whatever a request calls its body: its refusals have the status that a proxy
    /// which asks whether a request may pass takes for yes.
    pub(super) fn asker(&self, head: &Parts) -> Asker {
        let can_be_grpc = head.method == Method::POST && !self.owns(head.uri.path());
        match Asker::of(&head.headers) {
            Asker::Grpc if !can_be_grpc => Asker::Program,
            asker => asker,
        }
    }

    /// Words that fit the asker.
    pub(super) fn said(&self, no: &No, asker: Asker, head: &Parts, request_id: &str) -> Reply {
        no.log(request_id);
        let mut reply = match asker {
            Asker::Navigation => self.page(no.problem, head, request_id),
            Asker::Grpc => grpc(no.problem),
            Asker::Program => self.json(no.problem, request_id),
        };
        for (name, value) in no.headers.iter().filter(|(name, value)| fits(asker, name, value)) {
            reply.headers_mut().append(name, value.clone());
        }
        reply
    }

    fn page(&self, problem: Problem, head: &Parts, request_id: &str) -> Reply {
        let page = self.pages.message(problem, Words::of(&head.headers), &self.going(head), request_id);
        page.unwrap_or_else(|_| self.json(problem, request_id))
    }

    fn json(&self, problem: Problem, request_id: &str) -> Reply {
        let login_url = (problem.status() == StatusCode::UNAUTHORIZED).then_some(self.login_url.as_str());
        reply::problem(problem, request_id, login_url)
    }

    /// 302 to a page of ours on this host, which leads back.
    fn to_page(&self, page: &str, head: &Parts) -> Reply {
        let mut reply = reply::empty(StatusCode::FOUND);
        let location = format!("{}/{page}next={}", self.table.prefix(), self.going(head).encoded());
        if let Ok(location) = HeaderValue::try_from(location) {
            reply.headers_mut().insert(LOCATION, location);
        }
        reply
    }

    /// Where the person was going; the start page where going there again would do something else.
    fn going(&self, head: &Parts) -> Next {
        match head.uri.path_and_query() {
            Some(path) if head.method == Method::GET || head.method == Method::HEAD => self.places.next(path.as_str()),
            Some(_) | None => Next::default(),
        }
    }
}

/// A refusal that says what kind of token, or of sign-in, is missing.
pub(super) fn with_bearer(refusal: Refusal) -> No {
    let no = No::from(refusal);
    match bearer(refusal) {
        Some(bearer) => no.with(WWW_AUTHENTICATE, bearer),
        None => no,
    }
}

/// A key that is good, but not for this (RFC 6750 §3.1).
pub(super) fn scope_too_small() -> No {
    let no = No::from(Problem::InsufficientScope);
    match bearer(Refusal::Forbidden) {
        Some(bearer) => no.with(WWW_AUTHENTICATE, bearer),
        None => no,
    }
}

/// A refusal with the headers that belong to it. Who has shown nothing on a route that asks for a password is told of nothing else:
/// docker and curl choose `Bearer` where they are offered both, and have no token.
pub(super) fn with_challenges(refusal: Refusal, challenge: Challenge) -> No {
    match challenge {
        Challenge::Basic if refusal == Refusal::Unauthenticated => No::from(refusal).with(WWW_AUTHENTICATE, BASIC.clone()),
        Challenge::Basic if refusal.status() == 401 => with_bearer(refusal).with(WWW_AUTHENTICATE, BASIC.clone()),
        Challenge::Basic | Challenge::Bearer => with_bearer(refusal),
    }
}

static BASIC: HeaderValue = HeaderValue::from_static("Basic realm=\"doorward\", charset=\"UTF-8\"");

/// An API key that is good, and has not the scope that reading needs (RFC 6750 §3.1).
pub(super) static SCOPE_READ: HeaderValue =
    HeaderValue::from_static("Bearer realm=\"doorward\", error=\"insufficient_scope\", scope=\"read\"");

/// The same where something is changed.
pub(super) static SCOPE_ADMIN: HeaderValue =
    HeaderValue::from_static("Bearer realm=\"doorward\", error=\"insufficient_scope\", scope=\"admin\"");

/// The page on which a person can do something about it, up to `next` in its query.
pub(super) const fn page_for(refusal: Refusal) -> Option<&'static str> {
    match refusal {
        Refusal::Unauthenticated | Refusal::InvalidToken | Refusal::SessionEnded => Some("login?"),
        Refusal::SecondFactorNeeded => Some("step-up?need=factor&"),
        Refusal::TooLongAgo(_) => Some("step-up?need=fresh&"),
        Refusal::NoRoute
        | Refusal::AmbiguousPath
        | Refusal::Malformed
        | Refusal::RepeatedCookie
        | Refusal::ConflictingCredentials
        | Refusal::Forbidden
        | Refusal::CertificateNeeded
        | Refusal::CrossSite
        | Refusal::MethodNotAllowed
        | Refusal::PreflightRefused => None,
    }
}

/// RFC 6750 §3: no error code where nothing was presented. RFC 9470 §3: what kind of sign-in is missing.
fn bearer(refusal: Refusal) -> Option<HeaderValue> {
    let challenge = match refusal {
        Refusal::Unauthenticated => "Bearer realm=\"doorward\"",
        Refusal::InvalidToken | Refusal::SessionEnded => "Bearer realm=\"doorward\", error=\"invalid_token\"",
        Refusal::SecondFactorNeeded => "Bearer realm=\"doorward\", error=\"insufficient_user_authentication\", acr_values=\"two_factor\"",
        Refusal::TooLongAgo(seconds) => {
            let challenge = format!("Bearer realm=\"doorward\", error=\"insufficient_user_authentication\", max_age=\"{seconds}\"");
            return HeaderValue::try_from(challenge).ok();
        }
        Refusal::Forbidden => "Bearer realm=\"doorward\", error=\"insufficient_scope\"",
        Refusal::NoRoute
        | Refusal::AmbiguousPath
        | Refusal::Malformed
        | Refusal::RepeatedCookie
        | Refusal::ConflictingCredentials
        | Refusal::CertificateNeeded
        | Refusal::CrossSite
        | Refusal::MethodNotAllowed
        | Refusal::PreflightRefused => return None,
    };
    Some(HeaderValue::from_static(challenge))
}

/// A browser that shows a page would open its own window at `Basic`; gRPC has no place for most headers.
fn fits(asker: Asker, name: &HeaderName, value: &HeaderValue) -> bool {
    match asker {
        Asker::Program => true,
        Asker::Navigation => name != WWW_AUTHENTICATE || !value.as_bytes().starts_with(b"Basic"),
        Asker::Grpc => name == RETRY_AFTER || name == SET_COOKIE,
    }
}

/// A reply of gRPC that is nothing but its trailers, sent in the head.
fn grpc(problem: Problem) -> Reply {
    let status = match problem.status() {
        // Who it is, is known: its clients ask for new credentials at 16.
        _ if matches!(problem, Problem::Refused(Refusal::SecondFactorNeeded | Refusal::TooLongAgo(_))) => 7,
        StatusCode::UNAUTHORIZED => 16,
        StatusCode::FORBIDDEN => 7,
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => 12,
        StatusCode::TOO_MANY_REQUESTS => 8,
        StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => 14,
        _ => 13,
    };
    let mut reply = reply::empty(StatusCode::OK);
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert("grpc-status", HeaderValue::from(status));
    let message = utf8_percent_encode(problem.detail(), NON_ALPHANUMERIC).to_string().replace("%20", " ");
    if let Ok(message) = HeaderValue::try_from(message) {
        headers.insert("grpc-message", message);
    }
    reply
}
