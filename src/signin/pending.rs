//! A sign-in that is half done: the first factor is shown, the second is not. It is a row of its own, never a session, and
//! its id is good for nothing but the second factor.
//!
//! Attempts at a second factor are counted here before anything is compared, in one act: at the half-finished sign-in, or
//! at the session that steps up; and in the account's failure budget, the same that wrong mailed codes use up.

use std::time::Duration;

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::id::{AccountId, SessionId};
use crate::limits::Quota;
use crate::outage::Outage;
use crate::token::Amr;

/// A sign-in that is half done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// Fingerprint of the id that who is signing in has got.
    pub id: String,
    /// Whose.
    pub account: AccountId,
    /// The factors that were shown.
    pub amr: Vec<Amr>,
    /// When they were.
    pub created_at: Timestamp,
    /// Until when the second may follow.
    pub expires_at: Timestamp,
}

/// Where a second factor is tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// At the half-finished sign-in with this fingerprint.
    Pending(String),
    /// In a session of this account.
    Session(AccountId, SessionId),
}

/// How many attempts there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// At one place. The window counts for sessions only: a half-finished sign-in has them once.
    pub place: Quota,
    /// For the account.
    pub account: Quota,
}

/// What came of counting an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Counted {
    /// No half-finished sign-in there: unknown, expired or spent. Nothing was counted.
    Nothing,
    /// No attempt is left, at the place or in the account's budget; nothing was counted. Wait this long.
    Exhausted(Duration),
    /// Counted, in both.
    At {
        /// Whose second factor is tried.
        account: AccountId,
        /// The factors that the half-finished sign-in has; none for a session, which knows its own.
        amr: Vec<Amr>,
    },
}

/// Where half-finished sign-ins are kept.
#[async_trait]
pub trait Pendings: Send + Sync {
    /// Keep a new one.
    async fn hold(&self, pending: &Pending) -> Result<(), Outage>;

    /// Count one attempt, before anything is compared: at its place and in the account's budget, both or neither.
    async fn count_attempt(&self, place: &Place, bounds: &Bounds, now: Timestamp) -> Result<Counted, Outage>;

    /// The attempt was right: end the half-finished sign-in, and give back what the attempt took. True for exactly one
    /// caller; false when it was spent before, or has expired. Always true for a session.
    async fn settle(&self, place: &Place, now: Timestamp) -> Result<bool, Outage>;

    /// Nothing was compared after all: it is as if the attempt had never been made, at its place and in the budget.
    async fn give_back(&self, place: &Place, now: Timestamp) -> Result<(), Outage>;

    /// Delete what expired before `now`. Returns how many.
    async fn sweep(&self, now: Timestamp) -> Result<u64, Outage>;
}
