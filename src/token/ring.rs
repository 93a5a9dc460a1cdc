//! The ring: the keys that sign and verify, in memory, replaced whole when the store has others.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation};
use serde_json::{Value, json};

use crate::clock::Timestamp;
use crate::outage::{Dependency, Outage};
use crate::seal::Sealer;
use crate::secret::{MacKey, Secret};
use crate::token::keys::{Algorithm, Purpose, StoredKey};

/// What a sealed signing key is sealed for.
pub const SEALED_FOR: &str = "signing-key";

/// A key, ready to sign and verify.
pub struct Key {
    /// Its name.
    pub kid: String,
    /// What it signs.
    pub purpose: Purpose,
    /// How.
    pub algorithm: Algorithm,
    pub(super) encoding: EncodingKey,
    pub(super) decoding: DecodingKey,
    pub(super) validation: Validation,
    public: Option<Value>,
    signs_from: Timestamp,
    pub(super) verifies_until: Option<Timestamp>,
}

/// The keys that sign and verify.
pub struct Ring(ArcSwap<Held>);

/// What it holds at one time.
struct Held {
    keys: HashMap<String, Arc<Key>>,
    /// Counts the times that the keys were others.
    generation: u64,
}

impl Ring {
    /// A ring of these keys.
    pub fn new(keys: Vec<Key>) -> Self {
        Self(ArcSwap::from_pointee(Held { keys: by_name(keys), generation: 0 }))
    }

    /// Take these keys instead.
    pub fn replace(&self, keys: Vec<Key>) {
        let keys = by_name(keys);
        self.0.rcu(|held| {
            let is_other = !verify_alike(&held.keys, &keys);
            Held { keys: keys.clone(), generation: held.generation.wrapping_add(u64::from(is_other)) }
        });
    }

    /// The same number as long as the same keys verify the same tokens. Some may have reached their end meanwhile.
    pub fn generation(&self) -> u64 {
        self.0.load().generation
    }

    /// The key that signs for `purpose` at `now`: the newest that may sign by then.
    ///
    /// # Errors
    /// [`Dependency::Keys`] when there is none: nothing can be issued.
    pub fn signer(&self, purpose: Purpose, now: Timestamp) -> Result<Arc<Key>, Outage> {
        let held = self.0.load();
        let candidates = held.keys.values().filter(|key| key.purpose == purpose && key.signs_from <= now);
        let newest = candidates.max_by(|a, b| a.signs_from.cmp(&b.signs_from).then_with(|| a.kid.cmp(&b.kid)));
        newest.cloned().ok_or_else(|| Outage::new(Dependency::Keys, "there is no key to sign with"))
    }

    /// The key with this name, if it verifies for `purpose` at `now`.
    pub fn verifier(&self, kid: &str, purpose: Purpose, now: Timestamp) -> Option<Arc<Key>> {
        let held = self.0.load();
        let key = held.keys.get(kid)?;
        let over = key.verifies_until.is_some_and(|until| until <= now);
        (key.purpose == purpose && !over).then(|| Arc::clone(key))
    }

    /// The public keys that verify at `now` or will, as a JWK Set (RFC 7517 §5), JSON. HMAC keys have no public part.
    pub fn jwks(&self, now: Timestamp) -> String {
        let held = self.0.load();
        let mut live: Vec<_> = held.keys.values().filter(|key| key.verifies_until.is_none_or(|until| until > now)).collect();
        live.sort_by(|a, b| b.signs_from.cmp(&a.signs_from).then_with(|| a.kid.cmp(&b.kid)));
        let public: Vec<&Value> = live.iter().filter_map(|key| key.public.as_ref()).collect();
        json!({ "keys": public }).to_string()
    }
}

impl std::fmt::Debug for Ring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.load().keys.keys()).finish()
    }
}

impl Key {
    /// Open a stored key.
    ///
    /// # Errors
    /// [`Dependency::Keys`] when it was sealed under another `store.encryption_key`, or is no key.
    pub fn open(stored: &StoredKey, sealer: &Sealer) -> Result<Self, Outage> {
        let private = sealer.open(&stored.kid, SEALED_FOR, &stored.sealed)?;
        let (encoding, decoding) = pair(stored.algorithm, private.expose())?;
        let public = match &stored.public_jwk {
            Some(text) => Some(serde_json::from_str(text).map_err(|cause| Outage::new(Dependency::Keys, cause))?),
            None => None,
        };
        Ok(Self {
            kid: stored.kid.clone(),
            purpose: stored.purpose,
            algorithm: stored.algorithm,
            encoding,
            decoding,
            validation: validation(stored.algorithm),
            public,
            signs_from: stored.signs_from,
            verifies_until: stored.verifies_until,
        })
    }

