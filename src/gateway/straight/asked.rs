//! The head of a request, as the steps of admission read it, and the one that the app gets instead.
//!
//! The wire has found it sound and plain. Its lines travel in their order and spelling; what is taken off and what is set is
//! the same as in [`crate::gateway::edit`].

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use http::header::{AUTHORIZATION, CONNECTION, COOKIE, HOST, UPGRADE};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version};
use memchr::memchr;
use pingora::{Error, ErrorType};

use crate::admission::HeaderEdit;
use crate::gateway::client;
use crate::gateway::context::RequestContext;
use crate::gateway::trace::{TRACEPARENT, TRACESTATE, Trace};

/// Room for what is set, in bytes.
const ROOM: usize = 1024;

/// A request's head.
pub(super) struct Asked {
    raw: Bytes,
    head: Parts,
    target: Range<usize>,
    fields: Vec<Field>,
    /// The client closes the connection after it.
    pub closes: bool,
    /// It asks for a tunnel.
    pub upgrades: bool,
}

/// One line: its name, and where that and its value stand.
struct Field {
    name: HeaderName,
    spelled: Range<usize>,
    value: Range<usize>,
}

impl Asked {
    /// Of a head that was found plain, with so many fields.
    ///
    /// # Errors
    /// The head itself, where something of it has no form of ours: it is the framework's then.
    pub(super) fn read(head: BytesMut, fields: usize) -> Result<Self, BytesMut> {
        let raw = head.freeze();
        match parse(&raw, fields) {
            Some((head, target, fields)) => {
                let closes = head.headers.get_all(CONNECTION).iter().any(|value| value.as_bytes().eq_ignore_ascii_case(b"close"));
                // Where there is another `Upgrade`, it is not plain.
                let upgrades = head.headers.contains_key(UPGRADE);
                Ok(Self { raw, head, target, fields, closes, upgrades })
            }
            None => Err(raw.into()),
        }
    }

    /// As admission reads it.
    pub(super) const fn head(&self) -> &Parts {
        &self.head
    }

    /// Its target, byte for byte.
    pub(super) fn target(&self) -> &str {
        let target = self.raw.get(self.target.clone()).unwrap_or_default();
        // It was found to be text.
        std::str::from_utf8(target).unwrap_or_default()
    }

    /// The bytes that it was read from.
    pub(super) fn into_head(self) -> BytesMut {
        let Self { raw, head, fields, .. } = self;
        // They share the bytes: without them nothing is copied.
        drop((head, fields));
        raw.into()
    }

    /// The head that the app gets, and how many headers bore a name of ours.
    ///
    /// # Errors
    /// When the request was never admitted: a mistake of ours that must not reach the app.
    pub(super) fn for_app(&self, ctx: &RequestContext) -> pingora::Result<(Vec<u8>, usize)> {
        let (Some(admitted), Some(caller), Some(endpoint)) = (&ctx.admitted, &ctx.caller, ctx.endpoint()) else {
            return Err(Error::explain(ErrorType::InternalError, "a request that was not admitted was about to be forwarded"));
        };
        let (edit, keeps_host) = (admitted.edit(), admitted.route().preserve_host);
        let stripped = admitted.stripped();
        let mut out = Vec::with_capacity(self.raw.len() + ROOM);
        for piece in [self.head.method.as_str(), " ", stripped.map_or_else(|| self.target(), |(rest, _)| rest), " HTTP/1.1\r\n"] {
            out.extend_from_slice(piece.as_bytes());
        }
        let forged = self.pass_on(edit, keeps_host, ctx, &mut out);
        if !keeps_host {
            line(&mut out, HOST.as_str(), endpoint.authority.as_bytes());
        }
        if self.upgrades {
            line(&mut out, "Connection", b"Upgrade");
        }
        let prefix = stripped.map(|(_, prefix)| prefix);
        caller.forwarded_to(&ctx.request_id, prefix, |name, value| line(&mut out, name, value));
        for (name, value) in edit.sets() {
            line(&mut out, name.as_str(), value.as_bytes());
        }
        if let Some(trace) = &ctx.trace {
            line(&mut out, TRACEPARENT.as_str(), &trace.text());
        }
        out.extend_from_slice(b"\r\n");
        Ok((out, forged))
    }

