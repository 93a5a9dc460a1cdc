//! The admin listener: health, readiness and metrics; to the operator's own command, what came of a request; and the admin API.

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{ALLOW, AUTHORIZATION, HOST};
use http::request::Parts;
use http::{HeaderValue, Method, Request, StatusCode};
use serde::Serialize;

use crate::admission::Refusal;
use crate::clock::Clock;
use crate::endpoint::api::Api;
use crate::endpoint::call::{Call, Received};
use crate::endpoint::operator::Operator;
use crate::endpoint::problem::Problem;
use crate::endpoint::refusals::{Refusals, Told};
use crate::endpoint::reply::{self, No, Reply};

/// How we are, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// All is well.
    Ok,
    /// Something is out, and its work is done another way.
    Degraded,
    /// No traffic should come here yet, or now.
    NotReady,
    /// No traffic should come here any more.
    ShuttingDown,
}

/// How something that we depend on is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It answers.
    Up,
    /// It does not.
    Down,
    /// There is none, on purpose.
    None,
}

/// The body of `/readyz`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Readiness {
    /// How we are.
    pub status: Status,
    /// The durable store.
    pub store: State,
    /// Redis.
    pub redis: State,
}

/// Tells how we are.
#[async_trait]
pub trait Vitals: Send + Sync {
    /// Asked for each call of `/readyz`; answers within a second.
    async fn readiness(&self) -> Readiness;

    /// All metrics in Prometheus' text form, version 0.0.4.
    fn metrics(&self) -> String;
}

/// What the operator's own command can ask.
pub struct Desk {
    /// What came to nothing.
    pub refusals: Arc<Refusals>,
    /// Who may ask.
    pub operator: Operator,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
}

impl Desk {
    /// The path under which one request that came to nothing is asked for, by its id.
    pub const REFUSALS: &str = "/api/refusals/";

    fn answer(&self, head: &Parts, id: &str) -> Result<Reply, No> {
        let shown = head.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (method, path) = (&head.method, head.uri.path());
        if !self.operator.believes(shown, method.as_str(), path, self.clock.now()) {
            return Err(Refusal::Unauthenticated.into());
        }
        if *method != Method::GET {
            return Err(No::from(Refusal::MethodNotAllowed).with(ALLOW, HeaderValue::from_static("GET")));
        }
        let lost = self.refusals.find(id).ok_or(Problem::NotFound)?;
        Ok(reply::json(StatusCode::OK, &Told::from(lost)))
    }
}

/// The endpoints of the admin listener.
pub struct Admin {
    vitals: Arc<dyn Vitals>,
    host: String,
    desk: Option<Desk>,
    api: Option<Api>,
}

impl Admin {
    /// `host` is the listener's own, without port. Other names than that, `localhost` and bare addresses are refused, so that
    /// no page in a browser on this machine reaches us under a name of its own (DNS rebinding).
    pub fn new(vitals: Arc<dyn Vitals>, host: impl Into<String>) -> Self {
        Self { vitals, host: host.into(), desk: None, api: None }
    }

    /// With a desk for the operator's own command.
    #[must_use]
    pub fn with(mut self, desk: Desk) -> Self {
        self.desk = Some(desk);
        self
    }

    /// With the admin API.
    #[must_use]
    pub fn with_api(mut self, api: Api) -> Self {
        self.api = Some(api);
        self
    }

    /// The reply to one request.
    pub async fn answer(&self, request: Request<Bytes>, call: &Call) -> Reply {
        let request_id = call.request_id.as_str();
        let (head, body) = request.into_parts();
        let reply = match self.dispatch(&Received { head: &head, body: &body, call }).await {
            Ok(reply) => reply,
            Err(no) => {
                no.log(request_id);
                let mut reply = reply::problem_with(no.problem, request_id, &no.mistakes);
                reply.headers_mut().extend(no.headers);
                reply
            }
        };
        reply::finish(without_body(reply, &head.method), request_id)
    }

