//! Where a key stands in `Authorization`, as the fuzz target looks for it; nothing else does.

use http::HeaderValue;

/// The key in this value, good or not.
pub fn key_in(value: &HeaderValue) -> Option<String> {
    match value.to_str() {
        Ok(text) => super::key(text),
        Err(_) => super::key(&String::from_utf8_lossy(value.as_bytes())).map(|key| super::Token::Held(key.secret().keep())),
    }
    .map(|key| key.secret().expose().to_owned())
}
