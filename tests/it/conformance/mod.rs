//! Never two readings of one byte stream: what the gateway takes for a request is what the app behind it takes for one, byte for
//! byte, whoever wrote the app.
//!
//! The streams stand in `tests/it/corpus`, one readable file, each with what must become of it.

mod http1;
mod streams;
