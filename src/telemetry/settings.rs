//! The section `[telemetry]`.

use std::path::PathBuf;

use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use url::Url;

use crate::secret::Secret;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// One JSON object a line.
    #[default]
    Json,
    /// For eyes.
    Text,
}

/// Logs, and where traces go.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetrySettings {
    /// `error`, `warn`, `info`, `debug`, or directives as `doorward=debug,info`.
    pub log: String,
    /// How lines look.
    pub log_format: LogFormat,
    /// Where an OpenTelemetry collector takes OTLP over HTTP; `/v1/traces` is put behind it.
    pub otlp_endpoint: Option<Url>,
    /// What it wants to be told, as `name=value,name=value`.
    pub otlp_headers: Option<Secret<String>>,
    /// A file that holds it.
    pub otlp_headers_file: Option<PathBuf>,
    /// Which share of the requests is recorded, 0 to 1.
    pub otlp_sample: f64,
}

/// Who takes traces.
pub struct Receiver {
    /// The address that spans are posted to.
    pub traces: Url,
    /// The headers that go along.
    pub headers: HeaderMap,
}

impl Default for TelemetrySettings {
    fn default() -> Self {
        Self {
            log: "info".to_owned(),
            log_format: LogFormat::Json,
            otlp_endpoint: None,
            otlp_headers: None,
            otlp_headers_file: None,
            otlp_sample: 1.0,
        }
    }
}

impl TelemetrySettings {
    /// Who takes traces; `None` where nobody does.
    ///
    /// # Errors
    /// What is wrong with the address or the headers, in words without them.
    pub fn receiver(&self) -> Result<Option<Receiver>, String> {
        let Some(endpoint) = &self.otlp_endpoint else { return Ok(None) };
        let traces = traces(endpoint)?;
        let headers = self.otlp_headers.as_ref().map_or_else(|| Ok(HeaderMap::new()), |text| headers(text.expose()))?;
        Ok(Some(Receiver { traces, headers }))
    }
}

/// The address that spans are posted to.
///
/// # Errors
/// What the endpoint should be like, in words.
pub(crate) fn traces(endpoint: &Url) -> Result<Url, &'static str> {
    let is_bare = endpoint.query().is_none() && endpoint.fragment().is_none();
    let is_nobodys = endpoint.username().is_empty() && endpoint.password().is_none();
    if !matches!(endpoint.scheme(), "http" | "https") || !endpoint.has_host() || !is_bare || !is_nobodys {
        return Err("should be http://host:port or https://host:port, with a path at most");
    }
    let mut traces = endpoint.clone();
    traces.set_path(&format!("{}/v1/traces", endpoint.path().trim_end_matches('/')));
    Ok(traces)
}

/// `name=value,name=value`, values percent-encoded where they must be, as `OTEL_EXPORTER_OTLP_HEADERS` is written.
///
/// # Errors
/// What they should be like, in words without them.
pub(crate) fn headers(text: &str) -> Result<HeaderMap, &'static str> {
    const SHAPE: &str = "should be headers, as name=value,name=value; a comma in a value is %2C";
    let mut headers = HeaderMap::new();
    for pair in text.split(',') {
        let (name, value) = pair.split_once('=').ok_or(SHAPE)?;
        let name = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| SHAPE)?;
        let value: Vec<u8> = percent_decode_str(value.trim()).collect();
        let mut value = HeaderValue::from_bytes(&value).map_err(|_| SHAPE)?;
        value.set_sensitive(true);
        headers.append(name, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_traces_is_put_behind_what_is_named() {
        for (endpoint, wanted) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            ("https://collector.example/", "https://collector.example/v1/traces"),
            ("https://collector.example/otlp/", "https://collector.example/otlp/v1/traces"),
        ] {
            assert_eq!(traces(&Url::parse(endpoint).unwrap()).unwrap().as_str(), wanted);
        }
        for endpoint in ["ftp://a", "http://u:p@a", "http://a?key=1", "http://a#b", "unix:/run/otel"] {
            assert!(traces(&Url::parse(endpoint).unwrap()).is_err(), "{endpoint}");
        }
    }

    #[test]
    fn headers_are_read_as_elsewhere() {
        let read = headers("authorization=Bearer%20a%2Cb, x-team = blue").unwrap();
        assert_eq!((&read["authorization"], &read["x-team"]), (&HeaderValue::from_static("Bearer a,b"), &HeaderValue::from_static("blue")));
        for text in ["", "name", "=value", "na me=value", "name=a%0Ab", "a=b,"] {
            assert!(headers(text).is_err(), "{text}");
        }
    }
}
