//! Our own endpoints, driven as the edge drives them, on the services of signing in and a real database.

mod addresses;
mod browser;
pub mod door;
mod factor_pages;
mod factors;
mod flow;
mod nonsense;
mod notices;
mod outage;
mod pages;
mod refused;
mod renewed;
