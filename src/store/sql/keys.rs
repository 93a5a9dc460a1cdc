//! Signing keys.

use async_trait::async_trait;

use super::Store;
use super::fault::Fault;
use super::link::{Link, Row, Value};
use super::transact::{Act, End};
use crate::clock::Timestamp;
use crate::outage::Outage;
use crate::token::{Algorithm, Keys, Purpose, StoredKey};

#[async_trait]
impl Keys for Store {
    async fn list(&self) -> Result<Vec<StoredKey>, Outage> {
        let rows = self.ask(self.readers.sql.keys, &[]).await?;
        Ok(rows.iter().map(key).collect::<Result<_, _>>()?)
    }

    async fn add(&self, key: &StoredKey, others_until: Timestamp) -> Result<bool, Outage> {
        self.carry_out(&Add { key, others_until }).await
    }

    async fn sweep(&self, now: Timestamp) -> Result<u64, Outage> {
        self.sweep_all(self.writers.sql.sweep_keys, now).await
    }
}

/// Store a key, and end the older ones. The key first: of two nodes with the same generation, the second waits for the first
/// at this row, and then finds it taken.
struct Add<'a> {
    key: &'a StoredKey,
    others_until: Timestamp,
}

#[async_trait]
impl Act for Add<'_> {
    type Answer = bool;

    async fn run(&self, link: &mut Link) -> Result<End<bool>, Fault> {
        match link.execute(link.sql.add_key, &values(self.key)).await {
            Err(fault) if fault.is_taken() => return Ok(End::RollBack(false)),
            added => added?,
        };
        let older = [self.others_until.into(), self.key.purpose.as_str().into(), self.key.generation.into()];
        link.execute(link.sql.end_older_keys, &older).await?;
        Ok(End::Commit(true))
    }
}

fn values(key: &StoredKey) -> [Value; 9] {
    [
        (&key.kid).into(),
        key.purpose.as_str().into(),
        key.algorithm.as_str().into(),
        key.generation.into(),
        (&key.sealed).into(),
        key.public_jwk.as_deref().into(),
        key.created_at.into(),
        key.signs_from.into(),
        key.verifies_until.into(),
    ]
}

fn key(row: &Row) -> Result<StoredKey, Fault> {
    Ok(StoredKey {
        kid: row.text("kid")?,
        purpose: row.parsed("purpose", Purpose::parse)?,
        algorithm: row.parsed("algorithm", Algorithm::parse)?,
        generation: row.int("generation")?,
        sealed: row.text("sealed")?,
        public_jwk: row.text_or_none("public_jwk")?,
        created_at: row.time("created_at")?,
        signs_from: row.time("signs_from")?,
        verifies_until: row.time_or_none("verifies_until")?,
    })
}
