//! Subjects of apps, and their authenticators.

use async_trait::async_trait;

use super::Store;
use super::fault::Fault;
use super::link::{Link, Row};
use super::transact::{Act, End};
use crate::app::{Authenticator, Authenticators, ShownStep, Subject, SubjectName, Subjects};
use crate::clock::Timestamp;
use crate::id::{AppId, SubjectId};
use crate::outage::Outage;

#[async_trait]
impl Subjects for Store {
    async fn find(&self, id: &SubjectId) -> Result<Option<Subject>, Outage> {
        let row = self.ask_one(self.readers.sql.apps.subject, &[id.into()]).await?;
        Ok(row.as_ref().map(subject).transpose()?)
    }

    async fn list(&self, app: &AppId, after: Option<&SubjectId>, limit: u32) -> Result<Vec<Subject>, Outage> {
        let after = after.map_or("", SubjectId::as_str);
        let rows = self.ask(self.readers.sql.apps.subjects, &[app.into(), after.into(), limit.into()]).await?;
        Ok(rows.iter().map(subject).collect::<Result<_, _>>()?)
    }

    async fn forget(&self, app: &AppId, id: &SubjectId) -> Result<bool, Outage> {
        Ok(self.change(self.writers.sql.apps.forget_subject, &[id.into(), app.into()]).await? > 0)
    }
}

#[async_trait]
impl Authenticators for Store {
    async fn find(&self, subject: &SubjectId) -> Result<Option<Authenticator>, Outage> {
        let row = self.ask_one(self.readers.sql.apps.authenticator, &[subject.into()]).await?;
        Ok(row.as_ref().map(authenticator).transpose()?)
    }

    async fn enrol(&self, subject: &Subject, sealed: &str, now: Timestamp) -> Result<bool, Outage> {
        self.carry_out(&Enrol { subject, sealed, now }).await
    }

    async fn enable(&self, step: &ShownStep<'_>, now: Timestamp) -> Result<bool, Outage> {
        let values = [now.into(), step.number.into(), now.into(), step.subject.into(), step.sealed.into()];
        Ok(self.change(self.writers.sql.apps.enable_authenticator, &values).await? == 1)
    }

    async fn use_step(&self, step: &ShownStep<'_>, now: Timestamp) -> Result<bool, Outage> {
        let values = [step.number.into(), now.into(), step.subject.into(), step.sealed.into(), step.number.into()];
        Ok(self.change(self.writers.sql.apps.use_step, &values).await? == 1)
    }

    async fn remove(&self, subject: &SubjectId, sealed: &str) -> Result<bool, Outage> {
        Ok(self.change(self.writers.sql.apps.remove_authenticator, &[subject.into(), sealed.into()]).await? == 1)
    }

    async fn replace(&self, subject: &SubjectId, old: &str, sealed: &str, now: Timestamp) -> Result<bool, Outage> {
        let values = [sealed.into(), now.into(), subject.into(), old.into()];
        Ok(self.change(self.writers.sql.apps.replace_authenticator, &values).await? == 1)
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

    async fn run(&self, link: &mut Link) -> Result<End<bool>, Fault> {
        meet(link, self.subject).await?;
        let (id, sealed, now) = (&self.subject.id, self.sealed, self.now);
        let kept = link.execute(link.sql.apps.renew_authenticator, &[sealed.into(), now.into(), id.into()]).await? > 0
            || link.execute(link.sql.apps.add_authenticator, &[id.into(), sealed.into(), now.into()]).await? > 0;
        if kept {
            return Ok(End::Commit(true));
        }
        // There is an enabled one; or another was kept since we looked, and this one takes its place.
        let row = link.fetch_one(link.sql.apps.authenticator, &[id.into()]).await?.ok_or(Fault::Raced)?;
        if row.time_or_none("enabled_at")?.is_some() { Ok(End::RollBack(false)) } else { Err(Fault::Raced) }
    }
}

/// Know a subject, with the addresses that it comes with; those that it comes without stay as they were. Of all who add the
/// same one at once, one does, and it is locked for the rest of the act.
pub(super) async fn meet(link: &mut Link, subject: &Subject) -> Result<(), Fault> {
    let Subject { id, app, name, email, phone, created_at, seen_at, enabled_at: _ } = subject;
    let seen = [(*seen_at).into(), email.as_deref().into(), phone.as_deref().into(), id.into()];
    if link.execute(link.sql.apps.see_subject, &seen).await? > 0 {
        return Ok(());
    }
    let new = [
        id.into(),
        app.into(),
        name.expose().into(),
        email.as_deref().into(),
        phone.as_deref().into(),
        (*created_at).into(),
        (*seen_at).into(),
    ];
    if link.execute(link.sql.apps.add_subject, &new).await? > 0 { Ok(()) } else { Err(Fault::Raced) }
}

fn subject(row: &Row) -> Result<Subject, Fault> {
    Ok(Subject {
        id: SubjectId::new(row.text("id")?),
        app: AppId::new(row.text("app_id")?),
        name: row.parsed("name", |text| SubjectName::parse(text).ok())?,
        email: row.text_or_none("email")?,
        phone: row.text_or_none("phone")?,
        created_at: row.time("created_at")?,
        seen_at: row.time("seen_at")?,
        enabled_at: row.time_or_none("enabled_at")?,
    })
}

fn authenticator(row: &Row) -> Result<Authenticator, Fault> {
    Ok(Authenticator {
        sealed: row.text("sealed")?,
        created_at: row.time("created_at")?,
        enabled_at: row.time_or_none("enabled_at")?,
        last_used_at: row.time_or_none("last_used_at")?,
    })
}
