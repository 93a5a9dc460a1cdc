//! The second factor of an account, and where it is kept: an authenticator app's secret, the last step that was used of it,
//! and the recovery codes that stand in for it.

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::id::AccountId;
use crate::outage::Outage;
use crate::secret::Secret;

/// What a second factor is shown with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Means {
    /// A code of the authenticator app.
    Totp,
    /// A recovery code.
    RecoveryCode,
}

impl Means {
    /// Its word, in replies.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Totp => "totp",
            Self::RecoveryCode => "recovery_code",
        }
    }

    /// Which of the two a code is, by its look: six digits are of an authenticator.
    pub fn of(code: &Secret<String>) -> Self {
        let typed = || code.expose().chars().filter(|c| !c.is_whitespace());
        if typed().count() == 6 && typed().all(|c| c.is_ascii_digit()) { Self::Totp } else { Self::RecoveryCode }
    }

    /// Its word among the channels, in metrics.
    pub const fn channel(self) -> &'static str {
        match self {
            Self::Totp => "totp",
            Self::RecoveryCode => "recovery",
        }
    }
}

/// The authenticator of an account, as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Factor {
    /// Its secret, sealed; owner = account id, purpose = `totp`.
    pub sealed: String,
    /// When it was enrolled.
    pub enrolled_at: Timestamp,
    /// When a code of it was shown for the first time; none while it does not count yet.
    pub confirmed_at: Option<Timestamp>,
    /// When a code of it was last used.
    pub last_used_at: Option<Timestamp>,
    /// How many recovery codes are left.
    pub recovery_codes: u32,
}

/// A step of RFC 6238 §4.2 whose code was shown, of the authenticator with this very sealed secret: one that has taken its
/// place meanwhile is another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step<'a> {
    /// Whose.
    pub account: &'a AccountId,
    /// The sealed secret that the code was compared with.
    pub sealed: &'a str,
    /// The number of the step: 30 seconds each, since the epoch.
    pub number: i64,
}

/// Where authenticators are kept: at most one for an account.
#[async_trait]
pub trait Factors: Send + Sync {
    /// That of an account, confirmed or not.
    async fn find(&self, account: &AccountId) -> Result<Option<Factor>, Outage>;

    /// Keep a new one, not confirmed yet; it takes the place of another that was not. False when there is a confirmed one:
    /// nothing changed.
    async fn enrol(&self, account: &AccountId, sealed: &str, now: Timestamp) -> Result<bool, Outage>;

    /// It counts from now on; its first step is used, and these MACs are the account's recovery codes. True for exactly one
    /// caller; false when it counts already, or is not there any more.
    async fn confirm(&self, step: &Step<'_>, codes: &[String], now: Timestamp) -> Result<bool, Outage>;

    /// Use a step of a confirmed one. True for exactly one caller, and only for a step after the last one that was used.
    async fn use_step(&self, step: &Step<'_>, now: Timestamp) -> Result<bool, Outage>;

    /// Take it away, with the recovery codes. False when there was none.
    async fn remove(&self, account: &AccountId) -> Result<bool, Outage>;
}

/// Where the recovery codes of confirmed authenticators are kept, as MACs.
#[async_trait]
pub trait RecoveryCodes: Send + Sync {
    /// Use the one with this MAC up. How many are left then, for exactly one caller; `None` when there is no such code.
    async fn use_up(&self, account: &AccountId, code: &str) -> Result<Option<u32>, Outage>;

    /// Put these in the place of all that there are. False when the account has no confirmed authenticator.
    async fn renew(&self, account: &AccountId, codes: &[String], now: Timestamp) -> Result<bool, Outage>;
}
