//! A client that everybody knows: curl, as a person at a terminal uses it.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use super::client::header_lines;

/// What came of a call.
#[derive(Clone, Debug)]
pub struct Curled {
    /// curl's own: 0 when there was an answer.
    pub exit: i32,
    /// `HTTP/2`, `HTTP/1.1`.
    pub version: String,
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
    /// What it said on stderr, with every step of the handshake.
    pub said: String,
}

impl Curled {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// Calls a URL, whatever its host, at this address.
pub fn at(address: SocketAddr, url: &str, options: &[&str]) -> Curled {
    curl(&[&["--connect-to", &format!("::{address}"), url], options].concat())
}

/// [`at`], trusting an authority.
pub fn trusting(authority: &Path, address: SocketAddr, url: &str, options: &[&str]) -> Curled {
    let authority = authority.display().to_string();
    at(address, url, &[&["--cacert", &authority], options].concat())
}

/// Any call.
pub fn curl(arguments: &[&str]) -> Curled {
    let mut command = Command::new("curl");
    command.args(["--silent", "--show-error", "--verbose", "--include", "--max-time", "30", "--noproxy", "*"]).args(arguments);
    let done = command.stdin(Stdio::null()).output().expect("curl; `make setup` installs it");
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let mut first = head.lines().next().unwrap_or_default().split(' ');
    Curled {
        exit: done.status.code().expect("not killed"),
        version: first.next().unwrap_or_default().to_owned(),
        status: first.next().and_then(|status| status.parse().ok()).unwrap_or_default(),
        headers: header_lines(head),
        body: body.to_owned(),
        said: String::from_utf8_lossy(&done.stderr).into_owned(),
    }
}
