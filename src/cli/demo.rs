//! `doorward demo`: everything on one machine, without configuration.

use std::net::SocketAddr;

use clap::Args;

use super::{Failed, print};
use crate::demo::{self, Addresses};
use crate::telemetry::{self, LogFormat, TelemetrySettings};

/// Where the demo listens.
#[derive(Debug, Args)]
pub(super) struct Demo {
    /// The gateway; loopback only
    #[arg(long, value_name = "ADDRESS", default_value_t = Addresses::default().public)]
    public: SocketAddr,
    /// Health, readiness and metrics
    #[arg(long, value_name = "ADDRESS", default_value_t = Addresses::default().admin)]
    admin: SocketAddr,
}

/// Runs until it is told to leave.
pub(super) fn run(demo: &Demo) -> Result<(), Failed> {
    let addresses = Addresses { public: demo.public, admin: demo.admin };
    if !addresses.public.ip().is_loopback() || !addresses.admin.ip().is_loopback() {
        return Err(Failed::refused("the demo shows codes to whoever looks: it listens on loopback only"));
    }
    let log = TelemetrySettings { log: "warn".to_owned(), log_format: LogFormat::Text, ..TelemetrySettings::default() };
    let _log = telemetry::log::init(&log).map_err(|cause| Failed::refused(cause.to_string()))?;
    // A closed standard output is no reason not to serve.
    Ok(demo::run(addresses, |words| drop(print::line(words)))?)
}
