//! Codes on standard output: for development, and only where it is configured.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

use super::{NotSent, Provider, Sending};
use crate::signin::Content;

/// Prints each message as one line.
pub struct Console(Mutex<Box<dyn Write + Send>>);

impl Console {
    /// On standard output.
    pub fn stdout() -> Self {
        Self::on(Box::new(io::stdout()))
    }

    /// On `writer`.
    pub fn on(writer: Box<dyn Write + Send>) -> Self {
        Self(Mutex::new(writer))
    }
}

#[async_trait]
impl Provider for Console {
    fn name(&self) -> &'static str {
        "console"
    }

    async fn send(&self, sending: &Sending<'_>) -> Result<(), NotSent> {
        let message = sending.message;
        let to = message.to.expose();
        let line = match &message.content {
            Content::Code { code, minutes, .. } => format!("code for {to}: {} (good for {minutes} min)\n", code.expose()),
            Content::Notice(notice) => format!("notice for {to}: {}\n", notice.kind()),
        };
        let mut writer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        writer.write_all(line.as_bytes()).and_then(|()| writer.flush()).map_err(|error| NotSent::Later(error.to_string()))
    }
}
