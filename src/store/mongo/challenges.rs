//! Challenges, the attempts at them, and the waits between two.

use std::time::Duration;

use async_trait::async_trait;
use mongodb::bson::{Document, doc};
use serde::Deserialize;

use super::Store;
use super::fault::Fault;
use super::indexes::{CHALLENGES, FAILURES, RESENDS, WRITTEN};
use super::link::Link;
use super::query::{Query, after, before, until};
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
        self.delete(RESENDS, doc! { "_id": handle }).await?;
        Ok(())
    }

    async fn sweep(&self, now: Timestamp) -> Result<u64, Outage> {
        let challenges = self.sweep_all(CHALLENGES, doc! { "expires_at": before(now) }).await?;
        let budgets = self.sweep_all(FAILURES, doc! { "ends_at": until(now) }).await?;
        let resends = self.sweep_all(RESENDS, doc! { "ends_at": until(now) }).await?;
        Ok(challenges.saturating_add(budgets).saturating_add(resends))
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

    fn about(&self) -> &str {
        &self.challenge.handle
    }

    async fn run(&self, link: &mut Link) -> Result<End<Opened>, Fault> {
        let Challenge { handle, subject, created_at: now, .. } = self.challenge;
        if let Some(wait) = wait(link, handle, *now, now.plus(self.resend_after)).await? {
            return Ok(End::RollBack(Opened::TooSoon(wait)));
        }
        brief(link, CHALLENGES, &self.challenge.id, fields(self.challenge)).await?;
        let live = Query::of(CHALLENGES, doc! { "subject": subject, "expires_at": after(*now) }).newest_first();
        let live: Vec<Pointed> = link.ask(live).await?;
        for older in live.iter().skip(usize::try_from(self.live).unwrap_or(usize::MAX)) {
            link.delete(CHALLENGES, doc! { "_id": &older.id }).await?;
        }
        Ok(End::Commit(Opened::Open))
    }
}

fn fields(challenge: &Challenge) -> Document {
    let mut fields = doc! {
        "subject": &challenge.subject,
        "handle": &challenge.handle,
        "channel": challenge.channel.as_str(),
        "code": &challenge.code,
        "created_at": challenge.created_at.as_millis(),
        "expires_at": challenge.expires_at.as_millis(),
        "bound_attempts": 0_i64,
        "unbound_attempts": 0_i64,
    };
    if let Some(account) = &challenge.account {
        fields.insert("account_id", account.as_str());
    }
    fields
}

/// Keep a new document that lives shortly, with the server's time beside it.
pub(super) async fn brief(link: &mut Link, into: &'static str, id: &str, fields: Document) -> Result<(), Fault> {
    let there = link.put(into, doc! { "_id": id }, written_now(fields)).await?;
    if there == 0 { Ok(()) } else { Err(Fault::Corrupt("_id")) }
}

/// The change that makes a document of these fields, with the server's time beside them.
pub(super) fn written_now(fields: Document) -> Document {
    doc! { "$setOnInsert": fields, "$currentDate": { WRITTEN: true } }
}

/// Take the turn of `handle` until `until`; else how long it has to wait.
pub(super) async fn wait(link: &mut Link, handle: &str, now: Timestamp, until: Timestamp) -> Result<Option<Duration>, Fault> {
    let waiting: Option<Ending> = link.ask_one(Query::by_id(RESENDS, handle)).await?;
    let wait = waiting.map(|waiting| waiting.ends_at().since(now)).filter(|wait| !wait.is_zero());
    if wait.is_none() {
        let change = doc! { "$set": { "ends_at": until.as_millis() }, "$currentDate": { WRITTEN: true } };
        link.put(RESENDS, doc! { "_id": handle }, change).await.map_err(raced_if_taken)?;
    }
    Ok(wait)
}

/// What must be unique and was not there when we looked was made by somebody else since.
fn raced_if_taken(fault: Fault) -> Fault {
    if fault.is_taken() { Fault::Raced } else { fault }
}

/// Count one attempt at the challenge and in the budget of its subject.
struct TakeAttempt<'a> {
    attempt: &'a Attempt,
    now: Timestamp,
}

