//! Logs and metrics.

pub mod access_log;
mod line;
pub mod log;
mod metrics;
mod settings;

pub use metrics::{Counter, Decision, Metrics, NotRegistered, OpenStream, RouteMetrics};
pub use settings::{LogFormat, TelemetrySettings};
