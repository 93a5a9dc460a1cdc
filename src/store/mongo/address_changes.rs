//! Addresses that accounts are about to have, and those that they lose.

use std::time::Duration;

use async_trait::async_trait;
use mongodb::bson::{Bson, Document, doc};
use serde::Deserialize;

use super::Store;
use super::accounts;
use super::challenges::{Kind, Sent, brief, give_back, use_budget, wait};
use super::fault::Fault;
use super::indexes::{ACCOUNTS, ADDRESS_CHANGES, LEDGER, PENDING_SIGN_INS};
use super::ledger::Stroke;
use super::link::Link;
use super::query::{Query, after, before};
use super::transact::{Act, End};
use crate::clock::Timestamp;
use crate::id::AccountId;
use crate::outage::Outage;
use crate::revocation::Entry;
use crate::signin::{Account, AddressChange, AddressChanges, ChangeAttempt, ChangeCandidate, ChangeTaken, Changed, Handle, Opened};
use crate::signin::{Removed, Settled};

/// How many live codes an attempt is compared with.
const CANDIDATES: u32 = 3;

/// Whoever tries is signed in, and holds what was asked for: one budget with those who hold a challenge.
const KIND: Kind = Kind::Bound;

#[async_trait]
impl AddressChanges for Store {
    async fn open(&self, change: &AddressChange, resend_after: Duration, live: u32) -> Result<Opened, Outage> {
        self.carry_out(&Open { change, resend_after, live }).await
    }

    async fn take_attempt(&self, attempt: &ChangeAttempt, now: Timestamp) -> Result<ChangeTaken, Outage> {
        self.carry_out(&TakeAttempt { attempt, now }).await
    }

    async fn settle(
        &self,
        id: &str,
        account: &AccountId,
        handle: &Handle,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(Settled, Vec<Entry>), Outage> {
        let settled = self.carry_out_unless_taken(&Settle { id, account, handle, now, expires_at }).await?;
        Ok(settled.unwrap_or((Settled::Taken, Vec::new())))
    }

    async fn remove(&self, account: &AccountId, which: Changed, expires_at: Timestamp) -> Result<(Removed, Vec<Entry>), Outage> {
        self.carry_out(&Remove { account, which, expires_at }).await
    }

    async fn sweep(&self, now: Timestamp) -> Result<u64, Outage> {
        self.sweep_all(ADDRESS_CHANGES, doc! { "expires_at": before(now) }).await
    }
}

/// Store a change, if its address has waited long enough.
struct Open<'a> {
    change: &'a AddressChange,
    resend_after: Duration,
    live: u32,
}

#[async_trait]
impl Act for Open<'_> {
    type Answer = Opened;

    fn about(&self) -> &str {
        &self.change.handle
    }

    async fn run(&self, link: &mut Link) -> Result<End<Opened>, Fault> {
        let AddressChange { account, handle, created_at: now, .. } = self.change;
        if let Some(wait) = wait(link, handle, *now, now.plus(self.resend_after)).await? {
            return Ok(End::RollBack(Opened::TooSoon(wait)));
        }
        brief(link, ADDRESS_CHANGES, &self.change.id, fields(self.change)).await?;
        let live: Vec<Pointed> = link.ask(of_account(account, *now)).await?;
        for older in live.iter().skip(usize::try_from(self.live).unwrap_or(usize::MAX)) {
            link.delete(ADDRESS_CHANGES, doc! { "_id": &older.id }).await?;
        }
        Ok(End::Commit(Opened::Open))
    }
}

fn fields(change: &AddressChange) -> Document {
    doc! {
        "account_id": change.account.as_str(),
        "handle": &change.handle,
        "sealed": &change.sealed,
        "channel": change.channel.as_str(),
        "code": &change.code,
        "created_at": change.created_at.as_millis(),
        "expires_at": change.expires_at.as_millis(),
        "attempts": 0_i64,
    }
}

fn of_account(account: &AccountId, now: Timestamp) -> Query {
    Query::of(ADDRESS_CHANGES, doc! { "account_id": account.as_str(), "expires_at": after(now) }).newest_first()
}

/// Count one attempt at the change and in the budget of its account.
struct TakeAttempt<'a> {
    attempt: &'a ChangeAttempt,
    now: Timestamp,
}

#[async_trait]
impl Act for TakeAttempt<'_> {
    type Answer = ChangeTaken;

    fn about(&self) -> &str {
        self.attempt.account.as_str()
    }

    async fn run(&self, link: &mut Link) -> Result<End<ChangeTaken>, Fault> {
        let ChangeAttempt { account, per_change, budget, .. } = self.attempt;
        let Some(at) = self.pointed(link).await? else {
            return Ok(End::RollBack(ChangeTaken::Nothing));
        };
        if at.attempts >= i64::from(*per_change) {
            let wait = Timestamp::from_millis(at.expires_at).since(self.now);
            return Ok(End::RollBack(ChangeTaken::Exhausted(wait)));
        }
        if link.update(ADDRESS_CHANGES, doc! { "_id": &at.id }, doc! { "$inc": { "attempts": 1_i64 } }).await? == 0 {
            return Err(Fault::Raced);
        }
        if let Some(wait) = use_budget(link, account.as_str(), KIND, *budget, self.now).await? {
            return Ok(End::RollBack(ChangeTaken::Exhausted(wait)));
        }
        let to = doc! { "account_id": account.as_str(), "handle": &at.handle, "expires_at": after(self.now) };
        let to: Vec<Candidate> = link.ask(Query::of(ADDRESS_CHANGES, to).newest_first().at_most(CANDIDATES)).await?;
        Ok(End::Commit(ChangeTaken::Counted(to.into_iter().map(Candidate::read).collect::<Result<_, _>>()?)))
    }
}

