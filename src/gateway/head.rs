//! Strict heads: what two servers could read in two ways is refused before anything is decided (RFC 9112 §§2.2, 3.2, 6.1).
//!
//! The framework has parsed the head by now, and was lenient: it drops a Content-Length beside a Transfer-Encoding, takes a
//! bare LF for a line's end, and cuts a fragment off. So the lines are looked at as they arrived. A deadline for the head, and
//! replies of our own to heads that do not parse at all, need the connection itself and belong to the listener.

use http::header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, TRANSFER_ENCODING, UPGRADE};
use http::{Method, Version};
use pingora::protocols::http::ServerSession;
use pingora::protocols::http::v1::server::HttpSession;

use super::client::is_host;
use crate::admission::Refusal;
use crate::endpoint::Problem;

/// The largest head that is read.
const LARGEST_HEAD: usize = 32 * 1024;
/// The most lines that a head may have.
const MOST_LINES: usize = 100;

/// A request's head, parsed and as it arrived.
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
    /// The whole head as it arrived; `None` where it did not come as lines (HTTP/2).
    raw: Option<&'a [u8]>,
}

/// Refuses a session's head that cannot be read in one way only; the errors are those of [`check`].
pub(super) fn strict(session: &ServerSession) -> Result<(), Problem> {
    let request = session.req_header();
    let raw = session.as_http1().map(HttpSession::get_headers_raw_bytes);
    check(Head {
        method: &request.method,
        version: request.version,
        target: request.raw_path(),
        headers: &request.headers,
        raw: raw.as_deref(),
    })
}

/// Refuses what cannot be read in one way only.
///
/// # Errors
/// [`Refusal::MethodNotAllowed`] for CONNECT and TRACE, [`Problem::HeadTooLarge`] past 32 KiB or 100 lines,
/// [`Refusal::Malformed`] for the rest.
fn check(head: Head<'_>) -> Result<(), Problem> {
    if head.headers.len() > MOST_LINES || head.raw.is_some_and(|raw| raw.len() > LARGEST_HEAD) {
        return Err(Problem::HeadTooLarge);
    }
    if *head.method == Method::CONNECT || *head.method == Method::TRACE {
        return Err(Problem::Refused(Refusal::MethodNotAllowed));
    }
    let is_plain = is_method(head.method) && has_one_host(head.headers) && is_target(&head);
    let is_sound = is_plain && is_framed(head.headers) && !is_odd_upgrade(&head);
    let is_whole = head.raw.is_none_or(|raw| raw_is_sound(raw, head.version));
    if is_sound && is_whole { Ok(()) } else { Err(Problem::Refused(Refusal::Malformed)) }
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
    if target == "*" {
        return *head.method == Method::OPTIONS;
    }
    authority(target)
        .is_some_and(|authority| head.headers.get(HOST).is_some_and(|host| host.as_bytes().eq_ignore_ascii_case(authority.as_bytes())))
}

fn authority(target: &str) -> Option<&str> {
    let (scheme, rest) = target.split_once("://")?;
    let is_web = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    is_web.then(|| rest.split(['/', '?']).next().unwrap_or_default())
}

fn is_framed(headers: &HeaderMap) -> bool {
    let mut lengths = headers.get_all(CONTENT_LENGTH).into_iter();
    let mut codings = headers.get_all(TRANSFER_ENCODING).into_iter();
    match (lengths.next(), codings.next()) {
        (None, None) => true,
        (Some(length), None) => lengths.next().is_none() && is_number(length.as_bytes()),
        (None, Some(coding)) => codings.next().is_none() && coding.as_bytes().eq_ignore_ascii_case(b"chunked"),
        (Some(_), Some(_)) => false,
    }
}

fn is_number(text: &[u8]) -> bool {
    (1..=19).contains(&text.len()) && text.iter().all(u8::is_ascii_digit)
}

/// What the parsed head does not show: how lines end, spellings of names, lengths that were dropped.
fn raw_is_sound(raw: &[u8], version: Version) -> bool {
    let Some(raw) = raw.strip_suffix(b"\n\r\n") else { return false };
    let mut lines = raw.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").filter(|line| !line.contains(&b'\r')));
    let is_request_line = lines.next().flatten().is_some_and(is_request_line);
    is_request_line && lines_are_sound(lines, version)
}

/// Three words with one space between them, and no fragment (RFC 9112 §3): what stands in the target travels as it came, so
/// it may hold neither a space nor a control character.
fn is_request_line(line: &[u8]) -> bool {
    let words = line.split(|byte| *byte == b' ').count();
    words == 3 && !line.iter().any(|byte| byte.is_ascii_control() || *byte == b'#')
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

fn lines_are_sound<'a>(lines: impl Iterator<Item = Option<&'a [u8]>>, version: Version) -> bool {
    let (mut lengths, mut codings) = (0_usize, 0_usize);
    for line in lines {
        let name = line.and_then(|line| line.split(|byte| *byte == b':').next());
        let Some(name) = name.filter(|name| is_token(name)) else { return false };
        lengths += usize::from(name.eq_ignore_ascii_case(b"content-length"));
        codings += usize::from(name.eq_ignore_ascii_case(b"transfer-encoding"));
    }
    lengths + codings <= 1 && (codings == 0 || version != Version::HTTP_10)
}

