//! The composition root: a configuration becomes stores, services and a gateway. The only module that knows them all.

pub mod core;
pub mod guests;
mod handover;
mod heard;
mod inbox;
mod keeper;
mod library;
mod notify;
pub mod operator;
mod reload;
mod ruler;
mod rules;
mod serve;
mod services;
mod traces;

use std::path::PathBuf;
use std::sync::Arc;

pub use core::Core;
pub use library::{Builder, Gateway, Own};
pub use serve::serve;

use crate::config::Mistake;
use crate::deliver::Inbox;
use crate::gateway::{DemoApp, Stop};
use crate::outage::Outage;

/// What the demo and tests add to a configuration.
pub struct Extras {
    /// Keeps the codes that are sent, for the page that shows them.
    pub inbox: Option<Arc<Inbox>>,
    /// The demo's app.
    pub app: Option<DemoApp>,
    /// The configuration's file: read again when it changes, and at SIGHUP.
    pub file: Option<PathBuf>,
    /// Take the listening sockets over from the process that runs.
    pub upgrade: bool,
    /// Tells the server to leave, as SIGTERM does.
    pub stop: Stop,
    /// What a program that embeds us brings along.
    pub own: Own,
    /// Called once everything is ready, before the first request is taken.
    pub on_ready: Box<dyn FnOnce()>,
}

impl Default for Extras {
    fn default() -> Self {
        Self { inbox: None, app: None, file: None, upgrade: false, stop: Stop::default(), own: Own::default(), on_ready: Box::new(|| ()) }
    }
}

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
    /// The database cannot be opened.
    #[error("store.url: the database cannot be used: {0}")]
    Store(Outage),
    /// The signing keys cannot be opened.
    #[error("store.encryption_key: the signing keys cannot be opened or made: {0}")]
    Keys(Outage),
    /// The metrics cannot be registered.
    #[error(transparent)]
    Metrics(#[from] crate::telemetry::NotRegistered),
    /// An address of ours is taken.
    #[error(transparent)]
    Listen(#[from] crate::gateway::CannotListen),
    /// A provider's settings are none.
    #[error(transparent)]
    Delivery(#[from] crate::deliver::NotSent),
    /// The prefix is none.
    #[error(transparent)]
    Prefix(#[from] crate::endpoint::BadPrefix),
    /// There is nobody to take over from.
    #[error("listen.upgrade_socket: the sockets cannot be taken over: {0}")]
    Upgrade(std::io::Error),
    /// Threads cannot be made.
    #[error("the runtime cannot be made: {0}")]
    Runtime(std::io::Error),
}

/// Choose the provider of cryptography for all TLS of this process. To be called first.
pub fn choose_provider() {
    // Chosen already is chosen: there is only one in the tree.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
}
