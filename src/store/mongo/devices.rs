//! The devices that accounts have signed in on.

use async_trait::async_trait;
use mongodb::bson::{Document, doc};
use serde::{Deserialize, Serialize};

use super::Store;
use super::fault::Fault;
use super::indexes::DEVICES;
use super::link::Link;
use super::query::{Query, before};
use super::transact::{Act, End};
use crate::clock::Timestamp;
use crate::id::AccountId;
use crate::outage::Outage;
use crate::signin::{Devices, Met};

#[async_trait]
impl Devices for Store {
    async fn meet(&self, account: &AccountId, device: &str, now: Timestamp) -> Result<Met, Outage> {
        self.carry_out(&Meet { account, device, now }).await
    }

    async fn sweep(&self, before_moment: Timestamp) -> Result<u64, Outage> {
        self.sweep_all(DEVICES, doc! { "seen_at": before(before_moment) }).await
    }
}

/// Remember a device. Of all who meet the same one at once, one adds it.
struct Meet<'a> {
    account: &'a AccountId,
    device: &'a str,
    now: Timestamp,
}

#[async_trait]
impl Act for Meet<'_> {
    type Answer = Met;

    fn about(&self) -> &str {
        self.account.as_str()
    }

    async fn run(&self, link: &mut Link) -> Result<End<Met>, Fault> {
        let (account, device, now) = (self.account.as_str(), self.device, self.now.as_millis());
        let known = doc! { "account_id": account, "device": device };
        if link.ask_one::<Record>(Query::of(DEVICES, known.clone())).await?.is_some() {
            let seen = link.update(DEVICES, known, doc! { "$set": { "seen_at": now } }).await?;
            return if seen == 1 { Ok(End::Commit(Met::Again)) } else { Err(Fault::Raced) };
        }
        let other: Option<Document> = link.ask_one(Query::of(DEVICES, doc! { "account_id": account })).await?;
        let record = Record { account_id: account.to_owned(), device: device.to_owned(), seen_at: now };
        match link.insert(DEVICES, &record).await {
            Err(fault) if fault.is_taken() => Err(Fault::Raced),
            added => added.map(|()| End::Commit(if other.is_some() { Met::New } else { Met::First })),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Record {
    account_id: String,
    device: String,
    seen_at: i64,
}