    /// The lines that stay; how many of the others bore a name of ours.
    fn pass_on(&self, edit: &HeaderEdit, keeps_host: bool, ctx: &RequestContext, out: &mut Vec<u8>) -> usize {
        let begins = ctx.trace.as_ref().is_some_and(Trace::begins);
        let is_ours = |name: &HeaderName| {
            *name == CONNECTION
                || (*name == HOST && !keeps_host)
                || (*name == COOKIE && edit.changes_cookie())
                || (*name == AUTHORIZATION && edit.changes_authorization())
                || *name == TRACEPARENT
                || (*name == TRACESTATE && begins)
                || client::is_said_by_proxies(name.as_str())
        };
        let mut forged = 0;
        for field in &self.fields {
            let is_forged = edit.is_reserved(&field.name);
            forged += usize::from(is_forged);
            if !is_forged && !is_ours(&field.name) {
                let at = |range: &Range<usize>| self.raw.get(range.clone()).unwrap_or_default();
                spelled(out, at(&field.spelled), at(&field.value));
            }
        }
        forged
    }
}

/// A line of ours.
fn line(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    spelled(out, name.as_bytes(), value);
}

/// A line.
pub(super) fn spelled(out: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    out.extend_from_slice(name);
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

fn parse(raw: &Bytes, count: usize) -> Option<(Parts, Range<usize>, Vec<Field>)> {
    let mut at = memchr(b'\n', raw)?;
    let mut words = raw.get(..at)?.split(|byte| *byte == b' ');
    let (method, target) = (words.next()?, words.next()?);
    let target = (method.len() + 1)..(method.len() + 1 + target.len());
    let (mut head, ()) = Request::new(()).into_parts();
    head.method = Method::from_bytes(method).ok()?;
    head.version = Version::HTTP_11;
    head.uri = Uri::from(PathAndQuery::from_maybe_shared(raw.slice(target.clone())).ok()?);
    head.headers = HeaderMap::with_capacity(count);
    let mut fields = Vec::with_capacity(count);
    loop {
        let start = at + 1;
        at = start + memchr(b'\n', raw.get(start..)?)?;
        let line = raw.get(start..at)?;
        if line == b"\r" {
            return Some((head, target, fields));
        }
        let field = Field::read(line, start)?;
        head.headers.append(field.name.clone(), HeaderValue::from_maybe_shared(raw.slice(field.value.clone())).ok()?);
        fields.push(field);
    }
}

impl Field {
    /// Of a line that begins at `start`.
    fn read(line: &[u8], start: usize) -> Option<Self> {
        let colon = memchr(b':', line)?;
        let (name, rest) = line.split_at_checked(colon)?;
        let value = rest.get(1..)?.trim_ascii();
        let before = rest.get(1..)?.len() - rest.get(1..)?.trim_ascii_start().len();
        let from = start + colon + 1 + before;
        Some(Self { name: HeaderName::from_bytes(name).ok()?, spelled: start..(start + colon), value: from..(from + value.len()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(head: &str) -> Asked {
        let fields = head.lines().count() - 2;
        Asked::read(BytesMut::from(head), fields).unwrap_or_else(|_| panic!("{head:?} was not read"))
    }

    #[test]
    fn a_head_is_read_as_it_stands() {
        let asked = read("GET /a%2Fb?q=\u{fc} HTTP/1.1\r\nHost: a.example:8080\r\nX-Odd:\t one  two \t\r\nempty:\r\nx-odd: 3\r\n\r\n");
        assert_eq!((asked.target(), asked.head.uri.path()), ("/a%2Fb?q=\u{fc}", "/a%2Fb"));
        assert_eq!(asked.head.headers.get_all("x-odd").iter().collect::<Vec<_>>(), ["one  two", "3"]);
        assert_eq!(asked.head.headers["empty"], "");
        let lines: Vec<_> = asked.fields.iter().map(|field| (&asked.raw[field.spelled.clone()], &asked.raw[field.value.clone()])).collect();
        let expected: [(&[u8], &[u8]); 4] = [(b"Host", b"a.example:8080"), (b"X-Odd", b"one  two"), (b"empty", b""), (b"x-odd", b"3")];
        assert_eq!(lines, expected);
        assert!(!asked.closes);
        assert!(read("GET / HTTP/1.1\r\nconnection: Close\r\n\r\n").closes);
    }

    #[test]
    fn a_head_that_is_not_taken_is_given_back_whole() {
        let text = "GET / HTTP/1.1\r\nHost: a\r\nCookie: a=b\r\n\r\n";
        assert_eq!(read(text).into_head(), text);
        let long = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "a".repeat(66_000));
        assert_eq!(Asked::read(BytesMut::from(&*long), 1).err(), Some(BytesMut::from(&*long)));
    }
}
