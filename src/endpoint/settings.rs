//! The section `[pages]`.

use std::path::PathBuf;

use serde::Deserialize;

/// How the pages look.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PageSettings {
    /// The name over the door.
    pub name: String,
    /// A picture beside it: SVG, PNG, JPEG or WebP, at most 16 KiB; it becomes part of each page.
    pub logo: Option<PathBuf>,
    /// The colour of buttons and links on light pages, as `#rrggbb`.
    pub accent: Option<String>,
    /// The same on dark pages; a lighter tone of `accent` when unset.
    pub accent_dark: Option<String>,
    /// A folder with any of `style.css`, `header.html` and `footer.html`.
    pub templates: Option<PathBuf>,
}

impl Default for PageSettings {
    fn default() -> Self {
        Self { name: "Doorward".to_owned(), logo: None, accent: None, accent_dark: None, templates: None }
    }
}
