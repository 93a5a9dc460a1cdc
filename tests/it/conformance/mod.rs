//! Never two readings of one byte stream: what the gateway takes for a request is what the app behind it takes for one, byte for
//! byte, whoever wrote the app. And HTTP/2 as its RFC has it, section by section.
//!
//! The streams stand in `tests/it/corpus`, readable, each with what must become of it.

mod http1;
mod http2;
pub mod run;
mod streams;
