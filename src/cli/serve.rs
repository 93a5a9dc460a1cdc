//! `doorward serve`: run the gateway.

use std::path::Path;

use super::{Failed, load};
use crate::boot::{self, Extras};
use crate::telemetry;

/// Runs until it is told to leave.
pub(super) fn run(path: &Path) -> Result<(), Failed> {
    let config = load(path)?;
    let _log = telemetry::log::init(&config.telemetry).map_err(|cause| Failed::refused(cause.to_string()))?;
    Ok(boot::serve(&config, Extras { file: Some(path.to_owned()), ..Extras::default() })?)
}
