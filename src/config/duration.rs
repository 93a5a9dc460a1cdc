//! Durations as people write them: `"500ms"`, `"10s"`, `"10m"`, `"1h"`, `"7d"`, or several together: `"1h30m"`.

use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize as _, Deserializer};

/// For `#[serde(with = "duration")]`.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text).ok_or_else(|| D::Error::custom(format!("not a duration: {text:?}; write \"500ms\", \"10s\", \"10m\", \"1h\" or \"7d\"")))
}

/// For `#[serde(with = "duration::option")]`.
pub mod option {
    use std::time::Duration;

    use serde::Deserializer;

    /// A duration that is there.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        super::deserialize(deserializer).map(Some)
    }
}

/// The span that `text` says; `None` when it says none.
pub fn parse(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut total = Duration::ZERO;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (number, after) = rest.split_at_checked(rest.find(|c: char| !c.is_ascii_digit())?)?;
        let (unit, next) = after.split_at_checked(after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len()))?;
        let number: u64 = number.parse().ok()?;
        total = total.checked_add(span(number, unit)?)?;
        rest = next;
    }
    Some(total)
}

fn span(number: u64, unit: &str) -> Option<Duration> {
    let seconds = match unit {
        "ms" => return Some(Duration::from_millis(number)),
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86400,
        _ => return None,
    };
    number.checked_mul(seconds).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_written() {
        assert_eq!(parse("10m"), Some(Duration::from_mins(10)));
        assert_eq!(parse("1h30m"), Some(Duration::from_mins(90)));
        assert_eq!(parse("100ms"), Some(Duration::from_millis(100)));
        assert_eq!(parse("0s"), Some(Duration::ZERO));
        for text in ["", "10", "m", "-1s", "1.5h", "10 m", "10x", "99999999999999999999s", "18446744073709551615d"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
