//! `/api/apps`: registered apps, by their ids or names. An app's key is in the reply that makes it, and nowhere afterwards.

use std::time::Duration;

use http::header::LOCATION;
use http::{HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::listing::{self, Window};
use super::{About, Api, precondition};
use crate::app::{App, AppChange, AppRefusal, Made, NewApp, Subject};
use crate::config::Mistake;
use crate::endpoint::body;
use crate::endpoint::call::Received;
use crate::endpoint::problem::Problem;
use crate::endpoint::reply::{self, No, Reply};
use crate::id::{AppId, SubjectId};

/// How long the old key goes on where nothing else is said, in seconds.
const GRACE: u64 = 24 * 3600;

/// The longest grace, in seconds: ten years.
const LONGEST: u64 = 10 * 366 * 24 * 3600;

/// An app, as it is shown.
#[derive(Debug, Serialize)]
struct View {
    id: String,
    name: String,
    owner: String,
    route: Option<Value>,
    revision: i64,
    created_at: String,
    changed_at: String,
    secret: Value,
}

impl From<App> for View {
    fn from(app: App) -> Self {
        Self {
            id: app.id.to_string(),
            name: app.name.to_string(),
            owner: app.owner,
            route: app.route,
            revision: app.revision,
            created_at: app.created_at.to_string(),
            changed_at: app.changed_at.to_string(),
            secret: json!({ "set": true }),
        }
    }
}

/// An app that was registered: the one reply that says its key.
#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    view: View,
    key: &'a str,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    name: String,
    #[serde(default)]
    owner: String,
    #[serde(default)]
    route: Option<Value>,
}

/// What is changed; a member that is not there stays, and a route that is `null` goes.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::option_option, reason = "not there, null, and a route are three things")]
struct Changed {
    owner: Option<String>,
    #[serde(deserialize_with = "present")]
    route: Option<Option<Value>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct AskedAgain {
    grace: Option<u64>,
}

#[expect(clippy::option_option, reason = "not there, null, and a route are three things")]
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Option<Value>>, D::Error> {
    Option::<Value>::deserialize(deserializer).map(Some)
}

impl Api {
    pub(super) async fn list_apps(&self, received: &Received<'_>) -> Result<Reply, No> {
        let [limit, cursor] = listing::query(received, ["limit", "cursor"])?;
        let window = Window::of(&self.cursors, &["apps"], &limit, &cursor)?;
        let found = self.setup.apps.apps.list(window.after.as_deref(), window.ask_for()).await?;
        Ok(window.page(&self.cursors, &["apps"], found, |app| app.name.to_string(), View::from))
    }

    pub(super) async fn add_app(&self, received: &Received<'_>) -> Result<Reply, No> {
        let Asked { name, owner, route } = body::json(received)?;
        let (app, made) = self.setup.apps.create(NewApp { name, owner, route }, received.call.now).await?;
        let location = HeaderValue::try_from(format!("/api/apps/{}", app.name)).map_err(|_| Problem::Internal)?;
        let (revision, id) = (app.revision, app.id.clone());
        let reply = reply::json(StatusCode::CREATED, &Shown { view: View::from(app), key: made.plain.expose() });
        let mut reply = precondition::tagged(reply, revision);
        reply.headers_mut().insert(LOCATION, location);
        Ok(about(reply, &id))
    }

    pub(super) async fn show_app(&self, name: &str) -> Result<Reply, No> {
        Ok(shown(self.setup.apps.find(name).await?))
    }

    pub(super) async fn change_app(&self, received: &Received<'_>, name: &str) -> Result<Reply, No> {
        let revision = precondition::expected(&received.head.headers)?;
        let Changed { owner, route } = body::patch(received)?;
        Ok(shown(self.setup.apps.change(name, AppChange { owner, route, revision }, received.call.now).await?))
    }

    pub(super) async fn remove_app(&self, received: &Received<'_>, name: &str) -> Result<Reply, No> {
        let revision = precondition::expected(&received.head.headers)?;
        let app = self.setup.apps.remove(name, revision, received.call.now).await?;
        Ok(about(reply::empty(StatusCode::NO_CONTENT), &app.id))
    }

    pub(super) async fn rotate_app_key(&self, received: &Received<'_>, name: &str) -> Result<Reply, No> {
        let asked = if received.body.is_empty() { AskedAgain::default() } else { body::json(received)? };
        let grace = Duration::from_secs(asked.grace.unwrap_or(GRACE).min(LONGEST));
        let (app, Made { plain, key }) = self.setup.apps.rotate_key(name, grace, received.call.now).await?;
        Ok(about(reply::json(StatusCode::CREATED, &json!({ "id": key.id.to_string(), "key": plain.expose() })), &app.id))
    }

    pub(super) async fn list_subjects(&self, received: &Received<'_>, name: &str) -> Result<Reply, No> {
        let [limit, cursor] = listing::query(received, ["limit", "cursor"])?;
        let app = self.setup.apps.find(name).await?;
        let listed = ["subjects", app.id.as_str()];
        let window = Window::of(&self.cursors, &listed, &limit, &cursor)?;
        let after = window.after.clone().map(SubjectId::new);
        let found = self.setup.apps.subjects(&app, after.as_ref(), window.ask_for()).await?;
        Ok(window.page(&self.cursors, &listed, found, |subject| subject.id.to_string(), |subject| subject_view(&subject)))
    }
}

/// Addresses are kept sealed for the app, and are not read back.
fn subject_view(subject: &Subject) -> Value {
    json!({
        "id": subject.id.to_string(),
        "subject": subject.name.expose(),
        "email": { "set": subject.email.is_some() },
        "phone": { "set": subject.phone.is_some() },
        "created_at": subject.created_at.to_string(),
        "seen_at": subject.seen_at.to_string(),
        "authenticator_enabled_at": subject.enabled_at.map(|at| at.to_string()),
    })
}

fn shown(app: App) -> Reply {
    let (revision, id) = (app.revision, app.id.clone());
    about(precondition::tagged(reply::json(StatusCode::OK, &View::from(app)), revision), &id)
}

/// The log knows an app by its id, whatever it was called in the path.
fn about(mut reply: Reply, id: &AppId) -> Reply {
    reply.extensions_mut().insert(About(id.to_string()));
    reply
}

impl From<AppRefusal> for No {
    fn from(refusal: AppRefusal) -> Self {
        match refusal {
            AppRefusal::Route(mistakes) => Self::from(Problem::InvalidApp).because(mistakes),
            AppRefusal::Name(why) => Self::from(Problem::InvalidApp).because(vec![Mistake::new("name", format!("is none: {why}"))]),
            AppRefusal::Owner => {
                Self::from(Problem::InvalidApp).because(vec![Mistake::new("owner", "is one line of at most 128 characters")])
            }
            AppRefusal::Taken => Problem::Taken.into(),
            AppRefusal::Unknown => Problem::NotFound.into(),
            AppRefusal::Changed => Problem::PreconditionFailed.into(),
            AppRefusal::Outage(outage) => outage.into(),
        }
    }
}
