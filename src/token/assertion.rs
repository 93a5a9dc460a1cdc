//! The assertion: a token for the app behind a route, which says who is signed in and can be verified with our JWK Set.
//!
//! Made once per access token and route while it is fresh, not once per request: signing costs as much as the rest of the
//! request.

use std::sync::Arc;

use quick_cache::sync::Cache;
use serde::Serialize;

use crate::clock::Timestamp;
use crate::id::{AccountId, SessionId, TokenId};
use crate::outage::{Dependency, Outage};
use crate::random::{self, Entropy};
use crate::token::claims::{Acr, Amr, Claims};
use crate::token::keys::Purpose;
use crate::token::ring::Ring;

/// `typ` of an assertion.
pub const TYPE: &str = "doorward-assertion+jwt";

/// Life of an assertion, seconds.
const LIFE: i64 = 60;

/// An assertion is not given out with less than this left, seconds.
const FRESH: i64 = 30;

/// How many are kept.
const KEPT: usize = 10_000;

#[derive(Serialize)]
struct Said<'a> {
    iss: &'a str,
    sub: &'a AccountId,
    aud: &'a str,
    iat: i64,
    nbf: i64,
    exp: i64,
    jti: String,
    sid: &'a SessionId,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    preferred_username: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone_number: Option<&'a str>,
    groups: &'a [String],
    amr: &'a [Amr],
    acr: Acr,
    auth_time: i64,
}

struct Kept {
    token: Arc<str>,
    expires: i64,
}

/// Makes assertions.
pub struct Asserter {
    ring: Arc<Ring>,
    entropy: Arc<dyn Entropy>,
    kept: Cache<(TokenId, Box<str>), Arc<Kept>>,
}

impl Asserter {
    /// With the keys of `ring`.
    pub fn new(ring: Arc<Ring>, entropy: Arc<dyn Entropy>) -> Self {
        Self { ring, entropy, kept: Cache::new(KEPT) }
    }

    /// The assertion of `claims` for the app behind `route`: one that is fresh, or a new one. `claims` are those of a
    /// verified token; the route's name is its audience.
    pub fn assert(&self, claims: &Claims, route: &str, now: Timestamp) -> Result<Arc<str>, Outage> {
        let key = (claims.jti.clone(), Box::from(route));
        if let Some(kept) = self.kept.get(&key).filter(|kept| kept.expires - now.as_secs() >= FRESH) {
            return Ok(Arc::clone(&kept.token));
        }
        let token: Arc<str> = self.sign(claims, route, now)?.into();
        let kept = Kept { token: Arc::clone(&token), expires: now.as_secs().saturating_add(LIFE) };
        self.kept.insert(key, Arc::new(kept));
        Ok(token)
    }

    fn sign(&self, claims: &Claims, route: &str, now: Timestamp) -> Result<String, Outage> {
        let issued = now.as_secs();
        let said = Said {
            iss: &claims.iss,
            sub: &claims.sub,
            aud: route,
            iat: issued,
            nbf: issued,
            exp: issued.saturating_add(LIFE),
            jti: random::id(self.entropy.as_ref())?,
            sid: &claims.sid,
            // An app takes these for theirs: only once a code sent there has come back.
            email: claims.email.as_deref().filter(|_| claims.email_verified),
            name: claims.name.as_deref(),
            preferred_username: claims.preferred_username.as_deref(),
            phone_number: claims.phone_number.as_deref().filter(|_| claims.phone_number_verified),
            groups: &claims.groups,
            amr: &claims.amr,
            acr: claims.acr,
            auth_time: claims.auth_time,
        };
        let key = self.ring.signer(Purpose::Assertion, now)?;
        jsonwebtoken::encode(&key.header(TYPE), &said, &key.encoding).map_err(|cause| Outage::new(Dependency::Keys, cause))
    }
}
