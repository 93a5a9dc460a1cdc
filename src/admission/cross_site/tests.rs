use super::*;
use crate::admission::support::Asked;

fn foreign(host: &str, headers: &[(&str, &str)]) -> bool {
    let asked = headers.iter().fold(Asked::new("POST", "/").host(host), |asked, (name, value)| asked.with(name, value));
    let incoming = asked.incoming();
    is_cross_site(incoming.head, incoming.client)
}

#[test]
fn the_browsers_word_decides() {
    let host = "wiki.example.com";
    assert!(foreign(host, &[("sec-fetch-site", "cross-site")]));
    assert!(foreign(host, &[("sec-fetch-site", "cross-site"), ("origin", "https://wiki.example.com")]));
    assert!(!foreign(host, &[("sec-fetch-site", "same-origin"), ("origin", "http://wiki.example.com:8080")]));
    assert!(!foreign(host, &[("sec-fetch-site", "same-origin"), ("origin", "https://WIKI.example.com.")]));
    assert!(!foreign(host, &[("sec-fetch-site", "same-origin"), ("origin", "null")]));
    assert!(!foreign(host, &[("sec-fetch-site", "same-origin")]));
    for origin in ["https://evil.example", "https://wiki.example.com.evil.example", "wiki.example.com", "", "file://wiki.example.com"] {
        assert!(foreign(host, &[("sec-fetch-site", "same-origin"), ("origin", origin)]), "{origin}");
    }
    assert!(!foreign(host, &[("sec-fetch-site", "none")]));
    assert!(foreign(host, &[("sec-fetch-site", "none"), ("origin", "https://evil.example")]));
}

#[test]
fn a_sibling_is_another_site_unless_the_origin_is_ours() {
    let host = "wiki.example.com";
    assert!(foreign(host, &[("sec-fetch-site", "same-site"), ("origin", "https://blog.example.com")]));
    assert!(foreign(host, &[("sec-fetch-site", "same-site")]));
    assert!(!foreign(host, &[("sec-fetch-site", "same-site"), ("origin", "https://wiki.example.com")]));
}

#[test]
fn an_origin_is_a_host_and_a_port() {
    for (host, origin) in [
        ("wiki.example.com", "https://wiki.example.com"),
        ("wiki.example.com", "http://wiki.example.com"),
        ("wiki.example.com:443", "https://wiki.example.com"),
        ("wiki.example.com", "https://wiki.example.com:443"),
        ("WIKI.example.com.", "https://wiki.example.com"),
        ("127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("[::1]:8080", "http://[::1]:8080"),
        ("bücher.example", "https://xn--bcher-kva.example"),
    ] {
        assert!(!foreign(host, &[("origin", origin)]), "{origin} on {host}");
    }
    for (host, origin) in [
        ("wiki.example.com", "https://evil.example"),
        ("wiki.example.com", "https://wiki.example.com.evil.example"),
        ("wiki.example.com", "https://wiki.example.com:8443"),
        ("wiki.example.com:8443", "https://wiki.example.com"),
        ("wiki.example.com", "null"),
        ("wiki.example.com", ""),
        ("wiki.example.com", "wiki.example.com"),
        ("wiki.example.com", "chrome-extension://wiki.example.com"),
        ("wiki.example.com", "https://evil.example https://wiki.example.com"),
    ] {
        assert!(foreign(host, &[("origin", origin)]), "{origin} on {host}");
    }
}

#[test]
fn who_says_nothing_is_no_browser() {
    assert!(!foreign("wiki.example.com", &[]));
}

#[test]
fn a_header_that_stands_there_twice_is_not_believed() {
    let ours = "https://wiki.example.com";
    assert!(foreign("wiki.example.com", &[("origin", ours), ("origin", ours)]));
    assert!(foreign("wiki.example.com", &[("sec-fetch-site", "same-origin"), ("sec-fetch-site", "cross-site")]));
}

#[test]
fn what_changes_something_is_unsafe() {
    let is_unsafe = |asked: Asked| is_unsafe(asked.incoming().head);
    for method in ["GET", "HEAD", "OPTIONS"] {
        assert!(!is_unsafe(Asked::new(method, "/")), "{method}");
    }
    for method in ["POST", "PUT", "DELETE", "PATCH", "PROPFIND", "QUERY"] {
        assert!(is_unsafe(Asked::new(method, "/")), "{method}");
    }
    assert!(is_unsafe(Asked::get("/").with("upgrade", "WebSocket")));
    assert!(is_unsafe(Asked::get("/").with("upgrade", "h2c, websocket")));
    assert!(!is_unsafe(Asked::get("/").with("upgrade", "h2c")));
}
