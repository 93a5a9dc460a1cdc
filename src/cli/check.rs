//! `doorward check`: every mistake in the configuration at once, each with its key.

use clap::Args;
use serde_json::{Value, json};

use super::{ConfigFile, Failed, load, print};

/// What is checked.
#[derive(Debug, Args)]
pub(super) struct Check {
    #[command(flatten)]
    file: ConfigFile,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Says `ok`, or fails with every mistake.
pub(super) fn run(check: &Check) -> Result<(), Failed> {
    let found = match load(&check.file.config) {
        Ok(_) => Vec::new(),
        Err(Failed::Mistakes(mistakes)) if check.json => mistakes,
        Err(failed) => return Err(failed),
    };
    if !check.json {
        return print::line("ok");
    }
    let mistakes: Value = found.iter().map(|mistake| json!({ "key": mistake.key, "problem": mistake.problem })).collect();
    print::json(&json!({ "ok": found.is_empty(), "mistakes": mistakes }))?;
    if found.is_empty() { Ok(()) } else { Err(Failed::Shown) }
}
