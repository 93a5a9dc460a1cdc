//! Where a route's requests go, as the file says it: addresses, how they are shared, when they count as ill. Checked at the
//! start, so that nothing is parsed when a request comes.
//!
//! What TLS needs from files is read at the edge, which speaks it.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use url::{Host, Url};

use crate::admission::settings::RouteSettings;
use crate::config::duration;

/// The heaviest address: the order in which addresses are taken is as long as their weights together.
const HEAVIEST: u32 = 100;
/// The longest path of a socket, in bytes (`sun_path` less its end).
pub const LONGEST_SOCKET: usize = 107;

/// An address in the file: a text, or a table with a weight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressSettings {
    /// `http://host:port`, `https://host:port`, `h2c://host:port` or `unix:/path`.
    pub url: String,
    /// Its share of the requests, beside the others'.
    pub weight: u32,
}

impl<'de> Deserialize<'de> for AddressSettings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Weighed {
            url: String,
            #[serde(default = "one")]
            weight: u32,
        }
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = AddressSettings;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter
                    .write_str("an address, as \"http://127.0.0.1:3000\", or a table, as { url = \"http://127.0.0.1:3000\", weight = 3 }")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<AddressSettings, E> {
                Ok(AddressSettings { url: text.to_owned(), weight: one() })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<AddressSettings, A::Error> {
                let Weighed { url, weight } = Weighed::deserialize(MapAccessDeserializer::new(map))?;
                Ok(AddressSettings { url, weight })
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// What `balance` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Balance {
    /// One after the other, by weight.
    #[default]
    RoundRobin,
    /// All requests of a session at one address; of who is not signed in, by the client's address.
    Consistent,
}

/// How an address is asked whether it is well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckKind {
    /// By a GET, whose status decides.
    #[default]
    Http,
    /// By a connection, over TLS where the address speaks it.
    Tcp,
}

/// The section `[route.health]`: each address is asked again and again, on our own account.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HealthSettings {
    /// How.
    pub kind: CheckKind,
    /// What is asked for.
    pub path: String,
    /// Between two questions.
    #[serde(with = "duration")]
    pub interval: Duration,
    /// How long an answer may take, at most the interval; 2 s, or the interval where that is shorter, when unset.
    #[serde(with = "duration::option")]
    pub timeout: Option<Duration>,
    /// So many good answers in a row bring an address back.
    pub healthy: u32,
    /// So many bad ones in a row take it out.
    pub unhealthy: u32,
    /// The status that is good; every one from 200 to 399 when unset.
    pub status: Option<u16>,
}

impl Default for HealthSettings {
    fn default() -> Self {
        Self {
            kind: CheckKind::Http,
            path: "/".to_owned(),
            interval: Duration::from_secs(10),
            timeout: None,
            healthy: 2,
            unhealthy: 3,
            status: None,
        }
    }
}

impl HealthSettings {
    /// How long an answer may take.
    pub fn patience(&self) -> Duration {
        self.timeout.unwrap_or(Duration::from_secs(2)).min(self.interval)
    }
}

/// The section `[route.upstream_tls]`. That certificates are verified cannot be turned off.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UpstreamTlsSettings {
    /// Who vouches for the upstream, PEM; the system's authorities when unset.
    pub ca_file: Option<PathBuf>,
    /// Our certificate, which the upstream may ask for: PEM, with what leads to its root.
    pub certificate_file: Option<PathBuf>,
    /// Its key, PEM.
    pub key_file: Option<PathBuf>,
    /// The name that the upstream's certificate must bear, where it is not the address's.
    pub server_name: Option<String>,
}

/// Where a route's requests go.
#[derive(Debug, Clone)]
pub struct Destination {
    /// At least one.
    pub addresses: Vec<Address>,
    /// How they are shared.
    pub balance: Balance,
    /// Most requests at once.
    pub max_connections: Option<usize>,
    /// How often an idempotent request is sent again when its upstream breaks off before it answers.
    pub retries: usize,
    /// How long an address that comes back takes to have its whole share.
    pub slow_start: Option<Duration>,
    /// Offer HTTP/2 to `https` addresses.
    pub http2: bool,
    /// How addresses are asked whether they are well.
    pub health: Option<HealthSettings>,
}

