//! What the proxy says it was asked for: method, scheme, host, target, and by whom.
//!
//! A dialect's own headers must all be there, each once. Those of the other dialects may say the same; where one says something
//! else, somebody tries to have two servers read two requests, and nothing is granted.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use http::header::HOST;
use http::request::Parts;
use http::{HeaderMap, Method};
use ipnet::IpNet;
use url::{Position, Url};

use crate::admission::{Incoming, Refusal};
use crate::client::Client;
use crate::endpoint::check::dialect::Dialect;

const ORIGINAL_METHOD: &str = "x-original-method";
const ORIGINAL_URL: &str = "x-original-url";
const ORIGINAL_URI: &str = "x-original-uri";
const REWRITE_URL: &str = "x-rewrite-url";
const METHOD: &str = "x-forwarded-method";
const PROTO: &str = "x-forwarded-proto";
const FORWARDED_HOST: &str = "x-forwarded-host";
const URI: &str = "x-forwarded-uri";
const FOR: &str = "x-forwarded-for";

/// The request that the proxy holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Original {
    method: Method,
    secure: bool,
    host: String,
    target: String,
    address: IpAddr,
}

/// The same, in the form that the gate reads.
pub(super) struct Held {
    pub(super) head: Parts,
    pub(super) target: String,
    pub(super) client: Client,
}

impl Held {
    pub(super) fn incoming<'a>(&'a self, request_id: &'a str) -> Incoming<'a> {
        Incoming { head: &self.head, target: &self.target, client: &self.client, authorities: &[], request_id }
    }
}

impl Original {
    /// What `head` says in this dialect.
    ///
    /// # Errors
    /// `Malformed`, where something is missing, is there twice, or is contradicted.
    pub(super) fn read(dialect: Dialect, head: &Parts, below: &str, trusted: &[IpNet]) -> Result<Self, Refusal> {
        let said = Said(&head.headers);
        let address = said.address(trusted)?;
        let original = match dialect {
            Dialect::Nginx => said.by_url(address),
            Dialect::Traefik | Dialect::Caddy | Dialect::Haproxy => said.by_parts(address),
            Dialect::Envoy => said.by_itself(head, below, address),
        }?;
        if said.agrees(&original)? { Ok(original) } else { Err(Refusal::Malformed) }
    }

    /// With the headers of the request that asks: a proxy sends those that it was sent.
    pub(super) fn into_held(self, asking: &Parts) -> Held {
        let mut head = asking.clone();
        head.method = self.method;
        // Where a person was going.
        if let Ok(uri) = self.target.parse() {
            head.uri = uri;
        }
        let client = Client { address: self.address, secure: self.secure, host: self.host };
        Held { head, target: self.target, client }
    }
}

/// Headers of the request that asks.
struct Said<'a>(&'a HeaderMap);

impl<'a> Said<'a> {
    /// The one value of a header.
    fn one(&self, name: &str) -> Result<Option<&'a str>, Refusal> {
        let mut all = self.0.get_all(name).into_iter();
        let first = all.next();
        if all.next().is_some() {
            return Err(Refusal::Malformed);
        }
        first.map(|value| value.to_str().map_err(|_| Refusal::Malformed)).transpose()
    }

    fn needed(&self, name: &str) -> Result<&'a str, Refusal> {
        self.one(name)?.filter(|value| !value.is_empty()).ok_or(Refusal::Malformed)
    }

    fn by_url(&self, address: IpAddr) -> Result<Original, Refusal> {
        let method = method(self.needed(ORIGINAL_METHOD)?)?;
        let (secure, host, target) = whole(self.needed(ORIGINAL_URL)?).ok_or(Refusal::Malformed)?;
        Ok(Original { method, secure, host: host.to_owned(), target: target.to_owned(), address })
    }

    fn by_parts(&self, address: IpAddr) -> Result<Original, Refusal> {
        let method = method(self.needed(METHOD)?)?;
        let (host, target) = (self.needed(FORWARDED_HOST)?.to_owned(), self.needed(URI)?.to_owned());
        Ok(Original { method, secure: secure(self.needed(PROTO)?)?, host, target, address })
    }

    fn by_itself(&self, head: &Parts, below: &str, address: IpAddr) -> Result<Original, Refusal> {
        let path = if below.is_empty() { "/" } else { below };
        let target = head.uri.query().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
        let host = self.needed(HOST.as_str())?.to_owned();
        Ok(Original { method: head.method.clone(), secure: secure(self.needed(PROTO)?)?, host, target, address })
    }

    /// Does nothing say otherwise, in whatever dialect?
    fn agrees(&self, original: &Original) -> Result<bool, Refusal> {
        let says = |name: &str, is_it: &dyn Fn(&str) -> bool| Ok(self.one(name)?.is_none_or(is_it));
        let url = |url: &str| {
            whole(url).is_some_and(|(secure, host, target)| {
                secure == original.secure && host.eq_ignore_ascii_case(&original.host) && target == original.target
            })
        };
        let all = [
            says(ORIGINAL_METHOD, &|method| method == original.method.as_str())?,
            says(METHOD, &|method| method == original.method.as_str())?,
            says(PROTO, &|proto| secure(proto) == Ok(original.secure))?,
            says(FORWARDED_HOST, &|host| host.eq_ignore_ascii_case(&original.host))?,
            says(URI, &|target| target == original.target)?,
            says(ORIGINAL_URI, &|target| target == original.target)?,
            // Some write a path in it, and some a whole URL.
            says(REWRITE_URL, &|target| target == original.target || url(target))?,
            says(ORIGINAL_URL, &|target| target == original.target || url(target))?,
        ];
        Ok(all.into_iter().all(|agrees| agrees))
    }

    /// Who asked the proxy: read from the right, as far as there are proxies that we trust. Where it cannot be said, nobody's
    /// address, which is in no network.
    fn address(&self, trusted: &[IpNet]) -> Result<IpAddr, Refusal> {
        const NOBODY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let lines = self.0.get_all(FOR).into_iter().map(|line| line.to_str().map_err(|_| Refusal::Malformed));
        let lines = lines.collect::<Result<Vec<_>, _>>()?;
        let mut last = NOBODY;
        for element in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
            let Some(address) = address(element.trim()) else { return Ok(NOBODY) };
            last = address;
            if !trusted.iter().any(|network| network.contains(&address)) {
                break;
            }
        }
        Ok(last)
    }
}

fn method(text: &str) -> Result<Method, Refusal> {
    // Methods are case-sensitive (RFC 9110 §9.1), apps are not always.
    let is_plain = text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-' || byte == b'_');
    Method::from_bytes(text.as_bytes()).ok().filter(|_| is_plain).ok_or(Refusal::Malformed)
}

fn secure(proto: &str) -> Result<bool, Refusal> {
    match proto {
        "https" | "wss" => Ok(true),
        "http" | "ws" => Ok(false),
        _ => Err(Refusal::Malformed),
    }
}

/// The parts of an absolute URL, as they stand there: a parser would fold its path, and what is decided must be what the app
/// is sent.
fn whole(url: &str) -> Option<(bool, &str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let secure = secure(scheme).ok()?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (host, target) = rest.split_at_checked(end)?;
    let parsed = Url::parse(url).ok()?;
    let is_bare = parsed[Position::BeforeUsername..Position::BeforeHost].is_empty() && !host.contains(['@', '\\']);
    (is_bare && !host.is_empty() && target.starts_with('/')).then_some((secure, host, target))
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`.
fn address(text: &str) -> Option<IpAddr> {
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let bare = text.parse().ok().or_else(bracketed);
    bare.or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip())).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests;
