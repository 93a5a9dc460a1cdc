//! The sections `[[route]]` and `[identity]`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;

use crate::admission::upstream::{AddressSettings, Balance, HealthSettings, UpstreamTlsSettings};
use crate::config::{duration, size};

/// What a rule asks for first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Require {
    /// Nothing: everybody passes, and no identity is told, whoever is signed in.
    Public,
    /// Somebody who is signed in.
    #[default]
    Session,
    /// With a second factor.
    SecondFactor,
}

/// What `cross_site` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CrossSite {
    /// Unsafe requests of other sites, authenticated by cookie, are refused.
    #[default]
    Refuse,
    /// They pass.
    Allow,
}

/// What `preflight` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preflight {
    /// CORS preflights pass to the upstream, without identity.
    #[default]
    Pass,
    /// They are refused.
    Refuse,
}

/// What `challenge` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Challenge {
    /// `WWW-Authenticate: Bearer`.
    #[default]
    Bearer,
    /// `Basic`, for git, pip, docker and DAV clients.
    Basic,
}

/// A rule: what is required, and how it is narrowed. All that is set must hold.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RuleSettings {
    /// Path prefix, by whole segments, that this rule is for: the whole path as the client sends it, so it begins with the
    /// route's. All of the route when unset.
    pub path: Option<String>,
    /// What is required.
    pub require: Require,
    /// User names, addresses or account ids that may pass.
    pub accounts: Vec<String>,
    /// Domains of verified e-mail addresses that may pass.
    pub email_domains: Vec<String>,
    /// Groups of which one is needed.
    pub groups: Vec<String>,
    /// Claims that must have one of these values.
    pub claims: BTreeMap<String, Vec<String>>,
    /// Networks that the client must be in.
    pub networks: Vec<IpNet>,
    /// Methods that this rule is for; all when empty.
    pub methods: Vec<String>,
    /// Greatest age of `auth_time`.
    #[serde(with = "duration::option")]
    pub max_age: Option<Duration>,
    /// The address must be verified.
    pub verified: bool,
}

/// A route.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is a key of its own in the file")]
pub struct RouteSettings {
    /// Its name: in logs, metrics and as `aud` of assertions. Unique.
    pub name: String,
    /// `wiki.example.com`, `*.example.com` for one label; every host when unset.
    pub host: Option<String>,
    /// Path prefix by whole segments.
    #[serde(default = "root")]
    pub path: String,
    /// Addresses.
    pub upstream: Vec<AddressSettings>,
    /// The rule of a route that has only one.
    #[serde(default)]
    pub require: Option<Require>,
    /// See [`RuleSettings::accounts`].
    #[serde(default)]
    pub accounts: Vec<String>,
    /// See [`RuleSettings::email_domains`].
    #[serde(default)]
    pub email_domains: Vec<String>,
    /// See [`RuleSettings::groups`].
    #[serde(default)]
    pub groups: Vec<String>,
    /// See [`RuleSettings::claims`].
    #[serde(default)]
    pub claims: BTreeMap<String, Vec<String>>,
    /// See [`RuleSettings::networks`].
    #[serde(default)]
    pub networks: Vec<IpNet>,
    /// See [`RuleSettings::methods`].
    #[serde(default)]
    pub methods: Vec<String>,
    /// See [`RuleSettings::max_age`].
    #[serde(default, with = "duration::option")]
    pub max_age: Option<Duration>,
    /// See [`RuleSettings::verified`].
    #[serde(default)]
    pub verified: bool,
    /// Several rules: of those for the request's method and path, the ones with the longest path are asked in order. The
    /// first that admits decides; none admits: refused.
    #[serde(default, rename = "rule")]
    pub rules: Vec<RuleSettings>,
    /// Take the route's path off before forwarding; `X-Forwarded-Prefix` tells it.
    #[serde(default)]
    pub strip_prefix: bool,
    /// Send the client's Host on.
    #[serde(default = "yes")]
    pub preserve_host: bool,
    /// Send our access token on, as `Authorization: Bearer`.
    #[serde(default)]
    pub forward_token: bool,
    /// PEM: the authorities of which one must have signed the client's certificate, besides what the rules require.
    #[serde(default)]
    pub client_ca: Option<PathBuf>,
    /// Unsafe requests of other sites.
    #[serde(default)]
    pub cross_site: CrossSite,
    /// CORS preflights.
    #[serde(default)]
    pub preflight: Preflight,
    /// How to ask for credentials.
    #[serde(default)]
    pub challenge: Challenge,
    /// How addresses share the requests.
    #[serde(default)]
    pub balance: Balance,
    /// Most requests at the upstream at once; what comes beyond waits for a second.
    #[serde(default)]
    pub max_connections: Option<u32>,
    /// How often an idempotent request is sent again when its upstream breaks off before it answers.
    #[serde(default = "once")]
    pub retries: u32,
    /// How long an address that comes back takes to have its whole share.
    #[serde(default, with = "duration::option")]
    pub slow_start: Option<Duration>,
    /// Offer HTTP/2 to `https` addresses; gRPC always gets it.
    #[serde(default)]
    pub http2: bool,
    /// How addresses are asked whether they are well; they are not when unset.
    #[serde(default)]
    pub health: Option<HealthSettings>,
    /// TLS to the upstream.
    #[serde(default)]
    pub upstream_tls: UpstreamTlsSettings,
    /// Time to connect to the upstream.
    #[serde(default = "ten_seconds", with = "duration")]
    pub connect_timeout: Duration,
    /// Longest silence of the upstream.
    #[serde(default = "one_minute", with = "duration")]
    pub read_timeout: Duration,
    /// Longest time that the upstream takes nothing.
    #[serde(default = "one_minute", with = "duration")]
    pub write_timeout: Duration,
    /// The largest body of a request, in bytes; any when unset.
    #[serde(default, with = "size::option")]
    pub max_body: Option<u64>,
    /// Longest silence of the client within a body.
    #[serde(default = "one_minute", with = "duration")]
    pub body_timeout: Duration,
}

fn root() -> String {
    "/".to_owned()
}

const fn yes() -> bool {
    true
}

const fn once() -> u32 {
    1
}

const fn ten_seconds() -> Duration {
    Duration::from_secs(10)
}

const fn one_minute() -> Duration {
    Duration::from_mins(1)
}

/// A set of header names that apps know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// `Remote-User`, `Remote-Email`, `Remote-Name`, `Remote-Groups`.
    #[default]
    Remote,
    /// `X-Forwarded-User`, `-Email`, `-Preferred-Username`, `-Groups`.
    XForwarded,
    /// `X-Auth-Request-User`, `-Email`, `-Preferred-Username`, `-Groups` (oauth2-proxy).
    XAuthRequest,
    /// `X-authentik-username`, `-email`, `-name`, `-uid`, `-groups`.
    Authentik,
    /// `Cf-Access-Authenticated-User-Email`, `Cf-Access-Jwt-Assertion`.
    Cloudflare,
}

/// The section `[identity]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IdentitySettings {
    /// Which names.
    pub headers: Preset,
    /// Own names: header = claim (`user`, `email`, `name`, `groups`, `sub`, `acr`, or a custom claim).
    pub custom: BTreeMap<String, String>,
}
