//! Registered apps.

use async_trait::async_trait;

use super::Store;
use super::fault::Fault;
use super::link::{Link, Row, Value};
use super::transact::{Act, End};
use crate::app::{App, AppName, Apps};
use crate::id::AppId;
use crate::outage::Outage;

#[async_trait]
impl Apps for Store {
    async fn add(&self, app: &App) -> Result<bool, Outage> {
        Ok(self.carry_out_unless_taken(&Add(app)).await?.is_some())
    }

    async fn find(&self, name: &str) -> Result<Option<App>, Outage> {
        let row = self.ask_one(self.readers.sql.apps.by_name, &[name.into()]).await?;
        // MySQL takes no notice of blanks at the end.
        Ok(row.as_ref().map(app).transpose()?.filter(|app| app.name.as_str() == name))
    }

    async fn by_id(&self, id: &AppId) -> Result<Option<App>, Outage> {
        let row = self.ask_one(self.readers.sql.apps.by_id, &[id.into()]).await?;
        Ok(row.as_ref().map(app).transpose()?.filter(|app| app.id == *id))
    }

    async fn list(&self, after: Option<&str>, limit: u32) -> Result<Vec<App>, Outage> {
        let rows = self.ask(self.readers.sql.apps.list, &[after.unwrap_or_default().into(), limit.into()]).await?;
        Ok(rows.iter().map(app).collect::<Result<_, _>>()?)
    }

    async fn change(&self, app: &App) -> Result<bool, Outage> {
        self.carry_out(&Change(app)).await
    }

    async fn remove(&self, id: &AppId) -> Result<bool, Outage> {
        self.carry_out(&Remove(id)).await
    }

    async fn generation(&self) -> Result<i64, Outage> {
        let row = self.ask_one(self.readers.sql.apps.generation, &[]).await?;
        Ok(row.map_or(Ok(0), |row| row.int("generation"))?)
    }

    async fn with_routes(&self) -> Result<Vec<App>, Outage> {
        let rows = self.ask(self.readers.sql.apps.with_routes, &[]).await?;
        Ok(rows.iter().map(app).collect::<Result<_, _>>()?)
    }
}

struct Add<'a>(&'a App);

#[async_trait]
impl Act for Add<'_> {
    type Answer = ();

    async fn run(&self, link: &mut Link) -> Result<End<()>, Fault> {
        let App { id, name, owner, revision, created_at, changed_at, .. } = self.0;
        let values = [
            id.into(),
            name.as_str().into(),
            owner.into(),
            route(self.0).as_deref().into(),
            (*revision).into(),
            (*created_at).into(),
            (*changed_at).into(),
        ];
        link.execute(link.sql.apps.add, &values).await?;
        if self.0.route.is_some() {
            link.execute(link.sql.apps.next_generation, &[]).await?;
        }
        Ok(End::Commit(()))
    }
}

/// Change an app; the moment at which its route counts is counted, if it had one or has one now.
struct Change<'a>(&'a App);

#[async_trait]
impl Act for Change<'_> {
    type Answer = bool;

    async fn run(&self, link: &mut Link) -> Result<End<bool>, Fault> {
        let App { id, owner, revision, changed_at, .. } = self.0;
        let Some(before) = link.fetch_one(link.sql.apps.lock, &[id.into()]).await? else {
            return Ok(End::RollBack(false));
        };
        let route = route(self.0);
        let values: [Value; 6] =
            [owner.into(), route.as_deref().into(), (*revision).into(), (*changed_at).into(), id.into(), revision.saturating_sub(1).into()];
        if link.execute(link.sql.apps.change, &values).await? == 0 {
            return Ok(End::RollBack(false));
        }
        if before.text_or_none("route")? != route {
            link.execute(link.sql.apps.next_generation, &[]).await?;
        }
        Ok(End::Commit(true))
    }
}

struct Remove<'a>(&'a AppId);

#[async_trait]
impl Act for Remove<'_> {
    type Answer = bool;

    async fn run(&self, link: &mut Link) -> Result<End<bool>, Fault> {
        let Some(before) = link.fetch_one(link.sql.apps.lock, &[self.0.into()]).await? else {
            return Ok(End::RollBack(false));
        };
        if link.execute(link.sql.apps.remove, &[self.0.into()]).await? == 0 {
            return Ok(End::RollBack(false));
        }
        if before.text_or_none("route")?.is_some() {
            link.execute(link.sql.apps.next_generation, &[]).await?;
        }
        Ok(End::Commit(true))
    }
}

fn route(app: &App) -> Option<String> {
    app.route.as_ref().map(ToString::to_string)
}

fn app(row: &Row) -> Result<App, Fault> {
    let route = row.text_or_none("route")?;
    Ok(App {
        id: AppId::new(row.text("id")?),
        name: row.parsed("name", |text| AppName::parse(text).ok())?,
        owner: row.text("owner")?,
        route: route.map(|text| serde_json::from_str(&text)).transpose().map_err(|_| Fault::Corrupt("route"))?,
        revision: row.int("revision")?,
        created_at: row.time("created_at")?,
        changed_at: row.time("changed_at")?,
    })
}
