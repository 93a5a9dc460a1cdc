//! What changes in a request on its way to the upstream, and in the response on its way back. All else travels as it came.

use http::header::{ACCEPT, CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, SET_COOKIE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version};
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::{Error, ErrorType};

use super::client;
use super::context::RequestContext;
use super::trace::{TRACEPARENT, TRACESTATE, Trace};
use super::upstream::Manner;
use crate::admission::Admitted;
use crate::cookie::{self, Cookies, Kind};
use crate::token::Issued;

const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Edit `request`, which is what the framework has made of `original` for the upstream: hop-by-hop headers are gone already, so
/// that `Connection: Remote-User` cannot take away what is set here. Says how many headers bore a name of ours.
///
/// # Errors
/// When the request was never admitted: a mistake of ours that must not reach the upstream.
pub(super) fn request(request: &mut RequestHeader, original: &RequestHeader, ctx: &RequestContext) -> pingora::Result<usize> {
    let (Some(admitted), Some(caller), Some(endpoint)) = (&ctx.admitted, &ctx.caller, ctx.endpoint()) else {
        return Err(Error::explain(ErrorType::InternalError, "a request that was not admitted was about to be forwarded"));
    };
    let edit = admitted.edit();
    let mut forged = 0;
    // What came is asked, not what is left of it: a name that was nominated in `Connection` counts, too.
    for name in original.headers.keys() {
        let is_forged = edit.is_reserved(name);
        forged += usize::from(is_forged);
        if is_forged || edit.removes(name) || client::is_said_by_proxies(name.as_str()) {
            request.remove_header(name);
        }
    }
    let stripped = admitted.stripped();
    let prefix = stripped.map(|(_, prefix)| prefix);
    caller.forwarded(&ctx.request_id, original.headers.get(HOST), prefix, |name, value| request.insert_header(name, value))?;
    for (name, value) in edit.sets() {
        request.insert_header(name, value.clone())?;
    }
    if let Some(trace) = &ctx.trace {
        follow(request, trace)?;
    }
    if !admitted.route().preserve_host {
        request.insert_header(HOST, HeaderValue::from_str(&endpoint.authority).map_err(|_| Error::new(ErrorType::InternalError))?)?;
    }
    let target = stripped.map_or_else(|| target(original), |(rest, _)| rest).as_bytes();
    if request.raw_path() != target {
        request.set_raw_path(target)?;
    }
    Ok(forged)
}

/// Tell the app its place in the trace; of another trace's state, nothing.
fn follow(request: &mut RequestHeader, trace: &Trace) -> pingora::Result<()> {
    if trace.begins() {
        request.remove_header(&TRACESTATE);
    }
    trace.header().map_or(Ok(()), |value| request.insert_header(TRACEPARENT, value))
}

/// The target in origin-form (RFC 9112 §3.2.1), byte for byte, also where it came as a whole URL; `*` for `OPTIONS *`.
pub(super) fn target(request: &RequestHeader) -> &str {
    request.uri.path_and_query().map_or("/", |target| target.as_str())
}

/// What the `Cache-Control` of a response says that carries cookies of ours.
pub(super) const ISSUED_CACHE_CONTROL: &str = "private, no-store";

/// The largest head of a response, in bytes, as it would stand in HTTP/1.
pub(super) const LARGEST_HEAD: usize = 64 * 1024;
/// How many responses may come before the response itself.
pub(super) const MOST_INTERIM: usize = 32;

