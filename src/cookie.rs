//! Our three cookies: their names, how they are read from a request, and how they are set and cleared (RFC 6265bis).
//!
//! Apart from both paths, because both need it: a proxied request reads them, a sign-in sets them.

use std::time::Duration;

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};

use crate::clock::ceil_secs;
use crate::secret::{Secret, SecretStr};

/// The section `[cookies]`.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CookieSettings {
    /// `Secure`, and a prefix that browsers hold to it. Off only for plain HTTP on one's own machine.
    pub secure: bool,
    /// One sign-in for all subdomains of this domain.
    pub domain: Option<String>,
}

impl Default for CookieSettings {
    fn default() -> Self {
        Self { secure: true, domain: None }
    }
}

/// Which of our cookies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The access token.
    Access,
    /// The refresh token.
    Refresh,
    /// The challenge that was asked for here.
    Challenge,
}

/// The names and attributes of our cookies.
#[derive(Debug, Clone)]
pub struct Cookies {
    prefix: &'static str,
    attributes: String,
    /// The hosts of one sign-in; `None` where each has its own.
    domain: Option<String>,
}

/// One of our names stands in a request twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a cookie of ours is there twice")]
pub struct Repeated;

/// What a request carries of ours.
#[derive(Debug, Clone, Default)]
pub struct Carried {
    /// The access token.
    pub access: Option<Secret<String>>,
    /// The refresh token.
    pub refresh: Option<Secret<String>>,
    /// The challenge's id.
    pub challenge: Option<Secret<String>>,
}

/// The same where it stands, without a copy.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shown<'a> {
    /// The access token.
    pub access: Option<SecretStr<'a>>,
    /// The refresh token.
    pub refresh: Option<SecretStr<'a>>,
    /// The challenge's id.
    pub challenge: Option<SecretStr<'a>>,
}

impl Cookies {
    /// From the section.
    pub fn new(settings: &CookieSettings) -> Self {
        let prefix = match (settings.secure, &settings.domain) {
            (false, _) => "",
            (true, None) => "__Host-",
            (true, Some(_)) => "__Secure-",
        };
        let attribute = settings.domain.as_ref().map(|domain| format!("; Domain={domain}")).unwrap_or_default();
        let secure = if settings.secure { "; Secure" } else { "" };
        let domain = settings.domain.as_ref().map(|domain| domain.trim_matches('.').to_ascii_lowercase());
        Self { prefix, attributes: format!("; Path=/{attribute}; HttpOnly{secure}; SameSite=Lax"), domain }
    }

    /// Does a browser show one `host` what was set by the other? Both without a port (RFC 6265 §5.1.3).
    pub fn are_shared(&self, one: &str, other: &str) -> bool {
        let [one, other] = [one, other].map(|host| host.trim_end_matches('.').to_ascii_lowercase());
        let is_below = |host: &str, domain: &str| host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        one == other || self.domain.as_ref().is_some_and(|domain| is_below(&one, domain) && is_below(&other, domain))
    }

    /// The full name of a cookie.
    pub fn name(&self, kind: Kind) -> String {
        format!("{}{}", self.prefix, base(kind))
    }

    /// The value of a `Set-Cookie` header that sets `kind` for `max_age` (whole seconds, rounded up).
    pub fn set(&self, kind: Kind, value: &Secret<String>, max_age: Duration) -> Option<HeaderValue> {
        let text = format!("{}={}; Max-Age={}{}", self.name(kind), value.expose(), ceil_secs(max_age), self.attributes);
        let mut header = HeaderValue::try_from(text).ok()?;
        header.set_sensitive(true);
        Some(header)
    }

    /// The value of a `Set-Cookie` header that clears `kind`, with the attributes that it was set with.
    pub fn clear(&self, kind: Kind) -> Option<HeaderValue> {
        HeaderValue::try_from(format!("{}=; Max-Age=0{}", self.name(kind), self.attributes)).ok()
    }

