//! Access tokens against a fixed ring: nothing is believed that the key did not sign, and of what it signed only what is an
//! access token of ours at this moment.

#![no_main]

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use doorward::clock::Timestamp;
use doorward::secret::Secret;
use doorward::token::ring::Key;
use doorward::token::{Ring, Times, Verifier};
use serde_json::Value;

const SECRET: &str = "a fixed secret of more than 32 characters";
const ISSUER: &str = "https://door.example.com";
const NOW: i64 = 1_800_000_000;

struct World {
    kid: String,
    hmac: hmac::Key,
    verifier: Verifier,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let key = Key::configured(&Secret::new(SECRET.to_owned()));
    let kid = key.kid.clone();
    let ring = Arc::new(Ring::new(vec![key]));
    let times = Times { leeway: Duration::from_secs(30), lifetime: Duration::from_secs(7200) };
    let verifier = Verifier::new(ring, ISSUER, ISSUER, times);
    World { kid, hmac: hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), verifier }
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((mode, rest)) = bytes.split_first() else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    // As it is, or two texts as header and payload, signed as they should be: else nothing would come past the signature.
    let token = if mode % 2 == 0 { text.to_owned() } else { signed(text) };
    let _ = WORLD.verifier.names_us(&token);
    let _ = WORLD.verifier.check_to_sign_out(&token, Timestamp::from_secs(NOW));
    let Ok(claims) = WORLD.verifier.check(&token, Timestamp::from_secs(NOW)) else { return };

    let (head, payload) = genuine(&token);
    assert!(WORLD.verifier.names_us(&token), "believed, and not ours");
    assert!(token.len() <= 8 * 1024);
    assert_eq!((head["alg"].as_str(), head["kid"].as_str()), (Some("HS256"), Some(WORLD.kid.as_str())));
    assert!(head["typ"].as_str().is_some_and(|typ| typ.eq_ignore_ascii_case("at+jwt")), "{head}");
    for name in ["crit", "jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256", "cty", "enc", "zip"] {
        assert!(head.get(name).is_none_or(Value::is_null), "{name} in {head}");
    }
    for (name, value) in [("iss", ISSUER), ("aud", ISSUER), ("type", "access")] {
        assert_eq!(payload[name], value, "{payload}");
    }
    assert!(["sub", "sid", "jti"].iter().all(|name| payload[*name].as_str().is_some_and(|text| !text.is_empty())), "{payload}");
    assert_eq!(payload["sub"], claims.sub.as_str());
    let time = |name: &str| payload[name].as_i64().expect("a time");
    assert!(NOW < time("exp").saturating_add(30) && time("nbf") <= NOW + 30 && time("iat") <= NOW + 30, "{payload}");
});

fn signed(text: &str) -> String {
    let (head, payload) = text.split_once('\n').unwrap_or((text, ""));
    // The name of the key cannot be guessed; whoever has the key knows it.
    let body = format!("{}.{}", URL_SAFE_NO_PAD.encode(head.replace("KID", &WORLD.kid)), URL_SAFE_NO_PAD.encode(payload));
    let seal = hmac::sign(&WORLD.hmac, body.as_bytes());
    format!("{body}.{}", URL_SAFE_NO_PAD.encode(seal))
}

/// Header and payload of a token whose signature is that of the key, decoded by somebody else.
fn genuine(token: &str) -> (Value, Value) {
    let (body, seal) = token.rsplit_once('.').expect("three parts");
    let (head, payload) = body.split_once('.').expect("three parts");
    let bytes = |part: &str| URL_SAFE_NO_PAD.decode(part).expect("base64url");
    hmac::verify(&WORLD.hmac, body.as_bytes(), &bytes(seal)).expect("believed, and not signed");
    let json = |part: &str| serde_json::from_slice(&bytes(part)).expect("JSON");
    (json(head), json(payload))
}
