//! The section `[listen]`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};

use super::Address;

use crate::config::duration;

/// Where we listen, and whom we believe.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ListenSettings {
    /// Proxied traffic and our own endpoints.
    pub public: Vec<Address>,
    /// Health, readiness, metrics.
    pub admin: Address,
    /// Plain listeners that send everybody to the same place over TLS.
    pub redirect: Vec<Address>,
    /// The mode of Unix sockets.
    pub unix_mode: Mode,
    /// Peers whose forwarded headers are believed.
    pub trusted_proxies: Vec<Proxy>,
    /// They say who is calling before anything else, by the PROXY protocol.
    pub proxy_protocol: bool,
    /// Connections that are open at once.
    pub connections: usize,
    /// Those of one client network (an IPv4 address, an IPv6 /64). Trusted proxies and this machine may have more.
    pub connections_per_address: usize,
    /// Tunnels, event streams and gRPC calls that may be open at once.
    pub streams: usize,
    /// Where a new process finds this one, to take its sockets over; in `$RUNTIME_DIRECTORY` when unset.
    pub upgrade_socket: Option<PathBuf>,
    /// Worker threads; one per core when unset.
    pub workers: Option<usize>,
    /// How long the head of a request may take in all; a connection that sends nothing is closed after it.
    #[serde(with = "duration")]
    pub head_timeout: Duration,
    /// How long a connection may be idle between two requests.
    #[serde(with = "duration")]
    pub keep_alive: Duration,
    /// How long a client may take nothing of a response.
    #[serde(with = "duration")]
    pub write_timeout: Duration,
    /// Requests on one connection, at most.
    pub requests_per_connection: u32,
}

/// How long clients may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For the head of a request, in all.
    pub(super) head: Duration,
    /// Between two requests.
    pub(super) idle: Duration,
    /// To take something of a response.
    pub(super) write: Duration,
    /// Requests on one connection.
    pub(super) requests: u32,
}

impl ListenSettings {
    /// How long clients may take.
    pub const fn patience(&self) -> Patience {
        Patience { head: self.head_timeout, idle: self.keep_alive, write: self.write_timeout, requests: self.requests_per_connection }
    }

    /// Does IPv4 have an address of its own beside this one? Else `[::]` takes IPv4 too, whatever the machine's own default.
    pub(super) fn is_only_v6(&self, address: &Address) -> bool {
        let Address::Tcp(SocketAddr::V6(address)) = address else { return false };
        let beside = |other: &Address| matches!(other, Address::Tcp(SocketAddr::V4(other)) if other.port() == address.port());
        address.ip().is_unspecified() && self.public.iter().chain(&self.redirect).chain([&self.admin]).any(beside)
    }
}

impl Default for ListenSettings {
    fn default() -> Self {
        Self {
            public: vec![SocketAddr::from(([127, 0, 0, 1], 8080)).into()],
            admin: SocketAddr::from(([127, 0, 0, 1], 9080)).into(),
            redirect: Vec::new(),
            unix_mode: Mode(0o660),
            trusted_proxies: Vec::new(),
            streams: 50_000,
            proxy_protocol: false,
            connections: 20_000,
            connections_per_address: 500,
            upgrade_socket: None,
            workers: None,
            head_timeout: Duration::from_secs(10),
            keep_alive: Duration::from_secs(75),
            write_timeout: Duration::from_mins(1),
            requests_per_connection: 10_000,
        }
    }
}

/// Who may be believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proxy {
    /// Whoever has an address of it.
    Network(IpNet),
    /// Whoever comes through a Unix socket of ours: `"unix"`.
    Unix,
}

impl<'de> Deserialize<'de> for Proxy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "unix" => Ok(Self::Unix),
            text => text.parse().map(Self::Network).map_err(|_| D::Error::custom("should be a network, as \"10.0.0.0/8\", or \"unix\"")),
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
