//! Access tokens and the assertion for the app: what they say, what signs them, and what is believed.
//!
//! ```text
//! claims ─▶ mint ─▶ a person's cookie ─▶ check ─▶ claims        keys: the ring that both use, kept sealed in the store
//! claims ─▶ assertion ─▶ the app, which verifies it with jwks
//! ```
//!
//! The only module that names `jsonwebtoken`.

pub mod claims;
mod issued;
pub mod keys;
mod settings;

pub use claims::{Acr, Amr, Claims};
pub use issued::Issued;
pub use keys::{Algorithm, Keys, Purpose, StoredKey};
pub use settings::TokenSettings;
