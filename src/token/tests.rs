//! What is believed and what is not, for each algorithm; and keys that follow one another.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use serde_json::{Map, Value, json};

use super::*;
use crate::clock::Timestamp;
use crate::id::{AccountId, SessionId, TokenId};
use crate::outage::Outage;
use crate::random::SystemEntropy;
use crate::seal::Sealer;
use crate::secret::{RootKey, Secret};
use crate::token::rotate::{Keymaker, PUBLISHED_BEFORE};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const ALL: [Algorithm; 4] = [Algorithm::Hs256, Algorithm::Es256, Algorithm::EdDsa, Algorithm::Rs256];

/// Keys on a shelf, with the promises of the port.
#[derive(Default)]
struct Shelf(Mutex<Vec<StoredKey>>);

#[async_trait]
impl Keys for Shelf {
    async fn list(&self) -> Result<Vec<StoredKey>, Outage> {
        Ok(self.0.lock().unwrap().clone())
    }

    async fn add(&self, key: &StoredKey, others_until: Timestamp) -> Result<bool, Outage> {
        let mut keys = self.0.lock().unwrap();
        if keys.iter().any(|other| other.purpose == key.purpose && other.generation == key.generation) {
            return Ok(false);
        }
        for other in keys.iter_mut().filter(|other| other.purpose == key.purpose) {
            other.verifies_until.get_or_insert(others_until);
        }
        keys.push(key.clone());
        Ok(true)
    }

    async fn sweep(&self, _: Timestamp) -> Result<u64, Outage> {
        Ok(0)
    }
}

struct Bench {
    shelf: Shelf,
    sealer: Sealer,
    settings: TokenSettings,
}

impl Bench {
    fn new(algorithm: Algorithm) -> Self {
        let settings = TokenSettings { algorithm, ..TokenSettings::default() };
        Self { shelf: Shelf::default(), sealer: Sealer::new(&RootKey::new([3; 32])).unwrap(), settings }
    }

    fn keymaker(&self) -> Keymaker<'_> {
        static ENTROPY: std::sync::LazyLock<SystemEntropy> = std::sync::LazyLock::new(SystemEntropy::default);
        Keymaker { keys: &self.shelf, sealer: &self.sealer, entropy: &*ENTROPY, settings: &self.settings, assertions: Algorithm::Es256 }
    }

    async fn ring(&self, now: Timestamp) -> Arc<Ring> {
        Arc::new(Ring::new(self.keymaker().ready(now).await.unwrap()))
    }
}

const TIMES: Times = Times { leeway: Duration::from_secs(30), lifetime: Duration::from_secs(7200) };

fn verifier(ring: &Arc<Ring>) -> Verifier {
    Verifier::new(Arc::clone(ring), "https://door.example", "https://door.example", TIMES)
}

fn claims() -> Claims {
    Claims {
        iss: "https://door.example".into(),
        sub: AccountId::new("account"),
        aud: "https://door.example".into(),
        iat: NOW.as_secs(),
        nbf: NOW.as_secs(),
        exp: NOW.as_secs() + 3600,
        jti: TokenId::new("token"),
        sid: SessionId::new("session"),
        kind: "access".into(),
        email: Some("ada@example.com".into()),
        email_verified: true,
        phone_number: None,
        phone_number_verified: false,
        preferred_username: None,
        name: Some("Ada".into()),
        groups: vec!["staff".into()],
        amr: vec![Amr::Email],
        acr: Acr::OneFactor,
        auth_time: NOW.as_secs(),
        revision: 0,
        custom: Map::from_iter([("department".to_owned(), json!("engines"))]),
    }
}

fn at(offset: i64) -> Timestamp {
    Timestamp::from_secs(NOW.as_secs() + offset)
}

#[tokio::test]
async fn what_is_minted_is_believed_with_every_algorithm() {
    for algorithm in ALL {
        let ring = Bench::new(algorithm).ring(NOW).await;
        let token = Minter::new(Arc::clone(&ring)).mint(&claims(), NOW).unwrap();
        assert_eq!(verifier(&ring).check(token.expose(), NOW), Ok(claims()), "{algorithm:?}");
        assert!(verifier(&ring).names_us(token.expose()));
    }
}

/// The setting was shortened: a revocation is not remembered for as long as the token says it lives.
#[tokio::test]
async fn a_token_that_says_it_lives_longer_than_tokens_do_lives_as_long_as_they() {
    let ring = Bench::new(Algorithm::Hs256).ring(at(-1000)).await;
    let eternal = Claims { exp: i64::MAX, ..claims() };
    let token = Minter::new(Arc::clone(&ring)).mint(&eternal, NOW).unwrap();

    assert_eq!(verifier(&ring).check(token.expose(), at(7229)).unwrap().exp, at(7200).as_secs());
    assert_eq!(verifier(&ring).check(token.expose(), at(7230)).map(drop), Err(Invalid::Expired));
    let remembered = Verifier::believe_for_a_while(&verifier(&ring), token.expose(), at(7229)).unwrap();
    assert_eq!(remembered.until, at(7230).as_secs());
}

