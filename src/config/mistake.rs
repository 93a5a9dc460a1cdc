//! What is wrong in a configuration: the key, and a sentence that never carries a secret's value.

use std::fmt;

/// Something wrong in a configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Mistake {
    /// Where: `otp.length`, `route[0].upstream`; a file's name when it cannot be read at all.
    pub key: String,
    /// What is wrong, and what would be right.
    pub problem: String,
}

impl Mistake {
    /// `problem` at `key`.
    pub fn new(key: impl Into<String>, problem: impl Into<String>) -> Self {
        let key = key.into();
        // A key may be empty in TOML, where it is written so.
        Self { key: if key.is_empty() { "\"\"".to_owned() } else { key }, problem: problem.into() }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.key, self.problem)
    }
}

/// Keys whose values are secrets, wherever they stand: they may come from a file, and are never repeated in a message.
pub(super) const SECRETS: [&str; 8] =
    ["url", "password", "secret", "encryption_key", "api_key", "auth_token", "api_key_secret", "otlp_headers"];

/// What serde says about the value at `key`, in words for an operator. A value of the wrong type is named by its type, never
/// repeated: it may be a secret that stands one line too high.
pub(super) fn words(key: &str, said: &str) -> String {
    if let Some(rest) = said.strip_prefix("unknown field ") {
        return unknown_field(rest);
    }
    if let Some((found, wanted)) = wrong_type(said) {
        return format!("is {}, and should be {}", kind(found), expectation(wanted));
    }
    if SECRETS.iter().any(|secret| key.rsplit('.').next() == Some(secret)) && key != "public_url" {
        return "has a value that cannot be read".to_owned();
    }
    if let Some((_, wanted)) = said.strip_prefix("invalid value: ").and_then(|rest| rest.rsplit_once(", expected ")) {
        return format!("should be {}", expectation(wanted));
    }
    if key == "public_url" {
        return "is not a URL; write \"https://door.example.com\"".to_owned();
    }
    said.replace("unknown variant", "is").replace('`', "\"").replace(", expected", ", and should be")
}

/// What a value should be, where serde says that it is of the wrong type.
pub(super) fn wanted(said: &str) -> Option<String> {
    wrong_type(said).map(|(_, wanted)| expectation(wanted))
}

fn wrong_type(said: &str) -> Option<(&str, &str)> {
    said.strip_prefix("invalid type: ")?.rsplit_once(", expected ")
}

fn unknown_field(rest: &str) -> String {
    match rest.split_once(", expected ") {
        Some((_, known)) => format!("there is no such key; here are {}", known.trim_start_matches("one of ").replace('`', "")),
        None => "there is no such key".to_owned(),
    }
}

/// The type alone: ``string "x"`` is `text`.
fn kind(found: &str) -> &'static str {
    let word = found.split([' ', '`', '"']).next().unwrap_or_default();
    match word {
        "string" => "text",
        "integer" => "a whole number",
        "floating" | "float" => "a number with a point",
        "boolean" => "true or false",
        "sequence" => "a list",
        "map" => "a section",
        _ => "of another type",
    }
}

fn expectation(wanted: &str) -> String {
    let words = match wanted {
        "a string" | "string" | "path string" => "text in quotes",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a map" => "a section",
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "usize" => "a whole number that is not negative",
        _ if wanted.starts_with("struct ") => "a section",
        _ if wanted.contains("ocket address") => "an address and a port, as \"127.0.0.1:8080\"",
        _ if wanted.contains("IP network") || wanted.contains("IpNet") => "a network, as \"10.0.0.0/8\"",
        _ => return wanted.replace('`', "\""),
    };
    words.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_without_a_name_is_shown_as_it_is_written() {
        assert_eq!(Mistake::new("", "there is no such key").to_string(), "\"\": there is no such key");
    }

    #[test]
    fn a_value_of_the_wrong_type_is_not_repeated() {
        let said = "invalid type: string \"postgres://u:hunter2, expected of@h/db\", expected struct StoreSettings";
        assert_eq!(words("store", said), "is text, and should be a section");
        assert_eq!(words("store.url", "custom error: hunter2"), "has a value that cannot be read");
    }

    #[test]
    fn an_unknown_key_is_answered_with_the_known_ones() {
        let said = "unknown field `lenght`, expected one of `length`, `lifetime`";
        assert_eq!(words("otp.lenght", said), "there is no such key; here are length, lifetime");
    }
}
