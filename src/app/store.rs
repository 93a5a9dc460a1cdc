//! API keys as they are kept, and the port behind which they are.

use async_trait::async_trait;

use crate::app::key::HashedKey;
use crate::app::scope::Scope;
use crate::clock::Timestamp;
use crate::id::KeyId;
use crate::outage::Outage;

/// An API key, without what only its holder has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// What names it; a part of its text.
    pub id: KeyId,
    /// What its text is compared with.
    pub hash: HashedKey,
    /// What it is called: by people, and towards apps as `apikey:NAME`.
    pub name: String,
    /// Who answers for it.
    pub owner: Option<String>,
    /// What it is for.
    pub scopes: Vec<Scope>,
    /// Groups that it has in the rules of routes.
    pub groups: Vec<String>,
    /// Since when it is there.
    pub created_at: Timestamp,
    /// Until when it is good; for ever when unset.
    pub expires_at: Option<Timestamp>,
    /// When it was used last, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// Since when it is revoked.
    pub revoked_at: Option<Timestamp>,
}

impl ApiKey {
    /// Is it good at `now`, as far as this record knows? It is not at the second of its expiry.
    pub fn is_good(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|at| now < at)
    }

    /// May it read in the admin API?
    pub fn may_read(&self) -> bool {
        self.scopes.contains(&Scope::Read) || self.may_change()
    }

    /// May it change something in the admin API?
    pub fn may_change(&self) -> bool {
        self.scopes.contains(&Scope::Admin)
    }

    /// May it speak for the app of this name?
    pub fn speaks_for(&self, app: &str) -> bool {
        self.apps().any(|name| name == app)
    }

    /// The apps that it may speak for.
    pub fn apps(&self) -> impl Iterator<Item = &str> {
        self.scopes.iter().filter_map(|scope| match scope {
            Scope::App(name) => Some(name.as_str()),
            Scope::Read | Scope::Admin | Scope::Route(_) => None,
        })
    }
}

/// Where API keys are kept. Revoking one is an act of the ledger ([`crate::revocation::Act::ApiKey`]).
#[async_trait]
pub trait ApiKeys: Send + Sync {
    /// Store a new key. A name belongs to one key at a time, compared as user names are
    /// ([`crate::signin::account::folded`]): false, with nothing stored, when it
    /// belongs to another that is neither revoked nor expired at `now` nor has a successor.
    async fn add(&self, key: &ApiKey, now: Timestamp) -> Result<bool, Outage>;

    /// Store `successor`, and give the key `id` its end at `until`, unless it ends before. Both or neither: false, with nothing
    /// stored, when that key is not there, is revoked, has expired at `now` or has a successor already.
    async fn replace(&self, id: &KeyId, successor: &ApiKey, until: Timestamp, now: Timestamp) -> Result<bool, Outage>;

    /// By its id, good or not.
    async fn find(&self, id: &KeyId) -> Result<Option<ApiKey>, Outage>;

    /// The keys after this one in the order of their ids, good or not, at most `limit`.
    async fn list(&self, after: Option<&KeyId>, limit: u32) -> Result<Vec<ApiKey>, Outage>;

    /// Forget keys that were over before `before`: expired or revoked. Returns how many.
    async fn sweep(&self, before: Timestamp) -> Result<u64, Outage>;

    /// The key was used at `at`. Kept unless it is known that it was used after `before`; says whether it was kept.
    async fn used(&self, id: &KeyId, at: Timestamp, before: Timestamp) -> Result<bool, Outage>;
}
