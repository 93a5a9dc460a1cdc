//! The sections `[store]` and `[redis]`.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;

use crate::config::duration;
use crate::secret::Secret;

/// The durable store.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreSettings {
    /// `sqlite:doorward.db`, `postgres://…`, `mysql://…`, `mongodb://…`.
    pub url: Secret<String>,
    /// A file that holds it.
    pub url_file: Option<PathBuf>,
    /// 32 bytes, base64: seals keys at rest, keys the MACs of codes and addresses. Made by `doorward init`.
    pub encryption_key: Option<Secret<String>>,
    /// A file that holds it.
    pub encryption_key_file: Option<PathBuf>,
    /// Bring the database up to date on `serve`.
    pub migrate: bool,
    /// Connections at most.
    pub connections: u32,
    /// How long a query may take, waiting for a connection included.
    #[serde(with = "duration")]
    pub timeout: Duration,
}

impl Default for StoreSettings {
    fn default() -> Self {
        Self {
            url: Secret::new("sqlite:doorward.db".to_owned()),
            url_file: None,
            encryption_key: None,
            encryption_key_file: None,
            migrate: true,
            connections: 10,
            timeout: Duration::from_secs(5),
        }
    }
}

/// How revocation is checked with Redis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Check {
    /// One round trip on every proxied request.
    #[default]
    Strict,
    /// A copy in this process, which Redis keeps up to date by pushes.
    Mirror,
}

/// Redis.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RedisSettings {
    /// `redis://`, `redis+sentinel://` or `redis+cluster://`; with `rediss` over TLS.
    pub url: Secret<String>,
    /// The password, when it is not in `url`.
    #[serde(default)]
    pub password: Option<Secret<String>>,
    /// A file that holds it.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// How long an answer may take before the database is asked.
    #[serde(default = "hundred_millis", with = "duration")]
    pub timeout: Duration,
    /// How revocation is checked.
    #[serde(default)]
    pub check: Check,
    /// How old the mirror may be at most; Redis is asked where it is older.
    #[serde(default = "second", with = "duration")]
    pub max_staleness: Duration,
    /// Before every key of ours.
    #[serde(default = "prefix")]
    pub prefix: String,
}

const fn hundred_millis() -> Duration {
    Duration::from_millis(100)
}

const fn second() -> Duration {
    Duration::from_secs(1)
}

fn prefix() -> String {
    "doorward".to_owned()
}
