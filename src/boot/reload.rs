//! A configuration that changes while the server runs: read again at SIGHUP and when its file or a certificate was written,
//! checked whole, and kept as it was when anything in it is wrong.
//!
//! Routes, identity, cookies, codes, sessions, the claims hook, limits, pages and trusted proxies count from the next request on,
//! certificates from the next handshake. What is open already (listeners, stores, keys, providers) stays as it was opened: a change
//! there, of a secret too, is told, and waits for the next start.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;

use crate::boot::ruler::Ruler;
use crate::boot::{NotServing, notify};
use crate::config::{Config, Mistake};
use crate::gateway::ListenSettings;
use crate::secret::{self, Secret};
use crate::telemetry::Metrics;

/// How often the file is looked at. It is read once it has been the same for that long: nobody is caught while writing.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Watches for changes, as long as it lives.
pub(super) struct Reload(JoinHandle<()>);

impl Drop for Reload {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What changes, and what it changes.
pub(super) struct Watched {
    /// The configuration's file.
    pub file: PathBuf,
    /// The configuration that the server was started with.
    pub started: Config,
    /// Puts it into force.
    pub ruler: Arc<Ruler>,
    /// Tells whether the last reading was good.
    pub metrics: Arc<Metrics>,
}

/// What tells one state of some files from another; `None` while one of them is not there.
type Stamp = Option<Vec<(SystemTime, u64)>>;

impl Reload {
    /// Begin to watch, in the runtime `slow`.
    pub(super) fn watch(watched: Watched, slow: &Handle) -> Self {
        Self(slow.spawn(watched.watch()))
    }
}

impl Watched {
    async fn watch(self) {
        let mut hangups = match signal(SignalKind::hangup()) {
            Ok(hangups) => hangups,
            Err(error) => return tracing::warn!(%error, "changes of the configuration are not seen, signals cannot be heard"),
        };
        let mut looks = tokio::time::interval(LOOK_EVERY);
        let mut files = self.files(&self.started);
        let mut read = stamp(&files);
        let mut seen = read.clone();
        loop {
            tokio::select! {
                _ = hangups.recv() => read = self.told(&mut files),
                _ = looks.tick() => {
                    let stamp = stamp(&files);
                    if stamp != read && stamp == seen && stamp.is_some() {
                        read = self.again(&mut files);
                    }
                    seen = stamp;
                }
            }
        }
    }

    /// The same, where somebody told us to and waits for it.
    fn told(&self, files: &mut Vec<PathBuf>) -> Stamp {
        notify::reloading();
        let stamp = self.again(files);
        notify::ready();
        stamp
    }

    /// Read it again; says which state of the files that was, and which they are.
    fn again(&self, files: &mut Vec<PathBuf>) -> Stamp {
        let before = stamp(files);
        let made = Config::load(&self.file).map_err(NotServing::Configuration).and_then(|read| self.make(&read));
        self.metrics.config_reloaded(made.is_ok());
        match made {
            Ok(named) => {
                tracing::info!("the configuration was read again, and counts from the next request on");
                if *files != named {
                    *files = named;
                    return stamp(files);
                }
            }
            Err(NotServing::Configuration(mistakes)) => tell(&mistakes),
            Err(error) => tracing::error!(%error, "the configuration was read again and stays as it was: {error}"),
        }
        before
    }

    /// The files that `config` is made of: itself, certificates and their keys, authorities of clients.
    fn files(&self, config: &Config) -> Vec<PathBuf> {
        let pairs = config.tls.certificate.iter().flat_map(|one| [&one.certificate_file, &one.key_file]);
        let authorities = config.routes.iter().filter_map(|route| route.client_ca.as_ref());
        std::iter::once(&self.file).chain(pairs).chain(authorities).cloned().collect()
    }

    /// Have it count; says of which files it is made.
    fn make(&self, read: &Config) -> Result<Vec<PathBuf>, NotServing> {
        let config = changeable(&self.started, read);
        // What was right with the new public_url may be wrong with the old one, which stays.
        let mistakes = config.mistakes();
        if !mistakes.is_empty() {
            return Err(NotServing::Configuration(mistakes));
        }
        let files = self.files(&config);
        self.ruler.configure(config)?;
        for section in waiting(&self.started, read) {
            tracing::warn!(section, "a change in {section} waits for the next start");
        }
        Ok(files)
    }
}

fn stamp(files: &[PathBuf]) -> Stamp {
    let of = |file: &PathBuf| {
        let file = std::fs::metadata(file).ok()?;
        Some((file.modified().ok()?, file.len()))
    };
    files.iter().map(of).collect()
}

fn tell(mistakes: &[Mistake]) {
    for mistake in mistakes {
        tracing::error!(config.key = %mistake.key, "the configuration was read again and stays as it was: {mistake}");
    }
}

/// `read`, as far as it can change while the server runs. Section by section, so that none is forgotten.
fn changeable(started: &Config, read: &Config) -> Config {
    let stays = started.clone();
    Config {
        tls: if is_tls(read) == is_tls(started) { &read.tls } else { &started.tls }.clone(),
        listen: ListenSettings { trusted_proxies: read.listen.trusted_proxies.clone(), streams: read.listen.streams, ..stays.listen },
        cookies: read.cookies.clone(),
        otp: read.otp.clone(),
        session: read.session.clone(),
        limits: read.limits.clone(),
        routes: read.routes.clone(),
        identity: read.identity.clone(),
        forward_auth: read.forward_auth.clone(),
        claims_hook: read.claims_hook.clone(),
        pages: read.pages.clone(),
        public_url: stays.public_url,
        prefix: stays.prefix,
        store: stays.store,
        redis: stays.redis,
        tokens: stays.tokens,
        delivery: stays.delivery,
        telemetry: stays.telemetry,
        development: stays.development,
    }
}

/// Whether a listener speaks TLS is decided when it is opened; with which certificates, at each handshake.
const fn is_tls(config: &Config) -> bool {
    !config.tls.certificate.is_empty()
}

/// The sections that have changed and wait for the next start.
fn waiting(started: &Config, read: &Config) -> Vec<&'static str> {
    let pairs = fixed(started).into_iter().zip(fixed(read));
    pairs.filter(|(before, after)| before != after).map(|((section, _), _)| section).collect()
}

