//! Configuration: read whole, refused whole.

mod documented;
mod environment;
mod files;
mod mistakes;

use doorward::config::{Config, Mistake};

/// The least that is right.
pub const MINIMAL: &str = r#"
public_url = "https://wiki.example.com"

[store]
url = "sqlite:doorward.db"
encryption_key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

[[delivery.email]]
kind = "console"

[[route]]
name = "wiki"
host = "wiki.example.com"
upstream = ["http://127.0.0.1:3000"]
"#;

/// What the text and these variables say.
pub fn read(text: &str, variables: &[(&str, &str)]) -> Result<Config, Vec<Mistake>> {
    Config::read("doorward.toml", text, variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}

/// The mistakes in it, as `check` prints them.
pub fn mistakes(text: &str, variables: &[(&str, &str)]) -> Vec<String> {
    read(text, variables).expect_err("mistakes").iter().map(ToString::to_string).collect()
}
