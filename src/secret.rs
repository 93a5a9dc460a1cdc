//! Values that cannot print themselves, and the keys that are derived from the one that the operator holds.

use std::fmt;

use aws_lc_rs::{constant_time, digest, hkdf, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroize;

/// A value that prints as `[secret]`, is not serialised and leaves memory when dropped.
#[derive(Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(transparent)]
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Keep `value`.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself, for the one place that needs it.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// A secret that somebody else holds: it prints as `[secret]`, too.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SecretStr<'a>(&'a str);

impl<'a> SecretStr<'a> {
    /// Look at `value`.
    pub const fn new(value: &'a str) -> Self {
        Self(value)
    }

    /// The value itself, for the one place that needs it.
    pub const fn expose(self) -> &'a str {
        self.0
    }

    /// One of our own, that leaves memory when it is dropped.
    pub fn keep(self) -> Secret<String> {
        Secret::new(self.0.to_owned())
    }
}

impl fmt::Debug for SecretStr<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Equal, found out in constant time.
pub fn same(left: &[u8], right: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(left, right).is_ok()
}

/// SHA-256 of something long and random (a token, an id), as base64url: what a store keeps of it.
///
/// Not for codes or addresses, which can be guessed: those go through [`MacKey`].
pub fn fingerprint(value: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(value))
}

/// The same as bytes: what a cache finds it by.
pub fn digest(value: &str) -> [u8; 32] {
    let whole = digest::digest(&digest::SHA256, value.as_bytes());
    // It is 32 bytes long; were it not, everything would be as unknown as the first.
    whole.as_ref().first_chunk().copied().unwrap_or_default()
}

/// An HMAC-SHA-256 key for one purpose.
#[derive(Clone)]
pub struct MacKey(hmac::Key);

impl MacKey {
    /// A key from its bytes.
    pub fn new(bytes: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// The code of `parts`, each preceded by its length, so that no two lists give one input; base64url.
    pub fn mac(&self, parts: &[&str]) -> String {
        URL_SAFE_NO_PAD.encode(self.raw(parts))
    }

    /// The same as bytes.
    pub fn raw(&self, parts: &[&str]) -> Vec<u8> {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            context.update(part.as_bytes());
        }
        context.sign().as_ref().to_vec()
    }

    /// The code of `parts` one after another, as others compute it who know nothing of their lengths. Parts can be shifted: only
    /// for a form that separates them itself.
    pub fn sign(&self, parts: &[&[u8]]) -> Vec<u8> {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(part);
        }
        context.sign().as_ref().to_vec()
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// The operator's 32 bytes, `store.encryption_key`, from which the keys of each purpose are derived (HKDF, RFC 5869).
#[derive(Clone, Debug)]
pub struct RootKey(Secret<[u8; 32]>);

struct Length;

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        32
    }
}

impl RootKey {
    /// Keep the operator's key.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(Secret::new(bytes))
    }

    /// From a text of any length, by SHA-256: for development, where a key is no secret.
    pub fn stretched(text: &str) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
        Self::new(bytes)
    }

    /// The 32 bytes for one purpose; another purpose gives others.
    pub fn derive(&self, purpose: &str) -> Secret<[u8; 32]> {
        let mut out = [0; 32];
        let parent = hkdf::Salt::new(hkdf::HKDF_SHA256, b"doorward").extract(self.0.expose());
        let info = [purpose.as_bytes()];
        let filled = parent.expand(&info, Length).and_then(|okm| okm.fill(&mut out));
        // HKDF fails only for an output of more than 255 blocks; ours is one.
        debug_assert!(filled.is_ok());
        Secret::new(out)
    }

    /// An HMAC key for one purpose.
    pub fn mac_key(&self, purpose: &str) -> MacKey {
        MacKey::new(self.derive(purpose).expose())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_says_nothing() {
        assert_eq!(format!("{:?}", Secret::new("hunter2".to_owned())), "[secret]");
        assert_eq!(format!("{:?}", SecretStr::new("hunter2")), "[secret]");
        assert_eq!(format!("{:?}", RootKey::new([7; 32])), "RootKey([secret])");
    }

    #[test]
    fn purposes_have_keys_of_their_own() {
        let root = RootKey::new([7; 32]);
        assert_ne!(root.derive("a").expose(), root.derive("b").expose());
        assert_eq!(root.derive("a").expose(), root.derive("a").expose());
        assert_ne!(root.derive("a").expose(), &[0; 32]);
    }

    #[test]
    fn parts_cannot_be_shifted() {
        let key = MacKey::new(b"key");
        assert_ne!(key.mac(&["ab", "c"]), key.mac(&["a", "bc"]));
    }
}
