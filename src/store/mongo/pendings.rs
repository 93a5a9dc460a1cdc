//! Half-finished sign-ins, and the attempts at a second factor.

use std::time::Duration;

use async_trait::async_trait;
use mongodb::bson::doc;
use serde::Deserialize;

use super::Store;
use super::challenges::{Kind, give_back, use_budget, written_now};
use super::fault::Fault;
use super::indexes::PENDING_SIGN_INS;
use super::link::Link;
use super::query::{Query, after, before};
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
        let fields = doc! {
            "account_id": pending.account.as_str(),
            "amr": serde_json::to_string(&pending.amr).map_err(|_| Fault::Corrupt("amr"))?,
            "created_at": pending.created_at.as_millis(),
            "expires_at": pending.expires_at.as_millis(),
            "attempts": 0_i64,
        };
        let there = self.put(PENDING_SIGN_INS, doc! { "_id": &pending.id }, written_now(fields)).await?;
        if there == 0 { Ok(()) } else { Err(Fault::Corrupt("_id").into()) }
    }

    async fn count_attempt(&self, place: &Place, bounds: &Bounds, now: Timestamp) -> Result<Counted, Outage> {
        self.carry_out(&CountAttempt { place, bounds, now }).await
    }

    async fn settle(&self, place: &Place, now: Timestamp) -> Result<bool, Outage> {
        self.carry_out(&Settle { place, now }).await
    }

    async fn give_back(&self, place: &Place, now: Timestamp) -> Result<(), Outage> {
        self.carry_out(&GiveBack { place, now }).await
    }

    async fn sweep(&self, now: Timestamp) -> Result<u64, Outage> {
        self.sweep_all(PENDING_SIGN_INS, doc! { "expires_at": before(now) }).await
    }
}

/// Who holds the id of a half-finished sign-in, or is signed in, is counted as the browser that asked for a code is: so
/// whatever is tried, there is one budget for it.
const KIND: Kind = Kind::Bound;

/// Count one attempt at its place and in the budget of the account.
struct CountAttempt<'a> {
    place: &'a Place,
    bounds: &'a Bounds,
    now: Timestamp,
}

#[async_trait]
impl Act for CountAttempt<'_> {
    type Answer = Counted;

    fn about(&self) -> &str {
        name(self.place)
    }

    async fn run(&self, link: &mut Link) -> Result<End<Counted>, Fault> {
        let (account, amr, wait) = match self.place {
            Place::Pending(id) => {
                let Some(held) = held(link, id, self.now).await? else { return Ok(End::RollBack(Counted::Nothing)) };
                let counted = count(link, &held, self.bounds.place.count).await?;
                let wait = (!counted).then(|| Timestamp::from_millis(held.expires_at).since(self.now));
                (AccountId::new(&held.account_id), held.amr()?, wait)
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

/// Count one at a half-finished sign-in. False when none is left. The transaction is undone if somebody else counts meanwhile.
async fn count(link: &mut Link, held: &Held, most: u32) -> Result<bool, Fault> {
    if held.attempts >= i64::from(most) {
        return Ok(false);
    }
    let found = link.update(PENDING_SIGN_INS, doc! { "_id": &held.id }, doc! { "$inc": { "attempts": 1_i64 } }).await?;
    if found == 1 { Ok(true) } else { Err(Fault::Raced) }
}

/// End a half-finished sign-in by deleting it: one of all who try deletes a document.
struct Settle<'a> {
    place: &'a Place,
    now: Timestamp,
}

#[async_trait]
impl Act for Settle<'_> {
    type Answer = bool;

    fn about(&self) -> &str {
        name(self.place)
    }

    async fn run(&self, link: &mut Link) -> Result<End<bool>, Fault> {
        let account = match self.place {
            Place::Pending(id) => {
                let Some(held) = held(link, id, self.now).await? else { return Ok(End::RollBack(false)) };
                if link.delete(PENDING_SIGN_INS, doc! { "_id": id }).await? == 0 {
                    return Ok(End::RollBack(false));
                }
                AccountId::new(held.account_id)
            }
            Place::Session(account, id) => {
                give_back(link, &of_session(id), KIND, self.now).await?;
                account.clone()
            }
        };
        give_back(link, account.as_str(), KIND, self.now).await?;
        Ok(End::Commit(true))
    }
}

/// Take an attempt back that was counted; the half-finished sign-in stays.
struct GiveBack<'a> {
    place: &'a Place,
    now: Timestamp,
}

#[async_trait]
impl Act for GiveBack<'_> {
    type Answer = ();

    fn about(&self) -> &str {
        name(self.place)
    }

    async fn run(&self, link: &mut Link) -> Result<End<()>, Fault> {
        let account = match self.place {
            Place::Pending(id) => {
                let Some(held) = held(link, id, self.now).await? else { return Ok(End::RollBack(())) };
                let counted = doc! { "_id": id, "attempts": { "$gt": 0_i64 } };
                link.update(PENDING_SIGN_INS, counted, doc! { "$inc": { "attempts": -1_i64 } }).await?;
                AccountId::new(held.account_id)
            }
            Place::Session(account, id) => {
                give_back(link, &of_session(id), KIND, self.now).await?;
                account.clone()
            }
        };
        give_back(link, account.as_str(), KIND, self.now).await?;
        Ok(End::Commit(()))
    }
}

/// The half-finished sign-in that is there.
#[derive(Deserialize)]
struct Held {
    #[serde(rename = "_id")]
    id: String,
    account_id: String,
    amr: String,
    expires_at: i64,
    attempts: i64,
}

impl Held {
    fn amr(&self) -> Result<Vec<Amr>, Fault> {
        serde_json::from_str(&self.amr).map_err(|_| Fault::Corrupt("amr"))
    }
}

async fn held(link: &mut Link, id: &str, now: Timestamp) -> Result<Option<Held>, Fault> {
    link.ask_one(Query::of(PENDING_SIGN_INS, doc! { "_id": id, "expires_at": after(now) })).await
}

fn name(place: &Place) -> &str {
    match place {
        Place::Pending(id) => id,
        Place::Session(account, _) => account.as_str(),
    }
}

/// A subject of its own beside accounts and addresses, whose names have no colon.
fn of_session(id: &SessionId) -> String {
    format!("session:{id}")
}
