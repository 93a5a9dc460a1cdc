//! The whole way, end to end: the real program, real databases, a real mail server, an app that remembers.

mod addresses;
mod audit;
mod claims_hook;
mod drill;
mod factors;
mod identity;
mod metrics;
#[cfg(feature = "mongodb")]
mod mongo_killed;
mod nonsense;
mod notices;
mod outages;
mod paths;
pub mod place;
mod pumping;
mod races;
mod rules;
mod secrets;
mod signing_in;
mod soak;
mod stray;
mod streams;
mod told;