/// One address, ready to be connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Where.
    pub place: Place,
    /// What is spoken there.
    pub protocol: Protocol,
    /// Its share.
    pub weight: u32,
    /// What the upstream calls itself: its `Host`, unless the client's is kept.
    pub authority: String,
}

/// Where an address is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Place {
    /// At an IP address.
    Fixed(SocketAddr),
    /// At all addresses of a name.
    Named {
        /// The name.
        host: String,
        /// The port.
        port: u16,
    },
    /// At a socket of this machine.
    Unix(PathBuf),
}

/// What is spoken at an address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// HTTP/1.1.
    Http,
    /// HTTP/2 without TLS, from the first byte.
    H2c,
    /// TLS, with a certificate for this name.
    Https {
        /// A DNS name, or an IP address.
        name: String,
    },
}

impl Destination {
    /// From a route's settings; what is wrong is told to `note`, by its field.
    pub(super) fn new(settings: &RouteSettings, note: &mut impl FnMut(&str, &str)) -> Self {
        let addresses = addresses(settings, note);
        limits(settings, note);
        if let Some(health) = &settings.health {
            check(health, note);
        }
        let is_tls = settings.upstream.iter().any(|address| address.url.starts_with("https:"));
        tls(&settings.upstream_tls, is_tls, note);
        if settings.http2 && !is_tls {
            note("http2", "is for https:// addresses; h2c:// always speaks HTTP/2");
        }
        Self {
            addresses,
            balance: settings.balance,
            max_connections: settings.max_connections.and_then(|most| usize::try_from(most).ok()),
            retries: usize::try_from(settings.retries).unwrap_or(usize::MAX),
            slow_start: settings.slow_start,
            http2: settings.http2,
            health: settings.health.clone(),
        }
    }
}

fn addresses(settings: &RouteSettings, note: &mut impl FnMut(&str, &str)) -> Vec<Address> {
    if settings.upstream.is_empty() {
        note("upstream", "should name at least one address, as \"http://127.0.0.1:3000\"");
    }
    let mut good = Vec::new();
    let mut seen = HashSet::new();
    for (index, written) in settings.upstream.iter().enumerate() {
        let key = format!("upstream[{index}]");
        if !(1..=HEAVIEST).contains(&written.weight) {
            note(&format!("{key}.weight"), "should be 1 to 100");
        }
        match address(&written.url, written.weight, settings.upstream_tls.server_name.as_deref()) {
            Ok(address) if seen.insert(address.place.clone()) => good.push(address),
            Ok(_) => note(&key, "is there twice; give it a weight instead"),
            Err(problem) => note(&key, problem),
        }
    }
    good
}

fn limits(settings: &RouteSettings, note: &mut impl FnMut(&str, &str)) {
    if settings.max_connections == Some(0) {
        note("max_connections", "should be at least 1, or nothing reaches the app");
    }
    if settings.retries > 10 {
        note("retries", "should be at most 10");
    }
    if settings.slow_start.is_some_and(|span| span.is_zero() || span > Duration::from_secs(3600)) {
        note("slow_start", "should be between 1ms and 1h");
    }
}

fn check(health: &HealthSettings, note: &mut impl FnMut(&str, &str)) {
    if health.interval < Duration::from_millis(100) {
        note("health.interval", "should be at least 100ms");
    }
    let timeout = health.patience();
    if timeout.is_zero() || timeout > Duration::from_secs(60) {
        note("health.timeout", "should be between 1ms and 1m");
    }
    if health.timeout.is_some_and(|timeout| timeout > health.interval) {
        note("health.timeout", "should be no longer than health.interval: the next question would come before the answer");
    }
    for (field, count) in [("health.healthy", health.healthy), ("health.unhealthy", health.unhealthy)] {
        if !(1..=100).contains(&count) {
            note(field, "should be 1 to 100");
        }
    }
    let plain = health.path.starts_with('/') && health.path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
    if !plain {
        note("health.path", "should begin with / and have no spaces");
    }
    if health.status.is_some_and(|status| !(200..=599).contains(&status)) {
        note("health.status", "should be 200 to 599");
    }
    if health.kind == CheckKind::Tcp && health.status.is_some() {
        note("health.status", "is for kind = \"http\"");
    }
}

