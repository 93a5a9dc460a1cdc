//! Sizes as people write them: `"512B"`, `"16KiB"`, `"10MiB"`, `"2GiB"`, or in thousands: `"10MB"`.

use serde::de::Error as _;
use serde::{Deserialize as _, Deserializer};

/// For `#[serde(with = "size::option")]`.
pub mod option {
    use serde::Deserializer;

    /// A size that is there, in bytes.
    ///
    /// # Errors
    /// When it is not written as one.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
        super::deserialize(deserializer).map(Some)
    }
}

fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text).ok_or_else(|| D::Error::custom(format!("not a size: {text:?}; write \"512B\", \"16KiB\", \"10MiB\" or \"2GiB\"")))
}

/// The bytes that `text` says; `None` when it says none.
pub fn parse(text: &str) -> Option<u64> {
    let text = text.trim();
    let (number, unit) = text.split_at_checked(text.find(|c: char| !c.is_ascii_digit())?)?;
    number.parse::<u64>().ok()?.checked_mul(bytes(unit)?)
}

fn bytes(unit: &str) -> Option<u64> {
    Some(match unit {
        "B" => 1,
        "KB" | "kB" => 1_000,
        "KiB" => 1 << 10,
        "MB" => 1_000_000,
        "MiB" => 1 << 20,
        "GB" => 1_000_000_000,
        "GiB" => 1 << 30,
        "TB" => 1_000_000_000_000,
        "TiB" => 1 << 40,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_written() {
        assert_eq!(parse("0B"), Some(0));
        assert_eq!(parse("512B"), Some(512));
        assert_eq!(parse("16KiB"), Some(16_384));
        assert_eq!(parse("16KB"), Some(16_000));
        assert_eq!(parse("10MiB"), Some(10_485_760));
        assert_eq!(parse("2GiB"), Some(2_147_483_648));
        for text in
            ["", "10", "MiB", "-1B", "1.5MiB", "10 MiB", "10M", "10mib", "10MiB5KiB", "99999999999999999999B", "18446744073709551615KiB"]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
