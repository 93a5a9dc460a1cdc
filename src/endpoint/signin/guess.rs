//! `POST /auth/verify-otp`: a person says the code.

use http::StatusCode;
use serde::Deserialize;

use super::{Tokens, ask};
use crate::cookie::Kind;
use crate::endpoint::call::Received;
use crate::endpoint::problem::Problem;
use crate::endpoint::reply::{self, No, Reply};
use crate::endpoint::{Endpoints, body};
use crate::secret::Secret;
use crate::signin::{Guess, GuessRefusal};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GuessBody {
    email: Option<String>,
    phone: Option<String>,
    code: Secret<String>,
    challenge_id: Option<Secret<String>>,
}

impl Endpoints {
    /// Try the code. Whatever text it is, it takes the one way that all codes take.
    pub(in crate::endpoint) async fn verify_otp(&self, received: &Received<'_>) -> Result<Reply, No> {
        let body: GuessBody = body::json(received)?;
        let handle = ask::address(body.email.as_deref(), body.phone.as_deref())?;
        let held = self.cookies.read(&received.head.headers)?.challenge;
        let guess = Guess { handle: Some(handle), code: body.code, named: body.challenge_id, held, seen: received.seen() };
        let issued = self.sign_in.verify(guess, received.call.now).await?;
        let reply = reply::json(StatusCode::OK, &Tokens::from(&issued));
        let reply = reply::with_cookies(reply, self.session_cookies(&issued)?);
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
