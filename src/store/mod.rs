//! Where things are kept: the only module that names sqlx, redis and mongodb.

mod breaker;
mod durable;
pub mod memory;
#[cfg(feature = "mongodb")]
pub mod mongo;
mod pace;
pub mod redis;
mod settings;
pub mod sql;

pub use durable::{Durable, open};
pub use settings::{Check, RedisSettings, StoreSettings};

/// Why a build without the feature `mongodb` refuses a URL of `MongoDB`.
pub const NO_MONGODB: &str = "MongoDB is not in this build: it is in the released image, and in what is built with \
    `cargo build --release --features mongodb`";
