//! What a collector of traces is told, and that nothing of it is felt when it is not there.

use std::collections::BTreeMap;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use prost::Message;
use tokio::task::JoinSet;

use super::{Edge, get, public};
use crate::support::client::{Raw, Reply};
use crate::support::ports;
use crate::support::provider::{Manner, Provider};
use crate::support::upstream::Upstream;
use crate::support::wait;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";
const SOON: Duration = Duration::from_secs(30);

/// A gateway whose spans go there.
fn told_to(collector: &str, listen: &str, telemetry: &str, routes: &str) -> Edge {
    Edge::start(listen, &format!("{routes}\n[telemetry]\notlp_endpoint = \"{collector}\"\n{telemetry}\n"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| char::from_digit(digit.into(), 16).unwrap()).collect()
}

/// The attributes of a span, as text.
fn said(span: &Span) -> BTreeMap<String, String> {
    let text = |value: &Value| match value {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        other => panic!("{other:?}"),
    };
    span.attributes.iter().map(|pair| (pair.key.clone(), text(pair.value.as_ref().unwrap().value.as_ref().unwrap()))).collect()
}

/// All that the collector has been sent, whether it took it or not.
fn spans(collector: &Provider) -> Vec<Span> {
    let read = |bytes: &[u8]| ExportTraceServiceRequest::decode(bytes).expect("a message of OTLP");
    let messages = collector.requests().into_iter().map(|request| read(&request.bytes));
    messages.flat_map(|message| message.resource_spans).flat_map(|one| one.scope_spans).flat_map(|one| one.spans).collect()
}

/// The span of this request, and the one of its app, once they are there.
fn told(collector: &Provider, reply: &Reply) -> (Span, Option<Span>) {
    let id = reply.header("X-Request-Id").expect("a name");
    wait::until("the spans of a request", SOON, || {
        let all = spans(collector);
        let ours = all.iter().find(|span| said(span).get("doorward.request.id") == Some(&id))?.clone();
        let below = all.into_iter().find(|span| span.parent_span_id == ours.span_id);
        Some((ours, below))
    })
}

fn is_failed(span: &Span) -> bool {
    span.status.as_ref().is_some_and(|status| status.code == i32::from(StatusCode::Error))
}

fn keys(span: &Span) -> Vec<String> {
    said(span).into_keys().collect()
}

async fn counted(edge: &Edge, outcome: &str) -> u64 {
    let text = edge.gateway.operator().get("/metrics").await.text();
    let begins = format!("doorward_spans_total{{outcome=\"{outcome}\"}} ");
    text.lines().find_map(|line| line.strip_prefix(&begins)).map_or(0, |count| count.parse().unwrap())
}

async fn wait_for_count(edge: &Edge, outcome: &str, least: u64) {
    let enough = async || (counted(edge, outcome).await >= least).then_some(());
    wait::until_async(&format!("{least} spans that are {outcome}"), SOON, enough).await;
}

/// A plain request takes the straight way, one with a body the framework's.
const WAYS: [(&str, &str); 2] = [("GET", ""), ("POST", "Content-Length: 2\r\n")];

fn request(method: &str, target: &str, lines: &str) -> String {
    let body = if method == "POST" { "hi" } else { "" };
    format!("{method} {target} HTTP/1.1\r\nHost: app.example\r\n{lines}\r\n{body}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_told_of_and_below_it_what_its_app_took() {
    let (app, collector) = (Upstream::start().await, Provider::start());
    let headers = "otlp_headers = \"authorization=Bearer%20told,x-team=blue\"";
    let edge = told_to(&collector.url(), "", headers, &public("app", &[&app.url()], ""));
    for (method, lines) in WAYS {
        app.delay(Duration::from_millis(30));
        let secrets = "Cookie: a=hunter2\r\nAuthorization: Bearer hunter2\r\nReferer: http://hunter2/\r\nUser-Agent: hunter2\r\n";
        let reply = Raw::exchange(edge.address(), request(method, "/hunter2?code=hunter2", &format!("{secrets}{lines}"))).await;
        assert_eq!(reply.status, 200);

        let (ours, below) = told(&collector, &reply);
        let below = below.expect("the app's span");
        assert_eq!((ours.name.as_str(), ours.kind), (format!("{method} app").as_str(), SpanKind::Server.into()));
        assert_eq!((below.name.as_str(), below.kind), (method, SpanKind::Client.into()));
        assert!(ours.parent_span_id.is_empty() && !is_failed(&ours) && !is_failed(&below));
        let traceparent = app.last().header("traceparent").unwrap();
        assert_eq!(traceparent, format!("00-{}-{}-01", hex(&ours.trace_id), hex(&below.span_id)), "the app goes on below its span");
        assert_eq!(ours.trace_id, below.trace_id);
        assert!(ours.start_time_unix_nano <= below.start_time_unix_nano && below.end_time_unix_nano <= ours.end_time_unix_nano);
        assert!(below.end_time_unix_nano - below.start_time_unix_nano >= 30_000_000, "{below:?}");
        let all = said(&ours);
        assert_eq!((all["http.route"].as_str(), all["http.request.method"].as_str()), ("app", method));
        assert_eq!((all["http.response.status_code"].as_str(), all["doorward.decision"].as_str()), ("200", "admitted"));
        let known = ["doorward.decision", "doorward.request.id", "http.request.method", "http.response.status_code", "http.route"];
        assert_eq!(keys(&ours), known);
        assert_eq!(keys(&below), ["http.request.method", "http.response.status_code", "server.address"]);
        assert_eq!(said(&below)["server.address"], app.address().to_string());
    }
    for request in collector.requests() {
        assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/v1/traces"));
        assert_eq!(request.header("Content-Type").as_deref(), Some("application/x-protobuf"));
        assert_eq!((request.header("Authorization").as_deref(), request.header("X-Team").as_deref()), (Some("Bearer told"), Some("blue")));
        assert!(!request.bytes.windows(7).any(|part| part == b"hunter2"), "a secret is in a span");
        let message = ExportTraceServiceRequest::decode(request.bytes.as_slice()).unwrap();
        let resource = message.resource_spans[0].resource.as_ref().unwrap();
        assert_eq!(resource.attributes[0].key, "service.name");
    }
    wait_for_count(&edge, "exported", 2).await;
    assert!(!edge.gateway.log().contains("Bearer"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_refused_has_no_app_and_an_app_that_fails_is_failed() {
    let collector = Provider::start();
    let nobody = format!("http://{}", ports::free_address());
    let routes =
        format!("{}\n[[route]]\nname = \"closed\"\npath = \"/closed\"\nupstream = [\"{nobody}\"]\n", public("gone", &[&nobody], ""));
    let edge = told_to(&collector.url(), "", "", &routes);
    for (method, lines) in WAYS {
        let reply = Raw::exchange(edge.address(), request(method, "/closed", lines)).await;
        assert_eq!(reply.status, 401);
        let (ours, below) = told(&collector, &reply);
        let all = said(&ours);
        assert_eq!((all["http.route"].as_str(), all["http.response.status_code"].as_str()), ("closed", "401"));
        assert_eq!((all["doorward.decision"].as_str(), all["doorward.refusal.code"].as_str()), ("refused", "unauthenticated"));
        assert!(below.is_none() && !is_failed(&ours));

        let reply = Raw::exchange(edge.address(), request(method, "/", lines)).await;
        assert_eq!(reply.status, 502);
        let (ours, below) = told(&collector, &reply);
        assert!(is_failed(&ours) && below.is_some_and(|below| is_failed(&below)));
        assert_eq!(said(&ours)["doorward.refusal.code"], "upstream_failed");
    }
    // Our own endpoints are not proxied.
    let own = Raw::exchange(edge.address(), request("GET", "/auth/.well-known/jwks.json", "")).await;
    let last = Raw::exchange(edge.address(), request("GET", "/closed", "")).await;
    told(&collector, &last);
    let id = own.header("X-Request-Id");
    assert!(id.is_some() && !spans(&collector).iter().any(|span| said(span).get("doorward.request.id") == id.as_ref()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trusted_proxy_says_what_is_recorded_and_nobody_else_does() {
    let (app, collector) = (Upstream::start().await, Provider::start());
    let routes = public("app", &[&app.url()], "");
    let with = |flags: &str| get(&format!("traceparent: 00-{TRACE}-{SPAN}-{flags}\r\n"));
    let flags = || app.last().header("traceparent").unwrap()[53..].to_owned();

    // By chance, nothing is.
    let none = "otlp_sample = 0.0";
    let strict = told_to(&collector.url(), "", none, &routes);
    for asked in [get(""), with("01"), with("00")] {
        Raw::exchange(strict.address(), asked).await;
        assert_eq!(flags(), "00", "the app would record what nobody else does");
    }
    let trusting = told_to(&collector.url(), "trusted_proxies = [\"127.0.0.1/32\"]", none, &routes);
    for asked in [get(""), with("00")] {
        Raw::exchange(trusting.address(), asked).await;
        assert_eq!(flags(), "00");
    }
    let reply = Raw::exchange(trusting.address(), with("01")).await;
    assert_eq!(flags(), "01");
    let (ours, _) = told(&collector, &reply);
    assert_eq!((hex(&ours.trace_id), hex(&ours.parent_span_id)), (TRACE.to_owned(), SPAN.to_owned()));
    assert_eq!(spans(&collector).len(), 2, "a request and its app");

    // By chance, all is, whatever a stranger says.
    let all = told_to(&collector.url(), "", "", &routes);
    let reply = Raw::exchange(all.address(), with("00")).await;
    assert_eq!(flags(), "01");
    assert_eq!(hex(&told(&collector, &reply).0.parent_span_id), SPAN);
}

/// So many requests at once, all of which are answered, each within a moment.
async fn all_is_well(edge: &Edge, requests: usize) {
    let mut tasks = JoinSet::new();
    for _ in 0..16 {
        let person = edge.gateway.person();
        tasks.spawn(async move {
            for _ in 0..requests / 16 {
                let reply = tokio::time::timeout(Duration::from_secs(10), person.get("/")).await;
                assert_eq!(reply.expect("in time").status, 200);
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.expect("every request is answered");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_hangs_is_felt_by_nobody_and_what_finds_no_room_is_counted() {
    let (app, collector) = (Upstream::start().await, Provider::start());
    collector.behave(Manner::Hang);
    let edge = told_to(&collector.url(), "", "", &public("app", &[&app.url()], ""));
    // One batch is on its way, and 4096 wait: the rest finds no room.
    all_is_well(&edge, 5600).await;
    wait_for_count(&edge, "dropped", 500).await;
    assert_eq!(counted(&edge, "exported").await, 0);

    collector.behave(Manner::Answer(200));
    wait_for_count(&edge, "exported", 4096).await;
    let dropped = counted(&edge, "dropped").await;
    all_is_well(&edge, 160).await;
    wait_for_count(&edge, "exported", 4096 + 160).await;
    assert_eq!(counted(&edge, "dropped").await, dropped);
    edge.gateway.wait_for_log("Spans are taken again.");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_not_there_is_felt_by_nobody_and_said_once() {
    let app = Upstream::start().await;
    let edge = told_to(&format!("http://{}", ports::free_address()), "", "", &public("app", &[&app.url()], ""));
    all_is_well(&edge, 320).await;
    wait_for_count(&edge, "failed", 320).await;
    assert_eq!(edge.gateway.log().matches("Spans are not taken").count(), 1);
    assert_eq!(edge.gateway.operator().get("/readyz").await.json()["status"], "ok");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_collector_refuses_is_not_sent_again_and_what_it_cannot_take_now_is() {
    let (app, collector) = (Upstream::start().await, Provider::start());
    let edge = told_to(&collector.url(), "", "", &public("app", &[&app.url()], ""));
    collector.behave(Manner::Answer(400));
    Raw::exchange(edge.address(), get("")).await;
    wait_for_count(&edge, "failed", 1).await;
    assert_eq!(collector.requests().len(), 1);

    collector.behave(Manner::Answer(503));
    Raw::exchange(edge.address(), get("")).await;
    collector.wait_for(2);
    collector.behave(Manner::Answer(200));
    wait_for_count(&edge, "exported", 1).await;
    let sent = collector.requests();
    assert!(sent.len() >= 3);
    assert_eq!(sent[1].bytes, sent.last().unwrap().bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_when_we_leave_is_sent() {
    let (app, collector) = (Upstream::start().await, Provider::start());
    let mut edge = told_to(&collector.url(), "", "", &public("app", &[&app.url()], ""));
    let reply = Raw::exchange(edge.address(), get("")).await;
    assert!(tokio::task::block_in_place(|| edge.gateway.terminate()).success());
    let id = reply.header("X-Request-Id");
    assert!(spans(&collector).iter().any(|span| said(span).get("doorward.request.id") == id.as_ref()), "{:?}", spans(&collector).len());
}
