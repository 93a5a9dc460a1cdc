//! The composition root: a configuration becomes stores, services and a gateway. The only module that knows them all.

pub mod core;
pub mod heard;
pub mod keeper;
pub mod services;

pub use core::Core;

use crate::config::Mistake;
use crate::outage::Outage;

/// Why the server does not start, or a command cannot do its work.
#[derive(Debug, thiserror::Error)]
pub enum NotServing {
    /// The configuration is wrong.
    #[error("the configuration has {} mistake(s)", .0.len())]
    Configuration(Vec<Mistake>),
    /// The database lacks migrations, and `store.migrate` is off.
    #[error("the database lacks {}: run `doorward migrate`", .0.join(", "))]
    Pending(Vec<String>),
    /// Something that it stands on cannot be reached.
    #[error(transparent)]
    Outage(#[from] Outage),
    /// The metrics cannot be registered.
    #[error(transparent)]
    Metrics(#[from] crate::telemetry::NotRegistered),
}
