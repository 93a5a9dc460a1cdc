//! Why an act on the database did not come to an end, before it becomes an [`Outage`].
//!
//! Apart, because some of it is not an outage yet: what is taken already is an answer, and who lost a race tries again.

use mongodb::error::{Error, ErrorKind, TRANSIENT_TRANSACTION_ERROR, WriteFailure};

use crate::outage::Outage;
use crate::store::breaker::Broken;

/// The server's number for a value that must be unique and is there already.
const DUPLICATE_KEY: i32 = 11_000;

/// The server's number for a document that somebody else is changing.
const WRITE_CONFLICT: i32 = 112;

/// Why an act did not come to an end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    /// The driver failed, or the database did.
    #[error("{}", words(.0))]
    Driver(#[from] Error),
    /// The commit was sent, and nobody knows what came of it.
    #[error("the end of a transaction is not known: {}", words(.0))]
    Unsure(Error),
    /// A document holds what we did not write.
    #[error("the field {0} holds what cannot be read")]
    Corrupt(&'static str),
    /// The ledger has no document.
    #[error("the ledger has no name yet: bring the database up to date with `doorward migrate`")]
    Nameless,
    /// The audit log has no head.
    #[error("the audit log was not begun: bring the database up to date with `doorward migrate`")]
    Headless,
    /// Something changed between two steps of one act.
    #[error("others were faster, again and again")]
    Raced,
    /// No replica set, hence no transactions.
    #[error(
        "this MongoDB server stands alone and has no transactions: start it with --replSet NAME and run rs.initiate() once in mongosh; \
         one server is enough"
    )]
    Alone,
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
            Self::Driver(error) => error.contains_label(TRANSIENT_TRANSACTION_ERROR) || code(error) == Some(WRITE_CONFLICT),
            Self::Unsure(_)
            | Self::Corrupt(_)
            | Self::Nameless
            | Self::Headless
            | Self::Alone
            | Self::Broken(_)
            | Self::Late
            | Self::Closed => false,
        }
    }

    /// Is something taken that must be unique?
    pub(super) fn is_taken(&self) -> bool {
        matches!(self, Self::Driver(error) if code(error) == Some(DUPLICATE_KEY))
    }

    /// Is there nobody who answers? Nothing of the transaction was kept.
    pub(super) fn is_gone(&self) -> bool {
        let Self::Driver(error) = self else { return false };
        matches!(*error.kind, ErrorKind::Io(_) | ErrorKind::ServerSelection { .. } | ErrorKind::ConnectionPoolCleared { .. })
    }
}

impl From<Fault> for Outage {
    fn from(fault: Fault) -> Self {
        Self::store(fault)
    }
}

/// The server's number for what went wrong, wherever the driver has put it.
fn code(error: &Error) -> Option<i32> {
    match &*error.kind {
        ErrorKind::Command(error) => Some(error.code),
        ErrorKind::Write(WriteFailure::WriteError(error)) => Some(error.code),
        ErrorKind::Write(WriteFailure::WriteConcernError(error)) => Some(error.code),
        ErrorKind::InsertMany(error) => error.write_errors.as_ref().and_then(|errors| errors.first()).map(|error| error.code),
        _ => None,
    }
}

/// For the log. What is taken, and what cannot be read, is quoted by server and driver, and may be an address: it is left out.
fn words(error: &Error) -> String {
    match &*error.kind {
        _ if code(error) == Some(DUPLICATE_KEY) => "a value that must be unique is taken".to_owned(),
        ErrorKind::Command(error) => format!("{} ({})", error.message, error.code),
        ErrorKind::Write(WriteFailure::WriteError(error)) => format!("a write failed ({})", error.code),
        ErrorKind::InsertMany(_) => "a write failed".to_owned(),
        ErrorKind::BsonDeserialization(_) | ErrorKind::BsonSerialization(_) | ErrorKind::Bson(_) => {
            "a document holds what cannot be read".to_owned()
        }
        other => other.to_string(),
    }
}
