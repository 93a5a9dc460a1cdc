//! Logs and metrics.

mod settings;

pub use settings::{LogFormat, TelemetrySettings};
