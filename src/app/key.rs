//! The text of an API key: `dwk_`, 22 letters and digits that name it, 43 that nobody guesses (256 bits), and 6 that follow from
//! the rest, so that a typing error or a text that was cut off is found without a question to the store.
//!
//! What is shown once ([`PlainKey`]) and what is stored ([`HashedKey`]) are different types.

use crate::admission::KEY_PREFIX;
use crate::id::KeyId;
use crate::random::{self, Entropy, NoEntropy};
use crate::secret::{self, Secret, SecretStr};

/// Characters that name a key.
const ID: usize = 22;
/// Characters that nobody guesses.
const CHANCE: usize = 43;
/// Characters that follow from the rest.
const CHECK: usize = 6;

/// A key as its holder has it. It is shown once, and never stored.
#[derive(Debug, Clone)]
pub struct PlainKey {
    text: Secret<String>,
    id: KeyId,
}

/// Why a text is no key of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no API key: something is missing, or was mistyped")]
pub struct NotAKey;

impl PlainKey {
    /// A new one.
    ///
    /// # Errors
    /// When the system has no random bytes to give.
    pub fn draw(entropy: &dyn Entropy) -> Result<Self, NoEntropy> {
        let id = random::alphanumeric(entropy, ID)?;
        let mut text = format!("{KEY_PREFIX}{id}{}", random::alphanumeric(entropy, CHANCE)?);
        text.push_str(&check(&text));
        Ok(Self { text: Secret::new(text), id: KeyId::new(id) })
    }

    /// The key that `text` is, as far as can be said without the store.
    ///
    /// # Errors
    /// [`NotAKey`] when its form or its last characters are wrong.
    pub fn parse(text: SecretStr<'_>) -> Result<Self, NotAKey> {
        let rest = text.expose().strip_prefix(KEY_PREFIX).ok_or(NotAKey)?;
        let is_whole = rest.len() == ID + CHANCE + CHECK && rest.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let (body, said) = text.expose().split_at_checked(KEY_PREFIX.len() + ID + CHANCE).filter(|_| is_whole).ok_or(NotAKey)?;
        let id = rest.get(..ID).ok_or(NotAKey)?;
        if check(body) == said { Ok(Self { text: text.keep(), id: KeyId::new(id) }) } else { Err(NotAKey) }
    }

    /// What names it. No secret.
    pub const fn id(&self) -> &KeyId {
        &self.id
    }

    /// What is stored of it.
    pub fn hashed(&self) -> HashedKey {
        HashedKey(secret::fingerprint(self.text.expose()))
    }

    /// The text itself, for the one place that shows it.
    pub fn expose(&self) -> &str {
        self.text.expose()
    }
}

/// What is stored of a key: SHA-256 of all of its text. Its 256 bits of chance need nothing slower.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashedKey(String);

impl HashedKey {
    /// As the store has it.
    pub fn stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// For the store.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Is it that of `plain`? Found out in constant time.
    pub fn is_of(&self, plain: &PlainKey) -> bool {
        secret::same(self.0.as_bytes(), plain.hashed().0.as_bytes())
    }
}

/// The first letters and digits of a fingerprint. It has 43 characters, nearly all of them letters or digits.
fn check(body: &str) -> String {
    secret::fingerprint(body).chars().filter(char::is_ascii_alphanumeric).take(CHECK).collect()
}
