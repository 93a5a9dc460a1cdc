//! The gateway that runs, asked at its admin listener. By hand over one connection, because a container's health check should
//! cost nothing and hang on nothing.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use super::Failed;
use crate::gateway::Address;

const PATIENCE: Duration = Duration::from_secs(3);
/// More of the answer than this is not read.
const ROOM: u64 = 64 * 1024;

/// What it answers to a GET of `path`: the status as it is written, and the body. `credential` is for `Authorization`.
pub(super) fn get(admin: &Address, path: &str, credential: Option<&str>) -> Result<(String, String), Failed> {
    let credential = credential.map(|credential| format!("Authorization: {credential}\r\n")).unwrap_or_default();
    let answer = ask(admin, |host| format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{credential}Connection: close\r\n\r\n"));
    let answer = answer.map_err(|error| Failed::refused(format!("nobody answers at {admin}: {error}")))?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    Ok((head.split(' ').nth(1).unwrap_or_default().to_owned(), body.to_owned()))
}

fn ask(admin: &Address, request: impl Fn(&str) -> String) -> io::Result<String> {
    match admin {
        Address::Tcp(address) => {
            let address = reachable(*address);
            let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            exchange(stream, &request(&address.to_string()))
        }
        Address::Unix(path) => {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            exchange(stream, &request("localhost"))
        }
    }
}

fn exchange(mut stream: impl Read + Write, request: &str) -> io::Result<String> {
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(ROOM).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
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
