//! Where traces go, in a build that can send them.

use tokio::runtime::Handle;

use crate::boot::NotServing;
use crate::config::Config;
use crate::telemetry::{Metrics, Spans};

/// What becomes of requests that are recorded. It ends with this.
pub(super) struct Traces {
    pub(super) spans: Spans,
    #[cfg(feature = "otel")]
    exporter: Option<crate::telemetry::Exporter>,
}

#[cfg(feature = "otel")]
impl Traces {
    /// Begin to send them where `config` says.
    pub(super) fn start(config: &Config, metrics: &Metrics, slow: &Handle) -> Result<Self, NotServing> {
        use crate::config::Mistake;
        use crate::telemetry::Exporter;

        let wrong = |cause: String| NotServing::Configuration(vec![Mistake::new("telemetry.otlp_endpoint", cause)]);
        let (spans, exporter) = Exporter::start(&config.telemetry, metrics, slow).map_err(wrong)?.unzip();
        Ok(Self { spans: spans.unwrap_or_default(), exporter })
    }

    /// What waits is sent, within a moment.
    pub(super) async fn end(&mut self) {
        /// A collector that does not answer keeps nobody from leaving.
        const LAST_SPANS: std::time::Duration = std::time::Duration::from_secs(2);
        if let Some(exporter) = &mut self.exporter {
            exporter.end(LAST_SPANS).await;
        }
    }
}

#[cfg(not(feature = "otel"))]
impl Traces {
    /// Nowhere: `check` refuses a collector.
    #[expect(clippy::unnecessary_wraps, reason = "a build that can send them may find that it cannot")]
    pub(super) const fn start(_config: &Config, _metrics: &Metrics, _slow: &Handle) -> Result<Self, NotServing> {
        Ok(Self { spans: Spans::off() })
    }

    /// Nothing waits.
    #[expect(clippy::unused_async, reason = "a build that can send them waits for what waits")]
    pub(super) async fn end(&mut self) {}
}
