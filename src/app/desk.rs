//! Where keys are made, followed by others, and revoked: by the operator's commands and the admin API.

use std::sync::Arc;
use std::time::Duration;

use crate::app::key::PlainKey;
use crate::app::scope::Scope;
use crate::app::store::{ApiKey, ApiKeys};
use crate::clock::Timestamp;
use crate::id::KeyId;
use crate::outage::Outage;
use crate::random::Entropy;
use crate::revocation::{Act, Revocations};

/// The longest that a key may be good, and that one may go on beside its successor: ten years.
pub const LONGEST: Duration = Duration::from_secs(10 * 366 * 24 * 3600);

/// Most scopes of one key, and most groups.
const MOST: usize = 32;

/// Makes and revokes keys.
#[derive(Clone)]
pub struct KeyDesk {
    /// Where keys are kept.
    pub keys: Arc<dyn ApiKeys>,
    /// What revokes them.
    pub revocations: Arc<Revocations>,
    /// Where chance comes from.
    pub entropy: Arc<dyn Entropy>,
}

/// A key that somebody asks for.
#[derive(Debug, Clone, Default)]
pub struct NewKey {
    /// What it is called: 1 to 64 letters of ASCII, digits, `.`, `-` and `_`.
    pub name: String,
    /// Who answers for it: one line of at most 128 characters.
    pub owner: Option<String>,
    /// What it is for; at least one thing.
    pub scopes: Vec<Scope>,
    /// Groups that it has in the rules of routes: words as a name is.
    pub groups: Vec<String>,
    /// How long it is good; for ever when unset.
    pub lifetime: Option<Duration>,
}

/// A key that was made. Its text is had from here, and from nowhere else afterwards.
#[derive(Debug)]
pub struct Made {
    /// What its holder gets, once.
    pub plain: PlainKey,
    /// What is kept.
    pub key: ApiKey,
}

/// Why a key was not made.
#[derive(Debug, thiserror::Error)]
pub enum NotMade {
    /// The name is none.
    #[error("a key's name is 1 to 64 letters (a to z), digits, '.', '-' and '_'")]
    Name,
    /// The owner is none.
    #[error("the owner is one line of at most 128 characters")]
    Owner,
    /// No scope, or too many.
    #[error("a key has 1 to 32 scopes")]
    Scopes,
    /// A group is none, or there are too many.
    #[error("a key has at most 32 groups, each 1 to 64 letters, digits, '.', '-' and '_'")]
    Groups,
    /// It would never be good.
    #[error("a key is good for a second at least, and for ten years at most; for ever where nothing is said")]
    Lifetime,
    /// Another key that is good has this name.
    #[error("another key has this name")]
    Taken,
    /// The key that was to be replaced is not there, or not good any more, or has a successor.
    #[error("there is no such key that is good and has no successor")]
    Unknown,
    /// It could not be done.
    #[error(transparent)]
    Outage(#[from] Outage),
}

impl KeyDesk {
    /// Make a key.
    ///
    /// # Errors
    /// What is wrong with `new`; `Taken` when its name belongs to another key that is good.
    pub async fn create(&self, new: NewKey, now: Timestamp) -> Result<Made, NotMade> {
        examine(&new)?;
        let made = self.make(new, now)?;
        if self.keys.add(&made.key, now).await? { Ok(made) } else { Err(NotMade::Taken) }
    }

    /// Make a key that follows the key `id`, with its name, owner, scopes and groups, good for as long as that one was meant to be.
    /// The old one goes on for `grace`, ten years at most; nodes that have seen it learn of its end within a second, and at once where `grace`
    /// is zero: then it is revoked.
    ///
    /// # Errors
    /// `Unknown` when there is no such key that is good and has no successor.
    pub async fn replace(&self, id: &KeyId, grace: Duration, now: Timestamp) -> Result<Made, NotMade> {
        let grace = grace.min(LONGEST);
        let old = self.keys.find(id).await?.ok_or(NotMade::Unknown)?;
        let lifetime = old.expires_at.map(|at| at.since(old.created_at));
        let ApiKey { name, owner, scopes, groups, .. } = old;
        let made = self.make(NewKey { name, owner, scopes, groups, lifetime }, now)?;
        if !self.keys.replace(id, &made.key, now.plus(grace), now).await? {
            return Err(NotMade::Unknown);
        }
        if grace.is_zero() {
            self.revoke(id, now).await?;
        }
        Ok(made)
    }

    /// Revoke a key. When this returns, no node believes it (without Redis: within a second); false when there was nothing to
    /// revoke.
    ///
    /// # Errors
    /// An [`Outage`] when it could not be written. Never afterwards.
    pub async fn revoke(&self, id: &KeyId, now: Timestamp) -> Result<bool, Outage> {
        let lines = self.revocations.revoke(Act::ApiKey(id.clone()), "", now).await?;
        Ok(!lines.is_empty())
    }

    fn make(&self, new: NewKey, now: Timestamp) -> Result<Made, NotMade> {
        let plain = PlainKey::draw(self.entropy.as_ref()).map_err(Outage::from)?;
        let key = ApiKey {
            id: plain.id().clone(),
            hash: plain.hashed(),
            name: new.name,
            owner: new.owner,
            scopes: new.scopes,
            groups: new.groups,
            created_at: now,
            expires_at: new.lifetime.map(|span| now.plus(span)),
            last_used_at: None,
            revoked_at: None,
        };
        Ok(Made { plain, key })
    }
}

fn examine(new: &NewKey) -> Result<(), NotMade> {
    let is_line = |text: &String| !text.trim().is_empty() && text.chars().count() <= 128 && !text.chars().any(char::is_control);
    if !new.name.is_ascii() || !is_word(&new.name) {
        return Err(NotMade::Name);
    }
    if !new.owner.iter().all(is_line) {
        return Err(NotMade::Owner);
    }
    if !(1..=MOST).contains(&new.scopes.len()) {
        return Err(NotMade::Scopes);
    }
    if new.groups.len() > MOST || !new.groups.iter().all(|group| is_word(group)) {
        return Err(NotMade::Groups);
    }
    if new.lifetime.is_some_and(|span| span < Duration::from_secs(1) || span > LONGEST) {
        return Err(NotMade::Lifetime);
    }
    Ok(())
}

/// As user names and groups of people are.
fn is_word(word: &str) -> bool {
    let is_plain = word.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_'));
    is_plain && (1..=64).contains(&word.chars().count())
}
