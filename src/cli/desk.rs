//! Where a command works: the stores that the configuration names, opened in a runtime of the command's own.

use std::path::Path;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use super::{Failed, load};
use crate::boot::Core;
use crate::config::Config;
use crate::revocation::{Act, Entry, Pace};
use crate::signin::{Account, Accounts, Handle};
use crate::telemetry::{self, LogFormat, TelemetrySettings};

/// What is still running when a command is done gets this long to end.
const PATIENCE: Duration = Duration::from_secs(1);

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
    let quiet = TelemetrySettings { log: "warn".to_owned(), log_format: LogFormat::Text };
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

fn runtime() -> Result<Runtime, Failed> {
    Ok(Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}

/// Do `act`; when this returns, every node refuses what it ended. Without Redis nodes learn of it from the database, within a
/// bound that is waited for.
pub(super) async fn revoke(core: &Core, act: Act, reason: &str) -> Result<Vec<Entry>, Failed> {
    let entries = core.revocations.revoke(act, reason, core.clock.now()).await?;
    if core.redis.is_none() && !entries.is_empty() {
        tokio::time::sleep(Pace::default().bound).await;
    }
    Ok(entries)
}

/// The account that `name` names: an address of it, or its id.
pub(super) async fn account(core: &Core, name: &str) -> Result<Account, Failed> {
    let found = if name.contains('@') || name.starts_with('+') {
        let handle = Handle::parse(name).map_err(|error| Failed::refused(format!("{name} is {error}")))?;
        core.store.find_by_handle(&handle).await?
    } else {
        Accounts::find(core.store.as_ref(), &crate::id::AccountId::new(name)).await?
    };
    found.ok_or_else(|| Failed::refused(format!("there is no account {name}")))
}
