//! Addresses that people sign in with, canonical before anything is looked up.

use std::fmt;

use unicode_normalization::UnicodeNormalization as _;

/// An address that a person signs in with: canonical, so that two spellings of one are one.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Handle {
    /// NFKC, trimmed, lower case; exactly one ASCII `@`.
    Email(String),
    /// E.164 (`+` and 8 to 15 digits).
    Phone(String),
}

/// Why an address is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAnAddress {
    /// Not an e-mail address that we would send to.
    #[error("not an e-mail address")]
    Email,
    /// Not a phone number in international form.
    #[error("not a phone number in international form, as +4915112345678")]
    Phone,
}

/// The longest address of RFC 5321 §4.5.3.1.3, in bytes.
const LONGEST: usize = 254;

impl Handle {
    /// An e-mail address: NFKC, trimmed, lower case; one `@`, a local part of at most 64 bytes, a domain with a dot; ASCII
    /// domain labels, no comma, quote, angle bracket, white space or control character, and beyond ASCII only letters and
    /// digits.
    pub fn email(text: &str) -> Result<Self, NotAnAddress> {
        let folded: String = text.trim().nfkc().collect::<String>().to_lowercase();
        // Lower case can undo the normal form ("İ"), so it is taken again.
        let canonical: String = folded.nfkc().collect();
        // A character that only NFKC turns into `@` was not the one that a mail server splits at.
        let typed = text.matches('@').count() == 1 && canonical.matches('@').count() == 1;
        let (local, domain) = canonical.split_once('@').ok_or(NotAnAddress::Email)?;
        if typed && canonical.len() <= LONGEST && is_local(local) && is_domain(domain) {
            return Ok(Self::Email(canonical));
        }
        Err(NotAnAddress::Email)
    }

    /// A phone number: `+`, then 8 to 15 digits, the first not 0; spaces, dots, hyphens and brackets between are dropped.
    pub fn phone(text: &str) -> Result<Self, NotAnAddress> {
        let canonical: String = text.trim().chars().filter(|c| !matches!(c, ' ' | '.' | '-' | '(' | ')')).collect();
        let digits = canonical.strip_prefix('+').ok_or(NotAnAddress::Phone)?;
        let all = digits.bytes().all(|b| b.is_ascii_digit());
        if all && (8..=15).contains(&digits.len()) && !digits.starts_with('0') {
            return Ok(Self::Phone(canonical));
        }
        Err(NotAnAddress::Phone)
    }

    /// Either, by its look: what begins with `+` is a phone number.
    pub fn parse(text: &str) -> Result<Self, NotAnAddress> {
        if text.trim_start().starts_with('+') && !text.contains('@') {
            return Self::phone(text);
        }
        Self::email(text)
    }

    /// The canonical text: for the store and for sending, never for a log.
    pub fn expose(&self) -> &str {
        match self {
            Self::Email(text) | Self::Phone(text) => text,
        }
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

fn is_local(local: &str) -> bool {
    let dots = local.starts_with('.') || local.ends_with('.') || local.contains("..");
    !local.is_empty() && local.len() <= 64 && !dots && !is_routed(local) && local.chars().all(is_plain)
}

/// Some mail servers read more than a mailbox in front of the `@`: `eve%evil.example` and `evil.example!eve` go on to another
/// server, `=?…?=` is decoded first (RFC 2047), `|` runs a program. What is verified there would not be who it says.
fn is_routed(local: &str) -> bool {
    local.contains(['%', '!', '|']) || local.contains("=?")
}

/// Beyond ASCII only letters and digits: mail can carry nothing else, and a sign that is none of them is there to be taken
/// for another, or not to be seen.
fn is_plain(c: char) -> bool {
    if !c.is_ascii() {
        return c.is_alphanumeric() && !is_blank(c);
    }
    let odd = matches!(c, ',' | '"' | '\'' | '<' | '>' | '(' | ')' | '[' | ']' | ':' | ';' | '\\' | '@' | '`');
    c.is_ascii_graphic() && !odd
}

/// Letters that a reader does not see, so that two addresses look like one.
fn is_blank(c: char) -> bool {
    matches!(u32::from(c), 0x115F | 0x1160 | 0x17B4 | 0x17B5 | 0x3164 | 0xFFA0)
}

fn is_domain(domain: &str) -> bool {
    let labels = || domain.split('.');
    let letters = labels().next_back().is_some_and(|top| !top.bytes().all(|b| b.is_ascii_digit()));
    domain.len() <= 253 && labels().count() >= 2 && letters && labels().all(is_label)
}

fn is_label(label: &str) -> bool {
    let hyphens = label.starts_with('-') || label.ends_with('-');
    let plain = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    (1..=63).contains(&label.len()) && plain && !hyphens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_address_are_one() {
        for text in ["Ada@Example.COM", "  ada@example.com\t", "ａｄａ@example.com"] {
            assert_eq!(Handle::email(text), Ok(Handle::Email("ada@example.com".into())), "{text}");
        }
        assert_eq!(Handle::phone("+49 (151) 123-456.78"), Ok(Handle::Phone("+4915112345678".into())));
    }

    #[test]
    fn what_a_mail_server_could_read_differently_is_no_address() {
        let odd = [
            "",
            "ada",
            "@example.com",
            "ada@",
            "a@b@example.com",
            "ada＠example.com",
            "a,b@example.com",
            "\"a\"@example.com",
            "\"e@evil.com\"@example.com",
            "<ada@example.com>",
            "ada@exa mple.com",
            "ada@example.com\r\nBcc: x@y.z",
            "a\0b@example.com",
            "ada@example",
            "ada@.com",
            "ada@example..com",
            "ada@-x.com",
            "ada@127.0.0.1",
            "ada@[127.0.0.1]",
            ".ada@example.com",
            "ada.@example.com",
            "a..b@example.com",
            "a\u{200b}da@example.com",
            "ada\u{1160}@example.com",
            "ada\u{3164}@example.com",
            "ada\u{fffd}@example.com",
            "ada\u{3002}@example.com",
            "ada\u{1f511}@example.com",
            "ad\u{130}@example.com",
            "ada\u{2019}@example.com",
            "ada@example.com.",
            "eve%evil.example@example.com",
            "evil.example!eve@example.com",
            "=?utf-8?q?eve=40evil.example?=@example.com",
            "|eve@example.com",
            "ada@münchen.de",
            "a@b,c@d.com",
            "ada@ex@mple.com＠",
        ];
        for text in odd {
            assert_eq!(Handle::email(text), Err(NotAnAddress::Email), "{text:?}");
        }
        assert_eq!(Handle::email(&format!("{}@example.com", "a".repeat(65))), Err(NotAnAddress::Email));
        assert_eq!(Handle::email(&format!("a@{}.com", "a".repeat(64))), Err(NotAnAddress::Email));
    }

    #[test]
    fn phones_are_international() {
        for text in ["", "015112345678", "+0151123456", "+1234567", "+1234567890123456", "+49151x2345678", "0049151123456"] {
            assert_eq!(Handle::phone(text), Err(NotAnAddress::Phone), "{text:?}");
        }
    }

    #[test]
    fn an_address_says_nothing_in_a_log() {
        assert_eq!(format!("{:?}", Handle::Email("ada@example.com".into())), "[secret]");
    }
}
