//! The tokens that a person holds.

use std::sync::Arc;
use std::time::Duration;

use crate::secret::Secret;
use crate::token::Departing;

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
    /// Until it has left, whoever has its predecessor alone may come with that. None where there is no predecessor.
    pub departing: Option<Arc<Departing>>,
}
