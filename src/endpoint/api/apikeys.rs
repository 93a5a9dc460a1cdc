//! `/api/apikeys`: keys of machines. A key's text is in the reply that makes it, and nowhere afterwards.

use std::time::Duration;

use http::header::LOCATION;
use http::{HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Api;
use super::listing::{self, Window};
use crate::app::{ApiKey, Made, NewKey, NotMade, Scope};
use crate::endpoint::body;
use crate::endpoint::call::Received;
use crate::endpoint::problem::Problem;
use crate::endpoint::reply::{self, No, Reply};
use crate::id::KeyId;

/// How long the old key goes on where nothing else is said: long enough to hand the new one round.
const GRACE: u64 = 24 * 3600;

/// The longest lifetime and the longest grace, in seconds: ten years.
const LONGEST: u64 = 10 * 366 * 24 * 3600;

/// A key, as it is shown.
#[derive(Debug, Serialize)]
struct View {
    id: String,
    name: String,
    owner: Option<String>,
    scopes: Vec<Scope>,
    groups: Vec<String>,
    created_at: String,
    expires_at: Option<String>,
    last_used_at: Option<String>,
    revoked_at: Option<String>,
    secret: Value,
}

impl From<ApiKey> for View {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.id.to_string(),
            name: key.name,
            owner: key.owner,
            scopes: key.scopes,
            groups: key.groups,
            created_at: key.created_at.to_string(),
            expires_at: key.expires_at.map(|at| at.to_string()),
            last_used_at: key.last_used_at.map(|at| at.to_string()),
            revoked_at: key.revoked_at.map(|at| at.to_string()),
            secret: json!({ "set": true }),
        }
    }
}

/// A key that was made: the one reply that says it.
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
    owner: Option<String>,
    scopes: Vec<String>,
    #[serde(default)]
    groups: Vec<String>,
    #[serde(default)]
    expires_in: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct AskedAgain {
    grace: Option<u64>,
}

impl Api {
    pub(super) async fn list_keys(&self, received: &Received<'_>) -> Result<Reply, No> {
        let [limit, cursor] = listing::query(received, ["limit", "cursor"])?;
        let window = Window::of(&self.cursors, &["apikeys"], &limit, &cursor)?;
        let after = window.after.clone().map(KeyId::new);
        let found = self.setup.keys.keys.list(after.as_ref(), window.ask_for()).await?;
        Ok(window.page(&self.cursors, &["apikeys"], found, |key| key.id.to_string(), View::from))
    }

    pub(super) async fn create_key(&self, received: &Received<'_>) -> Result<Reply, No> {
        let asked: Asked = body::json(received)?;
        let scopes = asked.scopes.iter().map(|text| text.parse()).collect::<Result<Vec<Scope>, _>>();
        let lifetime = asked.expires_in.map(seconds).transpose()?;
        let (name, owner, groups) = (asked.name, asked.owner, asked.groups);
        let new = NewKey { name, owner, scopes: scopes.map_err(|_| Problem::InvalidKey)?, groups, lifetime };
        made(self.setup.keys.create(new, received.call.now).await?)
    }

    pub(super) async fn show_key(&self, id: &KeyId) -> Result<Reply, No> {
        let key = self.setup.keys.keys.find(id).await?.ok_or(Problem::NotFound)?;
        Ok(reply::json(StatusCode::OK, &View::from(key)))
    }

    pub(super) async fn revoke_key(&self, received: &Received<'_>, id: &KeyId) -> Result<Reply, No> {
        let is_revoked = self.setup.keys.revoke(id, received.call.now).await?;
        if is_revoked { Ok(reply::empty(StatusCode::NO_CONTENT)) } else { Err(Problem::NotFound.into()) }
    }

    pub(super) async fn rotate_key(&self, received: &Received<'_>, id: &KeyId) -> Result<Reply, No> {
        let asked = if received.body.is_empty() { AskedAgain::default() } else { body::json(received)? };
        let grace = Duration::from_secs(asked.grace.unwrap_or(GRACE).min(LONGEST));
        made(self.setup.keys.replace(id, grace, received.call.now).await?)
    }
}

fn seconds(number: u64) -> Result<Duration, Problem> {
    if number > LONGEST { Err(Problem::InvalidKey) } else { Ok(Duration::from_secs(number)) }
}

fn made(made: Made) -> Result<Reply, No> {
    let location = HeaderValue::try_from(format!("/api/apikeys/{}", made.key.id)).map_err(|_| Problem::Internal)?;
    let mut reply = reply::json(StatusCode::CREATED, &Shown { view: View::from(made.key), key: made.plain.expose() });
    reply.headers_mut().insert(LOCATION, location);
    Ok(reply)
}

impl From<NotMade> for No {
    fn from(refusal: NotMade) -> Self {
        match refusal {
            NotMade::Name | NotMade::Owner | NotMade::Scopes | NotMade::Groups | NotMade::Lifetime => Problem::InvalidKey.into(),
            NotMade::Taken => Problem::Taken.into(),
            NotMade::Unknown => Problem::NotFound.into(),
            NotMade::Outage(outage) => outage.into(),
        }
    }
}
