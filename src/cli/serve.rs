//! `doorward serve`: run the gateway.

use clap::Args;

use super::{ConfigFile, Failed, load};
use crate::boot::{self, Extras};
use crate::telemetry;

/// What `serve` is told.
#[derive(Debug, Args)]
pub(super) struct Serve {
    #[command(flatten)]
    file: ConfigFile,
    /// Take the listening sockets over from the process that runs; it finishes what is in flight, and leaves
    #[arg(long)]
    upgrade: bool,
}

/// Runs until it is told to leave.
pub(super) fn run(serve: &Serve) -> Result<(), Failed> {
    let path = &serve.file.config;
    let config = load(path)?;
    let _log = telemetry::log::init(&config.telemetry).map_err(|cause| Failed::refused(cause.to_string()))?;
    Ok(boot::serve(&config, Extras { file: Some(path.to_owned()), upgrade: serve.upgrade, ..Extras::default() })?)
}
