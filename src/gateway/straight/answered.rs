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
use crate::gateway::edit;

/// The most fields that a head may have, and the largest that is read, in bytes.
const MOST_FIELDS: usize = 256;
const LARGEST: usize = 1024 * 1024;
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
            Status::Complete(length) => length,
            Status::Partial if bytes.len() > LARGEST => return Err(Unsound),
            Status::Partial => return Ok(None),
        };
        let status = response.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or(Unsound)?;
        let reason = response.reason.filter(|reason| !reason.is_empty()).or_else(|| status.canonical_reason()).unwrap_or_default();
        let mut text = Vec::with_capacity(length + ROOM);
        for piece in ["HTTP/1.1 ", status.as_str(), " ", reason, "\r\n"] {
            text.extend_from_slice(piece.as_bytes());
        }
        let mut fields = Fields { is_old: response.version == Some(0), ..Fields::default() };
        for field in &*response.headers {
            fields.pass_on(field.name.as_bytes(), field.value, to, &mut text)?;
        }
        fields.into_answered(status, length, text, to).map(Some)
    }

    /// Is it one of those before the response itself?
    pub(super) fn is_informational(&self) -> bool {
        self.status.is_informational()
    }
}

/// What is looked for in the fields.
#[derive(Debug, Default)]
struct Fields {
    is_old: bool,
    length: Option<u64>,
    coding: Option<Vec<u8>>,
    /// Whether the app closes its connection, where it says so.
    closes: Option<bool>,
    is_dated: bool,
    is_event_stream: bool,
}

impl Fields {
    /// One line: on to the client, unless it is of the connection to the app, says how the body is framed, or has one of ours in
    /// its place.
    fn pass_on(&mut self, name: &[u8], value: &[u8], to: &Asker<'_>, text: &mut Vec<u8>) -> Result<(), Unsound> {
        let is = |other: &[u8]| name.eq_ignore_ascii_case(other);
        let stays = match name.len() {
            4 => {
                self.is_dated |= is(b"date");
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
                self.coding(value);
                false
            }
            25 => !is(b"strict-transport-security") || to.hsts.is_none(),
            _ => true,
        };
        if stays {
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

    fn coding(&mut self, value: &[u8]) {
        let coding = self.coding.get_or_insert_default();
        if !coding.is_empty() {
            coding.extend_from_slice(b", ");
        }
        coding.extend_from_slice(&straightened(value));
    }

    fn into_answered(self, status: StatusCode, length: usize, mut text: Vec<u8>, to: &Asker<'_>) -> Result<Answered, Unsound> {
        if status == StatusCode::SWITCHING_PROTOCOLS {
            // Nobody has asked for it.
            return Err(Unsound);
        }
        let is_informational = status.is_informational();
        let body = if is_informational { Body::NONE } else { self.framing(status, to, &mut text) };
        // In HTTP/1.0 a connection stays where both say so, and what is not said in its own words is not believed to be whole.
        let stays = if self.is_old { self.closes == Some(false) && self.coding.is_none() } else { self.closes != Some(true) };
        if !is_informational {
            let keeps = to.keeps && body != (Body::Open { chunked: false });
            self.set(keeps, to, &mut text);
        }
        text.extend_from_slice(b"\r\n");
        Ok(Answered { status, length, text, body, keeps_line: stays && !body.is_open(), is_event_stream: self.is_event_stream })
    }

    /// How the body is framed, said to the client in one way.
    fn framing(&self, status: StatusCode, to: &Asker<'_>, text: &mut Vec<u8>) -> Body {
        let is_bare = to.is_head || status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED;
        if let Some(coding) = &self.coding {
            let last = coding.rsplit(|byte| *byte == b',').next().unwrap_or_default().trim_ascii();
            let is_chunked = last.eq_ignore_ascii_case(b"chunked");
            if !is_bare || to.is_head {
                spelled(text, b"Transfer-Encoding", coding);
            }
            return match (is_bare, is_chunked) {
                (true, _) => Body::NONE,
                (false, true) => Body::CHUNKED,
                (false, false) => Body::Open { chunked: false },
            };
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
                Body::Open { chunked: true }
            }
        }
    }

    /// What is ours.
    fn set(&self, keeps: bool, to: &Asker<'_>, text: &mut Vec<u8>) {
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
        spelled(text, b"Connection", if keeps { b"keep-alive" } else { b"close" });
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
