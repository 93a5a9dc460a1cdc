//! `doorward healthcheck`: asks the admin listener of the running gateway for `/healthz`. By hand over one connection, because
//! a container's health check should cost nothing and hang on nothing.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::{Failed, load, print};
use crate::gateway::Address;

const PATIENCE: Duration = Duration::from_secs(3);
/// More of the answer than this is not read.
const ROOM: u64 = 64 * 1024;

/// Prints what the gateway says; fails when it does not say that it is ready.
pub(super) fn run(path: &Path) -> Result<(), Failed> {
    let admin = load(path)?.listen.admin;
    let answer = ask(&admin).map_err(|error| Failed::refused(format!("nobody answers at {admin}: {error}")))?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).unwrap_or_default();
    if status == "200" {
        return print::line(body.trim());
    }
    Err(Failed::refused(format!("not ready: {} {}", print::cell(status), print::cell(body.trim()))))
}

/// "Every address" is listened at, but cannot be called.
fn reachable(mut admin: SocketAddr) -> SocketAddr {
    match admin.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => admin.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => admin.set_ip(Ipv6Addr::LOCALHOST.into()),
        IpAddr::V4(_) | IpAddr::V6(_) => {}
    }
    admin
}

fn ask(admin: &Address) -> io::Result<String> {
    match admin {
        Address::Tcp(address) => {
            let address = reachable(*address);
            let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            exchange(stream, &address.to_string())
        }
        Address::Unix(path) => {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            exchange(stream, "localhost")
        }
    }
}

fn exchange(mut stream: impl Read + Write, host: &str) -> io::Result<String> {
    stream.write_all(format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    stream.take(ROOM).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
