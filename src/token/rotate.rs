//! Keys are made on first start, and followed by others: the next is published before it signs, the old one verifies until
//! its last token has expired.

use std::time::Duration;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::clock::Timestamp;
use crate::outage::{Dependency, Outage};
use crate::random::{self, Entropy};
use crate::seal::Sealer;
use crate::secret::Secret;
use crate::token::keys::{Algorithm, Keys, Purpose, StoredKey};
use crate::token::ring::{self, Key};
use crate::token::settings::TokenSettings;

/// How long a key is published before it signs: longer than anybody may keep the JWK Set (one minute), and than a node takes
/// to see it.
pub const PUBLISHED_BEFORE: Duration = Duration::from_secs(120);

/// How often a node looks for keys that another one made.
pub const LOOK_AGAIN: Duration = Duration::from_secs(10);

/// What makes keys and opens them.
pub struct Keymaker<'a> {
    /// Where they are kept.
    pub keys: &'a dyn Keys,
    /// What they are sealed with.
    pub sealer: &'a Sealer,
    /// Where they come from.
    pub entropy: &'a dyn Entropy,
    /// Which are wanted.
    pub settings: &'a TokenSettings,
    /// What signs assertions: ES256 or `EdDSA`.
    pub assertions: Algorithm,
}

impl Keymaker<'_> {
    /// See to it that there is a key for each purpose, of the algorithm that is configured and not older than
    /// `tokens.rotate_after`; then all keys, opened.
    pub async fn ready(&self, now: Timestamp) -> Result<Vec<Key>, Outage> {
        for purpose in [Purpose::Access, Purpose::Assertion] {
            self.see_to(purpose, now).await?;
        }
        self.load().await
    }

    /// All keys that are stored, opened, and the operator's own.
    ///
    /// With `tokens.secret` the stored access keys still verify, but do not sign.
    pub async fn load(&self) -> Result<Vec<Key>, Outage> {
        let stored = self.keys.list().await?;
        let mut opened = Vec::with_capacity(stored.len() + 1);
        for key in &stored {
            let mut key = key.clone();
            if key.purpose == Purpose::Access && self.settings.secret.is_some() {
                key.signs_from = NEVER;
            }
            opened.push(Key::open(&key, self.sealer)?);
        }
        opened.extend(self.settings.secret.as_ref().map(Key::configured));
        Ok(opened)
    }

    /// Make the next key for `purpose`. It signs after [`PUBLISHED_BEFORE`], or at once when `at_once` (a key has leaked).
    /// False when another node was first: then that one's key is next.
    pub async fn rotate(&self, purpose: Purpose, at_once: bool, now: Timestamp) -> Result<bool, Outage> {
        let stored = self.keys.list().await?;
        let newest = stored.iter().filter(|key| key.purpose == purpose).max_by_key(|key| key.generation);
        let signs_from = if at_once || newest.is_none() { now } else { now.plus(PUBLISHED_BEFORE) };
        let generation = newest.map_or(0, |key| key.generation).saturating_add(1);
        let key = self.make(purpose, generation, signs_from, now)?;
        let last_token = signs_from.plus(self.settings.access_lifetime).plus(self.settings.leeway);
        self.keys.add(&key, last_token).await
    }

    async fn see_to(&self, purpose: Purpose, now: Timestamp) -> Result<(), Outage> {
        let stored = self.keys.list().await?;
        let newest = stored.iter().filter(|key| key.purpose == purpose).max_by_key(|key| key.generation);
        if newest.is_some_and(|key| self.is_good(key, now)) {
            return Ok(());
        }
        self.rotate(purpose, false, now).await.map(drop)
    }

    fn is_good(&self, newest: &StoredKey, now: Timestamp) -> bool {
        let old = self.settings.rotate_after.is_some_and(|after| now.since(newest.created_at) >= after);
        newest.algorithm == self.wanted(newest.purpose) && !old
    }

    fn wanted(&self, purpose: Purpose) -> Algorithm {
        match purpose {
            Purpose::Access => self.settings.algorithm,
            Purpose::Assertion => self.assertions,
        }
    }

    fn make(&self, purpose: Purpose, generation: i64, signs_from: Timestamp, now: Timestamp) -> Result<StoredKey, Outage> {
        let kid = random::id(self.entropy)?;
        let algorithm = self.wanted(purpose);
        let private = draw(algorithm, self.entropy)?;
        Ok(StoredKey {
            sealed: self.sealer.seal(self.entropy, &kid, ring::SEALED_FOR, private.expose())?,
            public_jwk: ring::public_jwk(&kid, algorithm, private.expose())?,
            kid,
            purpose,
            algorithm,
            generation,
            created_at: now,
            signs_from,
            verifies_until: None,
        })
    }
}

const NEVER: Timestamp = Timestamp::from_millis(i64::MAX);

/// A new private key: PEM (PKCS#8), or 32 random bytes for HMAC. Key pairs are drawn by the library from the system's source.
fn draw(algorithm: Algorithm, entropy: &dyn Entropy) -> Result<Secret<Vec<u8>>, Outage> {
    let failed = |_| Outage::new(Dependency::Keys, "a key pair could not be made");
    let der = match algorithm {
        Algorithm::Hs256 => return Ok(Secret::new(random::bytes::<32>(entropy)?.to_vec())),
        Algorithm::Es256 => {
            let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(failed)?;
            pair.to_pkcs8v1().map_err(failed)?.as_ref().to_vec()
        }
        Algorithm::EdDsa => Ed25519KeyPair::generate().and_then(|pair| pair.to_pkcs8v1()).map_err(failed)?.as_ref().to_vec(),
        Algorithm::Rs256 => {
            let pair = aws_lc_rs::rsa::KeyPair::generate(KeySize::Rsa2048).map_err(failed)?;
            AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&pair).map_err(failed)?.as_ref().to_vec()
        }
    };
    Ok(Secret::new(pem(&der).into_bytes()))
}

/// RFC 7468 §10.
fn pem(der: &[u8]) -> String {
    let mut out = String::from("-----BEGIN PRIVATE KEY-----\n");
    for (at, c) in STANDARD.encode(der).chars().enumerate() {
        if at > 0 && at % 64 == 0 {
            out.push('\n');
        }
        out.push(c);
    }
    out.push_str("\n-----END PRIVATE KEY-----\n");
    out
}
