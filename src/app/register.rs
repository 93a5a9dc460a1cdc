//! Where apps are registered, changed and removed, and their keys exchanged: by the operator's commands and the admin API.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::app::desk::{KeyDesk, Made, NewKey, NotMade};
use crate::app::keyed::AppKeyed;
use crate::app::registered::{App, AppName, Apps, NotAName};
use crate::app::scope::Scope;
use crate::app::store::ApiKey;
use crate::app::subject::{Subject, SubjectName, Subjects};
use crate::clock::Timestamp;
use crate::config::Mistake;
use crate::id::{AppId, SubjectId};
use crate::outage::Outage;

/// Keys that are read at once.
const PAGE: u32 = 500;

/// How often a change is tried anew where others change the same app at once: of those one is done each time.
const TRIES: usize = 100;

/// The longest route, in bytes of its JSON.
const LONGEST_ROUTE: usize = 16 * 1024;

/// Knows which routes there are, and which may come beside them.
pub trait Judge: Send + Sync {
    /// Could `app` have its route, beside those of the configuration and of `others`?
    ///
    /// # Errors
    /// Every mistake in it, and in whose way it is.
    fn judge(&self, app: &App, others: &[App]) -> Result<(), Vec<Mistake>>;
}

/// Registers apps.
#[derive(Clone)]
pub struct AppDesk {
    /// Where apps are kept.
    pub apps: Arc<dyn Apps>,
    /// Where their subjects are.
    pub subjects: Arc<dyn Subjects>,
    /// What makes and revokes their keys.
    pub keys: KeyDesk,
    /// The keys under which subjects are hashed.
    pub keyed: AppKeyed,
    /// Knows which routes there are.
    pub judge: Arc<dyn Judge>,
}

/// An app that somebody registers.
#[derive(Debug, Clone, Default)]
pub struct NewApp {
    /// What it is called: see [`AppName`].
    pub name: String,
    /// Who answers for it: one line of at most 128 characters; may be empty.
    pub owner: String,
    /// Its route: an object with the keys of a `[[route]]`. The route has the app's name, unless it has one of its own.
    pub route: Option<Value>,
}

/// What is to be changed of an app; what is unset stays.
#[derive(Debug, Clone, Default)]
pub struct AppChange {
    /// Another owner.
    pub owner: Option<String>,
    /// Another route, or none any more.
    pub route: Option<Option<Value>>,
    /// Only if it is still at this revision.
    pub revision: Option<i64>,
}

