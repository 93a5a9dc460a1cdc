//! The admin API, over HTTP, on the real program.

mod access;
mod accounts;
mod apps;
mod audit;
mod changes;
pub mod desk;
mod documents;
