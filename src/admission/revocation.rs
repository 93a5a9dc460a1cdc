//! Has the session of a believed token ended, was its account changed or the key revoked? Asked on every request that is not public,
//! of a token just made too.

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
    fn known(&self, _ids: Ids<'_>, _now: Timestamp) -> Option<Standing> {
        None
    }

    /// Is one of these revoked?
    async fn revoked(&self, ids: Ids<'_>, now: Timestamp) -> Result<Standing, Outage>;
}

#[async_trait]
impl Revocations for revocation::Revocations {
    fn known(&self, ids: Ids<'_>, now: Timestamp) -> Option<Standing> {
        self.glance(ids, now)
    }

    async fn revoked(&self, ids: Ids<'_>, now: Timestamp) -> Result<Standing, Outage> {
        self.ask(ids, now).await
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

/// What is found of who presented something.
#[derive(Debug)]
pub(super) enum Found<'a> {
    /// They are who they are, or nobody.
    Caller(Caller<'a>),
    /// The account was changed after the token was made. Where there is a good refresh token, the session is renewed and goes on.
    Outdated,
}

/// Ask whether the session goes on, and the token speaks of the account as it is.
///
/// # Errors
/// `InvalidToken` for a key that was revoked: as for one that is unknown. An [`Outage`] when it could not be asked.
pub(super) async fn check<'a>(verified: Option<Verified<'a>>, revocations: &dyn Revocations, now: Timestamp) -> Result<Found<'a>, Why> {
    let Some(verified) = verified else { return Ok(Found::Caller(Caller::Nobody(Refusal::Unauthenticated))) };
    let claims = &verified.claims;
    let ids = Ids { token: &claims.jti, session: &claims.sid, account: &claims.sub, revision: claims.revision };
    let standing = match revocations.known(ids, now) {
        Some(standing) => standing,
        None => revocations.revoked(ids, now).await?,
    };
    match standing {
        Standing::Good => Ok(Found::Caller(Caller::SignedIn(Live { verified, _made_here: () }))),
        Standing::Revoked | Standing::Outdated if verified.passes.is_some() => Err(Refusal::InvalidToken.into()),
        Standing::Revoked => Ok(Found::Caller(Caller::Nobody(Refusal::SessionEnded))),
        Standing::Outdated if verified.by_header => Ok(Found::Caller(Caller::Nobody(Refusal::InvalidToken))),
        Standing::Outdated => Ok(Found::Outdated),
    }
}
