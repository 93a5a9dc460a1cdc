//! The reply to a proxy that asks: 200 with what the app is told, or what the client gets instead.
//!
//! Never a status that a proxy takes for yes: a refusal of gRPC, which is 200 in a proxied request, is 401 or 403 here, and
//! the proxy says it in gRPC's words.

use http::header::{AUTHORIZATION, COOKIE, HeaderName, HeaderValue, LOCATION, SET_COOKIE, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};

use crate::admission::{Admitted, Challenge, Names, Refusal};
use crate::cookie::Kind;
use crate::endpoint::Endpoints;
use crate::endpoint::admin::without_port;
use crate::endpoint::asker::Asker;
use crate::endpoint::check::dialect::Dialect;
use crate::endpoint::check::original::Held;
use crate::endpoint::refuse;
use crate::endpoint::reply::{self, No, Reply};
use crate::outage::Outage;
use crate::token::Issued;

/// New cookies, each in a header of its own: nginx and Caddy read only one `Set-Cookie` of an answer.
const COOKIES: [&str; 2] = ["x-doorward-set-cookie-1", "x-doorward-set-cookie-2"];

/// What Envoy takes away from the client's request.
const ENVOY_REMOVES: &str = "x-envoy-auth-headers-to-remove";

/// What was asked for, and in which dialect.
pub(super) struct Asked<'a> {
    pub(super) dialect: Dialect,
    pub(super) held: Held,
    pub(super) request_id: &'a str,
}

impl Asked<'_> {
    /// A browser that shows pages, or a program; never gRPC, whose refusals have the status that says yes.
    fn asker(&self) -> Asker {
        match Asker::of(&self.held.head.headers) {
            Asker::Grpc | Asker::Program => Asker::Program,
            Asker::Navigation => Asker::Navigation,
        }
    }

    /// The whole URL, to come back to; nothing where coming back would do something else.
    fn url(&self) -> Option<String> {
        let Held { head, target, client } = &self.held;
        let scheme = if client.secure { "https" } else { "http" };
        is_safe(head).then(|| format!("{scheme}://{}{target}", client.host))
    }

    /// The same on its own host.
    fn path(&self) -> Option<String> {
        is_safe(&self.held.head).then(|| self.held.target.clone())
    }
}

fn is_safe(head: &Parts) -> bool {
    head.method == Method::GET || head.method == Method::HEAD
}

impl Endpoints {
    /// Yes, with every header that the app is to see instead of the client's own; one that is missing here is to be removed.
    pub(super) fn passed(&self, asked: &Asked<'_>, admitted: &Admitted, names: &Names) -> Result<Reply, No> {
        let mut reply = reply::empty(StatusCode::OK);
        let told = told(&asked.held.head.headers, admitted, names);
        if asked.dialect == Dialect::Envoy {
            let missing: Vec<&str> = replaced(names).filter(|name| !told.contains_key(*name)).map(HeaderName::as_str).collect();
            if let Ok(missing) = HeaderValue::try_from(missing.join(",")) {
                reply.headers_mut().insert(ENVOY_REMOVES, missing);
            }
        }
        reply.headers_mut().extend(told);
        self.renewed(reply, asked.dialect, admitted.issued())
    }

    /// No. `challenge` is the route's way of asking for credentials.
    pub(super) fn stopped(&self, asked: &Asked<'_>, refusal: Refusal, challenge: Challenge, issued: Option<&Issued>) -> Result<Reply, No> {
        let head = &asked.held.head;
        let mut reply = match (asked.asker(), refuse::page_for(refusal)) {
            (Asker::Navigation, Some(page)) => challenged(self.to_public_page(page, asked), asked.dialect, refusal),
            (asker, _) => self.said(&refuse::with_challenges(refusal, challenge), asker, head, asked.request_id),
        };
        let by_cookie = !head.headers.contains_key(AUTHORIZATION);
        if refusal == Refusal::SessionEnded && by_cookie && asked.asker() == Asker::Navigation {
            reply = reply::with_cookies(reply, self.cleared([Kind::Access, Kind::Refresh]));
        }
        self.renewed(reply, asked.dialect, issued)
    }

    /// Neither: 503, cookies untouched but for those that were renewed in passing.
    pub(super) fn undecided(&self, outage: Outage, issued: Option<&Issued>) -> No {
        let cookies = match issued.map(|issued| self.session_cookies(issued)).transpose() {
            Ok(cookies) => cookies,
            Err(no) => return no,
        };
        cookies.into_iter().flatten().fold(No::from(outage), |no, cookie| no.with(SET_COOKIE, cookie))
    }

