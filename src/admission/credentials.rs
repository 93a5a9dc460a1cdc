//! What a request presents of ours: a bearer token or an API key, else cookies. What is not ours belongs to the app.

use std::sync::Arc;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};

use crate::admission::Refusal;
use crate::admission::machine::{KEY_PREFIX, names_key};
use crate::clock::Timestamp;
use crate::cookie::{Cookies, Shown};
use crate::secret::{Secret, SecretStr};
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
    /// A token in `Authorization`; the access cookie beside it must not name another session.
    Header { token: SecretStr<'a>, beside: Option<SecretStr<'a>> },
    /// An API key in `Authorization`; the access cookie beside it must not name anybody.
    Key { key: Token<'a>, beside: Option<SecretStr<'a>> },
    /// In cookies; at least one of them is there.
    Cookies { access: Option<SecretStr<'a>>, refresh: Option<SecretStr<'a>> },
}

/// A credential of ours: as it stands in the request, or with us, since it was decoded or made in passing.
#[derive(Debug)]
pub(super) enum Token<'a> {
    Shown(SecretStr<'a>),
    Held(Secret<String>),
}

impl Token<'_> {
    pub(super) fn secret(&self) -> SecretStr<'_> {
        match self {
            Self::Shown(token) => *token,
            Self::Held(token) => SecretStr::new(token.expose()),
        }
    }
}

impl<'a> Presented<'a> {
    /// The refresh token in a cookie, where no header comes before it.
    pub(super) const fn refresh(&self) -> Option<SecretStr<'a>> {
        match self.what {
            What::Cookies { refresh, .. } => refresh,
            What::Header { .. } | What::Key { .. } | What::Nothing => None,
        }
    }

    /// Did a browser add it on its own?
    pub fn by_cookie(&self) -> bool {
        match self.what {
            What::Cookies { .. } => true,
            What::Header { .. } | What::Key { .. } | What::Nothing => false,
        }
    }
}

/// Take from `headers` what is ours.
///
/// # Errors
/// `Malformed` for several `Authorization` headers, `RepeatedCookie` for a cookie of ours that is there twice,
/// `ConflictingCredentials` for two keys of ours in one header.
pub(super) fn extract<'a>(headers: &'a HeaderMap, cookies: &Cookies, tokens: &dyn Tokens) -> Result<Presented<'a>, Refusal> {
    let shown = cookies.look(headers).map_err(|_| Refusal::RepeatedCookie)?;
    let mut fields = headers.get_all(AUTHORIZATION).iter();
    let field = fields.next();
    if fields.next().is_some() {
        return Err(Refusal::Malformed);
    }
    match field.and_then(|value| ours(value, tokens)) {
        Some(Ours::TwoKeys) => Err(Refusal::ConflictingCredentials),
        ours => Ok(Presented { what: what(ours, shown), _made_here: () }),
    }
}

/// The API key that `Authorization` holds, if it is one and no other beside it.
pub fn key_in(headers: &HeaderMap) -> Option<Secret<String>> {
    let text = headers.get(AUTHORIZATION)?.to_str().ok()?;
    match key(text)? {
        Ours::Key(key) => Some(key.secret().keep()),
        Ours::Token(_) | Ours::TwoKeys => None,
    }
}

/// Does one of the `Authorization` headers hold a token or a key of ours?
pub(super) fn holds_ours(headers: &HeaderMap, tokens: &dyn Tokens) -> bool {
    headers.get_all(AUTHORIZATION).iter().any(|value| ours(value, tokens).is_some())
}

/// Is one of ours in `Authorization`, in whatever form? In most it lets nobody in, and would lead in whoever reads it at the app.
pub(super) fn hides_ours(headers: &HeaderMap, tokens: &dyn Tokens) -> bool {
    // What a token is made of (RFC 9110 §11.2), without the sign that fills up: `token=...` is two words.
    let is_of_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~' | '+' | '/');
    headers.get_all(AUTHORIZATION).iter().any(|value| {
        let text = String::from_utf8_lossy(value.as_bytes());
        let mut words = text.split(|c| !is_of_word(c));
        words.any(|word| names_key(word) || holds_key(word) || (word.matches('.').count() == 2 && tokens.names_us(word)))
    })
}

