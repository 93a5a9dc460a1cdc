//! `doorward migrate`: bring the database up to date, whatever `store.migrate` says.

use std::path::Path;

use super::{Failed, desk, load, print};

/// Opens the store, which brings it up to date.
pub(super) fn run(path: &Path) -> Result<(), Failed> {
    let mut config = load(path)?;
    config.store.migrate = true;
    desk::with(&config, async |_| print::line("up to date"))
}
