//! Strict heads: whom and what a request asks for, and which of it we pass on (RFC 9110 §§9, 7.2, 7.8; RFC 9112 §3.2).
//!
//! Under HTTP/1 its lines and its framing were found sound before the framework parsed it ([`super::wire`]); under HTTP/2 the
//! framework has, and what it lets pass is refused here (RFC 9113 §8.2).

use http::header::{CONNECTION, CONTENT_LENGTH, COOKIE, HOST, HeaderMap, TRANSFER_ENCODING, UPGRADE};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Version};
use pingora::protocols::http::ServerSession;

use super::client::is_host;
use crate::admission::Refusal;
use crate::cookie;
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

/// The most fields that a head may have; under HTTP/1 they were counted before.
const MOST_FIELDS: usize = 100;

/// Has a head of HTTP/2 say what it says in the form of HTTP/1, for us and for the app: the host in `Host` (RFC 9113 §8.3.1), all
/// cookies in one line (§8.2.3). Where there are two hosts, the framework has found them equal.
pub(super) fn unfold(session: &mut ServerSession) {
    let request = session.req_header_mut();
    if request.version != Version::HTTP_2 {
        return;
    }
    let named = request.uri.authority().filter(|_| !request.headers.contains_key(HOST)).map(ToString::to_string);
    let cookies = cookies(&request.headers);
    for (name, value) in named.map(|host| (HOST, host.into_bytes())).into_iter().chain(cookies.map(|cookies| (COOKIE, cookies))) {
        // Both were values of headers. Were they none, there would be no Host, and the request is refused.
        drop(request.insert_header(name, value));
    }
}

/// The cookies in one line, where they came in several.
fn cookies(headers: &HeaderMap) -> Option<Vec<u8>> {
    let all: Vec<&[u8]> = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    (all.len() > 1).then(|| all.join(&b"; "[..]))
}

/// Refuses a session's head that cannot be read in one way only; the errors are those of [`check`].
pub(super) fn strict(session: &ServerSession) -> Result<(), Problem> {
    let request = session.req_header();
    if request.version == Version::HTTP_2 && request.uri.scheme().is_some_and(|scheme| scheme != "https" && scheme != "http") {
        return Err(Problem::Refused(Refusal::Malformed));
    }
    check(Head { method: &request.method, version: request.version, target: request.raw_path(), headers: &request.headers })
}

/// Does [`check`] find nothing in a head that its wire has found plain? It is for a path then, and has no length.
pub(super) fn is_sound(head: &Parts) -> bool {
    let is_forwarded = !matches!(head.method, Method::CONNECT | Method::TRACE) && is_method(&head.method);
    is_forwarded && has_one_host(&head.headers) && !is_odd_upgrade(&head.method, head.version, &head.headers)
}

/// Refuses what cannot be read in one way only.
///
/// # Errors
/// [`Refusal::MethodNotAllowed`] for CONNECT and TRACE, [`Problem::HeadTooLarge`] past 100 fields, [`Refusal::Malformed`] for the
/// rest.
fn check(head: Head<'_>) -> Result<(), Problem> {
    if *head.method == Method::CONNECT || *head.method == Method::TRACE {
        return Err(Problem::Refused(Refusal::MethodNotAllowed));
    }
    if head.headers.len() > MOST_FIELDS {
        return Err(Problem::HeadTooLarge);
    }
    let is_odd = |(name, value): (&HeaderName, &HeaderValue)| {
        !is_trimmed(value) || (!value.as_bytes().is_ascii() && must_be_ascii(name.as_str().as_bytes(), value.as_bytes()))
    };
    let is_whole = head.version != Version::HTTP_2 || !head.headers.iter().any(is_odd);
    let is_sound = is_whole
        && is_method(head.method)
        && has_one_host(head.headers)
        && has_one_length(head.headers)
        && nominates_soundly(head.headers)
        && is_target(&head)
        && !is_odd_upgrade(head.method, head.version, head.headers);
    if is_sound { Ok(()) } else { Err(Problem::Refused(Refusal::Malformed)) }
}

