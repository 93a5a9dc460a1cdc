//! Why an act on the database did not come to an end, before it becomes an [`Outage`].
//!
//! Apart, because some of it is not an outage yet: what is taken already is an answer, and who lost a race tries again.

use sqlx::mysql::MySqlDatabaseError;

use crate::outage::Outage;
use crate::store::breaker::Broken;

/// Why an act did not come to an end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// The driver failed, or the database did.
    #[error("{}", words(.0))]
    Driver(#[from] sqlx::Error),
    /// A row holds what we did not write.
    #[error("the column {0} holds what cannot be read")]
    Corrupt(&'static str),
    /// The ledger has no row.
    #[error("the ledger has no name yet: bring the database up to date with `doorward migrate`")]
    Nameless,
    /// The audit log has no head.
    #[error("the audit log has no head: its row in audit_head is gone")]
    Headless,
    /// Something changed between two statements of one act.
    #[error("others were faster, again and again")]
    Raced,
    /// Nobody listens where the database should be.
    #[error("connection refused")]
    Refused,
    /// The database did not answer a moment ago, and is left alone.
    #[error(transparent)]
    Broken(#[from] Broken),
    /// The time was up.
    #[error("no answer in time")]
    Late,
    /// The store is being shut down.
    #[error("the store is closed")]
    Closed,
}

impl Fault {
    /// Does doing the same again make sense? Nothing of the transaction was kept.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Self::Raced => true,
            Self::Driver(sqlx::Error::Database(error)) => is_conflict(error.as_ref()),
            Self::Driver(_)
            | Self::Corrupt(_)
            | Self::Nameless
            | Self::Headless
            | Self::Refused
            | Self::Broken(_)
            | Self::Late
            | Self::Closed => false,
        }
    }

    /// Is something taken that must be unique?
    pub(super) fn is_taken(&self) -> bool {
        matches!(self, Self::Driver(sqlx::Error::Database(error)) if error.is_unique_violation())
    }

    /// Did the database itself answer, so that the connection is still good?
    pub(super) fn is_answer(&self) -> bool {
        !matches!(self, Self::Driver(error) if !matches!(error, sqlx::Error::Database(_)))
    }
}

impl From<Fault> for Outage {
    fn from(fault: Fault) -> Self {
        Self::store(fault)
    }
}

/// Serialisation failures and deadlocks: PostgreSQL's and MySQL's SQLSTATEs, MariaDB's "record has changed" (1020).
fn is_conflict(error: &(dyn sqlx::error::DatabaseError + 'static)) -> bool {
    let state = error.code().is_some_and(|code| code == "40001" || code == "40P01");
    let changed = error.try_downcast_ref::<MySqlDatabaseError>().is_some_and(|error| error.number() == 1020);
    state || changed
}

/// For the log. MySQL quotes the value that is taken, which may be an address: it is left out.
fn words(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(inner) if inner.is_unique_violation() => "a value that must be unique is taken".to_owned(),
        other => other.to_string(),
    }
}
