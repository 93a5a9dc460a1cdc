//! What is kept in this process: the index of revocations and the limits, where there is no Redis.

mod index;
mod limits;
mod roll;
mod shards;
mod spending;

pub use index::MemoryIndex;
pub use limits::MemoryLimits;
pub(in crate::store) use roll::{Kind, Line};
pub use spending::MemorySpending;
