//! A URL as it is typed, taken apart without being tidied up: a browser resolves `..`, but not everybody is a browser.

use crate::config::Config;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// By TLS? As the host is, that of `public_url` when unset.
    pub(super) secure: Option<bool>,
    /// With its port, if there is one.
    pub(super) host: Option<String>,
    /// Path and query, or `*`.
    pub(super) asked: String,
}

impl Target {
    /// From `https://host/path?query`, or `/path?query` for the host of `public_url`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text == "*" || text.starts_with('/') {
            return Ok(Self { secure: None, host: None, asked: without_fragment(text).to_owned() });
        }
        let (scheme, rest) = text.split_once("://").ok_or_else(|| "write https://host/path, or /path".to_owned())?;
        let secure = match scheme.to_ascii_lowercase().as_str() {
            "https" | "wss" => true,
            "http" | "ws" => false,
            _ => return Err("should begin with https:// or http://".to_owned()),
        };
        let rest = without_fragment(rest);
        let (host, target) = rest.split_at_checked(rest.find(['/', '?']).unwrap_or(rest.len())).unwrap_or((rest, ""));
        if host.is_empty() || host.contains('@') {
            return Err("should name a host, without a user".to_owned());
        }
        let target = if target.starts_with('/') { target.to_owned() } else { format!("/{target}") };
        Ok(Self { secure: Some(secure), host: Some(host.to_owned()), asked: target })
    }

    /// By TLS, at which host, and what of it.
    pub(super) fn at(&self, config: &Config) -> (bool, String) {
        let url = &config.public_url;
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let host = || format!("{}{port}", url.host_str().unwrap_or_default());
        (self.secure.unwrap_or_else(|| url.scheme() == "https"), self.host.clone().unwrap_or_else(host))
    }

    /// Without the query.
    pub(super) fn path(&self) -> &str {
        self.asked.split('?').next().unwrap_or_default()
    }
}

fn without_fragment(text: &str) -> &str {
    text.split('#').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart_as_it_is_typed() {
        let parsed = |text: &str| Target::parse(text).map(|target| (target.secure, target.host.unwrap_or_default(), target.asked));
        let whole = |secure, host: &str, target: &str| Ok((Some(secure), host.to_owned(), target.to_owned()));
        assert_eq!(parsed("https://Wiki.example.com/a/../%2e?b=c#d"), whole(true, "Wiki.example.com", "/a/../%2e?b=c"));
        assert_eq!(parsed("http://127.0.0.1:8080"), whole(false, "127.0.0.1:8080", "/"));
        assert_eq!(parsed("ws://[::1]?x"), whole(false, "[::1]", "/?x"));
        assert_eq!(parsed("//a//b"), Ok((None, String::new(), "//a//b".to_owned())));
        assert_eq!(parsed("*"), Ok((None, String::new(), "*".to_owned())));
        for wrong in ["", "wiki", "ftp://wiki/", "https://", "https:///a", "https://ada@wiki/"] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }
}
