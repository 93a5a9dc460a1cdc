//! Subjects of apps, each with its authenticator in one document.

use async_trait::async_trait;
use mongodb::bson::{Bson, Document, doc};
use serde::{Deserialize, Serialize};

use super::Store;
use super::fault::Fault;
use super::indexes::{APP_CODES, APP_SUBJECTS, APPS};
use super::link::Link;
use super::query::{Query, moment};
use super::transact::{Act, End};
use crate::app::{Authenticator, Authenticators, ShownStep, Subject, SubjectName, Subjects};
use crate::clock::Timestamp;
use crate::id::{AppId, SubjectId};
use crate::outage::Outage;

#[async_trait]
impl Subjects for Store {
    async fn find(&self, id: &SubjectId) -> Result<Option<Subject>, Outage> {
        let found: Option<Record> = self.ask_one(Query::by_id(APP_SUBJECTS, id.as_str())).await?;
        Ok(found.map(Record::read).transpose()?)
    }

    async fn list(&self, app: &AppId, after: Option<&SubjectId>, limit: u32) -> Result<Vec<Subject>, Outage> {
        let its = doc! { "app_id": app.as_str(), "_id": { "$gt": after.map_or("", SubjectId::as_str) } };
        let listed: Vec<Record> = self.ask(Query::of(APP_SUBJECTS, its).sorted(doc! { "_id": 1 }).at_most(limit)).await?;
        Ok(listed.into_iter().map(Record::read).collect::<Result<_, _>>()?)
    }

    async fn forget(&self, app: &AppId, id: &SubjectId) -> Result<bool, Outage> {
        self.carry_out(&Forget { app, id }).await
    }
}

#[async_trait]
impl Authenticators for Store {
    async fn find(&self, subject: &SubjectId) -> Result<Option<Authenticator>, Outage> {
        let found: Option<Record> = self.ask_one(Query::by_id(APP_SUBJECTS, subject.as_str())).await?;
        Ok(found.and_then(|found| found.authenticator).map(Kept::read))
    }

    async fn enrol(&self, subject: &Subject, sealed: &str, now: Timestamp) -> Result<bool, Outage> {
        self.carry_out(&Enrol { subject, sealed, now }).await
    }

    async fn enable(&self, step: &ShownStep<'_>, now: Timestamp) -> Result<bool, Outage> {
        let mut its = this(step.subject, step.sealed);
        its.insert("authenticator.enabled_at", Bson::Null);
        let now = now.as_millis();
        let enabled = doc! { "authenticator.enabled_at": now, "authenticator.last_step": step.number, "authenticator.last_used_at": now };
        Ok(self.update(APP_SUBJECTS, its, doc! { "$set": enabled }).await? == 1)
    }

    async fn use_step(&self, step: &ShownStep<'_>, now: Timestamp) -> Result<bool, Outage> {
        let mut its = this(step.subject, step.sealed);
        its.insert("authenticator.enabled_at", doc! { "$ne": Bson::Null });
        its.insert("authenticator.last_step", doc! { "$lt": step.number });
        let used = doc! { "authenticator.last_step": step.number, "authenticator.last_used_at": now.as_millis() };
        Ok(self.update(APP_SUBJECTS, its, doc! { "$set": used }).await? == 1)
    }

    async fn remove(&self, subject: &SubjectId, sealed: &str) -> Result<bool, Outage> {
        Ok(self.update(APP_SUBJECTS, this(subject, sealed), doc! { "$unset": { "authenticator": "" } }).await? == 1)
    }

    async fn replace(&self, subject: &SubjectId, old: &str, sealed: &str, now: Timestamp) -> Result<bool, Outage> {
        let new = doc! { "$set": { "authenticator": fresh(sealed, now) } };
        Ok(self.update(APP_SUBJECTS, this(subject, old), new).await? == 1)
    }
}

/// The subject, while it has the authenticator with this sealed secret.
fn this(subject: &SubjectId, sealed: &str) -> Document {
    doc! { "_id": subject.as_str(), "authenticator.sealed": sealed }
}

/// An authenticator that does not count yet.
fn fresh(sealed: &str, now: Timestamp) -> Document {
    doc! { "sealed": sealed, "created_at": now.as_millis(), "last_step": -1_i64 }
}