/// Can the head of a response be passed on? It is not too large, and its body is framed in a way that is read here: a coding of
/// the transfer other than `chunked` is nothing that we have undone (RFC 9112 §7).
pub(super) fn is_sound(response: &ResponseHeader) -> bool {
    let length: usize = response.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    let mut codings = response.headers.get_all(TRANSFER_ENCODING).iter();
    let mut lengths = response.headers.get_all(CONTENT_LENGTH).iter();
    let first = lengths.next();
    length <= LARGEST_HEAD
        && lengths.all(|length| Some(length) == first)
        && codings.next().is_none_or(|coding| coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked"))
        && codings.next().is_none()
}

/// Edit what comes before the app's response: no cookie of ours, nothing of the connection to the app.
pub(super) fn interim(response: &mut ResponseHeader) -> pingora::Result<()> {
    remove_hop_by_hop(response);
    response.remove_header(&REQUEST_ID);
    keep_apps_cookies(response)
}

/// Remove what is of the connection to the app, and what the app says is (RFC 9110 §7.6.1).
fn remove_hop_by_hop(response: &mut ResponseHeader) {
    if response.status == StatusCode::SWITCHING_PROTOCOLS {
        // It says that this connection switches, too.
        return;
    }
    let lines = response.headers.get_all(CONNECTION).iter();
    let nominated: Vec<_> =
        lines.flat_map(|line| options(line.as_bytes())).filter_map(|option| HeaderName::from_bytes(option).ok()).collect();
    for name in nominated.iter().chain([&KEEP_ALIVE, &PROXY_CONNECTION]) {
        response.remove_header(name);
    }
}

/// The fields that a line of `Connection` nominates. How the body is framed is for everybody to know.
pub(super) fn options(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let is_framing = |option: &&[u8]| option.eq_ignore_ascii_case(b"content-length") || option.eq_ignore_ascii_case(b"transfer-encoding");
    line.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(move |option| !option.is_empty() && !is_framing(option))
}

/// Edit the app's response to a client of `version`: no cookie of ours but from us, and the request's name.
pub(super) fn response(response: &mut ResponseHeader, version: Version, ctx: &RequestContext) -> pingora::Result<()> {
    remove_hop_by_hop(response);
    keep_apps_cookies(response)?;
    // Of the connection to the client, not of that to the app (RFC 9110 §2.5).
    response.set_version(Version::HTTP_11);
    if response.headers.contains_key(TRANSFER_ENCODING) {
        // In our spelling: it is we who frame it.
        response.insert_header(TRANSFER_ENCODING, "chunked")?;
    }
    match response.headers.get(CONTENT_LENGTH).cloned() {
        // There is none (RFC 9110 §8.6).
        Some(_) if response.status == StatusCode::NO_CONTENT => drop(response.remove_header(&CONTENT_LENGTH)),
        // Once.
        Some(length) => response.insert_header(CONTENT_LENGTH, length)?,
        None => {}
    }
    if version == Version::HTTP_10 {
        // It knows no chunks; the body ends with the connection (RFC 9112 §6.1).
        response.remove_header(&TRANSFER_ENCODING);
    }
    if let Some(issued) = ctx.admitted.as_ref().and_then(Admitted::issued) {
        for value in issued_cookies(&ctx.live.cookies, issued) {
            response.append_header(SET_COOKIE, value)?;
        }
        // A cache between us and the person must not keep these, whatever the app allows for its response: this once, its
        // `Cache-Control` is ours.
        response.insert_header(CACHE_CONTROL, ISSUED_CACHE_CONTROL)?;
    }
    response.insert_header(REQUEST_ID, ctx.request_id.as_str())
}

fn sets_ours(value: &HeaderValue) -> bool {
    cookie::sets_ours(value.as_bytes())
}

fn keep_apps_cookies(response: &mut ResponseHeader) -> pingora::Result<()> {
    if !response.headers.get_all(SET_COOKIE).iter().any(sets_ours) {
        return Ok(());
    }
    let kept: Vec<_> = response.headers.get_all(SET_COOKIE).iter().filter(|value| !sets_ours(value)).cloned().collect();
    response.remove_header(&SET_COOKIE);
    for value in kept {
        response.append_header(SET_COOKIE, value)?;
    }
    Ok(())
}

/// The cookies of tokens that were made in passing: for a head that leaves now.
pub(super) fn issued_cookies(cookies: &Cookies, issued: &Issued) -> impl Iterator<Item = HeaderValue> {
    if let Some(departing) = &issued.departing {
        departing.depart();
    }
    let access = cookies.set(Kind::Access, &issued.access, issued.access_lifetime);
    let refresh = cookies.set(Kind::Refresh, &issued.refresh, issued.refresh_lifetime);
    access.into_iter().chain(refresh)
}

/// What the connection of this request must know of it. Silence is normal in a tunnel, an event stream, a gRPC stream.
pub(super) fn manner(method: &Method, headers: &HeaderMap) -> Manner {
    let says = |name, what: &[u8]| headers.get_all(name).iter().any(|value| contains(value, what));
    let is_upgrade = says(UPGRADE, b"websocket");
    let is_grpc = headers.get(CONTENT_TYPE).is_some_and(|value| is_grpc(value.as_bytes()));
    let is_patient = is_upgrade || is_grpc || says(ACCEPT, b"text/event-stream");
    Manner { is_patient, is_upgrade, is_grpc, is_once: !method.is_idempotent() }
}

/// `application/grpc`, alone or with what its messages are; not `application/grpc-web`, which travels on HTTP/1 too.
fn is_grpc(kind: &[u8]) -> bool {
    let rest = kind.get(..16).filter(|start| start.eq_ignore_ascii_case(b"application/grpc")).and_then(|_| kind.get(16..));
    rest.is_some_and(|rest| rest.first().is_none_or(|byte| matches!(byte, b'+' | b';' | b' ')))
}

/// Is a response with this `Content-Type` an event stream?
pub(super) fn is_event_stream(kind: Option<&HeaderValue>) -> bool {
    kind.is_some_and(|kind| names_event_stream(kind.as_bytes()))
}

/// The same of its bytes.
pub(super) fn names_event_stream(kind: &[u8]) -> bool {
    kind.get(..17).is_some_and(|kind| kind.eq_ignore_ascii_case(b"text/event-stream"))
}

/// In any case; `what` is in lower case.
fn contains(value: &HeaderValue, what: &[u8]) -> bool {
    value.as_bytes().windows(what.len()).any(|window| window.eq_ignore_ascii_case(what))
}
