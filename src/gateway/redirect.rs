//! The plain listeners of a site that is served over TLS: they know one answer, which is where to go.

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, HOST, LOCATION};
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode};
use url::Url;

use super::answer::{Answer, plain};
use super::live::Swap;
use crate::admission;
use crate::endpoint::{Call, Problem};

/// Sends everybody to the same place over TLS.
pub(super) struct Redirect {
    /// Knows which hosts are ours.
    pub live: Swap,
    /// Where to go from a host that is none of ours; and the port.
    pub public_url: Url,
}

#[async_trait]
impl Answer for Redirect {
    async fn answer(&self, request: Request<Bytes>, call: Call) -> Response<Bytes> {
        self.away(&request.into_parts().0, &call)
    }

    /// The body does not matter, so nothing is wrong with it.
    fn refuse(&self, problem: Problem, head: &Parts, call: &Call) -> Response<Bytes> {
        if problem == Problem::BodyTooLarge { self.away(head, call) } else { plain(problem, &call.request_id) }
    }
}

impl Redirect {
    fn away(&self, head: &Parts, call: &Call) -> Response<Bytes> {
        let Ok(location) = HeaderValue::try_from(self.location(head)) else { return plain(Problem::Internal, &call.request_id) };
        let mut reply = Response::new(Bytes::new());
        // The method stays what it is (RFC 9110 §15.4.9).
        *reply.status_mut() = StatusCode::PERMANENT_REDIRECT;
        reply.headers_mut().insert(LOCATION, location);
        reply.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        reply
    }

    fn location(&self, head: &Parts) -> String {
        let asked = head.headers.get(HOST).and_then(|host| host.to_str().ok()).and_then(admission::canonical_host);
        let own = self.public_url.host_str().unwrap_or_default();
        let live = self.live.current();
        let host = asked.filter(|asked| asked == own || live.gate.table().names(asked));
        let port = self.public_url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let target = head.uri.path_and_query().map(http::uri::PathAndQuery::as_str).filter(|target| target.starts_with('/'));
        format!("https://{}{port}{}", host.as_deref().unwrap_or(own), escaped(target.unwrap_or("/")))
    }
}

/// A path may hold bare UTF-8, a header may not.
fn escaped(target: &str) -> String {
    percent_encoding::utf8_percent_encode(target, percent_encoding::CONTROLS).to_string()
}
