//! The section `[pages]`.

use serde::Deserialize;

/// How the pages look.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PageSettings {
    /// The name over the door.
    pub name: String,
}

impl Default for PageSettings {
    fn default() -> Self {
        Self { name: "Doorward".to_owned() }
    }
}
