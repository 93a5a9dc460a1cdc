//! The addresses of an app, as every proxy wants to hear of them.

use std::net::IpAddr;

use crate::admission::RouteSettings;

/// Where the machine keeps the authorities that it trusts, on Debian and what comes of it.
pub(super) const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// How an address is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speech {
    Http,
    Https,
    /// HTTP/2 without TLS.
    H2c,
    /// HTTP through a Unix socket.
    Unix,
}

/// One address of an app.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Server {
    pub(super) speech: Speech,
    /// `host:port`, or the path of a socket.
    pub(super) address: String,
    /// Its share of the requests, beside the others'.
    pub(super) weight: u32,
}

impl Server {
    /// The addresses of a route that are spoken to as the first is.
    pub(super) fn all_of(route: &RouteSettings) -> Vec<Self> {
        let all = route.upstream.iter().map(|address| Self::read(&address.url, address.weight));
        let mut all: Vec<Self> = all.collect();
        if let Some(speech) = all.first().map(|first| first.speech) {
            all.retain(|server| server.speech == speech);
        }
        all
    }

    fn read(url: &str, weight: u32) -> Self {
        let (speech, rest) = match url.split_once(':') {
            Some(("https", rest)) => (Speech::Https, rest),
            Some(("h2c", rest)) => (Speech::H2c, rest),
            Some(("unix", rest)) => (Speech::Unix, rest),
            Some((_, rest)) => (Speech::Http, rest),
            None => (Speech::Http, url),
        };
        let address = match speech {
            Speech::Unix => rest.to_owned(),
            Speech::Http | Speech::H2c => with_port(rest, 80),
            Speech::Https => with_port(rest, 443),
        };
        Self { speech, address, weight }
    }

    /// Its host, without the port.
    pub(super) fn host(&self) -> &str {
        split(&self.address).0
    }

    /// Its host without brackets, and its port.
    pub(super) fn socket(&self) -> (&str, &str) {
        let (host, port) = split(&self.address);
        (host.trim_matches(['[', ']']), port)
    }
}

/// Is this an address, for which there is no name in a TLS handshake?
pub(super) fn is_address(host: &str) -> bool {
    host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()
}

/// Weights that stand to one another as these do, and are as small as can be.
pub(super) fn shares(servers: &[Server]) -> impl Iterator<Item = (&Server, u32)> {
    let common = servers.iter().map(|server| server.weight).fold(0, divisor).max(1);
    servers.iter().map(move |server| (server, server.weight / common))
}

const fn divisor(one: u32, other: u32) -> u32 {
    if other == 0 { one } else { divisor(other, one % other) }
}

fn with_port(rest: &str, port: u16) -> String {
    let address = rest.trim_start_matches('/').trim_end_matches('/');
    let has_port = address.rsplit_once(':').is_some_and(|(_, end)| !end.is_empty() && end.bytes().all(|byte| byte.is_ascii_digit()));
    // The colons of `[::1]` are no port's.
    if has_port && !address.ends_with(']') { address.to_owned() } else { format!("{address}:{port}") }
}

fn split(address: &str) -> (&str, &str) {
    address.rsplit_once(':').unwrap_or((address, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart() {
        for (url, speech, address) in [
            ("http://127.0.0.1:3000/", Speech::Http, "127.0.0.1:3000"),
            ("http://app", Speech::Http, "app:80"),
            ("https://app.example.com", Speech::Https, "app.example.com:443"),
            ("https://[::1]", Speech::Https, "[::1]:443"),
            ("h2c://[::1]:50051", Speech::H2c, "[::1]:50051"),
            ("unix:/run/app.sock", Speech::Unix, "/run/app.sock"),
        ] {
            assert_eq!(Server::read(url, 1), Server { speech, address: address.to_owned(), weight: 1 }, "{url}");
        }
        assert_eq!(Server::read("https://[::1]", 1).socket(), ("::1", "443"));
    }

    #[test]
    fn shares_are_as_small_as_can_be() {
        let servers = |weights: &[u32]| weights.iter().map(|weight| Server::read("http://a", *weight)).collect::<Vec<_>>();
        let of = |weights: &[u32]| shares(&servers(weights)).map(|(_, share)| share).collect::<Vec<_>>();
        assert_eq!((of(&[1]), of(&[10, 20]), of(&[100, 75]), of(&[3, 2])), (vec![1], vec![1, 2], vec![4, 3], vec![3, 2]));
    }
}
