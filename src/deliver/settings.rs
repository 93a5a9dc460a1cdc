//! The sections `[[delivery.*]]`.

use std::path::PathBuf;

use serde::Deserialize;

use crate::secret::Secret;

/// Providers, by channel; tried in order.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeliverySettings {
    /// For e-mail.
    pub email: Vec<EmailProvider>,
}

/// A provider of e-mail. Flat, so that a mistake in it can be named by its key; what a kind needs is checked beside it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmailProvider {
    /// Which kind.
    pub kind: EmailKind,
    /// `smtp`: `smtps://user@host:465` (TLS), `smtp://host:587` (STARTTLS required), `smtp://host:25?tls=opportunistic`,
    /// `smtp://127.0.0.1:25` (plain, the default on this machine alone) or `?tls=none`.
    #[serde(default)]
    pub url: Option<Secret<String>>,
    /// `smtp`: the password of the user in `url`.
    #[serde(default)]
    pub password: Option<Secret<String>>,
    /// A file that holds it.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// `smtp`: who the mail is from: `Wiki <door@example.com>`.
    #[serde(default)]
    pub from: Option<String>,
}

/// A kind of provider of e-mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EmailKind {
    /// A mail server.
    Smtp,
    /// Standard output. For development.
    Console,
}

impl EmailProvider {
    /// Standard output.
    pub const fn console() -> Self {
        Self { kind: EmailKind::Console, url: None, password: None, password_file: None, from: None }
    }
}
