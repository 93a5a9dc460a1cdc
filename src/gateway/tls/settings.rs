//! The section `[tls]`.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::config::duration;

/// TLS on the public listeners; none without a certificate.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsSettings {
    /// The oldest version that is spoken.
    pub min_version: Version,
    /// How long browsers are to come over TLS alone: `Strict-Transport-Security` on every response. Unset: the app's own travels.
    #[serde(with = "duration::option")]
    pub hsts: Option<Duration>,
    /// Certificates, chosen by the name that the client asks for. The first serves whom none fits.
    pub certificate: Vec<CertificateSettings>,
}

/// A certificate.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateSettings {
    /// PEM: the certificate, then those that lead to its authority.
    pub certificate_file: PathBuf,
    /// PEM: its private key.
    pub key_file: PathBuf,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum Version {
    /// RFC 5246.
    #[default]
    #[serde(rename = "1.2")]
    Tls12,
    /// RFC 8446.
    #[serde(rename = "1.3")]
    Tls13,
}
