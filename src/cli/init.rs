//! `doorward init`: a commented configuration with fresh secrets, readable by its owner alone.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;

use super::{Failed, print};
use crate::random::{self, SystemEntropy};

const TEMPLATE: &str = include_str!("init.toml");

#[derive(Debug, Args)]
pub(super) struct Init {
    /// Where to write doorward.toml
    #[arg(value_name = "DIR", default_value = "config")]
    folder: PathBuf,
}

/// Writes the file; a file that is there already is left alone.
pub(super) fn run(init: &Init) -> Result<(), Failed> {
    let key = random::bytes::<32>(&SystemEntropy::default()).map_err(|error| Failed::refused(error.to_string()))?;
    let text = TEMPLATE.replace("{encryption_key}", &STANDARD.encode(key));
    let path = init.folder.join("doorward.toml");
    let refused = |error: std::io::Error| Failed::refused(format!("{} cannot be written: {error}", path.display()));
    fs::create_dir_all(&init.folder).map_err(refused)?;
    // Made new or not at all: two at once cannot overwrite one another, and a link is not followed.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(refused)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(refused)?;
    print::line(&path.display().to_string())
}
