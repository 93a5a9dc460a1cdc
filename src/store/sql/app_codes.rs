//! Codes that apps send, and the attempts at them.
//!
//! The subject's budget comes first, which locks it, and its codes after it: the other way round than in signing in, and the same
//! way everywhere here.

use std::time::Duration;

use async_trait::async_trait;

use super::Store;
use super::app_subjects::meet;
use super::challenges::{Kind, use_budget};
use super::fault::Fault;
use super::link::{Link, Row};
use super::transact::{Act, End};
use crate::app::{At, SentCode, SentCodes, Subject, Tried, Try};
use crate::clock::Timestamp;
use crate::id::{AppId, SubjectId};
use crate::limits::Quota;
use crate::outage::Outage;
use crate::signin::Channel;

/// How many live codes an attempt is compared with.
const CANDIDATES: usize = 3;

#[async_trait]
impl SentCodes for Store {
    async fn open(&self, subject: &Subject, code: &SentCode, live: u32) -> Result<(), Outage> {
        self.carry_out(&Open { subject, code, live }).await
    }

    async fn subject_of(&self, app: &AppId, id: &str, now: Timestamp) -> Result<Option<SubjectId>, Outage> {
        let row = self.ask_one(self.readers.sql.apps.subject_of_code, &[id.into(), app.into(), now.into()]).await?;
        Ok(row.map(|row| row.text("subject_id").map(SubjectId::new)).transpose()?)
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
        self.sweep_all(self.writers.sql.apps.sweep_codes, now).await
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

    async fn run(&self, link: &mut Link) -> Result<End<()>, Fault> {
        meet(link, self.subject).await?;
        let SentCode { id, subject, channel, sealed, code, created_at: now, expires_at } = self.code;
        let channel = channel.as_str();
        let values = [id.into(), subject.into(), channel.into(), sealed.into(), code.into(), (*now).into(), (*expires_at).into()];
        link.execute(link.sql.apps.add_code, &values).await?;
        let rows = link.fetch(link.sql.apps.codes_of_subject, &[subject.into(), (*now).into()]).await?;
        for row in rows.iter().skip(usize::try_from(self.live).unwrap_or(usize::MAX)) {
            link.execute(link.sql.apps.delete_code, &[(&row.text("id")?).into()]).await?;
        }
        Ok(End::Commit(()))
    }
}

/// Count one attempt.
struct TakeAttempt<'a> {
    attempt: &'a Try,
    now: Timestamp,
}

#[async_trait]
impl Act for TakeAttempt<'_> {
    type Answer = Tried;

    async fn run(&self, link: &mut Link) -> Result<End<Tried>, Fault> {
        let (attempt, now) = (self.attempt, self.now);
        for (kind, quota) in budgets(attempt) {
            if let Some(wait) = use_budget(link, attempt.subject.as_str(), kind, quota, now).await? {
                return Ok(End::RollBack(Tried::Exhausted(wait)));
            }
        }
        let codes = codes(link, attempt, now).await?;
        let needs_code = matches!(attempt.at, At::Challenge(_) | At::Codes);
        if needs_code && codes.is_empty() {
            return Ok(End::RollBack(Tried::Nothing));
        }
        let (mut counted, mut longest) = (Vec::new(), Duration::ZERO);
        for code in codes {
            longest = longest.max(code.expires_at.since(now));
            let values = [(&code.id).into(), attempt.per_code.into(), now.into()];
            if link.execute(link.sql.apps.count_attempt, &values).await? > 0 {
                counted.push(code);
            }
        }
        if needs_code && counted.is_empty() {
            return Ok(End::RollBack(Tried::Exhausted(longest)));
        }
        Ok(End::Commit(Tried::Counted(counted)))
    }
}

/// The live codes that an attempt is at.
async fn codes(link: &mut Link, attempt: &Try, now: Timestamp) -> Result<Vec<SentCode>, Fault> {
    let subject = &attempt.subject;
    let rows = match &attempt.at {
        At::Authenticator => Vec::new(),
        At::Challenge(id) => link.fetch(link.sql.apps.code_by_id, &[id.into(), subject.into(), now.into()]).await?,
        At::Codes | At::Either => link.fetch(link.sql.apps.codes_of_subject, &[subject.into(), now.into()]).await?,
    };
    rows.iter().take(CANDIDATES).map(code).collect()
}

/// What an attempt takes from: always in this order.
fn budgets(attempt: &Try) -> Vec<(Kind, Quota)> {
    match attempt.at {
        At::Challenge(_) => vec![(Kind::AppBound, attempt.budget)],
        At::Codes | At::Either | At::Authenticator => vec![(Kind::AppWindow, attempt.window), (Kind::AppUnbound, attempt.budget)],
    }
}

/// Give back what an attempt took, and spend a code, if there is one to spend: one of all who try deletes a row.
struct Spend<'a> {
    id: Option<&'a str>,
    attempt: &'a Try,
    now: Timestamp,
}

#[async_trait]
impl Act for Spend<'_> {
    type Answer = bool;

    async fn run(&self, link: &mut Link) -> Result<End<bool>, Fault> {
        let (subject, now) = (self.attempt.subject.as_str(), self.now);
        for (kind, _) in budgets(self.attempt) {
            link.execute(link.sql.give_back_budget, &[subject.into(), kind.as_str().into(), now.into()]).await?;
        }
        let Some(id) = self.id else { return Ok(End::Commit(true)) };
        let spent = link.execute(link.sql.apps.spend_code, &[id.into(), now.into()]).await? > 0;
        Ok(if spent { End::Commit(true) } else { End::RollBack(false) })
    }
}

fn code(row: &Row) -> Result<SentCode, Fault> {
    Ok(SentCode {
        id: row.text("id")?,
        subject: SubjectId::new(row.text("subject_id")?),
        channel: row.parsed("channel", Channel::parse)?,
        sealed: row.text("sealed")?,
        code: row.text("code")?,
        created_at: row.time("created_at")?,
        expires_at: row.time("expires_at")?,
    })
}
