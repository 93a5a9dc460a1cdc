//! Our own endpoints, with types of `http`, not of pingora.

mod settings;

pub use settings::PageSettings;
