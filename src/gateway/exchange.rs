//! Bodies in, replies out: the adapter between the framework's session and types of `http`, for everything that we answer
//! ourselves.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING};
use http::response::Parts;
use http::{Method, Response, StatusCode};
use pingora::http::ResponseHeader;
use pingora::protocols::http::{HttpTask, ServerSession};
use pingora::{Error, ErrorType};
use tokio::time::timeout;

use crate::admission::Refusal;
use crate::endpoint::Problem;

/// The largest body of a request to us.
const LARGEST_BODY: usize = 16 * 1024;
/// How long such a body may take in all.
const BODY_DEADLINE: Duration = Duration::from_secs(10);
/// How much of a body that nobody reads is thrown away, and how long that may take, before the connection closes.
const LARGEST_REST: usize = 1024 * 1024;
const REST_DEADLINE: Duration = Duration::from_secs(2);

/// Why a body is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unread {
    /// It is larger than what is taken: 16 KiB by us, a route's `max_body` by an app.
    TooLarge,
    /// It took longer than 10 s in all, or the client was silent for too long.
    TooSlow,
    /// Its framing can be read in two ways.
    Unsound,
    /// The client hung up.
    Broken,
}

/// The whole body of a request to us.
///
/// # Errors
/// [`Unread`] says why it is not there; the connection must then be closed after the reply.
pub(super) async fn body(session: &mut ServerSession) -> Result<Bytes, Unread> {
    if session.is_body_empty() {
        return Ok(Bytes::new());
    }
    if announced(session).is_some_and(|length| length > LARGEST_BODY) {
        return Err(Unread::TooLarge);
    }
    if expects(session) {
        session.write_continue_response().await.map_err(|_| Unread::Broken)?;
    }
    timeout(BODY_DEADLINE, collect(session)).await.unwrap_or(Err(Unread::TooSlow))
}

async fn collect(session: &mut ServerSession) -> Result<Bytes, Unread> {
    let mut body = BytesMut::new();
    while let Some(chunk) = session.read_request_body().await.map_err(|error| unread(&error))? {
        if body.len().saturating_add(chunk.len()) > LARGEST_BODY {
            return Err(Unread::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// Why a body broke off: the connection says when its framing is not sound ([`super::wire`]).
pub(super) fn unread(error: &pingora::Error) -> Unread {
    let cause = error.root_cause().downcast_ref::<std::io::Error>();
    match cause.map(std::io::Error::kind) {
        Some(std::io::ErrorKind::InvalidData) => Unread::Unsound,
        Some(std::io::ErrorKind::TimedOut) => Unread::TooSlow,
        Some(_) | None => Unread::Broken,
    }
}

/// The words of [`too_large`].
pub(super) const TOO_LARGE: ErrorType = ErrorType::Custom("the body is too large");

/// Is a body larger than `most` announced?
pub(super) fn announces_more(session: &ServerSession, most: Option<u64>) -> bool {
    // What no number of bytes can say was refused with the head.
    most.is_some_and(|most| announced(session).is_some_and(|length| u64::try_from(length).unwrap_or(u64::MAX) > most))
}

/// Count a `piece` of a body on its way to an app.
///
/// # Errors
/// [`TOO_LARGE`], once there are more than `most`: the request to the app is broken off.
pub(super) fn count(sent_on: &mut u64, piece: Option<&Bytes>, most: Option<u64>) -> pingora::Result<()> {
    *sent_on = sent_on.saturating_add(piece.map_or(0, |piece| u64::try_from(piece.len()).unwrap_or(u64::MAX)));
    if most.is_some_and(|most| *sent_on > most) { Err(Error::new_down(TOO_LARGE)) } else { Ok(()) }
}

/// Does the request say that it has no body?
pub(super) fn announces_nothing(session: &ServerSession) -> bool {
    announced(session) == Some(0)
}

/// The end of a body that has nothing in it, under HTTP/2: the framework would send the request on and not look.
///
/// # Errors
/// [`Refusal::Malformed`] where something comes (RFC 9113 §8.1.1), [`Problem::RequestTimeout`] where the end does not.
pub(super) async fn nothing(session: &mut ServerSession) -> Result<(), Problem> {
    let end = async {
        while session.read_request_body().await.map_err(|_| Problem::Refused(Refusal::Malformed))?.is_some() {}
        Ok(())
    };
    timeout(BODY_DEADLINE, end).await.unwrap_or(Err(Problem::RequestTimeout))
}

fn announced(session: &ServerSession) -> Option<usize> {
    session.get_header(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Does the client wait for `100 Continue` before it sends the body (RFC 9110 §10.1.1)?
fn expects(session: &ServerSession) -> bool {
    session.get_header(EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// Write a reply of ours, and only its head where the method or the status has no body.
///
/// # Errors
/// When the client is gone.
pub(super) async fn reply(session: &mut ServerSession, reply: Response<Bytes>) -> pingora::Result<()> {
    let (head, body) = framed(reply, session.req_header().method == Method::HEAD);
    let head = Box::new(ResponseHeader::from(head));
    if body.is_empty() && session.as_http2().is_some() {
        // The head ends the stream: clients of gRPC read a status only in what comes last.
        return session.response_duplex_vec(vec![HttpTask::Header(head, true)]).await.map(drop);
    }
    session.write_response_header(head).await?;
    session.write_response_body(body, true).await
}

/// A reply with the one length that it has, and only its head where the method or the status has no body.
pub(super) fn framed(reply: Response<Bytes>, to_head: bool) -> (Parts, Bytes) {
    let (mut head, body) = reply.into_parts();
    let bodiless = head.status == StatusCode::NO_CONTENT || head.status == StatusCode::NOT_MODIFIED;
    head.headers.remove(TRANSFER_ENCODING);
    // A reply to HEAD may have lost its body already; how long a GET's would have been is then not known, and not said.
    let is_known = !to_head || !body.is_empty();
    if is_known && !bodiless {
        head.headers.insert(CONTENT_LENGTH, body.len().into());
    }
    (head, if bodiless || to_head { Bytes::new() } else { body })
}

/// Throw away what the client still sends, for a moment, so that it reads the reply before the connection is reset under its
/// upload (RFC 9112 §9.6). The connection closes afterwards.
pub(super) async fn linger(session: &mut ServerSession) {
    if session.is_body_done() || expects(session) || session.was_upgraded() {
        return;
    }
    let rest = async {
        let mut seen = 0;
        while let Ok(Some(chunk)) = session.read_request_body().await {
            seen += chunk.len();
            if seen > LARGEST_REST {
                break;
            }
        }
    };
    // Nothing hangs on how it ends.
    drop(timeout(REST_DEADLINE, rest).await);
}
