//! Challenges, the attempts at them, and the waits between two.

use std::time::Duration;

use async_trait::async_trait;

use super::Store;
use super::fault::Fault;
use super::link::{Link, Row, Value};
use super::transact::{Act, End};
use crate::clock::Timestamp;
use crate::id::AccountId;
use crate::limits::Quota;
use crate::outage::Outage;
use crate::signin::{Attempt, Candidate, Challenge, Challenges, Channel, Opened, Pointer, Taken};

/// How many live codes an attempt is compared with.
const CANDIDATES: u32 = 3;

#[async_trait]
impl Challenges for Store {
    async fn open(&self, challenge: &Challenge, resend_after: Duration, live: u32) -> Result<Opened, Outage> {
        self.carry_out(&Open { challenge, resend_after, live }).await
    }

    async fn take_attempt(&self, attempt: &Attempt, now: Timestamp) -> Result<Taken, Outage> {
        self.carry_out(&TakeAttempt { attempt, now }).await
    }

    async fn spend(&self, id: &str, pointer: &Pointer, now: Timestamp) -> Result<bool, Outage> {
        self.carry_out(&Spend { id, pointer, now }).await
    }

    async fn give_back(&self, pointer: &Pointer, now: Timestamp) -> Result<(), Outage> {
        self.carry_out(&GiveBack { pointer, now }).await
    }

    async fn release(&self, handle: &str) -> Result<(), Outage> {
        self.change(self.writers.sql.release_resend, &[handle.into()]).await?;
        Ok(())
    }

    async fn sweep(&self, now: Timestamp) -> Result<u64, Outage> {
        let sql = self.writers.sql;
        let mut swept = 0_u64;
        for statement in [sql.sweep_challenges, sql.sweep_budgets, sql.sweep_resends] {
            swept = swept.saturating_add(self.sweep_all(statement, now).await?);
        }
        Ok(swept)
    }
}

/// Store a challenge, if its address has waited long enough.
struct Open<'a> {
    challenge: &'a Challenge,
    resend_after: Duration,
    live: u32,
}

#[async_trait]
impl Act for Open<'_> {
    type Answer = Opened;

    async fn run(&self, link: &mut Link) -> Result<End<Opened>, Fault> {
        let Challenge { handle, subject, created_at: now, .. } = self.challenge;
        if let Some(wait) = wait(link, handle, *now, now.plus(self.resend_after)).await? {
            return Ok(End::RollBack(Opened::TooSoon(wait)));
        }
        link.execute(link.sql.add_challenge, &values(self.challenge)).await?;
        end_older(link, subject, *now, self.live).await?;
        Ok(End::Commit(Opened::Open))
    }
}

fn values(challenge: &Challenge) -> [Value; 8] {
    [
        (&challenge.id).into(),
        (&challenge.subject).into(),
        challenge.account.as_ref().map(AccountId::as_str).into(),
        (&challenge.handle).into(),
        challenge.channel.as_str().into(),
        (&challenge.code).into(),
        challenge.created_at.into(),
        challenge.expires_at.into(),
    ]
}

/// Take the turn of `handle` until `until`; else how long it has to wait. Renewed before it is added: the other way round,
/// MySQL would give a share of the row to all who come at once, and none of them could then have it alone.
pub(super) async fn wait(link: &mut Link, handle: &str, now: Timestamp, until: Timestamp) -> Result<Option<Duration>, Fault> {
    if link.execute(link.sql.renew_resend, &[until.into(), handle.into(), now.into()]).await? > 0 {
        return Ok(None);
    }
    if link.execute(link.sql.add_resend, &[handle.into(), until.into()]).await? > 0 {
        return Ok(None);
    }
    let row = link.fetch_one(link.sql.resend, &[handle.into()]).await?.ok_or(Fault::Raced)?;
    let wait = row.time("ends_at")?.since(now);
    if wait.is_zero() { Err(Fault::Raced) } else { Ok(Some(wait)) }
}

async fn end_older(link: &mut Link, subject: &str, now: Timestamp, live: u32) -> Result<(), Fault> {
    let rows = link.fetch(link.sql.challenge_ids_of_subject, &[subject.into(), now.into()]).await?;
    for row in rows.iter().skip(usize::try_from(live).unwrap_or(usize::MAX)) {
        link.execute(link.sql.delete_challenge, &[(&row.text("id")?).into()]).await?;
    }
    Ok(())
}

