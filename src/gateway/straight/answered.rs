//! The head of a response, as an app has written it, and the one that the client gets instead.
//!
//! Apps are read as the framework reads them, leniently: folded lines, a blank before a colon, several equal lengths. The client
//! gets what can be read in one way only. What is taken off and what is set is the same as in [`crate::gateway::edit`].

use std::mem::MaybeUninit;

use http::header::{CACHE_CONTROL, SET_COOKIE, STRICT_TRANSPORT_SECURITY};
use http::{HeaderValue, StatusCode};
use httparse::{ParserConfig, Status};
use pingora::protocols::http::date::get_cached_date;

use super::asked::spelled;
use super::body::{Body, Unsound};
use crate::admission::Admitted;
use crate::cookie;
use crate::gateway::context::RequestContext;
use crate::gateway::edit::{self, LARGEST_HEAD};

/// The most fields that a head may have.
const MOST_FIELDS: usize = 256;
/// Room for what is set, in bytes.
const ROOM: usize = 256;

/// A response's head.
#[derive(Debug)]
pub(super) struct Answered {
    /// Its status.
    pub status: StatusCode,
    /// So many bytes long it was.
    pub length: usize,
    /// What the client gets.
    pub text: Vec<u8>,
    /// How its body is framed.
    pub body: Body,
    /// The app's connection can be used again once the body is over.
    pub keeps_line: bool,
    /// Is it an event stream?
    pub is_event_stream: bool,
}

/// Whom it is for.
pub(super) struct Asker<'a> {
    /// The request.
    pub ctx: &'a RequestContext,
    /// Was it a `HEAD`?
    pub is_head: bool,
    /// Did it ask for a tunnel?
    pub upgrades: bool,
    /// What `Strict-Transport-Security` says on this connection.
    pub hsts: Option<&'a HeaderValue>,
    /// Does the connection stay?
    pub keeps: bool,
}

impl Answered {
    /// Of what an app has written; `None` while the head is not whole.
    ///
    /// # Errors
    /// [`Unsound`] where it cannot be read.
    pub(super) fn read(bytes: &[u8], to: &Asker<'_>) -> Result<Option<Self>, Unsound> {
        let mut room = [const { MaybeUninit::uninit() }; MOST_FIELDS];
        let mut response = httparse::Response::new(&mut []);
        let mut config = ParserConfig::default();
        config.allow_spaces_after_header_name_in_responses(true).allow_obsolete_multiline_headers_in_responses(true);
        let length = match config.parse_response_with_uninit_headers(&mut response, bytes, &mut room).map_err(|_| Unsound)? {
            Status::Complete(length) if length <= LARGEST_HEAD => length,
            Status::Partial if bytes.len() <= LARGEST_HEAD => return Ok(None),
            Status::Complete(_) | Status::Partial => return Err(Unsound),
        };
        let status = response.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or(Unsound)?;
        let reason = response.reason.filter(|reason| !reason.is_empty()).or_else(|| status.canonical_reason()).unwrap_or_default();
        let mut text = Vec::with_capacity(length + ROOM);
        for piece in ["HTTP/1.1 ", status.as_str(), " ", reason, "\r\n"] {
            text.extend_from_slice(piece.as_bytes());
        }
        let mut fields = Fields { is_old: response.version == Some(0), ..Fields::default() };
        let connection = response.headers.iter().filter(|field| field.name.eq_ignore_ascii_case("connection"));
        // A tunnel's protocol is named for the client, too: without it no browser takes the tunnel (RFC 6455 §4.1).
        let is_tunnels = |option: &[u8]| status == StatusCode::SWITCHING_PROTOCOLS && option.eq_ignore_ascii_case(b"upgrade");
        fields.nominated = connection.flat_map(|field| edit::options(field.value)).filter(|option| !is_tunnels(option)).collect();
        for field in &*response.headers {
            fields.pass_on(field.name.as_bytes(), field.value, to, &mut text)?;
        }
        fields.into_answered(status, length, text, to).map(Some)
    }

    /// Is it one of those before the response itself?
    pub(super) fn is_informational(&self) -> bool {
        self.status.is_informational() && !self.is_tunnel()
    }

    /// Does a tunnel begin?
    pub(super) fn is_tunnel(&self) -> bool {
        self.status == StatusCode::SWITCHING_PROTOCOLS
    }
}

/// What has arrived of a head, as far as it was looked at.
///
/// An app may write it byte by byte: it is not read from its beginning each time.
#[derive(Debug, Default)]
pub(super) struct Looked {
    at: usize,
    read: usize,
}

