//! Log lines: JSON or text, to standard error, with the libraries turned down.

use tracing_log::AsLog as _;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{LevelFilter, ParseError};
use tracing_subscriber::layer::SubscriberExt as _;

use super::access_log::AccessLog;
use super::line::Line;
use super::settings::{LogFormat, TelemetrySettings};

/// What is said of libraries unless the settings say otherwise: their `info` is our `debug`. The proxy's connectors report an
/// error when two workers reach for one idle connection, and then make a new one; what fails we log ourselves,
/// a certificate that is refused too.
const LIBRARIES: &str = "pingora=warn,pingora_core=warn,pingora_core::connectors=off,pingora_proxy=error,pingora_load_balancing=warn,\
                         pingora_pool=warn,sqlx=warn,lettre=warn,redis=warn,h2=warn,rustls=warn,hyper=warn,tower=warn,\
                         rustls_platform_verifier=off";

/// The log could not be begun.
#[derive(Debug, thiserror::Error)]
pub enum NotLogging {
    /// The directives cannot be read.
    #[error("telemetry.log cannot be read: {0}")]
    Directives(#[from] ParseError),
    /// There is a log already.
    #[error("the log has begun already")]
    Twice,
    /// The thread that writes the access log could not be started.
    #[error("the access log cannot be written: {0}")]
    Access(#[from] std::io::Error),
}

/// Begin the log of this process, for `tracing` and for libraries that use `log`. What is given back writes out the last lines
/// of the access log when it is dropped.
///
/// # Errors
/// When the directives cannot be read, or it has begun already.
pub fn init(settings: &TelemetrySettings) -> Result<AccessLog, NotLogging> {
    let format = settings.log_format;
    let lines = tracing_subscriber::fmt::layer().with_writer(move || Line(format));
    let filter = filter(&settings.log)?;
    // Libraries that use `log` ask this level first: what nobody reads costs them one comparison.
    let loudest = filter.max_level_hint().unwrap_or(LevelFilter::TRACE).as_log();
    tracing_log::LogTracer::builder().with_max_level(loudest).init().map_err(|_| NotLogging::Twice)?;
    let registry = tracing_subscriber::registry().with(filter);
    let begun = match format {
        LogFormat::Json => tracing::subscriber::set_global_default(registry.with(lines.json().flatten_event(true))),
        LogFormat::Text => tracing::subscriber::set_global_default(registry.with(lines)),
    };
    begun.map_err(|_| NotLogging::Twice)?;
    Ok(AccessLog::begin(format)?)
}

/// Which lines are written: the libraries' quiet levels, then `directives`, which win.
///
/// # Errors
/// When `directives` cannot be read.
pub fn filter(directives: &str) -> Result<EnvFilter, ParseError> {
    EnvFilter::builder().parse(format!("{LIBRARIES},{directives}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directives_are_read_or_refused() {
        for fine in ["info", "doorward=debug,info", "error"] {
            assert!(filter(fine).is_ok(), "{fine}");
        }
        for odd in ["loud=yes=no", "doorward=loudly", "info,,=,"] {
            assert!(filter(odd).is_err(), "{odd}");
        }
    }
}
