//! How a command speaks to the gateway that runs with the same configuration: the path of what it asks for, and its credential.

use crate::boot::NotServing;
use crate::clock::Timestamp;
use crate::config::Config;
use crate::endpoint::{Desk, Operator};

/// Where a request that came to nothing is asked for.
pub fn path_of(request_id: &str) -> String {
    format!("{}{request_id}", Desk::REFUSALS)
}

/// What a GET of `path` at the admin listener shows in `Authorization`, for a minute from `now` on.
///
/// # Errors
/// When the configuration has no key.
pub fn credential(config: &Config, path: &str, now: Timestamp) -> Result<String, NotServing> {
    let root = config.root_key().map_err(|mistake| NotServing::Configuration(vec![mistake]))?;
    Ok(Operator::new(&root).sign("GET", path, now))
}
