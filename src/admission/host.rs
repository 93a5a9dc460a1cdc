//! Hosts in the one form that is compared: without port and trailing dot, lower case, international names as punycode.
//!
//! Apart, because a route's host and a request's must come to it the same way.

use std::borrow::Cow;
use std::net::Ipv6Addr;

/// Which hosts a route is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Pattern {
    /// Every host.
    Any,
    /// This one.
    Exact(String),
    /// One label, and this after it.
    Wildcard(String),
}

impl Pattern {
    /// From the setting.
    ///
    /// # Errors
    /// What is wrong with it, as a sentence without its subject.
    pub(super) fn parse(setting: Option<&str>) -> Result<Self, &'static str> {
        let Some(text) = setting else { return Ok(Self::Any) };
        if let Some(rest) = text.strip_prefix("*.") {
            return name(rest).filter(|rest| rest.contains('.')).map(Self::Wildcard).ok_or(WILDCARD);
        }
        if text.contains('*') {
            return Err(WILDCARD);
        }
        name(text).map(Self::Exact).ok_or("should be a host name, as \"wiki.example.com\", without scheme, port and path")
    }
}

const WILDCARD: &str = "may have one star, as its first label: \"*.example.com\"";

/// A setting's host; a port has no place there, since every port matches.
fn name(text: &str) -> Option<String> {
    let ported = !text.ends_with(']') && text.contains(':');
    if ported { None } else { canonical(text).map(Cow::into_owned) }
}

/// The host of a `Host` header in the form that is compared; `None` when it is no host.
pub fn canonical(host: &str) -> Option<Cow<'_, str>> {
    let name = without_port(host)?;
    if let Some(address) = name.strip_prefix('[') {
        let address: Ipv6Addr = address.strip_suffix(']')?.parse().ok()?;
        return Some(Cow::Owned(format!("[{address}]")));
    }
    if name.is_ascii() {
        return plain(name);
    }
    let ascii = url::Host::parse(name).ok()?.to_string();
    plain(&ascii).map(|name| Cow::Owned(name.into_owned()))
}

fn without_port(host: &str) -> Option<&str> {
    let end = host.rfind(']').map_or(0, |bracket| bracket.saturating_add(1));
    let Some(colon) = host.get(end..)?.find(':') else { return Some(host) };
    let (name, port) = host.split_at_checked(end.saturating_add(colon))?;
    let digits = port.strip_prefix(':')?.bytes().all(|byte| byte.is_ascii_digit());
    digits.then_some(name)
}

fn plain(name: &str) -> Option<Cow<'_, str>> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let sound = name.split('.').all(|label| !label.is_empty() && label.bytes().all(allowed));
    let upper = name.bytes().any(|byte| byte.is_ascii_uppercase());
    sound.then(|| if upper { Cow::Owned(name.to_ascii_lowercase()) } else { Cow::Borrowed(name) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_host_has_one_form() {
        for host in [
            "wiki.example.com",
            "WIKI.Example.com",
            "wiki.example.com.",
            "wiki.example.com:8443",
            "Wiki.example.com.:80",
            "wiki.example.com:",
        ] {
            assert_eq!(canonical(host).as_deref(), Some("wiki.example.com"), "{host}");
        }
        for host in ["bücher.example", "BÜCHER.example.", "xn--bcher-kva.example", "XN--Bcher-kva.Example:443", "bücher。example"] {
            assert_eq!(canonical(host).as_deref(), Some("xn--bcher-kva.example"), "{host}");
        }
        for host in ["[::1]", "[::1]:8080", "[0:0:0:0:0:0:0:1]:8080"] {
            assert_eq!(canonical(host).as_deref(), Some("[::1]"), "{host}");
        }
    }

    #[test]
    fn what_is_no_host_has_none() {
        for host in ["", ".", "a..b", "a b", "a/b", "a@b", "a:b", "a:1:2", "[::1", "::1", "[x]", "a%2eb", "a.com..", ":80", "a,b", "a#b"] {
            assert_eq!(canonical(host), None, "{host}");
        }
    }

    #[test]
    fn a_star_stands_for_the_first_label_alone() {
        assert_eq!(Pattern::parse(Some("*.Example.com.")), Ok(Pattern::Wildcard("example.com".to_owned())));
        for host in
            ["*", "*.com", "*.*.example.com", "a.*.com", "a*.example.com", "*.example.com:80", "https://a.com", "a.com:80", "a.com/x", ""]
        {
            assert!(Pattern::parse(Some(host)).is_err(), "{host}");
        }
    }
}
