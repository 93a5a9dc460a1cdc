//! The sections `[[delivery.*]]`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use crate::secret::Secret;

/// Providers, by channel; tried in order.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeliverySettings {
    /// A folder with templates of one's own: `code.txt`, `code.de.html`, …
    pub templates: Option<PathBuf>,
    /// For e-mail.
    pub email: Vec<EmailProvider>,
    /// For SMS.
    pub sms: Vec<PhoneProvider>,
    /// For WhatsApp.
    pub whatsapp: Vec<PhoneProvider>,
}

/// A provider of e-mail. Flat, so that a mistake in it can be named by its key; what a kind needs is checked beside it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmailProvider {
    /// Which kind.
    pub kind: EmailKind,
    /// What it is called in logs and metrics; its kind when unset.
    #[serde(default)]
    pub name: Option<String>,
    /// `smtp`: `smtps://user@host:465` (TLS), `smtp://host:587` (STARTTLS required), `smtp://host:25?tls=opportunistic`,
    /// `smtp://127.0.0.1:25` (plain, the default on this machine alone) or `?tls=none`. `resend`: another base than the
    /// provider's own. `webhook`: where messages are posted to.
    #[serde(default)]
    pub url: Option<Secret<String>>,
    /// `smtp`: the password of the user in `url`.
    #[serde(default)]
    pub password: Option<Secret<String>>,
    /// A file that holds it.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// `smtp`, `resend`: who the mail is from: `Wiki <door@example.com>`.
    #[serde(default)]
    pub from: Option<String>,
    /// `resend`: the key.
    #[serde(default)]
    pub api_key: Option<Secret<String>>,
    /// A file that holds it.
    #[serde(default)]
    pub api_key_file: Option<PathBuf>,
    /// `webhook`: what messages are signed with.
    #[serde(default)]
    pub secret: Option<Secret<String>>,
    /// A file that holds it.
    #[serde(default)]
    pub secret_file: Option<PathBuf>,
    /// `webhook`: may it be on a private network, and be spoken to without TLS?
    #[serde(default)]
    pub allow_private: bool,
}

/// A kind of provider of e-mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EmailKind {
    /// A mail server.
    Smtp,
    /// Resend's API.
    Resend,
    /// A server of one's own.
    Webhook,
    /// Standard output. For development.
    Console,
}

/// A provider of SMS or WhatsApp; flat, as [`EmailProvider`] is.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhoneProvider {
    /// Which kind.
    pub kind: PhoneKind,
    /// What it is called in logs and metrics; its kind when unset.
    #[serde(default)]
    pub name: Option<String>,
    /// `twilio`: another base than the provider's own. `webhook`: where messages are posted to.
    #[serde(default)]
    pub url: Option<Secret<String>>,
    /// `twilio`: the account, `AC…`.
    #[serde(default)]
    pub account_sid: Option<String>,
    /// `twilio`: the account's token; or the next two.
    #[serde(default)]
    pub auth_token: Option<Secret<String>>,
    /// A file that holds it.
    #[serde(default)]
    pub auth_token_file: Option<PathBuf>,
    /// `twilio`: an API key, `SK…`, instead of the account's token.
    #[serde(default)]
    pub api_key_sid: Option<String>,
    /// `twilio`: its secret.
    #[serde(default)]
    pub api_key_secret: Option<Secret<String>>,
    /// A file that holds it.
    #[serde(default)]
    pub api_key_secret_file: Option<PathBuf>,
    /// `twilio`: the number that messages come from, `+4915112345678`; for SMS a name of up to 11 letters too.
    #[serde(default)]
    pub from: Option<String>,
    /// `twilio`: instead of it, a messaging service, `MG…`.
    #[serde(default)]
    pub messaging_service_sid: Option<String>,
    /// `twilio`, WhatsApp: the approved template, `HX…`, whose variable 1 is the code.
    #[serde(default)]
    pub content_sid: Option<String>,
    /// `twilio`, WhatsApp: the same template in other languages, by their tags: `de`, `fr`, …
    #[serde(default)]
    pub content_sids: BTreeMap<String, String>,
    /// `webhook`: what messages are signed with.
    #[serde(default)]
    pub secret: Option<Secret<String>>,
    /// A file that holds it.
    #[serde(default)]
    pub secret_file: Option<PathBuf>,
    /// `webhook`: may it be on a private network, and be spoken to without TLS?
    #[serde(default)]
    pub allow_private: bool,
}

/// A kind of provider of SMS and WhatsApp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PhoneKind {
    /// Twilio's API.
    Twilio,
    /// A server of one's own.
    Webhook,
    /// Standard output, for SMS alone. For development.
    Console,
}

impl EmailKind {
    /// Its word.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::Resend => "resend",
            Self::Webhook => "webhook",
            Self::Console => "console",
        }
    }
}

impl PhoneKind {
    /// Its word.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Twilio => "twilio",
            Self::Webhook => "webhook",
            Self::Console => "console",
        }
    }
}

impl EmailProvider {
    /// What it is called.
    pub(super) fn label(&self) -> &str {
        self.name.as_deref().unwrap_or(self.kind.as_str())
    }
}

impl PhoneProvider {
    /// What it is called.
    pub(super) fn label(&self) -> &str {
        self.name.as_deref().unwrap_or(self.kind.as_str())
    }
}
