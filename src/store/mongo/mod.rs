//! The durable store in `MongoDB`, with the behaviour of the one in SQL. Behind the feature `mongodb`.
//!
//! ```text
//! accounts  challenges  sessions  ledger  keys …    the ports, one file each: what is done
//!        ╲       │         │        │     ╱
//!                 transact                         one deadline, one transaction, again when two got in each other's way
//!                    │
//!             link      queue ─ breaker            one transaction in use; waiting for a turn; not asking while it is gone
//!                    │
//!            open      indexes                     how it is connected to; what it keeps in which order
//! ```
//!
//! One document is changed by one update, atomically. Several are changed in a transaction, which needs a replica set; a server
//! that stands alone is refused. Whatever is written is on the disks of a majority before it is answered.
//!
//! Reading comes in two strengths. Most of it reads what the primary has. What a promise is made of (the ledger, a family of
//! refresh tokens, signing keys) is read *proven*: it is what a majority has, now, and no primary that was deposed without
//! knowing answers. Read concern `linearizable` would say the same, after up to 100 ms: it waits for the journal, and does not
//! wake it.

mod accounts;
mod address_changes;
mod api_keys;
mod app_codes;
mod app_subjects;
mod apps;
mod audit;
mod challenges;
mod devices;
mod factors;
mod fault;
mod hook_claims;
mod indexes;
mod keys;
mod ledger;
mod link;
mod open;
mod pendings;
mod query;
mod queue;
mod roster;
mod sessions;
mod transact;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mongodb::Database;

use crate::outage::Outage;
use crate::store::breaker::Breaker;
use crate::store::{Durable, StoreSettings};
use queue::Queue;

/// The durable store. Clones share their connections. It implements the durable ports, as [`crate::store::sql::Store`] does.
#[derive(Clone)]
pub struct Store {
    database: Database,
    queue: Arc<Queue>,
    breaker: Arc<Breaker>,
    timeout: Duration,
}

impl Store {
    /// Prepare to use the database at `url`: `mongodb://HOST/DATABASE`. Connections are made when they are needed, so that a
    /// database that is down is found out by [`Durable::ping`] and comes back by itself. To be called inside the runtime that the
    /// store is to live in.
    ///
    /// # Errors
    /// When the URL cannot be read, or names no database.
    pub fn open(url: &str, settings: &StoreSettings) -> Result<Self, Outage> {
        Ok(Self {
            database: open::database(url, settings)?,
            queue: Arc::new(Queue::new(settings.connections)),
            breaker: Arc::new(Breaker::default()),
            timeout: settings.timeout,
        })
    }
}

#[async_trait]
impl Durable for Store {
    async fn ping(&self) -> Result<(), Outage> {
        self.refuse_alone().await
    }

    async fn migrate(&self) -> Result<(), Outage> {
        self.await_server().await?;
        self.build_indexes().await?;
        self.begin_audit().await?;
        self.name_ledger().await
    }

    async fn pending_migrations(&self) -> Result<Vec<String>, Outage> {
        self.await_server().await?;
        self.missing_indexes().await
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}
