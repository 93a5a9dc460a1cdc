//! API keys, alone and where they stand in `Authorization`: nothing is a key but what was drawn, and a key that is there is found, so
//! that it never travels on.

#![no_main]

use std::sync::LazyLock;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use doorward::admission::credentials_fuzzing::{Found, key_in};
use doorward::app::{PlainKey, Scope};
use doorward::random::{Entropy, NoEntropy};
use doorward::secret::SecretStr;
use http::HeaderValue;

/// The same bytes each time.
struct Fixed;

impl Entropy for Fixed {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), NoEntropy> {
        bytes.iter_mut().for_each(|byte| *byte = 61);
        Ok(())
    }
}

static KEY: LazyLock<PlainKey> = LazyLock::new(|| PlainKey::draw(&Fixed).expect("chance"));

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((mode, rest)) = bytes.split_first() else { return };
    // What cannot be guessed, whoever holds it knows.
    let text = String::from_utf8_lossy(rest).replace("KEY", KEY.expose());
    parse(&text);
    match mode % 3 {
        0 => bearer(&text),
        1 => basic(&text),
        _ => scope(&text),
    }
});

fn parse(text: &str) {
    let parsed = PlainKey::parse(SecretStr::new(text));
    assert!(text != KEY.expose() || parsed.is_ok(), "what was drawn is no key");
    let Ok(plain) = parsed else { return };
    let (body, said) = text.split_at(69);
    let sum = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, body.as_bytes()));
    assert!(sum.chars().filter(char::is_ascii_alphanumeric).take(6).eq(said.chars()), "the sum of {text} is another");
    assert!(text.len() == 75 && text.starts_with("dwk_") && text[4..].bytes().all(|byte| byte.is_ascii_alphanumeric()));
    assert_eq!((plain.id().as_str(), plain.expose()), (&text[4..26], text));
    assert_eq!(plain.hashed().is_of(&KEY), text == KEY.expose());
}

/// The whole header.
fn bearer(text: &str) {
    let Ok(value) = HeaderValue::from_bytes(text.as_bytes()) else { return };
    let found = key_in(&value);
    if let Some((scheme, token)) = text.trim().split_once([' ', '\t']) {
        let is_ours = scheme.eq_ignore_ascii_case("bearer") && token.trim_start().starts_with("dwk_");
        assert!(!is_ours || found != Found::Nothing, "a key would travel on: {text:?}");
    }
    if let Found::Key(found) = found {
        assert!(names_key(&found), "{found:?}");
    }
}

/// User name and password.
fn basic(text: &str) {
    let Ok(value) = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(text))) else { return };
    let found = key_in(&value);
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    let wanted = match (names_key(user), names_key(password)) {
        (true, true) if user != password => Found::Two,
        (_, true) => Found::Key(password.to_owned()),
        (true, false) => Found::Key(user.to_owned()),
        (false, false) => Found::Nothing,
    };
    assert_eq!(found, wanted, "{text:?}");
}

fn names_key(text: &str) -> bool {
    text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("dwk_"))
}

fn scope(text: &str) {
    let Ok(scope) = text.parse::<Scope>() else { return };
    assert_eq!(scope.to_string(), text, "two texts are one scope");
}
