//! The durable store: SQLite, PostgreSQL and MySQL or MariaDB, with one behaviour.
//!
//! ```text
//! accounts  challenges  sessions  ledger  keys …    the ports, one file each: what is done, once
//!        ╲       │         │        │     ╱
//!                 transact                         one deadline, one transaction, again when two got in each other's way
//!                    │
//!        link ─ pool ─ breaker                     one connection; where it comes from; not asking while it is gone
//!                    │
//!        statements: sqlite  postgres  mysql       SQL as data
//! ```
//!
//! Locks are taken in one order everywhere: account, sessions, ledger; an API key before the ledger; a challenge (or a change of
//! address, after its account; or a half-finished sign-in) before its subject's budget; an app, its subject, the subject's
//! budgets, its codes. The head of the audit log is locked in acts of its own.

mod accounts;
mod address_changes;
mod api_keys;
mod app_codes;
mod app_statements;
mod app_subjects;
mod apps;
mod audit;
mod challenges;
mod devices;
mod factors;
mod fault;
mod hook_claims;
mod keys;
mod ledger;
mod link;
mod migrations;
mod mysql;
mod open;
mod pendings;
mod pool;
mod postgres;
mod roster;
mod sessions;
mod sqlite;
mod statements;
mod transact;

use std::sync::Arc;
use std::time::Duration;

use crate::outage::Outage;
use crate::store::settings::StoreSettings;
use open::Place;
use pool::Pool;

/// The durable store. Clones share their connections. It implements the durable ports: [`crate::signin::Accounts`], [`crate::signin::Roster`],
/// [`crate::signin::Challenges`], [`crate::signin::Pendings`], [`crate::signin::Factors`], [`crate::signin::RecoveryCodes`],
/// [`crate::signin::Sessions`], [`crate::signin::AddressChanges`], [`crate::signin::Devices`], [`crate::revocation::Ledger`],
/// [`crate::token::Keys`], [`crate::app::ApiKeys`], [`crate::audit::Audit`], [`crate::signin::LastClaims`], and for apps [`crate::app::Apps`],
/// [`crate::app::Subjects`], [`crate::app::SentCodes`], [`crate::app::Authenticators`].
#[derive(Clone)]
pub struct Store {
    /// Where acts that change nothing find a connection.
    readers: Arc<Pool>,
    /// Where acts in a transaction find one. The same pool, except on SQLite, which has one writer at a time.
    writers: Arc<Pool>,
    place: Arc<Place>,
    timeout: Duration,
}

impl Store {
    /// Prepare to use the database at `url`: `sqlite:FILE`, `postgres://…` or `mysql://…`. Connections are made when they
    /// are needed, so that a database that is down is found out by [`Store::ping`] and comes back by itself. A missing SQLite
    /// file is created, readable by its owner alone. To be called inside the runtime that the store is to live in.
    ///
    /// # Errors
    /// When the URL is of no database that we know, or the SQLite file cannot be created.
    pub fn open(url: &str, settings: &StoreSettings) -> Result<Self, Outage> {
        let place = Place::parse(url, settings.timeout)?;
        let (readers, writers) = place.pools(settings.connections, settings.timeout)?;
        Ok(Self { readers, writers, place: Arc::new(place), timeout: settings.timeout })
    }

    /// Does the database answer?
    pub async fn ping(&self) -> Result<(), Outage> {
        self.ask(self.readers.sql.ping, &[]).await.map(drop)
    }

    /// Can something be written? SQLite is asked to: a disk that is full or read-only still answers questions.
    ///
    /// # Errors
    /// An [`Outage`] when not.
    pub async fn can_write(&self) -> Result<(), Outage> {
        match self.writers.sql.touch {
            "" => Ok(()),
            touch => Ok(self.change(touch, &[]).await.map(drop)?),
        }
    }

    /// Bring the database up to date, and name its ledger if it has no name yet. Several nodes may do it at once.
    pub async fn migrate(&self) -> Result<(), Outage> {
        migrations::run(&self.place, self.timeout).await?;
        self.name_ledger().await
    }

    /// The names of the migrations that the database still lacks, in their order.
    pub async fn pending_migrations(&self) -> Result<Vec<String>, Outage> {
        migrations::pending(self).await
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}
