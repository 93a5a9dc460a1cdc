//! Takes exchanges to an OpenTelemetry collector: OTLP over HTTP, protobuf, in batches. One task does it; nobody waits for it.
//!
//! A batch that cannot be delivered is tried again a few times, and lost then; meanwhile the queue fills, and what finds no
//! room in it is dropped. Both are counted.

use std::error::Error;
use std::time::Duration;

use http::{HeaderMap, StatusCode};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode as Outcome;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message as _;
use reqwest::Client;
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use url::Url;

use super::metrics::{Counter, Metrics};
use super::settings::TelemetrySettings;
use super::span::{Exchange, Spans};

/// Exchanges that wait at most.
const ROOM: usize = 4096;
/// Exchanges in one message at most.
const BATCH: usize = 512;
/// How long one waits for others.
const GATHER: Duration = Duration::from_secs(1);
/// For one attempt in all.
const WHOLE: Duration = Duration::from_secs(10);
/// Between attempts; after the last the batch is lost.
const PAUSES: [Duration; 3] = [Duration::from_millis(500), Duration::from_secs(2), Duration::from_secs(5)];

/// The running task. What waits is lost when this is dropped, unless it was told to end before.
pub struct Exporter {
    task: JoinHandle<()>,
    end: Option<oneshot::Sender<()>>,
}

impl Drop for Exporter {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Exporter {
    /// Begin, in the runtime `slow`; `None` where `telemetry.otlp_endpoint` is unset.
    ///
    /// # Errors
    /// What is wrong with the settings, in words.
    pub fn start(settings: &TelemetrySettings, metrics: &Metrics, slow: &Handle) -> Result<Option<(Spans, Self)>, String> {
        let Some(receiver) = settings.receiver()? else { return Ok(None) };
        let carrier = Carrier::to(receiver.traces, receiver.headers, metrics)?;
        let (sender, queue) = mpsc::channel(ROOM);
        let (end, is_over) = oneshot::channel();
        let task = slow.spawn(carrier.run(queue, is_over));
        Ok(Some((Spans::to(sender, settings.otlp_sample, metrics.spans("dropped")), Self { task, end: Some(end) })))
    }

    /// Nothing is taken any more; what waits is sent, within this time.
    pub async fn end(&mut self, within: Duration) {
        // It hears that the other end is gone.
        if self.end.take().is_some() {
            drop(timeout(within, &mut self.task).await);
        }
    }
}

/// What is sent, and where.
struct Carrier {
    client: Client,
    to: Url,
    headers: HeaderMap,
    exported: Counter,
    failed: Counter,
    /// Said once.
    is_failing: bool,
}

/// Why a batch was not taken.
struct NotTaken {
    cause: String,
    is_for_now: bool,
}

impl Carrier {
    fn to(to: Url, headers: HeaderMap, metrics: &Metrics) -> Result<Self, String> {
        let client = Client::builder().user_agent(concat!("doorward/", env!("CARGO_PKG_VERSION"))).redirect(Policy::none()).no_proxy();
        let client = client.timeout(WHOLE).build().map_err(|error| error.to_string())?;
        Ok(Self { client, to, headers, exported: metrics.spans("exported"), failed: metrics.spans("failed"), is_failing: false })
    }

    async fn run(mut self, mut queue: mpsc::Receiver<Exchange>, mut is_over: oneshot::Receiver<()>) {
        let mut batch = Vec::with_capacity(BATCH);
        loop {
            tokio::select! {
                () = gather(&mut queue, &mut batch) => {}
                _ = &mut is_over => break,
            }
            if batch.is_empty() {
                return;
            }
            tokio::select! {
                () = self.carry(&batch) => batch.clear(),
                _ = &mut is_over => break,
            }
        }
        queue.close();
        loop {
            // What was being sent when we were told to end goes once more: a span that came twice is one.
            if batch.is_empty() && queue.recv_many(&mut batch, BATCH).await == 0 {
                return;
            }
            let taken = self.send(&batch).await;
            self.count(&taken, batch.len());
            batch.clear();
        }
    }

    /// Until it was taken, or is given up.
    async fn carry(&mut self, batch: &[Exchange]) {
        let mut taken = self.send(batch).await;
        for pause in PAUSES {
            match &taken {
                Err(not) if not.is_for_now => self.tell(&not.cause),
                Ok(()) | Err(_) => break,
            }
            sleep(pause).await;
            taken = self.send(batch).await;
        }
        self.count(&taken, batch.len());
    }

    fn count(&mut self, taken: &Result<(), NotTaken>, number: usize) {
        match taken {
            Ok(()) => {
                self.exported.add_many(number);
                if std::mem::take(&mut self.is_failing) {
                    tracing::info!("Spans are taken again.");
                }
            }
            Err(not) => {
                self.failed.add_many(number);
                self.tell(&not.cause);
            }
        }
    }

