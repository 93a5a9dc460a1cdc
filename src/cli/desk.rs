//! Where a command works: the stores that the configuration names, opened in a runtime of the command's own.

use std::path::Path;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use super::{Failed, load};
use crate::audit::{Event, Thing, What, Who};
use crate::boot::Core;
use crate::boot::guests::{self, Joined};
use crate::clock::{Clock as _, SystemClock, Timestamp};
use crate::config::Config;
use crate::id::AccountId;
use crate::outage::Outage;
use crate::revocation::{Act, Entry, Pace, Subject};
use crate::signin::{Account, Accounts, Handle, Roster, Sessions, Sought};
use crate::telemetry::{self, LogFormat, TelemetrySettings};

/// What is still running when a command is done gets this long to end.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long a command that can do without the database waits for its answer.
const LOOK: Duration = Duration::from_secs(2);

/// Do `work` with the stores of the configuration at `path`.
pub(super) fn at<W>(path: &Path, work: W) -> Result<(), Failed>
where
    W: AsyncFnOnce(&Core) -> Result<(), Failed>,
{
    with(&load(path)?, work)
}

/// Do `work` with the stores of `config`.
pub(super) fn with<W>(config: &Config, work: W) -> Result<(), Failed>
where
    W: AsyncFnOnce(&Core) -> Result<(), Failed>,
{
    let quiet = TelemetrySettings { log: "warn".to_owned(), log_format: LogFormat::Text, ..TelemetrySettings::default() };
    drop(telemetry::log::init(&quiet).map_err(|error| Failed::refused(error.to_string()))?);
    let runtime = runtime()?;
    let done = runtime.block_on(async {
        let core = Core::open(config, runtime.handle()).await?;
        work(&core).await?;
        Ok(core.audit.flush().await?)
    });
    runtime.shutdown_timeout(PATIENCE);
    done
}

/// Do `work` that needs no store.
pub(super) fn alone<W>(work: W) -> Result<(), Failed>
where
    W: AsyncFnOnce() -> Result<(), Failed>,
{
    runtime()?.block_on(work())
}

/// The configuration with the routes of apps, as far as its database knows of any; and what to say where that cannot be asked.
/// Nothing is made or changed in it.
pub(super) fn beside_apps(config: &Config) -> Result<(Joined, Option<String>), Failed> {
    let (runtime, now) = (runtime()?, SystemClock.now());
    let found = runtime.block_on(async { tokio::time::timeout(LOOK, guests::joined(config, now)).await });
    runtime.shutdown_timeout(PATIENCE);
    let (joined, note) = match found {
        Ok(Ok(joined)) => (joined, None),
        Ok(Err(outage)) => (None, Some(format!("the routes of apps are not known: {outage}"))),
        Err(_) => (None, Some("the routes of apps are not known: the database gives no answer".to_owned())),
    };
    Ok((joined.unwrap_or_else(|| guests::join(config, &[], now)), note))
}

fn runtime() -> Result<Runtime, Failed> {
    Ok(Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}

/// Do `act`; when this returns, every node refuses what it ended. Without Redis nodes learn of it from the database, within a
/// bound that is waited for.
pub(super) async fn revoke(core: &Core, act: Act, reason: &'static str) -> Result<Vec<Entry>, Failed> {
    let (account, now) = (whose(core, &act).await?, core.clock.now());
    let is_key = matches!(act, Act::ApiKey(_));
    let entries = core.revocations.revoke(act, reason, now).await?;
    let ended = entries.iter().map(|entry| match &entry.subject {
        Subject::Token(id) if is_key => {
            Event::new(What::ApiKeyRevoked, Who::Operator, now).detail(reason).on(Thing::ApiKey(id.as_str().to_owned()))
        }
        subject => told(subject, account.as_ref(), reason, now),
    });
    core.audit.record_all(ended.collect()).await?;
    if !entries.is_empty() {
        settle(core).await;
    }
    Ok(entries)
}

/// Whose sessions `act` ends.
async fn whose(core: &Core, act: &Act) -> Result<Option<AccountId>, Failed> {
    Ok(match act {
        Act::SessionOf(account, _) | Act::Others(account, _) | Act::Account(account) | Act::Disable(account) => Some(account.clone()),
        Act::Session(id) => Sessions::find(core.store.as_ref(), id).await?.map(|session| session.account),
        Act::Token(_) | Act::ApiKey(_) => None,
    })
}

/// What the audit log is told of a line of the ledger.
fn told(subject: &Subject, account: Option<&AccountId>, reason: &'static str, now: Timestamp) -> Event {
    let by = |what, thing| Event::new(what, Who::Operator, now).detail(reason).on(thing);
    let event = match subject {
        Subject::Token(id) => by(What::SessionEnded, Thing::Token(id.clone())),
        Subject::Session(id) => by(What::SessionEnded, Thing::Session(id.clone())),
        Subject::Account(id, _) => by(What::AccountDisabled, Thing::Account(id.clone())),
    };
    match account {
        Some(account) => event.of(account),
        None => event,
    }
}

/// The audit log is told that the operator did `what` to `thing`, and to which `fields` of it. To be called after the act.
pub(super) async fn record(core: &Core, what: What, thing: Thing, fields: &[&'static str]) -> Result<(), Failed> {
    let event = Event::new(what, Who::Operator, core.clock.now()).on(thing).details(fields);
    let why = |outage| Failed::refused(format!("it is done, and is not in the audit log: {outage}"));
    core.audit.record(event).await.map_err(why)
}

/// What was revoked is refused on every node when this returns: without Redis they have looked into the database by then.
pub(super) async fn settle(core: &Core) {
    if core.redis.is_none() {
        tokio::time::sleep(Pace::default().bound).await;
    }
}

/// The account that `name` names: an address of it, its id, or its user name. No user name is an address, and an id goes before a
/// user name that somebody has made of it.
pub(super) async fn account(core: &Core, name: &str) -> Result<Account, Failed> {
    let found = if name.contains('@') || name.starts_with('+') {
        let handle = Handle::parse(name).map_err(|error| Failed::refused(format!("{name} is {error}")))?;
        core.store.find_by_handle(&handle).await?
    } else {
        by_word(core, name).await?
    };
    found.ok_or_else(|| Failed::refused(format!("there is no account {name}")))
}

/// The account with this id, else the one with this user name, in any case.
pub(super) async fn by_word(core: &Core, word: &str) -> Result<Option<Account>, Outage> {
    if let Some(account) = Accounts::find(core.store.as_ref(), &AccountId::new(word)).await? {
        return Ok(Some(account));
    }
    let sought = Sought { username: Some(word.to_owned()), ..Sought::default() };
    Ok(Roster::page(core.store.as_ref(), &sought, None, 1).await?.pop())
}
