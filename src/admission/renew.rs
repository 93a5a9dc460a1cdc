//! Renewal in passing: the port through which a proxied request with an expired access token and a good refresh token is
//! given new ones. The sign-in side implements it.

use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::outage::Outage;
use crate::secret::Secret;

/// From where a request came, as far as a session remembers it.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// The client's address.
    pub address: Option<IpAddr>,
    /// Its `User-Agent`.
    pub agent: String,
}

/// New tokens of a session.
#[derive(Debug, Clone)]
pub struct Renewed {
    /// The access token.
    pub access: Secret<String>,
    /// Its remaining life.
    pub access_lifetime: Duration,
    /// The refresh token.
    pub refresh: Secret<String>,
    /// Its remaining life.
    pub refresh_lifetime: Duration,
}

/// Why there are none.
#[derive(Debug, thiserror::Error)]
pub enum NotRenewed {
    /// Unknown, ended, expired, idle or reused: the person has to sign in again.
    #[error("the refresh token is not good any more")]
    Ended,
    /// It could not be decided.
    #[error(transparent)]
    Outage(#[from] Outage),
}

/// Renews a session in passing.
#[async_trait]
pub trait Renew: Send + Sync {
    /// New tokens for the session of `refresh`, which is spent (or was within the concurrent window: then the same successor).
    async fn renew(&self, refresh: &Secret<String>, seen: &Seen, now: Timestamp) -> Result<Renewed, NotRenewed>;
}