impl Looked {
    /// Is it worth reading these bytes? Their end may be there, or they are twice as many as the last time: what is no head is found
    /// early.
    pub(super) fn is_due(&mut self, bytes: &[u8]) -> bool {
        let fresh = bytes.get(self.at.saturating_sub(2)..).unwrap_or_default();
        let has_end = memchr::memchr_iter(b'\n', fresh).any(|place| {
            let after = fresh.get(place + 1..).unwrap_or_default();
            after.starts_with(b"\n") || after.starts_with(b"\r\n")
        });
        self.at = bytes.len();
        let is_due = has_end || bytes.len() >= 2 * self.read || bytes.len() > LARGEST_HEAD;
        if is_due {
            self.read = bytes.len();
        }
        is_due
    }
}

/// What is looked for in the fields.
#[derive(Debug, Default)]
struct Fields<'a> {
    is_old: bool,
    length: Option<u64>,
    is_chunked: bool,
    /// What the app says is of its connection alone (RFC 9110 §7.6.1).
    nominated: Vec<&'a [u8]>,
    /// Whether the app closes its connection, where it says so.
    closes: Option<bool>,
    is_dated: bool,
    is_event_stream: bool,
}

impl Fields<'_> {
    /// One line: on to the client, unless it is of the connection to the app, says how the body is framed, or has one of ours in
    /// its place.
    fn pass_on(&mut self, name: &[u8], value: &[u8], to: &Asker<'_>, text: &mut Vec<u8>) -> Result<(), Unsound> {
        let is = |other: &[u8]| name.eq_ignore_ascii_case(other);
        let is_nominated = self.nominated.iter().any(|other| is(other));
        let stays = match name.len() {
            4 => {
                self.is_dated |= is(b"date") && !is_nominated;
                true
            }
            10 if is(b"connection") => {
                self.connection(value);
                false
            }
            10 if is(b"set-cookie") => !cookie::sets_ours(value),
            10 => !is(b"keep-alive"),
            12 => {
                self.is_event_stream |= is(b"content-type") && edit::names_event_stream(value);
                !is(b"x-request-id")
            }
            13 => !is(b"cache-control") || issued(to.ctx).is_none(),
            14 if is(b"content-length") => {
                self.length(value)?;
                false
            }
            16 => !is(b"proxy-connection"),
            17 if is(b"transfer-encoding") => {
                self.coding(value)?;
                false
            }
            25 => !is(b"strict-transport-security") || to.hsts.is_none(),
            _ => true,
        };
        if stays && !is_nominated {
            spelled(text, name, &straightened(value));
        }
        Ok(())
    }

    fn connection(&mut self, value: &[u8]) {
        for option in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
            if option.eq_ignore_ascii_case(b"close") {
                self.closes = Some(true);
            } else if option.eq_ignore_ascii_case(b"keep-alive") {
                self.closes.get_or_insert(false);
            }
        }
    }

    /// One or several lengths, which must be the same (RFC 9112 §6.3).
    fn length(&mut self, value: &[u8]) -> Result<(), Unsound> {
        for one in value.split(|byte| *byte == b',') {
            let number = number(one.trim_ascii()).ok_or(Unsound)?;
            if *self.length.get_or_insert(number) != number {
                return Err(Unsound);
            }
        }
        Ok(())
    }

    /// `chunked`, once: what else there may be, nobody here has undone (RFC 9112 §7).
    fn coding(&mut self, value: &[u8]) -> Result<(), Unsound> {
        let again = std::mem::replace(&mut self.is_chunked, true);
        if again || !value.trim_ascii().eq_ignore_ascii_case(b"chunked") { Err(Unsound) } else { Ok(()) }
    }

    fn into_answered(self, status: StatusCode, length: usize, mut text: Vec<u8>, to: &Asker<'_>) -> Result<Answered, Unsound> {
        if status == StatusCode::SWITCHING_PROTOCOLS {
            // Unless somebody has asked for it.
            return if to.upgrades { Ok(self.tunnel(length, text, to)) } else { Err(Unsound) };
        }
        let is_informational = status.is_informational();
        let body = if is_informational { Body::NONE } else { self.framing(status, to, &mut text) };
        // In HTTP/1.0 a connection stays where both say so, and what is not said in its own words is not believed to be whole.
        // One that has two lengths is not believed either (RFC 9112 §6.3).
        let stays = if self.is_old { self.closes == Some(false) } else { self.closes != Some(true) };
        let stays = stays && !(self.is_chunked && (self.is_old || self.length.is_some()));
        // A body behind a status that has none would be the next one's answer.
        let stays = stays && !self.announces_what_never_is(status);
        if !is_informational {
            self.set(if to.keeps { b"keep-alive" } else { b"close" }, to, &mut text);
        }
        text.extend_from_slice(b"\r\n");
        Ok(Answered { status, length, text, body, keeps_line: stays && !body.is_open(), is_event_stream: self.is_event_stream })
    }

    /// Is a body announced that a response of this status never has? After 304 a length is that of what is not sent (RFC 9110 §8.6).
    fn announces_what_never_is(&self, status: StatusCode) -> bool {
        match status {
            StatusCode::NO_CONTENT => self.is_chunked || self.length.is_some_and(|length| length > 0),
            StatusCode::NOT_MODIFIED => self.is_chunked,
            _ => false,
        }
    }

    /// The last head on its connection (RFC 9110 §15.2.2).
    fn tunnel(self, length: usize, mut text: Vec<u8>, to: &Asker<'_>) -> Answered {
        self.set(b"Upgrade", to, &mut text);
        text.extend_from_slice(b"\r\n");
        let (status, body) = (StatusCode::SWITCHING_PROTOCOLS, Body::NONE);
        Answered { status, length, text, body, keeps_line: false, is_event_stream: false }
    }

    /// How the body is framed, said to the client in one way.
    fn framing(&self, status: StatusCode, to: &Asker<'_>, text: &mut Vec<u8>) -> Body {
        let is_bare = to.is_head || status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED;
        if self.is_chunked {
            if !is_bare || to.is_head {
                spelled(text, b"Transfer-Encoding", b"chunked");
            }
            return if is_bare { Body::NONE } else { Body::CHUNKED };
        }
        match self.length {
            Some(_) if status == StatusCode::NO_CONTENT => Body::NONE,
            Some(length) => {
                spelled(text, b"Content-Length", length.to_string().as_bytes());
                if is_bare { Body::NONE } else { Body::Length(length) }
            }
            None if is_bare => Body::NONE,
            None => {
                spelled(text, b"Transfer-Encoding", b"chunked");
                Body::Open
            }
        }
    }

    /// What is ours.
    fn set(&self, connection: &[u8], to: &Asker<'_>, text: &mut Vec<u8>) {
        if !self.is_dated {
            spelled(text, b"Date", get_cached_date().as_bytes());
        }
        for cookie in issued(to.ctx).into_iter().flat_map(|issued| edit::issued_cookies(&to.ctx.live.cookies, issued)) {
            spelled(text, SET_COOKIE.as_str().as_bytes(), cookie.as_bytes());
        }
        if issued(to.ctx).is_some() {
            spelled(text, CACHE_CONTROL.as_str().as_bytes(), edit::ISSUED_CACHE_CONTROL.as_bytes());
        }
        if let Some(hsts) = to.hsts {
            spelled(text, STRICT_TRANSPORT_SECURITY.as_str().as_bytes(), hsts.as_bytes());
        }
        spelled(text, b"x-request-id", to.ctx.request_id.as_bytes());
        spelled(text, b"Connection", connection);
    }
}

