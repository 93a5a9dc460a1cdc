//! `doorward apikey`: keys of machines. A key is printed once, when it is made; what is stored cannot be turned back into it.

use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{ConfigFile, Failed, desk, load, print};
use crate::app::{ApiKey, ApiKeys, Made, NewKey, NotMade, Scope};
use crate::audit::{Thing, What};
use crate::boot::Core;
use crate::clock::Timestamp;
use crate::config::Config;
use crate::id::KeyId;
use crate::revocation::Act;

/// Keys that are read at once.
const PAGE: u32 = 500;

#[derive(Debug, Subcommand)]
pub(super) enum ApiKeyCommand {
    /// Make a key and print it: this once, on standard output
    Create(Create),
    /// List all keys, those that are over too; never the keys themselves
    List(List),
    /// Revoke a key: it is refused at once, on every node
    Revoke(Revoke),
}

#[derive(Debug, Args)]
pub(super) struct Create {
    #[command(flatten)]
    file: ConfigFile,
    #[command(flatten)]
    called: Called,
    /// What it is for: read, admin, app:NAME, route:NAME or route:NAME:GET,HEAD; may be given several times
    #[arg(long = "scope", alias = "scopes", value_name = "SCOPE", required = true)]
    scopes: Vec<Scope>,
    /// How long it is good, as 90d; for ever when left out
    #[arg(long = "expires", visible_alias = "expires-in", aliases = ["ttl", "lifetime"], value_name = "SPAN", value_parser = super::span_of_key)]
    lifetime: Option<Duration>,
    /// Who answers for it
    #[arg(long, value_name = "WHO")]
    owner: Option<String>,
    /// A group that it has in the rules of routes; may be given several times, or several separated by commas
    #[arg(long = "group", alias = "groups", value_name = "GROUP", value_delimiter = ',')]
    groups: Vec<String>,
    /// Print JSON, the key in it
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Called {
    /// What it is called; apps see it as apikey:NAME
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// The same
    #[arg(long = "name", value_name = "NAME", hide = true)]
    named: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    file: ConfigFile,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Revoke {
    /// The key's id, or its name
    #[arg(value_name = "ID|NAME", allow_hyphen_values = true)]
    key: String,
    #[command(flatten)]
    file: ConfigFile,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: ApiKeyCommand) -> Result<(), Failed> {
    match command {
        ApiKeyCommand::Create(create) => make(create),
        ApiKeyCommand::List(list) => desk::at(&list.file.config, async |core| show_all(core, list.json).await),
        ApiKeyCommand::Revoke(revoke) => desk::at(&revoke.file.config, async |core| end(core, &revoke).await),
    }
}

fn make(create: Create) -> Result<(), Failed> {
    let config = load(&create.file.config)?;
    desk::with(&config, async |core| {
        let new = NewKey {
            name: create.called.name.or(create.called.named).unwrap_or_default(),
            owner: create.owner,
            scopes: create.scopes,
            groups: create.groups,
            lifetime: create.lifetime,
        };
        let Made { plain, key } = core.key_desk().create(new, core.clock.now()).await.map_err(not_made)?;
        // It cannot be shown again: whatever the audit log says, it is shown first.
        let logged = desk::record(core, What::ApiKeyCreated, Thing::ApiKey(key.id.to_string()), &[]).await;
        warn(&config, &key);
        print::complain(&format!("the key {} was made, and is shown this once", key.name));
        if create.json {
            let mut value = as_value(&key, core.clock.now());
            if let Some(object) = value.as_object_mut() {
                object.insert("key".to_owned(), json!(plain.expose()));
            }
            print::json(&value)?;
        } else {
            print::line(plain.expose())?;
        }
        logged
    })
}

fn not_made(why: NotMade) -> Failed {
    match why {
        NotMade::Outage(outage) => outage.into(),
        NotMade::Taken => Failed::refused("another key has this name: revoke that one first"),
        NotMade::Name | NotMade::Owner | NotMade::Scopes | NotMade::Groups | NotMade::Lifetime | NotMade::Unknown => {
            Failed::refused(why.to_string())
        }
    }
}

/// A route may come later; a name that was mistyped never does.
fn warn(config: &Config, key: &ApiKey) {
    for scope in &key.scopes {
        match scope {
            Scope::Route(pass) if config.routes.iter().all(|route| route.name != pass.route) => {
                print::complain(&format!("there is no route {} in the configuration: this key passes it once there is", pass.route));
            }
            Scope::Route(_) | Scope::Read | Scope::Admin | Scope::App(_) => {}
        }
    }
}

async fn show_all(core: &Core, as_json: bool) -> Result<(), Failed> {
    let (keys, now) = (all(core).await?, core.clock.now());
    if as_json {
        return print::json(&keys.iter().map(|key| as_value(key, now)).collect());
    }
    let rows: Vec<_> = keys.iter().map(|key| as_row(key, now)).collect();
    print::table(["ID", "NAME", "SCOPES", "GROUPS", "OWNER", "STATE", "CREATED", "EXPIRES", "LAST USED"], &rows)
}

/// Newest first.
async fn all(core: &Core) -> Result<Vec<ApiKey>, Failed> {
    let mut keys: Vec<ApiKey> = Vec::new();
    loop {
        let page = ApiKeys::list(core.store.as_ref(), keys.last().map(|key| &key.id), PAGE).await?;
        let is_last = u32::try_from(page.len()).is_ok_and(|count| count < PAGE);
        keys.extend(page);
        if is_last {
            break;
        }
    }
    keys.sort_by(|one, other| (other.created_at, &one.id).cmp(&(one.created_at, &other.id)));
    Ok(keys)
}

async fn end(core: &Core, revoke: &Revoke) -> Result<(), Failed> {
    let key = known(core, &revoke.key).await?;
    let lines = desk::revoke(core, Act::ApiKey(key.id.clone()), "").await?;
    print::complain(if lines.is_empty() { "it was revoked before" } else { "revoked" });
    let after = ApiKeys::find(core.store.as_ref(), &key.id).await?.unwrap_or(key);
    let now = core.clock.now();
    if revoke.json { print::json(&as_value(&after, now)) } else { print::line(after.id.as_str()) }
}

/// By id, else by name: the one of that name that is good. A name that several good keys have (an old one goes on for a while after
/// it was followed) names none.
async fn known(core: &Core, named: &str) -> Result<ApiKey, Failed> {
    if let Some(key) = ApiKeys::find(core.store.as_ref(), &KeyId::new(named)).await? {
        return Ok(key);
    }
    let now = core.clock.now();
    let mut found = all(core).await?.into_iter().filter(|key| key.name == named && key.is_good(now));
    match (found.next(), found.next()) {
        (Some(key), None) => Ok(key),
        (Some(_), Some(_)) => Err(Failed::refused(format!("several keys are called {named}: name one by its id"))),
        (None, _) => Err(Failed::refused(format!("there is no key {named} that is good"))),
    }
}

fn state(key: &ApiKey, now: Timestamp) -> &'static str {
    match (key.revoked_at, key.is_good(now)) {
        (Some(_), _) => "revoked",
        (None, true) => "good",
        (None, false) => "expired",
    }
}

fn as_row(key: &ApiKey, now: Timestamp) -> [String; 9] {
    let time = |at: Option<Timestamp>| at.map_or_else(|| "-".to_owned(), |at| at.to_string());
    let list = |words: Vec<String>| if words.is_empty() { "-".to_owned() } else { print::cell(&words.join(" ")) };
    [
        key.id.to_string(),
        print::cell(&key.name),
        list(key.scopes.iter().map(ToString::to_string).collect()),
        list(key.groups.clone()),
        print::optional(key.owner.as_deref()),
        state(key, now).to_owned(),
        key.created_at.to_string(),
        time(key.expires_at),
        time(key.last_used_at),
    ]
}

fn as_value(key: &ApiKey, now: Timestamp) -> Value {
    let time = |at: Option<Timestamp>| at.map(|at| at.to_string());
    json!({
        "id": key.id,
        "name": key.name,
        "owner": key.owner,
        "scopes": key.scopes,
        "groups": key.groups,
        "state": state(key, now),
        "created_at": key.created_at.to_string(),
        "expires_at": time(key.expires_at),
        "last_used_at": time(key.last_used_at),
        "revoked_at": time(key.revoked_at),
    })
}
