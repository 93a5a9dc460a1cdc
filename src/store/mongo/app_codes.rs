//! Codes that apps send, and the attempts at them.

use async_trait::async_trait;
use mongodb::bson::{Document, doc};
use serde::Deserialize;

use super::Store;
use super::app_subjects::meet;
use super::challenges::{Kind, brief, give_back, spent, use_budget};
use super::fault::Fault;
use super::indexes::{APP_CODES, APP_SUBJECTS};
use super::link::Link;
use super::query::{Query, after, before};
use super::transact::{Act, End};
use crate::app::{At, SentCode, SentCodes, Subject, Tried, Try};
use crate::clock::Timestamp;
use crate::id::{AppId, SubjectId};
use crate::limits::Quota;
use crate::outage::Outage;
use crate::signin::Channel;

/// How many live codes an attempt is compared with.
const CANDIDATES: u32 = 3;

#[async_trait]
impl SentCodes for Store {
    async fn open(&self, subject: &Subject, code: &SentCode, live: u32) -> Result<(), Outage> {
        self.carry_out(&Open { subject, code, live }).await
    }

    async fn subject_of(&self, app: &AppId, id: &str, now: Timestamp) -> Result<Option<SubjectId>, Outage> {
        let code: Option<Record> = self.ask_one(Query::of(APP_CODES, doc! { "_id": id, "expires_at": after(now) })).await?;
        let Some(code) = code else { return Ok(None) };
        let its = doc! { "_id": &code.subject_id, "app_id": app.as_str() };
        let subject: Option<Document> = self.ask_one(Query::of(APP_SUBJECTS, its)).await?;
        Ok(subject.map(|_| SubjectId::new(code.subject_id)))
    }

    async fn take_attempt(&self, attempt: &Try, now: Timestamp) -> Result<Tried, Outage> {
        self.carry_out(&TakeAttempt { attempt, now }).await
    }

    async fn spend(&self, id: &str, attempt: &Try, now: Timestamp) -> Result<bool, Outage> {
        self.carry_out(&Spend { id: Some(id), attempt, now }).await
    }

    async fn settle(&self, attempt: &Try, now: Timestamp) -> Result<(), Outage> {
        self.carry_out(&Spend { id: None, attempt, now }).await.map(drop)
    }

    async fn sweep(&self, now: Timestamp) -> Result<u64, Outage> {
        self.sweep_all(APP_CODES, doc! { "expires_at": before(now) }).await
    }
}

/// Store a code, and its subject before it.
struct Open<'a> {
    subject: &'a Subject,
    code: &'a SentCode,
    live: u32,
}

#[async_trait]
impl Act for Open<'_> {
    type Answer = ();

    fn about(&self) -> &str {
        self.subject.id.as_str()
    }

    async fn run(&self, link: &mut Link) -> Result<End<()>, Fault> {
        meet(link, self.subject).await?;
        brief(link, APP_CODES, &self.code.id, fields(self.code)).await?;
        let live: Vec<Record> = link.ask(of_subject(&self.code.subject, self.code.created_at)).await?;
        for older in live.iter().skip(usize::try_from(self.live).unwrap_or(usize::MAX)) {
            link.delete(APP_CODES, doc! { "_id": &older.id }).await?;
        }
        Ok(End::Commit(()))
    }
}

fn fields(code: &SentCode) -> Document {
    doc! {
        "subject_id": code.subject.as_str(),
        "channel": code.channel.as_str(),
        "sealed": &code.sealed,
        "code": &code.code,
        "created_at": code.created_at.as_millis(),
        "expires_at": code.expires_at.as_millis(),
        "attempts": 0_i64,
    }
}

fn of_subject(subject: &SubjectId, now: Timestamp) -> Query {
    Query::of(APP_CODES, doc! { "subject_id": subject.as_str(), "expires_at": after(now) }).newest_first()
}

/// Count one attempt.
struct TakeAttempt<'a> {
    attempt: &'a Try,
    now: Timestamp,
}

