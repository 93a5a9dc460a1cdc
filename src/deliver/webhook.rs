//! Messages to a server of one's own: JSON by POST, signed, so that it can tell them from a stranger's.
//!
//! ```text
//! Doorward-Signature: t=1800000000,v1=<hex of HMAC-SHA-256 over "1800000000." and the body>
//! ```

use std::fmt::Write as _;
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};
use url::Url;

use super::letters::Letters;
use super::reach;
use super::web::{self, Reach, Web};
use super::{NotSent, Provider, Sending, Wrong};
use crate::clock::Timestamp;
use crate::secret::{MacKey, Secret};
use crate::signin::{Channel, Content};

/// The shortest secret, in characters.
const SHORTEST: usize = 32;

/// A webhook, as the settings describe it.
#[derive(Debug)]
pub(super) struct Webhook {
    url: Url,
    key: MacKey,
    reach: Reach,
}

impl Webhook {
    /// The one at `url`.
    ///
    /// # Errors
    /// Every mistake: the field, and a sentence without its value.
    pub(super) fn read(url: Option<&Secret<String>>, secret: Option<&Secret<String>>, allow_private: bool) -> Result<Self, Vec<Wrong>> {
        let reach = if allow_private { Reach::Anywhere } else { Reach::PublicOnly };
        match (read_url(url, allow_private), read_key(secret)) {
            (Ok(url), Ok(key)) => Ok(Self { url, key, reach }),
            (url, key) => Err([url.err(), key.err()].into_iter().flatten().collect()),
        }
    }

    /// What sends through it; `name` is for logs and metrics.
    pub(super) fn sender(self, name: &str, letters: Arc<Letters>) -> Result<WebhookSender, NotSent> {
        Ok(WebhookSender { line: self.open()?, name: name.to_owned(), letters })
    }

    /// What speaks to it.
    pub(super) fn open(self) -> Result<Line, NotSent> {
        Ok(Line { web: Web::new(self.reach)?, webhook: self })
    }
}

/// Speaks to a webhook.
pub(super) struct Line {
    webhook: Webhook,
    web: Web,
}

impl Line {
    /// Post JSON, signed, and read what is answered: empty when it is too long or too slow.
    pub(super) async fn ask(&self, body: String, now: Timestamp) -> Result<Vec<u8>, NotSent> {
        let signature = signature(&self.webhook.key, now.as_secs(), &body);
        let request = self.web.post(&self.webhook.url).header(CONTENT_TYPE, "application/json");
        let answer = web::ask(request.header("Doorward-Signature", signature).body(body)).await?;
        web::judge(answer.status).map(|()| answer.body)
    }
}

fn read_url(url: Option<&Secret<String>>, allow_private: bool) -> Result<Url, Wrong> {
    let url = url.ok_or(("url", "is missing"))?;
    let url = Url::parse(url.expose()).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.fragment().is_none());
    let url = url.ok_or(("url", "should be https://host/path"))?;
    if allow_private {
        return Ok(url);
    }
    match (reach::is_plainly_private(&url), url.scheme()) {
        (true, _) => Err(("url", "is on a private network; set allow_private = true if that is meant")),
        (false, "https") => Ok(url),
        (false, _) => Err(("url", "should be https://: codes are in it; without TLS only with allow_private = true")),
    }
}

fn read_key(secret: Option<&Secret<String>>) -> Result<MacKey, Wrong> {
    let secret = secret.ok_or(("secret", "is missing"))?;
    if secret.expose().trim().chars().count() < SHORTEST {
        return Err(("secret", "should have at least 32 characters"));
    }
    Ok(MacKey::new(secret.expose().as_bytes()))
}

/// Posts messages to a webhook.
pub(super) struct WebhookSender {
    line: Line,
    name: String,
    letters: Arc<Letters>,
}

impl WebhookSender {
    fn body(&self, sending: &Sending<'_>) -> Value {
        let message = sending.message;
        let mut body = json!({
            "id": sending.id,
            "channel": message.channel.as_str(),
            "to": message.to.expose(),
            "language": message.language.tag(),
        });
        let what = match &message.content {
            Content::Code { code, minutes, purpose } => {
                let expires_in = minutes.saturating_mul(60);
                json!({ "kind": "code", "code": code.expose(), "purpose": purpose.as_str(), "expires_in": expires_in })
            }
            Content::Notice(notice) => json!({ "kind": notice.kind() }),
        };
        let words = match message.channel {
            Channel::Email => {
                let letter = self.letters.letter(message);
                json!({ "subject": letter.subject, "text": letter.text, "html": letter.html })
            }
            Channel::Sms | Channel::Whatsapp => json!({ "text": self.letters.short(message) }),
        };
        for more in [what, words] {
            if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
                body.extend(more);
            }
        }
        body
    }
}

#[async_trait]
impl Provider for WebhookSender {
    fn name(&self) -> &str {
        &self.name
    }

    async fn send(&self, sending: &Sending<'_>) -> Result<(), NotSent> {
        self.line.ask(self.body(sending).to_string(), sending.now).await.map(drop)
    }
}

/// What proves that the body is ours, and of this second.
fn signature(key: &MacKey, seconds: i64, body: &str) -> String {
    let mut header = format!("t={seconds},v1=");
    for byte in key.sign(&[format!("{seconds}.").as_bytes(), body.as_bytes()]) {
        // Writing to a string does not fail.
        let written = write!(header, "{byte:02x}");
        debug_assert!(written.is_ok());
    }
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_what_others_compute() {
        // printf '1800000000.{}' | openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef
        let key = MacKey::new(b"0123456789abcdef0123456789abcdef");
        let header = signature(&key, 1_800_000_000, "{}");
        assert_eq!(header, "t=1800000000,v1=a8471f58daa469f8073cbebd823830f85e8942f4bbc0acd2ef47c28edc8c488e");
    }
}
