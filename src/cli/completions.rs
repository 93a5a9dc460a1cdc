//! `doorward completions`: what a shell needs to finish our commands, printed; and `doorward man`, the manual.

use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::{Args, CommandFactory as _, ValueEnum};
use clap_complete::Shell;

use super::{Cli, Failed, print};

/// A shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Name {
    Bash,
    Zsh,
    Fish,
}

/// For which shell.
#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Name,
}

/// Where the manual goes.
#[derive(Debug, Args)]
pub(super) struct Man {
    /// Write the pages of all commands into this folder, instead of printing the first one
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
}

/// Prints the script.
pub(super) fn run(completions: &Completions) -> Result<(), Failed> {
    let shell = match completions.shell {
        Name::Bash => Shell::Bash,
        Name::Zsh => Shell::Zsh,
        Name::Fish => Shell::Fish,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "doorward", &mut script);
    Ok(io::stdout().write_all(&script)?)
}

/// Prints the page, or writes all of them.
pub(super) fn manual(man: &Man) -> Result<(), Failed> {
    let Some(folder) = &man.to else {
        let mut page = Vec::new();
        clap_mangen::Man::new(Cli::command()).manual("Doorward").render(&mut page)?;
        return Ok(io::stdout().write_all(&page)?);
    };
    fs::create_dir_all(folder)?;
    clap_mangen::generate_to(Cli::command(), folder)?;
    print::line(&folder.display().to_string())
}
