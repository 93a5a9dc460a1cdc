//! API keys.

use async_trait::async_trait;

use super::Store;
use super::fault::Fault;
use super::link::{Link, Row, Value};
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

    async fn replace(&self, id: &KeyId, successor: &ApiKey, until: Timestamp, now: Timestamp) -> Result<bool, Outage> {
        let replaced = self.carry_out_unless_taken(&Replace { id, successor, until, now }).await?;
        Ok(replaced == Some(true))
    }

    async fn find(&self, id: &KeyId) -> Result<Option<ApiKey>, Outage> {
        let row = self.ask_one(self.readers.sql.api_key_by_id, &[id.into()]).await?;
        Ok(row.as_ref().map(key).transpose()?)
    }

    async fn list(&self, after: Option<&KeyId>, limit: u32) -> Result<Vec<ApiKey>, Outage> {
        let after = after.map_or("", KeyId::as_str);
        let rows = self.ask(self.readers.sql.api_keys, &[after.into(), limit.into()]).await?;
        Ok(rows.iter().map(key).collect::<Result<_, _>>()?)
    }

    async fn sweep(&self, before: Timestamp) -> Result<u64, Outage> {
        let expired = self.sweep_all(self.writers.sql.sweep_expired_keys, before).await?;
        let revoked = self.sweep_all(self.writers.sql.sweep_revoked_keys, before).await?;
        Ok(expired.saturating_add(revoked))
    }

    async fn used(&self, id: &KeyId, at: Timestamp, before: Timestamp) -> Result<bool, Outage> {
        let kept = self.change(self.writers.sql.use_api_key, &[at.into(), id.into(), before.into()]).await?;
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

    async fn run(&self, link: &mut Link) -> Result<End<()>, Fault> {
        link.execute(link.sql.free_expired_name, &[(&folded(&self.key.name)).into(), self.now.into()]).await?;
        link.execute(link.sql.add_api_key, &values(self.key)?).await?;
        Ok(End::Commit(()))
    }
}

/// Give a key its end, and its name to another. Of two at once one finds that it still has its name.
struct Replace<'a> {
    id: &'a KeyId,
    successor: &'a ApiKey,
    until: Timestamp,
    now: Timestamp,
}

#[async_trait]
impl Act for Replace<'_> {
    type Answer = bool;

    async fn run(&self, link: &mut Link) -> Result<End<bool>, Fault> {
        let retire = [self.until.into(), self.until.into(), self.id.into(), self.now.into()];
        if link.execute(link.sql.retire_api_key, &retire).await? == 0 {
            return Ok(End::RollBack(false));
        }
        link.execute(link.sql.add_api_key, &values(self.successor)?).await?;
        Ok(End::Commit(true))
    }
}

fn values(key: &ApiKey) -> Result<[Value; 9], Fault> {
    Ok([
        (&key.id).into(),
        (&key.name).into(),
        (&folded(&key.name)).into(),
        key.hash.as_str().into(),
        key.owner.as_deref().into(),
        (&serde_json::to_string(&key.scopes).map_err(|_| Fault::Corrupt("scopes"))?).into(),
        (&serde_json::to_string(&key.groups).map_err(|_| Fault::Corrupt("group_names"))?).into(),
        key.created_at.into(),
        key.expires_at.into(),
    ])
}

fn key(row: &Row) -> Result<ApiKey, Fault> {
    Ok(ApiKey {
        id: KeyId::new(row.text("id")?),
        hash: HashedKey::stored(row.text("hash")?),
        name: row.text("name")?,
        owner: row.text_or_none("owner")?,
        scopes: row.parsed("scopes", |text| serde_json::from_str(text).ok())?,
        groups: row.parsed("group_names", |text| serde_json::from_str(text).ok())?,
        created_at: row.time("created_at")?,
        expires_at: row.time_or_none("expires_at")?,
        last_used_at: row.time_or_none("last_used_at")?,
        revoked_at: row.time_or_none("revoked_at")?,
    })
}