/// Forget a subject, with its authenticator and its codes.
struct Forget<'a> {
    app: &'a AppId,
    id: &'a SubjectId,
}

#[async_trait]
impl Act for Forget<'_> {
    type Answer = bool;

    fn about(&self) -> &str {
        self.id.as_str()
    }

    async fn run(&self, link: &mut Link) -> Result<End<bool>, Fault> {
        if link.delete(APP_SUBJECTS, doc! { "_id": self.id.as_str(), "app_id": self.app.as_str() }).await? == 0 {
            return Ok(End::RollBack(false));
        }
        link.delete_all(APP_CODES, doc! { "subject_id": self.id.as_str() }).await?;
        Ok(End::Commit(true))
    }
}

/// Keep an authenticator, in the place of one that does not count yet, and its subject before it.
struct Enrol<'a> {
    subject: &'a Subject,
    sealed: &'a str,
    now: Timestamp,
}

#[async_trait]
impl Act for Enrol<'_> {
    type Answer = bool;

    fn about(&self) -> &str {
        self.subject.id.as_str()
    }

    async fn run(&self, link: &mut Link) -> Result<End<bool>, Fault> {
        meet(link, self.subject).await?;
        let without = doc! { "_id": self.subject.id.as_str(), "authenticator.enabled_at": Bson::Null };
        let kept = link.update(APP_SUBJECTS, without, doc! { "$set": { "authenticator": fresh(self.sealed, self.now) } }).await?;
        Ok(if kept == 1 { End::Commit(true) } else { End::RollBack(false) })
    }
}

/// Know a subject, with the addresses that it comes with; those that it comes without stay as they were. A new one holds its app,
/// which may be being removed: then one of the two begins again.
pub(super) async fn meet(link: &mut Link, subject: &Subject) -> Result<(), Fault> {
    let mut seen = doc! { "seen_at": subject.seen_at.as_millis() };
    for (field, address) in [("email", &subject.email), ("phone", &subject.phone)] {
        if let Some(address) = address {
            seen.insert(field, address);
        }
    }
    if link.update(APP_SUBJECTS, doc! { "_id": subject.id.as_str() }, doc! { "$set": seen }).await? > 0 {
        return Ok(());
    }
    if link.hold(APPS, subject.app.as_str()).await? == 0 {
        return Err(Fault::Corrupt("app_id"));
    }
    match link.insert(APP_SUBJECTS, &Record::of(subject)).await {
        Err(fault) if fault.is_taken() => Err(Fault::Raced),
        added => added,
    }
}

#[derive(Serialize, Deserialize)]
struct Record {
    #[serde(rename = "_id")]
    id: String,
    app_id: String,
    name: String,
    email: Option<String>,
    phone: Option<String>,
    created_at: i64,
    seen_at: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    authenticator: Option<Kept>,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    sealed: String,
    created_at: i64,
    enabled_at: Option<i64>,
    last_step: i64,
    last_used_at: Option<i64>,
}

impl Record {
    fn of(subject: &Subject) -> Self {
        Self {
            id: subject.id.as_str().to_owned(),
            app_id: subject.app.as_str().to_owned(),
            name: subject.name.expose().to_owned(),
            email: subject.email.clone(),
            phone: subject.phone.clone(),
            created_at: subject.created_at.as_millis(),
            seen_at: subject.seen_at.as_millis(),
            authenticator: None,
        }
    }

    fn read(self) -> Result<Subject, Fault> {
        Ok(Subject {
            id: SubjectId::new(self.id),
            app: AppId::new(self.app_id),
            name: SubjectName::parse(&self.name).map_err(|_| Fault::Corrupt("name"))?,
            email: self.email,
            phone: self.phone,
            created_at: Timestamp::from_millis(self.created_at),
            seen_at: Timestamp::from_millis(self.seen_at),
            enabled_at: moment(self.authenticator.and_then(|kept| kept.enabled_at)),
        })
    }
}

impl Kept {
    fn read(self) -> Authenticator {
        Authenticator {
            sealed: self.sealed,
            created_at: Timestamp::from_millis(self.created_at),
            enabled_at: moment(self.enabled_at),
            last_used_at: moment(self.last_used_at),
        }
    }
}
