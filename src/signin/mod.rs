//! A person signs in: request ─▶ deliver ─▶ verify ─▶ issue ─▶ refresh ─▶ revoke. Each step is a file.
//!
//! What the steps need of a store stands beside them as a port: [`Accounts`], [`Challenges`], [`Sessions`].

pub mod account;
pub mod address;
pub mod challenge;
pub mod deliver;
pub mod session;
mod settings;

pub use account::{Account, Accounts};
pub use address::Handle;
pub use challenge::{Attempt, Candidate, Challenge, Challenges, Opened, Pointer, Taken};
pub use deliver::{Channel, Deliver, Message};
pub use session::{Family, NewSession, Session, Sessions};
pub use settings::{LimitSettings, OtpSettings, Registration, SessionSettings};