#[async_trait]
impl Act for TakeAttempt<'_> {
    type Answer = Taken;

    fn about(&self) -> &str {
        match &self.attempt.pointer {
            Pointer::Bound { id, .. } => id,
            Pointer::Unbound { handle, account } => account.as_ref().map_or(handle, AccountId::as_str),
        }
    }

    async fn run(&self, link: &mut Link) -> Result<End<Taken>, Fault> {
        let Attempt { pointer, per_challenge, budget } = self.attempt;
        let Some(at) = pointed(link, pointer, self.now).await? else {
            return Ok(End::RollBack(Taken::Nothing));
        };
        let kind = Kind::of(pointer);
        if !count(link, &at, kind, *per_challenge).await? {
            return Ok(End::RollBack(Taken::Exhausted(at.expires_at().since(self.now))));
        }
        if let Some(wait) = use_budget(link, &at.subject, kind, *budget, self.now).await? {
            return Ok(End::RollBack(Taken::Exhausted(wait)));
        }
        let candidates = candidates(link, &at.subject, self.now).await?;
        Ok(End::Commit(Taken::Counted { account: at.account_id.map(AccountId::new), candidates }))
    }
}

async fn candidates(link: &mut Link, subject: &str, now: Timestamp) -> Result<Vec<Candidate>, Fault> {
    let live = Query::of(CHALLENGES, doc! { "subject": subject, "expires_at": after(now) }).newest_first().at_most(CANDIDATES);
    let sent: Vec<Sent> = link.ask(live).await?;
    sent.into_iter().map(Sent::candidate).collect()
}

/// The challenge that `pointer` means.
async fn pointed(link: &mut Link, pointer: &Pointer, now: Timestamp) -> Result<Option<Pointed>, Fault> {
    match pointer {
        Pointer::Bound { id, handle } => {
            let at: Option<Pointed> = link.ask_one(Query::of(CHALLENGES, doc! { "_id": id, "expires_at": after(now) })).await?;
            let Some(at) = at else { return Ok(None) };
            let own = is_own(link, &at, handle.as_deref(), now).await?;
            Ok(own.then_some(at))
        }
        Pointer::Unbound { handle, account } => {
            let subject = account.as_ref().map_or(handle.as_str(), AccountId::as_str);
            let its = doc! { "$or": [{ "handle": handle }, { "subject": subject }], "expires_at": after(now) };
            link.ask_one(Query::of(CHALLENGES, its).newest_first()).await
        }
    }
}

/// Does the address that was typed belong to the challenge? Its subject may own two, and have asked for both.
async fn is_own(link: &mut Link, at: &Pointed, handle: Option<&str>, now: Timestamp) -> Result<bool, Fault> {
    let Some(handle) = handle.filter(|handle| *handle != at.handle) else {
        return Ok(true);
    };
    let other = doc! { "subject": &at.subject, "handle": handle, "expires_at": after(now) };
    Ok(link.ask_one::<Pointed>(Query::of(CHALLENGES, other)).await?.is_some())
}

/// Count one at the challenge. False when none is left. The transaction is undone if somebody else counts meanwhile.
async fn count(link: &mut Link, at: &Pointed, kind: Kind, most: u32) -> Result<bool, Fault> {
    let (counted, field) = match kind {
        Kind::Bound => (at.bound_attempts, "bound_attempts"),
        Kind::Unbound | Kind::AppBound | Kind::AppWindow | Kind::AppUnbound => (at.unbound_attempts, "unbound_attempts"),
    };
    if counted >= i64::from(most) {
        return Ok(false);
    }
    let found = link.update(CHALLENGES, doc! { "_id": &at.id }, doc! { "$inc": { field: 1_i64 } }).await?;
    if found == 1 { Ok(true) } else { Err(Fault::Raced) }
}

/// How long until there is a new budget of `subject`, if nothing is left of the one that there is. Takes nothing.
pub(super) async fn spent(link: &mut Link, subject: &str, kind: Kind, budget: Quota, now: Timestamp) -> Result<Option<Duration>, Fault> {
    let there: Option<Ending> = link.ask_one(Query::by_id(FAILURES, &budget_of(subject, kind))).await?;
    let spent = there.filter(|there| there.used >= i64::from(budget.count));
    Ok(spent.map(|spent| spent.ends_at().since(now)).filter(|wait| !wait.is_zero()))
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
    let id = budget_of(subject, kind);
    let there: Option<Ending> = link.ask_one(Query::by_id(FAILURES, &id)).await?;
    let running = there.filter(|there| !there.ends_at().since(now).is_zero());
    let change = match running {
        Some(running) if running.used >= i64::from(budget.count) => return Ok(Some(running.ends_at().since(now))),
        Some(_) => doc! { "$inc": { "used": 1_i64 }, "$currentDate": { WRITTEN: true } },
        None => {
            let anew = doc! { "used": 1_i64, "ends_at": now.plus(budget.window).as_millis() };
            doc! { "$set": anew, "$currentDate": { WRITTEN: true } }
        }
    };
    link.put(FAILURES, doc! { "_id": id }, change).await.map_err(raced_if_taken)?;
    Ok(None)
}

