//! `POST /auth/verify-otp`: a person says the code.

use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::{Tokens, ask};
use crate::cookie::Kind;
use crate::endpoint::call::Received;
use crate::endpoint::problem::Problem;
use crate::endpoint::reply::{self, No, Reply};
use crate::endpoint::{Endpoints, body};
use crate::secret::Secret;
use crate::signin::{Entered, Guess, GuessRefusal, Means};
use crate::token::Issued;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GuessBody {
    email: Option<String>,
    phone: Option<String>,
    code: Secret<String>,
    challenge_id: Option<Secret<String>>,
}

/// The right code, and a second factor still to be shown: no token, and no session.
#[derive(Serialize)]
struct HalfWay<'a> {
    second_factor_required: bool,
    challenge_id: &'a str,
    methods: Vec<&'static str>,
}

impl Endpoints {
    /// Try the code. Whatever text it is, it takes the one way that all codes take.
    pub(in crate::endpoint) async fn verify_otp(&self, received: &Received<'_>) -> Result<Reply, No> {
        let body: GuessBody = body::json(received)?;
        let handle = ask::address(body.email.as_deref(), body.phone.as_deref())?;
        let held = self.cookies.read(&received.head.headers)?.challenge;
        let guess = Guess { handle: Some(handle), code: body.code, named: body.challenge_id, held, seen: received.seen() };
        match self.sign_in.verify(guess, received.call.now).await? {
            Entered::SignedIn(issued) => self.signed_in_with(&issued),
            Entered::SecondFactor { challenge_id, methods, expires_in } => {
                let methods = methods.into_iter().map(Means::as_str).collect();
                let body = HalfWay { second_factor_required: true, challenge_id: challenge_id.expose(), methods };
                let cookie = self.cookie(Kind::Challenge, &challenge_id, expires_in)?;
                Ok(reply::with_cookies(reply::json(StatusCode::OK, &body), [cookie]))
            }
        }
    }

    /// The tokens of a session that begins, in the body and as cookies; what it began with is spent.
    pub(super) fn signed_in_with(&self, issued: &Issued) -> Result<Reply, No> {
        let reply = reply::json(StatusCode::OK, &Tokens::from(issued));
        self.with_session(reply, issued)
    }

    /// With the cookies of a session that begins, and without that of its challenge.
    pub(super) fn with_session(&self, reply: Reply, issued: &Issued) -> Result<Reply, No> {
        let reply = reply::with_cookies(reply, self.session_cookies(issued)?);
        Ok(reply::with_cookies(reply, self.cleared([Kind::Challenge])))
    }
}

impl From<GuessRefusal> for No {
    fn from(refusal: GuessRefusal) -> Self {
        match refusal {
            GuessRefusal::Invalid => Problem::InvalidCode.into(),
            GuessRefusal::TooMany(wait) => Self::after(Problem::TooManyAttempts, wait),
            GuessRefusal::Limited { retry_after, .. } => Self::after(Problem::LimitReached, retry_after),
            GuessRefusal::Outage(outage) => outage.into(),
        }
    }
}
