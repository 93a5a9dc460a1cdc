//! An app of its own process that speaks TLS or HTTP/2, and may be paused or ended.

use std::path::Path;

use super::child::{self, Process, Signal, Spawn};
use super::{folder, python};

const SCRIPT: &str = include_str!("secureapp.py");

/// The running app; it ends with the value.
#[derive(Debug)]
pub struct SecureApp {
    pub process: Process,
    port: u16,
}

impl SecureApp {
    /// With options of the script, as `alpn=h2`.
    pub fn start(options: &[String]) -> Self {
        let script = folder::tools().join("secureapp.py");
        std::fs::write(&script, SCRIPT).expect("a writable folder");
        let (port, process) = child::serve("the secure app", |port| Self::spawn(&script, port, options), is_open);
        Self { process, port }
    }

    fn spawn(script: &Path, port: u16, options: &[String]) -> Process {
        let interpreter = python::interpreter().display().to_string();
        let arguments: Vec<String> =
            [script.display().to_string(), format!("port={port}")].into_iter().chain(options.iter().cloned()).collect();
        Process::start(Spawn { program: &interpreter, arguments: &arguments, environment: &[], user: None }, Signal::Kill)
    }

    /// Its address behind a scheme.
    pub fn url(&self, scheme: &str) -> String {
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// How many lines it has printed that begin so: `request`, `connection`, `refused`.
    pub fn count(&self, what: &str) -> usize {
        self.process.output().text().lines().filter(|line| line.starts_with(what)).count()
    }
}

fn is_open(port: u16) -> bool {
    std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
}