/// Is this a field that we read, whose value then has no byte beyond ASCII? One that has could be read in two ways. What belongs to
/// the app may hold what it likes: credentials of schemes that are not ours, its cookies.
pub(super) fn must_be_ascii(name: &[u8], value: &[u8]) -> bool {
    let begins = |text: &[u8], with: &[u8]| text.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
    if name.eq_ignore_ascii_case(b"authorization") {
        return begins(value, b"bearer") || begins(value, b"basic");
    }
    if name.eq_ignore_ascii_case(b"cookie") {
        return cookie::has_odd_ours(value);
    }
    let ours: [&[u8]; 4] = [b"forwarded", b"origin", b"x-real-ip", b"x-request-id"];
    let families: [&[u8]; 4] = [b"x-forwarded-", b"remote-", b"x-auth-request-", b"x-doorward-"];
    ours.iter().any(|one| name.eq_ignore_ascii_case(one)) || families.iter().any(|family| begins(name, family))
}

/// Methods are case-sensitive (RFC 9110 §9.1), apps are not always: `get` is one to some and none to others.
fn is_method(method: &Method) -> bool {
    method.as_str().bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || b"-_".contains(&byte))
}

/// A value neither begins nor ends with a blank (RFC 9113 §8.2.1): HTTP/1 would lose it.
fn is_trimmed(value: &HeaderValue) -> bool {
    let is_blank = |byte: Option<&u8>| byte.is_some_and(|byte| *byte == b' ' || *byte == b'\t');
    !is_blank(value.as_bytes().first()) && !is_blank(value.as_bytes().last())
}

/// One length at most: HTTP/2 carries the same one twice, and HTTP/1 must not (RFC 9112 §6.3).
fn has_one_length(headers: &HeaderMap) -> bool {
    headers.get_all(CONTENT_LENGTH).into_iter().count() <= 1
}

/// The framework refuses to forward a request that nominates in `Connection` what says for whom it is, what is no token, or too
/// much. It is refused here, before an app is reached.
fn nominates_soundly(headers: &HeaderMap) -> bool {
    const TOO_MANY: usize = 10;
    const FOR_WHOM: [&[u8]; 4] = [b"host", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto"];
    let is_token = |option: &[u8]| option.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte));
    let lines = headers.get_all(CONNECTION).iter();
    let options = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii));
    let mut options = options.filter(|option| !option.is_empty()).enumerate();
    options.all(|(nth, option)| nth + 1 < TOO_MANY && is_token(option) && !FOR_WHOM.iter().any(|name| option.eq_ignore_ascii_case(name)))
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
fn is_odd_upgrade(method: &Method, version: Version, headers: &HeaderMap) -> bool {
    if !headers.contains_key(UPGRADE) {
        return false;
    }
    let one = |name: &str, fits: fn(&[u8]) -> bool| {
        let mut all = headers.get_all(name).into_iter();
        all.next().is_some_and(|value| fits(value.as_bytes())) && all.next().is_none()
    };
    let named = |value: &[u8]| value.eq_ignore_ascii_case(b"websocket");
    if !headers.get_all(UPGRADE).iter().any(|value| named(value.as_bytes())) {
        // Another protocol: the framework drops the offer, and the request is an ordinary one.
        return false;
    }
    let nominated = headers
        .get_all(CONNECTION)
        .iter()
        .any(|value| value.as_bytes().split(|byte| *byte == b',').any(|option| option.trim_ascii().eq_ignore_ascii_case(b"upgrade")));
    let bare = !headers.contains_key(CONTENT_LENGTH) && !headers.contains_key(TRANSFER_ENCODING);
    let handshake = one("sec-websocket-key", |key| !key.is_empty()) && one("sec-websocket-version", |version| version == b"13");
    let plain = *method == Method::GET && version == Version::HTTP_11 && one("upgrade", |value| value.eq_ignore_ascii_case(b"websocket"));
    !(nominated && bare && handshake && plain)
}

