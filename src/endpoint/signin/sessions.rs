//! `/auth/session`, `/auth/sessions` and the keys that verify tokens: what a person may know of their own sign-in.

use std::net::IpAddr;

use http::header::CACHE_CONTROL;
use http::{HeaderValue, StatusCode};
use serde::Serialize;

use crate::clock::Timestamp;
use crate::cookie::Kind;
use crate::endpoint::Endpoints;
use crate::endpoint::call::Received;
use crate::endpoint::problem::Problem;
use crate::endpoint::reply::{self, No, Reply};
use crate::id::SessionId;
use crate::signin::Session;
use crate::token::{Amr, Claims};

/// The claims as the token has them, and two of them in words that need no RFC.
#[derive(Serialize)]
struct SessionBody<'a> {
    factors: &'a [Amr],
    expires_at: String,
    #[serde(flatten)]
    claims: &'a Claims,
}

#[derive(Serialize)]
struct Device<'a> {
    id: &'a SessionId,
    created_at: String,
    last_seen_at: String,
    address: Option<IpAddr>,
    agent: &'a str,
    current: bool,
}

#[derive(Serialize)]
struct Devices<'a> {
    sessions: Vec<Device<'a>>,
}

impl Endpoints {
    /// The claims, factors and expiry of this session.
    pub(in crate::endpoint) async fn session(&self, received: &Received<'_>) -> Result<Reply, No> {
        let claims = self.signed_in(received).await?;
        let expires_at = Timestamp::from_secs(claims.exp).to_string();
        Ok(reply::json(StatusCode::OK, &SessionBody { factors: &claims.amr, expires_at, claims: &claims }))
    }

    /// One's own devices, newest first.
    pub(in crate::endpoint) async fn sessions(&self, received: &Received<'_>) -> Result<Reply, No> {
        let claims = self.signed_in(received).await?;
        let sessions = self.sign_in.sessions(&claims, received.call.now).await?;
        let devices = sessions.iter().map(|session| device(session, &claims)).collect();
        Ok(reply::json(StatusCode::OK, &Devices { sessions: devices }))
    }

    /// End one of one's own sessions; one's own cookies go with one's own session.
    ///
    /// # Errors
    /// 404 when there is none with this id: another person's looks the same.
    pub(in crate::endpoint) async fn end_session(&self, received: &Received<'_>, id: &str) -> Result<Reply, No> {
        let claims = self.signed_in(received).await?;
        let id = SessionId::new(id);
        if !self.sign_in.end_session(&claims, &id, &received.seen(), received.call.now).await? {
            return Err(Problem::NotFound.into());
        }
        let reply = reply::empty(StatusCode::NO_CONTENT);
        if id == claims.sid {
            return Ok(reply::with_cookies(reply, self.cleared([Kind::Access, Kind::Refresh])));
        }
        Ok(reply)
    }

    /// The public keys (RFC 7517 §5). Short-lived in caches, so that a rotation arrives.
    pub(in crate::endpoint) fn jwks(&self, received: &Received<'_>) -> Reply {
        let mut reply = reply::body(StatusCode::OK, "application/json", self.sign_in.jwks(received.call.now));
        reply.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=60"));
        reply
    }
}

fn device<'a>(session: &'a Session, claims: &Claims) -> Device<'a> {
    Device {
        id: &session.id,
        created_at: session.created_at.to_string(),
        last_seen_at: session.last_seen_at.to_string(),
        address: session.address,
        agent: &session.agent,
        current: session.id == claims.sid,
    }
}
