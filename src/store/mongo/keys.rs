//! Signing keys.

use async_trait::async_trait;
use mongodb::bson::{Bson, Document, doc};
use serde::{Deserialize, Serialize};

use super::Store;
use super::fault::Fault;
use super::indexes::SIGNING_KEYS;
use super::link::Link;
use super::query::{Query, millis, moment, until};
use super::transact::{Act, End};
use crate::clock::Timestamp;
use crate::outage::Outage;
use crate::token::{Algorithm, Keys, Purpose, StoredKey};

#[async_trait]
impl Keys for Store {
    /// Proven: what is signed with a key that a majority does not have could be verified by nobody later.
    async fn list(&self) -> Result<Vec<StoredKey>, Outage> {
        let all = Query::of(SIGNING_KEYS, doc! {}).sorted(doc! { "generation": 1, "_id": 1 }).proven();
        let all: Vec<Record> = self.ask(all).await?;
        Ok(all.into_iter().map(Record::read).collect::<Result<_, _>>()?)
    }

    async fn add(&self, key: &StoredKey, others_until: Timestamp) -> Result<bool, Outage> {
        Ok(self.carry_out_unless_taken(&Add { key, others_until }).await?.unwrap_or(false))
    }

    async fn sweep(&self, now: Timestamp) -> Result<u64, Outage> {
        self.sweep_all(SIGNING_KEYS, doc! { "verifies_until": until(now) }).await
    }
}

/// Store a key, and end the older ones.
struct Add<'a> {
    key: &'a StoredKey,
    others_until: Timestamp,
}

#[async_trait]
impl Act for Add<'_> {
    type Answer = bool;

    fn about(&self) -> &str {
        SIGNING_KEYS
    }

    async fn run(&self, link: &mut Link) -> Result<End<bool>, Fault> {
        let (purpose, generation) = (self.key.purpose.as_str(), self.key.generation);
        let same = doc! { "$or": [{ "_id": &self.key.kid }, { "purpose": purpose, "generation": generation }] };
        if link.ask_one::<Document>(Query::of(SIGNING_KEYS, same)).await?.is_some() {
            return Ok(End::RollBack(false));
        }
        link.insert(SIGNING_KEYS, &Record::of(self.key)).await?;
        let older = doc! { "purpose": purpose, "generation": { "$lt": generation }, "verifies_until": Bson::Null };
        link.update_all(SIGNING_KEYS, older, doc! { "$set": { "verifies_until": self.others_until.as_millis() } }).await?;
        Ok(End::Commit(true))
    }
}

#[derive(Serialize, Deserialize)]
struct Record {
    #[serde(rename = "_id")]
    kid: String,
    purpose: String,
    algorithm: String,
    generation: i64,
    sealed: String,
    public_jwk: Option<String>,
    created_at: i64,
    signs_from: i64,
    verifies_until: Option<i64>,
}

impl Record {
    fn of(key: &StoredKey) -> Self {
        Self {
            kid: key.kid.clone(),
            purpose: key.purpose.as_str().to_owned(),
            algorithm: key.algorithm.as_str().to_owned(),
            generation: key.generation,
            sealed: key.sealed.clone(),
            public_jwk: key.public_jwk.clone(),
            created_at: key.created_at.as_millis(),
            signs_from: key.signs_from.as_millis(),
            verifies_until: millis(key.verifies_until),
        }
    }

    fn read(self) -> Result<StoredKey, Fault> {
        Ok(StoredKey {
            purpose: Purpose::parse(&self.purpose).ok_or(Fault::Corrupt("purpose"))?,
            algorithm: Algorithm::parse(&self.algorithm).ok_or(Fault::Corrupt("algorithm"))?,
            kid: self.kid,
            generation: self.generation,
            sealed: self.sealed,
            public_jwk: self.public_jwk,
            created_at: Timestamp::from_millis(self.created_at),
            signs_from: Timestamp::from_millis(self.signs_from),
            verifies_until: moment(self.verifies_until),
        })
    }
}
