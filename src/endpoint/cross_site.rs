//! Was this request made by another site?

use http::HeaderMap;
use http::header::ORIGIN;

/// `Sec-Fetch-Site: cross-site`, or an `Origin` whose host is not `host` (as the client sent it, with port, if any).
/// `Sec-Fetch-Site: same-origin` decides where TLS ended before us and the schemes differ.
pub(super) fn is_cross_site(headers: &HeaderMap, host: &str) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    match text("sec-fetch-site") {
        Some("same-origin") => false,
        Some("cross-site") => true,
        Some(_) | None => text(ORIGIN.as_str()).is_some_and(|origin| !is_same(origin, host)),
    }
}

fn is_same(origin: &str, host: &str) -> bool {
    let (scheme, authority) = origin.split_once("://").unwrap_or_default();
    let default = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return false,
    };
    let bare = |name: &str| name.strip_suffix(default).unwrap_or(name).to_ascii_lowercase();
    !authority.is_empty() && bare(authority) == bare(host)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    fn cross(fields: &[(&'static str, &'static str)]) -> bool {
        let fields = fields.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        is_cross_site(&fields.collect(), "door.example.com:8443")
    }

    #[test]
    fn the_browser_says_where_it_stands() {
        assert!(cross(&[("sec-fetch-site", "cross-site")]));
        assert!(cross(&[("sec-fetch-site", "cross-site"), ("origin", "https://door.example.com:8443")]));
        assert!(!cross(&[("sec-fetch-site", "same-origin"), ("origin", "http://inside:80")]));
        assert!(cross(&[("sec-fetch-site", "same-site"), ("origin", "https://evil.example.com")]));
        assert!(!cross(&[]));
    }

    #[test]
    fn without_its_word_the_origin_decides() {
        assert!(!cross(&[("origin", "https://door.example.com:8443")]));
        assert!(!cross(&[("origin", "http://DOOR.example.com:8443")]));
        for origin in [
            "null",
            "",
            "https://",
            "https://evil.com",
            "https://door.example.com",
            "https://door.example.com:8443.evil.com",
            "x://door.example.com:8443",
        ] {
            assert!(cross(&[("origin", origin)]), "{origin}");
        }
        let headers = HeaderMap::from_iter([(ORIGIN, HeaderValue::from_static("https://door.example.com"))]);
        assert!(!is_cross_site(&headers, "door.example.com:443"));
        assert!(!is_cross_site(&headers, "door.example.com"));
    }
}
