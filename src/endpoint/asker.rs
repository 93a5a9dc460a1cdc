//! Who asks: a person's browser that shows a page, a gRPC client, or any other program. Replies fit the asker.

use http::HeaderMap;
use http::header::{ACCEPT, CONTENT_TYPE};

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asker {
    /// A browser that will show the reply as a page.
    Navigation,
    /// gRPC: it reads `grpc-status`, not the status line.
    Grpc,
    /// Any other program.
    Program,
}

impl Asker {
    /// By `Sec-Fetch-Mode`, else `Accept: text/html` without `X-Requested-With`.
    pub fn of(headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        if text(CONTENT_TYPE.as_str()).is_some_and(|kind| kind.starts_with("application/grpc")) {
            return Self::Grpc;
        }
        let shows_pages = match text("sec-fetch-mode") {
            Some(mode) => mode == "navigate",
            None => text(ACCEPT.as_str()).is_some_and(accepts_html) && !headers.contains_key("x-requested-with"),
        };
        if shows_pages { Self::Navigation } else { Self::Program }
    }
}

fn accepts_html(accept: &str) -> bool {
    accept.split(',').filter_map(|kind| kind.split(';').next()).any(|kind| kind.trim().eq_ignore_ascii_case("text/html"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    fn asker(fields: &[(&'static str, &'static str)]) -> Asker {
        let fields = fields.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        Asker::of(&fields.collect())
    }

    #[test]
    fn the_browser_says_what_it_does() {
        assert_eq!(asker(&[("sec-fetch-mode", "navigate")]), Asker::Navigation);
        assert_eq!(asker(&[("sec-fetch-mode", "cors"), ("accept", "text/html")]), Asker::Program);
        assert_eq!(asker(&[("sec-fetch-mode", "websocket")]), Asker::Program);
    }

    #[test]
    fn without_its_word_accept_decides() {
        assert_eq!(asker(&[("accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")]), Asker::Navigation);
        assert_eq!(asker(&[("accept", "text/html"), ("x-requested-with", "XMLHttpRequest")]), Asker::Program);
        assert_eq!(asker(&[("accept", "*/*")]), Asker::Program);
        assert_eq!(asker(&[("accept", "text/htmlx")]), Asker::Program);
        assert_eq!(asker(&[]), Asker::Program);
        assert_eq!(asker(&[("content-type", "application/grpc+proto"), ("accept", "text/html")]), Asker::Grpc);
    }
}
