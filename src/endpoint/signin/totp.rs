//! `/auth/totp` and `/auth/recovery-codes`: a person sets up an authenticator, takes it away, has new recovery codes.

use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::Tokens;
use crate::admission::Refusal;
use crate::endpoint::call::Received;
use crate::endpoint::problem::Problem;
use crate::endpoint::reply::{self, No, Reply};
use crate::endpoint::{Endpoints, body, refuse};
use crate::secret::Secret;
use crate::signin::{FRESH, FactorRefusal, Means, Proof};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CodeBody {
    code: Secret<String>,
}

#[derive(Serialize)]
struct EnrolmentBody<'a> {
    secret: &'a str,
    otpauth_url: &'a str,
    qr_svg: &'a str,
}

/// The codes, and the tokens of the session that takes the place of the one in which it was done.
#[derive(Serialize)]
struct ConfirmedBody<'a> {
    recovery_codes: Vec<&'a str>,
    #[serde(flatten)]
    tokens: Tokens<'a>,
}

#[derive(Serialize)]
struct CodesBody<'a> {
    recovery_codes: Vec<&'a str>,
}

impl Endpoints {
    /// What an authenticator app is told. It counts for nothing before a code of it came back.
    pub(in crate::endpoint) async fn enroll_totp(&self, received: &Received<'_>) -> Result<Reply, No> {
        body::nothing(received)?;
        let claims = self.signed_in(received).await?;
        let told = self.sign_in.enrol(&claims, &received.seen(), received.call.now).await?;
        let body = EnrolmentBody { secret: told.secret.expose(), otpauth_url: told.otpauth_url.expose(), qr_svg: told.qr_svg.expose() };
        Ok(reply::json(StatusCode::OK, &body))
    }

    /// A code came back.
    pub(in crate::endpoint) async fn confirm_totp(&self, received: &Received<'_>) -> Result<Reply, No> {
        let CodeBody { code } = body::json(received)?;
        let claims = self.signed_in(received).await?;
        let confirmed = self.sign_in.confirm(&claims, &code, &received.seen(), received.call.now).await?;
        let tokens = Tokens::from(&confirmed.issued);
        let body = ConfirmedBody { recovery_codes: shown(&confirmed.recovery_codes), tokens };
        self.with_session(reply::json(StatusCode::OK, &body), &confirmed.issued)
    }

    /// Take it away; the proof is a code of it, or a recovery code.
    pub(in crate::endpoint) async fn disable_totp(&self, received: &Received<'_>) -> Result<Reply, No> {
        let CodeBody { code } = body::json(received)?;
        let claims = self.signed_in(received).await?;
        let issued = self.sign_in.disable(&claims, &proof(code, received), received.call.now).await?;
        self.signed_in_with(&issued)
    }

    /// New recovery codes in the place of the old; the same proof.
    pub(in crate::endpoint) async fn renew_recovery_codes(&self, received: &Received<'_>) -> Result<Reply, No> {
        let CodeBody { code } = body::json(received)?;
        let claims = self.signed_in(received).await?;
        let codes = self.sign_in.renew_recovery(&claims, &proof(code, received), received.call.now).await?;
        Ok(reply::json(StatusCode::OK, &CodesBody { recovery_codes: shown(&codes) }))
    }
}

/// Either will do.
fn proof(code: Secret<String>, received: &Received<'_>) -> Proof {
    Proof { means: Means::of(&code), code, seen: received.seen() }
}

fn shown(codes: &[Secret<String>]) -> Vec<&str> {
    codes.iter().map(|code| code.expose().as_str()).collect()
}

impl From<FactorRefusal> for No {
    fn from(refusal: FactorRefusal) -> Self {
        match refusal {
            FactorRefusal::NotFresh => refuse::with_bearer(Refusal::TooLongAgo(FRESH.as_secs())),
            FactorRefusal::Ended => refuse::with_bearer(Refusal::SessionEnded),
            FactorRefusal::AlreadyEnrolled => Problem::AlreadyEnrolled.into(),
            FactorRefusal::Guess(refusal) => refusal.into(),
        }
    }
}
