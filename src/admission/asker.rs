//! Who asks, as far as a refusal has to fit them: a person at a browser, a gRPC client, or another program.

use http::header::{ACCEPT, CONTENT_TYPE, HeaderName};
use http::request::Parts;
use http::{HeaderMap, Method};

static SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
static X_REQUESTED_WITH: HeaderName = HeaderName::from_static("x-requested-with");

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asker {
    /// A browser that shows a page: it is sent to the sign-in page.
    Navigation,
    /// A gRPC client: it reads `grpc-status`.
    Grpc,
    /// Anything else: it reads the status and a problem document.
    Other,
}

impl Asker {
    /// From the head of a request.
    pub fn of(head: &Parts) -> Self {
        if starts_with(&head.headers, &CONTENT_TYPE, b"application/grpc") {
            return Self::Grpc;
        }
        let reads = matches!(head.method, Method::GET | Method::HEAD);
        if reads && navigates(&head.headers) { Self::Navigation } else { Self::Other }
    }
}

fn navigates(headers: &HeaderMap) -> bool {
    if let Some(mode) = headers.get(&SEC_FETCH_MODE) {
        return mode.as_bytes() == b"navigate";
    }
    accepts_html(headers) && !headers.contains_key(&X_REQUESTED_WITH)
}

fn accepts_html(headers: &HeaderMap) -> bool {
    let html = |range: &[u8]| range.trim_ascii().get(..9).is_some_and(|name| name.eq_ignore_ascii_case(b"text/html"));
    headers.get_all(ACCEPT).iter().any(|value| value.as_bytes().split(|byte| *byte == b',').any(html))
}

fn starts_with(headers: &HeaderMap, name: &HeaderName, start: &[u8]) -> bool {
    let value = headers.get(name).map(http::HeaderValue::as_bytes).unwrap_or_default();
    value.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start))
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn asker(method: &str, headers: &[(&str, &str)]) -> Asker {
        let builder = Request::builder().method(method).uri("/");
        let request = headers.iter().fold(builder, |builder, (name, value)| builder.header(*name, *value));
        Asker::of(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn a_browser_that_shows_a_page_navigates() {
        assert_eq!(asker("GET", &[("sec-fetch-mode", "navigate"), ("accept", "*/*")]), Asker::Navigation);
        assert_eq!(asker("GET", &[("accept", "application/xml, Text/HTML;q=0.9")]), Asker::Navigation);
        assert_eq!(asker("HEAD", &[("accept", "text/html")]), Asker::Navigation);
    }

    #[test]
    fn a_script_or_a_tool_does_not() {
        assert_eq!(asker("GET", &[("sec-fetch-mode", "cors"), ("accept", "text/html")]), Asker::Other);
        assert_eq!(asker("GET", &[("accept", "text/html"), ("x-requested-with", "XMLHttpRequest")]), Asker::Other);
        assert_eq!(asker("POST", &[("sec-fetch-mode", "navigate")]), Asker::Other);
        assert_eq!(asker("GET", &[("accept", "*/*")]), Asker::Other);
        assert_eq!(asker("GET", &[]), Asker::Other);
    }

    #[test]
    fn grpc_says_so_in_its_content_type() {
        assert_eq!(asker("POST", &[("content-type", "application/grpc+proto")]), Asker::Grpc);
        assert_eq!(asker("POST", &[("content-type", "application/json")]), Asker::Other);
    }
}
