//! Redis: the index of revocations and the limits. Nothing in it is the truth; it may be emptied at any moment.
//!
//! A **link** is a connection of the worker that uses it. The **breaker** keeps requests from waiting for a Redis that does
//! not answer, the **prober** finds out when it does again.

mod breaker;
mod index;
mod limits;
mod link;
mod prober;
mod spending;

pub use index::RedisIndex;
pub use limits::RedisLimits;
pub use link::Redis;
pub use prober::Prober;
pub use spending::RedisSpending;