    fn tell(&mut self, cause: &str) {
        if !std::mem::replace(&mut self.is_failing, true) {
            tracing::warn!("Spans are not taken: {cause}. Requests go on without.");
        }
    }

    async fn send(&self, batch: &[Exchange]) -> Result<(), NotTaken> {
        let message = message(batch).encode_to_vec();
        let request = self.client.post(self.to.clone()).headers(self.headers.clone()).header(CONTENT_TYPE, "application/x-protobuf");
        let answer = request.body(message).send().await.map_err(|error| NotTaken { cause: innermost(&error), is_for_now: true })?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            status => Err(NotTaken { cause: format!("HTTP {}", status.as_u16()), is_for_now: is_for_now(status) }),
        }
    }
}

/// One exchange at least, and those that come within a moment; none when nobody sends any more.
async fn gather(queue: &mut mpsc::Receiver<Exchange>, batch: &mut Vec<Exchange>) {
    let Some(first) = queue.recv().await else { return };
    batch.push(first);
    let until = Instant::now() + GATHER;
    while batch.len() < BATCH {
        match timeout_at(until, queue.recv_many(batch, BATCH - batch.len())).await {
            Ok(1..) => {}
            Ok(0) | Err(_) => return,
        }
    }
}

/// Those that the protocol says to try again.
fn is_for_now(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS | StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT
    )
}

/// Without the address, in which a secret could stand.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    if error.is_timeout() { "no answer in time".to_owned() } else { cause.to_string() }
}

fn message(batch: &[Exchange]) -> ExportTraceServiceRequest {
    let scope = InstrumentationScope { name: "doorward".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned(), ..Default::default() };
    let attributes = vec![text("service.name", "doorward"), text("service.version", env!("CARGO_PKG_VERSION"))];
    let spans = batch.iter().flat_map(|exchange| [Some(server(exchange)), client(exchange)]).flatten().collect();
    let scope_spans = vec![ScopeSpans { scope: Some(scope), spans, ..Default::default() }];
    let resource = Some(Resource { attributes, ..Default::default() });
    ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { resource, scope_spans, ..Default::default() }] }
}

/// The request, as its client sees it.
fn server(exchange: &Exchange) -> Span {
    let mut attributes = vec![
        text("http.request.method", exchange.method),
        text("http.route", &exchange.route),
        number("http.response.status_code", exchange.status),
        text("doorward.request.id", &exchange.request_id),
        text("doorward.decision", exchange.decision.as_str()),
    ];
    attributes.extend(exchange.code.map(|code| text("doorward.refusal.code", code)));
    Span {
        trace_id: exchange.trace.to_vec(),
        span_id: exchange.span.to_vec(),
        parent_span_id: exchange.parent.map(Vec::from).unwrap_or_default(),
        name: format!("{} {}", exchange.method, exchange.route),
        kind: SpanKind::Server.into(),
        start_time_unix_nano: nanos(exchange, Duration::ZERO),
        end_time_unix_nano: nanos(exchange, exchange.spent),
        attributes,
        status: (exchange.status >= 500).then(failed),
        ..Default::default()
    }
}

/// The part of it in which the app was asked.
fn client(exchange: &Exchange) -> Option<Span> {
    let asked = exchange.asked.as_ref()?;
    let mut attributes = vec![text("http.request.method", exchange.method)];
    attributes.extend(asked.address.as_deref().map(|address| text("server.address", address)));
    if exchange.code.is_none() {
        attributes.push(number("http.response.status_code", exchange.status));
    }
    Some(Span {
        trace_id: exchange.trace.to_vec(),
        span_id: asked.span.to_vec(),
        parent_span_id: exchange.span.to_vec(),
        name: exchange.method.to_owned(),
        kind: SpanKind::Client.into(),
        start_time_unix_nano: nanos(exchange, asked.after),
        end_time_unix_nano: nanos(exchange, exchange.spent),
        attributes,
        status: (exchange.code.is_some() || exchange.status >= 400).then(failed),
        ..Default::default()
    })
}

fn failed() -> Status {
    Status { code: Outcome::Error.into(), ..Default::default() }
}

/// So long after it began, in nanoseconds since 1970.
fn nanos(exchange: &Exchange, after: Duration) -> u64 {
    let began = u64::try_from(exchange.began.as_millis()).unwrap_or(0).saturating_mul(1_000_000);
    began.saturating_add(u64::try_from(after.as_nanos()).unwrap_or(u64::MAX))
}

fn text(key: &str, value: &str) -> KeyValue {
    pair(key, Value::StringValue(value.to_owned()))
}

fn number(key: &str, value: u16) -> KeyValue {
    pair(key, Value::IntValue(value.into()))
}

fn pair(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..Default::default() }
}
