//! One line per request. It never holds a query, a cookie or a token: those can open doors.

use std::time::Duration;

use http::request::Parts;
use pingora::Error;

use super::context::RequestContext;
use crate::telemetry::access_log;

/// Say what became of the request with this head; so many bytes of a body were its answer.
pub(super) fn log(head: &Parts, bytes: usize, ctx: &RequestContext, spent: Duration) {
    if !tracing::enabled!(target: "access", tracing::Level::INFO) {
        return;
    }
    let outcome = &ctx.outcome;
    let (method, status) = (head.method.as_str(), outcome.code_of_status());
    access_log::write(format_args!("{method} {status}"), |line| {
        line.text("request.id", &ctx.request_id);
        if let Some(trace) = &ctx.trace {
            line.word("trace.id", std::str::from_utf8(&trace.id().text()).unwrap_or_default());
        }
        line.text("method", method);
        line.text("host", ctx.caller.as_ref().map(|caller| caller.client.host.as_str()).unwrap_or_default());
        line.text("path", &ctx.live.endpoints.shown(head.uri.path()));
        line.text("route.name", ctx.route_name());
        line.number("status", u64::from(status));
        line.text("decision", outcome.decision.as_str());
        if let Some(code) = outcome.code {
            line.text("refusal.code", code);
        }
        line.number("duration_ms", u64::try_from(spent.as_millis()).unwrap_or(u64::MAX));
        if let Some(address) = ctx.upstream() {
            line.text("upstream.address", address);
        }
        if let Some(caller) = &ctx.caller {
            line.address("client.address", caller.client.address);
        }
        line.number("response.bytes", u64::try_from(bytes).unwrap_or(u64::MAX));
    });
}

/// Say why a request that was let in did not get an answer. The words of the error could hold a header of the app: only its
/// kind is said.
pub(super) fn failed(error: &Error, ctx: &RequestContext) {
    let (kind, cause) = (error.etype().as_str(), error.root_etype().as_str());
    let source = error.esource().as_str();
    let address = ctx.upstream();
    if source == "Downstream" {
        tracing::debug!(request.id = ctx.request_id, route.name = ctx.route_name(), error = kind, cause, "the client broke off");
        return;
    }
    tracing::warn!(
        request.id = ctx.request_id,
        route.name = ctx.route_name(),
        upstream.address = address,
        error = kind,
        cause,
        source,
        "the request could not be proxied"
    );
}