fn tls(settings: &UpstreamTlsSettings, is_tls: bool, note: &mut impl FnMut(&str, &str)) {
    let set = [
        ("upstream_tls.ca_file", settings.ca_file.is_some()),
        ("upstream_tls.certificate_file", settings.certificate_file.is_some()),
        ("upstream_tls.key_file", settings.key_file.is_some()),
        ("upstream_tls.server_name", settings.server_name.is_some()),
    ];
    for (field, _) in set.into_iter().filter(|(_, is_set)| *is_set && !is_tls) {
        note(field, "is for https:// addresses, and this route has none");
    }
    match (&settings.certificate_file, &settings.key_file) {
        (Some(_), None) => note("upstream_tls.key_file", "is missing: the certificate needs its key"),
        (None, Some(_)) => note("upstream_tls.certificate_file", "is missing: the key needs its certificate"),
        (Some(_), Some(_)) | (None, None) => {}
    }
    if settings.server_name.as_deref().is_some_and(|name| !is_name(name)) {
        note("upstream_tls.server_name", "should be a host name or an IP address, as its certificate has it");
    }
}

/// One address. `server_name` stands for the host in certificates.
///
/// # Errors
/// What is wrong with it.
pub(super) fn address(text: &str, weight: u32, server_name: Option<&str>) -> Result<Address, &'static str> {
    const SHAPE: &str = "should be http://host:port, https://host:port, h2c://host:port or unix:/path";
    if let Some(path) = text.strip_prefix("unix:") {
        return socket(path, weight);
    }
    let (scheme, rest) = text.split_once("://").ok_or(SHAPE)?;
    // Read as the other scheme, of which the standard knows how hosts are written.
    let url = match scheme {
        "http" | "https" => Url::parse(text),
        "h2c" => Url::parse(&format!("http://{rest}")),
        _ => return Err(SHAPE),
    };
    let url = url.map_err(|_| SHAPE)?;
    let bare =
        url.path() == "/" && url.query().is_none() && url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
    if !bare {
        return Err("should be a scheme, a host and a port alone, without user, path or query");
    }
    let host: Host<&str> = url.host().ok_or(SHAPE)?;
    let port = url.port_or_known_default().filter(|port| *port != 0).ok_or(SHAPE)?;
    let protocol = match scheme {
        "https" => Protocol::Https { name: verified(&host, server_name)? },
        "h2c" => Protocol::H2c,
        _ => Protocol::Http,
    };
    // The standard leaves out a port that is the scheme's own, and so do we (RFC 9110 §4.2.3).
    let authority = url.port().map_or_else(|| host.to_string(), |port| format!("{host}:{port}"));
    Ok(Address { place: place(&host, port), protocol, weight, authority })
}

fn place(host: &Host<&str>, port: u16) -> Place {
    match host {
        Host::Ipv4(address) => Place::Fixed(SocketAddr::new(IpAddr::V4(*address), port)),
        Host::Ipv6(address) => Place::Fixed(SocketAddr::new(IpAddr::V6(*address), port)),
        Host::Domain(name) => Place::Named { host: (*name).to_owned(), port },
    }
}

fn socket(path: &str, weight: u32) -> Result<Address, &'static str> {
    if !path.starts_with('/') || path.contains('\0') {
        return Err("should be unix: and an absolute path, as \"unix:/run/app.sock\"");
    }
    if path.len() > LONGEST_SOCKET {
        return Err("is longer than 107 bytes, which no socket's path can be");
    }
    Ok(Address { place: Place::Unix(path.into()), protocol: Protocol::Http, weight, authority: "localhost".to_owned() })
}

/// The name that the certificate must bear.
fn verified(host: &Host<&str>, server_name: Option<&str>) -> Result<String, &'static str> {
    let name = match (server_name, host) {
        (Some(name), _) => name.to_owned(),
        (None, Host::Domain(name)) => (*name).to_owned(),
        (None, Host::Ipv4(address)) => address.to_string(),
        (None, Host::Ipv6(address)) => address.to_string(),
    };
    // The library would verify another name in the place of one with an underscore.
    if is_name(&name) || server_name.is_some() {
        return Ok(name);
    }
    Err("has a host that no certificate can bear; say in upstream_tls.server_name which name to verify")
}

fn is_name(name: &str) -> bool {
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    let domain = (1..=253).contains(&name.len()) && name.bytes().all(letters) && !name.starts_with(['.', '-']) && !name.contains("..");
    domain || name.parse::<IpAddr>().is_ok()
}

const fn one() -> u32 {
    1
}

#[cfg(test)]
mod tests;
