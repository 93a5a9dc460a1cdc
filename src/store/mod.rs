//! Where things are kept: the only module that names sqlx and redis.

pub mod memory;
pub mod redis;
mod settings;
pub mod sql;

pub use settings::{Check, RedisSettings, StoreSettings};
