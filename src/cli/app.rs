//! `doorward app`: registered apps. An app's key is printed once, when it is made.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{ConfigFile, Failed, desk, load, print};
use crate::app::{ApiKey, App, AppChange, AppDesk, AppRefusal, Apps, Made, NewApp};
use crate::audit::{Thing, What};
use crate::boot::Core;
use crate::config::guest;

/// Apps that are read at once.
const PAGE: u32 = 500;

/// The name of standard input, where a file is named.
const STANDARD_INPUT: &str = "-";

#[derive(Debug, Subcommand)]
pub(super) enum AppCommand {
    /// Register an app and print its key: this once, on standard output
    Add(Add),
    /// Show one app, and its keys without what is secret
    Show(One),
    /// List all apps
    List(All),
    /// Change who answers for an app, or its route
    Set(Set),
    /// Remove an app: its keys, subjects, codes, authenticators and its route are gone at once
    Remove(One),
    /// Print another key of an app: this once, on standard output; the old one goes on for a while
    RotateKey(RotateKey),
}

#[derive(Debug, Args)]
pub(super) struct Add {
    /// What it is called: 1 to 60 lower-case letters, digits, '.', '_' and '-'; fixed for ever
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    file: ConfigFile,
    /// Who answers for it
    #[arg(long, value_name = "WHO", default_value = "")]
    owner: String,
    /// A file with its route, TOML or JSON: the keys of one [[route]]; - for standard input
    #[arg(long, value_name = "FILE")]
    route: Option<PathBuf>,
    /// Print JSON, the key in it
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct One {
    /// What it is called, or its id
    #[arg(value_name = "NAME|ID", allow_hyphen_values = true)]
    name: String,
    #[command(flatten)]
    file: ConfigFile,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct All {
    #[command(flatten)]
    file: ConfigFile,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Set {
    /// What it is called, or its id
    #[arg(value_name = "NAME|ID", allow_hyphen_values = true)]
    name: String,
    #[command(flatten)]
    changes: Changes,
    #[command(flatten)]
    file: ConfigFile,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct Changes {
    /// Who answers for it
    #[arg(long, value_name = "WHO")]
    owner: Option<String>,
    /// A file with its route, TOML or JSON: the keys of one [[route]]; - for standard input
    #[arg(long, value_name = "FILE")]
    route: Option<PathBuf>,
    /// It has no route any more
    #[arg(long, conflicts_with = "route")]
    no_route: bool,
}

#[derive(Debug, Args)]
pub(super) struct RotateKey {
    /// What it is called, or its id
    #[arg(value_name = "NAME|ID", allow_hyphen_values = true)]
    name: String,
    /// How long the old key goes on, as 24h; 0s: not at all
    #[arg(long, value_name = "SPAN", default_value = "24h", value_parser = super::span_of_key)]
    grace: Duration,
    #[command(flatten)]
    file: ConfigFile,
    /// Print JSON, the key in it
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: AppCommand) -> Result<(), Failed> {
    match command {
        AppCommand::Add(add) => at(&add.file.config, async |core, apps| make(core, apps, &add).await),
        AppCommand::Show(one) => at(&one.file.config, async |core, apps| show(core, apps, &one.name, one.json).await),
        AppCommand::List(all) => at(&all.file.config, async |_, apps| list(apps, all.json).await),
        AppCommand::Set(set) => at(&set.file.config, async |core, apps| change(core, apps, &set).await),
        AppCommand::Remove(one) => at(&one.file.config, async |core, apps| remove(core, apps, &one).await),
        AppCommand::RotateKey(rotate) => at(&rotate.file.config, async |core, apps| rotate_key(core, apps, &rotate).await),
    }
}

fn at<W>(path: &Path, work: W) -> Result<(), Failed>
where
    W: AsyncFnOnce(&Core, &AppDesk) -> Result<(), Failed>,
{
    let config = load(path)?;
    desk::with(&config, async |core| work(core, &core.app_desk(&config)).await)
}

async fn make(core: &Core, apps: &AppDesk, add: &Add) -> Result<(), Failed> {
    let route = add.route.as_deref().map(route).transpose()?;
    let new = NewApp { name: add.name.clone(), owner: add.owner.clone(), route };
    let (app, made) = apps.create(new, core.clock.now()).await.map_err(refused)?;
    // Its key cannot be shown again: whatever the audit log says, it is shown first.
    let logged = desk::record(core, What::AppAdded, Thing::App(app.id.to_string()), &[]).await;
    print::complain(&format!("the app {} was registered; its key is shown this once", app.name));
    key(&made, as_value(&app), add.json)?;
    logged
}

async fn show(core: &Core, apps: &AppDesk, name: &str, as_json: bool) -> Result<(), Failed> {
    let app = apps.find(name).await.map_err(refused)?;
    let keys = apps.keys_of(&app, core.clock.now()).await?;
    let mut value = as_value(&app);
    if let Some(object) = value.as_object_mut() {
        object.insert("keys".to_owned(), keys.iter().map(key_value).collect());
    }
    if as_json {
        return print::json(&value);
    }
    print::table(HEADING, &[as_row(&app)])?;
    print::table(["KEY", "CREATED", "EXPIRES", "LAST USED"], &keys.iter().map(key_row).collect::<Vec<_>>())?;
    app.route.as_ref().map_or(Ok(()), print::json)
}

async fn list(apps: &AppDesk, as_json: bool) -> Result<(), Failed> {
    let mut all: Vec<App> = Vec::new();
    loop {
        let after = all.last().map(|app| app.name.as_str().to_owned());
        let page = Apps::list(apps.apps.as_ref(), after.as_deref(), PAGE).await?;
        if page.is_empty() {
            break;
        }
        all.extend(page);
    }
    if as_json {
        return print::json(&all.iter().map(as_value).collect());
    }
    print::table(HEADING, &all.iter().map(as_row).collect::<Vec<_>>())
}

async fn change(core: &Core, apps: &AppDesk, set: &Set) -> Result<(), Failed> {
    let route = set.changes.route.as_deref().map(route).transpose()?;
    let route = if set.changes.no_route { Some(None) } else { route.map(Some) };
    let fields = [("owner", set.changes.owner.is_some()), ("route", route.is_some())];
    let fields: Vec<&str> = fields.iter().filter(|(_, is_there)| *is_there).map(|(name, _)| *name).collect();
    let change = AppChange { owner: set.changes.owner.clone(), route, revision: None };
    let app = apps.change(&set.name, change, core.clock.now()).await.map_err(refused)?;
    desk::record(core, What::AppChanged, Thing::App(app.id.to_string()), &fields).await?;
    show(core, apps, &set.name, set.json).await
}

async fn remove(core: &Core, apps: &AppDesk, one: &One) -> Result<(), Failed> {
    let app = apps.remove(&one.name, None, core.clock.now()).await.map_err(refused)?;
    desk::record(core, What::AppRemoved, Thing::App(app.id.to_string()), &[]).await?;
    desk::settle(core).await;
    print::complain(&format!("the app {} was removed, and its keys are revoked", app.name));
    if one.json { print::json(&json!({ "removed": app.name })) } else { Ok(()) }
}

async fn rotate_key(core: &Core, apps: &AppDesk, rotate: &RotateKey) -> Result<(), Failed> {
    let (app, made) = apps.rotate_key(&rotate.name, rotate.grace, core.clock.now()).await.map_err(refused)?;
    let logged = desk::record(core, What::AppKeyRotated, Thing::App(app.id.to_string()), &[]).await;
    if rotate.grace.is_zero() {
        desk::settle(core).await;
    }
    print::complain(&format!("the app {} has another key, which is shown this once", app.name));
    key(&made, json!({ "name": app.name }), rotate.json)?;
    logged
}

/// What is shown once.
fn key(made: &Made, mut about: Value, as_json: bool) -> Result<(), Failed> {
    if !as_json {
        return print::line(made.plain.expose());
    }
    if let Some(object) = about.as_object_mut() {
        object.insert("key".to_owned(), Value::from(made.plain.expose()));
    }
    print::json(&about)
}

/// The route that stands in a file.
fn route(file: &Path) -> Result<Value, Failed> {
    let unreadable = |error: std::io::Error| Failed::refused(format!("{} cannot be read: {error}", file.display()));
    let text = if file == Path::new(STANDARD_INPUT) {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map_err(unreadable)?;
        text
    } else {
        std::fs::read_to_string(file).map_err(unreadable)?
    };
    guest::read(&text).map_err(|mistake| Failed::Mistakes(vec![mistake]))
}

fn refused(refusal: AppRefusal) -> Failed {
    match refusal {
        AppRefusal::Route(mistakes) => Failed::Mistakes(mistakes),
        AppRefusal::Outage(outage) => outage.into(),
        AppRefusal::Name(_) | AppRefusal::Owner | AppRefusal::Taken | AppRefusal::Unknown | AppRefusal::Changed => {
            Failed::refused(refusal.to_string())
        }
    }
}

const HEADING: [&str; 6] = ["NAME", "OWNER", "ROUTE", "REVISION", "REGISTERED", "ID"];

fn as_row(app: &App) -> [String; 6] {
    let host = app.route.as_ref().map(|route| {
        let part = |key: &str| route.get(key).and_then(Value::as_str);
        format!("{}{}", part("host").unwrap_or("*"), part("path").unwrap_or("/"))
    });
    [
        app.name.to_string(),
        print::optional(Some(app.owner.as_str()).filter(|owner| !owner.is_empty())),
        print::optional(host.as_deref()),
        app.revision.to_string(),
        app.created_at.to_string(),
        app.id.to_string(),
    ]
}

fn as_value(app: &App) -> Value {
    json!({
        "id": app.id, "name": app.name, "owner": app.owner, "route": app.route, "revision": app.revision,
        "created_at": app.created_at.to_string(), "changed_at": app.changed_at.to_string(),
    })
}

fn key_row(key: &ApiKey) -> [String; 4] {
    let time = |at: Option<crate::clock::Timestamp>| at.map_or_else(|| "-".to_owned(), |at| at.to_string());
    [key.id.to_string(), key.created_at.to_string(), time(key.expires_at), time(key.last_used_at)]
}

fn key_value(key: &ApiKey) -> Value {
    json!({
        "id": key.id, "created_at": key.created_at.to_string(), "expires_at": key.expires_at.map(|at| at.to_string()),
        "last_used_at": key.last_used_at.map(|at| at.to_string()),
    })
}
