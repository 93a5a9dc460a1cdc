//! Redis: the index of revocations and the limits. Nothing in it is the truth; it may be emptied at any moment.
//!
//! The **index** is asked over the network on each request. The **mirror** is a copy of it in this process: a **follower** feeds
//! it with what Redis pushes, and by **beats** it gives the **proof** of how old the copy is at most.
//!
//! A **link** is a connection of the worker that uses it. The **breaker** keeps requests from waiting for a Redis that does
//! not answer, the **prober** finds out when it does again; and, where **sentinels** watch or a **cluster** has it, who the
//! primary is. A node of a cluster is given its **seat** before it is asked for anything.

mod beat;
mod breaker;
mod cluster;
mod follower;
mod index;
mod limits;
mod link;
mod mirror;
mod place;
mod prober;
mod proof;
mod seat;
mod sentinel;
mod spending;

pub use follower::Follower;
pub use index::RedisIndex;
pub use limits::RedisLimits;
pub use link::Redis;
pub use mirror::Mirror;
pub use place::{check_url, has_password};
pub use prober::Prober;
pub use spending::RedisSpending;
