//! The section `[listen]`.

use std::net::SocketAddr;

use ipnet::IpNet;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use super::Address;

/// Where we listen, and whom we believe.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ListenSettings {
    /// Proxied traffic and our own endpoints.
    pub public: Vec<Address>,
    /// Health, readiness, metrics.
    pub admin: Address,
    /// The mode of Unix sockets.
    pub unix_mode: Mode,
    /// Peers whose forwarded headers are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Worker threads; one per core when unset.
    pub workers: Option<usize>,
}

impl Default for ListenSettings {
    fn default() -> Self {
        Self {
            public: vec![SocketAddr::from(([127, 0, 0, 1], 8080)).into()],
            admin: SocketAddr::from(([127, 0, 0, 1], 9080)).into(),
            unix_mode: Mode(0o660),
            trusted_proxies: Vec::new(),
            workers: None,
        }
    }
}

/// Who may use a file, as `chmod` is told: `"0660"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mode(pub u32);

impl<'de> Deserialize<'de> for Mode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mode = u32::from_str_radix(&text, 8).ok().filter(|mode| (3..=4).contains(&text.len()) && *mode <= 0o777);
        mode.map(Self).ok_or_else(|| D::Error::custom("should be a file's mode, as \"0660\""))
    }
}
