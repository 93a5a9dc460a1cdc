//! Encryption at rest: AES-256-GCM under a derived key, bound to its owner and purpose as associated data.
//!
//! A sealed value that is moved to another row, or opened for another purpose, does not open.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::random::{self, Entropy};
use crate::secret::{RootKey, Secret};

/// Seals and opens what the store keeps but must not read.
#[derive(Clone)]
pub struct Sealer(std::sync::Arc<LessSafeKey>);

/// Why a value was not sealed or opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// No random bytes for the nonce, or the cipher refused.
    #[error("the value could not be sealed")]
    NotSealed,
    /// Another key, another owner or purpose, or a damaged value.
    #[error("the sealed value does not open with store.encryption_key")]
    NotOpened,
}

impl Sealer {
    /// A sealer under the operator's key.
    ///
    /// # Errors
    /// [`SealError::NotSealed`] when the cipher refuses the key.
    pub fn new(root: &RootKey) -> Result<Self, SealError> {
        let key = UnboundKey::new(&AES_256_GCM, root.derive("seal").expose()).map_err(|_| SealError::NotSealed)?;
        Ok(Self(std::sync::Arc::new(LessSafeKey::new(key))))
    }

    /// `plain` as base64 of nonce, ciphertext and tag, for this owner and purpose only.
    pub fn seal(&self, entropy: &dyn Entropy, owner: &str, purpose: &str, plain: &[u8]) -> Result<String, SealError> {
        let nonce = random::bytes::<NONCE_LEN>(entropy).map_err(|_| SealError::NotSealed)?;
        let mut sealed = plain.to_vec();
        self.0
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), associated(owner, purpose), &mut sealed)
            .map_err(|_| SealError::NotSealed)?;
        let mut out = nonce.to_vec();
        out.extend_from_slice(&sealed);
        Ok(STANDARD.encode(out))
    }

    /// What was sealed for this owner and purpose.
    pub fn open(&self, owner: &str, purpose: &str, sealed: &str) -> Result<Secret<Vec<u8>>, SealError> {
        let bytes = STANDARD.decode(sealed).map_err(|_| SealError::NotOpened)?;
        let (nonce, rest) = bytes.split_first_chunk::<NONCE_LEN>().ok_or(SealError::NotOpened)?;
        let mut rest = rest.to_vec();
        let plain = self
            .0
            .open_in_place(Nonce::assume_unique_for_key(*nonce), associated(owner, purpose), &mut rest)
            .map_err(|_| SealError::NotOpened)?;
        Ok(Secret::new(plain.to_vec()))
    }
}

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[secret]")
    }
}

fn associated(owner: &str, purpose: &str) -> Aad<Vec<u8>> {
    let length = u64::try_from(owner.len()).unwrap_or(u64::MAX).to_be_bytes();
    Aad::from([&length[..], owner.as_bytes(), purpose.as_bytes()].concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::SystemEntropy;

    #[test]
    fn a_sealed_value_opens_only_for_its_owner_and_purpose() {
        let sealer = Sealer::new(&RootKey::new([1; 32])).unwrap();
        let sealed = sealer.seal(&SystemEntropy::default(), "alice", "totp", b"plain").unwrap();
        assert_eq!(sealer.open("alice", "totp", &sealed).unwrap().expose(), b"plain");
        assert_eq!(sealer.open("bob", "totp", &sealed), Err(SealError::NotOpened));
        assert_eq!(sealer.open("alice", "key", &sealed), Err(SealError::NotOpened));
        assert_eq!(sealer.open("alice", "totp", sealed.get(4..).unwrap()), Err(SealError::NotOpened));
        let other = Sealer::new(&RootKey::new([2; 32])).unwrap();
        assert_eq!(other.open("alice", "totp", &sealed), Err(SealError::NotOpened));
    }
}
