//! Keys that were believed before: the same text names the same record, without a question to the store.
//!
//! A record is used as it is for [`FRESH`]; then it is read again, so that an end that was given to a key elsewhere is known here.
//! Where the store is out it goes on, as long as an access token would. That it was revoked is asked on every request all the
//! same: the ledger keeps the line for longer than a record can live.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use quick_cache::sync::Cache;

use crate::admission::Machine;
use crate::app::store::ApiKey;
use crate::clock::Timestamp;
use crate::secret::{self, SecretStr};

/// How many are kept: a node with more of them in use reads some anew.
const KEPT: usize = 8 * 1024;

/// How long a record is used as it is after it was read.
pub(super) const FRESH: Duration = Duration::from_secs(1);

/// How much older than the last one that was told a use must be to be told.
pub(super) const USED_EVERY: Duration = Duration::from_mins(1);

/// A key that was believed.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) key: Arc<ApiKey>,
    pub(super) machine: Machine,
    /// Before it was read.
    read_at: Timestamp,
    /// The newest use that the store knows of, or is going to know of; milliseconds.
    told: AtomicI64,
}

impl Record {
    /// Of a key that was read after `read_at`.
    pub(super) fn new(key: ApiKey, machine: Machine, read_at: Timestamp) -> Self {
        let told = AtomicI64::new(key.last_used_at.map_or(i64::MIN, Timestamp::as_millis));
        Self { key: Arc::new(key), machine, read_at, told }
    }

    /// Is it at most `age` old? A clock that went back says nothing of that.
    pub(super) fn is_within(&self, age: Duration, now: Timestamp) -> bool {
        now >= self.read_at && now.since(self.read_at) <= age
    }

    /// It is used at `now`. Is that to be told? True for one caller a minute.
    pub(super) fn is_to_tell(&self, now: Timestamp) -> bool {
        let told = self.told.load(Ordering::Relaxed);
        let is_due = told <= now.minus(USED_EVERY).as_millis();
        is_due && self.told.compare_exchange(told, now.as_millis(), Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// The records of this node.
pub(super) struct Known(Cache<[u8; 32], Arc<Record>>);

impl Known {
    /// None yet.
    pub(super) fn new() -> Self {
        Self(Cache::new(KEPT))
    }

    /// The record of this very text.
    pub(super) fn find(&self, text: SecretStr<'_>) -> Option<Arc<Record>> {
        self.0.get(&secret::digest(text.expose()))
    }

    /// Keep it, in the place of what was read before.
    pub(super) fn keep(&self, text: SecretStr<'_>, record: &Arc<Record>) {
        self.0.insert(secret::digest(text.expose()), Arc::clone(record));
    }

    /// It is not good any more.
    pub(super) fn forget(&self, text: SecretStr<'_>) {
        self.0.remove(&secret::digest(text.expose()));
    }
}
