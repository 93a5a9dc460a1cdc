//! The third answer: neither yes nor no. Something that a decision needs could not be asked.

use std::fmt;

/// What could not be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dependency {
    /// The durable store.
    Store,
    /// Redis: the fast index, the limits.
    Redis,
    /// The system's random source.
    Entropy,
    /// Signing keys: none to sign with, or sealed with another key.
    Keys,
    /// The queue of messages is full.
    Delivery,
    /// Whoever says what else a token shall say.
    ClaimsHook,
}

impl fmt::Display for Dependency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Store => "store",
            Self::Redis => "redis",
            Self::Entropy => "entropy",
            Self::Keys => "keys",
            Self::Delivery => "delivery",
            Self::ClaimsHook => "claims hook",
        })
    }
}

/// We could not decide. At the edge: 503; the cause goes to the log, never into a reply. Never a yes.
#[derive(Debug, thiserror::Error)]
#[error("{dependency} is out: {cause}")]
pub struct Outage {
    /// What is gone.
    pub dependency: Dependency,
    /// The driver's words, for the log.
    pub cause: String,
}

impl Outage {
    /// `dependency` is gone, because of `cause`.
    pub fn new(dependency: Dependency, cause: impl fmt::Display) -> Self {
        Self { dependency, cause: cause.to_string() }
    }

    /// The durable store is gone.
    pub fn store(cause: impl fmt::Display) -> Self {
        Self::new(Dependency::Store, cause)
    }

    /// Redis is gone.
    pub fn redis(cause: impl fmt::Display) -> Self {
        Self::new(Dependency::Redis, cause)
    }
}

impl From<crate::random::NoEntropy> for Outage {
    fn from(cause: crate::random::NoEntropy) -> Self {
        Self::new(Dependency::Entropy, cause)
    }
}

impl From<crate::seal::SealError> for Outage {
    fn from(cause: crate::seal::SealError) -> Self {
        Self::new(Dependency::Keys, cause)
    }
}