#[tokio::test]
async fn a_token_lives_from_its_beginning_to_its_end_give_or_take_the_leeway() {
    let ring = Bench::new(Algorithm::Hs256).ring(at(-1000)).await;
    let token = Minter::new(Arc::clone(&ring)).mint(&claims(), NOW).unwrap();
    let check = |offset| verifier(&ring).check(token.expose(), at(offset)).map(drop);
    assert_eq!(check(-31), Err(Invalid::NotYet));
    assert_eq!(check(-30), Ok(()));
    assert_eq!(check(3629), Ok(()));
    assert_eq!(check(3630), Err(Invalid::Expired));
    assert!(verifier(&ring).check_to_sign_out(token.expose(), at(9999)).is_ok());
}

#[tokio::test]
async fn a_token_that_was_touched_is_not_believed() {
    for algorithm in ALL {
        let ring = Bench::new(algorithm).ring(NOW).await;
        let token = Minter::new(Arc::clone(&ring)).mint(&claims(), NOW).unwrap();
        let token = token.expose();
        let verifier = verifier(&ring);
        for cut in 1..token.len() {
            assert!(verifier.check(token.get(..cut).unwrap(), NOW).is_err(), "{algorithm:?} cut to {cut}");
        }
        for at in 0..token.len() {
            let mut touched = token.clone().into_bytes();
            touched[at] = if touched[at] == b'A' { b'B' } else { b'A' };
            let touched = String::from_utf8(touched).unwrap();
            assert!(verifier.check(&touched, NOW).is_err(), "{algorithm:?} touched at {at}");
        }
        assert!(verifier.check(&format!("{token}A"), NOW).is_err());
    }
}

/// A token with this header and payload, signed with the HMAC key `secret`.
fn forged(header: &Value, payload: &Value, secret: &[u8]) -> String {
    use aws_lc_rs::hmac;
    let signed = format!("{}.{}", B64.encode(header.to_string()), B64.encode(payload.to_string()));
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), signed.as_bytes());
    format!("{signed}.{}", B64.encode(tag))
}

const OWN: &str = "a secret of one's own, long enough to sign with";

async fn own_ring() -> (Arc<Ring>, String) {
    let mut bench = Bench::new(Algorithm::Hs256);
    bench.settings.secret = Some(Secret::new(OWN.to_owned()));
    let ring = bench.ring(NOW).await;
    let kid = ring.signer(Purpose::Access, NOW).unwrap().kid.clone();
    (ring, kid)
}

#[tokio::test]
async fn a_header_that_we_never_write_is_not_believed() {
    let (ring, kid) = own_ring().await;
    let payload = serde_json::to_value(claims()).unwrap();
    let good = json!({ "alg": "HS256", "typ": "at+jwt", "kid": kid });
    assert!(verifier(&ring).check(&forged(&good, &payload, OWN.as_bytes()), NOW).is_ok());
    let odd = [
        json!({ "alg": "none", "typ": "at+jwt", "kid": kid }),
        json!({ "alg": "HS384", "typ": "at+jwt", "kid": kid }),
        json!({ "alg": "HS256", "typ": "JWT", "kid": kid }),
        json!({ "alg": "HS256", "kid": kid }),
        json!({ "alg": "HS256", "typ": "at+jwt" }),
        json!({ "alg": "HS256", "typ": "at+jwt", "kid": "another" }),
        json!({ "alg": "HS256", "typ": "at+jwt", "kid": kid, "crit": ["exp"] }),
        json!({ "alg": "HS256", "typ": "at+jwt", "kid": kid, "jku": "https://evil.example/jwks" }),
        json!({ "alg": "HS256", "typ": "at+jwt", "kid": kid, "x5u": "https://evil.example/cert" }),
        json!({ "alg": "HS256", "typ": "at+jwt", "kid": kid, "jwk": { "kty": "oct", "k": "AAAA" } }),
        json!({ "alg": "HS256", "typ": "at+jwt", "kid": kid, "b64": false }),
    ];
    for header in odd {
        assert!(verifier(&ring).check(&forged(&header, &payload, OWN.as_bytes()), NOW).is_err(), "{header}");
    }
}

#[tokio::test]
async fn a_claim_that_is_missing_or_another_s_is_not_believed() {
    let (ring, kid) = own_ring().await;
    let header = json!({ "alg": "HS256", "typ": "at+jwt", "kid": kid });
    let whole = serde_json::to_value(claims()).unwrap();
    for name in ["iss", "sub", "aud", "iat", "nbf", "exp", "jti", "sid", "type", "amr", "acr", "auth_time"] {
        for other in [None, Some(json!("")), Some(json!(null)), Some(json!([])), Some(json!("https://evil.example"))] {
            let mut payload = whole.clone();
            let map = payload.as_object_mut().unwrap();
            map.remove(name);
            map.extend(other.clone().map(|value| (name.to_owned(), value)));
            let opaque = ["sub", "jti", "sid"].contains(&name) && other == Some(json!("https://evil.example"));
            let empty_list = name == "amr" && other == Some(json!([]));
            let token = forged(&header, &payload, OWN.as_bytes());
            assert_eq!(verifier(&ring).check(&token, NOW).is_ok(), opaque || empty_list, "{name} = {other:?}");
        }
    }
}

