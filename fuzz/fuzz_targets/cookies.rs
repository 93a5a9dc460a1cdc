//! Cookies: never two of ours, none of ours to the app, and all of the app's as they came.

#![no_main]

use doorward::cookie::{self, CookieSettings, Cookies, Kind};
use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};

const KINDS: [Kind; 3] = [Kind::Access, Kind::Refresh, Kind::Challenge];

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut headers = HeaderMap::new();
    for value in bytes.split(|byte| *byte == b'\n').take(8).filter_map(|line| HeaderValue::from_bytes(line).ok()) {
        headers.append(COOKIE, value);
    }
    for (secure, domain) in [(true, None), (true, Some("example.com")), (false, None)] {
        let cookies = Cookies::new(&CookieSettings { secure, domain: domain.map(str::to_owned) });
        one_of_each(&cookies, &headers);
        none_travels_on(&cookies, &headers);
    }
    for value in headers.get_all(COOKIE) {
        assert_eq!(cookie::sets_ours(value.as_bytes()), is_one_of_ours(name(as_browsers_send(value.as_bytes()))));
    }
});

/// A cookie that is set without a name is sent as its value alone (RFC 6265bis §5.8.3).
fn as_browsers_send(mut set_cookie: &[u8]) -> &[u8] {
    while let Some(rest) = set_cookie.trim_ascii_start().strip_prefix(b"=") {
        set_cookie = rest;
    }
    set_cookie
}

/// The pairs of RFC 6265 §5.4, by their names.
fn pairs(headers: &HeaderMap) -> Vec<&[u8]> {
    let all = headers.get_all(COOKIE).into_iter().flat_map(|value| value.as_bytes().split(|byte| *byte == b';'));
    all.map(<[u8]>::trim_ascii).filter(|pair| !pair.is_empty()).collect()
}

fn name(pair: &[u8]) -> &[u8] {
    let end = pair.iter().position(|byte| matches!(byte, b'=' | b';')).unwrap_or(pair.len());
    pair[..end].trim_ascii()
}

fn is_one_of_ours(name: &[u8]) -> bool {
    let text = String::from_utf8_lossy(name).to_lowercase();
    let bare = text.strip_prefix("__host-").or_else(|| text.strip_prefix("__secure-")).unwrap_or(&text);
    ["doorward_access", "doorward_refresh", "doorward_challenge"].contains(&bare)
}

fn one_of_each(cookies: &Cookies, headers: &HeaderMap) {
    let counts = KINDS.map(|kind| pairs(headers).iter().filter(|pair| name(pair) == cookies.name(kind).as_bytes()).count());
    let Ok(carried) = cookies.read(headers) else {
        assert!(counts.iter().any(|count| *count > 1), "refused, and nothing is there twice");
        return;
    };
    let found = [carried.access, carried.refresh, carried.challenge].map(|value| usize::from(value.is_some()));
    assert_eq!(found, counts);
}

fn none_travels_on(cookies: &Cookies, headers: &HeaderMap) {
    let others: Vec<&[u8]> = pairs(headers).into_iter().filter(|pair| !is_one_of_ours(name(pair))).collect();
    let left = cookies.without_ours(headers);
    assert_eq!(left.as_ref().map(HeaderValue::as_bytes).unwrap_or_default(), others.join(b"; ".as_slice()));
}
