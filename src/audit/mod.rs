//! The audit log: who did what, on what, from where, and what came of it.
//!
//! ```text
//! event     what happened, in fixed words and ids     repeats   the same refusal again and again, in one row
//! recorder  one task that writes many at once         chain     each row proves the one before; the head proves the last
//! port      where rows are kept                       verify    a walk over all of them
//! ```
//!
//! No code, no token, no address to sign in with can get in: an event is made of words of ours, ids of ours, the address of a
//! connection and two words for a browser.

mod chain;
mod event;
mod port;
mod recorder;
mod repeats;
mod verify;
mod words;

pub use chain::{Chain, Head};
pub use event::{Event, Origin, Record, Thing, Who};
pub use port::{Audit, Cursor, Filter, Order, Wanted};
pub use recorder::Recorder;
pub use verify::{Break, Verdict, Walk, verify};
pub use words::{Outcome, What};
