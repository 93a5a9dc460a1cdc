//! `[claims_hook]`: a server of one's own is asked what else there is to say of a person, by the same means as a webhook is told of
//! messages: JSON by POST, signed, without redirects, to public addresses unless private ones are allowed.

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::json;

use super::webhook::{Line, Webhook};
use super::{NotSent, Wrong};
use crate::clock::Timestamp;
use crate::config::duration;
use crate::id::SessionId;
use crate::outage::{Dependency, Outage};
use crate::secret::Secret;
use crate::signin::{Account, ClaimsSource, Extra, OnOutage};

/// The section `[claims_hook]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClaimsHookSettings {
    /// Where it is asked.
    pub url: Secret<String>,
    /// A file that holds it.
    #[serde(default)]
    pub url_file: Option<PathBuf>,
    /// What questions are signed with.
    pub secret: Secret<String>,
    /// A file that holds it.
    #[serde(default)]
    pub secret_file: Option<PathBuf>,
    /// How long an answer may take, in all; a person waits for it.
    #[serde(default = "two_seconds", with = "duration")]
    pub timeout: Duration,
    /// What happens when there is none.
    #[serde(default)]
    pub on_outage: OnOutage,
    /// May it be on a private network, and be spoken to without TLS?
    #[serde(default)]
    pub allow_private: bool,
}

const fn two_seconds() -> Duration {
    Duration::from_secs(2)
}

impl ClaimsHookSettings {
    /// What is wrong with it: the field, and a sentence without its value.
    pub fn mistakes(&self) -> Vec<(&'static str, &'static str)> {
        let mut wrong = self.webhook().err().unwrap_or_default();
        if self.timeout.is_zero() || self.timeout > Duration::from_secs(10) {
            wrong.push(("timeout", "should be between 1ms and 10s: people wait for it"));
        }
        wrong
    }

    fn webhook(&self) -> Result<Webhook, Vec<Wrong>> {
        Webhook::read(Some(&self.url), Some(&self.secret), self.allow_private)
    }
}

/// The server that is asked.
pub struct HookedClaims {
    line: Line,
    timeout: Duration,
}

impl HookedClaims {
    /// The one that the section names.
    ///
    /// # Errors
    /// When its settings are none, or no client can be made.
    pub fn new(settings: &ClaimsHookSettings) -> Result<Self, NotSent> {
        let wrong = |wrong: Vec<Wrong>| {
            NotSent::Refused(wrong.iter().map(|(field, problem)| format!("{field} {problem}")).collect::<Vec<_>>().join("; "))
        };
        Ok(Self { line: settings.webhook().map_err(wrong)?.open()?, timeout: settings.timeout })
    }
}

#[async_trait]
impl ClaimsSource for HookedClaims {
    async fn claims(&self, account: &Account, session: &SessionId, now: Timestamp) -> Result<Extra, Outage> {
        let out = |cause: String| Outage::new(Dependency::ClaimsHook, cause);
        let question = json!({
            "account": account.id,
            "username": account.username,
            "email": account.email,
            "email_verified": account.email_verified,
            "phone_number": account.phone,
            "phone_number_verified": account.phone_verified,
            "groups": account.groups,
            "session": session,
        });
        let asked = self.line.ask(question.to_string(), now);
        let answer = tokio::time::timeout(self.timeout, asked).await.map_err(|_| out(format!("no answer within {:?}", self.timeout)))?;
        let body = answer.map_err(|error| out(error.to_string()))?;
        // Its words may be of a person: only where they are wrong is told.
        serde_json::from_slice::<Answer>(&body).map(Extra::from).map_err(|error| {
            out(format!(
                "its answer is not {{\"claims\": {{…}}, \"groups\": […]}} of at most 64 KiB (line {}, column {})",
                error.line(),
                error.column()
            ))
        })
    }
}

/// What it says. Members that nobody knows are no mistake: a hook may be ahead of us.
#[derive(Deserialize)]
struct Answer {
    claims: serde_json::Map<String, serde_json::Value>,
    #[serde(default)]
    groups: Option<Vec<String>>,
}

impl From<Answer> for Extra {
    fn from(answer: Answer) -> Self {
        Self { claims: answer.claims, groups: answer.groups }
    }
}
