//! Logs and metrics.

pub mod log;
mod metrics;
mod settings;

pub use metrics::{Decision, Metrics, RouteMetrics};
pub use settings::{LogFormat, TelemetrySettings};