#[tokio::test]
async fn the_public_key_is_no_hmac_secret() {
    for algorithm in [Algorithm::Es256, Algorithm::EdDsa, Algorithm::Rs256] {
        let ring = Bench::new(algorithm).ring(NOW).await;
        let kid = ring.signer(Purpose::Access, NOW).unwrap().kid.clone();
        let jwks: Value = serde_json::from_str(&ring.jwks(NOW)).unwrap();
        let jwk = jwks["keys"].as_array().unwrap().iter().find(|key| key["kid"] == json!(kid)).unwrap();
        let header = json!({ "alg": "HS256", "typ": "at+jwt", "kid": kid });
        let payload = serde_json::to_value(claims()).unwrap();
        for secret in [jwk.to_string(), jwk["x"].to_string(), jwk["n"].to_string()] {
            assert!(verifier(&ring).check(&forged(&header, &payload, secret.as_bytes()), NOW).is_err());
        }
    }
}

#[tokio::test]
async fn a_long_token_is_not_looked_at() {
    let ring = Bench::new(Algorithm::Hs256).ring(NOW).await;
    let mut long = claims();
    long.name = Some("x".repeat(8 * 1024));
    let token = Minter::new(Arc::clone(&ring)).mint(&long, NOW).unwrap();
    assert_eq!(verifier(&ring).check(token.expose(), NOW), Err(Invalid::Foreign));
}

#[tokio::test]
async fn the_next_key_is_published_before_it_signs_and_the_old_one_verifies_until_its_last_token_has_expired() {
    let bench = Bench::new(Algorithm::Es256);
    let ring = bench.ring(NOW).await;
    let old = ring.signer(Purpose::Access, NOW).unwrap().kid.clone();

    assert!(bench.keymaker().rotate(Purpose::Access, false, NOW).await.unwrap());
    ring.replace(bench.keymaker().load().await.unwrap());

    let signs = NOW.plus(PUBLISHED_BEFORE);
    assert_eq!(ring.signer(Purpose::Access, signs.minus(Duration::from_millis(1))).unwrap().kid, old);
    assert_ne!(ring.signer(Purpose::Access, signs).unwrap().kid, old);
    assert_eq!(ring.jwks(NOW).matches("\"kid\"").count(), 3);
    let end = signs.plus(bench.settings.access_lifetime).plus(bench.settings.leeway);
    assert!(ring.verifier(&old, Purpose::Access, end.minus(Duration::from_millis(1))).is_some());
    assert!(ring.verifier(&old, Purpose::Access, end).is_none());
}

#[tokio::test]
async fn a_key_of_one_purpose_does_not_verify_for_the_other() {
    let ring = Bench::new(Algorithm::Es256).ring(NOW).await;
    let assertion = ring.signer(Purpose::Assertion, NOW).unwrap().kid.clone();
    assert!(ring.verifier(&assertion, Purpose::Access, NOW).is_none());
    let asserter = Asserter::new(Arc::clone(&ring), Arc::new(SystemEntropy::default()));
    let token = asserter.assert(&claims(), "wiki", NOW).unwrap();
    assert!(verifier(&ring).check(&token, NOW).is_err());
}

#[tokio::test]
async fn an_algorithm_that_is_changed_brings_a_new_key_and_an_old_key_opens_only_with_its_own_encryption_key() {
    let mut bench = Bench::new(Algorithm::Hs256);
    bench.ring(NOW).await;
    bench.settings.algorithm = Algorithm::EdDsa;
    let ring = bench.ring(NOW).await;
    assert_eq!(ring.signer(Purpose::Access, NOW).unwrap().algorithm, Algorithm::Hs256);
    assert_eq!(ring.signer(Purpose::Access, NOW.plus(PUBLISHED_BEFORE)).unwrap().algorithm, Algorithm::EdDsa);
    bench.sealer = Sealer::new(&RootKey::new([4; 32])).unwrap();
    assert!(bench.keymaker().load().await.is_err());
}

#[tokio::test]
async fn an_assertion_tells_no_address_that_nobody_has_confirmed() {
    let ring = Bench::new(Algorithm::Hs256).ring(NOW).await;
    let asserter = Asserter::new(ring, Arc::new(SystemEntropy::default()));
    let said = |claims: &Claims| {
        let token = asserter.assert(claims, "wiki", NOW).unwrap();
        let payload = B64.decode(token.split('.').nth(1).unwrap()).unwrap();
        serde_json::from_slice::<Value>(&payload).unwrap()
    };
    let unconfirmed = Claims { jti: TokenId::new("other"), email_verified: false, phone_number: Some("+4930123".into()), ..claims() };

    assert_eq!(said(&claims())["email"], "ada@example.com");
    assert_eq!((said(&unconfirmed).get("email"), said(&unconfirmed).get("phone_number")), (None, None));
}
