//! Where things are kept: the only module that names sqlx and redis.

mod settings;

pub use settings::{Check, RedisSettings, StoreSettings};
