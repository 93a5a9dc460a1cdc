//! The head of a request, as it arrived: whether its lines can be read in one way only, and how its body is framed
//! (RFC 9112 §§2.2, 3, 5, 6).
//!
//! The framework reads heads leniently: it drops a Content-Length beside a Transfer-Encoding, takes a bare LF for a line's end,
//! cuts a fragment off, and answers what it cannot read in words of its own. So it is given only what passes here.

use memchr::{memchr, memchr_iter};

use super::framing::{Framing, is_text};
use crate::admission::Refusal;
use crate::endpoint::Problem;
use crate::gateway::head::must_be_ascii;

/// The largest head that is read, in bytes.
pub(super) const LARGEST: usize = 32 * 1024;
/// The most fields that a head may have.
const MOST_FIELDS: usize = 100;

const MALFORMED: Problem = Problem::Refused(Refusal::Malformed);

/// The length of the head at the beginning of `bytes`, with its empty line; none where it is not whole.
///
/// # Errors
/// [`Refusal::Malformed`] for a line that ends in another way than CRLF, [`Problem::HeadTooLarge`] past 32 KiB.
pub(super) fn length(bytes: &[u8], looked_at: usize) -> Result<Option<usize>, Problem> {
    let from = looked_at.saturating_sub(3);
    for place in memchr_iter(b'\n', bytes.get(from..).unwrap_or_default()).map(|place| from + place) {
        let line = bytes.get(..place).unwrap_or_default();
        if !line.ends_with(b"\r") {
            return Err(MALFORMED);
        }
        if line.ends_with(b"\r\n\r") {
            return if place < LARGEST { Ok(Some(place + 1)) } else { Err(Problem::HeadTooLarge) };
        }
    }
    if bytes.len() >= LARGEST { Err(Problem::HeadTooLarge) } else { Ok(None) }
}

/// What a head says of the connection that it came on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Said {
    /// How what follows is framed.
    pub framing: Framing,
    /// How many fields it has, where it is plain: HTTP/1.1, for a path, without a body, and with nothing to say to the
    /// connection but whether that stays, or becomes a tunnel.
    pub plain: Option<usize>,
}

/// What this head says of its connection.
///
/// # Errors
/// [`Refusal::Malformed`] where two servers could read it in two ways, [`Problem::HeadTooLarge`] past 100 fields.
pub(super) fn read(head: &[u8]) -> Result<Said, Problem> {
    let mut rest = head.strip_suffix(b"\r\n").ok_or(MALFORMED)?;
    let first = line(&mut rest).and_then(RequestLine::read).ok_or(MALFORMED)?;
    let mut fields = Fields::default();
    while !rest.is_empty() {
        fields.count += 1;
        if fields.count > MOST_FIELDS {
            return Err(Problem::HeadTooLarge);
        }
        line(&mut rest).and_then(|line| fields.add(line)).ok_or(MALFORMED)?;
    }
    if !first.is_for(fields.host) {
        return Err(MALFORMED);
    }
    let framing = fields.framing(&first).ok_or(MALFORMED)?;
    let is_framed_plainly = if fields.asks_for_tunnel { framing == Framing::Tunnel } else { framing == Framing::Length(0) };
    let is_plain = first.is_plain() && !fields.is_of_the_hop && is_framed_plainly;
    Ok(Said { framing, plain: is_plain.then_some(fields.count) })
}

/// Take the next line off, without its CRLF.
fn line<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (line, next) = rest.split_at_checked(memchr(b'\n', rest)?)?;
    *rest = next.get(1..)?;
    line.strip_suffix(b"\r")
}

/// The first line.
struct RequestLine<'a> {
    target: &'a [u8],
    is_connect: bool,
    is_old: bool,
}

impl<'a> RequestLine<'a> {
    /// A method, a target and a version with one space between them (RFC 9112 §3). The target travels as it came: it is text, and
    /// holds neither a control character nor a fragment.
    fn read(line: &'a [u8]) -> Option<Self> {
        let mut words = line.split(|byte| *byte == b' ');
        let (method, target, version) = (words.next()?, words.next()?, words.next()?);
        let is_old = version == b"HTTP/1.0";
        let is_ours = is_old || version == b"HTTP/1.1";
        let is_sound = words.next().is_none() && is_ours && is_text_of_a_target(target) && is_token(method);
        is_sound.then_some(Self { target, is_connect: method == b"CONNECT", is_old })
    }

    /// Is it for a path, in the version that all speak?
    fn is_plain(&self) -> bool {
        !self.is_connect && !self.is_old && self.target.starts_with(b"/")
    }

