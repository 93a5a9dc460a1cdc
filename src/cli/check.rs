//! `doorward check`: every mistake in the configuration at once, each with its key.

use std::path::Path;

use super::{Failed, load, print};

/// Says `ok`, or fails with every mistake.
pub(super) fn run(path: &Path) -> Result<(), Failed> {
    load(path)?;
    print::line("ok")
}
