//! Strict heads: whom and what a request asks for, and which of it we pass on (RFC 9110 §§9, 7.2, 7.8; RFC 9112 §3.2).
//!
//! Its lines and its framing were found sound before the framework parsed it ([`super::wire`]).

use http::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, TRANSFER_ENCODING, UPGRADE};
use http::{Method, Version};
use pingora::protocols::http::ServerSession;

use super::client::is_host;
use crate::admission::Refusal;
use crate::endpoint::Problem;

/// A request's head, parsed.
#[derive(Debug, Clone, Copy)]
struct Head<'a> {
    /// The method.
    method: &'a Method,
    /// The version.
    version: Version,
    /// The request target, byte for byte.
    target: &'a [u8],
    /// The header fields.
    headers: &'a HeaderMap,
}

/// HTTP/2 may name the host in `:authority` alone (RFC 9113 §8.3.1): from here on it stands in Host, for us and for the app.
/// Where there are two, the framework has found them equal.
pub(super) fn name_host(session: &mut ServerSession) {
    let request = session.req_header_mut();
    let named = request.uri.authority().filter(|_| request.version == Version::HTTP_2 && !request.headers.contains_key(HOST));
    if let Some(host) = named.map(ToString::to_string) {
        // An authority of a parsed URI is a header's value. Were it none, there would be no Host, and the request is refused.
        drop(request.insert_header(HOST, host));
    }
}

/// Refuses a session's head that cannot be read in one way only; the errors are those of [`check`].
pub(super) fn strict(session: &ServerSession) -> Result<(), Problem> {
    let request = session.req_header();
    check(Head { method: &request.method, version: request.version, target: request.raw_path(), headers: &request.headers })
}

/// Refuses what cannot be read in one way only.
///
/// # Errors
/// [`Refusal::MethodNotAllowed`] for CONNECT and TRACE, [`Refusal::Malformed`] for the rest.
fn check(head: Head<'_>) -> Result<(), Problem> {
    if *head.method == Method::CONNECT || *head.method == Method::TRACE {
        return Err(Problem::Refused(Refusal::MethodNotAllowed));
    }
    let is_sound = is_method(head.method) && has_one_host(head.headers) && is_target(&head) && !is_odd_upgrade(&head);
    if is_sound { Ok(()) } else { Err(Problem::Refused(Refusal::Malformed)) }
}

/// Methods are case-sensitive (RFC 9110 §9.1), apps are not always: `get` is one to some and none to others.
fn is_method(method: &Method) -> bool {
    method.as_str().bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"-_".contains(&byte))
}

fn has_one_host(headers: &HeaderMap) -> bool {
    let mut all = headers.get_all(HOST).into_iter();
    let one = all.next().and_then(|host| host.to_str().ok()).is_some_and(is_host);
    one && all.next().is_none()
}

/// Origin-form, absolute-form of http(s) for the same host, or `OPTIONS *` (RFC 9112 §3.2); text, so that what is decided
/// upon is what is forwarded.
fn is_target(head: &Head<'_>) -> bool {
    let Ok(target) = std::str::from_utf8(head.target) else { return false };
    if target.starts_with('/') {
        return true;
    }
    // An absolute one names the same server as Host.
    if target == "*" { *head.method == Method::OPTIONS } else { target.contains("://") }
}

