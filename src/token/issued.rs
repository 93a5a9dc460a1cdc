//! The tokens that a person holds.

use std::time::Duration;

use crate::secret::Secret;

/// The tokens that a sign-in or a refresh gives.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The access token.
    pub access: Secret<String>,
    /// Its remaining life.
    pub access_lifetime: Duration,
    /// The refresh token.
    pub refresh: Secret<String>,
    /// Its remaining life.
    pub refresh_lifetime: Duration,
}