#[async_trait]
impl Act for TakeAttempt<'_> {
    type Answer = Tried;

    fn about(&self) -> &str {
        self.attempt.subject.as_str()
    }

    async fn run(&self, link: &mut Link) -> Result<End<Tried>, Fault> {
        let (attempt, now) = (self.attempt, self.now);
        // Asked before anything is written: most of a flood finds nothing left, and holds nobody up.
        for (kind, quota) in budgets(attempt) {
            if let Some(wait) = spent(link, attempt.subject.as_str(), kind, quota, now).await? {
                return Ok(End::RollBack(Tried::Exhausted(wait)));
            }
        }
        let codes = codes(link, attempt, now).await?;
        let needs_code = matches!(attempt.at, At::Challenge(_) | At::Codes);
        if needs_code && codes.is_empty() {
            return Ok(End::RollBack(Tried::Nothing));
        }
        let longest = codes.iter().map(|code| Timestamp::from_millis(code.expires_at).since(now)).max().unwrap_or_default();
        let open: Vec<Record> = codes.into_iter().filter(|code| code.attempts < i64::from(attempt.per_code)).collect();
        if needs_code && open.is_empty() {
            return Ok(End::RollBack(Tried::Exhausted(longest)));
        }
        for (kind, quota) in budgets(attempt) {
            if let Some(wait) = use_budget(link, attempt.subject.as_str(), kind, quota, now).await? {
                return Ok(End::RollBack(Tried::Exhausted(wait)));
            }
        }
        let mut counted = Vec::new();
        for code in open {
            count(link, &code).await?;
            counted.push(code.read()?);
        }
        Ok(End::Commit(Tried::Counted(counted)))
    }
}

/// The transaction is undone if somebody else counts meanwhile.
async fn count(link: &mut Link, code: &Record) -> Result<(), Fault> {
    let found = link.update(APP_CODES, doc! { "_id": &code.id }, doc! { "$inc": { "attempts": 1_i64 } }).await?;
    if found == 1 { Ok(()) } else { Err(Fault::Raced) }
}

/// The live codes that an attempt is at.
async fn codes(link: &mut Link, attempt: &Try, now: Timestamp) -> Result<Vec<Record>, Fault> {
    let mut query = of_subject(&attempt.subject, now).at_most(CANDIDATES);
    match &attempt.at {
        At::Authenticator => return Ok(Vec::new()),
        At::Challenge(id) => drop(query.filter.insert("_id", id)),
        At::Codes | At::Either => {}
    }
    link.ask(query).await
}

/// What an attempt takes from.
fn budgets(attempt: &Try) -> Vec<(Kind, Quota)> {
    match attempt.at {
        At::Challenge(_) => vec![(Kind::AppBound, attempt.budget)],
        At::Codes | At::Either | At::Authenticator => vec![(Kind::AppWindow, attempt.window), (Kind::AppUnbound, attempt.budget)],
    }
}

/// Give back what an attempt took, and spend a code, if there is one to spend: one of all who try deletes a document.
struct Spend<'a> {
    id: Option<&'a str>,
    attempt: &'a Try,
    now: Timestamp,
}

#[async_trait]
impl Act for Spend<'_> {
    type Answer = bool;

    fn about(&self) -> &str {
        self.attempt.subject.as_str()
    }

    async fn run(&self, link: &mut Link) -> Result<End<bool>, Fault> {
        if let Some(id) = self.id
            && link.delete(APP_CODES, doc! { "_id": id, "expires_at": after(self.now) }).await? == 0
        {
            return Ok(End::RollBack(false));
        }
        for (kind, _) in budgets(self.attempt) {
            give_back(link, self.attempt.subject.as_str(), kind, self.now).await?;
        }
        Ok(End::Commit(true))
    }
}

#[derive(Deserialize)]
struct Record {
    #[serde(rename = "_id")]
    id: String,
    subject_id: String,
    channel: String,
    sealed: String,
    code: String,
    created_at: i64,
    expires_at: i64,
    attempts: i64,
}

impl Record {
    fn read(self) -> Result<SentCode, Fault> {
        Ok(SentCode {
            id: self.id,
            subject: SubjectId::new(self.subject_id),
            channel: Channel::parse(&self.channel).ok_or(Fault::Corrupt("channel"))?,
            sealed: self.sealed,
            code: self.code,
            created_at: Timestamp::from_millis(self.created_at),
            expires_at: Timestamp::from_millis(self.expires_at),
        })
    }
}
