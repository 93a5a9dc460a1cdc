//! The sections `[[delivery.*]]`.

use serde::Deserialize;

use crate::secret::Secret;

/// Providers, by channel; tried in order.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeliverySettings {
    /// For e-mail.
    pub email: Vec<EmailProvider>,
}

/// A provider of e-mail.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum EmailProvider {
    /// A mail server.
    Smtp {
        /// `smtps://user@host:465` (TLS), `smtp://host:587?tls=required` (STARTTLS), `smtp://host:25` (plain).
        url: Secret<String>,
        /// The password of the user in `url`.
        password: Option<Secret<String>>,
        /// A file that holds it.
        password_file: Option<std::path::PathBuf>,
        /// Who the mail is from: `Wiki <door@example.com>`.
        from: String,
    },
    /// The log's neighbour: standard output. For development.
    Console {},
}
