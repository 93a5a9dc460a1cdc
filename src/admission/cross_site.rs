//! Requests that another site makes a browser send (CSRF), and how they are told: by what the browser says of their origin.

use http::header::{HeaderName, ORIGIN, UPGRADE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method};
use url::Url;

use crate::admission::credentials::Presented;
use crate::admission::route::Route;
use crate::admission::settings::CrossSite;
use crate::admission::{Incoming, Refusal};
use crate::client::Client;

static SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Refuse what another site makes a browser send with our cookies, unless the route allows it. Before anything is renewed.
pub(super) fn check(presented: &Presented, incoming: &Incoming<'_>, route: &Route) -> Result<(), Refusal> {
    let refuses = match route.cross_site {
        CrossSite::Refuse => true,
        CrossSite::Allow => false,
    };
    let ridden = refuses && presented.by_cookie() && is_unsafe(incoming.head);
    if ridden && is_cross_site(incoming.head, incoming.client) { Err(Refusal::CrossSite) } else { Ok(()) }
}

/// Does it come from another site, as far as the browser says? What says nothing is no browser, and comes from nowhere else.
///
/// With `Sec-Fetch-Site: same-origin`, the origin's scheme and port do not count: where TLS ends before us they are not those that
/// we see. Nor does an origin that is not told: a page that sends no referrer has none (Fetch §3.1).
pub fn is_cross_site(head: &Parts, client: &Client) -> bool {
    let (site, origin) = match (single(&head.headers, &SEC_FETCH_SITE), single(&head.headers, &ORIGIN)) {
        (Ok(site), Ok(origin)) => (site, origin),
        (Err(Repeated), _) | (_, Err(Repeated)) => return true,
    };
    let foreign = origin.map(|origin| !is_of(origin, &client.host));
    match site.map(HeaderValue::as_bytes) {
        Some(b"same-origin") => origin.is_some_and(|origin| origin != "null" && !has_name_of(origin, &client.host)),
        Some(b"cross-site") => true,
        Some(b"same-site") => foreign.unwrap_or(true),
        Some(_) | None => foreign.unwrap_or(false),
    }
}

/// May this request change something, or open a stream that may?
pub fn is_unsafe(head: &Parts) -> bool {
    !matches!(head.method, Method::GET | Method::HEAD | Method::OPTIONS) || is_websocket(&head.headers)
}

fn is_websocket(headers: &HeaderMap) -> bool {
    let named =
        |value: &HeaderValue| value.as_bytes().split(|byte| *byte == b',').any(|name| name.trim_ascii().eq_ignore_ascii_case(b"websocket"));
    headers.get_all(UPGRADE).iter().any(named)
}

struct Repeated;

fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a HeaderValue>, Repeated> {
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() { Err(Repeated) } else { Ok(first) }
}

/// Is `origin` that of a page on `host`? A host without a port has that of the origin's scheme.
fn is_of(origin: &HeaderValue, host: &str) -> bool {
    both(origin, host)
        .is_some_and(|(page, asked)| has_one_name(&page, &asked) && page.port_or_known_default() == asked.port_or_known_default())
}

/// Is `origin` that of a page on a host of this name, whatever its port?
fn has_name_of(origin: &HeaderValue, host: &str) -> bool {
    both(origin, host).is_some_and(|(page, asked)| has_one_name(&page, &asked))
}

/// The origin of a page of the web, and what was asked for with its scheme.
fn both(origin: &HeaderValue, host: &str) -> Option<(Url, Url)> {
    let page = Url::parse(origin.to_str().ok()?).ok().filter(|page| matches!(page.scheme(), "http" | "https"))?;
    let asked = Url::parse(&format!("{}://{host}", page.scheme())).ok()?;
    Some((page, asked))
}

fn has_one_name(page: &Url, asked: &Url) -> bool {
    match (page.host_str(), asked.host_str()) {
        (Some(page), Some(asked)) => page.trim_end_matches('.') == asked.trim_end_matches('.'),
        (None, _) | (_, None) => false,
    }
}

#[cfg(test)]
mod tests;
