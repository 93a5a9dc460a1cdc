//! One line per request. It never holds a query, a cookie or a token: those can open doors.

use std::time::Duration;

use pingora::Error;
use pingora::proxy::Session;

use super::context::RequestContext;

/// Say what became of a request.
pub(super) fn log(session: &Session, ctx: &RequestContext, spent: Duration) {
    let (request, outcome) = (session.req_header(), &ctx.outcome);
    let status = outcome.code_of_status();
    let host = ctx.caller.as_ref().map(|caller| caller.client.host.as_str()).unwrap_or_default();
    tracing::event!(
        target: "access",
        tracing::Level::INFO,
        request.id = ctx.request_id,
        trace.id = ctx.trace.map(|trace| display(trace.id())),
        method = request.method.as_str(),
        host,
        path = request.uri.path(),
        route.name = ctx.route_name(),
        status,
        decision = outcome.decision.as_str(),
        refusal.code = outcome.code,
        duration_ms = u64::try_from(spent.as_millis()).unwrap_or(u64::MAX),
        upstream.address = ctx.upstream(),
        client.address = ctx.caller.as_ref().map(|caller| display(caller.client.address)),
        response.bytes = session.body_bytes_sent(),
        "{} {status}",
        request.method,
    );
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