/// Count one attempt. The challenge comes first, which locks it: who comes at once waits there, and sees the count of those
/// before.
struct TakeAttempt<'a> {
    attempt: &'a Attempt,
    now: Timestamp,
}

#[async_trait]
impl Act for TakeAttempt<'_> {
    type Answer = Taken;

    async fn run(&self, link: &mut Link) -> Result<End<Taken>, Fault> {
        let Attempt { pointer, per_challenge, budget } = self.attempt;
        let Some(at) = pointed(link, pointer, self.now).await? else {
            return Ok(End::RollBack(Taken::Nothing));
        };
        let kind = Kind::of(pointer);
        if !count(link, &at, kind, *per_challenge, self.now).await? {
            return Ok(End::RollBack(Taken::Exhausted(at.expires_at.since(self.now))));
        }
        if let Some(wait) = use_budget(link, &at.subject, kind, *budget, self.now).await? {
            return Ok(End::RollBack(Taken::Exhausted(wait)));
        }
        let candidates = candidates(link, &at.subject, self.now).await?;
        Ok(End::Commit(Taken::Counted { account: at.account, candidates }))
    }
}

async fn candidates(link: &mut Link, subject: &str, now: Timestamp) -> Result<Vec<Candidate>, Fault> {
    let rows = link.fetch(link.sql.challenges_of_subject, &[subject.into(), now.into(), CANDIDATES.into()]).await?;
    rows.iter().map(candidate).collect()
}

/// The challenge that `pointer` means.
async fn pointed(link: &mut Link, pointer: &Pointer, now: Timestamp) -> Result<Option<Pointed>, Fault> {
    match pointer {
        Pointer::Bound { id, handle } => {
            let row = link.fetch_one(link.sql.challenge_by_id, &[id.into(), now.into()]).await?;
            let Some(at) = row.as_ref().map(Pointed::read).transpose()? else { return Ok(None) };
            let own = is_own(link, &at, handle.as_deref(), now).await?;
            Ok(own.then_some(at))
        }
        Pointer::Unbound { handle, account } => {
            let subject = account.as_ref().map_or(handle.as_str(), AccountId::as_str);
            let row = link.fetch_one(link.sql.latest_challenge, &[handle.into(), subject.into(), now.into()]).await?;
            row.as_ref().map(Pointed::read).transpose()
        }
    }
}

/// Does the address that was typed belong to the challenge? Its subject may own two, and have asked for both.
async fn is_own(link: &mut Link, at: &Pointed, handle: Option<&str>, now: Timestamp) -> Result<bool, Fault> {
    let Some(handle) = handle.filter(|handle| *handle != at.handle) else {
        return Ok(true);
    };
    let other = [(&at.subject).into(), handle.into(), now.into()];
    Ok(link.fetch_one(link.sql.challenge_of_subject_with_handle, &other).await?.is_some())
}

/// Count one at the challenge. False when none is left.
async fn count(link: &mut Link, at: &Pointed, kind: Kind, most: u32, now: Timestamp) -> Result<bool, Fault> {
    let sql = match kind {
        Kind::Bound => link.sql.count_bound_attempt,
        Kind::Unbound | Kind::AppBound | Kind::AppWindow | Kind::AppUnbound => link.sql.count_unbound_attempt,
    };
    if link.execute(sql, &[(&at.id).into(), most.into(), now.into()]).await? > 0 {
        return Ok(true);
    }
    // Nothing was counted because none is left, or because it was spent since we looked: then look again.
    let left = link.fetch_one(link.sql.challenge_by_id, &[(&at.id).into(), now.into()]).await?;
    if left.is_some() { Ok(false) } else { Err(Fault::Raced) }
}