#[cfg(test)]
mod tests {
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
    fn a_length_is_said_once() {
        let twice = "POST / HTTP/2\r\nHost: a.example\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n";
        assert_eq!(verdict(twice), MALFORMED);
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
    fn nobody_nominates_for_whom_a_request_is() {
        let with = |lines: &str| verdict(&format!("GET / HTTP/1.1\r\nHost: a.example\r\n{lines}\r\n"));
        let most = format!("Connection: {}\r\n", ["a"; 9].join(", "));
        for lines in ["Connection: close\r\n", "Connection: , X-Hop,,keep-alive\r\n", &most] {
            assert_eq!(with(lines), Ok(()), "{lines}");
        }
        let more = format!("Connection: {}\r\nConnection: b\r\n", ["a"; 9].join(","));
        for lines in
            ["Connection: Host\r\n", "Connection: close, X-Forwarded-For\r\n", "Connection: :path\r\n", "Connection: a b\r\n", &more]
        {
            assert_eq!(with(lines), MALFORMED, "{lines}");
        }
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
    fn what_http_2_may_not_carry_is_refused() {
        let check = |lines: &[(&'static str, &'static str)], target: &str| {
            let headers = lines.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
            let headers: HeaderMap = [(HOST, HeaderValue::from_static("a"))].into_iter().chain(headers).collect();
            check(Head { method: &Method::GET, version: Version::HTTP_2, target: target.as_bytes(), headers: &headers })
        };
        assert_eq!(check(&[("x", "a b"), ("y", "")], "/"), Ok(()));
        for value in [" a", "a ", "\ta", "a\t", " "] {
            assert_eq!(check(&[("x", value)], "/"), MALFORMED, "{value:?}");
        }
        for target in ["", "admin", "*", "?x"] {
            assert_eq!(check(&[], target), MALFORMED, "{target:?}");
        }
        assert_eq!(check(&[("x", "1"); 99], "/"), Ok(()));
        assert_eq!(check(&[("x", "1"); 100], "/"), Err(Problem::HeadTooLarge));
    }

    #[test]
    fn what_we_read_is_ascii_and_what_an_app_reads_is_what_it_likes() {
        let odd = |name: &str, value: &str| must_be_ascii(name.as_bytes(), value.as_bytes());
        for (name, value) in [
            ("Authorization", "Bearer é"),
            ("authorization", "BASIC é"),
            ("Cookie", "a=b; __Host-doorward_access=é"),
            ("cookie", "Doorward_Refresh=\u{80}; a=ü"),
            ("X-Forwarded-For", "é"),
            ("forwarded", "for=é"),
            ("X-Doorward-Assertion", "é"),
            ("Remote-User", "é"),
        ] {
            assert!(odd(name, value), "{name}: {value}");
        }
        for (name, value) in
            [("Authorization", "Digest username=\"müller\""), ("Cookie", "a=ü; doorward_access=x"), ("X-Title", "é"), ("Accept", "é")]
        {
            assert!(!odd(name, value), "{name}: {value}");
        }
    }

    #[test]
    fn cookies_that_came_apart_are_one_line() {
        let lines = |all: &[&'static str]| -> HeaderMap { all.iter().map(|line| (COOKIE, HeaderValue::from_static(line))).collect() };
        assert_eq!(cookies(&lines(&["a=1", "b=2", "c=3"])).as_deref(), Some(&b"a=1; b=2; c=3"[..]));
        assert_eq!(cookies(&lines(&["a=1; b=2"])), None);
        assert_eq!(cookies(&lines(&[])), None);
    }

    #[test]
    fn a_target_that_is_no_text_is_refused() {
        let headers: HeaderMap = [(HOST, HeaderValue::from_static("a"))].into_iter().collect();
        let head = Head { method: &Method::GET, version: Version::HTTP_11, target: b"/\xff", headers: &headers };
        assert_eq!(check(head), MALFORMED);
    }
}
