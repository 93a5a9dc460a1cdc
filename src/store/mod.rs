//! Where things are kept: the only module that names sqlx and redis.

pub mod memory;
pub mod redis;
mod settings;

pub use settings::{Check, RedisSettings, StoreSettings};
