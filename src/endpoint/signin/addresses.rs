//! `/auth/addresses`: a person adds, changes or takes away an address of theirs.

use http::StatusCode;
use serde::Deserialize;

use super::{Said, ask};
use crate::admission::Refusal;
use crate::cookie::Kind;
use crate::endpoint::call::Received;
use crate::endpoint::problem::Problem;
use crate::endpoint::reply::{self, No, Reply};
use crate::endpoint::{Endpoints, body, refuse};
use crate::secret::Secret;
use crate::signin::{AddressGuess, AddressRefusal, Ask, Changed, FRESH, RefreshRefusal};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangeBody {
    email: Option<String>,
    phone: Option<String>,
    channel: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfirmBody {
    code: Secret<String>,
    challenge_id: Option<Secret<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RemoveBody {
    email: Option<bool>,
    phone: Option<bool>,
}

impl Endpoints {
    /// Send a code to the address that is to be the account's. One answer, whether somebody else has it or not.
    pub(in crate::endpoint) async fn change_address(&self, received: &Received<'_>) -> Result<Reply, No> {
        let body: ChangeBody = body::json(received)?;
        let (handle, channel) = ask::addressed(body.email.as_deref(), body.phone.as_deref(), body.channel.as_deref())?;
        let claims = self.signed_in(received).await?;
        let ask = Ask { handle, channel, seen: received.seen() };
        let asked = self.sign_in.change_address(&claims, ask, received.call.now).await?;
        self.asked(&asked, "If this address can be added, a code is on its way.")
    }

    /// The code came back: the address that it was sent to is the account's.
    pub(in crate::endpoint) async fn confirm_address(&self, received: &Received<'_>) -> Result<Reply, No> {
        let body: ConfirmBody = body::json(received)?;
        let claims = self.signed_in(received).await?;
        let held = self.cookies.read(&received.head.headers)?.challenge;
        let guess = AddressGuess { code: body.code, named: body.challenge_id, held, seen: received.seen() };
        self.sign_in.confirm_address(&claims, &guess, received.call.now).await?;
        let reply = reply::json(StatusCode::OK, &Said { message: "The address is yours to sign in with." });
        self.with_new_tokens(received, reply::with_cookies(reply, self.cleared([Kind::Challenge]))).await
    }

    /// Take an address away.
    pub(in crate::endpoint) async fn remove_address(&self, received: &Received<'_>) -> Result<Reply, No> {
        let body: RemoveBody = body::json(received)?;
        let which = match (body.email, body.phone) {
            (Some(true), None) => Changed::Email,
            (None, Some(true)) => Changed::Phone,
            (Some(_) | None, Some(_) | None) => return Err(Problem::InvalidBody.into()),
        };
        let claims = self.signed_in(received).await?;
        self.sign_in.remove_address(&claims, which, &received.seen(), received.call.now).await?;
        self.with_new_tokens(received, reply::json(StatusCode::OK, &Said { message: "The address is taken away." })).await
    }

    /// Tokens from before are outdated now: a browser is given new ones with the reply. It is done whether or not there are any.
    pub(in crate::endpoint) async fn with_new_tokens(&self, received: &Received<'_>, reply: Reply) -> Result<Reply, No> {
        let Some(token) = self.cookies.read(&received.head.headers)?.refresh else { return Ok(reply) };
        match self.sign_in.refresh(&token, &received.seen(), received.call.now).await {
            Ok(issued) => Ok(reply::with_cookies(reply, self.session_cookies(&issued)?)),
            Err(RefreshRefusal::Ended | RefreshRefusal::Replaced | RefreshRefusal::Outage(_)) => Ok(reply),
        }
    }
}

impl From<AddressRefusal> for No {
    fn from(refusal: AddressRefusal) -> Self {
        match refusal {
            AddressRefusal::NotFresh => refuse::with_bearer(Refusal::TooLongAgo(FRESH.as_secs())),
            AddressRefusal::SecondFactorNeeded => refuse::with_bearer(Refusal::SecondFactorNeeded),
            AddressRefusal::Ended => refuse::with_bearer(Refusal::SessionEnded),
            AddressRefusal::Last => Problem::LastAddress.into(),
            AddressRefusal::Nothing => Problem::NotFound.into(),
            AddressRefusal::Ask(refusal) => refusal.into(),
            AddressRefusal::Guess(refusal) => refusal.into(),
        }
    }
}
