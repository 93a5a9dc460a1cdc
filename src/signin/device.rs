//! The devices that an account has signed in on, remembered in words.

use async_trait::async_trait;

pub use crate::client::device::{Device, words};
use crate::clock::Timestamp;
use crate::id::AccountId;
use crate::outage::Outage;

/// What came of meeting a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Met {
    /// It is the first that the account has ever signed in on.
    First,
    /// The account has signed in before, and never on this one.
    New,
    /// It is known.
    Again,
}

/// Where the devices of accounts are remembered, longer than sessions are.
#[async_trait]
pub trait Devices: Send + Sync {
    /// `account` signs in on `device` (in words) at `now`: remember it. Of all who meet the same one at once, one is not told
    /// [`Met::Again`].
    async fn meet(&self, account: &AccountId, device: &str, now: Timestamp) -> Result<Met, Outage>;

    /// Forget those that were not met since `before`. Returns how many.
    async fn sweep(&self, before: Timestamp) -> Result<u64, Outage>;
}