    /// What a request carries of ours.
    ///
    /// # Errors
    /// [`Repeated`] when one of our names stands there twice: which one counts would be a guess.
    pub fn read(&self, headers: &HeaderMap) -> Result<Carried, Repeated> {
        let shown = self.look(headers)?;
        let keep = |cookie: Option<SecretStr<'_>>| cookie.map(SecretStr::keep);
        Ok(Carried { access: keep(shown.access), refresh: keep(shown.refresh), challenge: keep(shown.challenge) })
    }

    /// What a request carries of ours, without a copy: on the way of every proxied request.
    ///
    /// # Errors
    /// Those of [`Cookies::read`].
    pub fn look<'a>(&self, headers: &'a HeaderMap) -> Result<Shown<'a>, Repeated> {
        let mut shown = Shown::default();
        for (name, value) in pairs(headers) {
            let Some(kind) = self.kind(name) else { continue };
            let place = match kind {
                Kind::Access => &mut shown.access,
                Kind::Refresh => &mut shown.refresh,
                Kind::Challenge => &mut shown.challenge,
            };
            // A value that is no text is no token of ours either: it reads as empty, and is refused as such.
            let value = SecretStr::new(std::str::from_utf8(value).unwrap_or_default().trim());
            if place.replace(value).is_some() {
                return Err(Repeated);
            }
        }
        Ok(shown)
    }

    /// The `Cookie` header without ours, for the upstream; `None` when nothing is left.
    pub fn without_ours(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let mut left: Vec<u8> = Vec::new();
        for header in headers.get_all(COOKIE) {
            for pair in pieces(header.as_bytes()) {
                if pair.is_empty() || is_ours(name_of(pair)) {
                    continue;
                }
                if !left.is_empty() {
                    left.extend_from_slice(b"; ");
                }
                left.extend_from_slice(pair);
            }
        }
        if left.is_empty() { None } else { HeaderValue::from_bytes(&left).ok() }
    }

    fn kind(&self, name: &[u8]) -> Option<Kind> {
        let rest = name.strip_prefix(self.prefix.as_bytes())?;
        [Kind::Access, Kind::Refresh, Kind::Challenge].into_iter().find(|kind| base(*kind).as_bytes() == rest)
    }
}

const fn base(kind: Kind) -> &'static str {
    match kind {
        Kind::Access => "doorward_access",
        Kind::Refresh => "doorward_refresh",
        Kind::Challenge => "doorward_challenge",
    }
}

/// Is this the name of a cookie of ours, with any prefix and in any case? Such a one never reaches an upstream, and no
/// upstream may set one.
pub fn is_ours(name: &[u8]) -> bool {
    let name = name.trim_ascii();
    let rest = after(name, b"__Host-").or_else(|| after(name, b"__Secure-")).unwrap_or(name);
    [Kind::Access, Kind::Refresh, Kind::Challenge].iter().any(|kind| rest.eq_ignore_ascii_case(base(*kind).as_bytes()))
}

fn after<'a>(name: &'a [u8], prefix: &[u8]) -> Option<&'a [u8]> {
    let (head, rest) = name.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// Does this `Set-Cookie` of an upstream set one of ours?
pub fn sets_ours(set_cookie: &[u8]) -> bool {
    // Without a name, browsers send the value alone, which may look like a cookie with one (RFC 6265bis §5.8.3).
    let skipped = set_cookie.iter().take_while(|byte| **byte == b'=' || byte.is_ascii_whitespace()).count();
    is_ours(name_of(set_cookie.get(skipped..).unwrap_or_default()))
}

fn name_of(pair: &[u8]) -> &[u8] {
    let end = memchr::memchr2(b'=', b';', pair).unwrap_or(pair.len());
    pair.get(..end).unwrap_or_default().trim_ascii()
}

/// Does a cookie of ours stand there, under whatever prefix?
pub fn carries_ours(headers: &HeaderMap) -> bool {
    pairs(headers).any(|(name, _)| is_ours(name))
}

/// Does a cookie of ours in this `Cookie` header hold what is not ASCII? We write nothing of that kind.
pub fn has_odd_ours(header: &[u8]) -> bool {
    pieces(header).any(|pair| !pair.is_ascii() && is_ours(name_of(pair)))
}

