//! Access tokens and the assertion for the app: what they say, what signs them, and what is believed.
//!
//! ```text
//! claims ─▶ mint ─▶ a person's cookie ─▶ cache ─▶ check ─▶ claims        keys ─▶ ring: what signs and verifies now
//! claims ─▶ assertion ─▶ the app, which verifies it with jwks   rotate: keys are made, and followed by others
//! ```
//!
//! The only module that names `jsonwebtoken`.

pub mod assertion;
pub mod cache;
pub mod check;
pub mod claims;
mod issued;
pub mod keys;
pub mod mint;
pub mod ring;
pub mod rotate;
mod settings;
mod under_way;

pub use assertion::Asserter;
pub use cache::{Lookups, Remembering};
pub use check::{Invalid, Times, Verifier};
pub use claims::{Acr, Amr, Claims};
pub use issued::Issued;
pub use keys::{Algorithm, Keys, Purpose, StoredKey};
pub use mint::Minter;
pub use ring::Ring;
pub use settings::TokenSettings;
pub use under_way::{Departing, UnderWay};

#[cfg(test)]
mod tests;
