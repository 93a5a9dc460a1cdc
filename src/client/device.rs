//! A device in words, from what its browser says of itself: enough for a person to tell their own devices apart.
//!
//! `User-Agent` is whatever a client likes to send (RFC 9110 §10.1.5): it decides nothing, and no more of it reaches a person than
//! one short word.

use std::fmt;

/// The longest word that an agent we do not know gives itself.
const LONGEST: usize = 32;

/// What gives a browser away, in the order in which it is looked for: most of them also claim to be others.
const BROWSERS: [(&str, &str); 18] = [
    ("Edg/", "Edge"),
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("OPR/", "Opera"),
    ("OPT/", "Opera"),
    ("Vivaldi/", "Vivaldi"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("YaBrowser/", "Yandex Browser"),
    ("DuckDuckGo/", "DuckDuckGo"),
    ("FxiOS/", "Firefox"),
    ("Focus/", "Firefox Focus"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chromium/", "Chromium"),
    ("Chrome/", "Chrome"),
    ("Trident/", "Internet Explorer"),
    ("MSIE ", "Internet Explorer"),
    ("Safari/", "Safari"),
];

/// The same for systems.
const SYSTEMS: [(&str, &str); 11] = [
    ("iPhone", "iPhone"),
    ("iPod", "iPod"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Macintosh", "macOS"),
    ("Mac OS X", "macOS"),
    ("FreeBSD", "FreeBSD"),
    ("OpenBSD", "OpenBSD"),
    ("Linux", "Linux"),
];

/// A device, as far as its browser tells. Shown as "Firefox, Linux"; as "?" when it tells nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Device {
    /// The browser's name; for a program that is none, the first word of what it says, at most 32 letters, digits and hyphens.
    pub browser: Option<String>,
    /// The system that it runs on.
    pub system: Option<&'static str>,
}

/// The device whose `User-Agent` is `agent`.
pub fn words(agent: &str) -> Device {
    let system = find(&SYSTEMS, agent);
    let browser = find(&BROWSERS, agent).map_or_else(|| first_word(agent), |name| Some(name.to_owned()));
    Device { browser, system }
}

fn find(names: &[(&str, &'static str)], agent: &str) -> Option<&'static str> {
    names.iter().find(|(sign, _)| agent.contains(sign)).map(|(_, name)| *name)
}

/// The product that comes first, without its version. No dots and slashes: in a mail they would look like a link.
fn first_word(agent: &str) -> Option<String> {
    let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let word: String = agent.trim_start().chars().take_while(plain).take(LONGEST).collect();
    (!word.is_empty()).then_some(word)
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.browser, self.system) {
            (Some(browser), Some(system)) => write!(f, "{browser}, {system}"),
            (Some(browser), None) => f.write_str(browser),
            (None, Some(system)) => f.write_str(system),
            (None, None) => f.write_str("?"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_told_in_words() {
        let agents = [
            ("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", "Firefox, Linux"),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
                "Chrome, Windows",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Safari/537.36 Edg/142.0",
                "Edge, Windows",
            ),
            ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Safari/537.36 OPR/120.0", "Opera, Linux"),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15",
                "Safari, macOS",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1",
                "Safari, iPhone",
            ),
            (
                "Mozilla/5.0 (iPad; CPU OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/142.0 Mobile/15E148 Safari/604.1",
                "Chrome, iPad",
            ),
            (
                "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36",
                "Chrome, Android",
            ),
            ("Mozilla/5.0 (Android 15; Mobile; rv:145.0) Gecko/145.0 Firefox/145.0", "Firefox, Android"),
            (
                "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Safari/537.36",
                "Chrome, ChromeOS",
            ),
            ("Mozilla/5.0 (Windows NT 6.1; Trident/7.0; rv:11.0) like Gecko", "Internet Explorer, Windows"),
            ("curl/8.14.1", "curl"),
            ("git/2.47.3 (Linux)", "git, Linux"),
            ("  python-requests/2.32", "python-requests"),
            ("Mozilla/5.0", "Mozilla"),
            ("", "?"),
        ];
        for (agent, shown) in agents {
            assert_eq!(words(agent).to_string(), shown, "{agent}");
        }
    }

    #[test]
    fn a_strangers_words_do_not_reach_people() {
        for (agent, shown) in [
            ("https://evil.example/ sign in there", "https"),
            ("evil.example", "evil"),
            ("<b>bold</b>", "?"),
            ("\u{202e}gnp.exe", "?"),
            ("a\r\nBcc: x@example.com", "a"),
            (&"x".repeat(256), &"x".repeat(32)),
        ] {
            assert_eq!(words(agent).to_string(), shown, "{agent}");
        }
    }

    #[test]
    fn a_new_version_is_no_new_device() {
        let at = |version: u32| words(&format!("Mozilla/5.0 (X11; Linux x86_64; rv:{version}.0) Gecko/20100101 Firefox/{version}.0"));
        assert_eq!(at(145), at(146));
        assert_ne!(at(145), words("curl/8"));
    }
}
