//! The edge: the only module that names pingora.

mod settings;

pub use settings::ListenSettings;
