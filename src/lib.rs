//! Doorward: a reverse proxy that authenticates. It stands in front of apps that have no sign-in of their own.
//!
//! Two paths run through it, and its files are named after their steps:
//!
//! ```text
//! a proxied request    listener → route → credentials → verify → revocation → policy → identity → upstream
//! a person signing in  request → deliver → verify → issue → refresh → revoke
//! ```
//!
//! The database is the truth, Redis is the speed. A **Refusal** is a decision, an **Outage** the lack of one; neither ever
//! becomes a yes.
//!
//! As a library: [`Gateway::builder`] takes a [`config::Config`] and, in the place of ours, what a program brings along: its own
//! [`signin::Deliver`] (how messages leave), [`signin::Accounts`] (where people are known), [`signin::ClaimsSource`] (what else
//! tokens say of them). `examples/own_delivery.rs` does it in less than sixty lines.
//!
//! ```no_run
//! # use doorward::{Gateway, config::Config};
//! let config = Config::load("config/doorward.toml".as_ref()).expect("a sound configuration");
//! Gateway::builder(config).build().run()?;
//! # Ok::<(), doorward::boot::NotServing>(())
//! ```

pub mod admission;
pub mod app;
pub mod audit;
pub mod boot;
pub mod cli;
pub mod client;
pub mod clock;
pub mod config;
pub mod cookie;
pub mod deliver;
pub mod demo;
pub mod endpoint;
pub mod gateway;
pub mod id;
pub mod language;
pub mod limits;
pub mod outage;
pub mod random;
pub mod revocation;
pub mod seal;
pub mod secret;
pub mod signin;
pub mod store;
pub mod telemetry;
pub mod token;

pub use boot::{Builder, Gateway};