    /// To a page of ours at the public address: the app's host may not lead to us. Where a browser does not show that host what it
    /// is given there, signing in there would lead nowhere: then on that host itself, which the proxy must lead to us.
    fn to_public_page(&self, page: &str, asked: &Asked<'_>) -> Reply {
        let public = self.places.public_url();
        let host = without_port(&asked.held.client.host);
        let is_shared = public.host_str().is_some_and(|ours| self.cookies.are_shared(ours, host));
        let (base, back) = if is_shared { (public.as_str().trim_end_matches('/'), asked.url()) } else { ("", asked.path()) };
        let next = back.map(|back| self.places.next(&back)).unwrap_or_default();
        let mut reply = reply::empty(StatusCode::FOUND);
        if let Ok(location) = HeaderValue::try_from(format!("{base}{}/{page}next={}", self.table.prefix(), next.encoded())) {
            reply.headers_mut().insert(LOCATION, location);
        }
        reply
    }

    fn renewed(&self, mut reply: Reply, dialect: Dialect, issued: Option<&Issued>) -> Result<Reply, No> {
        let Some(issued) = issued else { return Ok(reply) };
        for (name, cookie) in COOKIES.into_iter().zip(self.session_cookies(issued)?) {
            if reads_only_one(dialect, reply.status()) {
                reply.headers_mut().insert(name, cookie.clone());
            }
            reply.headers_mut().append(SET_COOKIE, cookie);
        }
        Ok(reply)
    }
}

/// Does the proxy take the new cookies from headers of their own? Caddy hands every answer but a yes to the client as it is, where
/// a script could read them: there `Set-Cookie` is enough.
fn reads_only_one(dialect: Dialect, status: StatusCode) -> bool {
    match dialect {
        Dialect::Nginx => true,
        Dialect::Caddy => status == StatusCode::OK,
        Dialect::Traefik | Dialect::Envoy | Dialect::Haproxy => false,
    }
}

/// The headers whose client's values must not reach the app: those of the identity, and those that carry tokens.
fn replaced(names: &Names) -> impl Iterator<Item = &HeaderName> {
    names.headers().chain([&COOKIE, &AUTHORIZATION])
}

/// What the app is to see of them.
fn told(client: &HeaderMap, admitted: &Admitted, names: &Names) -> HeaderMap {
    let edit = admitted.edit();
    let mut told: HeaderMap = edit.sets().map(|(name, value)| (name.clone(), value.clone())).collect();
    for name in [COOKIE, AUTHORIZATION] {
        if !told.contains_key(&name) && !edit.removes(&name) {
            told.extend(joined(client, &name).map(|value| (name, value)));
        }
    }
    told.into_iter()
        .filter_map(|(name, value)| Some((name?, value)))
        .filter(|(name, _)| replaced(names).any(|known| known == name))
        .collect()
}

/// Several cookie headers are one list (RFC 6265 §5.4); of `Authorization` there is only one.
fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<HeaderValue> {
    let all: Vec<&[u8]> = headers.get_all(name).iter().map(HeaderValue::as_bytes).collect();
    HeaderValue::from_bytes(&all.join(b"; ".as_slice())).ok().filter(|value| !value.is_empty())
}

/// To nginx a page is told beside a 401, and that names what is missing, as to a program; never `Basic`, at which the browser would open a
/// window of its own instead.
fn challenged(mut reply: Reply, dialect: Dialect, refusal: Refusal) -> Reply {
    if dialect == Dialect::Nginx {
        for (name, value) in refuse::with_bearer(refusal).headers.into_iter().filter(|(name, _)| name == WWW_AUTHENTICATE) {
            reply.headers_mut().append(name, value);
        }
    }
    reply
}

/// nginx knows three answers: 2xx, 401 and 403. A page to go to is told beside a 401.
pub(super) fn fitting(dialect: Dialect, mut reply: Reply) -> Reply {
    if dialect != Dialect::Nginx {
        return reply;
    }
    let status = match reply.status() {
        StatusCode::FOUND => StatusCode::UNAUTHORIZED,
        StatusCode::UNAUTHORIZED => return reply,
        other if other.is_client_error() => StatusCode::FORBIDDEN,
        other => other,
    };
    *reply.status_mut() = status;
    reply
}
