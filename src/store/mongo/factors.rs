//! Authenticators, each with its recovery codes in one document: so whatever is done to them is one update.

use async_trait::async_trait;
use mongodb::bson::{Bson, doc};
use serde::Deserialize;

use super::Store;
use super::fault::Fault;
use super::indexes::FACTORS;
use super::query::{Query, moment};
use crate::clock::Timestamp;
use crate::id::AccountId;
use crate::outage::Outage;
use crate::signin::{Factor, Factors, RecoveryCodes, Step};

#[async_trait]
impl Factors for Store {
    async fn find(&self, account: &AccountId) -> Result<Option<Factor>, Outage> {
        let found: Option<Record> = self.ask_one(Query::by_id(FACTORS, account.as_str())).await?;
        Ok(found.map(Record::read).transpose()?)
    }

    async fn enrol(&self, account: &AccountId, sealed: &str, now: Timestamp) -> Result<bool, Outage> {
        let unconfirmed = doc! { "_id": account.as_str(), "confirmed_at": Bson::Null };
        let kept = doc! { "sealed": sealed, "enrolled_at": now.as_millis() };
        let change = doc! { "$set": kept, "$setOnInsert": { "last_step": -1_i64, "codes": Bson::Array(Vec::new()) } };
        loop {
            match self.put(FACTORS, unconfirmed.clone(), change.clone()).await {
                // There is a confirmed one; or another was made since the server looked, and this one takes its place.
                Err(fault) if fault.is_taken() => {
                    if Factors::find(self, account).await?.is_some_and(|factor| factor.confirmed_at.is_some()) {
                        return Ok(false);
                    }
                }
                kept => return Ok(kept.map(|_| true)?),
            }
        }
    }

    async fn confirm(&self, step: &Step<'_>, codes: &[String], now: Timestamp) -> Result<bool, Outage> {
        let unconfirmed = doc! { "_id": step.account.as_str(), "sealed": step.sealed, "confirmed_at": Bson::Null };
        let now = now.as_millis();
        let change = doc! { "confirmed_at": now, "last_step": step.number, "last_used_at": now, "codes_made_at": now, "codes": codes };
        Ok(self.update(FACTORS, unconfirmed, doc! { "$set": change }).await? == 1)
    }

    async fn use_step(&self, step: &Step<'_>, now: Timestamp) -> Result<bool, Outage> {
        let unused = doc! {
            "_id": step.account.as_str(),
            "sealed": step.sealed,
            "confirmed_at": { "$ne": Bson::Null },
            "last_step": { "$lt": step.number },
        };
        let change = doc! { "$set": { "last_step": step.number, "last_used_at": now.as_millis() } };
        Ok(self.update(FACTORS, unused, change).await? == 1)
    }

    async fn remove(&self, account: &AccountId) -> Result<bool, Outage> {
        Ok(self.delete(FACTORS, doc! { "_id": account.as_str() }).await? == 1)
    }
}

#[async_trait]
impl RecoveryCodes for Store {
    async fn use_up(&self, account: &AccountId, code: &str) -> Result<Option<u32>, Outage> {
        let with_code = doc! { "_id": account.as_str(), "codes": code };
        let left: Option<Codes> = self.change(FACTORS, with_code, doc! { "$pull": { "codes": code } }).await?;
        Ok(left.map(|left| count(&left.codes)).transpose()?)
    }

    async fn renew(&self, account: &AccountId, codes: &[String], now: Timestamp) -> Result<bool, Outage> {
        let confirmed = doc! { "_id": account.as_str(), "confirmed_at": { "$ne": Bson::Null } };
        let change = doc! { "$set": { "codes_made_at": now.as_millis(), "codes": codes } };
        Ok(self.update(FACTORS, confirmed, change).await? == 1)
    }
}

#[derive(Deserialize)]
struct Record {
    sealed: String,
    enrolled_at: i64,
    confirmed_at: Option<i64>,
    last_used_at: Option<i64>,
    codes: Vec<String>,
}

/// What is left of the codes.
#[derive(Deserialize)]
struct Codes {
    codes: Vec<String>,
}

impl Record {
    fn read(self) -> Result<Factor, Fault> {
        Ok(Factor {
            recovery_codes: count(&self.codes)?,
            sealed: self.sealed,
            enrolled_at: Timestamp::from_millis(self.enrolled_at),
            confirmed_at: moment(self.confirmed_at),
            last_used_at: moment(self.last_used_at),
        })
    }
}

fn count(codes: &[String]) -> Result<u32, Fault> {
    u32::try_from(codes.len()).map_err(|_| Fault::Corrupt("codes"))
}
