//! The devices that accounts have signed in on.

use async_trait::async_trait;

use super::Store;
use super::fault::Fault;
use super::link::Link;
use super::transact::{Act, End};
use crate::clock::Timestamp;
use crate::id::AccountId;
use crate::outage::Outage;
use crate::signin::device::{Devices, Met};

#[async_trait]
impl Devices for Store {
    async fn meet(&self, account: &AccountId, device: &str, now: Timestamp) -> Result<Met, Outage> {
        self.carry_out(&Meet { account, device, now }).await
    }

    async fn sweep(&self, before: Timestamp) -> Result<u64, Outage> {
        self.sweep_all(self.writers.sql.sweep_devices, before).await
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

    async fn run(&self, link: &mut Link) -> Result<End<Met>, Fault> {
        let Self { account, device, now } = *self;
        if link.execute(link.sql.see_device, &[now.into(), account.into(), device.into()]).await? > 0 {
            return Ok(End::Commit(Met::Again));
        }
        if link.execute(link.sql.add_device, &[account.into(), device.into(), now.into()]).await? == 0 {
            return Err(Fault::Raced);
        }
        let other = link.fetch_one(link.sql.other_device, &[account.into(), device.into()]).await?;
        Ok(End::Commit(if other.is_some() { Met::New } else { Met::First }))
    }
}
