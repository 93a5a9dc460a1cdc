//! Accounts, as an operator lists, changes and removes them.

use async_trait::async_trait;
use mongodb::bson::{Bson, doc};

use super::Store;
use super::accounts::Record;
use super::fault::Fault;
use super::indexes::{ACCOUNTS, ADDRESS_CHANGES, CHALLENGES, DEVICES, FACTORS, HOOK_CLAIMS, LEDGER, PENDING_SIGN_INS};
use super::ledger::Stroke;
use super::link::Link;
use super::query::Query;
use super::transact::{Act, End};
use crate::clock::Timestamp;
use crate::id::AccountId;
use crate::outage::Outage;
use crate::revocation::Subject;
use crate::signin::{Account, Accounts as _, Roster, Sought, Written, account as accounts};

#[async_trait]
impl Roster for Store {
    async fn change(&self, account: &Account, expires_at: Timestamp) -> Result<Written, Outage> {
        let done = self.carry_out_unless_taken(&Change { account, stroke: Stroke::outdating(expires_at) }).await?;
        Ok(done.unwrap_or(Written::Taken))
    }

    async fn remove(&self, id: &AccountId, revision: i64, reason: &str, now: Timestamp, expires_at: Timestamp) -> Result<Written, Outage> {
        self.carry_out(&Remove { id, revision, stroke: Stroke { reason, now, expires_at } }).await
    }

    /// Addresses and user names are unique: where one is sought, there is one account at most.
    async fn page(&self, sought: &Sought, after: Option<&AccountId>, limit: u32) -> Result<Vec<Account>, Outage> {
        let one = match (&sought.handle, &sought.username) {
            (Some(handle), _) => self.find_by_handle(handle).await?,
            (None, Some(name)) => self.account(Query::of(ACCOUNTS, doc! { "username_folded": accounts::folded(name) })).await?,
            (None, None) => return self.some(sought, after, limit).await,
        };
        let is_next = |found: &Account| limit > 0 && sought.is(found) && after.is_none_or(|after| found.id > *after);
        Ok(one.into_iter().filter(is_next).collect())
    }
}

impl Store {
    async fn some(&self, sought: &Sought, after: Option<&AccountId>, limit: u32) -> Result<Vec<Account>, Outage> {
        let mut filter = doc! { "_id": { "$gt": after.map_or("", AccountId::as_str) } };
        if let Some(group) = &sought.group {
            filter.insert("groups", group);
        }
        match sought.disabled {
            Some(true) => drop(filter.insert("disabled_at", doc! { "$ne": Bson::Null })),
            Some(false) => drop(filter.insert("disabled_at", Bson::Null)),
            None => {}
        }
        let found: Vec<Record> = self.ask(Query::of(ACCOUNTS, filter).sorted(doc! { "_id": 1 }).at_most(limit)).await?;
        Ok(found.into_iter().map(Record::read).collect::<Result<_, _>>()?)
    }
}

/// Change an account, and write the line that makes its tokens outdated.
struct Change<'a> {
    account: &'a Account,
    stroke: Stroke<'a>,
}

#[async_trait]
impl Act for Change<'_> {
    type Answer = Written;

    /// It moves the ledger's head.
    fn about(&self) -> &str {
        LEDGER
    }

    async fn run(&self, link: &mut Link) -> Result<End<Written>, Fault> {
        let new = self.account;
        let old = doc! { "_id": new.id.as_str(), "revision": new.revision };
        let Some(before) = link.ask_one::<Record>(Query::of(ACCOUNTS, old.clone())).await?.map(Record::read).transpose()? else {
            return Ok(End::RollBack(Written::Stale));
        };
        if link.update(ACCOUNTS, old, Record::of(new)?.changes()).await? == 0 {
            return Err(Fault::Raced);
        }
        if before.email != new.email || before.phone != new.phone {
            for from in [CHALLENGES, ADDRESS_CHANGES, PENDING_SIGN_INS] {
                link.delete_all(from, doc! { "account_id": new.id.as_str() }).await?;
            }
        }
        Ok(self.stroke.outdate(link, new).await?.map(Written::Done))
    }
}

/// Forget an account with what belongs to it. A session of it that begins meanwhile holds it: one of the two begins again.
struct Remove<'a> {
    id: &'a AccountId,
    revision: i64,
    stroke: Stroke<'a>,
}

#[async_trait]
impl Act for Remove<'_> {
    type Answer = Written;

    fn about(&self) -> &str {
        LEDGER
    }

    async fn run(&self, link: &mut Link) -> Result<End<Written>, Fault> {
        let id = self.id.as_str();
        if link.delete(ACCOUNTS, doc! { "_id": id, "revision": self.revision }).await? == 0 {
            return Ok(End::RollBack(Written::Stale));
        }
        let live = self.stroke.live_of(link, self.id).await?;
        for from in [FACTORS, HOOK_CLAIMS] {
            link.delete(from, doc! { "_id": id }).await?;
        }
        for from in [CHALLENGES, ADDRESS_CHANGES, PENDING_SIGN_INS, DEVICES] {
            link.delete_all(from, doc! { "account_id": id }).await?;
        }
        let account = Subject::Account(self.id.clone(), self.revision.saturating_add(1));
        let subjects = live.into_iter().chain([account]).collect();
        Ok(self.stroke.write(link, subjects).await?.map(Written::Done))
    }
}
