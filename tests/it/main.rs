//! The tests that need more than one module, in one binary: real servers, real clients, the real program.
//!
//! A test's name is a sentence about what Doorward does. What they stand on is in `support`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a panic is how a test says no"
)]

mod admin;
mod apps;
mod architecture;
mod cli;
mod config;
mod conformance;
mod contract;
mod deliver;
mod demo;
mod endpoint;
mod flow;
mod forward;
mod gateway;
mod immunity;
mod machine;
mod person;
mod readings;
mod revocation;
mod smoke_support;
mod support;
