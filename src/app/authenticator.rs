//! The authenticator of an app's subject, and where it is kept: its secret, and the last step that was used of it.

use async_trait::async_trait;

use crate::app::subject::Subject;
use crate::clock::Timestamp;
use crate::id::SubjectId;
use crate::outage::Outage;

/// An authenticator, as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authenticator {
    /// Its secret, sealed; owner = the subject's id, purpose = `app-totp`.
    pub sealed: String,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When a code of it was shown for the first time; none while it does not count yet.
    pub enabled_at: Option<Timestamp>,
    /// When a code of it was last used.
    pub last_used_at: Option<Timestamp>,
}

/// A step of RFC 6238 §4.2 whose code was shown, of the authenticator with this very sealed secret: one that has taken its
/// place meanwhile is another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShownStep<'a> {
    /// Whose.
    pub subject: &'a SubjectId,
    /// The sealed secret that the code was compared with.
    pub sealed: &'a str,
    /// The number of the step: 30 seconds each, since the epoch.
    pub number: i64,
}

/// Where authenticators of subjects are kept: at most one for each.
#[async_trait]
pub trait Authenticators: Send + Sync {
    /// That of a subject, enabled or not.
    async fn find(&self, subject: &SubjectId) -> Result<Option<Authenticator>, Outage>;

    /// Keep a new one, not enabled yet, and the subject; it takes the place of another that was not. False when there is an
    /// enabled one: nothing changed.
    async fn enrol(&self, subject: &Subject, sealed: &str, now: Timestamp) -> Result<bool, Outage>;

    /// It counts from now on, and its first step is used. True for exactly one caller; false when it counts already, or is not
    /// there any more.
    async fn enable(&self, step: &ShownStep<'_>, now: Timestamp) -> Result<bool, Outage>;

    /// Use a step of an enabled one. True for exactly one caller, and only for a step after the last one that was used.
    async fn use_step(&self, step: &ShownStep<'_>, now: Timestamp) -> Result<bool, Outage>;

    /// Take the one with this sealed secret away. True for exactly one caller.
    async fn remove(&self, subject: &SubjectId, sealed: &str) -> Result<bool, Outage>;

    /// Put a new one, not enabled yet, in the place of the one with the sealed secret `old`, which counts no more. True for
    /// exactly one caller.
    async fn replace(&self, subject: &SubjectId, old: &str, sealed: &str, now: Timestamp) -> Result<bool, Outage>;
}
