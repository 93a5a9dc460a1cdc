//! The section `[tokens]`.

use std::time::Duration;

use crate::config::duration;
use crate::secret::Secret;
use crate::token::keys::Algorithm;

/// How tokens are made and believed.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TokenSettings {
    /// What signs access tokens. `HS256` unless somebody else than Doorward verifies them.
    pub algorithm: Algorithm,
    /// One's own secret for HS256, at least 32 characters; else a key is made on first start.
    pub secret: Option<Secret<String>>,
    /// A file that holds it.
    pub secret_file: Option<std::path::PathBuf>,
    /// `aud` of access tokens; `public_url` unless set.
    pub audience: Option<String>,
    /// Life of an access token.
    #[serde(with = "duration")]
    pub access_lifetime: Duration,
    /// Life of a session, however often it is refreshed.
    #[serde(with = "duration")]
    pub refresh_lifetime: Duration,
    /// How far clocks may differ.
    #[serde(with = "duration")]
    pub leeway: Duration,
    /// A new signing key after this long; never on its own when unset.
    #[serde(with = "duration::option")]
    pub rotate_after: Option<Duration>,
}

impl Default for TokenSettings {
    fn default() -> Self {
        Self {
            algorithm: Algorithm::Hs256,
            secret: None,
            secret_file: None,
            audience: None,
            access_lifetime: Duration::from_secs(3600),
            refresh_lifetime: Duration::from_secs(7 * 24 * 3600),
            leeway: Duration::from_secs(30),
            rotate_after: None,
        }
    }
}