/// Is this an upgrade that is no WebSocket handshake (RFC 6455 §4.1)? An app that switches protocols all the same would be
/// reached through a tunnel that nobody looks into.
fn is_odd_upgrade(head: &Head<'_>) -> bool {
    if !head.headers.contains_key(UPGRADE) {
        return false;
    }
    let one = |name: &str, fits: fn(&[u8]) -> bool| {
        let mut all = head.headers.get_all(name).into_iter();
        all.next().is_some_and(|value| fits(value.as_bytes())) && all.next().is_none()
    };
    let named = |value: &[u8]| value.eq_ignore_ascii_case(b"websocket");
    if !head.headers.get_all(UPGRADE).iter().any(|value| named(value.as_bytes())) {
        // Another protocol: the framework drops the offer, and the request is an ordinary one.
        return false;
    }
    let nominated = head
        .headers
        .get_all(CONNECTION)
        .iter()
        .any(|value| value.as_bytes().split(|byte| *byte == b',').any(|option| option.trim_ascii().eq_ignore_ascii_case(b"upgrade")));
    let bare = !head.headers.contains_key(CONTENT_LENGTH) && !head.headers.contains_key(TRANSFER_ENCODING);
    let handshake = one("sec-websocket-key", |key| !key.is_empty()) && one("sec-websocket-version", |version| version == b"13");
    let plain =
        *head.method == Method::GET && head.version == Version::HTTP_11 && one("upgrade", |value| value.eq_ignore_ascii_case(b"websocket"));
    !(nominated && bare && handshake && plain)
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    const MALFORMED: Result<(), Problem> = Err(Problem::Refused(Refusal::Malformed));

    /// Reads a head as the framework does: leniently.
    fn verdict(raw: &str) -> Result<(), Problem> {
        let mut lines = raw.trim_end().split('\n').map(|line| line.trim_end_matches('\r'));
        let mut words = lines.next().unwrap().split(' ');
        let method = Method::from_bytes(words.next().unwrap().as_bytes()).unwrap();
        let target = words.next().unwrap().split('#').next().unwrap();
        let version = if words.next() == Some("HTTP/1.0") { Version::HTTP_10 } else { Version::HTTP_11 };
        let fields = lines.filter_map(|line| line.split_once(':'));
        let headers: HeaderMap = fields
            .filter_map(|(name, value)| Some((HeaderName::from_bytes(name.as_bytes()).ok()?, HeaderValue::from_str(value.trim()).ok()?)))
            .collect();
        check(Head { method: &method, version, target: target.as_bytes(), headers: &headers })
    }

    #[test]
    fn ordinary_heads_pass() {
        for raw in [
            "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n",
            "GET / HTTP/1.0\r\nHost: a.example:8080\r\n\r\n",
            "GET http://a.example/x?y HTTP/1.1\r\nHost: a.example\r\n\r\n",
            "GET http://A.example HTTP/1.1\r\nHost: a.example\r\n\r\n",
            "OPTIONS * HTTP/1.1\r\nHost: a.example\r\n\r\n",
            "PROPFIND /dav HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n",
            "VERSION-CONTROL /dav HTTP/1.1\r\nHost: a.example\r\n\r\n",
            "GET /größe/%2F?q=ü HTTP/1.1\r\nHost: a.example\r\n\r\n",
        ] {
            assert_eq!(verdict(raw), Ok(()), "{raw}");
        }
    }

    #[test]
    fn whom_and_what_it_asks_for_must_be_one() {
        for raw in [
            "GET / HTTP/1.1\r\nAccept: */*\r\n\r\n",
            "GET / HTTP/1.1\r\nHost:\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a.example/x\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: u@a.example\r\n\r\n",
            "GET a.example HTTP/1.1\r\nHost: a.example\r\n\r\n",
            "GET * HTTP/1.1\r\nHost: a.example\r\n\r\n",
            "get / HTTP/1.1\r\nHost: a.example\r\n\r\n",
        ] {
            assert_eq!(verdict(raw), MALFORMED, "{raw}");
        }
    }

    #[test]
    fn tunnels_and_echoes_are_not_forwarded() {
        assert_eq!(verdict("CONNECT a.example:443 HTTP/1.1\r\nHost: a.example\r\n\r\n"), Err(Problem::Refused(Refusal::MethodNotAllowed)));
        assert_eq!(verdict("TRACE / HTTP/1.1\r\nHost: a.example\r\n\r\n"), Err(Problem::Refused(Refusal::MethodNotAllowed)));
    }

    #[test]
    fn an_upgrade_is_a_websocket_s_whole_handshake_or_none() {
        let lines = "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eA==\r\n";
        let ask = |method: &str, lines: &str| verdict(&format!("{method} / HTTP/1.1\r\nHost: a.example\r\n{lines}\r\n"));
        assert_eq!(ask("GET", lines), Ok(()));
        assert_eq!(ask("GET", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"), Ok(()));
        let malformed = Err(Problem::Refused(Refusal::Malformed));
        assert_eq!(ask("POST", lines), malformed);
        assert_eq!(ask("GET", &format!("{lines}Content-Length: 3\r\n")), malformed);
        assert_eq!(ask("GET", &format!("{lines}Transfer-Encoding: chunked\r\n")), malformed);
        for part in ["keep-alive, Upgrade", "13", "Sec-WebSocket-Key: eA==\r\n"] {
            assert_eq!(ask("GET", &lines.replace(part, "")), malformed, "without {part}");
        }
    }

    #[test]
    fn a_target_that_is_no_text_is_refused() {
        let headers: HeaderMap = [(HOST, HeaderValue::from_static("a"))].into_iter().collect();
        let head = Head { method: &Method::GET, version: Version::HTTP_11, target: b"/\xff", headers: &headers };
        assert_eq!(check(head), MALFORMED);
    }
}
