//! Signing keys: how they are kept, and which of them signs or verifies at a given moment.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::outage::Outage;

/// How a token is signed (RFC 7518 §3.1, RFC 8037).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Algorithm {
    /// HMAC with SHA-256: for what only Doorward reads.
    #[serde(rename = "HS256")]
    Hs256,
    /// ECDSA on P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// RSA PKCS#1 v1.5 with SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
}

/// What a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Access tokens, for ourselves and those who verify them elsewhere.
    Access,
    /// Assertions, for the apps behind us.
    Assertion,
}

impl Purpose {
    /// The word in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Assertion => "assertion",
        }
    }

    /// From the word in the store.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Access, Self::Assertion].into_iter().find(|purpose| purpose.as_str() == word)
    }
}

impl Algorithm {
    /// Its name in a token's header.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::Rs256 => "RS256",
        }
    }

    /// From its name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Hs256, Self::Es256, Self::EdDsa, Self::Rs256].into_iter().find(|alg| alg.as_str() == name)
    }
}

/// A key as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// Its name in a token's header, `kid` (RFC 7515 §4.1.4).
    pub kid: String,
    /// What it signs.
    pub purpose: Purpose,
    /// How.
    pub algorithm: Algorithm,
    /// Counts up within a purpose; two nodes that make a key at once cannot both store it.
    pub generation: i64,
    /// The private key (PKCS#8, PEM, or the bytes of an HMAC key), sealed; owner = `kid`, purpose = `signing-key`.
    pub sealed: String,
    /// The public key as a JWK (RFC 7517), JSON; none for HMAC.
    pub public_jwk: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it signs; it is published before.
    pub signs_from: Timestamp,
    /// Until when it verifies; unset while it is the newest.
    pub verifies_until: Option<Timestamp>,
}

/// Where signing keys are kept.
#[async_trait]
pub trait Keys: Send + Sync {
    /// All that have not been swept, oldest generation first.
    async fn list(&self) -> Result<Vec<StoredKey>, Outage>;

    /// Store `key`, and let all older ones of its purpose that have no end yet verify until `others_until`, in one act.
    ///
    /// False when its generation of that purpose is there already: another node was first; nothing changed.
    async fn add(&self, key: &StoredKey, others_until: Timestamp) -> Result<bool, Outage>;

    /// Delete keys that verify no more at `now`. Returns how many.
    async fn sweep(&self, now: Timestamp) -> Result<u64, Outage>;
}
