//! Configuration: TOML, the environment and secret files become one [`Config`]. A section's struct lives in the module that
//! it configures; here they are put together.
//!
//! ```text
//! load:  file ─▶ environment ─▶ files (secrets) ─▶ typed ─▶ check        every step notes its mistakes, and none stops
//! ```

mod check;
mod doubt;
pub mod duration;
mod environment;
mod files;
pub mod guest;
mod load;
mod mistake;
mod place;
pub mod size;
mod typed;

pub(crate) use check::loops_of;
pub use mistake::Mistake;

use serde::Deserialize;

use crate::admission::{IdentitySettings, RouteSettings};
use crate::cookie::CookieSettings;
use crate::deliver::{ClaimsHookSettings, DeliverySettings};
use crate::endpoint::{ForwardAuthSettings, PageSettings};
use crate::gateway::{ListenSettings, TlsSettings};
use crate::signin::{LimitSettings, OtpSettings, SessionSettings};
use crate::store::{RedisSettings, StoreSettings};
use crate::telemetry::TelemetrySettings;
use crate::token::TokenSettings;

/// The whole configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where people reach Doorward: issuer of tokens and base of every link. No path.
    pub public_url: url::Url,
    /// The path of our own endpoints.
    #[serde(default = "default_prefix")]
    pub prefix: String,
    /// Listeners.
    #[serde(default)]
    pub listen: ListenSettings,
    /// TLS on the public listeners.
    #[serde(default)]
    pub tls: TlsSettings,
    /// The durable store.
    #[serde(default)]
    pub store: StoreSettings,
    /// Redis; without it the index and the limits are in this process.
    pub redis: Option<RedisSettings>,
    /// Codes.
    #[serde(default)]
    pub otp: OtpSettings,
    /// Tokens.
    #[serde(default)]
    pub tokens: TokenSettings,
    /// Sessions.
    #[serde(default)]
    pub session: SessionSettings,
    /// Cookies.
    #[serde(default)]
    pub cookies: CookieSettings,
    /// Routes.
    #[serde(default, rename = "route")]
    pub routes: Vec<RouteSettings>,
    /// Identity to the app.
    #[serde(default)]
    pub identity: IdentitySettings,
    /// Proxies that stay in front and ask.
    #[serde(default)]
    pub forward_auth: ForwardAuthSettings,
    /// Providers that deliver codes.
    #[serde(default)]
    pub delivery: DeliverySettings,
    /// Who says what else tokens say; nobody when unset.
    pub claims_hook: Option<ClaimsHookSettings>,
    /// Limits.
    #[serde(default)]
    pub limits: LimitSettings,
    /// Pages.
    #[serde(default)]
    pub pages: PageSettings,
    /// Logs and metrics.
    #[serde(default)]
    pub telemetry: TelemetrySettings,
    /// Development.
    #[serde(default)]
    pub development: DevelopmentSettings,
}

fn default_prefix() -> String {
    "/auth".to_owned()
}

/// The section `[development]`.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DevelopmentSettings {
    /// Every code is zeros and stands in the reply; only on loopback.
    pub enabled: bool,
}
