//! What the fuzz targets try at the edge and cannot reach otherwise: the reader of heads, and who is calling.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;

use super::client::{self, Connection};
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

/// Who sent `headers` over a connection from `peer`, which is TLS where it is `secure`.
pub fn caller(peer: IpAddr, secure: bool, headers: &HeaderMap, trusted: &[IpNet]) -> Caller {
    let found = client::Caller::find(Connection { peer, secure }, headers, trusted);
    let told = found.forwarded("id", Some("/prefix"));
    Caller { told, removed: client::said_by_proxies(headers), request_id: found.request_id, client: found.client }
}
