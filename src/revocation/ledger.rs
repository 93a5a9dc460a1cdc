//! The durable list of revocations, and the acts that write it.

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::id::{AccountId, KeyId, SessionId, TokenId};
use crate::outage::Outage;

/// What is revoked.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subject {
    /// One access token.
    Token(TokenId),
    /// One session, with all its tokens.
    Session(SessionId),
    /// All tokens of an account that say a lower revision than this one: they were made before it was changed. Its sessions go
    /// on, unless they are ended besides.
    Account(AccountId, i64),
}

impl Subject {
    /// The word of its kind, in stores and metrics: `token`, `session`, `account`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Token(_) => "token",
            Self::Session(_) => "session",
            Self::Account(..) => "account",
        }
    }

    /// The name of what is revoked.
    pub fn name(&self) -> &str {
        match self {
            Self::Token(id) => id.as_str(),
            Self::Session(id) => id.as_str(),
            Self::Account(id, _) => id.as_str(),
        }
    }
}

/// One line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number: one more than that of the commit before, no gaps.
    pub number: i64,
    /// What is revoked.
    pub subject: Subject,
    /// When the last token that it concerns has expired; after that the line may be forgotten.
    pub expires_at: Timestamp,
}

/// How far the ledger has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Which ledger: a random name made with the database, so that the index of another database is never believed.
    pub ledger: String,
    /// The newest number; 0 when nothing was ever revoked.
    pub number: i64,
}

/// What a token names, to be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ids<'a> {
    /// `jti`.
    pub token: &'a TokenId,
    /// `sid`.
    pub session: &'a SessionId,
    /// `sub`.
    pub account: &'a AccountId,
    /// The account's revision when the token was made (`rev`).
    pub revision: i64,
}

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Not revoked.
    Good,
    /// The account was changed after the token was made: the token is worth nothing any more. Its session may go on, and can be
    /// renewed.
    Outdated,
    /// Revoked: the token, or its session.
    Revoked,
}

/// Something that ends tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// End one token.
    Token(TokenId),
    /// End one session.
    Session(SessionId),
    /// End one session, if it belongs to this account.
    SessionOf(AccountId, SessionId),
    /// End all sessions of an account but this one.
    Others(AccountId, SessionId),
    /// End all sessions of an account.
    Account(AccountId),
    /// Disable an account and end all its sessions; no session of it can start afterwards.
    Disable(AccountId),
    /// Revoke an API key.
    ApiKey(KeyId),
}

/// The truth about revocations.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Do `act` in one transaction: mark the sessions ended, disable where asked, write one line for each session that was
    /// live, or that ended by itself within the last five minutes (its last token may still be believed); and for a token;
    /// `Disable` moves the account's revision on, and writes an account line with it. `ApiKey` marks the key revoked, gives its
    /// name free and writes a token line under its id, if it was not revoked before. `Others` and `Account` forget the account's
    /// half-finished sign-ins. Lines are numbered in the order of commits. `reason` is kept with the sessions.
    /// The lines returned are durable. Empty when nothing was live: doing it twice is no error.
    async fn commit(&self, act: &Act, reason: &str, now: Timestamp, expires_at: Timestamp) -> Result<Vec<Entry>, Outage>;

    /// How far the ledger has come.
    async fn head(&self) -> Result<Head, Outage>;

    /// Lines with a number above `number` that have not expired at `now`, oldest first, at most `limit`.
    async fn since(&self, number: i64, now: Timestamp, limit: u32) -> Result<Vec<Entry>, Outage>;

    /// Is one of these revoked? What ends the token or its session counts before what makes it outdated.
    async fn revoked(&self, ids: Ids<'_>, now: Timestamp) -> Result<Standing, Outage>;

    /// Forget lines that expired before `now`. Returns how many.
    async fn sweep(&self, now: Timestamp) -> Result<u64, Outage>;
}
