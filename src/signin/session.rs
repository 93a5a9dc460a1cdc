//! One signed-in device, and the family of its refresh tokens.
//!
//! A family has a key of its own and a counter: the token after the `n`th is derived from both, so that everyone who races
//! with the same token is given the same successor, while the store keeps nothing but fingerprints and the sealed key.

use std::net::IpAddr;

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::id::{AccountId, SessionId};
use crate::outage::Outage;
use crate::token::{Acr, Amr};

/// One signed-in device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its name, `sid` of its tokens.
    pub id: SessionId,
    /// Whose it is.
    pub account: AccountId,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last renewed.
    pub last_seen_at: Timestamp,
    /// When it ends, however often it is renewed.
    pub expires_at: Timestamp,
    /// When the person last showed who they are.
    pub auth_time: Timestamp,
    /// How.
    pub amr: Vec<Amr>,
    /// What that was worth.
    pub acr: Acr,
    /// From where, last.
    pub address: Option<IpAddr>,
    /// The browser's `User-Agent`, at most 256 bytes.
    pub agent: String,
    /// Since when it is over.
    pub ended_at: Option<Timestamp>,
}

/// A session that begins.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// The session; `ended_at` is none.
    pub session: Session,
    /// The family's key, sealed; owner = session id, purpose = `refresh-family`.
    pub family_key: String,
    /// Fingerprint of its first refresh token, number 1.
    pub refresh: String,
}

/// What the store knows of a refresh token that was presented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Family {
    /// Its session.
    pub session: Session,
    /// The family's key, sealed.
    pub family_key: String,
    /// The number of the newest token.
    pub newest: i64,
    /// The number of the token presented.
    pub presented: i64,
    /// When that one was spent; none when it is the newest.
    pub spent_at: Option<Timestamp>,
}

/// Where sessions are kept. Ending them is an act of the ledger ([`crate::revocation::Act`]).
#[async_trait]
pub trait Sessions: Send + Sync {
    /// Begin a session. False when the account is gone or disabled at this moment: nothing is stored, and an account that is
    /// being disabled meanwhile either sees this session and ends it, or this answers false.
    async fn start(&self, new: &NewSession) -> Result<bool, Outage>;

    /// By its id, ended or not.
    async fn find(&self, id: &SessionId) -> Result<Option<Session>, Outage>;

    /// What belongs to the refresh token with this fingerprint.
    async fn family(&self, refresh: &str) -> Result<Option<Family>, Outage>;

    /// Spend token number `presented` and make `successor` (a fingerprint) number `presented + 1`, if `presented` is still
    /// the newest and the session is live at `now`. True for exactly one caller.
    async fn rotate(&self, id: &SessionId, presented: i64, successor: &str, now: Timestamp, from: Option<IpAddr>) -> Result<bool, Outage>;

    /// Sessions of an account that are live at `now`, newest first, at most `limit`.
    async fn list(&self, account: &AccountId, now: Timestamp, limit: u32) -> Result<Vec<Session>, Outage>;

    /// Sessions that are live at `now`, of one account or of all, in the order of ids, those after `after`, at most `limit`.
    async fn page(
        &self,
        account: Option<&AccountId>,
        after: Option<&SessionId>,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Session>, Outage>;

    /// Delete sessions (with their refresh tokens) that expired, or ended, before `before`. Returns how many.
    async fn sweep(&self, before: Timestamp) -> Result<u64, Outage>;
}
