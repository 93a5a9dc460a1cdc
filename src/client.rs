//! Who is calling: found out once, at the edge, from the peer and (if it is trusted) its forwarded headers.

pub mod device;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::HeaderMap;
use http::header::{ACCEPT_LANGUAGE, USER_AGENT};

use crate::language::Language;

/// Who is calling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// The client's address; IPv4 in IPv6 is IPv4.
    pub address: IpAddr,
    /// Did the client come by TLS, here or at a trusted proxy?
    pub secure: bool,
    /// The host that the client asked for, as sent (with port, if any).
    pub host: String,
}

/// From where a request came, as far as a session remembers it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// The client's address.
    pub address: Option<IpAddr>,
    /// Its `User-Agent`, at most 256 bytes.
    pub agent: String,
    /// What who is there reads best.
    pub language: Language,
    /// The id of the request; empty when it has none.
    pub request_id: String,
}

/// The longest `User-Agent` that a session remembers, in bytes.
const LONGEST_AGENT: usize = 256;

impl Seen {
    /// What the head of a request from `address` says: the agent cut between characters and without control characters.
    pub fn of(address: IpAddr, headers: &HeaderMap, request_id: &str) -> Self {
        let accepted = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let text = headers.get(USER_AGENT).map(|value| String::from_utf8_lossy(value.as_bytes())).unwrap_or_default();
        let cut = text.get(..text.floor_char_boundary(LONGEST_AGENT)).unwrap_or_default();
        let agent = cut.chars().filter(|c| !c.is_control()).collect();
        Self { address: Some(address), agent, language: Language::of(accepted), request_id: request_id.to_owned() }
    }
}

/// The network that limits count by: the address itself for IPv4, its /64 for IPv6; none for loopback, which is a proxy on
/// this machine and not a person.
pub fn network(address: IpAddr) -> Option<String> {
    match address.to_canonical() {
        canonical if canonical.is_loopback() => None,
        IpAddr::V4(v4) => Some(Ipv4Addr::to_string(&v4)),
        IpAddr::V6(v6) => Some(format!("{}/64", Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agent_is_cut_between_characters() {
        let seen = |agent: &str| {
            let headers = HeaderMap::from_iter([(USER_AGENT, http::HeaderValue::from_bytes(agent.as_bytes()).unwrap())]);
            Seen::of(Ipv4Addr::LOCALHOST.into(), &headers, "id").agent
        };
        assert_eq!(seen(&"ü".repeat(200)), "ü".repeat(128));
        assert_eq!(seen("a\tb"), "ab");
        assert_eq!(Seen::of(Ipv4Addr::LOCALHOST.into(), &HeaderMap::new(), "id").agent, "");
    }

    #[test]
    fn a_network_is_what_one_person_can_move_within() {
        assert_eq!(network("192.0.2.7".parse().unwrap()).unwrap(), "192.0.2.7");
        assert_eq!(network("::ffff:192.0.2.7".parse().unwrap()).unwrap(), "192.0.2.7");
        assert_eq!(network("2001:db8:1:2:3:4:5:6".parse().unwrap()).unwrap(), "2001:db8:1:2::/64");
        assert_eq!(network("127.0.0.1".parse().unwrap()), None);
        assert_eq!(network("::1".parse().unwrap()), None);
    }
}
