//! A person we know, and where such persons are kept.

use async_trait::async_trait;
use serde_json::{Map, Value};
use unicode_normalization::UnicodeNormalization as _;

use crate::clock::Timestamp;
use crate::id::AccountId;
use crate::outage::Outage;
use crate::signin::address::Handle;

/// A person we know.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Account {
    /// Fixed for ever.
    pub id: AccountId,
    /// Fixed when the account is made; unique, also when case is not looked at ([`folded`]).
    pub username: Option<String>,
    /// The name to show.
    pub name: Option<String>,
    /// Canonical; unique.
    pub email: Option<String>,
    /// Has a code sent there come back?
    pub email_verified: bool,
    /// E.164; unique.
    pub phone: Option<String>,
    /// Has a code sent there come back?
    pub phone_verified: bool,
    /// For `groups` in rules and headers.
    pub groups: Vec<String>,
    /// Custom claims; names as [`crate::token::claims::may_be_custom`] allows.
    pub claims: Map<String, Value>,
    /// Since when nobody may sign in with it.
    pub disabled_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A user name as it is compared with others: NFKC, lower case. Two that look alike must not be two people to an app.
pub fn folded(username: &str) -> String {
    username.nfkc().collect::<String>().to_lowercase().nfkc().collect()
}

/// Where accounts are kept. Disabling is an act of the ledger ([`crate::revocation::Act::Disable`]).
#[async_trait]
pub trait Accounts: Send + Sync {
    /// By its id.
    async fn find(&self, id: &AccountId) -> Result<Option<Account>, Outage>;

    /// By an address that belongs to it.
    async fn find_by_handle(&self, handle: &Handle) -> Result<Option<Account>, Outage>;

    /// Keep a new one. False when its id, user name or an address is taken; nothing changed.
    async fn add(&self, account: &Account) -> Result<bool, Outage>;

    /// A code sent to `handle` came back: mark it verified if it still belongs to the account.
    async fn mark_verified(&self, id: &AccountId, handle: &Handle) -> Result<(), Outage>;

    /// Let people sign in with it again. False when there is no such account.
    async fn enable(&self, id: &AccountId) -> Result<bool, Outage>;

    /// At most `limit` accounts in the order of ids, those after `after`.
    async fn list(&self, after: Option<&AccountId>, limit: u32) -> Result<Vec<Account>, Outage>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_names_that_look_alike_are_one() {
        for alike in ["ada", "Ada", "ADA", "ａｄａ"] {
            assert_eq!(folded(alike), "ada", "{alike}");
        }
        assert_eq!(folded("\u{130}da"), folded("i\u{307}da"));
    }
}
