//! The section `[forward_auth]`.

use ipnet::IpNet;
use serde::Deserialize;

/// Who may ask whether a request may pass.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ForwardAuthSettings {
    /// The proxies, by their networks; nobody when empty.
    pub trusted_proxies: Vec<IpNet>,
}