/// Give one back to the budget of `subject`, if its window has not ended.
pub(super) async fn give_back(link: &mut Link, subject: &str, kind: Kind, now: Timestamp) -> Result<(), Fault> {
    let running = doc! { "_id": budget_of(subject, kind), "ends_at": after(now), "used": { "$gt": 0_i64 } };
    link.update(FAILURES, running, doc! { "$inc": { "used": -1_i64 } }).await?;
    Ok(())
}

/// The name of a budget. The kinds are words of ours, so no two budgets have one name.
fn budget_of(subject: &str, kind: Kind) -> String {
    format!("{} {subject}", kind.as_str())
}

/// Spend a challenge by deleting it: one of all who try deletes a document.
struct Spend<'a> {
    id: &'a str,
    pointer: &'a Pointer,
    now: Timestamp,
}

#[async_trait]
impl Act for Spend<'_> {
    type Answer = bool;

    fn about(&self) -> &str {
        self.id
    }

    async fn run(&self, link: &mut Link) -> Result<End<bool>, Fault> {
        let live = doc! { "_id": self.id, "expires_at": after(self.now) };
        let Some(at) = link.ask_one::<Pointed>(Query::of(CHALLENGES, live)).await? else {
            return Ok(End::RollBack(false));
        };
        if link.delete(CHALLENGES, doc! { "_id": self.id }).await? == 0 {
            return Ok(End::RollBack(false));
        }
        give_back(link, &at.subject, Kind::of(self.pointer), self.now).await?;
        Ok(End::Commit(true))
    }
}

/// Take an attempt back that was counted.
struct GiveBack<'a> {
    pointer: &'a Pointer,
    now: Timestamp,
}

#[async_trait]
impl Act for GiveBack<'_> {
    type Answer = ();

    fn about(&self) -> &str {
        match self.pointer {
            Pointer::Bound { id, .. } => id,
            Pointer::Unbound { handle, account } => account.as_ref().map_or(handle, AccountId::as_str),
        }
    }

    async fn run(&self, link: &mut Link) -> Result<End<()>, Fault> {
        let Some(at) = pointed(link, self.pointer, self.now).await? else { return Ok(End::RollBack(())) };
        let field = match self.pointer {
            Pointer::Bound { .. } => "bound_attempts",
            Pointer::Unbound { .. } => "unbound_attempts",
        };
        let counted = doc! { "_id": &at.id, field: { "$gt": 0_i64 } };
        link.update(CHALLENGES, counted, doc! { "$inc": { field: -1_i64 } }).await?;
        give_back(link, &at.subject, Kind::of(self.pointer), self.now).await?;
        Ok(End::Commit(()))
    }
}

/// Which of the counts.
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

    const fn as_str(self) -> &'static str {
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
#[derive(Deserialize)]
struct Pointed {
    #[serde(rename = "_id")]
    id: String,
    subject: String,
    account_id: Option<String>,
    handle: String,
    expires_at: i64,
    bound_attempts: i64,
    unbound_attempts: i64,
}

impl Pointed {
    const fn expires_at(&self) -> Timestamp {
        Timestamp::from_millis(self.expires_at)
    }
}

/// A wait, or a budget with what is used of it.
#[derive(Deserialize)]
struct Ending {
    ends_at: i64,
    #[serde(default)]
    used: i64,
}

impl Ending {
    const fn ends_at(&self) -> Timestamp {
        Timestamp::from_millis(self.ends_at)
    }
}

/// A code that was sent and is live.
#[derive(Deserialize)]
pub(super) struct Sent {
    #[serde(rename = "_id")]
    id: String,
    code: String,
    channel: String,
    handle: String,
}

impl Sent {
    /// To compare an attempt with.
    pub(super) fn candidate(self) -> Result<Candidate, Fault> {
        let channel = Channel::parse(&self.channel).ok_or(Fault::Corrupt("channel"))?;
        Ok(Candidate { id: self.id, code: self.code, channel, handle: self.handle })
    }
}
