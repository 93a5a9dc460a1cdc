//! One request for a code, until it is spent, expired or exhausted; and the attempts at it.
//!
//! Attempts are counted before anything is compared, in the store, in one act. There are two counts, so that a stranger who
//! knows only an address cannot use up the attempts of the browser that asked: `bound` for who presents the challenge, and
//! `unbound` for who presents the address alone. Each has its bound per challenge and its budget per subject.

use std::time::Duration;

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::id::AccountId;
use crate::limits::Quota;
use crate::outage::Outage;
use crate::signin::deliver::Channel;

/// One request for a code, as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// Fingerprint of the id that who asked has got.
    pub id: String,
    /// Whose budget it counts against: the account's id, or the address's MAC when there is no account.
    pub subject: String,
    /// The account; none when nothing was sent (unknown address, registration closed). Such a challenge is never solved.
    pub account: Option<AccountId>,
    /// MAC of the address that was asked for.
    pub handle: String,
    /// How the code was sent.
    pub channel: Channel,
    /// MAC of the code.
    pub code: String,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// Until when the code is good.
    pub expires_at: Timestamp,
}

/// What came of asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opened {
    /// It is stored.
    Open,
    /// The address was asked for too recently; wait this long. Nothing is stored.
    TooSoon(Duration),
}

/// Which challenge an attempt is at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pointer {
    /// The one with this fingerprint, presented by who holds its id; with the MAC of the address, which must be its own.
    Bound {
        /// Fingerprint of the id.
        id: String,
        /// MAC of the address that was typed beside it, if one was.
        handle: Option<String>,
    },
    /// The latest live one for the address with this MAC, or for the account that owns the address.
    Unbound {
        /// MAC of the address.
        handle: String,
        /// The account with this address, if there is one.
        account: Option<AccountId>,
    },
}

/// An attempt that asks to be counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// At which challenge.
    pub pointer: Pointer,
    /// How many attempts a challenge allows, of either sort.
    pub per_challenge: u32,
    /// The failure budget of a subject, for either sort.
    pub budget: Quota,
}

/// A live code that an attempt may be compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Fingerprint of its challenge.
    pub id: String,
    /// MAC of the code.
    pub code: String,
    /// How it was sent.
    pub channel: Channel,
    /// MAC of the address that it was sent to.
    pub handle: String,
}

/// What came of counting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// No live challenge there: unknown, expired, spent, or of another address. Nothing was counted.
    Nothing,
    /// No attempt is left, at the challenge or in the subject's budget; nothing was counted. Wait this long.
    Exhausted(Duration),
    /// Counted, in both. Compare with these: all live codes of the subject, at most three.
    Counted {
        /// The account; none when nothing was ever sent.
        account: Option<AccountId>,
        /// The live codes.
        candidates: Vec<Candidate>,
    },
}

/// Where challenges are kept.
#[async_trait]
pub trait Challenges: Send + Sync {
    /// Store `challenge`, unless one for the same address was asked for within `resend_after` (and not released since). Of
    /// the subject's live ones only the newest `live` stay: older ones end.
    async fn open(&self, challenge: &Challenge, resend_after: Duration, live: u32) -> Result<Opened, Outage>;

    /// Count one attempt, before anything is compared: at the challenge and in the subject's budget, both or neither.
    async fn take_attempt(&self, attempt: &Attempt, now: Timestamp) -> Result<Taken, Outage>;

    /// Spend the challenge with this fingerprint, and give back to the budget what the attempt at `pointer` took. True for
    /// exactly one caller; false when it was spent, has expired or is unknown.
    async fn spend(&self, id: &str, pointer: &Pointer, now: Timestamp) -> Result<bool, Outage>;

    /// The attempt at `pointer` was right, and what follows could not be done: the code stays, and it is as if it had never been
    /// tried, at the challenge and in the budget.
    async fn give_back(&self, pointer: &Pointer, now: Timestamp) -> Result<(), Outage>;

    /// The message could not be delivered: the address may be asked for again at once.
    async fn release(&self, handle: &str) -> Result<(), Outage>;

    /// Delete what expired before `now`, and budgets and waits that have run out. Returns how many rows.
    async fn sweep(&self, now: Timestamp) -> Result<u64, Outage>;
}
