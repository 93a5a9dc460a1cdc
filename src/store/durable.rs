//! The durable store, whichever database it is in: every durable port, and what keeps the database itself in order.

use std::sync::Arc;

use async_trait::async_trait;

use super::StoreSettings;
use super::sql;
use crate::app::{ApiKeys, Apps, Authenticators, SentCodes, Subjects};
use crate::audit::Audit;
use crate::outage::Outage;
use crate::revocation::Ledger;
use crate::signin::{Accounts, AddressChanges, Challenges, Devices, Factors, LastClaims, Pendings, RecoveryCodes, Roster, Sessions};
use crate::token::Keys;

/// A durable store. A port is had from it by coercion: an `Arc<dyn Durable>` is an `Arc<dyn Accounts>` too.
#[async_trait]
pub trait Durable:
    Accounts
    + Roster
    + Challenges
    + Pendings
    + Factors
    + RecoveryCodes
    + Sessions
    + AddressChanges
    + Devices
    + LastClaims
    + Ledger
    + Keys
    + ApiKeys
    + Audit
    + Apps
    + Subjects
    + SentCodes
    + Authenticators
    + std::fmt::Debug
{
    /// Does the database answer?
    async fn ping(&self) -> Result<(), Outage>;

    /// Can something be written? Where a server answers for that by itself, it is not asked.
    async fn can_write(&self) -> Result<(), Outage> {
        Ok(())
    }

    /// Bring the database up to date, and name its ledger if it has no name yet. Several nodes may do it at once.
    async fn migrate(&self) -> Result<(), Outage>;

    /// The names of the migrations that the database still lacks, in their order.
    async fn pending_migrations(&self) -> Result<Vec<String>, Outage>;
}

#[async_trait]
impl Durable for sql::Store {
    async fn ping(&self) -> Result<(), Outage> {
        self.ping().await
    }

    async fn can_write(&self) -> Result<(), Outage> {
        self.can_write().await
    }

    async fn migrate(&self) -> Result<(), Outage> {
        self.migrate().await
    }

    async fn pending_migrations(&self) -> Result<Vec<String>, Outage> {
        self.pending_migrations().await
    }
}

/// Prepare to use the database of `settings`. To be called inside the runtime that the store is to live in; connections are made
/// when they are needed.
///
/// # Errors
/// When the URL is of no database that we know, or the database cannot be prepared.
pub fn open(settings: &StoreSettings) -> Result<Arc<dyn Durable>, Outage> {
    let url = settings.url.expose();
    if url.starts_with("mongodb") { open_mongo(url, settings) } else { Ok(Arc::new(sql::Store::open(url, settings)?)) }
}

#[cfg(feature = "mongodb")]
fn open_mongo(url: &str, settings: &StoreSettings) -> Result<Arc<dyn Durable>, Outage> {
    Ok(Arc::new(super::mongo::Store::open(url, settings)?))
}

#[cfg(not(feature = "mongodb"))]
fn open_mongo(_: &str, _: &StoreSettings) -> Result<Arc<dyn Durable>, Outage> {
    Err(Outage::store(super::NO_MONGODB))
}
