//! Where a key stands in `Authorization`, as the fuzz target looks for it; nothing else does.

use http::HeaderValue;

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing of ours.
    Nothing,
    /// A key, good or not.
    Key(String),
    /// Two of them.
    Two,
}

/// The key in this value.
pub fn key_in(value: &HeaderValue) -> Found {
    let text = String::from_utf8_lossy(value.as_bytes());
    match super::key(&text) {
        Some(super::Ours::Key(key)) => Found::Key(key.secret().expose().to_owned()),
        Some(super::Ours::TwoKeys) => Found::Two,
        Some(super::Ours::Token(_)) | None => Found::Nothing,
    }
}