/// Take one from the budget of `subject`; else how long until there is a new one.
pub(super) async fn use_budget(
    link: &mut Link,
    subject: &str,
    kind: Kind,
    budget: Quota,
    now: Timestamp,
) -> Result<Option<Duration>, Fault> {
    if budget.count == 0 {
        return Ok(Some(budget.window));
    }
    let ends = now.plus(budget.window);
    let word = kind.as_str();
    let used = link.execute(link.sql.use_budget, &[subject.into(), word.into(), now.into(), budget.count.into()]).await? > 0
        || link.execute(link.sql.renew_budget, &[ends.into(), subject.into(), word.into(), now.into()]).await? > 0
        || link.execute(link.sql.add_budget, &[subject.into(), word.into(), ends.into()]).await? > 0;
    if used {
        return Ok(None);
    }
    let row = link.fetch_one(link.sql.budget, &[subject.into(), word.into()]).await?.ok_or(Fault::Raced)?;
    let wait = row.time("ends_at")?.since(now);
    let is_spent = row.int("used")? >= i64::from(budget.count) && !wait.is_zero();
    if is_spent { Ok(Some(wait)) } else { Err(Fault::Raced) }
}

/// Spend a challenge by deleting it: one of all who try deletes a row.
struct Spend<'a> {
    id: &'a str,
    pointer: &'a Pointer,
    now: Timestamp,
}

#[async_trait]
impl Act for Spend<'_> {
    type Answer = bool;

    async fn run(&self, link: &mut Link) -> Result<End<bool>, Fault> {
        let row = link.fetch_one(link.sql.challenge_by_id, &[self.id.into(), self.now.into()]).await?;
        let Some(at) = row.as_ref().map(Pointed::read).transpose()? else {
            return Ok(End::RollBack(false));
        };
        if link.execute(link.sql.spend_challenge, &[self.id.into(), self.now.into()]).await? == 0 {
            return Ok(End::RollBack(false));
        }
        let kind = Kind::of(self.pointer).as_str();
        link.execute(link.sql.give_back_budget, &[(&at.subject).into(), kind.into(), self.now.into()]).await?;
        Ok(End::Commit(true))
    }
}

/// Take an attempt back that was counted. The challenge comes first, as it does for who counts one.
struct GiveBack<'a> {
    pointer: &'a Pointer,
    now: Timestamp,
}

#[async_trait]
impl Act for GiveBack<'_> {
    type Answer = ();

    async fn run(&self, link: &mut Link) -> Result<End<()>, Fault> {
        let Some(at) = pointed(link, self.pointer, self.now).await? else { return Ok(End::RollBack(())) };
        let (kind, id) = (Kind::of(self.pointer), (&at.id).into());
        let sql = match self.pointer {
            Pointer::Bound { .. } => link.sql.give_back_bound_attempt,
            Pointer::Unbound { .. } => link.sql.give_back_unbound_attempt,
        };
        link.execute(sql, &[id]).await?;
        link.execute(link.sql.give_back_budget, &[(&at.subject).into(), kind.as_str().into(), self.now.into()]).await?;
        Ok(End::Commit(()))
    }
}

/// Which of the two counts.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Bound,
    Unbound,
    /// Those of an app's subject: by challenge; by name, in a while; by name.
    AppBound,
    AppWindow,
    AppUnbound,
}

impl Kind {
    const fn of(pointer: &Pointer) -> Self {
        match pointer {
            Pointer::Bound { .. } => Self::Bound,
            Pointer::Unbound { .. } => Self::Unbound,
        }
    }

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Bound => "bound",
            Self::Unbound => "unbound",
            Self::AppBound => "app_bound",
            Self::AppWindow => "app_window",
            Self::AppUnbound => "app_unbound",
        }
    }
}

/// The challenge that an attempt is at.
struct Pointed {
    id: String,
    subject: String,
    account: Option<AccountId>,
    handle: String,
    expires_at: Timestamp,
}

impl Pointed {
    fn read(row: &Row) -> Result<Self, Fault> {
        Ok(Self {
            id: row.text("id")?,
            subject: row.text("subject")?,
            account: row.text_or_none("account_id")?.map(AccountId::new),
            handle: row.text("handle")?,
            expires_at: row.time("expires_at")?,
        })
    }
}

/// A live code, in a row that has its columns.
pub(super) fn candidate(row: &Row) -> Result<Candidate, Fault> {
    Ok(Candidate {
        id: row.text("id")?,
        code: row.text("code")?,
        channel: row.parsed("channel", Channel::parse)?,
        handle: row.text("handle")?,
    })
}
