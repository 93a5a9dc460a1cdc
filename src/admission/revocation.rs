//! Has the session of a believed token ended, was the key revoked? Asked on every request that is not public, of a token just
//! made too.

use async_trait::async_trait;

use crate::admission::verify::Verified;
use crate::admission::{Refusal, Why};
use crate::clock::Timestamp;
use crate::outage::Outage;
use crate::revocation::{self, Ids, Standing};

/// Knows what is revoked.
#[async_trait]
pub trait Revocations: Send + Sync {
    /// The answer, where it is at hand: without waiting and without an allocation.
    fn known(&self, _ids: Ids<'_>, _now: Timestamp) -> Option<bool> {
        None
    }

    /// Is one of these revoked?
    async fn revoked(&self, ids: Ids<'_>, now: Timestamp) -> Result<bool, Outage>;
}

#[async_trait]
impl Revocations for revocation::Revocations {
    fn known(&self, ids: Ids<'_>, now: Timestamp) -> Option<bool> {
        self.glance(ids, now).map(|standing| standing == Standing::Revoked)
    }

    async fn revoked(&self, ids: Ids<'_>, now: Timestamp) -> Result<bool, Outage> {
        Ok(self.ask(ids, now).await? == Standing::Revoked)
    }
}

/// A token that is believed, of a session that goes on.
#[derive(Debug)]
pub struct Live<'a> {
    pub(super) verified: Verified<'a>,
    _made_here: (),
}

/// Who is asking.
#[derive(Debug)]
pub enum Caller<'a> {
    /// Somebody who is signed in, or a machine with a key.
    SignedIn(Live<'a>),
    /// Nobody that we know, and what they are told where somebody is required.
    Nobody(Refusal),
}

/// Ask whether the session goes on.
///
/// # Errors
/// `InvalidToken` for a key that was revoked: as for one that is unknown. An [`Outage`] when it could not be asked.
pub(super) async fn check<'a>(verified: Option<Verified<'a>>, revocations: &dyn Revocations, now: Timestamp) -> Result<Caller<'a>, Why> {
    let Some(verified) = verified else { return Ok(Caller::Nobody(Refusal::Unauthenticated)) };
    let claims = &verified.claims;
    let ids = Ids { token: &claims.jti, session: &claims.sid, account: &claims.sub, issued_at: claims.iat };
    let is_revoked = match revocations.known(ids, now) {
        Some(is_revoked) => is_revoked,
        None => revocations.revoked(ids, now).await?,
    };
    if is_revoked && verified.passes.is_some() {
        return Err(Refusal::InvalidToken.into());
    }
    if is_revoked {
        return Ok(Caller::Nobody(Refusal::SessionEnded));
    }
    Ok(Caller::SignedIn(Live { verified, _made_here: () }))
}
