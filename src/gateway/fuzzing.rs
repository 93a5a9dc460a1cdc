//! What the fuzz targets try at the edge and cannot reach otherwise: the reader of heads, and who is calling.

use std::convert::Infallible;
use std::net::IpAddr;

use http::header::HOST;
use http::{HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;

use super::client::{self, Connection, Trusted};
use super::settings::Proxy;
use crate::client::Client;

pub use super::wire::fuzzing::{Body, chunked, head};

/// Who is calling.
#[derive(Debug)]
pub struct Caller {
    /// Who.
    pub client: Client,
    /// The request id that was believed.
    pub request_id: Option<String>,
    /// What the upstream is told.
    pub told: Vec<(HeaderName, HeaderValue)>,
    /// The names of the request's headers that are taken off first.
    pub removed: Vec<HeaderName>,
}

/// Who sent `headers` over a connection from `peer`, which is TLS where it is `secure`; proxies in `trusted` are believed.
pub fn caller(peer: IpAddr, secure: bool, headers: &HeaderMap, trusted: &[IpNet]) -> Caller {
    let named: Vec<Proxy> = trusted.iter().map(|network| Proxy::Network(*network)).collect();
    let found = client::Caller::find(Connection { peer, is_unix: false, secure }, headers, &Trusted::new(&named));
    let mut told = Vec::new();
    let Ok(()) = found.forwarded::<Infallible>("id", headers.get(HOST), Some("/prefix"), |name, value| {
        told.push((HeaderName::from_static(name), value));
        Ok(())
    });
    let removed = headers.keys().filter(|name| client::is_said_by_proxies(name.as_str())).cloned().collect();
    Caller { told, removed, request_id: found.request_id, client: found.client }
}
