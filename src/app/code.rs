//! A code that an app has sent to one of its subjects, until it is spent, expired or exhausted; and the attempts at it and at the
//! subject's authenticator.
//!
//! Attempts are counted before anything is compared, in the store, in one act: at the code, and in budgets of the subject that
//! asking again does not reset. As in [`crate::signin::challenge`] there are two counts, so that who knows a subject's name
//! alone cannot use up the attempts of who holds the challenge.

use std::time::Duration;

use async_trait::async_trait;

use crate::app::subject::Subject;
use crate::clock::Timestamp;
use crate::id::{AppId, SubjectId};
use crate::limits::Quota;
use crate::outage::Outage;
use crate::signin::Channel;

/// A code that was sent, as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentCode {
    /// Fingerprint of the challenge's id, which the app has got.
    pub id: String,
    /// Whose.
    pub subject: SubjectId,
    /// How it was sent.
    pub channel: Channel,
    /// The address that it was sent to, sealed; owner = the id above.
    pub sealed: String,
    /// MAC of the code, for this app, subject and challenge alone.
    pub code: String,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// Until when it is good.
    pub expires_at: Timestamp,
}

/// What an attempt is at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum At {
    /// The code whose challenge has this fingerprint.
    Challenge(String),
    /// Any live code of the subject.
    Codes,
    /// Any live code of the subject, or its authenticator.
    Either,
    /// The authenticator.
    Authenticator,
}

/// An attempt that asks to be counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Try {
    /// Of whom.
    pub subject: SubjectId,
    /// At what.
    pub at: At,
    /// How many attempts a code allows.
    pub per_code: u32,
    /// How many attempts there are in a while that name no challenge.
    pub window: Quota,
    /// The failure budget of the subject, of either sort.
    pub budget: Quota,
}

/// What came of counting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tried {
    /// No live code there; nothing was counted. Never the answer to an attempt that may be at an authenticator.
    Nothing,
    /// No attempt is left, at the codes or in a budget; nothing was counted. Wait this long.
    Exhausted(Duration),
    /// Counted, everywhere. Compare with these: live codes that had an attempt left, at most three, newest first.
    Counted(Vec<SentCode>),
}

/// Where codes of apps are kept.
#[async_trait]
pub trait SentCodes: Send + Sync {
    /// Store `code`, and `subject` with the addresses that it has (those that are none stay as they were). Of the subject's
    /// live codes only the newest `live` stay: older ones end.
    async fn open(&self, subject: &Subject, code: &SentCode, live: u32) -> Result<(), Outage>;

    /// Whose the live code is whose challenge has this fingerprint, if it is of this app.
    async fn subject_of(&self, app: &AppId, id: &str, now: Timestamp) -> Result<Option<SubjectId>, Outage>;

    /// Count one attempt, before anything is compared: at each of the codes that it is at, and in the budgets; all or none.
    async fn take_attempt(&self, attempt: &Try, now: Timestamp) -> Result<Tried, Outage>;

    /// Spend the code with this fingerprint, and give back to the budgets what the attempt took. True for exactly one caller.
    async fn spend(&self, id: &str, attempt: &Try, now: Timestamp) -> Result<bool, Outage>;

    /// The authenticator's code was right: give back to the budgets what the attempt took.
    async fn settle(&self, attempt: &Try, now: Timestamp) -> Result<(), Outage>;

    /// Delete what expired before `now`. Returns how many rows. Budgets are swept with those of signing in.
    async fn sweep(&self, now: Timestamp) -> Result<u64, Outage>;
}
