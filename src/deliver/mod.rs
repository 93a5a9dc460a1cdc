//! Messages leave: the queue, and the providers behind it.

mod settings;

pub use settings::{DeliverySettings, EmailProvider};
