//! Registered apps.

use async_trait::async_trait;
use mongodb::bson::doc;
use serde::{Deserialize, Serialize};

use super::Store;
use super::fault::Fault;
use super::indexes::{APP_CODES, APP_ROUTES, APP_SUBJECTS, APPS};
use super::link::Link;
use super::query::Query;
use super::transact::{Act, End};
use crate::app::{App, AppName, Apps};
use crate::clock::Timestamp;
use crate::id::AppId;
use crate::outage::Outage;

#[async_trait]
impl Apps for Store {
    async fn add(&self, app: &App) -> Result<bool, Outage> {
        Ok(self.carry_out_unless_taken(&Add(app)).await?.is_some())
    }

    async fn find(&self, name: &str) -> Result<Option<App>, Outage> {
        let found: Option<Record> = self.ask_one(Query::of(APPS, doc! { "name": name })).await?;
        Ok(found.map(Record::read).transpose()?)
    }

    async fn by_id(&self, id: &AppId) -> Result<Option<App>, Outage> {
        let found: Option<Record> = self.ask_one(Query::by_id(APPS, id.as_str())).await?;
        Ok(found.map(Record::read).transpose()?)
    }

    async fn list(&self, after: Option<&str>, limit: u32) -> Result<Vec<App>, Outage> {
        let after = doc! { "name": { "$gt": after.unwrap_or_default() } };
        let listed: Vec<Record> = self.ask(Query::of(APPS, after).sorted(doc! { "name": 1 }).at_most(limit)).await?;
        Ok(listed.into_iter().map(Record::read).collect::<Result<_, _>>()?)
    }

    async fn change(&self, app: &App) -> Result<bool, Outage> {
        self.carry_out(&Change(app)).await
    }

    /// What is its own goes first, some at a time, since there may be much of it; then the app with what has come meanwhile.
    async fn remove(&self, id: &AppId) -> Result<bool, Outage> {
        let its = doc! { "app_id": id.as_str() };
        loop {
            let subjects = self.some_ids(APP_SUBJECTS, &its).await?;
            if subjects.is_empty() {
                return self.carry_out(&Remove(id)).await;
            }
            self.delete_all(APP_CODES, doc! { "subject_id": { "$in": subjects.clone() } }).await?;
            self.delete_all(APP_SUBJECTS, doc! { "_id": { "$in": subjects } }).await?;
        }
    }

    async fn generation(&self) -> Result<i64, Outage> {
        let counted: Option<Generation> = self.ask_one(Query::by_id(APP_ROUTES, THE_ONE)).await?;
        Ok(counted.map_or(0, |counted| counted.generation))
    }

    async fn with_routes(&self) -> Result<Vec<App>, Outage> {
        let order = doc! { "created_at": 1, "_id": 1 };
        let all: Vec<Record> = self.ask(Query::of(APPS, doc! { "route": { "$exists": true } }).sorted(order)).await?;
        Ok(all.into_iter().map(Record::read).collect::<Result<_, _>>()?)
    }
}

/// The one document that counts generations.
const THE_ONE: &str = "routes";

struct Add<'a>(&'a App);

#[async_trait]
impl Act for Add<'_> {
    type Answer = ();

    fn about(&self) -> &str {
        APPS
    }

    async fn run(&self, link: &mut Link) -> Result<End<()>, Fault> {
        link.insert(APPS, &Record::of(self.0)).await?;
        if self.0.route.is_some() {
            next_generation(link).await?;
        }
        Ok(End::Commit(()))
    }
}

/// Change an app; the moment at which its route counts is counted, if it had one or has one now.
struct Change<'a>(&'a App);

#[async_trait]
impl Act for Change<'_> {
    type Answer = bool;

    fn about(&self) -> &str {
        APPS
    }

    async fn run(&self, link: &mut Link) -> Result<End<bool>, Fault> {
        let new = Record::of(self.0);
        let before = doc! { "_id": &new.id, "revision": new.revision.saturating_sub(1) };
        let Some(old) = link.ask_one::<Record>(Query::of(APPS, before.clone())).await? else {
            return Ok(End::RollBack(false));
        };
        let mut set = doc! { "owner": &new.owner, "revision": new.revision, "changed_at": new.changed_at };
        let change = if let Some(route) = &new.route {
            set.insert("route", route);
            doc! { "$set": set }
        } else {
            doc! { "$set": set, "$unset": { "route": "" } }
        };
        if link.update(APPS, before, change).await? == 0 {
            return Err(Fault::Raced);
        }
        if old.route != new.route {
            next_generation(link).await?;
        }
        Ok(End::Commit(true))
    }
}

struct Remove<'a>(&'a AppId);

#[async_trait]
impl Act for Remove<'_> {
    type Answer = bool;

    fn about(&self) -> &str {
        APPS
    }

    async fn run(&self, link: &mut Link) -> Result<End<bool>, Fault> {
        let Some(old) = link.ask_one::<Record>(Query::by_id(APPS, self.0.as_str())).await? else {
            return Ok(End::RollBack(false));
        };
        link.delete(APPS, doc! { "_id": self.0.as_str() }).await?;
        let its: Vec<Id> = link.ask(Query::of(APP_SUBJECTS, doc! { "app_id": self.0.as_str() })).await?;
        let its: Vec<String> = its.into_iter().map(|subject| subject.id).collect();
        if !its.is_empty() {
            link.delete_all(APP_CODES, doc! { "subject_id": { "$in": its } }).await?;
            link.delete_all(APP_SUBJECTS, doc! { "app_id": self.0.as_str() }).await?;
        }
        if old.route.is_some() {
            next_generation(link).await?;
        }
        Ok(End::Commit(true))
    }
}

async fn next_generation(link: &mut Link) -> Result<(), Fault> {
    link.put(APP_ROUTES, doc! { "_id": THE_ONE }, doc! { "$inc": { "generation": 1_i64 } }).await?;
    Ok(())
}

#[derive(Deserialize)]
struct Generation {
    generation: i64,
}

#[derive(Deserialize)]
struct Id {
    #[serde(rename = "_id")]
    id: String,
}

/// An app as it is kept; one without a route has no such field. The route is JSON: its keys are given back as they were.
#[derive(Serialize, Deserialize)]
struct Record {
    #[serde(rename = "_id")]
    id: String,
    name: String,
    owner: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    route: Option<String>,
    revision: i64,
    created_at: i64,
    changed_at: i64,
}

impl Record {
    fn of(app: &App) -> Self {
        Self {
            id: app.id.as_str().to_owned(),
            name: app.name.as_str().to_owned(),
            owner: app.owner.clone(),
            route: app.route.as_ref().map(ToString::to_string),
            revision: app.revision,
            created_at: app.created_at.as_millis(),
            changed_at: app.changed_at.as_millis(),
        }
    }

    fn read(self) -> Result<App, Fault> {
        let route = self.route.map(|text| serde_json::from_str(&text)).transpose();
        Ok(App {
            id: AppId::new(self.id),
            name: AppName::parse(&self.name).map_err(|_| Fault::Corrupt("name"))?,
            owner: self.owner,
            route: route.map_err(|_| Fault::Corrupt("route"))?,
            revision: self.revision,
            created_at: Timestamp::from_millis(self.created_at),
            changed_at: Timestamp::from_millis(self.changed_at),
        })
    }
}
