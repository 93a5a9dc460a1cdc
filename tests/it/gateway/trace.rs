//! A request's place in a trace: gone on with, or begun, and told to the app and to the log alike.

use serde_json::Value;

use super::{Edge, get};
use crate::support::client::Raw;
use crate::support::upstream::{Received, Upstream};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

/// Trace, span and flags that the app was told.
fn told(received: &Received) -> (String, String, String) {
    let line = received.header("traceparent").expect("a traceparent");
    let parts: Vec<&str> = line.split('-').collect();
    assert_eq!((parts.len(), parts[0]), (4, "00"), "{line}");
    (parts[1].to_owned(), parts[2].to_owned(), parts[3].to_owned())
}

/// The `trace.id` in the access log's line of a request.
fn logged(edge: &Edge, request_id: &str) -> String {
    edge.gateway.wait_for_log(request_id);
    let log = edge.gateway.log();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let line = lines.into_iter().find(|line| line["target"] == "access" && line["request.id"] == request_id);
    line.expect("a line of the request")["trace.id"].as_str().expect("its trace").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trace_that_came_goes_on_under_a_span_of_ours() {
    let app = Upstream::start().await;
    let edge = Edge::before(&app);

    let lines = format!("traceparent: 00-{TRACE}-{SPAN}-00\r\ntracestate: a=1,b=2\r\ntracestate: c=3\r\n");
    let reply = Raw::exchange(edge.address(), get(&lines)).await;

    let (trace, span, flags) = told(&app.last());
    assert_eq!((trace.as_str(), flags.as_str()), (TRACE, "00"));
    assert_ne!(span, SPAN);
    assert_eq!(app.last().all("tracestate"), ["a=1,b=2", "c=3"]);
    assert_eq!(logged(&edge, &reply.header("X-Request-Id").unwrap()), TRACE);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_sound_one_a_trace_begins_and_no_state_of_another_travels() {
    let app = Upstream::start().await;
    let edge = Edge::before(&app);
    let mut traces = Vec::new();
    for lines in [
        String::new(),
        "tracestate: a=1\r\n".to_owned(),
        format!("traceparent: 00-{TRACE}-{SPAN}\r\ntracestate: a=1\r\n"),
        format!("traceparent: 00-{TRACE}-{SPAN}-01\r\ntraceparent: 00-{TRACE}-{SPAN}-01\r\ntracestate: a=1\r\n"),
    ] {
        let reply = Raw::exchange(edge.address(), get(&lines)).await;

        let (trace, span, flags) = told(&app.last());
        assert_eq!((trace.len(), span.len(), flags.as_str()), (32, 16, "01"), "{lines}");
        assert!(app.last().all("tracestate").is_empty(), "{lines}");
        assert_eq!(logged(&edge, &reply.header("X-Request-Id").unwrap()), trace);
        traces.push(trace);
    }
    traces.push(TRACE.to_owned());
    traces.sort();
    traces.dedup();
    assert_eq!(traces.len(), 5);
}
