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
/// `Sec-Fetch-Site: same-origin` decides alone: where TLS ends before us, the origin's scheme is not the one that we see.
pub fn is_cross_site(head: &Parts, client: &Client) -> bool {
    let (site, origin) = match (single(&head.headers, &SEC_FETCH_SITE), single(&head.headers, &ORIGIN)) {
        (Ok(site), Ok(origin)) => (site, origin),
        (Err(Repeated), _) | (_, Err(Repeated)) => return true,
    };
    let foreign = origin.map(|origin| !is_of(origin, &client.host));
    match site.map(HeaderValue::as_bytes) {
        Some(b"same-origin") => false,
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
    let Some(page) = origin.to_str().ok().and_then(|origin| Url::parse(origin).ok()) else { return false };
    let Ok(asked) = Url::parse(&format!("{}://{host}", page.scheme())) else { return false };
    let web = matches!(page.scheme(), "http" | "https");
    let same_host = match (page.host_str(), asked.host_str()) {
        (Some(page), Some(asked)) => page.trim_end_matches('.') == asked.trim_end_matches('.'),
        (None, _) | (_, None) => false,
    };
    web && same_host && page.port_or_known_default() == asked.port_or_known_default()
}

#[cfg(test)]
mod tests;
