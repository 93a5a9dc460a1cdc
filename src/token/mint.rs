//! Claims become an access token (RFC 9068).

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::outage::{Dependency, Outage};
use crate::secret::Secret;
use crate::token::claims::Claims;
use crate::token::keys::Purpose;
use crate::token::ring::Ring;

/// `typ` of an access token (RFC 9068 §2.1).
pub const TYPE: &str = "at+jwt";

/// Signs access tokens.
#[derive(Clone, Debug)]
pub struct Minter(Arc<Ring>);

impl Minter {
    /// With the keys of `ring`.
    pub const fn new(ring: Arc<Ring>) -> Self {
        Self(ring)
    }

    /// The token that says `claims`, signed with the key of the moment.
    ///
    /// # Errors
    /// An [`Outage`] when there is no key that signs, or signing fails.
    pub fn mint(&self, claims: &Claims, now: Timestamp) -> Result<Secret<String>, Outage> {
        let key = self.0.signer(Purpose::Access, now)?;
        let token = jsonwebtoken::encode(&key.header(TYPE), claims, &key.encoding);
        token.map(Secret::new).map_err(|cause| Outage::new(Dependency::Keys, cause))
    }
}
