//! A path that reads differently to different servers is forwarded only where every reading falls under the same route and
//! rules: held against a reference that shares no line with the product, and the reference against real servers.

mod fault;
mod property;
mod reference;
mod servers;

pub use property::runner;
