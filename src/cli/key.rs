//! `doorward key`: signing keys.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::{ConfigFile, Failed, desk, load, print};
use crate::audit::{Event, What, Who};
use crate::boot::Core;
use crate::clock::Timestamp;
use crate::token::{Keys, Purpose, StoredKey};

#[derive(Debug, Subcommand)]
pub(super) enum Key {
    /// List the keys that are kept; never the private ones
    List(List),
    /// Make the next key: published first, then signing; the old one verifies until its last token has expired
    Rotate(Rotate),
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
pub(super) struct Rotate {
    #[command(flatten)]
    file: ConfigFile,
    /// Which key; both unless one is named
    #[arg(long, value_enum)]
    purpose: Option<Which>,
    /// Sign with it at once: when the old one has leaked. Apps that keep the JWK Set see it up to a minute later
    #[arg(long)]
    at_once: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Which {
    /// Of access tokens
    Access,
    /// Of assertions for apps
    Assertion,
}

pub(super) fn run(command: Key) -> Result<(), Failed> {
    match command {
        Key::List(list) => desk::at(&list.file.config, async |core| show(core, list.json).await),
        Key::Rotate(rotate) => make(&rotate),
    }
}

fn make(rotate: &Rotate) -> Result<(), Failed> {
    let config = load(&rotate.file.config)?;
    let own = config.tokens.secret.is_some();
    let purposes = match rotate.purpose {
        Some(Which::Access) if own => return Err(Failed::refused("access tokens are signed with tokens.secret: change it there")),
        Some(Which::Access) => vec![Purpose::Access],
        None if !own => vec![Purpose::Access, Purpose::Assertion],
        Some(Which::Assertion) | None => vec![Purpose::Assertion],
    };
    desk::with(&config, async |core| {
        for purpose in purposes {
            next(core, purpose, rotate.at_once).await?;
        }
        show(core, rotate.json).await
    })
}

async fn next(core: &Core, purpose: Purpose, at_once: bool) -> Result<(), Failed> {
    let made = core.keymaker().rotate(purpose, at_once, core.clock.now()).await?;
    if made {
        let event = Event::new(What::SigningKeyRotated, Who::Operator, core.clock.now()).detail(purpose.as_str());
        core.audit.record(event).await?;
    } else {
        print::complain(&format!("another node has just made a key for {}: that one is next", purpose.as_str()));
    }
    Ok(())
}

async fn show(core: &Core, as_json: bool) -> Result<(), Failed> {
    let (keys, now) = (Keys::list(core.store.as_ref()).await?, core.clock.now());
    if as_json {
        return print::json(&keys.iter().map(|key| as_value(key, &keys, now)).collect());
    }
    let rows: Vec<_> = keys.iter().map(|key| as_row(key, &keys, now)).collect();
    print::table(["KID", "PURPOSE", "ALGORITHM", "STATE", "CREATED", "SIGNS FROM", "VERIFIES UNTIL"], &rows)
}

/// What a key is good for at `now`.
fn state(key: &StoredKey, keys: &[StoredKey], now: Timestamp) -> &'static str {
    let signs_before = |other: &&StoredKey| other.purpose == key.purpose && other.signs_from <= now;
    let signing = keys.iter().filter(signs_before).map(|other| other.generation).max();
    match (key.verifies_until, signing) {
        (Some(until), _) if until <= now => "over",
        (_, Some(generation)) if generation == key.generation => "signing",
        (_, Some(generation)) if generation > key.generation => "verifying",
        (_, Some(_) | None) => "next",
    }
}

fn as_row(key: &StoredKey, keys: &[StoredKey], now: Timestamp) -> [String; 7] {
    [
        key.kid.clone(),
        key.purpose.as_str().to_owned(),
        key.algorithm.as_str().to_owned(),
        state(key, keys, now).to_owned(),
        key.created_at.to_string(),
        key.signs_from.to_string(),
        key.verifies_until.map_or_else(|| "-".to_owned(), |at| at.to_string()),
    ]
}

fn as_value(key: &StoredKey, keys: &[StoredKey], now: Timestamp) -> Value {
    json!({
        "kid": key.kid,
        "purpose": key.purpose.as_str(),
        "algorithm": key.algorithm.as_str(),
        "state": state(key, keys, now),
        "created_at": key.created_at.to_string(),
        "signs_from": key.signs_from.to_string(),
        "verifies_until": key.verifies_until.map(|at| at.to_string()),
    })
}
