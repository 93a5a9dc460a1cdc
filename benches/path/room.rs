//! What a gateway holds in memory: after many sessions, and with many tunnels that say nothing.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use doorward::clock::{Clock as _, SystemClock};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

const SESSIONS: usize = 100_000;
const TUNNELS: u64 = 10_000;
/// Descriptors that a gateway has besides those of tunnels, and how many are wanted: two for each tunnel, and those.
const OTHERS: u64 = 200;
const DESCRIPTORS: u64 = 2 * TUNNELS + OTHERS;
/// Requests on one connection; the gateway closes it soon after.
const ON_ONE: usize = 5_000;

/// Have the system allow as many open connections as will be needed, for this process and those that it starts.
pub fn more_descriptors() {
    let maximum = getrlimit(Resource::Nofile).maximum.map_or(DESCRIPTORS, |maximum| maximum.max(DESCRIPTORS));
    // Where more is not allowed, fewer tunnels are opened.
    let allowed = setrlimit(Resource::Nofile, Rlimit { current: Some(DESCRIPTORS), maximum: Some(maximum) });
    if let Err(error) = allowed {
        println!("only so many descriptors as there are: {error}");
    }
}

/// Print what the process `pid` holds, which serves at `address`.
pub fn measure(pid: u32, address: SocketAddr, token: &str) {
    println!("\n{:<44} {:>9} {:>12}", "memory (one worker)", "RSS MB", "bytes each");
    let fresh = said("at the start", pid, None);
    one_each(address, 0);
    let kept = said(&format!("after {SESSIONS} sessions, one request each"), pid, Some((fresh, SESSIONS)));
    one_each(address, SESSIONS);
    let still = said(&format!("after {SESSIONS} others"), pid, Some((kept, SESSIONS)));
    let count = TUNNELS.min(getrlimit(Resource::Nofile).current.unwrap_or(TUNNELS).saturating_sub(OTHERS) / 2);
    let count = usize::try_from(count).unwrap();
    let tunnels: Vec<TcpStream> = (0..count).map(|_| tunnel(address, token)).collect();
    said(&format!("with {} idle WebSockets", tunnels.len()), pid, Some((still, count)));
}

fn said(what: &str, pid: u32, since: Option<(usize, usize)>) -> usize {
    let bytes = resident(pid);
    let each = since.map_or_else(String::new, |(before, count)| (bytes.saturating_sub(before) / count).to_string());
    println!("{what:<44} {:>9} {each:>12}", bytes / 1024 / 1024);
    bytes
}

/// Memory that a process holds, in bytes (proc(5)).
fn resident(pid: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}

/// One request of each session, from number `first` on.
fn one_each(address: SocketAddr, first: usize) {
    let mint = super::minter();
    let now = SystemClock.now();
    for start in (first..first + SESSIONS).step_by(ON_ONE) {
        let mut stream = connect(address);
        for number in start..start + ON_ONE {
            let token = mint.mint(&super::claims(number, now), now).expect("a token");
            ask(&mut stream, address, &format!("Cookie: doorward_access={}\r\n", token.expose()), "HTTP/1.1 200");
        }
    }
}

fn tunnel(address: SocketAddr, token: &str) -> TcpStream {
    let mut stream = connect(address);
    let upgrade =
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    ask(&mut stream, address, &format!("{upgrade}Cookie: doorward_access={token}\r\n"), "HTTP/1.1 101");
    stream
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(super::READY_WITHIN)).unwrap();
    stream
}

/// Ask, and read the whole of a small answer.
fn ask(stream: &mut TcpStream, address: SocketAddr, lines: &str, expected: &str) {
    stream.write_all(format!("GET / HTTP/1.1\r\nHost: {address}\r\n{lines}\r\n").as_bytes()).unwrap();
    let (mut text, mut buffer) = (Vec::new(), [0; 4096]);
    while !(text.ends_with(b"Hello, world!") || (expected.ends_with("101") && text.ends_with(b"\r\n\r\n"))) {
        let count = stream.read(&mut buffer).unwrap();
        assert!(count > 0, "hung up after {}", String::from_utf8_lossy(&text));
        text.extend_from_slice(&buffer[..count]);
    }
    assert!(text.starts_with(expected.as_bytes()), "{}", String::from_utf8_lossy(&text));
}