/// Names and values.
fn pairs(headers: &HeaderMap) -> impl Iterator<Item = (&[u8], &[u8])> {
    let all = headers.get_all(COOKIE).into_iter().flat_map(|header| pieces(header.as_bytes()));
    all.map(|pair| {
        let name = name_of(pair);
        let value = pair.get(name.len()..).unwrap_or_default();
        (name, value.trim_ascii_start().strip_prefix(b"=").unwrap_or_default())
    })
}

/// What stands between semicolons. Cookies are long, and are gone through on every request.
fn pieces(header: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(header);
    std::iter::from_fn(move || {
        let all = rest?;
        let end = memchr::memchr(b';', all);
        let (piece, after) = end.map_or((all, None), |end| (all.get(..end).unwrap_or_default(), all.get(end + 1..)));
        rest = after;
        Some(piece.trim_ascii())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (COOKIE, HeaderValue::from_str(value).unwrap())).collect()
    }

    #[test]
    fn names_follow_the_settings() {
        let strict = Cookies::new(&CookieSettings::default());
        assert_eq!(strict.name(Kind::Access), "__Host-doorward_access");
        let set = strict.set(Kind::Access, &Secret::new("t".into()), Duration::from_secs(60)).unwrap();
        assert_eq!(set, "__Host-doorward_access=t; Max-Age=60; Path=/; HttpOnly; Secure; SameSite=Lax");
        let shared = Cookies::new(&CookieSettings { secure: true, domain: Some("example.com".into()) });
        assert_eq!(
            shared.clear(Kind::Refresh).unwrap(),
            "__Secure-doorward_refresh=; Max-Age=0; Path=/; Domain=example.com; HttpOnly; Secure; SameSite=Lax"
        );
        let plain = Cookies::new(&CookieSettings { secure: false, domain: None });
        assert_eq!(plain.name(Kind::Challenge), "doorward_challenge");
    }

    #[test]
    fn hosts_share_cookies_below_one_domain_alone() {
        let alone = Cookies::new(&CookieSettings::default());
        assert!(alone.are_shared("a.example.com", "A.example.com."));
        assert!(!alone.are_shared("a.example.com", "b.example.com"));
        let shared = Cookies::new(&CookieSettings { secure: true, domain: Some("example.com".into()) });
        assert!(shared.are_shared("a.example.com", "example.com"));
        for other in ["example.org", "evilexample.com", "example.com.evil.org"] {
            assert!(!shared.are_shared("a.example.com", other), "{other}");
        }
    }

    #[test]
    fn a_name_of_ours_twice_is_refused() {
        let cookies = Cookies::new(&CookieSettings::default());
        assert!(cookies.read(&headers(&["__Host-doorward_access=a; x=1; __Host-doorward_access=b"])).is_err());
        assert!(cookies.read(&headers(&["__Host-doorward_access=a", "__Host-doorward_access=a"])).is_err());
        let carried = cookies.read(&headers(&["x=1; __Host-doorward_access=a", "__Host-doorward_refresh=b"])).unwrap();
        assert_eq!(carried.access.unwrap().expose(), "a");
        assert_eq!(carried.refresh.unwrap().expose(), "b");
        assert!(carried.challenge.is_none());
    }

    #[test]
    fn ours_never_travel_on() {
        let cookies = Cookies::new(&CookieSettings::default());
        let left =
            cookies.without_ours(&headers(&["a=1; __Host-doorward_access=x; doorward_refresh=y", "b=2; __secure-Doorward_challenge=z"]));
        assert_eq!(left.unwrap(), "a=1; b=2");
        assert_eq!(cookies.without_ours(&headers(&["__Host-doorward_access=x"])), None);
        assert!(sets_ours(b"__Host-doorward_access=evil; Path=/"));
        assert!(sets_ours(b" Doorward_Refresh =evil"));
        assert!(!sets_ours(b"doorward_accessory=fine"));
        assert!(sets_ours(b" =doorward_access=evil"));
        assert!(!sets_ours(b"=fine"));
    }
}
