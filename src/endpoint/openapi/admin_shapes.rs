//! The shapes of bodies in the admin API.

use serde_json::{Map, Value};

/// By name.
pub(super) fn shapes() -> Map<String, Value> {
    super::read(include_str!("admin.json"))
}
