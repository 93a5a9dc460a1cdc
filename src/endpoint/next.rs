//! Where a person goes after signing in: a path on this host, or an absolute URL on a configured route's host. Nowhere else,
//! or the sign-in page would be a door to any site that a stranger puts into a link.

use url::{Position, Url};

/// A place that a browser may be sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Next(String);

/// The hosts that `next` may name.
#[derive(Debug, Clone)]
pub struct Places {
    public_url: Url,
    hosts: Vec<String>,
}

/// The longest `next`, in bytes; a longer one is the start page.
const LONGEST: usize = 2048;

impl Default for Next {
    fn default() -> Self {
        Self("/".to_owned())
    }
}

impl Next {
    /// For `Location` and `href`: printable ASCII, as the URL parser of browsers writes it.
    pub fn location(&self) -> &str {
        &self.0
    }

    /// `location` as the value of a query's field.
    pub fn encoded(&self) -> String {
        url::form_urlencoded::byte_serialize(self.0.as_bytes()).collect()
    }
}

impl Places {
    /// `hosts` are those of the routes: `wiki.example.com`, or `*.example.com` for one label.
    pub fn new(public_url: Url, hosts: impl IntoIterator<Item = String>) -> Self {
        let hosts = hosts.into_iter().map(|host| host.trim_end_matches('.').to_ascii_lowercase()).collect();
        Self { public_url, hosts }
    }

    /// Where people reach us.
    pub const fn public_url(&self) -> &Url {
        &self.public_url
    }

    /// The place that `text` names, if a browser may be sent there; else the start page.
    pub fn next(&self, text: &str) -> Next {
        self.path(text).or_else(|| self.absolute(text)).unwrap_or_default()
    }

    /// Read as a browser reads it (WHATWG URL), then written again: what the parser folds away cannot come back in the
    /// browser. A path that begins with `//` after folding would name another host.
    fn path(&self, text: &str) -> Option<Next> {
        if !is_plain(text) || !text.starts_with('/') || text.starts_with("//") {
            return None;
        }
        let url = self.public_url.join(text).ok()?;
        let same = url.origin() == self.public_url.origin() && url.username().is_empty() && url.password().is_none();
        let location = &url[Position::BeforePath..];
        (same && !location.starts_with("//")).then(|| Next(location.to_owned()))
    }

    fn absolute(&self, text: &str) -> Option<Next> {
        let lower = text.get(..8).or(text.get(..7))?.to_ascii_lowercase();
        if !is_plain(text) || !(lower.starts_with("http://") || lower == "https://") {
            return None;
        }
        let url = Url::parse(text).ok()?;
        let bare = url.username().is_empty() && url.password().is_none();
        let port = url.port().is_none() || url.port() == self.public_url.port();
        let known = url.host_str().is_some_and(|host| self.knows(host));
        (bare && port && known).then(|| Next(url.into()))
    }

    fn knows(&self, host: &str) -> bool {
        self.public_url.host_str() == Some(host) || self.hosts.iter().any(|known| is_host(known, host))
    }
}

fn is_host(known: &str, host: &str) -> bool {
    match known.strip_prefix("*.") {
        Some(parent) => host.split_once('.').is_some_and(|(label, rest)| !label.is_empty() && rest == parent),
        None => known == host,
    }
}

