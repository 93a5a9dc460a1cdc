//! The tests that need more than one module, in one binary: real servers, real clients, the real program.
//!
//! A test's name is a sentence about what Doorward does. What they stand on is in `support`.

mod architecture;
mod smoke_support;
mod support;