fn issued(ctx: &RequestContext) -> Option<&crate::token::Issued> {
    ctx.admitted.as_ref().and_then(Admitted::issued)
}

/// A value on one line: what was folded has a blank there (RFC 9112 §5.2).
fn straightened(value: &[u8]) -> std::borrow::Cow<'_, [u8]> {
    if memchr::memchr3(b'\r', b'\n', 0, value).is_none() {
        return value.into();
    }
    let blank = |byte: &u8| if matches!(byte, b'\r' | b'\n' | 0) { b' ' } else { *byte };
    value.iter().map(blank).collect::<Vec<_>>().into()
}

/// Decimal digits alone, at most 19.
fn number(text: &[u8]) -> Option<u64> {
    let is_plain = (1..=19).contains(&text.len()) && text.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(text).ok().filter(|_| is_plain)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_that_comes_byte_by_byte_is_read_a_few_times() {
        let head = format!("HTTP/1.1 200 OK\r\n{}\r\n", "A: b\r\n".repeat(10_000));
        let mut looked = Looked::default();
        let reads = (0..=head.len()).filter(|length| looked.is_due(&head.as_bytes()[..*length])).count();
        assert!((2..25).contains(&reads), "{reads}");
    }

    #[test]
    fn the_end_of_a_head_is_seen_however_it_is_cut() {
        for head in ["HTTP/1.1 200 OK\r\nA: b\r\n\r\n", "HTTP/1.1 200 OK\nA: b\n\n", "HTTP/1.1 200 OK\r\nA: b\n\r\n"] {
            for (first, second) in (1..head.len()).flat_map(|first| (first..head.len()).map(move |second| (first, second))) {
                let mut looked = Looked::default();
                for length in [first, second] {
                    looked.is_due(&head.as_bytes()[..length]);
                }
                assert!(looked.is_due(head.as_bytes()), "{head:?} {first} {second}");
            }
        }
    }
}