/// Is a key in the midst of a word? What follows must be as long as only a key is: the beginning alone may be anybody's.
fn holds_key(word: &str) -> bool {
    const LONG: usize = 40;
    let starts = word.as_bytes().windows(KEY_PREFIX.len()).enumerate();
    let mut rests = starts.filter(|(_, piece)| piece.eq_ignore_ascii_case(KEY_PREFIX.as_bytes())).map(|(at, _)| at + KEY_PREFIX.len());
    rests.any(|at| word.bytes().skip(at).take_while(u8::is_ascii_alphanumeric).count() >= LONG)
}

/// What of `Authorization` is ours.
enum Ours<'a> {
    Token(SecretStr<'a>),
    Key(Token<'a>),
    /// Which one counts would be a guess.
    TwoKeys,
}

fn what<'a>(ours: Option<Ours<'a>>, shown: Shown<'a>) -> What<'a> {
    let some = |cookie: Option<SecretStr<'a>>| cookie.filter(|value| !value.expose().is_empty());
    let (access, refresh) = (some(shown.access), some(shown.refresh));
    match ours {
        Some(Ours::Token(token)) => What::Header { token, beside: access },
        Some(Ours::Key(key)) => What::Key { key, beside: access },
        // Two keys were refused before.
        Some(Ours::TwoKeys) | None if access.is_none() && refresh.is_none() => What::Nothing,
        Some(Ours::TwoKeys) | None => What::Cookies { access, refresh },
    }
}

/// The scheme in any case (RFC 9110 §11.1), spaces as many as there are. A value that is no text can only be a spoiled key: a token
/// that is spoiled so names nobody.
fn ours<'a>(value: &'a HeaderValue, tokens: &dyn Tokens) -> Option<Ours<'a>> {
    let Ok(text) = value.to_str() else {
        let spoiled = String::from_utf8_lossy(value.as_bytes());
        return key(&spoiled).map(|ours| match ours {
            Ours::Key(key) => Ours::Key(Token::Held(key.secret().keep())),
            Ours::Token(_) | Ours::TwoKeys => Ours::TwoKeys,
        });
    };
    key(text).or_else(|| {
        let (_, token) = credential(text).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))?;
        tokens.names_us(token).then(|| Ours::Token(SecretStr::new(token)))
    })
}

/// The API key in a credential: a bearer token (RFC 6750 §2.1), or in a user name and password (RFC 7617): clients that can send
/// nothing else have it as the password, or, where that is empty or a word of theirs, as the user name. The same in both is one.
fn key(text: &str) -> Option<Ours<'_>> {
    let (scheme, rest) = credential(text)?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return names_key(rest).then(|| Ours::Key(Token::Shown(SecretStr::new(rest))));
    }
    let pair = Some(rest).filter(|_| scheme.eq_ignore_ascii_case("basic")).and_then(decoded)?;
    let (user, password) = pair.expose().split_once(':').unwrap_or((pair.expose(), ""));
    if names_key(password) && names_key(user) && password != user {
        return Some(Ours::TwoKeys);
    }
    let ours = [password, user].into_iter().find(|text| names_key(text))?;
    Some(Ours::Key(Token::Held(Secret::new(ours.to_owned()))))
}

/// However it is padded.
fn decoded(text: &str) -> Option<Secret<String>> {
    const AS_IT_COMES: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true).with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let bytes = GeneralPurpose::new(&STANDARD, AS_IT_COMES).decode(text).ok()?;
    Some(Secret::new(String::from_utf8_lossy(&bytes).into_owned()))
}

fn credential(text: &str) -> Option<(&str, &str)> {
    text.trim().split_once([' ', '\t']).map(|(scheme, rest)| (scheme, rest.trim()))
}

#[cfg(feature = "fuzzing")]
pub mod fuzzing;