impl TakeAttempt<'_> {
    async fn pointed(&self, link: &mut Link) -> Result<Option<Pointed>, Fault> {
        let mut query = of_account(&self.attempt.account, self.now);
        if let Some(id) = &self.attempt.id {
            query.filter.insert("_id", id);
        }
        link.ask_one(query).await
    }
}

/// Spend a change and set the address. The account is held first: of two changes at once the later sees the earlier.
struct Settle<'a> {
    id: &'a str,
    account: &'a AccountId,
    handle: &'a Handle,
    now: Timestamp,
    expires_at: Timestamp,
}

#[async_trait]
impl Act for Settle<'_> {
    type Answer = (Settled, Vec<Entry>);

    /// It moves the ledger's head.
    fn about(&self) -> &str {
        LEDGER
    }

    async fn run(&self, link: &mut Link) -> Result<End<(Settled, Vec<Entry>)>, Fault> {
        let Some(before) = held(link, self.account).await? else {
            return Ok(End::RollBack((Settled::Nothing, Vec::new())));
        };
        let change = doc! { "_id": self.id, "account_id": self.account.as_str(), "expires_at": after(self.now) };
        if link.delete(ADDRESS_CHANGES, change).await? == 0 {
            return Ok(End::RollBack((Settled::Nothing, Vec::new())));
        }
        let set = match self.handle {
            Handle::Email(email) => doc! { "email": email, "email_verified": true },
            Handle::Phone(phone) => doc! { "phone": phone, "phone_verified": true },
        };
        let set = doc! { "$set": set, "$inc": { "revision": 1_i64 } };
        let enabled = doc! { "_id": self.account.as_str(), "disabled_at": Bson::Null };
        if link.update(ACCOUNTS, enabled, set).await? == 0 {
            return Ok(End::RollBack((Settled::Nothing, Vec::new())));
        }
        give_back(link, self.account.as_str(), KIND, self.now).await?;
        let lines = outdate(link, &before, self.expires_at).await?;
        Ok(lines.map(|lines| (Settled::Set(Box::new(before)), lines)))
    }
}

/// Take an address away, while another is left.
struct Remove<'a> {
    account: &'a AccountId,
    which: Changed,
    expires_at: Timestamp,
}

#[async_trait]
impl Act for Remove<'_> {
    type Answer = (Removed, Vec<Entry>);

    /// It moves the ledger's head.
    fn about(&self) -> &str {
        LEDGER
    }

    async fn run(&self, link: &mut Link) -> Result<End<(Removed, Vec<Entry>)>, Fault> {
        let Some(before) = held(link, self.account).await? else {
            return Ok(End::RollBack((Removed::Nothing, Vec::new())));
        };
        let (gone, is_other_left, address, verified) = match self.which {
            Changed::Email => (&before.email, before.phone.is_some() && before.phone_verified, "email", "email_verified"),
            Changed::Phone => (&before.phone, before.email.is_some() && before.email_verified, "phone", "phone_verified"),
        };
        if gone.is_none() {
            return Ok(End::RollBack((Removed::Nothing, Vec::new())));
        }
        if !is_other_left {
            return Ok(End::RollBack((Removed::Last, Vec::new())));
        }
        let change = doc! { "$unset": { address: "" }, "$set": { verified: false }, "$inc": { "revision": 1_i64 } };
        link.update(ACCOUNTS, doc! { "_id": self.account.as_str() }, change).await?;
        let lines = outdate(link, &before, self.expires_at).await?;
        Ok(lines.map(|lines| (Removed::Gone(Box::new(before)), lines)))
    }
}

/// Nobody who has come half-way by an address before signs in any more, and tokens from before are outdated.
async fn outdate(link: &mut Link, before: &Account, expires_at: Timestamp) -> Result<End<Vec<Entry>>, Fault> {
    link.delete_all(PENDING_SIGN_INS, doc! { "account_id": before.id.as_str() }).await?;
    Stroke::outdating(expires_at).outdate(link, before).await
}

/// The account, which nobody else changes meanwhile.
async fn held(link: &mut Link, id: &AccountId) -> Result<Option<Account>, Fault> {
    link.hold(ACCOUNTS, id.as_str()).await?;
    let found: Option<accounts::Record> = link.ask_one(Query::by_id(ACCOUNTS, id.as_str())).await?;
    found.map(accounts::Record::read).transpose()
}

/// The change that an attempt is at.
#[derive(Deserialize)]
struct Pointed {
    #[serde(rename = "_id")]
    id: String,
    handle: String,
    expires_at: i64,
    attempts: i64,
}

/// A code that was sent, and the address that it was sent to.
#[derive(Deserialize)]
struct Candidate {
    sealed: String,
    #[serde(flatten)]
    sent: Sent,
}

impl Candidate {
    fn read(self) -> Result<ChangeCandidate, Fault> {
        Ok(ChangeCandidate { sent: self.sent.candidate()?, sealed: self.sealed })
    }
}