fn fixed(config: &Config) -> [(&'static str, String); 10] {
    let listen = &config.listen;
    [
        ("public_url", config.public_url.to_string()),
        ("prefix", config.prefix.clone()),
        ("listen", format!("{:?}", ListenSettings { trusted_proxies: Vec::new(), streams: 0, ..listen.clone() })),
        ("tls", format!("whether it is there: {}", is_tls(config))),
        ("store", format!("{:?}, {:?}", config.store, store_secrets(config))),
        ("redis", format!("{:?}, {:?}", config.redis, redis_secrets(config))),
        ("tokens", format!("{:?}, {:?}", config.tokens, mark(config.tokens.secret.as_ref()))),
        ("delivery", format!("{:?}, {:?}", config.delivery, delivery_secrets(config))),
        ("telemetry", format!("{:?}, {:?}", config.telemetry, mark(config.telemetry.otlp_headers.as_ref()))),
        ("development", format!("{:?}", config.development)),
    ]
}

/// Tells one secret from another, since none can be printed.
fn mark(secret: Option<&Secret<String>>) -> Option<String> {
    secret.map(|secret| secret::fingerprint(secret.expose()))
}

fn store_secrets(config: &Config) -> [Option<String>; 2] {
    [mark(Some(&config.store.url)), mark(config.store.encryption_key.as_ref())]
}

fn redis_secrets(config: &Config) -> Option<[Option<String>; 2]> {
    config.redis.as_ref().map(|redis| [mark(Some(&redis.url)), mark(redis.password.as_ref())])
}

fn delivery_secrets(config: &Config) -> Vec<Option<String>> {
    let phones = config.delivery.sms.iter().chain(&config.delivery.whatsapp);
    let phones = phones.flat_map(|one| [&one.url, &one.auth_token, &one.api_key_secret, &one.secret]);
    let mails = config.delivery.email.iter().flat_map(|one| [&one.url, &one.password, &one.api_key, &one.secret]);
    mails.chain(phones).map(|secret| mark(secret.as_ref())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(more: &str) -> Config {
        let text = format!(
            "public_url = \"http://127.0.0.1:8080\"\n{more}\n[store]\nencryption_key = \"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"\n\
             [[delivery.email]]\nkind = \"console\"\n[[route]]\nname = \"a\"\nupstream = [\"http://127.0.0.1:1\"]\n"
        );
        Config::read("test", &text, std::iter::empty()).unwrap()
    }

    #[test]
    fn what_is_open_stays_and_is_told() {
        let started = config("");
        let read = config(
            "prefix = \"/door\"\n[otp]\nlength = 8\n[listen]\ntrusted_proxies = [\"10.0.0.0/8\"]\n[pages]\nname = \"New\"\n\
             [forward_auth]\ntrusted_proxies = [\"10.0.0.0/8\"]\n[claims_hook]\nurl = \"https://hook.example.com\"\n\
             secret = \"0123456789abcdef0123456789abcdef\"",
        );
        assert_eq!(waiting(&started, &read), ["prefix"]);
        let changed = changeable(&started, &read);
        assert_eq!((changed.prefix.as_str(), changed.otp.length), ("/auth", 8));
        assert_eq!((changed.pages.name.as_str(), changed.listen.trusted_proxies.len()), ("New", 1));
        assert!(changed.forward_auth.trusted_proxies.len() == 1 && changed.claims_hook.is_some());
        assert!(waiting(&started, &started.clone()).is_empty());
    }

    #[test]
    fn a_secret_that_changed_is_told_and_not_shown() {
        let with = |secret: &str| config(&format!("[tokens]\nsecret = \"{}\"", secret.repeat(40)));
        assert_eq!(waiting(&with("a"), &with("b")), ["tokens"]);
        assert!(fixed(&with("a")).iter().all(|(_, text)| !text.contains("aaaa")));
    }
}
