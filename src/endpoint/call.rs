//! A call of one of our endpoints: what arrived, and what the edge has found out about it.

use std::net::IpAddr;

use bytes::Bytes;
use http::Method;
use http::header::AUTHORIZATION;
use http::request::Parts;

use crate::admission::Refusal;
use crate::client::{Client, Seen};
use crate::clock::Timestamp;
use crate::endpoint::reply::No;
use crate::secret::Secret;

/// What the edge knows of a request.
#[derive(Debug, Clone)]
pub struct Call {
    /// Who is calling.
    pub client: Client,
    /// The other end of the connection: a proxy, where one stands between.
    pub peer: IpAddr,
    /// When; the clock is read once a request.
    pub now: Timestamp,
    /// Its name, in the reply and in the log.
    pub request_id: String,
}

/// A request as our endpoints see it.
#[derive(Debug)]
pub(super) struct Received<'a> {
    pub(super) head: &'a Parts,
    pub(super) body: &'a Bytes,
    pub(super) call: &'a Call,
}

impl Received<'_> {
    /// From where it came.
    pub(super) fn seen(&self) -> Seen {
        Seen::of(self.call.client.address, &self.head.headers, &self.call.request_id)
    }

    /// The token after `Authorization: Bearer` (RFC 6750 §2.1), if there is one.
    ///
    /// # Errors
    /// 400 when the header is there twice: which one counts would be a guess.
    pub(super) fn bearer(&self) -> Result<Option<Secret<String>>, No> {
        let mut all = self.head.headers.get_all(AUTHORIZATION).iter();
        let first = all.next();
        if all.next().is_some() {
            return Err(No::from(Refusal::Malformed));
        }
        let text = first.and_then(|value| value.to_str().ok()).unwrap_or_default();
        let token = text.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token.trim());
        Ok(token.filter(|token| !token.is_empty()).map(|token| Secret::new(token.to_owned())))
    }

    /// Does the method promise to change nothing (RFC 9110 §9.2.1)?
    pub(super) fn is_safe(&self) -> bool {
        self.head.method == Method::GET || self.head.method == Method::HEAD
    }

    /// The query, without `?`.
    pub(super) fn query(&self) -> &str {
        self.head.uri.query().unwrap_or_default()
    }
}
