use serde_json::{Value, json};

use super::*;
use crate::admission::Table;
use crate::admission::support::settings;

fn mistakes(route: &Value) -> Vec<String> {
    let mistakes = Table::new(&settings(json!([route])), "/auth").err().unwrap_or_default();
    mistakes.iter().map(ToString::to_string).collect()
}

fn read(url: &str) -> Result<Address, &'static str> {
    address(url, 1, None)
}

#[test]
fn an_address_is_where_it_says() {
    let fixed = |text: &str| Place::Fixed(text.parse().unwrap());
    let named = |host: &str, port| Place::Named { host: host.to_owned(), port };
    let https = |name: &str| Protocol::Https { name: name.to_owned() };
    for (url, place, protocol, authority) in [
        ("http://127.0.0.1:3000", fixed("127.0.0.1:3000"), Protocol::Http, "127.0.0.1:3000"),
        ("http://Wiki", named("wiki", 80), Protocol::Http, "wiki"),
        ("http://wiki:80", named("wiki", 80), Protocol::Http, "wiki"),
        ("http://[::1]:8080/", fixed("[::1]:8080"), Protocol::Http, "[::1]:8080"),
        ("https://wiki.example", named("wiki.example", 443), https("wiki.example"), "wiki.example"),
        ("https://wiki.example:8443", named("wiki.example", 8443), https("wiki.example"), "wiki.example:8443"),
        ("https://[::1]:8443", fixed("[::1]:8443"), https("::1"), "[::1]:8443"),
        ("h2c://10.0.0.1:50051", fixed("10.0.0.1:50051"), Protocol::H2c, "10.0.0.1:50051"),
        ("unix:/run/app.sock", Place::Unix("/run/app.sock".into()), Protocol::Http, "localhost"),
    ] {
        let expected = Address { place, protocol, weight: 1, authority: authority.to_owned() };
        assert_eq!(read(url), Ok(expected), "{url}");
    }
}

#[test]
fn nothing_else_is_an_address() {
    let long = format!("unix:/{}", "x".repeat(107));
    for url in [
        "http://",
        "http://x:0",
        "http://x:99999",
        "//x",
        "http://x?y",
        "http://x#y",
        "http://x/y",
        "unix:x",
        "tcp://x:1",
        "x:1",
        "",
        &long,
    ] {
        assert!(read(url).is_err(), "{url}");
    }
}

#[test]
fn a_certificate_is_verified_under_a_name_that_it_can_bear() {
    assert!(read("https://my_app.internal").is_err());
    let named = address("https://my_app.internal", 1, Some("app.example")).unwrap();
    assert_eq!(named.protocol, Protocol::Https { name: "app.example".to_owned() });
    assert_eq!(named.authority, "my_app.internal");
}

#[test]
fn every_mistake_is_told_by_its_key() {
    let found = mistakes(&json!({
        "upstream": [{ "url": "http://a", "weight": 0 }, "http://b", "http://b:80", "ftp://c", { "url": "http://d", "weight": 101 }],
        "max_connections": 0, "retries": 11, "slow_start": "0s", "http2": true,
        "health": { "interval": "1ms", "timeout": "0s", "healthy": 0, "unhealthy": 101, "path": "x", "status": 100, "kind": "tcp" },
        "upstream_tls": { "certificate_file": "a.pem", "server_name": "a b" },
    }));
    let keys: Vec<&str> = found.iter().filter_map(|mistake| mistake.strip_prefix("route[0].")?.split(": ").next()).collect();
    let expected = [
        "upstream[0].weight",
        "upstream[2]",
        "upstream[3]",
        "upstream[4].weight",
        "max_connections",
        "retries",
        "slow_start",
        "health.interval",
        "health.timeout",
        "health.healthy",
        "health.unhealthy",
        "health.path",
        "health.status",
        "health.status",
        "upstream_tls.certificate_file",
        "upstream_tls.server_name",
        "upstream_tls.key_file",
        "upstream_tls.server_name",
        "http2",
    ];
    assert_eq!(keys, expected, "{found:#?}");
}

#[test]
fn one_address_is_enough_for_every_balance() {
    assert_eq!(mistakes(&json!({ "balance": "consistent", "upstream": ["unix:/run/app.sock"] })), Vec::<String>::new());
}

#[test]
fn there_is_no_key_that_turns_verification_off() {
    for key in ["verify", "insecure", "skip_verify", "insecure_skip_verify"] {
        let text = json!({ "name": "a", "upstream": ["https://a"], "upstream_tls": { key: false } });
        assert!(serde_json::from_value::<RouteSettings>(text).is_err(), "{key}");
    }
}
