//! `doorward snippet`: the configuration of a proxy that stays in front, and asks Doorward for each of its requests.

mod caddy;
mod envoy;
mod haproxy;
mod nginx;
mod server;
mod traefik;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Failed, load, print};
use crate::admission::{Names, RouteSettings};
use crate::config::Config;
use crate::cookie::{Cookies, Kind};
use crate::gateway::Address;
use server::Server;

/// A proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Proxy {
    Nginx,
    Traefik,
    Caddy,
    Envoy,
    Haproxy,
}

/// For which proxy.
#[derive(Debug, Args)]
pub(super) struct Snippet {
    /// The proxy that stays in front
    #[arg(value_enum)]
    proxy: Proxy,
    /// The configuration file
    #[arg(long, value_name = "FILE", env = "DOORWARD_CONFIG", default_value = "config/doorward.toml")]
    config: PathBuf,
}

/// What every proxy is told.
struct Told {
    /// Where Doorward listens.
    doorward: SocketAddr,
    /// Does it speak TLS there? It is known by `host` then.
    is_tls: bool,
    /// The path of its endpoints.
    prefix: String,
    /// The host that people reach it under.
    host: String,
    /// The headers that the proxy replaces by those of the answer, as apps are used to see them.
    headers: Vec<String>,
    /// Its cookies.
    cookies: Vec<String>,
    routes: Vec<Place>,
}

/// A route.
struct Place {
    name: String,
    /// Every host when there is none.
    host: Option<String>,
    path: String,
    /// All of one kind.
    servers: Vec<Server>,
}

/// Prints what is to be pasted.
pub(super) fn run(snippet: &Snippet) -> Result<(), Failed> {
    let config = load(&snippet.config)?;
    if config.forward_auth.trusted_proxies.is_empty() {
        print::complain("doorward: forward_auth.trusted_proxies is empty: no proxy may ask. Name the proxy's network there.");
    }
    let told = Told::new(&config)?;
    for route in config.routes.iter().filter(|route| Server::all_of(route).len() < route.upstream.len()) {
        print::complain(&format!(
            "doorward: route {}: a proxy takes addresses of one kind; those that are not as the first are left out",
            route.name
        ));
    }
    print::line(&match snippet.proxy {
        Proxy::Nginx => nginx::text(&told),
        Proxy::Traefik => traefik::text(&told),
        Proxy::Caddy => caddy::text(&told),
        Proxy::Envoy => envoy::text(&told),
        Proxy::Haproxy => haproxy::text(&told),
    })
}

impl Told {
    fn new(config: &Config) -> Result<Self, Failed> {
        let names = Names::new(&config.identity).map_err(Failed::Mistakes)?;
        let cookies = Cookies::new(&config.cookies);
        let public = config.listen.public.iter().find_map(tcp);
        Ok(Self {
            doorward: public.map(reachable).ok_or_else(|| Failed::refused("listen.public has no address that a proxy could ask"))?,
            is_tls: !config.tls.certificate.is_empty(),
            prefix: config.prefix.trim_end_matches('/').to_owned(),
            host: config.public_url.host_str().unwrap_or_default().to_owned(),
            headers: names.headers().map(http::HeaderName::as_str).chain(["cookie", "authorization"]).map(capitals).collect(),
            cookies: [Kind::Access, Kind::Refresh].map(|kind| cookies.name(kind)).into(),
            routes: config.routes.iter().map(Place::new).collect(),
        })
    }

    /// `http` or `https`, as Doorward is asked.
    const fn scheme(&self) -> &'static str {
        if self.is_tls { "https" } else { "http" }
    }

    /// Is there a route for every host?
    fn takes_all_hosts(&self) -> bool {
        self.routes.iter().any(|place| place.host.is_none())
    }

    /// The hosts of all routes, and the one at which people sign in; each once. Where no route is for every host, what asks for
    /// another finds nobody.
    fn hosts(&self) -> Vec<&str> {
        let named = self.named_hosts();
        if self.takes_all_hosts() { named } else { self.with_own(named) }
    }

    /// The same, with the one at which people sign in whatever the routes are.
    fn all_hosts(&self) -> Vec<&str> {
        self.with_own(self.named_hosts())
    }

    fn named_hosts(&self) -> Vec<&str> {
        let mut hosts: Vec<&str> = Vec::new();
        for host in self.routes.iter().filter_map(|place| place.host.as_deref()) {
            if !hosts.contains(&host) {
                hosts.push(host);
            }
        }
        hosts
    }

    fn with_own<'a>(&'a self, mut hosts: Vec<&'a str>) -> Vec<&'a str> {
        if !hosts.iter().any(|host| covers(host, &self.host)) {
            hosts.push(&self.host);
        }
        hosts
    }
}

/// Is `host` one of those that `pattern` (a host, or `*.` and one) stands for?
fn covers(pattern: &str, host: &str) -> bool {
    let below = |parent: &str| host.split_once('.').is_some_and(|(_, rest)| rest == parent);
    pattern.strip_prefix("*.").map_or(pattern == host, below)
}

impl Place {
    fn new(route: &RouteSettings) -> Self {
        Self { name: route.name.clone(), host: route.host.clone(), path: route.path.clone(), servers: Server::all_of(route) }
    }

    /// Its path as a whole segment: `/wiki/`, and `/` for the root.
    fn folder(&self) -> String {
        format!("{}/", self.path.trim_end_matches('/'))
    }

    fn is_root(&self) -> bool {
        self.path.trim_end_matches('/').is_empty()
    }
}

fn tcp(address: &Address) -> Option<SocketAddr> {
    match address {
        Address::Tcp(address) => Some(*address),
        Address::Unix(_) => None,
    }
}

/// An address that listens everywhere is asked on this machine.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() { std::net::Ipv4Addr::LOCALHOST.into() } else { std::net::Ipv6Addr::LOCALHOST.into() });
    }
    address
}

/// `remote-user` as `Remote-User`.
fn capitals(name: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect::<String>()
    };
    name.split('-').map(word).collect::<Vec<_>>().join("-")
}

/// A word that all of these languages take as a name: `remote_user`.
fn word(name: &str) -> String {
    name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '_' }).collect()
}

/// Each line of `lines`, indented.
fn lines<'a>(indent: usize, all: impl IntoIterator<Item = &'a String>, line: impl Fn(&str) -> String) -> String {
    let lines: Vec<String> = all.into_iter().map(|item| format!("{:indent$}{}\n", "", line(item))).collect();
    lines.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_written_as_apps_know_them() {
        assert_eq!(capitals("x-doorward-assertion"), "X-Doorward-Assertion");
        assert_eq!(word("X-Doorward-Assertion"), "x_doorward_assertion");
    }

    #[test]
    fn a_wildcard_stands_for_one_label() {
        assert!(covers("a.example.com", "a.example.com") && covers("*.example.com", "a.example.com"));
        assert!(
            !covers("*.example.com", "example.com")
                && !covers("*.example.com", "a.b.example.com")
                && !covers("b.example.com", "a.example.com")
        );
    }

    #[test]
    fn an_address_that_listens_everywhere_is_asked_here() {
        assert_eq!(reachable("0.0.0.0:80".parse().unwrap()).to_string(), "127.0.0.1:80");
        assert_eq!(reachable("[::]:80".parse().unwrap()).to_string(), "[::1]:80");
        assert_eq!(reachable("192.0.2.1:80".parse().unwrap()).to_string(), "192.0.2.1:80");
    }
}
