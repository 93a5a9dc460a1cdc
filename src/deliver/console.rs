//! Codes on standard output: for development, and only where it is configured.

use std::io::{self, Write};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

use super::{NotSent, Provider, Sending};
use crate::signin::Content;

/// Prints each message as one line.
pub struct Console {
    name: String,
    writer: Mutex<Box<dyn Write + Send>>,
}

impl Console {
    /// On standard output; `name` is for logs and metrics.
    pub fn stdout(name: &str) -> Self {
        Self::on(name, Box::new(io::stdout()))
    }

    /// On `writer`.
    pub fn on(name: &str, writer: Box<dyn Write + Send>) -> Self {
        Self { name: name.to_owned(), writer: Mutex::new(writer) }
    }
}

#[async_trait]
impl Provider for Console {
    fn name(&self) -> &str {
        &self.name
    }

    async fn send(&self, sending: &Sending<'_>) -> Result<(), NotSent> {
        let to = sending.message.to.expose();
        let line = match &sending.message.content {
            Content::Code { code, minutes, .. } => format!("code for {to}: {} (good for {minutes} min)\n", code.expose()),
            Content::Notice(notice) => format!("notice for {to}: {}\n", notice.kind()),
        };
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        writer.write_all(line.as_bytes()).and_then(|()| writer.flush()).map_err(|error| NotSent::Later(error.to_string()))
    }
}