    async fn dispatch(&self, received: &Received<'_>) -> Result<Reply, No> {
        let head = received.head;
        if !self.is_ours(head) {
            return Err(Problem::Misdirected.into());
        }
        let path = head.uri.path();
        if let (Some(desk), Some(id)) = (&self.desk, path.strip_prefix(Desk::REFUSALS)) {
            return desk.answer(head, id);
        }
        if let Some(api) = self.api.as_ref().filter(|_| Api::owns(path)) {
            return api.answer(received).await;
        }
        if !matches!(path, "/healthz" | "/readyz" | "/metrics") {
            return Err(Problem::NotFound.into());
        }
        if head.method != Method::GET && head.method != Method::HEAD {
            return Err(No::from(Refusal::MethodNotAllowed).with(ALLOW, HeaderValue::from_static("GET, HEAD")));
        }
        Ok(match path {
            "/healthz" => reply::body(StatusCode::OK, "text/plain; charset=utf-8", "ok\n"),
            "/readyz" => ready(self.vitals.readiness().await),
            _ => reply::body(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", self.vitals.metrics()),
        })
    }

    fn is_ours(&self, head: &Parts) -> bool {
        let host = without_port(asked_for(head).unwrap_or_default());
        let is_address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok();
        is_address || host.eq_ignore_ascii_case("localhost") || (!host.is_empty() && host.eq_ignore_ascii_case(&self.host))
    }
}

fn ready(readiness: Readiness) -> Reply {
    let status = match readiness.status {
        Status::Ok | Status::Degraded => StatusCode::OK,
        Status::NotReady | Status::ShuttingDown => StatusCode::SERVICE_UNAVAILABLE,
    };
    reply::json(status, &readiness)
}

/// HEAD is answered as GET is, without the body (RFC 9110 §9.3.2).
pub(super) fn without_body(reply: Reply, method: &Method) -> Reply {
    if method == Method::HEAD { reply.map(|_| Bytes::new()) } else { reply }
}

/// The host that a request names, with its port.
pub(super) fn asked_for(head: &Parts) -> Option<&str> {
    let named = head.headers.get(HOST).and_then(|value| value.to_str().ok());
    named.or_else(|| head.uri.authority().map(http::uri::Authority::as_str))
}

/// A host without its port.
pub(super) fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) && (!host.contains(':') || host.ends_with(']')) => host,
        Some(_) | None => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Still(Status);

    #[async_trait]
    impl Vitals for Still {
        async fn readiness(&self) -> Readiness {
            Readiness { status: self.0, store: State::Up, redis: State::None }
        }

        fn metrics(&self) -> String {
            "doorward_build_info 1\n".to_owned()
        }
    }

    fn call() -> Call {
        let address = "127.0.0.1".parse().unwrap();
        Call {
            client: crate::client::Client { address, secure: false, host: "localhost".to_owned() },
            peer: address,
            now: crate::clock::Timestamp::default(),
            request_id: "r1".to_owned(),
        }
    }

    async fn ask(status: Status, method: Method, host: &str, path: &str) -> Reply {
        let request = Request::builder().method(method).uri(path).header(HOST, host).body(Bytes::new()).unwrap();
        Admin::new(Arc::new(Still(status)), "admin.internal").answer(request, &call()).await
    }

    #[tokio::test]
    async fn readiness_is_said_in_status_and_word() {
        for (status, code, word) in [
            (Status::Ok, 200, "ok"),
            (Status::Degraded, 200, "degraded"),
            (Status::NotReady, 503, "not_ready"),
            (Status::ShuttingDown, 503, "shutting_down"),
        ] {
            let reply = ask(status, Method::GET, "127.0.0.1:9080", "/readyz").await;
            assert_eq!(reply.status(), code);
            let body: serde_json::Value = serde_json::from_slice(reply.body()).unwrap();
            assert_eq!(body, serde_json::json!({ "status": word, "store": "up", "redis": "none" }));
        }
    }

    #[tokio::test]
    async fn health_and_metrics_are_there_and_nothing_else() {
        assert_eq!(ask(Status::NotReady, Method::GET, "localhost", "/healthz").await.status(), 200);
        let metrics = ask(Status::Ok, Method::GET, "localhost", "/metrics").await;
        assert_eq!(&metrics.body()[..], b"doorward_build_info 1\n");
        assert_eq!(metrics.headers()["cache-control"], "no-store");
        assert_eq!(metrics.headers()["x-request-id"], "r1");
        assert!(ask(Status::Ok, Method::HEAD, "localhost", "/metrics").await.body().is_empty());
        for path in ["/", "/auth/login", "/metrics/", "/readyz/x", "/api"] {
            assert_eq!(ask(Status::Ok, Method::GET, "localhost", path).await.status(), 404, "{path}");
        }
        let post = ask(Status::Ok, Method::POST, "localhost", "/metrics").await;
        assert_eq!((post.status().as_u16(), &post.headers()["allow"]), (405, &HeaderValue::from_static("GET, HEAD")));
    }

    #[tokio::test]
    async fn only_names_of_this_listener_are_answered() {
        for host in
            ["127.0.0.1", "127.0.0.1:9080", "10.0.0.7:9080", "[::1]:9080", "[::1]", "localhost:9080", "LOCALHOST", "admin.internal:9080"]
        {
            assert_eq!(ask(Status::Ok, Method::GET, host, "/healthz").await.status(), 200, "{host}");
        }
        for host in [
            "",
            ":9080",
            "evil.com",
            "evil.com:9080",
            "localhost.evil.com",
            "127.0.0.1.evil.com",
            "admin.internal.evil.com",
            "[::1].evil.com",
            "127.0.0.1:80:90",
        ] {
            assert_eq!(ask(Status::Ok, Method::GET, host, "/healthz").await.status(), 421, "{host}");
        }
    }
}