    /// The operator's own secret for HS256, `tokens.secret`: it signs at once, and for as long as it is configured.
    pub fn configured(secret: &Secret<String>) -> Self {
        let bytes = secret.expose().as_bytes();
        let name = MacKey::new(bytes).mac(&["kid"]);
        Self {
            kid: format!("own-{}", name.get(..16).unwrap_or(&name)),
            purpose: Purpose::Access,
            algorithm: Algorithm::Hs256,
            encoding: EncodingKey::from_secret(bytes),
            decoding: DecodingKey::from_secret(bytes),
            validation: validation(Algorithm::Hs256),
            public: None,
            // Beside it, stored access keys are loaded as verifying only.
            signs_from: Timestamp::default(),
            verifies_until: None,
        }
    }

    pub(super) fn header(&self, typ: &str) -> Header {
        let mut header = Header::new(theirs(self.algorithm));
        header.typ = Some(typ.to_owned());
        header.kid = Some(self.kid.clone());
        header
    }
}

fn by_name(keys: Vec<Key>) -> HashMap<String, Arc<Key>> {
    keys.into_iter().map(|key| (key.kid.clone(), Arc::new(key))).collect()
}

/// Do both verify the same tokens, and for as long? A key's name is drawn with it, or follows from it: it never gets another
/// key.
fn verify_alike(one: &HashMap<String, Arc<Key>>, other: &HashMap<String, Arc<Key>>) -> bool {
    let same = |(name, key): (&String, &Arc<Key>)| {
        other
            .get(name)
            .is_some_and(|other| (key.purpose, key.algorithm, key.verifies_until) == (other.purpose, other.algorithm, other.verifies_until))
    };
    one.len() == other.len() && one.iter().all(same)
}

/// Our name of an algorithm, in the library's words.
pub(super) const fn theirs(algorithm: Algorithm) -> jsonwebtoken::Algorithm {
    match algorithm {
        Algorithm::Hs256 => jsonwebtoken::Algorithm::HS256,
        Algorithm::Es256 => jsonwebtoken::Algorithm::ES256,
        Algorithm::EdDsa => jsonwebtoken::Algorithm::EdDSA,
        Algorithm::Rs256 => jsonwebtoken::Algorithm::RS256,
    }
}

/// One algorithm per key. The library's checks of claims are off: it would read the system's clock, and accept tokens
/// without them; [`super::check`] does them all.
fn validation(algorithm: Algorithm) -> Validation {
    let mut validation = Validation::new(theirs(algorithm));
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation
}

/// The library's two halves of a private key: PEM (PKCS#8), or the bytes of an HMAC key.
fn pair(algorithm: Algorithm, private: &[u8]) -> Result<(EncodingKey, DecodingKey), Outage> {
    let broken = |cause: jsonwebtoken::errors::Error| Outage::new(Dependency::Keys, cause);
    let encoding = match algorithm {
        Algorithm::Hs256 => return Ok((EncodingKey::from_secret(private), DecodingKey::from_secret(private))),
        Algorithm::Es256 => EncodingKey::from_ec_pem(private),
        Algorithm::EdDsa => EncodingKey::from_ed_pem(private),
        Algorithm::Rs256 => EncodingKey::from_rsa_pem(private),
    };
    let encoding = encoding.map_err(broken)?;
    let public = Jwk::from_encoding_key(&encoding, theirs(algorithm)).map_err(broken)?;
    Ok((encoding, DecodingKey::from_jwk(&public).map_err(broken)?))
}

/// The public half of a private key, as a JWK with its name and use; none for HMAC.
pub(super) fn public_jwk(kid: &str, algorithm: Algorithm, private: &[u8]) -> Result<Option<String>, Outage> {
    let broken = |cause: jsonwebtoken::errors::Error| Outage::new(Dependency::Keys, cause);
    if algorithm == Algorithm::Hs256 {
        return Ok(None);
    }
    let (encoding, _) = pair(algorithm, private)?;
    let mut jwk = Jwk::from_encoding_key(&encoding, theirs(algorithm)).map_err(broken)?;
    jwk.common.key_id = Some(kid.to_owned());
    jwk.common.public_key_use = Some(jsonwebtoken::jwk::PublicKeyUse::Signature);
    serde_json::to_string(&jwk).map(Some).map_err(|cause| Outage::new(Dependency::Keys, cause))
}
