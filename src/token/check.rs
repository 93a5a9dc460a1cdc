//! What is believed: a token of ours, on every use (RFC 8725, RFC 9068 §4).

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Header;

use crate::clock::Timestamp;
use crate::token::cache::Belief;
use crate::token::claims::{ACCESS, Claims};
use crate::token::keys::Purpose;
use crate::token::mint::TYPE;
use crate::token::ring::{Key, Ring};

/// The longest token that is looked at, in bytes.
pub const LONGEST: usize = 8 * 1024;

/// Why a token is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// Its time is over. Everything else about it was right.
    #[error("the token has expired")]
    Expired,
    /// Its time has not come.
    #[error("the token is not valid yet")]
    NotYet,
    /// Not a token of ours: too long, another form, `typ`, `type`, issuer or audience, or with headers that we never write.
    #[error("this is no access token of ours")]
    Foreign,
    /// No key of ours has this name (any more).
    #[error("no key of ours has the token's kid")]
    UnknownKey,
    /// Its signature is not that of the key it names.
    #[error("the signature does not fit")]
    Forged,
}

/// By which times tokens are believed.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// By how much clocks may differ.
    pub leeway: Duration,
    /// How long a token is good from its `iat`, whatever it says itself: a revocation is remembered no longer. One from before
    /// the setting was shortened says more.
    pub lifetime: Duration,
}

/// Believes, or does not believe, access tokens.
#[derive(Clone, Debug)]
pub struct Verifier {
    ring: Arc<Ring>,
    issuer: Arc<str>,
    audience: Arc<str>,
    leeway: i64,
    lifetime: i64,
}

impl Verifier {
    /// Tokens of `issuer` for `audience`, signed with keys of `ring`.
    pub fn new(ring: Arc<Ring>, issuer: &str, audience: &str, times: Times) -> Self {
        let leeway = i64::try_from(times.leeway.as_secs()).unwrap_or(0);
        let lifetime = i64::try_from(times.lifetime.as_secs()).unwrap_or(i64::MAX);
        Self { ring, issuer: issuer.into(), audience: audience.into(), leeway, lifetime }
    }

    /// What `token` says, if it is to be believed at `now`.
    pub fn check(&self, token: &str, now: Timestamp) -> Result<Claims, Invalid> {
        self.believe(self.genuine(token, now)?, now)
    }

    /// What `token` says, if we made it, even if its time is over: enough to sign out with, never to get in with.
    pub fn check_to_sign_out(&self, token: &str, now: Timestamp) -> Result<Claims, Invalid> {
        let claims = self.genuine(token, now)?;
        let then = Timestamp::from_secs(claims.iat).min(now);
        self.believe(claims, then)
    }

    /// What `token` says, with the time in which nothing but its session decides whether it is to be believed.
    pub(super) fn believe_for_a_while(&self, token: &str, now: Timestamp) -> Result<Belief, Invalid> {
        let (claims, key) = self.genuine_by(token, now)?;
        let claims = self.believe(claims, now)?;
        let from = claims.nbf.max(claims.iat).saturating_sub(self.leeway);
        let until = claims.exp.saturating_add(self.leeway);
        Ok(Belief { claims: Arc::new(claims), from, until, key_until: key.verifies_until })
    }

    /// Which keys are asked; another number after they have changed.
    pub(super) fn generation(&self) -> u64 {
        self.ring.generation()
    }

    fn genuine(&self, token: &str, now: Timestamp) -> Result<Claims, Invalid> {
        self.genuine_by(token, now).map(|(claims, _)| claims)
    }

    /// What it says, and the key that says that we have said it.
    fn genuine_by(&self, token: &str, now: Timestamp) -> Result<(Claims, Arc<Key>), Invalid> {
        if token.len() > LONGEST {
            return Err(Invalid::Foreign);
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| Invalid::Foreign)?;
        let kid = plain_header(&header).ok_or(Invalid::Foreign)?;
        let key = self.ring.verifier(kid, Purpose::Access, now).ok_or(Invalid::UnknownKey)?;
        let decoded = jsonwebtoken::decode::<Claims>(token, &key.decoding, &key.validation).map_err(|error| why(&error))?;
        Ok((decoded.claims, key))
    }

    /// Does `token` say that it is ours, whether or not it is to be believed? One that does is refused when it fails; one that
    /// does not belongs to the app.
    pub fn names_us(&self, token: &str) -> bool {
        #[derive(serde::Deserialize)]
        struct Issuer {
            iss: Option<String>,
        }
        let mut parts = token.split('.');
        let (Some(_), Some(payload), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return false;
        };
        let named = || self.names_our_key(token);
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(payload) else { return named() };
        let claimed = serde_json::from_slice::<Issuer>(&bytes).ok().and_then(|issuer| issuer.iss);
        claimed.map_or_else(named, |issuer| *issuer == *self.issuer)
    }

    fn names_our_key(&self, token: &str) -> bool {
        let kid = jsonwebtoken::decode_header(token).ok().and_then(|header| header.kid);
        kid.is_some_and(|kid| self.ring.verifier(&kid, Purpose::Access, Timestamp::default()).is_some())
    }

    fn believe(&self, mut claims: Claims, now: Timestamp) -> Result<Claims, Invalid> {
        let now = now.as_secs();
        if claims.kind != ACCESS || *claims.iss != *self.issuer || *claims.aud != *self.audience {
            return Err(Invalid::Foreign);
        }
        if claims.jti.as_str().is_empty() || claims.sid.as_str().is_empty() || claims.sub.as_str().is_empty() {
            return Err(Invalid::Foreign);
        }
        claims.exp = claims.exp.min(claims.iat.saturating_add(self.lifetime));
        if now >= claims.exp.saturating_add(self.leeway) {
            return Err(Invalid::Expired);
        }
        if now < claims.nbf.saturating_sub(self.leeway) || now < claims.iat.saturating_sub(self.leeway) {
            return Err(Invalid::NotYet);
        }
        Ok(claims)
    }
}

/// The `kid` of a header as we write it: no `crit`, no key material, no other type.
fn plain_header(header: &Header) -> Option<&str> {
    let typed = header.typ.as_deref().is_some_and(|typ| typ.eq_ignore_ascii_case(TYPE));
    let material = header.jku.is_some() || header.jwk.is_some() || header.x5u.is_some() || header.x5c.is_some();
    let thumbs = header.x5t.is_some() || header.x5t_s256.is_some();
    let odd = header.crit.is_some() || header.cty.is_some() || header.enc.is_some() || header.zip.is_some();
    if !typed || material || thumbs || odd || !header.extras.inner().is_empty() {
        return None;
    }
    header.kid.as_deref()
}

fn why(error: &jsonwebtoken::errors::Error) -> Invalid {
    match error.kind() {
        jsonwebtoken::errors::ErrorKind::InvalidSignature => Invalid::Forged,
        _ => Invalid::Foreign,
    }
}
