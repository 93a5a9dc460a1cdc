//! Machines that call us: API keys, and what holds one may do.
//!
//! ```text
//! key    the text that is shown once, and what is stored of it      scope  what a key is for
//! store  the port behind which keys are kept                        desk   keys are made, followed by others, revoked
//! check  is this key to be believed?   known  keys that were believed before   used  when each was used last
//! ```
//!
//! [`KeyCheck`] believes keys: for proxied requests it stands behind [`crate::admission::Machines`], where the revocation is
//! asked about in the next step; other endpoints call [`KeyCheck::authenticate`], which asks about it too.

mod check;
mod desk;
mod key;
mod known;
mod scope;
mod store;
mod used;

pub use check::{KeyCheck, Parts};
pub use desk::{KeyDesk, Made, NewKey, NotMade};
pub use key::{HashedKey, NotAKey, PlainKey};
pub use scope::{NotAScope, Scope};
pub use store::{ApiKey, ApiKeys};

#[cfg(test)]
mod tests;
