//! Free ports on the loopback interface.
//!
//! They are taken from below the range that the kernel gives to outgoing connections: a port that a test's server has
//! left for a moment (stopped, to be started again) is then not taken by a client that happens to connect somewhere.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

const FIRST: u16 = 12_000;
const COUNT: u16 = 20_000;

/// How many ports this process has asked for. Never the same twice in a run, so two tests cannot be given one port.
static TAKEN: AtomicU16 = AtomicU16::new(0);

/// A port on which nothing listens now. Another process may take it before it is used: callers try again.
pub fn free() -> u16 {
    (0..COUNT)
        .map(|_| next())
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .expect("no free port on the loopback interface")
}

/// [`free`], with the address.
pub fn free_address() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, free()))
}

/// Processes start at places of their own, so that two test runs on one machine rarely meet.
fn next() -> u16 {
    let place = u32::from(TAKEN.fetch_add(1, Ordering::Relaxed)) + std::process::id().wrapping_mul(97);
    FIRST + u16::try_from(place % u32::from(COUNT)).expect("smaller than COUNT")
}
