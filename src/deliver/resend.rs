//! Mail through Resend's API: `POST /emails`, <https://resend.com/docs/api-reference/emails/send-email>.

use std::sync::Arc;

use async_trait::async_trait;
use lettre::message::Mailbox;
use reqwest::StatusCode;
use serde_json::json;
use url::Url;

use super::letters::Letters;
use super::settings::EmailProvider;
use super::web::{self, Reach, Web};
use super::{NotSent, Provider, Sending, Wrong, base};
use crate::secret::Secret;

const BASE: &str = "https://api.resend.com";

/// Resend, as the settings describe it.
#[derive(Debug)]
pub(super) struct Resend {
    emails: Url,
    api_key: Secret<String>,
    from: String,
}

impl Resend {
    /// What `settings` describe.
    ///
    /// # Errors
    /// Every mistake: the field, and a sentence without its value.
    pub(super) fn read(settings: &EmailProvider) -> Result<Self, Vec<Wrong>> {
        let emails = base(settings.url.as_ref(), BASE).and_then(|base| base.join("emails").map_err(|_| ("url", "cannot be used")));
        let from = settings.from.as_deref().ok_or(("from", "is missing"));
        let from = from.and_then(|from| match from.parse::<Mailbox>() {
            Ok(_) => Ok(from.to_owned()),
            Err(_) => Err(("from", "should be an address, as \"Wiki <door@example.com>\"")),
        });
        match (emails, read_key(settings.api_key.as_ref()), from) {
            (Ok(emails), Ok(api_key), Ok(from)) => Ok(Self { emails, api_key, from }),
            (emails, api_key, from) => Err([emails.err(), api_key.err(), from.err()].into_iter().flatten().collect()),
        }
    }

    /// What sends through it; `name` is for logs and metrics.
    pub(super) fn sender(self, name: &str, letters: Arc<Letters>) -> Result<ResendSender, NotSent> {
        Ok(ResendSender { resend: self, web: Web::new(Reach::Anywhere)?, name: name.to_owned(), letters })
    }
}

fn read_key(key: Option<&Secret<String>>) -> Result<Secret<String>, Wrong> {
    let key = key.ok_or(("api_key", "is missing"))?;
    let plain = !key.expose().is_empty() && key.expose().bytes().all(|byte| byte.is_ascii_graphic());
    if plain { Ok(key.clone()) } else { Err(("api_key", "should be one word, as \"re_…\"")) }
}

/// Sends mail through Resend.
pub(super) struct ResendSender {
    resend: Resend,
    web: Web,
    name: String,
    letters: Arc<Letters>,
}

#[async_trait]
impl Provider for ResendSender {
    fn name(&self) -> &str {
        &self.name
    }

    async fn send(&self, sending: &Sending<'_>) -> Result<(), NotSent> {
        let letter = self.letters.letter(sending.message);
        let body = json!({
            "from": self.resend.from,
            "to": [sending.message.to.expose()],
            "subject": letter.subject,
            "text": letter.text,
            "html": letter.html,
            // RFC 3834 §5: nobody's holiday shall answer it.
            "headers": { "Auto-Submitted": "auto-generated" },
        });
        let request = self.web.post(&self.resend.emails).bearer_auth(self.resend.api_key.expose());
        let answer = web::ask(request.header("Idempotency-Key", sending.id).json(&body)).await?;
        if answer.status == StatusCode::CONFLICT {
            // The same message is being taken at this moment; a key of another message cannot be ours.
            return Err(NotSent::Later("HTTP 409".to_owned()));
        }
        web::judge(answer.status)
    }
}
