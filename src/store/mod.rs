//! Where things are kept: the only module that names sqlx and redis.

mod durable;
pub mod memory;
pub mod redis;
mod settings;
pub mod sql;

pub use durable::{Durable, open};
pub use settings::{Check, RedisSettings, StoreSettings};
