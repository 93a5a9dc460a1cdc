//! The command line: one file per command. Results go to standard output, messages to standard error; the exit code is 0 when
//! it is done, 1 when it was refused or something is wrong, 2 when the command was used wrongly.

mod account;
mod apikey;
mod app;
mod audit;
mod change;
mod check;
mod completions;
mod demo;
mod desk;
mod explain;
mod healthcheck;
mod init;
mod key;
mod migrate;
mod print;
mod running;
mod serve;
mod session;
mod snippet;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::app::LONGEST_LIFE;
use crate::boot::NotServing;
use crate::config::{Config, Mistake, duration};
use crate::outage::Outage;

/// A reverse proxy that authenticates: one-time codes in front of apps that have no sign-in of their own.
#[derive(Debug, Parser)]
#[command(
    name = "doorward",
    version,
    disable_help_subcommand = true,
    after_help = "Exit codes: 0 done, 1 refused or found wrong, 2 used wrongly. Results stand on standard output, messages on standard error."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Everything on one machine, no configuration
    Demo(demo::Demo),
    /// Run the gateway
    Serve(serve::Serve),
    /// Name every mistake in the configuration at once
    Check(check::Check),
    /// Write a commented configuration with fresh secrets
    Init(init::Init),
    /// Bring the database up to date
    Migrate(ConfigFile),
    /// Ask the running gateway whether it is alive, for a container's HEALTHCHECK
    Healthcheck(ConfigFile),
    /// What becomes of a request, and why: which route, which rule, admitted or refused
    Explain(explain::Explain),
    /// The people who may sign in
    #[command(subcommand)]
    Account(account::Account),
    /// Signed-in devices
    #[command(subcommand)]
    Session(session::Session),
    /// Registered apps: backends that have codes sent and checked, and may bring a route of their own
    #[command(subcommand)]
    App(app::AppCommand),
    /// The configuration of a proxy that stays in front and asks (forward-auth)
    Snippet(snippet::Snippet),
    /// What a shell needs to finish these commands
    Completions(completions::Completions),
    /// The manual
    Man(completions::Man),
    /// Keys of machines: scripts, git, pip, other servers
    #[command(subcommand)]
    Apikey(apikey::ApiKeyCommand),
    /// Signing keys
    #[command(subcommand)]
    Key(key::Key),
    /// Who did what: the audit log
    #[command(subcommand)]
    Audit(audit::Audit),
}

/// Which configuration.
#[derive(Debug, Args)]
struct ConfigFile {
    /// The configuration file
    #[arg(long, value_name = "FILE", env = "DOORWARD_CONFIG", default_value = "config/doorward.toml")]
    config: PathBuf,
}

/// Why a command ends with 1.
#[derive(Debug, thiserror::Error)]
enum Failed {
    /// The configuration is wrong.
    #[error("{}", lines(.0))]
    Mistakes(Vec<Mistake>),
    /// What was asked for is not possible.
    #[error("doorward: {0}")]
    Refused(String),
    /// Something could not be reached.
    #[error("doorward: {0}")]
    NotServing(NotServing),
    /// The answer is no, and stands on standard output.
    #[error("")]
    Shown,
    /// Whoever read standard output has read enough, as `head` has.
    #[error("")]
    Unheard,
}

impl From<NotServing> for Failed {
    fn from(cause: NotServing) -> Self {
        match cause {
            NotServing::Configuration(mistakes) => Self::Mistakes(mistakes),
            other => Self::NotServing(other),
        }
    }
}

impl From<Outage> for Failed {
    fn from(cause: Outage) -> Self {
        Self::NotServing(NotServing::Outage(cause))
    }
}

impl From<std::io::Error> for Failed {
    fn from(cause: std::io::Error) -> Self {
        if cause.kind() == std::io::ErrorKind::BrokenPipe { Self::Unheard } else { Self::Refused(cause.to_string()) }
    }
}

impl Failed {
    fn refused(why: impl Into<String>) -> Self {
        Self::Refused(why.into())
    }
}

fn lines(mistakes: &[Mistake]) -> String {
    mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Does what this process's arguments say.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(usage) => return misused(&usage),
    };
    match cli.command.run() {
        Ok(()) | Err(Failed::Unheard) => ExitCode::SUCCESS,
        Err(Failed::Shown) => ExitCode::FAILURE,
        Err(failed) => {
            print::complain(&failed.to_string());
            ExitCode::FAILURE
        }
    }
}

impl Command {
    fn run(self) -> Result<(), Failed> {
        match self {
            Self::Demo(demo) => demo::run(&demo),
            Self::Serve(serve) => serve::run(&serve),
            Self::Check(check) => check::run(&check),
            Self::Init(init) => init::run(&init),
            Self::Migrate(file) => migrate::run(&file.config),
            Self::Healthcheck(file) => healthcheck::run(&file.config),
            Self::Explain(explain) => explain::run(&explain),
            Self::Account(command) => account::run(command),
            Self::Session(command) => session::run(command),
            Self::Completions(completions) => completions::run(&completions),
            Self::Man(man) => completions::manual(&man),
            Self::App(command) => app::run(command),
            Self::Snippet(snippet) => snippet::run(&snippet),
            Self::Apikey(command) => apikey::run(command),
            Self::Key(command) => key::run(command),
            Self::Audit(command) => audit::run(command),
        }
    }
}

/// Help and version are results; everything else is a wrong use.
fn misused(usage: &clap::Error) -> ExitCode {
    let shown = usage.print();
    match (usage.use_stderr(), shown) {
        (false, Ok(())) => ExitCode::SUCCESS,
        _ => ExitCode::from(2),
    }
}

fn load(path: &Path) -> Result<Config, Failed> {
    Config::load(path).map_err(Failed::Mistakes)
}

/// How long a key is good, or goes on beside its successor.
fn span_of_key(text: &str) -> Result<Duration, String> {
    let span = duration::parse(text).ok_or_else(|| "should be a span of time, as 12h or 90d".to_owned())?;
    if span > LONGEST_LIFE { Err("should be ten years at most".to_owned()) } else { Ok(span) }
}
