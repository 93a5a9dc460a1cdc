//! What is kept in this process: the index of revocations and the limits, where there is no Redis.

mod index;
mod limits;
mod shards;
mod spending;

pub use index::MemoryIndex;
pub use limits::MemoryLimits;
pub use spending::MemorySpending;