/// Why an app was not registered, changed, removed, or given another key.
#[derive(Debug, thiserror::Error)]
pub enum AppRefusal {
    /// Its name is none.
    #[error(transparent)]
    Name(#[from] NotAName),
    /// Its owner is none.
    #[error("the owner is one line of at most 128 characters")]
    Owner,
    /// There is an app of this name or with this id, or an API key that is called as its own would be.
    #[error("there is an app of this name or with this id, or an API key called app-NAME")]
    Taken,
    /// Its route cannot be.
    #[error("the route has {} mistake(s)", .0.len())]
    Route(Vec<Mistake>),
    /// There is no such app.
    #[error("there is no such app")]
    Unknown,
    /// It was changed meanwhile.
    #[error("the app was changed meanwhile")]
    Changed,
    /// It could not be done.
    #[error(transparent)]
    Outage(#[from] Outage),
}

impl AppDesk {
    /// Register an app. Its key is had from here, and from nowhere else afterwards.
    ///
    /// # Errors
    /// What is wrong with `new`; `Taken`; an [`Outage`].
    pub async fn create(&self, new: NewApp, now: Timestamp) -> Result<(App, Made), AppRefusal> {
        let name = AppName::parse(&new.name)?;
        let app = App {
            id: AppId::draw(self.keys.entropy.as_ref()).map_err(Outage::from)?,
            name,
            owner: owner(new.owner)?,
            route: new.route,
            revision: 1,
            created_at: now,
            changed_at: now,
        };
        // Whoever names an app means one: no name is another's id. The other way round there is nothing to guess: ids are drawn.
        if self.apps.by_id(&AppId::new(app.name.as_str())).await?.is_some() {
            return Err(AppRefusal::Taken);
        }
        self.judge(&app).await?;
        if !self.apps.add(&app).await? {
            return Err(AppRefusal::Taken);
        }
        match self.key(&app, now).await {
            Ok(made) => {
                tracing::info!(audit = "app_registered", app.name = %app.name, app.id = %app.id, key.id = %made.key.id,
                    "app {} was registered", app.name);
                Ok((app, made))
            }
            Err(refusal) => {
                self.apps.remove(&app.id).await?;
                Err(refusal)
            }
        }
    }

    /// By its id, else by its name.
    ///
    /// # Errors
    /// `Unknown`; an [`Outage`].
    pub async fn find(&self, named: &str) -> Result<App, AppRefusal> {
        if let Some(app) = self.apps.by_id(&AppId::new(named)).await? {
            return Ok(app);
        }
        self.apps.find(named).await?.ok_or(AppRefusal::Unknown)
    }

    /// Change an app. Who expects a revision loses to whoever is first: `Changed`; others are done one after the other.
    ///
    /// # Errors
    /// What is wrong with `change`; `Unknown`; `Changed`; an [`Outage`].
    pub async fn change(&self, name: &str, change: AppChange, now: Timestamp) -> Result<App, AppRefusal> {
        for _ in 0..TRIES {
            match self.change_once(name, change.clone(), now).await {
                Err(AppRefusal::Changed) if change.revision.is_none() => {}
                done => return done,
            }
        }
        Err(Outage::store("the app is changed by others again and again").into())
    }

    async fn change_once(&self, name: &str, change: AppChange, now: Timestamp) -> Result<App, AppRefusal> {
        let before = self.find(name).await?;
        if change.revision.is_some_and(|revision| revision != before.revision) {
            return Err(AppRefusal::Changed);
        }
        let owner = change.owner.map(owner).transpose()?;
        let app = App {
            owner: owner.unwrap_or(before.owner),
            route: change.route.unwrap_or(before.route),
            revision: before.revision.saturating_add(1),
            changed_at: now,
            ..before
        };
        self.judge(&app).await?;
        if !self.apps.change(&app).await? {
            return Err(AppRefusal::Changed);
        }
        tracing::info!(audit = "app_changed", app.name = %app.name, app.id = %app.id, "app {} was changed", app.name);
        Ok(app)
    }

    /// Remove an app: its keys are revoked, then it goes, with its subjects, their codes and their authenticators.
    ///
    /// # Errors
    /// `Unknown`; `Changed`, where it was changed since `revision`; an [`Outage`], after which it is there still, and can be removed
    /// again.
    pub async fn remove(&self, name: &str, revision: Option<i64>, now: Timestamp) -> Result<App, AppRefusal> {
        let app = self.find(name).await?;
        if revision.is_some_and(|revision| revision != app.revision) {
            return Err(AppRefusal::Changed);
        }
        for key in self.keys_of(&app, now).await? {
            self.keys.revoke(&key.id, now).await?;
        }
        if !self.apps.remove(&app.id).await? {
            return Err(AppRefusal::Unknown);
        }
        tracing::info!(audit = "app_removed", app.name = %app.name, app.id = %app.id, "app {} was removed", app.name);
        Ok(app)
    }

    /// Another key for an app. The one that it has goes on for `grace`; where it has none that is good any more, it is given one.
    ///
    /// # Errors
    /// `Unknown`; `Taken` when another key is called as this one would be; an [`Outage`].
    pub async fn rotate_key(&self, name: &str, grace: Duration, now: Timestamp) -> Result<(App, Made), AppRefusal> {
        let app = self.find(name).await?;
        let own = key_name(&app.name);
        let newest = self.keys_of(&app, now).await?.into_iter().filter(|key| key.name == own).max_by_key(|key| key.created_at);
        let made = match newest {
            Some(old) => match self.keys.replace(&old.id, grace, now).await {
                Err(NotMade::Unknown) => self.key(&app, now).await?,
                made => made.map_err(refused)?,
            },
            None => self.key(&app, now).await?,
        };
        tracing::info!(audit = "app_key_rotated", app.name = %app.name, app.id = %app.id, key.id = %made.key.id,
            "app {} has another key", app.name);
        Ok((app, made))
    }

    /// The keys that speak for an app and are good.
    ///
    /// # Errors
    /// An [`Outage`].
    pub async fn keys_of(&self, app: &App, now: Timestamp) -> Result<Vec<ApiKey>, Outage> {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = self.keys.keys.list(after.as_ref(), PAGE).await?;
            let Some(last) = page.last().map(|key| key.id.clone()) else { return Ok(found) };
            after = Some(last);
            found.extend(page.into_iter().filter(|key| key.is_good(now) && key.speaks_for(app.name.as_str())));
        }
    }

    /// The id of a subject, by what the app calls it.
    pub fn subject_id(&self, app: &App, name: &SubjectName) -> SubjectId {
        self.keyed.subject(&app.id, name)
    }

    /// At most `limit` subjects of an app, in the order of their ids, those after `after`.
    ///
    /// # Errors
    /// An [`Outage`].
    pub async fn subjects(&self, app: &App, after: Option<&SubjectId>, limit: u32) -> Result<Vec<Subject>, Outage> {
        self.subjects.list(&app.id, after, limit).await
    }

    /// Forget a subject of an app, with its codes and its authenticator. False when the app has no such one.
    ///
    /// # Errors
    /// An [`Outage`].
    pub async fn forget(&self, app: &App, subject: &SubjectId) -> Result<bool, Outage> {
        self.subjects.forget(&app.id, subject).await
    }

    async fn judge(&self, app: &App) -> Result<(), AppRefusal> {
        let Some(route) = &app.route else { return Ok(()) };
        if route.to_string().len() > LONGEST_ROUTE {
            return Err(AppRefusal::Route(vec![Mistake::new("route", "is longer than 16 KiB")]));
        }
        let others: Vec<App> = self.apps.with_routes().await?.into_iter().filter(|other| other.id != app.id).collect();
        self.judge.judge(app, &others).map_err(AppRefusal::Route)
    }

    async fn key(&self, app: &App, now: Timestamp) -> Result<Made, AppRefusal> {
        let owner = Some(app.owner.clone()).filter(|owner| !owner.trim().is_empty());
        let scopes = vec![Scope::App(app.name.to_string())];
        let new = NewKey { name: key_name(&app.name), owner, scopes, ..NewKey::default() };
        self.keys.create(new, now).await.map_err(refused)
    }
}

/// What the key of an app is called, among all API keys.
fn key_name(app: &AppName) -> String {
    format!("app-{app}")
}

fn owner(text: String) -> Result<String, AppRefusal> {
    let is_line = text.chars().count() <= 128 && !text.chars().any(char::is_control);
    if is_line { Ok(text) } else { Err(AppRefusal::Owner) }
}

/// An app's name makes the key's, its owner is the key's, and the scope is one: nothing else can be wrong.
fn refused(refusal: NotMade) -> AppRefusal {
    match refusal {
        NotMade::Name | NotMade::Scopes | NotMade::Groups | NotMade::Lifetime | NotMade::Taken => AppRefusal::Taken,
        NotMade::Owner => AppRefusal::Owner,
        NotMade::Unknown => AppRefusal::Unknown,
        NotMade::Outage(outage) => AppRefusal::Outage(outage),
    }
}
