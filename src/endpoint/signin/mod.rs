//! Signing in by JSON: one file per step.

mod addresses;
mod ask;
mod factor;
mod guess;
mod logout;
mod refresh;
mod sessions;
mod totp;

use std::time::Duration;

use http::HeaderValue;
use serde::Serialize;

use crate::admission::Refusal;
use crate::cookie::{Kind, Repeated};
use crate::endpoint::Endpoints;
use crate::endpoint::call::Received;
use crate::endpoint::page::Words;
use crate::endpoint::problem::Problem;
use crate::endpoint::refuse;
use crate::endpoint::reply::No;
use crate::secret::Secret;
use crate::signin::{Presented, Worthless};
use crate::token::{Claims, Issued};

/// What `verify-otp` and `refresh` answer (RFC 6749 §5.1).
#[derive(Serialize)]
struct Tokens<'a> {
    access_token: &'a str,
    token_type: &'static str,
    expires_in: u64,
}

impl<'a> From<&'a Issued> for Tokens<'a> {
    fn from(issued: &'a Issued) -> Self {
        Self { access_token: issued.access.expose(), token_type: "bearer", expires_in: issued.access_lifetime.as_secs() }
    }
}

/// A sentence for who reads the reply.
#[derive(Serialize)]
struct Said {
    message: &'static str,
}

impl Endpoints {
    /// A cookie that is set.
    pub(super) fn cookie(&self, kind: Kind, value: &Secret<String>, life: Duration) -> Result<HeaderValue, No> {
        self.cookies.set(kind, value, life).ok_or_else(|| No::from(Problem::Internal))
    }

    /// The cookies of a session.
    pub(super) fn session_cookies(&self, issued: &Issued) -> Result<[HeaderValue; 2], No> {
        let access = self.cookie(Kind::Access, &issued.access, issued.access_lifetime)?;
        let refresh = self.cookie(Kind::Refresh, &issued.refresh, issued.refresh_lifetime)?;
        Ok([access, refresh])
    }

    /// The `Set-Cookie` values that clear these.
    pub(super) fn cleared<const N: usize>(&self, kinds: [Kind; N]) -> impl Iterator<Item = HeaderValue> {
        kinds.into_iter().filter_map(|kind| self.cookies.clear(kind))
    }

    /// Everything of ours that the request carries: the bearer token first, then the cookies.
    pub(super) fn presented(&self, received: &Received<'_>) -> Result<Presented, No> {
        let carried = self.cookies.read(&received.head.headers)?;
        let access = received.bearer()?.into_iter().chain(carried.access).collect();
        Ok(Presented { access, refresh: carried.refresh })
    }

    /// Who is signed in; the bearer token counts before the cookie.
    ///
    /// # Errors
    /// 401 when nobody is, and says so of a bearer token (RFC 6750 §3.1); 400 when the two are of different sessions.
    pub(super) async fn signed_in(&self, received: &Received<'_>) -> Result<Claims, No> {
        let carried = self.cookies.read(&received.head.headers)?.access;
        let shown = match received.bearer()? {
            Some(token) => Some(self.bearer(&token, received).await?),
            None => None,
        };
        // A bearer token that fails is refused: the cookie beside it is not tried.
        let held = match (&carried, &shown) {
            (Some(token), None | Some(Ok(_))) => self.sign_in.worth(token, received.call.now).await?,
            (Some(_) | None, _) => Err(Worthless::Bad),
        };
        match (shown, held) {
            (Some(Ok(first)), Ok(other)) if other.sid != first.sid => Err(Refusal::ConflictingCredentials.into()),
            (Some(Ok(claims)), _) | (None, Ok(claims)) => Ok(claims),
            (Some(Err(refusal)), _) => Err(refuse::with_bearer(refusal)),
            (None, Err(Worthless::Ended | Worthless::Bad)) => Err(Refusal::Unauthenticated.into()),
        }
    }

    /// Who shows a bearer token, or why it is not believed. Here is no app to which one that is not ours could belong, and an API key
    /// signs nobody in, good or not.
    async fn bearer(&self, token: &Secret<String>, received: &Received<'_>) -> Result<Result<Claims, Refusal>, No> {
        let worth = self.sign_in.worth(token, received.call.now).await?;
        Ok(worth.map_err(|why| match why {
            Worthless::Ended => Refusal::SessionEnded,
            Worthless::Bad => Refusal::InvalidToken,
        }))
    }

    /// Who is signed in, if anybody is.
    ///
    /// # Errors
    /// As [`Self::signed_in`], but that nobody is.
    async fn signed_in_or_not(&self, received: &Received<'_>) -> Result<Option<Claims>, No> {
        match self.signed_in(received).await {
            Ok(claims) => Ok(Some(claims)),
            Err(no) if is_of_nobody(&no) => Ok(None),
            Err(no) => Err(no),
        }
    }

    /// "You are signed in as …", for pages. They only greet: when it cannot be found out, they do not.
    pub(super) async fn greeting(&self, received: &Received<'_>) -> Option<String> {
        let claims = self.signed_in(received).await.ok()?;
        Some(Words::of(&received.head.headers).signed_in_as.replace("{who}", claims.user()))
    }
}

/// Does it say that nobody is signed in, whatever was shown?
pub(super) fn is_of_nobody(no: &No) -> bool {
    let words = [Refusal::Unauthenticated, Refusal::InvalidToken, Refusal::SessionEnded];
    words.into_iter().any(|refusal| no.problem == Problem::Refused(refusal))
}

impl From<Repeated> for Problem {
    fn from(Repeated: Repeated) -> Self {
        Self::Refused(Refusal::RepeatedCookie)
    }
}
