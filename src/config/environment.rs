//! The environment overrides the file: `DOORWARD__OTP__LENGTH=6` is `otp.length`, `DOORWARD__ROUTE__0__UPSTREAM` is
//! `route[0].upstream`.
//!
//! A variable is text, and only the setting knows its type. So a value is first read as TOML (`6`, `true`, `["a", "b"]`), and
//! where the setting wants another type it is tried again: as the text that it is, then as a list separated by commas.

use std::collections::BTreeMap;

use toml::Value;

use super::mistake::{Mistake, SECRETS};
use super::place::{self, Place, Step};

const PREFIX: &str = "DOORWARD__";

/// What the environment sets, by place.
#[derive(Debug, Default)]
pub(super) struct Overrides(BTreeMap<Place, Override>);

#[derive(Debug)]
struct Override {
    name: String,
    raw: String,
    next: Reading,
}

/// How a variable is read next, when the reading before had the wrong type.
#[derive(Debug, Clone, Copy)]
enum Reading {
    Text,
    Truth,
    List,
    NoOther,
}

impl Overrides {
    /// Put the variables that are ours into `top`.
    pub(super) fn apply(top: &mut Value, variables: impl Iterator<Item = (String, String)>, mistakes: &mut Vec<Mistake>) -> Self {
        let ours =
            variables.filter_map(|(name, raw)| Some((place_of(name.strip_prefix(PREFIX)?), Override { name, raw, next: Reading::Text })));
        // In the order of places, so that a list's elements come one after another.
        let overrides: BTreeMap<Place, Override> = ours.collect();
        for (place, variable) in &overrides {
            // What the environment says of a secret goes before what the file says of it, in either form.
            if let Some(other) = other_form(place).filter(|other| !overrides.contains_key(other)) {
                place::remove(top, &other);
            }
            if let Err(at) = place::put(top, place, first_reading(&variable.raw)) {
                mistakes.push(Mistake::new(place::render(place), format!("{} cannot be set below {}", variable.name, place::render(&at))));
            }
        }
        Self(overrides)
    }

    /// Another reading of the variable that set `place`, after the one before had the wrong type.
    pub(super) fn read_again(&mut self, place: &[Step]) -> Option<Value> {
        let variable = self.0.get_mut(place)?;
        let (value, next) = match variable.next {
            Reading::Text => (Value::String(variable.raw.clone()), Reading::Truth),
            Reading::Truth => match truth(&variable.raw) {
                Some(truth) => (Value::Boolean(truth), Reading::List),
                None => (list(&variable.raw), Reading::NoOther),
            },
            Reading::List => (list(&variable.raw), Reading::NoOther),
            Reading::NoOther => return None,
        };
        variable.next = next;
        Some(value)
    }

    /// The variable that set `place`, if one did.
    pub(super) fn name(&self, place: &[Step]) -> Option<&str> {
        self.0.get(place).map(|variable| variable.name.as_str())
    }
}

fn place_of(name: &str) -> Place {
    let step = |part: &str| part.parse().map_or_else(|_| Step::Key(part.to_lowercase()), Step::Index);
    name.split("__").map(step).collect()
}

/// The key beside a secret from which the same secret could come: `url_file` for `url`, and the other way round.
fn other_form(place: &[Step]) -> Option<Place> {
    let (Step::Key(key), parents) = place.split_last()? else { return None };
    let secret = key.strip_suffix("_file").unwrap_or(key);
    let other = if secret == key { format!("{secret}_file") } else { secret.to_owned() };
    SECRETS.contains(&secret).then(|| [parents, &[Step::Key(other)]].concat())
}

/// As shells and container tools write it.
fn truth(raw: &str) -> Option<bool> {
    match raw.trim().to_ascii_lowercase().as_str() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}

/// As TOML where it is a whole number, a truth, a list or an inline table; else as text.
fn first_reading(raw: &str) -> Value {
    let parsed = toml::from_str::<toml::Table>(&format!("value = {raw}")).ok();
    let alone = parsed.filter(|table| table.len() == 1).and_then(|mut table| table.remove("value"));
    match alone {
        Some(value @ (Value::Boolean(_) | Value::Integer(_) | Value::Array(_) | Value::Table(_))) => value,
        Some(Value::String(_) | Value::Float(_) | Value::Datetime(_)) | None => Value::String(raw.to_owned()),
    }
}

fn list(raw: &str) -> Value {
    Value::Array(raw.split(',').map(str::trim).filter(|part| !part.is_empty()).map(|part| Value::String(part.to_owned())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_read_as_what_it_looks_like() {
        assert_eq!(first_reading("6"), Value::Integer(6));
        assert_eq!(first_reading("true"), Value::Boolean(true));
        assert_eq!(first_reading("[1]"), Value::Array(vec![Value::Integer(1)]));
        for text in ["10m", "0012", "1979-05-27", "sqlite:x", "\"quoted\"", "6\nother = 1", "", "{", "nan"] {
            assert_eq!(first_reading(text), Value::String(text.to_owned()), "{text}");
        }
    }

    #[test]
    fn a_name_is_a_place() {
        assert_eq!(place::render(&place_of("ROUTE__0__UPSTREAM")), "route[0].upstream");
        assert_eq!(place::render(&place_of("STORE__ENCRYPTION_KEY")), "store.encryption_key");
    }
}