    /// Does an absolute target name the same server as the field `Host`? In the same letters, as the framework has it.
    fn is_for(&self, host: Option<&[u8]>) -> bool {
        if self.is_connect || self.target.starts_with(b"/") || self.target == b"*" {
            return true;
        }
        let authority = std::str::from_utf8(self.target).ok().and_then(authority);
        authority.is_some_and(|authority| host == Some(authority.as_bytes()))
    }
}

/// The authority of an absolute http(s) target.
fn authority(target: &str) -> Option<&str> {
    let (scheme, rest) = target.split_once("://")?;
    let is_web = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    is_web.then(|| rest.split(['/', '?']).next().unwrap_or_default())
}

/// What is looked for in the fields.
#[derive(Default)]
struct Fields<'a> {
    count: usize,
    host: Option<&'a [u8]>,
    length: Option<u64>,
    is_chunked: bool,
    is_tunnel: bool,
    /// `Connection` says that it is about `Upgrade`.
    asks_for_tunnel: bool,
    /// One of them is for this connection alone, or says how a body is framed.
    is_of_the_hop: bool,
}

/// Fields that are for one connection (RFC 9110 §7.6.1), or that frame a body.
const OF_THE_HOP: [&[u8]; 10] = [
    b"te",
    b"expect",
    b"trailer",
    b"keep-alive",
    b"http2-settings",
    b"content-length",
    b"proxy-connection",
    b"transfer-encoding",
    b"proxy-authenticate",
    b"proxy-authorization",
];

impl<'a> Fields<'a> {
    /// One more line; none where it is no field, or is there twice and must not be.
    fn add(&mut self, line: &'a [u8]) -> Option<()> {
        let colon = line.iter().position(|byte| !is_token_byte(*byte)).filter(|colon| *colon > 0)?;
        let (name, value) = (line.get(..colon)?, line.get(colon..)?.strip_prefix(b":")?);
        // All of it, without a way out: so many bytes are looked at in one step.
        if value.iter().fold(false, |odd, byte| odd | !is_text(*byte)) {
            return None;
        }
        // Nothing but blanks is left to trim.
        let value = value.trim_ascii();
        if !value.is_ascii() && must_be_ascii(name, value) {
            return None;
        }
        self.say_of_the_hop(name, value);
        if name.eq_ignore_ascii_case(b"host") {
            // The framework has words of its own for a user there.
            if value.contains(&b'@') {
                return None;
            }
            return self.host.replace(value).is_none().then_some(());
        }
        if name.eq_ignore_ascii_case(b"content-length") {
            return self.length.replace(number(value)?).is_none().then_some(());
        }
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            let again = std::mem::replace(&mut self.is_chunked, true);
            // Some servers know it in these letters alone.
            return (!again && value == b"chunked").then_some(());
        }
        Some(())
    }

    /// What the field says of this connection.
    fn say_of_the_hop(&mut self, name: &[u8], value: &[u8]) {
        if name.eq_ignore_ascii_case(b"connection") {
            let is_of = |option: &[u8], words: &[&[u8]]| words.iter().any(|word| option.trim_ascii().eq_ignore_ascii_case(word));
            let is_simple = is_of(value, &[b"keep-alive", b"close"]);
            let mut options = value.split(|byte| *byte == b',');
            let is_about_upgrade = !is_simple && options.all(|option| is_of(option, &[b"keep-alive", b"upgrade"]));
            self.asks_for_tunnel |= is_about_upgrade;
            self.is_of_the_hop |= !is_simple && !is_about_upgrade;
        } else if name.eq_ignore_ascii_case(b"upgrade") {
            let is_websocket = value.eq_ignore_ascii_case(b"websocket");
            self.is_of_the_hop |= self.is_tunnel || !is_websocket;
            self.is_tunnel |= is_websocket;
        } else {
            self.is_of_the_hop |= OF_THE_HOP.iter().any(|of| name.eq_ignore_ascii_case(of));
        }
    }

    /// At most one of the two lengths (RFC 9112 §6.1), and no chunks in HTTP/1.0.
    const fn framing(&self, first: &RequestLine<'_>) -> Option<Framing> {
        match (self.length, self.is_chunked) {
            (Some(_), true) => None,
            (None, true) if first.is_old => None,
            (None, true) => Some(Framing::CHUNKED),
            (Some(length), false) => Some(Framing::Length(length)),
            (None, false) if self.is_tunnel => Some(Framing::Tunnel),
            (None, false) => Some(Framing::Length(0)),
        }
    }
}

