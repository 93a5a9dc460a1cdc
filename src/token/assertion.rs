//! The assertion: a token for the app behind a route, which says who is signed in and can be verified with our JWK Set.
//!
//! Who tells an app keeps it while it is fresh: signing costs as much as the rest of the request.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::clock::Timestamp;
use crate::id::{AccountId, SessionId};
use crate::outage::{Dependency, Outage};
use crate::random::{self, Entropy};
use crate::token::claims::{Acr, Amr, Claims};
use crate::token::keys::Purpose;
use crate::token::ring::Ring;

/// `typ` of an assertion.
pub const TYPE: &str = "doorward-assertion+jwt";

/// Life of an assertion, seconds.
const LIFE: i64 = 60;

/// How long an assertion may be given out: the other half of its life is the app's.
pub const FRESH: Duration = Duration::from_secs(30);

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

/// Makes assertions.
pub struct Asserter {
    ring: Arc<Ring>,
    entropy: Arc<dyn Entropy>,
}

impl Asserter {
    /// With the keys of `ring`.
    pub const fn new(ring: Arc<Ring>, entropy: Arc<dyn Entropy>) -> Self {
        Self { ring, entropy }
    }

    /// An assertion of `claims` for the app behind `route`. `claims` are those of a verified token; the route's name is its
    /// audience. It may be given out for [`FRESH`].
    pub fn assert(&self, claims: &Claims, route: &str, now: Timestamp) -> Result<String, Outage> {
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
