//! `POST /auth/api/code` and `/auth/api/code/verify`: an app has a code sent, and has what came back compared.

use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::{Asked, ForApps};
use crate::app::{Errand, Of, Order, SubjectName};
use crate::audit::What;
use crate::clock::ceil_secs;
use crate::endpoint::body;
use crate::endpoint::call::Received;
use crate::endpoint::problem::Problem;
use crate::endpoint::reply::{self, No, Reply};
use crate::secret::Secret;
use crate::signin::{Channel, Handle};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CodeBody {
    subject: String,
    channel: String,
    to: Option<String>,
}

#[derive(Serialize)]
struct SentBody<'a> {
    challenge_id: &'a str,
    expires_in: u64,
    masked_to: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GuessBody {
    challenge_id: Option<Secret<String>>,
    subject: Option<String>,
    code: Secret<String>,
}

#[derive(Serialize)]
struct VerifiedBody {
    verified: bool,
}

impl ForApps {
    /// Send a code. It is in no reply (development mode aside).
    pub(in crate::endpoint) async fn send(&self, received: &Received<'_>) -> Result<Reply, No> {
        let app = self.caller(received).await?;
        let body: CodeBody = body::json(received)?;
        let subject = SubjectName::parse(&body.subject).map_err(Problem::from)?;
        let channel = Channel::parse(&body.channel).ok_or(Problem::InvalidBody)?;
        let to = body.to.as_deref().map(|to| address(to, channel)).transpose()?;
        let order = Order { errand: Errand { app, subject }, channel, to, language: received.seen().language };
        let asked = self.asked(What::AppCodeRequested, &order.errand);
        let done = self.codes.send(order, received.call.now).await;
        let sent = self.remember(asked, received, done).await?;
        let body = SentBody {
            challenge_id: sent.challenge_id.expose(),
            expires_in: ceil_secs(sent.expires_in),
            masked_to: &sent.masked_to,
            message: sent.development_code.as_ref().map(|code| format!("Development: the code is {code}.")),
        };
        Ok(reply::json(StatusCode::CREATED, &body))
    }

    /// Try a code: that of a challenge, or any of a subject.
    pub(in crate::endpoint) async fn verify(&self, received: &Received<'_>) -> Result<Reply, No> {
        let app = self.caller(received).await?;
        let body: GuessBody = body::json(received)?;
        let subject = body.subject.as_deref().map(SubjectName::parse).transpose().map_err(Problem::from)?;
        let of = match (body.challenge_id, subject) {
            (Some(id), subject) => Of::Challenge(id, subject),
            (None, Some(subject)) => Of::Subject(subject),
            (None, None) => return Err(Problem::InvalidBody.into()),
        };
        let subject = match &of {
            Of::Challenge(_, subject) => subject.as_ref(),
            Of::Subject(subject) => Some(subject),
        };
        let subject = subject.map(|subject| self.codes.keyed.subject(&app.id, subject));
        let asked = Asked { what: What::AppCodeEntered, app: app.id.clone(), subject };
        let done = self.codes.verify(&app, of, &body.code, received.call.now).await;
        self.remember(asked, received, done).await?;
        Ok(reply::json(StatusCode::OK, &VerifiedBody { verified: true }))
    }
}

/// An address that the channel reaches, canonical.
fn address(text: &str, channel: Channel) -> Result<Handle, Problem> {
    match channel {
        Channel::Email => Ok(Handle::email(text)?),
        Channel::Sms | Channel::Whatsapp => Ok(Handle::phone(text)?),
    }
}
