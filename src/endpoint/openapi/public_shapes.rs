//! The shapes of bodies in the public API.

use serde_json::{Map, Value};

/// By name.
pub(super) fn shapes() -> Map<String, Value> {
    super::read(include_str!("public.json"))
}
