//! A mail server that is not ours (aiosmtpd), with TLS and passwords: what a provider's server asks of a client.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::child::{self, Process, Signal, Spawn};
use super::{folder, python, wait};

/// Who may send through it, where it speaks TLS.
pub const USER: &str = "door";
pub const PASSWORD: &str = "hodge";

/// How it speaks TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// Not at all, and without a password.
    None,
    /// After `STARTTLS`, which it insists on.
    Upgraded,
    /// From the first byte.
    Implicit,
}

/// The server; it ends with the value.
#[derive(Debug)]
pub struct MailServer {
    process: Process,
    port: u16,
    folder: TempDir,
}

impl MailServer {
    /// With a certificate for this machine.
    pub fn start(tls: Tls) -> Self {
        Self::start_as(tls, "localhost")
    }

    /// With a certificate for `host`.
    pub fn start_as(tls: Tls, host: &str) -> Self {
        let folder = folder::new("mailserver");
        // It says when it listens, on its standard output; no client needs to knock.
        let (port, process) = child::serve("aiosmtpd", |port| spawn(port, tls, &folder, host), |_| folder.path().exists());
        let server = Self { process, port, folder };
        wait::until_true("aiosmtpd to listen", Duration::from_secs(20), || !server.lines("listening").is_empty());
        server
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// The certificate to trust; programs that use the system's list read it through `SSL_CERT_FILE`.
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("authority.pem")
    }

    /// Every mail so far: `sender`, `recipients`, `encrypted`, `signed_in`, `raw`.
    pub fn mails(&self) -> Vec<Value> {
        self.lines("raw")
    }

    /// The mails when there are so many: what a server has taken it tells a moment later.
    pub fn wait_for_mails(&self, count: usize) -> Vec<Value> {
        wait::until_true(&format!("{count} mails"), Duration::from_secs(10), || self.mails().len() >= count);
        self.mails()
    }

    fn lines(&self, with: &str) -> Vec<Value> {
        let text = self.process.output().text();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).filter(|line: &Value| line.get(with).is_some()).collect()
    }
}

fn spawn(port: u16, tls: Tls, folder: &TempDir, host: &str) -> Process {
    let tls = match tls {
        Tls::None => "none",
        Tls::Upgraded => "starttls",
        Tls::Implicit => "tls",
    };
    let script = include_str!("mailserver.py");
    let arguments = ["-c", script, &port.to_string(), tls, &folder.path().display().to_string(), host].map(str::to_owned);
    let program = python::interpreter().display().to_string();
    Process::start(Spawn { program: &program, arguments: &arguments, environment: &[], user: None }, Signal::Kill)
}
