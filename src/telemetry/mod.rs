//! Logs, metrics and traces.

pub mod access_log;
mod line;
pub mod log;
mod metrics;
#[cfg(feature = "otel")]
mod otlp;
mod settings;
mod span;

pub use metrics::{Counter, Decision, Metrics, NotRegistered, OpenStream, RouteMetrics};
#[cfg(feature = "otel")]
pub use otlp::Exporter;
pub use settings::{LogFormat, Receiver, TelemetrySettings};
pub(crate) use settings::{headers, traces};
pub use span::{Asked, Exchange, Spans};

/// What is said where `telemetry.otlp_endpoint` names a collector, and this build cannot speak to it.
pub const NO_OTEL: &str = "OpenTelemetry is not in this build: it is in the released image, and in what is built with \
    `cargo build --release --features otel`";
