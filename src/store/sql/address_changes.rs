//! Addresses that accounts are about to have, and those that they lose.

use std::time::Duration;

use async_trait::async_trait;

use super::Store;
use super::accounts;
use super::challenges::{self, Kind, use_budget, wait};
use super::fault::Fault;
use super::ledger::Stroke;
use super::link::{Link, Row, Value};
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
        self.sweep_all(self.writers.sql.sweep_changes, now).await
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

    async fn run(&self, link: &mut Link) -> Result<End<Opened>, Fault> {
        let AddressChange { account, handle, created_at: now, .. } = self.change;
        if let Some(wait) = wait(link, handle, *now, now.plus(self.resend_after)).await? {
            return Ok(End::RollBack(Opened::TooSoon(wait)));
        }
        link.execute(link.sql.add_change, &values(self.change)).await?;
        let live = link.fetch(link.sql.changes_of_account, &[account.into(), (*now).into()]).await?;
        for row in live.iter().skip(usize::try_from(self.live).unwrap_or(usize::MAX)) {
            link.execute(link.sql.delete_change, &[(&row.text("id")?).into()]).await?;
        }
        Ok(End::Commit(Opened::Open))
    }
}

fn values(change: &AddressChange) -> [Value; 8] {
    [
        (&change.id).into(),
        (&change.account).into(),
        (&change.handle).into(),
        (&change.sealed).into(),
        change.channel.as_str().into(),
        (&change.code).into(),
        change.created_at.into(),
        change.expires_at.into(),
    ]
}

/// Count one attempt. The change comes first, which locks it.
struct TakeAttempt<'a> {
    attempt: &'a ChangeAttempt,
    now: Timestamp,
}

#[async_trait]
impl Act for TakeAttempt<'_> {
    type Answer = ChangeTaken;

    async fn run(&self, link: &mut Link) -> Result<End<ChangeTaken>, Fault> {
        let ChangeAttempt { account, per_change, budget, .. } = self.attempt;
        let Some(at) = self.pointed(link).await? else {
            return Ok(End::RollBack(ChangeTaken::Nothing));
        };
        if !count(link, &at, account, *per_change, self.now).await? {
            return Ok(End::RollBack(ChangeTaken::Exhausted(at.expires_at.since(self.now))));
        }
        if let Some(wait) = use_budget(link, account.as_str(), KIND, *budget, self.now).await? {
            return Ok(End::RollBack(ChangeTaken::Exhausted(wait)));
        }
        let to = [account.into(), (&at.handle).into(), self.now.into(), CANDIDATES.into()];
        let rows = link.fetch(link.sql.changes_to_handle, &to).await?;
        Ok(End::Commit(ChangeTaken::Counted(rows.iter().map(candidate).collect::<Result<_, _>>()?)))
    }
}

impl TakeAttempt<'_> {
    async fn pointed(&self, link: &mut Link) -> Result<Option<Pointed>, Fault> {
        let account = &self.attempt.account;
        let row = match &self.attempt.id {
            Some(id) => link.fetch_one(link.sql.change_by_id, &[id.into(), account.into(), self.now.into()]).await?,
            None => link.fetch_one(link.sql.changes_of_account, &[account.into(), self.now.into()]).await?,
        };
        row.as_ref().map(Pointed::read).transpose()
    }
}

/// Count one at the change. False when none is left.
async fn count(link: &mut Link, at: &Pointed, account: &AccountId, most: u32, now: Timestamp) -> Result<bool, Fault> {
    if link.execute(link.sql.count_change_attempt, &[(&at.id).into(), most.into(), now.into()]).await? > 0 {
        return Ok(true);
    }
    // Nothing was counted because none is left, or because it was spent since we looked: then look again.
    let left = link.fetch_one(link.sql.change_by_id, &[(&at.id).into(), account.into(), now.into()]).await?;
    if left.is_some() { Ok(false) } else { Err(Fault::Raced) }
}

/// Spend a change and set the address. The account is locked first: of two changes at once the later sees the earlier.
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

    async fn run(&self, link: &mut Link) -> Result<End<(Settled, Vec<Entry>)>, Fault> {
        let Some(before) = locked(link, self.account).await? else {
            return Ok(End::RollBack((Settled::Nothing, Vec::new())));
        };
        if link.execute(link.sql.spend_change, &[self.id.into(), self.account.into(), self.now.into()]).await? == 0 {
            return Ok(End::RollBack((Settled::Nothing, Vec::new())));
        }
        let set = match self.handle {
            Handle::Email(_) => link.sql.set_email,
            Handle::Phone(_) => link.sql.set_phone,
        };
        if link.execute(set, &[self.handle.expose().into(), self.account.into()]).await? == 0 {
            return Ok(End::RollBack((Settled::Nothing, Vec::new())));
        }
        let back = [self.account.into(), KIND.as_str().into(), self.now.into()];
        link.execute(link.sql.give_back_budget, &back).await?;
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

    async fn run(&self, link: &mut Link) -> Result<End<(Removed, Vec<Entry>)>, Fault> {
        let Some(before) = locked(link, self.account).await? else {
            return Ok(End::RollBack((Removed::Nothing, Vec::new())));
        };
        let (gone, is_other_left, drop) = match self.which {
            Changed::Email => (&before.email, before.phone.is_some() && before.phone_verified, link.sql.drop_email),
            Changed::Phone => (&before.phone, before.email.is_some() && before.email_verified, link.sql.drop_phone),
        };
        if gone.is_none() {
            return Ok(End::RollBack((Removed::Nothing, Vec::new())));
        }
        if !is_other_left {
            return Ok(End::RollBack((Removed::Last, Vec::new())));
        }
        link.execute(drop, &[self.account.into()]).await?;
        let lines = outdate(link, &before, self.expires_at).await?;
        Ok(lines.map(|lines| (Removed::Gone(Box::new(before)), lines)))
    }
}

/// Nobody who has come half-way by an address before signs in any more, and tokens from before are outdated.
async fn outdate(link: &mut Link, before: &Account, expires_at: Timestamp) -> Result<End<Vec<Entry>>, Fault> {
    link.execute(link.sql.drop_pendings, &[(&before.id).into()]).await?;
    Stroke::outdating(expires_at).outdate(link, before).await
}

/// The account, which nobody else changes meanwhile.
async fn locked(link: &mut Link, id: &AccountId) -> Result<Option<Account>, Fault> {
    link.fetch(link.sql.lock_account, &[id.into()]).await?;
    let row = link.fetch_one(link.sql.account_by_id, &[id.into()]).await?;
    row.as_ref().map(accounts::account).transpose()
}

struct Pointed {
    id: String,
    handle: String,
    expires_at: Timestamp,
}

impl Pointed {
    fn read(row: &Row) -> Result<Self, Fault> {
        Ok(Self { id: row.text("id")?, handle: row.text("handle")?, expires_at: row.time("expires_at")? })
    }
}

fn candidate(row: &Row) -> Result<ChangeCandidate, Fault> {
    Ok(ChangeCandidate { sent: challenges::candidate(row)?, sealed: row.text("sealed")? })
}
