//! CORS preflights (Fetch, "CORS-preflight request"): a browser asks without credentials whether it may ask with them.

use http::Method;
use http::header::{ACCESS_CONTROL_REQUEST_METHOD, ORIGIN};
use http::request::Parts;

/// Is this a preflight?
pub(super) fn is_preflight(head: &Parts) -> bool {
    head.method == Method::OPTIONS && head.headers.contains_key(ORIGIN) && head.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// The method that it asks for; `None` when that is no method.
pub(super) fn announced(head: &Parts) -> Option<Method> {
    Method::from_bytes(head.headers.get(ACCESS_CONTROL_REQUEST_METHOD)?.as_bytes()).ok()
}
