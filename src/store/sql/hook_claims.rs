//! What the claims hook said last of accounts.

use async_trait::async_trait;

use super::Store;
use crate::clock::Timestamp;
use crate::id::AccountId;
use crate::outage::Outage;
use crate::signin::LastClaims;

#[async_trait]
impl LastClaims for Store {
    async fn last(&self, account: &AccountId) -> Result<Option<String>, Outage> {
        let row = self.ask_one(self.readers.sql.last_claims, &[account.into()]).await?;
        Ok(row.map(|row| row.text("answer")).transpose()?)
    }

    async fn keep(&self, account: &AccountId, answer: &str, now: Timestamp) -> Result<(), Outage> {
        Ok(self.change(self.writers.sql.keep_claims, &[account.into(), answer.into(), now.into()]).await.map(drop)?)
    }

    async fn sweep(&self, before: Timestamp) -> Result<u64, Outage> {
        self.sweep_all(self.writers.sql.sweep_claims, before).await
    }
}
