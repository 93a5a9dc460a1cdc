//! A proxied request is let in, or not: a chain of types that none can skip.
//!
//! ```text
//! request ─▶ Route ─▶ Presented ─▶ Verified ─▶ Live ─▶ Permit ─▶ HeaderEdit ─▶ upstream
//!            route    credentials   verify     revocation policy   identity
//! ```

pub mod refusal;
pub mod renew;
mod settings;

pub use refusal::Refusal;
pub use renew::{NotRenewed, Renew};
pub use settings::{Challenge, CrossSite, IdentitySettings, Preflight, Preset, Require, RouteSettings, RuleSettings};
