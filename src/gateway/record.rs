//! What becomes of a proxied request, for whoever keeps traces: its route, the decision, the status, how long the app took. Never
//! a target, a header, an address of a client, or who asked.

use std::time::Duration;

use http::Method;

use super::context::RequestContext;
use crate::telemetry::{Asked, Decision, Exchange, Spans};

/// What chance gave a request, as a number: the end of the name that was drawn for its trace, so that who draws by the same rule
/// draws the same.
pub(super) fn chance(id: [u8; 16]) -> u32 {
    let [.., one, two, three, four] = id;
    u32::from_be_bytes([one, two, three, four])
}

/// The request is over. Our own endpoints are not recorded.
pub(super) fn keep(spans: &Spans, method: &Method, ctx: &RequestContext, spent: Duration) {
    let Some(trace) = ctx.trace.filter(|trace| trace.is_recorded() && ctx.outcome.decision != Decision::Own) else { return };
    let (trace, parent, span, told) = trace.spans();
    let asked = ctx.asked_at.map(|at| Asked { span: told, after: at.duration_since(ctx.started), address: ctx.label() });
    spans.keep(Exchange {
        trace,
        parent,
        span,
        began: ctx.now,
        spent,
        method: word(method),
        route: ctx.route_name().to_owned(),
        request_id: ctx.request_id.clone(),
        decision: ctx.outcome.decision,
        code: ctx.outcome.code,
        status: ctx.outcome.code_of_status(),
        asked,
    });
}

/// A method that is none of HTTP's own may be any word.
fn word(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "_OTHER",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_is_the_end_of_the_name() {
        assert_eq!(chance([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 0xde, 0xad, 0xbe, 0xef]), 0xdead_beef);
    }

    #[test]
    fn a_method_of_somebodys_own_is_not_told() {
        assert_eq!((word(&Method::PATCH), word(&Method::from_bytes(b"hunter2").unwrap())), ("PATCH", "_OTHER"));
    }
}