/// RFC 9110 §5.6.2.
fn is_token(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
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
        check(Head { method: &method, version, target: target.as_bytes(), headers: &headers, raw: Some(raw.as_bytes()) })
    }

    fn with(lines: &str) -> Result<(), Problem> {
        verdict(&format!("POST /x HTTP/1.1\r\nHost: a.example\r\n{lines}\r\n"))
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
        assert_eq!(with("Content-Length: 3\r\n"), Ok(()));
        assert_eq!(with("Transfer-Encoding: Chunked\r\n"), Ok(()));
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
            "GET http://b.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n",
            "GET ftp://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n",
            "GET a.example HTTP/1.1\r\nHost: a.example\r\n\r\n",
            "GET * HTTP/1.1\r\nHost: a.example\r\n\r\n",
            "GET /x#y HTTP/1.1\r\nHost: a.example\r\n\r\n",
            "get / HTTP/1.1\r\nHost: a.example\r\n\r\n",
        ] {
            assert_eq!(verdict(raw), MALFORMED, "{raw}");
        }
    }

    #[test]
    fn a_body_has_one_length() {
        for lines in [
            "Content-Length: 3\r\nContent-Length: 3\r\n",
            "Content-Length: 3, 3\r\n",
            "Content-Length: +3\r\n",
            "Content-Length: \r\n",
            "Content-Length: 99999999999999999999\r\n",
            "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
            "Transfer-Encoding: identity\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        ] {
            assert_eq!(with(lines), MALFORMED, "{lines}");
        }
        assert_eq!(verdict("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"), MALFORMED);
    }

    #[test]
    fn a_dropped_length_is_seen_in_the_lines() {
        let headers: HeaderMap =
            [(HOST, HeaderValue::from_static("a")), (TRANSFER_ENCODING, HeaderValue::from_static("chunked"))].into_iter().collect();
        let raw = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n";
        let head = Head { method: &Method::POST, version: Version::HTTP_11, target: b"/", headers: &headers, raw: Some(raw) };
        assert_eq!(check(head), MALFORMED);
    }

    #[test]
    fn lines_end_in_one_way_and_begin_with_a_name() {
        for lines in ["A: 1\n", "A: 1\r\r\n", "A: 1\n\r\n", "A : 1\r\n", ": 1\r\n", " folded\r\n", "A\"B: 1\r\n", "(A): 1\r\n"] {
            assert_eq!(with(lines), MALFORMED, "{lines:?}");
        }
    }

    #[test]
    fn tunnels_and_echoes_are_not_forwarded() {
        assert_eq!(verdict("CONNECT a.example:443 HTTP/1.1\r\nHost: a.example\r\n\r\n"), Err(Problem::Refused(Refusal::MethodNotAllowed)));
        assert_eq!(verdict("TRACE / HTTP/1.1\r\nHost: a.example\r\n\r\n"), Err(Problem::Refused(Refusal::MethodNotAllowed)));
    }

    #[test]
    fn a_target_is_one_word_of_visible_characters() {
        for line in ["GET /a b HTTP/1.1", "GET  /a HTTP/1.1", "GET /a  HTTP/1.1", "GET /a?\u{1} HTTP/1.1", "GET /a\t HTTP/1.1"] {
            assert!(!is_request_line(line.as_bytes()), "{line:?}");
        }
        assert!(is_request_line("GET /ü?a=b HTTP/1.1".as_bytes()));
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
    fn heads_have_borders() {
        let lines = |count: usize| "X-Line: 1\r\n".repeat(count);
        assert_eq!(with(&lines(99)), Ok(()));
        assert_eq!(with(&lines(100)), Err(Problem::HeadTooLarge));
        let empty = "POST /x HTTP/1.1\r\nHost: a.example\r\nA: \r\n\r\n".len();
        assert_eq!(with(&format!("A: {}\r\n", "a".repeat(LARGEST_HEAD - empty))), Ok(()));
        assert_eq!(with(&format!("A: {}\r\n", "a".repeat(LARGEST_HEAD - empty + 1))), Err(Problem::HeadTooLarge));
    }

    #[test]
    fn a_target_that_is_no_text_is_refused() {
        let headers: HeaderMap = [(HOST, HeaderValue::from_static("a"))].into_iter().collect();
        let head = Head { method: &Method::GET, version: Version::HTTP_11, target: b"/\xff", headers: &headers, raw: None };
        assert_eq!(check(head), MALFORMED);
    }
}
