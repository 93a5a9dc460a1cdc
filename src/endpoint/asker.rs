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
    /// By `Sec-Fetch-Mode`, else `Accept: text/html` without `X-Requested-With`, where nothing is wanted more: package managers take
    /// pages too, if they must.
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

/// Is HTML accepted, and nothing before it (RFC 9110 §12.5.1)?
fn accepts_html(accept: &str) -> bool {
    let kinds = || accept.split(',').map(wanted);
    let html = kinds().filter(|(kind, _)| kind.eq_ignore_ascii_case("text/html")).map(|(_, weight)| weight).max();
    html.is_some_and(|html| html > 0 && kinds().all(|(_, weight)| weight <= html))
}

/// A kind, and how much it is wanted, in thousandths.
fn wanted(entry: &str) -> (&str, u32) {
    let mut parts = entry.split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default();
    let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    (kind, weight.map_or(1000, thousandths))
}

/// `0.25` is 250. What is no weight counts as none: wanted as much as anything.
fn thousandths(weight: &str) -> u32 {
    let (whole, rest) = weight.split_once('.').unwrap_or((weight, ""));
    let padded: String = rest.chars().chain("000".chars()).take(3).collect();
    match (whole, padded.parse::<u32>()) {
        ("0", Ok(thousandths)) => thousandths,
        _ => 1000,
    }
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
        assert_eq!(asker(&[("accept", "text/html;q=0.5, */*;q=0.4")]), Asker::Navigation);
        let pip = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01";
        for program in [pip, "application/json, text/html;q=0.999", "text/html;q=0", "text/html; q=0.000", "a/b;q=0.2, text/html;q=0.19"] {
            assert_eq!(asker(&[("accept", program)]), Asker::Program, "{program}");
        }
        for page in
            ["text/html", "text/html;q=1", "text/html;q=1.0", "text/html;q=nonsense", "TEXT/HTML, a/b", "a/b;q=0.3,text/html; q=0.30"]
        {
            assert_eq!(asker(&[("accept", page)]), Asker::Navigation, "{page}");
        }
        assert_eq!(asker(&[("accept", "text/htmlx")]), Asker::Program);
        assert_eq!(asker(&[]), Asker::Program);
        assert_eq!(asker(&[("content-type", "application/grpc+proto"), ("accept", "text/html")]), Asker::Grpc);
    }
}
