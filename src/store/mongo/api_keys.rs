//! API keys.

use async_trait::async_trait;
use mongodb::bson::{Bson, doc};
use serde::{Deserialize, Serialize};

use super::Store;
use super::fault::Fault;
use super::indexes::API_KEYS;
use super::link::Link;
use super::query::{Query, after, before, millis, moment, until};
use super::transact::{Act, End};
use crate::app::{ApiKey, ApiKeys, HashedKey};
use crate::clock::Timestamp;
use crate::id::KeyId;
use crate::outage::Outage;
use crate::signin::account::folded;

#[async_trait]
impl ApiKeys for Store {
    async fn add(&self, key: &ApiKey, now: Timestamp) -> Result<bool, Outage> {
        let added = self.carry_out_unless_taken(&Add { key, now }).await?;
        Ok(added.is_some())
    }

    async fn replace(&self, id: &KeyId, successor: &ApiKey, ends_at: Timestamp, now: Timestamp) -> Result<bool, Outage> {
        let replaced = self.carry_out_unless_taken(&Replace { id, successor, ends_at, now }).await?;
        Ok(replaced == Some(true))
    }

    async fn find(&self, id: &KeyId) -> Result<Option<ApiKey>, Outage> {
        let found: Option<Record> = self.ask_one(Query::by_id(API_KEYS, id.as_str())).await?;
        Ok(found.map(Record::read).transpose()?)
    }

    async fn list(&self, after: Option<&KeyId>, limit: u32) -> Result<Vec<ApiKey>, Outage> {
        let after = doc! { "_id": { "$gt": after.map_or("", KeyId::as_str) } };
        let listed: Vec<Record> = self.ask(Query::of(API_KEYS, after).sorted(doc! { "_id": 1 }).at_most(limit)).await?;
        Ok(listed.into_iter().map(Record::read).collect::<Result<_, _>>()?)
    }

    async fn sweep(&self, before_moment: Timestamp) -> Result<u64, Outage> {
        let expired = self.sweep_all(API_KEYS, doc! { "expires_at": before(before_moment) }).await?;
        let revoked = self.sweep_all(API_KEYS, doc! { "revoked_at": before(before_moment) }).await?;
        Ok(expired.saturating_add(revoked))
    }

    async fn used(&self, id: &KeyId, at: Timestamp, before: Timestamp) -> Result<bool, Outage> {
        let long_ago = doc! { "$or": [{ "last_used_at": Bson::Null }, { "last_used_at": until(before) }] };
        let stale = doc! { "$and": [{ "_id": id.as_str() }, long_ago] };
        let kept = self.update(API_KEYS, stale, doc! { "$set": { "last_used_at": at.as_millis() } }).await?;
        Ok(kept > 0)
    }
}

/// Store a key. A key that has expired holds its name no longer.
struct Add<'a> {
    key: &'a ApiKey,
    now: Timestamp,
}

#[async_trait]
impl Act for Add<'_> {
    type Answer = ();

    fn about(&self) -> &str {
        API_KEYS
    }

    async fn run(&self, link: &mut Link) -> Result<End<()>, Fault> {
        let expired = doc! { "held_name": folded(&self.key.name), "expires_at": until(self.now) };
        link.update(API_KEYS, expired, doc! { "$unset": { "held_name": "" } }).await?;
        link.insert(API_KEYS, &Record::of(self.key)?).await?;
        Ok(End::Commit(()))
    }
}

/// Give a key its end, and its name to another. Of two at once one finds that it still has its name.
struct Replace<'a> {
    id: &'a KeyId,
    successor: &'a ApiKey,
    ends_at: Timestamp,
    now: Timestamp,
}

#[async_trait]
impl Act for Replace<'_> {
    type Answer = bool;

    fn about(&self) -> &str {
        API_KEYS
    }

    async fn run(&self, link: &mut Link) -> Result<End<bool>, Fault> {
        let lasting = doc! { "$or": [{ "expires_at": Bson::Null }, { "expires_at": after(self.now) }] };
        let holds = doc! { "$and": [{ "_id": self.id.as_str(), "held_name": { "$ne": Bson::Null } }, lasting] };
        let retired = doc! { "$unset": { "held_name": "" }, "$min": { "expires_at": self.ends_at.as_millis() } };
        if link.update(API_KEYS, holds, retired).await? == 0 {
            return Ok(End::RollBack(false));
        }
        link.insert(API_KEYS, &Record::of(self.successor)?).await?;
        Ok(End::Commit(true))
    }
}

/// Revoke a key in the ledger's transaction. False when it was revoked before, or is not there.
pub(super) async fn revoke(link: &mut Link, id: &KeyId, now: Timestamp) -> Result<bool, Fault> {
    let good = doc! { "_id": id.as_str(), "revoked_at": Bson::Null };
    let revoked = doc! { "$set": { "revoked_at": now.as_millis() }, "$unset": { "held_name": "" } };
    Ok(link.update(API_KEYS, good, revoked).await? > 0)
}

/// A key as it is kept. `held_name` is its name as it is compared, while it belongs to this key; what is not there has no field.
#[derive(Serialize, Deserialize)]
struct Record {
    #[serde(rename = "_id")]
    id: String,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    held_name: Option<String>,
    hash: String,
    owner: Option<String>,
    scopes: String,
    groups: Vec<String>,
    created_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_used_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    revoked_at: Option<i64>,
}

impl Record {
    fn of(key: &ApiKey) -> Result<Self, Fault> {
        Ok(Self {
            id: key.id.as_str().to_owned(),
            name: key.name.clone(),
            held_name: Some(folded(&key.name)),
            hash: key.hash.as_str().to_owned(),
            owner: key.owner.clone(),
            scopes: serde_json::to_string(&key.scopes).map_err(|_| Fault::Corrupt("scopes"))?,
            groups: key.groups.clone(),
            created_at: key.created_at.as_millis(),
            expires_at: millis(key.expires_at),
            last_used_at: None,
            revoked_at: None,
        })
    }

    fn read(self) -> Result<ApiKey, Fault> {
        Ok(ApiKey {
            id: KeyId::new(self.id),
            hash: HashedKey::stored(self.hash),
            name: self.name,
            owner: self.owner,
            scopes: serde_json::from_str(&self.scopes).map_err(|_| Fault::Corrupt("scopes"))?,
            groups: self.groups,
            created_at: Timestamp::from_millis(self.created_at),
            expires_at: moment(self.expires_at),
            last_used_at: moment(self.last_used_at),
            revoked_at: moment(self.revoked_at),
        })
    }
}
