//! Renewal in passing: the port through which a proxied request with an expired access token and a good refresh token is
//! given new ones. The sign-in side stands behind it.

use async_trait::async_trait;

use crate::client::Seen;
use crate::clock::Timestamp;
use crate::outage::Outage;
use crate::secret::Secret;
use crate::token::Issued;

/// Why there are no new tokens.
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
    async fn renew(&self, refresh: &Secret<String>, seen: &Seen, now: Timestamp) -> Result<Issued, NotRenewed>;
}
