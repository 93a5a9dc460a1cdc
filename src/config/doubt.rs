//! What a configuration may say, and seldom means to. Apart from `check.rs`, because nothing of it keeps the gateway from starting:
//! a network in which nobody but the balancer is may well be trusted whole.

use super::Config;
use super::mistake::Mistake;
use crate::gateway::Proxy;

impl Config {
    /// What is worth a second look, each with its key. Told by `doorward check` and at the start; nothing is refused for it.
    pub fn doubts(&self) -> Vec<Mistake> {
        let is_behind = self.public_url.scheme() == "https" && self.tls.certificate.is_empty() && self.listen.trusted_proxies.is_empty();
        let behind = is_behind.then(|| {
            let problem = "is empty, though public_url is https and there is no tls.certificate: whatever ends TLS in front is taken \
                           for the client, and limits per network cannot tell people apart";
            Mistake::new("listen.trusted_proxies", problem)
        });
        let is_everybody = |proxy: &Proxy| matches!(proxy, Proxy::Network(network) if network.prefix_len() == 0);
        let listen = self.listen.trusted_proxies.iter().enumerate().filter(|(_, proxy)| is_everybody(proxy));
        let listen = listen.map(|(index, _)| {
            let problem = "is every address: whoever asks says where they come from, and limits per network hold nobody";
            Mistake::new(format!("listen.trusted_proxies[{index}]"), problem)
        });
        let asking = self.forward_auth.trusted_proxies.iter().enumerate().filter(|(_, network)| network.prefix_len() == 0);
        let asking = asking.map(|(index, _)| {
            Mistake::new(format!("forward_auth.trusted_proxies[{index}]"), "is every address: anybody may ask, and says for whom")
        });
        let window = self.session.concurrent_refresh_window.is_zero().then(|| {
            let problem = "is nothing: two tabs that refresh at once are taken for a thief and his victim, and both are signed out";
            Mistake::new("session.concurrent_refresh_window", problem)
        });
        behind.into_iter().chain(listen).chain(asking).chain(window).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> Vec<String> {
        let config: Config = toml::from_str(&format!("public_url = \"https://door.example.com\"\n{text}")).unwrap();
        config.doubts().into_iter().map(|doubt| doubt.key).collect()
    }

    #[test]
    fn what_is_seldom_meant_is_told_by_its_key() {
        let text = "[listen]\ntrusted_proxies = [\"10.0.0.0/8\", \"0.0.0.0/0\", \"::/0\", \"unix\"]\n\
                    [forward_auth]\ntrusted_proxies = [\"::/0\"]\n[session]\nconcurrent_refresh_window = \"0s\"\n";
        let expected = [
            "listen.trusted_proxies[1]",
            "listen.trusted_proxies[2]",
            "forward_auth.trusted_proxies[0]",
            "session.concurrent_refresh_window",
        ];
        assert_eq!(keys(text), expected);
    }

    #[test]
    fn a_proxy_that_ends_tls_and_is_not_named_is_asked_about() {
        assert_eq!(keys(""), ["listen.trusted_proxies"]);
        assert!(keys("[[tls.certificate]]\ncertificate_file = \"a\"\nkey_file = \"b\"\n").is_empty());
        let local: Config = toml::from_str("public_url = \"http://127.0.0.1:8080\"").unwrap();
        assert!(local.doubts().is_empty());
    }

    #[test]
    fn what_is_usual_raises_no_doubt() {
        assert!(keys("[listen]\ntrusted_proxies = [\"10.0.0.0/8\", \"unix\"]\n[session]\nconcurrent_refresh_window = \"1s\"\n").is_empty());
    }
}
