//! What a request presents of ours: a bearer token, else cookies. What is not ours belongs to the app.

use std::sync::Arc;

use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::admission::Refusal;
use crate::clock::Timestamp;
use crate::cookie::{Cookies, Shown};
use crate::secret::SecretStr;
use crate::token::{self, Claims};

/// Believes access tokens.
pub trait Tokens: Send + Sync {
    /// What `token` says, if it is one of ours and to be believed at `now`.
    fn check(&self, token: &str, now: Timestamp) -> Option<Arc<Claims>>;

    /// Does `token` say that it is ours, whether or not it is to be believed? One that does is refused when it fails; one
    /// that does not belongs to the app.
    fn names_us(&self, token: &str) -> bool;
}

impl Tokens for token::Verifier {
    fn check(&self, token: &str, now: Timestamp) -> Option<Arc<Claims>> {
        self.check(token, now).ok().map(Arc::new)
    }

    fn names_us(&self, token: &str) -> bool {
        self.names_us(token)
    }
}

impl Tokens for token::Remembering {
    fn check(&self, token: &str, now: Timestamp) -> Option<Arc<Claims>> {
        self.check(token, now).ok()
    }

    fn names_us(&self, token: &str) -> bool {
        self.names_us(token)
    }
}

/// What a request presents of ours.
#[derive(Debug)]
pub struct Presented<'a> {
    pub(super) what: What<'a>,
    _made_here: (),
}

/// Where it stands.
#[derive(Debug)]
pub(super) enum What<'a> {
    /// Nowhere.
    Nothing,
    /// In `Authorization`; the access cookie beside it must not name another session.
    Header { token: SecretStr<'a>, beside: Option<SecretStr<'a>> },
    /// In cookies; at least one of them is there.
    Cookies { access: Option<SecretStr<'a>>, refresh: Option<SecretStr<'a>> },
}

impl Presented<'_> {
    /// Did a browser add it on its own?
    pub fn by_cookie(&self) -> bool {
        match self.what {
            What::Cookies { .. } => true,
            What::Header { .. } | What::Nothing => false,
        }
    }
}

/// Take from `headers` what is ours.
///
/// # Errors
/// `Malformed` for several `Authorization` headers, `RepeatedCookie` for a cookie of ours that is there twice.
pub(super) fn extract<'a>(headers: &'a HeaderMap, cookies: &Cookies, tokens: &dyn Tokens) -> Result<Presented<'a>, Refusal> {
    let shown = cookies.look(headers).map_err(|_| Refusal::RepeatedCookie)?;
    let mut fields = headers.get_all(AUTHORIZATION).iter();
    let field = fields.next();
    if fields.next().is_some() {
        return Err(Refusal::Malformed);
    }
    let ours = field.and_then(|value| bearer(value.to_str().ok()?)).filter(|token| tokens.names_us(token));
    Ok(Presented { what: what(ours, shown), _made_here: () })
}

/// Does one of the `Authorization` headers hold a token of ours?
pub(super) fn holds_ours(headers: &HeaderMap, tokens: &dyn Tokens) -> bool {
    let ours = |value: &http::HeaderValue| value.to_str().ok().and_then(bearer).is_some_and(|token| tokens.names_us(token));
    headers.get_all(AUTHORIZATION).iter().any(ours)
}

fn what<'a>(bearer: Option<&'a str>, shown: Shown<'a>) -> What<'a> {
    let some = |cookie: Option<SecretStr<'a>>| cookie.filter(|value| !value.expose().is_empty());
    let (access, refresh) = (some(shown.access), some(shown.refresh));
    match bearer {
        Some(token) => What::Header { token: SecretStr::new(token), beside: access },
        None if access.is_none() && refresh.is_none() => What::Nothing,
        None => What::Cookies { access, refresh },
    }
}

/// The token of a bearer credential (RFC 6750 §2.1); the scheme in any case (RFC 9110 §11.1), spaces as many as there are.
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.trim().split_once([' ', '\t'])?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
