//! A client of HTTP/2 that sends every frame as it is told (`frames.py`), and what its scripts say.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::Value;

use super::python;
use super::tls::Authority;

/// The section `[tls]` of a gateway that is `app.example`.
pub fn section(authority: &Authority) -> String {
    format!("[tls]\ncertificate = [{}]\n", authority.server(&["app.example"]).toml())
}

/// What a script of this folder says, line by line.
pub fn script(name: &str, door: SocketAddr, authority: &Path, more: &[&str]) -> Vec<Value> {
    let (host, port, authority) = (door.ip().to_string(), door.port().to_string(), authority.display().to_string());
    let said = python::run_file(name, &[&[host.as_str(), &port, &authority], more].concat());
    said.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}
