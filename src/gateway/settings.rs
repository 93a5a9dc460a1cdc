//! The section `[listen]`.

use std::net::SocketAddr;

use ipnet::IpNet;
use serde::Deserialize;

/// Where we listen, and whom we believe.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ListenSettings {
    /// Proxied traffic and our own endpoints.
    pub public: Vec<SocketAddr>,
    /// Health, readiness, metrics.
    pub admin: SocketAddr,
    /// Peers whose forwarded headers are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Worker threads; one per core when unset.
    pub workers: Option<usize>,
}

impl Default for ListenSettings {
    fn default() -> Self {
        Self {
            public: vec![SocketAddr::from(([127, 0, 0, 1], 8080))],
            admin: SocketAddr::from(([127, 0, 0, 1], 9080)),
            trusted_proxies: Vec::new(),
            workers: None,
        }
    }
}
