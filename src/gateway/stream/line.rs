//! What the log and the metrics say of a request that was cut: what served it is gone, and the framework's last phase with it.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use http::request::Parts;
use http::{Method, StatusCode};

use crate::admission::Refusal;
use crate::gateway::backend::Backend;
use crate::gateway::client::Caller;
use crate::gateway::context::RequestContext;
use crate::gateway::trace::Trace;
use crate::telemetry::Decision;

/// Why it broke off, where it was not cut: something panicked.
const BROKEN: &str = "broken_off";

/// Everything that the access log says, as far as it is known.
pub(in crate::gateway) struct Line {
    request_id: String,
    trace: Option<Trace>,
    method: Method,
    host: String,
    path: String,
    client: IpAddr,
    backend: Option<Arc<Backend>>,
    started: Instant,
    /// The status that was answered.
    pub status: Option<StatusCode>,
    /// The upstream's address.
    pub upstream: Option<Arc<str>>,
    /// Of the response's body, as it went to the client.
    pub bytes: u64,
}

impl Line {
    /// Of a request as it is now.
    pub(in crate::gateway) fn of(request: &Parts, caller: &Caller, ctx: &RequestContext) -> Self {
        Self {
            request_id: ctx.request_id.clone(),
            trace: ctx.trace,
            method: request.method.clone(),
            host: caller.client.host.clone(),
            path: request.uri.path().to_owned(),
            client: caller.client.address,
            backend: ctx.backend.clone(),
            started: ctx.started,
            status: ctx.outcome.status,
            upstream: ctx.label(),
            bytes: 0,
        }
    }

    /// Write it, and count the request.
    pub(super) fn write(self, is_cut: bool) {
        let spent = self.started.elapsed();
        let status = self.status.map_or(499, |status| status.as_u16());
        let code = if is_cut { Refusal::SessionEnded.code() } else { BROKEN };
        if let Some(backend) = &self.backend {
            backend.metrics.request(Decision::Admitted, status, spent);
        }
        tracing::event!(
            target: "access",
            tracing::Level::INFO,
            request.id = self.request_id,
            trace.id = self.trace.map(|trace| display(trace.id())),
            method = self.method.as_str(),
            host = self.host,
            path = self.path,
            route.name = self.backend.as_ref().map_or("-", |backend| &backend.name),
            status,
            decision = Decision::Admitted.as_str(),
            refusal.code = code,
            duration_ms = u64::try_from(spent.as_millis()).unwrap_or(u64::MAX),
            upstream.address = self.upstream.as_deref(),
            client.address = display(self.client),
            response.bytes = self.bytes,
            "{} {status}",
            self.method,
        );
    }
}
