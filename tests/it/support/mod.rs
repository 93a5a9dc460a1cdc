//! What the tests stand on: real servers as child processes, an app that remembers, a mailbox, clients, a browser.
//!
//! Nothing here pretends. A server that a test may stop or pause belongs to that test; the others are started once,
//! and each test takes a database of its own inside.

pub mod alike;
pub mod authenticator;
pub mod axe;
pub mod browser;
pub mod cable;
pub mod child;
pub mod client;
pub mod cluster;
pub mod curl;
pub mod folder;
pub mod gateway;
pub mod http2;
pub mod mailserver;
pub mod mariadb;
#[cfg(feature = "mongodb")]
pub mod mongo;
pub mod paths;
pub mod picture;
pub mod ports;
pub mod postgres;
pub mod provider;
pub mod python;
pub mod readers;
pub mod redis;
pub mod resolver;
pub mod secureapp;
pub mod sentinel;
pub mod smtp;
pub mod tls;
pub mod upstream;
pub mod wait;

/// Libraries that speak TLS ask for the process's provider of cryptography; the binary installs the same one.
pub fn install_crypto_provider() {
    // Installed already is installed.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
}
