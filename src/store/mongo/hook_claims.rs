//! What the claims hook said last of accounts.

use std::time::Duration;

use async_trait::async_trait;
use mongodb::bson::doc;
use serde::Deserialize;

use super::Store;
use super::indexes::HOOK_CLAIMS;
use super::query::{Query, before};
use crate::clock::Timestamp;
use crate::id::AccountId;
use crate::outage::Outage;
use crate::signin::LastClaims;

/// An answer that is given again is written again once it is so old: not at every sign-in.
const STALE: Duration = Duration::from_hours(24);

#[async_trait]
impl LastClaims for Store {
    async fn last(&self, account: &AccountId) -> Result<Option<String>, Outage> {
        let found: Option<Record> = self.ask_one(Query::by_id(HOOK_CLAIMS, account.as_str())).await?;
        Ok(found.map(|found| found.answer))
    }

    async fn keep(&self, account: &AccountId, answer: &str, now: Timestamp) -> Result<(), Outage> {
        let other = doc! { "$or": [{ "answer": { "$ne": answer } }, { "kept_at": before(now.minus(STALE)) }] };
        let its = doc! { "$and": [{ "_id": account.as_str() }, other] };
        let kept = doc! { "$set": { "answer": answer, "kept_at": now.as_millis() } };
        match self.put(HOOK_CLAIMS, its, kept).await {
            // It is there, and neither another nor old; or somebody else has just kept theirs.
            Err(fault) if fault.is_taken() => Ok(()),
            kept => Ok(kept.map(drop)?),
        }
    }

    async fn sweep(&self, before_moment: Timestamp) -> Result<u64, Outage> {
        self.sweep_all(HOOK_CLAIMS, doc! { "kept_at": before(before_moment) }).await
    }
}

#[derive(Deserialize)]
struct Record {
    answer: String,
}
