//! Where a key stands in `Authorization`, as the fuzz target looks for it; nothing else does.

use http::HeaderValue;

/// The key in this value, good or not.
pub fn key_in(value: &HeaderValue) -> Option<String> {
    let text = String::from_utf8_lossy(value.as_bytes());
    match super::key(&text)? {
        super::Ours::Key(key) => Some(key.secret().expose().to_owned()),
        super::Ours::Token(_) | super::Ours::TwoKeys => None,
    }
}
