//! Forwarded headers: a peer that is not trusted speaks for itself alone, and what a trusted one says is believed no further
//! than trusted proxies reach.

#![no_main]

use std::net::IpAddr;

use doorward::gateway::fuzzing::caller;
use http::header::HOST;
use http::{HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;

const PEERS: [&str; 6] = ["192.0.2.7", "10.0.0.1", "2001:db8::1", "fd00::1", "::ffff:10.0.0.9", "::ffff:192.0.2.9"];

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((choice, rest)) = bytes.split_first() else { return };
    let peer: IpAddr = PEERS[usize::from(*choice) % PEERS.len()].parse().expect("an address");
    let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().expect("a network"), "fd00::/8".parse().expect("a network")];
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(&address.to_canonical()));
    let secure = choice & 0x80 != 0;
    let headers = headers(rest);
    let found = caller(peer, secure, &headers, &trusted);
    let said: HeaderMap = found.told.iter().cloned().collect();
    assert_eq!(said.keys_len(), said.len(), "told twice");
    let chain: Vec<IpAddr> = text(&said, "x-forwarded-for").split(", ").map(|address| address.parse().expect("an address")).collect();

    let own = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    if !is_trusted(peer) {
        assert_eq!((found.client.address, found.client.secure, found.client.host.as_str()), (peer.to_canonical(), secure, own));
        assert_eq!((chain, found.request_id), (vec![peer.to_canonical()], None));
    } else {
        assert_eq!((chain.first(), chain.last()), (Some(&found.client.address), Some(&peer.to_canonical())));
        // Only the outermost may be a stranger.
        assert!(chain.iter().skip(1).all(|address| is_trusted(*address)), "{chain:?}");
        let named = named(&headers);
        assert!(chain.iter().rev().skip(1).all(|address| named.contains(address)), "{chain:?} out of {named:?}");
    }
    nothing_said_is_left(headers, &found.removed);
});

/// A header a line.
fn headers(bytes: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in bytes.split(|byte| *byte == b'\n').take(12) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let name = HeaderName::from_bytes(&line[..colon]);
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(line[colon + 1..].trim_ascii())) {
            headers.append(name, value);
        }
    }
    headers
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Every address that the forwarded headers could be thought to name.
fn named(headers: &HeaderMap) -> Vec<IpAddr> {
    let lines = headers.get_all("x-forwarded-for").iter().chain(headers.get_all("forwarded"));
    let words = lines.flat_map(|line| line.to_str().unwrap_or_default().split([',', ';', '=', '"', ' ', '\t']));
    let address = |word: &str| {
        let bare = word.trim_start_matches('[').split(']').next().unwrap_or_default();
        let bare = word.parse().or_else(|_| bare.parse()).ok();
        bare.or_else(|| word.rsplit_once(':').and_then(|(host, _)| host.parse::<IpAddr>().ok()))
            .map(|address: IpAddr| address.to_canonical())
    };
    words.filter_map(address).collect()
}

/// No spelling of what only a proxy may say is left to the app.
fn nothing_said_is_left(mut headers: HeaderMap, removed: &[HeaderName]) {
    for name in removed {
        headers.remove(name);
    }
    for name in headers.keys() {
        let folded: String = name.as_str().chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect();
        let is_said = folded.starts_with("x-forwarded-")
            || ["forwarded", "x-real-ip", "x-request-id", "x-original-url", "x-rewrite-url"].contains(&folded.as_str());
        assert!(!is_said, "{name} is left");
    }
}
