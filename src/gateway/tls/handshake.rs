//! What a handshake has found out, as far as requests are told: whom the client wants, and who vouches for it.

use std::path::Path;
use std::sync::Arc;

use http::HeaderValue;
use pingora::http::ResponseHeader;
use pingora::protocols::http::ServerSession;
use pingora::protocols::raw_connect::ProxyDigest;

use super::Tls;
use super::client::Authority;
use crate::gateway::live::Live;

/// What a handshake has found out.
#[derive(Debug)]
pub(in crate::gateway) struct Handshake {
    /// The name that the client asked for, in lower case.
    pub name: Option<String>,
    /// The authorities that have signed the certificate it showed.
    pub(super) signed_by: Vec<Arc<Authority>>,
    /// What `Strict-Transport-Security` says on this connection.
    pub hsts: Option<HeaderValue>,
}

impl Handshake {
    /// Of the connection that a request came over; `None` where that is not TLS.
    pub(in crate::gateway) fn of(session: &ServerSession) -> Option<&Self> {
        Self::within(session.digest()?.proxy_digest.as_deref()?)
    }

    /// In the one place that the framework has for what we know of a connection, and shows to each of its requests.
    pub(in crate::gateway) fn within(digest: &ProxyDigest) -> Option<&Self> {
        digest.user_data.as_ref()?.downcast_ref()
    }

    /// The authorities whose clients may go where those alone may, of who came over this connection.
    pub(in crate::gateway) fn vouched<'a>(handshake: Option<&'a Self>, live: &'a Live) -> Vec<&'a Path> {
        handshake.zip(live.tls.as_deref()).into_iter().flat_map(|(handshake, tls)| handshake.signed_by(tls)).collect()
    }

    /// Into that place.
    pub(super) fn put(self) -> Option<Arc<ProxyDigest>> {
        let response = ResponseHeader::build(200, Some(0)).ok()?;
        Some(Arc::new(ProxyDigest::new(Box::new(response), Some(Box::new(self)))))
    }

    /// The authorities that have signed what the client showed, and count still, as routes name them.
    fn signed_by<'a>(&'a self, tls: &'a Tls) -> impl Iterator<Item = &'a Path> {
        let counts = |one: &&Arc<Authority>| tls.authorities().iter().any(|now| now.is(one));
        self.signed_by.iter().filter(counts).map(|one| one.name.as_path())
    }
}
