//! `/auth/api/otp`: an app looks after the authenticators of its subjects.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::ForApps;
use crate::app::{AuthenticatorStatus, Errand, LONGEST_LABEL, SubjectName};
use crate::audit::What;
use crate::clock::Timestamp;
use crate::endpoint::body;
use crate::endpoint::call::Received;
use crate::endpoint::problem::Problem;
use crate::endpoint::reply::{self, No, Reply};
use crate::secret::Secret;
use crate::signin::{Enrolment, picture};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RegisterBody {
    subject: String,
    label: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CodeBody {
    code: Secret<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RecoverBody {
    challenge_id: Option<Secret<String>>,
    code: Secret<String>,
}

#[derive(Serialize)]
struct EnrolmentBody<'a> {
    otpauth_url: &'a str,
    secret: &'a str,
    qr_png: &'a str,
}

#[derive(Serialize)]
struct StatusBody {
    enabled: bool,
    method: Option<&'static str>,
    created_at: Option<String>,
    last_used_at: Option<String>,
}

impl ForApps {
    /// Register an authenticator. It counts for nothing before a code of it came back.
    pub(in crate::endpoint) async fn register(&self, received: &Received<'_>) -> Result<Reply, No> {
        let app = self.caller(received).await?;
        let body: RegisterBody = body::json(received)?;
        let subject = SubjectName::parse(&body.subject).map_err(Problem::from)?;
        if !body.label.iter().all(|label| is_label(label)) {
            return Err(Problem::InvalidBody.into());
        }
        let errand = Errand { app, subject };
        let done = self.codes.register(&errand, body.label.as_deref(), received.call.now).await;
        let told = self.remember(self.asked(What::AppFactorEnrolled, &errand), received, done).await?;
        enrolment(StatusCode::CREATED, &told)
    }

    /// A code of it came back.
    pub(in crate::endpoint) async fn enable(&self, received: &Received<'_>, subject: Option<&str>) -> Result<Reply, No> {
        let errand = self.errand(received, subject).await?;
        let CodeBody { code } = body::json(received)?;
        let done = self.codes.enable(&errand, &code, received.call.now).await;
        Ok(status(self.remember(self.asked(What::AppFactorEnabled, &errand), received, done).await?))
    }

    /// Take it away; the proof is a code of it.
    pub(in crate::endpoint) async fn disable(&self, received: &Received<'_>, subject: Option<&str>) -> Result<Reply, No> {
        let errand = self.errand(received, subject).await?;
        let CodeBody { code } = body::json(received)?;
        let done = self.codes.disable(&errand, &code, received.call.now).await;
        Ok(status(self.remember(self.asked(What::AppFactorDisabled, &errand), received, done).await?))
    }

    /// A new one in its place; the proof is a code that was sent to the subject.
    pub(in crate::endpoint) async fn recover(&self, received: &Received<'_>, subject: Option<&str>) -> Result<Reply, No> {
        let errand = self.errand(received, subject).await?;
        let body: RecoverBody = body::json(received)?;
        let done = self.codes.recover(&errand, body.challenge_id.as_ref(), &body.code, received.call.now).await;
        let told = self.remember(self.asked(What::AppFactorRecovered, &errand), received, done).await?;
        enrolment(StatusCode::OK, &told)
    }

    /// How it stands.
    pub(in crate::endpoint) async fn status(&self, received: &Received<'_>, subject: Option<&str>) -> Result<Reply, No> {
        let errand = self.errand(received, subject).await?;
        Ok(status(self.codes.status(&errand).await?))
    }
}

fn enrolment(code: StatusCode, told: &Enrolment) -> Result<Reply, No> {
    let picture = Secret::new(STANDARD.encode(picture::png(told.otpauth_url.expose())?));
    let body = EnrolmentBody { otpauth_url: told.otpauth_url.expose(), secret: told.secret.expose(), qr_png: picture.expose() };
    Ok(reply::json(code, &body))
}

fn status(it: AuthenticatorStatus) -> Reply {
    let text = |at: Option<Timestamp>| at.map(|at| at.to_string());
    let body = StatusBody {
        enabled: it.enabled,
        method: it.created_at.map(|_| "totp"),
        created_at: text(it.created_at),
        last_used_at: text(it.last_used_at),
    };
    reply::json(StatusCode::OK, &body)
}

/// What an authenticator app shows: 1 to 64 characters, none of them a control character.
fn is_label(text: &str) -> bool {
    (1..=LONGEST_LABEL).contains(&text.chars().count()) && !text.chars().any(char::is_control)
}
