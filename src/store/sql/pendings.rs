//! Half-finished sign-ins, and the attempts at a second factor.

use std::time::Duration;

use async_trait::async_trait;

use super::Store;
use super::challenges::{Kind, use_budget};
use super::fault::Fault;
use super::link::Link;
use super::transact::{Act, End};
use crate::clock::Timestamp;
use crate::id::{AccountId, SessionId};
use crate::limits::Quota;
use crate::outage::Outage;
use crate::signin::{Bounds, Counted, Pending, Pendings, Place};
use crate::token::Amr;

#[async_trait]
impl Pendings for Store {
    async fn hold(&self, pending: &Pending) -> Result<(), Outage> {
        let amr = serde_json::to_string(&pending.amr).map_err(|_| Fault::Corrupt("amr"))?;
        let times = (pending.created_at.into(), pending.expires_at.into());
        let values = [(&pending.id).into(), (&pending.account).into(), (&amr).into(), times.0, times.1];
        self.change(self.writers.sql.add_pending, &values).await?;
        Ok(())
    }

    async fn count_attempt(&self, place: &Place, bounds: &Bounds, now: Timestamp) -> Result<Counted, Outage> {
        self.carry_out(&CountAttempt { place, bounds, now }).await
    }

    async fn settle(&self, place: &Place, now: Timestamp) -> Result<bool, Outage> {
        self.carry_out(&Settle { place, now }).await
    }

    async fn give_back(&self, place: &Place, now: Timestamp) -> Result<(), Outage> {
        self.carry_out(&GiveBack(Settle { place, now })).await
    }

    async fn sweep(&self, now: Timestamp) -> Result<u64, Outage> {
        self.sweep_all(self.writers.sql.sweep_pendings, now).await
    }
}

/// Who holds the id of a half-finished sign-in, or is signed in, is counted as the browser that asked for a code is: so
/// whatever is tried, there is one budget for it.
const KIND: Kind = Kind::Bound;

/// Count one attempt. The half-finished sign-in comes first, which locks it: who comes at once waits there.
struct CountAttempt<'a> {
    place: &'a Place,
    bounds: &'a Bounds,
    now: Timestamp,
}

#[async_trait]
impl Act for CountAttempt<'_> {
    type Answer = Counted;

    async fn run(&self, link: &mut Link) -> Result<End<Counted>, Fault> {
        let (account, amr, wait) = match self.place {
            Place::Pending(id) => {
                let Some(held) = held(link, id, self.now).await? else { return Ok(End::RollBack(Counted::Nothing)) };
                let counted = count(link, id, self.bounds.place.count, self.now).await?;
                let wait = (!counted).then(|| held.expires_at.since(self.now));
                (held.account, held.amr, wait)
            }
            Place::Session(account, id) => {
                let wait = self.take(link, &of_session(id), self.bounds.place).await?;
                (account.clone(), Vec::new(), wait)
            }
        };
        if let Some(wait) = wait {
            return Ok(End::RollBack(Counted::Exhausted(wait)));
        }
        if let Some(wait) = self.take(link, account.as_str(), self.bounds.account).await? {
            return Ok(End::RollBack(Counted::Exhausted(wait)));
        }
        Ok(End::Commit(Counted::At { account, amr }))
    }
}

impl CountAttempt<'_> {
    async fn take(&self, link: &mut Link, subject: &str, quota: Quota) -> Result<Option<Duration>, Fault> {
        use_budget(link, subject, KIND, quota, self.now).await
    }
}

/// Count one at a half-finished sign-in. False when none is left.
async fn count(link: &mut Link, id: &str, most: u32, now: Timestamp) -> Result<bool, Fault> {
    if link.execute(link.sql.count_pending_attempt, &[id.into(), most.into(), now.into()]).await? > 0 {
        return Ok(true);
    }
    // Nothing was counted because none is left, or because it was spent since we looked: then look again.
    let left = held(link, id, now).await?;
    if left.is_some() { Ok(false) } else { Err(Fault::Raced) }
}

/// End a half-finished sign-in by deleting it: one of all who try deletes a row.
struct Settle<'a> {
    place: &'a Place,
    now: Timestamp,
}

#[async_trait]
impl Act for Settle<'_> {
    type Answer = bool;

    async fn run(&self, link: &mut Link) -> Result<End<bool>, Fault> {
        let account = match self.place {
            Place::Pending(id) => {
                let Some(held) = held(link, id, self.now).await? else { return Ok(End::RollBack(false)) };
                if link.execute(link.sql.spend_pending, &[id.into(), self.now.into()]).await? == 0 {
                    return Ok(End::RollBack(false));
                }
                held.account
            }
            Place::Session(account, id) => {
                self.give_back(link, &of_session(id)).await?;
                account.clone()
            }
        };
        self.give_back(link, account.as_str()).await?;
        Ok(End::Commit(true))
    }
}

impl Settle<'_> {
    async fn give_back(&self, link: &mut Link, subject: &str) -> Result<(), Fault> {
        link.execute(link.sql.give_back_budget, &[subject.into(), KIND.as_str().into(), self.now.into()]).await?;
        Ok(())
    }
}

/// Take an attempt back that was counted; the half-finished sign-in stays.
struct GiveBack<'a>(Settle<'a>);

#[async_trait]
impl Act for GiveBack<'_> {
    type Answer = ();

    async fn run(&self, link: &mut Link) -> Result<End<()>, Fault> {
        let account = match self.0.place {
            Place::Pending(id) => {
                link.execute(link.sql.give_back_pending_attempt, &[id.into()]).await?;
                let Some(held) = held(link, id, self.0.now).await? else { return Ok(End::RollBack(())) };
                held.account
            }
            Place::Session(account, id) => {
                self.0.give_back(link, &of_session(id)).await?;
                account.clone()
            }
        };
        self.0.give_back(link, account.as_str()).await?;
        Ok(End::Commit(()))
    }
}

/// The half-finished sign-in that is there.
struct Held {
    account: AccountId,
    amr: Vec<Amr>,
    expires_at: Timestamp,
}

async fn held(link: &mut Link, id: &str, now: Timestamp) -> Result<Option<Held>, Fault> {
    let Some(row) = link.fetch_one(link.sql.pending_by_id, &[id.into(), now.into()]).await? else { return Ok(None) };
    Ok(Some(Held {
        account: AccountId::new(row.text("account_id")?),
        amr: row.parsed("amr", |text| serde_json::from_str(text).ok())?,
        expires_at: row.time("expires_at")?,
    }))
}

/// A subject of its own beside accounts and addresses, whose names have no colon.
fn of_session(id: &SessionId) -> String {
    format!("session:{id}")
}
