//! An address that an account is about to have, until the code that was sent there comes back.
//!
//! Apart from [`crate::signin::challenge`], in a table of its own: a code that signs in changes no address, and a code that
//! changes an address signs nobody in. What becomes the address is what was asked for, sealed in the row; whoever brings the
//! code names no address. Attempts count against the failure budget of the account, the same as signing in does.

use std::time::Duration;

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::id::AccountId;
use crate::limits::Quota;
use crate::outage::Outage;
use crate::revocation::Entry;
use crate::signin::account::Account;
use crate::signin::address::Handle;
use crate::signin::challenge::{Candidate, Opened};
use crate::signin::deliver::{Changed, Channel};

/// One request for another address, as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressChange {
    /// Fingerprint of the id that who asked has got.
    pub id: String,
    /// Whose address it is to be.
    pub account: AccountId,
    /// MAC of the address.
    pub handle: String,
    /// The address, sealed; owner = `id`, purpose = `address-change`.
    pub sealed: String,
    /// How the code was sent.
    pub channel: Channel,
    /// MAC of the code.
    pub code: String,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// Until when the code is good.
    pub expires_at: Timestamp,
}

/// An attempt that asks to be counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeAttempt {
    /// Fingerprint of the change's id; the account's latest when none is named.
    pub id: Option<String>,
    /// Whose.
    pub account: AccountId,
    /// How many attempts a change allows.
    pub per_change: u32,
    /// The failure budget of the account.
    pub budget: Quota,
}

/// A live code for one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangeCandidate {
    /// What was sent; its `id` is the fingerprint of the change.
    pub sent: Candidate,
    /// The address, sealed.
    pub sealed: String,
}

/// What came of counting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeTaken {
    /// No live change there: unknown, expired, spent, or another account's. Nothing was counted.
    Nothing,
    /// No attempt is left, at the change or in the account's budget; nothing was counted. Wait this long.
    Exhausted(Duration),
    /// Counted, in both. Compare with these: the live codes of the account for the same address, at most three.
    Counted(Vec<ChangeCandidate>),
}

/// What came of setting an address.
#[derive(Debug, Clone, PartialEq)]
pub enum Settled {
    /// It is the account's, verified. The account as it was before.
    Set(Box<Account>),
    /// Another account has it; nothing changed.
    Taken,
    /// The change was spent or has expired, or the account is gone or disabled; nothing changed.
    Nothing,
}

/// What came of taking an address away.
#[derive(Debug, Clone, PartialEq)]
pub enum Removed {
    /// It is gone. The account as it was before.
    Gone(Box<Account>),
    /// No other verified address would be left to sign in with; nothing changed.
    Last,
    /// There is none of this sort.
    Nothing,
}

/// Where changes of addresses are kept.
#[async_trait]
pub trait AddressChanges: Send + Sync {
    /// Store `change`, unless a code was sent to the same address within `resend_after`, by whomever and for whatever. Of the
    /// account's live ones only the newest `live` stay: older ones end.
    async fn open(&self, change: &AddressChange, resend_after: Duration, live: u32) -> Result<Opened, Outage>;

    /// Count one attempt, before anything is compared: at the change and in the account's budget, both or neither.
    async fn take_attempt(&self, attempt: &ChangeAttempt, now: Timestamp) -> Result<ChangeTaken, Outage>;

    /// Spend the change with this fingerprint, and make `handle` the account's, in place of the one of its sort, verified; give
    /// back to the budget what the attempt took; forget its half-finished sign-ins, and write the line that makes its tokens
    /// outdated, which expires at `expires_at`. All or nothing; with the line, where there is one.
    async fn settle(
        &self,
        id: &str,
        account: &AccountId,
        handle: &Handle,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(Settled, Vec<Entry>), Outage>;

    /// Take an address away from `account`, unless no other verified one would be left; the rest as for [`AddressChanges::settle`].
    async fn remove(&self, account: &AccountId, which: Changed, expires_at: Timestamp) -> Result<(Removed, Vec<Entry>), Outage>;

    /// Delete what expired before `now`. Returns how many.
    async fn sweep(&self, now: Timestamp) -> Result<u64, Outage>;
}