/// No control characters, which the parser drops; no backslash, which it reads as a slash; no white space at the ends, which
/// it trims.
fn is_plain(text: &str) -> bool {
    let odd = |c: char| c.is_control() || c == '\\' || matches!(u32::from(c), 0x2028 | 0x2029 | 0x202A..=0x202E | 0x2066..=0x2069);
    text.len() <= LONGEST && text.trim() == text && !text.contains(odd)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places() -> Places {
        let hosts = ["wiki.example.com", "*.apps.example.com", "Files.Example.com."];
        Places::new("https://door.example.com".parse().unwrap(), hosts.map(str::to_owned))
    }

    #[test]
    fn a_path_on_this_host_is_kept() {
        let kept = [
            ("/", "/"),
            ("/a/b?c=d&e=//f#g", "/a/b?c=d&e=//f#g"),
            ("/a//b", "/a//b"),
            ("/ü?q=ü", "/%C3%BC?q=%C3%BC"),
            ("/a b", "/a%20b"),
            ("/a/../b", "/b"),
            ("/https://evil.com", "/https://evil.com"),
            ("/@evil.com", "/@evil.com"),
            ("/:80", "/:80"),
            ("/%2f%2fevil.com", "/%2f%2fevil.com"),
            ("/%5cevil.com", "/%5cevil.com"),
            ("/%09/evil.com", "/%09/evil.com"),
            ("/.evil.com", "/.evil.com"),
            ("/／evil.com", "/%EF%BC%8Fevil.com"),
            ("/?//evil.com", "/?//evil.com"),
            ("/<script>", "/%3Cscript%3E"),
            ("/\"onclick=", "/%22onclick="),
        ];
        for (text, location) in kept {
            let next = places().next(text);
            assert_eq!(next.location(), location, "{text:?}");
        }
    }

    #[test]
    fn a_configured_host_is_kept() {
        let kept = [
            ("https://wiki.example.com", "https://wiki.example.com/"),
            ("https://wiki.example.com/a?b#c", "https://wiki.example.com/a?b#c"),
            ("HTTPS://WIKI.example.com/a", "https://wiki.example.com/a"),
            ("http://wiki.example.com/a", "http://wiki.example.com/a"),
            ("https://wiki.example.com:443/a", "https://wiki.example.com/a"),
            ("https://files.example.com/", "https://files.example.com/"),
            ("https://one.apps.example.com/", "https://one.apps.example.com/"),
            ("https://door.example.com/x", "https://door.example.com/x"),
            ("https:///wiki.example.com/", "https://wiki.example.com/"),
            ("https://ｗiki.example.com/", "https://wiki.example.com/"),
        ];
        for (text, location) in kept {
            let next = places().next(text);
            assert_eq!(next.location(), location, "{text:?}");
        }
    }

    #[test]
    fn anything_else_is_the_start_page() {
        let nasty = [
            "",
            " ",
            "a",
            "a/b",
            "?a",
            "#a",
            ".",
            "..",
            "//",
            "///",
            "//evil.com",
            "///evil.com",
            "////evil.com",
            "/\\evil.com",
            "\\/evil.com",
            "\\\\evil.com",
            "\\evil.com",
            "/\\/evil.com",
            "/a\\b",
            "/.//evil.com",
            "/..//evil.com",
            "/a/..//evil.com",
            "/%2e//evil.com",
            "/%2e%2e//evil.com",
            "/./\\evil.com",
            "/\t/evil.com",
            "/\n/evil.com",
            "/\r/evil.com",
            "/\r\nSet-Cookie: a=b",
            "/\0",
            "/a\u{7f}",
            "/a\u{85}",
            " /a",
            "/a ",
            "\t/a",
            "\u{a0}/a",
            "/\u{2028}",
            "/\u{202e}moc.live",
            "http:",
            "http://",
            "https://",
            "https://evil.com",
            "https://evil.com/wiki.example.com",
            "https://wiki.example.com.evil.com",
            "https://wiki.example.comevil.com",
            "https://evilwiki.example.com",
            "https://example.com",
            "https://wiki.example.com@evil.com",
            "https://wiki.example.com:pw@evil.com",
            "https://user@wiki.example.com",
            "https://user:pw@wiki.example.com",
            "https://:pw@wiki.example.com",
            "https://wiki.example.com:8443/",
            "https://wiki.example.com:80/",
            "https://wiki.example.com\\@evil.com",
            "https://evil.com\\.wiki.example.com",
            "https://evil.com#.wiki.example.com",
            "https://evil.com?.wiki.example.com",
            "https://evil.com/.wiki.example.com",
            "https://evil.com%2f.wiki.example.com",
            "https://evil.com%00.wiki.example.com",
            "https:wiki.example.com",
            "https:/wiki.example.com",
            "https:\\\\wiki.example.com",
            "https://\twiki.example.com",
            "https://wiki.example.com/\n",
            "https://wiki.example.com./",
            "https://wiki。example。com.evil.com/",
            "https://a.b.apps.example.com",
            "https://apps.example.com",
            "https://.apps.example.com",
            "https://evilapps.example.com",
            "https://[::1]/",
            "https://127.0.0.1/",
            "https://0x7f.1/",
            "https://*.apps.example.com@evil.com",
            "ftp://wiki.example.com/",
            "ws://wiki.example.com/",
            "javascript:alert(1)",
            "JavaScript:alert(1)",
            "javascript://wiki.example.com/%0aalert(1)",
            "java\tscript:alert(1)",
            "data:text/html,<script>",
            "vbscript:x",
            "file:///etc/passwd",
            "blob:https://wiki.example.com/x",
            "view-source:https://wiki.example.com",
            "httpss://wiki.example.com",
            "http//wiki.example.com",
            "://wiki.example.com",
            "%2f%2fevil.com",
            "%68ttps://wiki.example.com",
            "／／evil.com",
        ];
        assert!(nasty.len() >= 60);
        for text in nasty {
            assert_eq!(places().next(text), Next::default(), "{text:?}");
        }
        assert_eq!(places().next(&format!("/{}", "a".repeat(LONGEST))), Next::default());
    }

    #[test]
    fn what_is_kept_is_kept_again_and_stays_on_its_host() {
        for text in ["/a/../b", "/ü", "/a b", "https://wiki.example.com/ü", "/a//b/..//c"] {
            let next = places().next(text);
            assert_eq!(places().next(next.location()), next, "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_browser_never_leaves_for_a_stranger(text in "(/|//|\\\\|https?:|HTTP:|javascript:)?[/\\\\.@:%25a-c?#\t\n ]{0,6}(evil\\.com|wiki\\.example\\.com|\\PC{0,8})[/\\\\.@:%a-c?#]{0,6}") {
            let places = places();
            let next = places.next(&text);
            // As a browser on the sign-in page reads `Location`.
            let reached = places.public_url.join(next.location()).unwrap();
            let hosts = ["door.example.com", "wiki.example.com", "files.example.com"];
            proptest::prop_assert!(hosts.contains(&reached.host_str().unwrap()), "{text:?} leads to {reached}");
            proptest::prop_assert!(matches!(reached.scheme(), "http" | "https"));
            proptest::prop_assert!(next.location().bytes().all(|b| b.is_ascii_graphic()));
        }
    }

    #[test]
    fn a_port_of_ones_own_is_known() {
        let local = Places::new("http://127.0.0.1:8080".parse().unwrap(), []);
        assert_eq!(local.next("http://127.0.0.1:8080/a").location(), "http://127.0.0.1:8080/a");
        assert_eq!(local.next("http://127.0.0.1:8081/a"), Next::default());
        assert_eq!(local.next("/a").location(), "/a");
    }
}
