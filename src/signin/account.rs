//! A person we know, and where such persons are kept.

use std::collections::HashSet;

use async_trait::async_trait;
use serde_json::{Map, Value};
use unicode_normalization::UnicodeNormalization as _;

use crate::clock::Timestamp;
use crate::id::AccountId;
use crate::outage::Outage;
use crate::signin::address::Handle;
use crate::token::claims::may_be_custom;

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
    /// How often it was changed. Its tokens say it (`rev`), so that those from before a change can be told from those after.
    pub revision: i64,
}

impl Account {
    /// What must not be kept, whoever asks for it.
    ///
    /// # Errors
    /// The first [`Unfit`] thing.
    pub fn check(&self) -> Result<(), Unfit> {
        let is_line = |name: &str| !name.is_empty() && name.chars().count() <= 128 && !name.chars().any(char::is_control);
        let words = |all: &[String]| all.iter().all(|word| is_word(word));
        if self.username.as_deref().is_some_and(|name| !is_word(name)) {
            return Err(Unfit::Username);
        }
        if self.name.as_deref().is_some_and(|name| !is_line(name)) {
            return Err(Unfit::Name);
        }
        if self.groups.len() > MOST_GROUPS || !words(&self.groups) || repeats(&self.groups) {
            return Err(Unfit::Groups);
        }
        if self.claims.keys().any(|name| name.chars().count() > 64 || !may_be_custom(name)) {
            return Err(Unfit::ClaimName);
        }
        if size(&self.claims, &self.groups) > MOST_CLAIMS { Err(Unfit::ClaimSize) } else { Ok(()) }
    }
}

/// Groups of one account: they travel in one header and in every token.
pub(super) const MOST_GROUPS: usize = 64;

/// Custom claims and groups of one account, as JSON, in bytes: they are in the access token, and that is in a cookie, of which no
/// browser keeps more than 4 KiB (RFC 6265 §6.1).
pub(super) const MOST_CLAIMS: usize = 2048;

/// How much room they take, as JSON, in bytes.
pub(super) fn size(claims: &Map<String, Value>, groups: &[String]) -> usize {
    let length = |text: Result<String, _>| text.map_or(usize::MAX, |text: String| text.len());
    let claims: usize = length(serde_json::to_string(claims));
    // An empty list is in no token.
    claims.saturating_add(if groups.is_empty() { 0 } else { length(serde_json::to_string(groups)) })
}

/// Why an account cannot be kept as it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Unfit {
    /// The user name is no word.
    #[error("a user name is 1 to 64 letters, digits, '.', '-' and '_'")]
    Username,
    /// The name is no line.
    #[error("a name is one line of 1 to 128 characters")]
    Name,
    /// A group is no word, or is there twice, or there are too many.
    #[error("groups are up to 64 different words of 1 to 64 letters, digits, '.', '-' and '_'")]
    Groups,
    /// A custom claim has a name that tokens give a meaning of their own.
    #[error("a custom claim has a name of up to 64 characters that is no registered claim")]
    ClaimName,
    /// They would not fit into a cookie.
    #[error("custom claims and groups are up to 2 KiB of JSON")]
    ClaimSize,
    /// Neither address nor number would be left.
    #[error("an account needs an e-mail address or a phone number, or nobody can sign in with it")]
    LastAddress,
    /// A mark for an address that is not there.
    #[error("an address that is not there cannot be verified")]
    NoAddress,
}

/// Groups travel in one header, separated by commas; a user name must not look like an address.
pub fn is_word(word: &str) -> bool {
    let plain = word.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_'));
    plain && (1..=64).contains(&word.chars().count())
}

fn repeats(words: &[String]) -> bool {
    let mut seen = HashSet::new();
    !words.iter().all(|word| seen.insert(word))
}

/// A user name as it is compared with others: NFKC, lower case. Two that look alike must not be two people to an app.
pub fn folded(username: &str) -> String {
    username.nfkc().collect::<String>().to_lowercase().nfkc().collect()
}

/// Where accounts are kept. Every change of one moves its revision on. Disabling is an act of the ledger
/// ([`crate::revocation::Act::Disable`]); what an operator changes is [`super::Roster`]'s.
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