/// Is it text, and such as the framework reads? It takes a few marks that no URL may hold (RFC 3986 §2), and not these.
fn is_text_of_a_target(target: &[u8]) -> bool {
    let (path, query) = target.split_at(target.iter().position(|byte| *byte == b'?').unwrap_or(target.len()));
    let is_mark = |byte: &u8| byte.is_ascii_control() || b"#<>".contains(byte);
    let has_marks = target.iter().any(is_mark) || path.contains(&b'`') || query.contains(&b'"');
    !target.is_empty() && !has_marks && std::str::from_utf8(target).is_ok()
}

/// Decimal digits alone, at most 19.
fn number(text: &[u8]) -> Option<u64> {
    let is_plain = (1..=19).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(text).ok().filter(|_| is_plain)?.parse().ok()
}

/// RFC 9110 §5.6.2.
fn is_token(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| is_token_byte(*byte))
}

/// The same, of one byte.
pub(super) const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_lowercase()
        || matches!(byte, b'A'..=b'Z' | b'0'..=b'9')
        || matches!(byte, b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(head: &str) -> Result<Framing, Problem> {
        said(head).map(|said| said.framing)
    }

    fn said(head: &str) -> Result<Said, Problem> {
        let length = length(head.as_bytes(), 0)?.ok_or(Problem::RequestTimeout)?;
        read(&head.as_bytes()[..length])
    }

    fn with(lines: &str) -> Result<Framing, Problem> {
        verdict(&format!("POST /x HTTP/1.1\r\nHost: a.example\r\n{lines}\r\n"))
    }

    #[test]
    fn ordinary_heads_pass() {
        for head in [
            "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n",
            "GET / HTTP/1.0\r\n\r\n",
            "GET http://a.example/x?y HTTP/1.1\r\nHost: a.example\r\n\r\n",
            "GET HTTP://a.example HTTP/1.1\r\nHost: a.example\r\n\r\n",
            "OPTIONS * HTTP/1.1\r\nHost: a.example\r\n\r\n",
            "VERSION-CONTROL /dav HTTP/1.1\r\nHost: a.example\r\n\r\n",
            "GET /größe/%2F?q=ü HTTP/1.1\r\nHost: a.example\r\nX:\r\nY:\t ü \r\n\r\n",
            "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n",
        ] {
            assert_eq!(verdict(head), Ok(Framing::Length(0)), "{head}");
        }
        assert_eq!(with("Content-Length: 3\r\n"), Ok(Framing::Length(3)));
        assert_eq!(with("Transfer-Encoding: chunked\r\n"), Ok(Framing::CHUNKED));
        assert_eq!(with("Connection: Upgrade\r\nUpgrade: WebSocket\r\n"), Ok(Framing::Tunnel));
        assert_eq!(with("Connection: Upgrade\r\nUpgrade: h2c\r\n"), Ok(Framing::Length(0)));
    }

    #[test]
    fn a_body_has_one_length() {
        for lines in [
            "Content-Length: 3\r\nContent-Length: 3\r\n",
            "Content-Length: 3, 3\r\n",
            "Content-Length: +3\r\n",
            "Content-Length: 0x3\r\n",
            "Content-Length: \r\n",
            "Content-Length: 99999999999999999999\r\n",
            "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
            "Transfer-Encoding: Chunked\r\n",
            "Transfer-Encoding: CHUNKED\r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
            "Transfer-Encoding: chunked, identity\r\n",
            "Transfer-Encoding: identity\r\n",
            "Transfer-Encoding: \"chunked\"\r\n",
            "Transfer-Encoding: \u{b}chunked\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        ] {
            assert_eq!(with(lines), Err(MALFORMED), "{lines}");
        }
        assert_eq!(verdict("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"), Err(MALFORMED));
    }

    #[test]
    fn lines_end_in_one_way_and_begin_with_a_name() {
        for lines in [
            "A: 1\n",
            "A: 1\r\r\n",
            "A: 1\n\r\n",
            "A: \r1\r\n",
            "A: \u{0}\r\n",
            "A : 1\r\n",
            ": 1\r\n",
            "A\r\n",
            " folded\r\n",
            "\tfolded\r\n",
            "A\"B: 1\r\n",
            "(A): 1\r\n",
            "Ä: 1\r\n",
            "Host: a.example\r\n",
            "Host: u@a.example\r\n",
        ] {
            assert_eq!(with(lines), Err(MALFORMED), "{lines:?}");
        }
    }

    #[test]
    fn a_request_line_is_three_words() {
        for line in [
            "GET /a b HTTP/1.1",
            "GET  /a HTTP/1.1",
            "GET /a  HTTP/1.1",
            " GET /a HTTP/1.1",
            "GET /a HTTP/1.1 ",
            "GET /a",
            "GET",
            "",
            "GET /a?\u{1} HTTP/1.1",
            "GET /a\t HTTP/1.1",
            "GET /a#b HTTP/1.1",
            "GET /a HTTP/1.2",
            "GET /a HTTP/2.0",
            "GET /a http/1.1",
            "GET /a HTP/1.1",
            "G(T /a HTTP/1.1",
            "GET http://b.example/ HTTP/1.1",
            "GET http://A.example/ HTTP/1.1",
            "GET http://u@a.example/ HTTP/1.1",
            "GET ftp://a.example/ HTTP/1.1",
            "GET a.example HTTP/1.1",
        ] {
            assert_eq!(verdict(&format!("{line}\r\nHost: a.example\r\n\r\n")), Err(MALFORMED), "{line:?}");
        }
    }

    #[test]
    fn a_target_passes_where_the_framework_reads_it() {
        for byte in (0..=0x7f).filter(|byte| !matches!(byte, b' ' | b'#')) {
            for target in [[b'/', byte, b'x'], [b'/', b'?', byte]] {
                let is_read = pingora::http::RequestHeader::build("GET", &target, None).is_ok();
                assert_eq!(is_text_of_a_target(&target), is_read, "{:?}", String::from_utf8_lossy(&target));
            }
        }
    }

    #[test]
    fn plain_is_what_has_nothing_to_say_to_a_connection() {
        let plain = |head: &str| said(head).unwrap().plain;
        let with = |lines: &str| plain(&format!("GET /x HTTP/1.1\r\nHost: a\r\n{lines}\r\n"));
        assert_eq!(with(""), Some(1));
        assert_eq!(with("Connection: Keep-Alive\r\nCookie: a=b\r\n"), Some(3));
        assert_eq!(with("connection: close\r\n"), Some(2));
        for lines in [
            "Connection: x-forwarded-for\r\n",
            "Connection: close, te\r\n",
            "Connection: \r\n",
            "TE: trailers\r\n",
            "Expect: 100-continue\r\n",
            "Trailer: a\r\n",
            "Upgrade: h2c\r\n",
            "Keep-Alive: timeout=5\r\n",
            "HTTP2-Settings: a\r\n",
            "Content-Length: 0\r\n",
            "Content-Length: 1\r\n",
            "Transfer-Encoding: chunked\r\n",
            "Proxy-Connection: close\r\n",
            "Proxy-Authenticate: a\r\n",
            "Proxy-Authorization: a\r\n",
            "Upgrade: websocket\r\n",
            "Connection: Upgrade\r\n",
            "Connection: Upgrade\r\nUpgrade: h2c\r\n",
            "Connection: Upgrade, x\r\nUpgrade: websocket\r\n",
            "Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n",
            "Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n",
            "Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: websocket\r\n",
            "Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 0\r\n",
        ] {
            assert_eq!(with(lines), None, "{lines}");
        }
        assert_eq!(with("Connection: Upgrade\r\nUpgrade: websocket\r\n"), Some(3));
        assert_eq!(with("Connection: keep-alive, upgrade\r\nUpgrade: WebSocket\r\n"), Some(3));
        for line in ["GET / HTTP/1.0", "GET http://a/ HTTP/1.1", "OPTIONS * HTTP/1.1", "CONNECT a HTTP/1.1"] {
            assert_eq!(plain(&format!("{line}\r\nHost: a\r\n\r\n")), None, "{line}");
        }
    }

    #[test]
    fn heads_have_borders() {
        let lines = |count: usize| "X-Line: 1\r\n".repeat(count);
        assert!(with(&lines(99)).is_ok());
        assert_eq!(with(&lines(100)), Err(Problem::HeadTooLarge));
        let empty = "POST /x HTTP/1.1\r\nHost: a.example\r\nA: \r\n\r\n".len();
        assert!(with(&format!("A: {}\r\n", "a".repeat(LARGEST - empty))).is_ok());
        assert_eq!(with(&format!("A: {}\r\n", "a".repeat(LARGEST - empty + 1))), Err(Problem::HeadTooLarge));
        assert_eq!(length(&vec![b'a'; LARGEST], 0), Err(Problem::HeadTooLarge));
    }

    #[test]
    fn the_end_of_a_head_is_found_wherever_it_was_cut() {
        let head = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nrest";
        for cut in 0..head.len() {
            let found = length(&head[..cut], 0).unwrap();
            assert_eq!(found, (cut >= head.len() - 4).then_some(head.len() - 4), "{cut}");
            assert_eq!(length(head, cut.min(head.len() - 4)).unwrap(), Some(head.len() - 4), "{cut}");
        }
    }
}
