//! Is this token, this session, this account revoked? Asked on every proxied request.
//!
//! The **ledger** in the database is the truth: numbered without gaps, in the order of commits. The **index** (Redis, or this
//! process's memory) is the speed: it answers only when it can show that it has seen everything up to the newest number that
//! this node knows of. Otherwise the same question goes to the ledger.

pub mod index;
pub mod ledger;

pub use index::{Answer, Index};
pub use ledger::{Act, Entry, Head, Ids, Ledger, Subject};
