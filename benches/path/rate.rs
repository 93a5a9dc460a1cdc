//! Requests at a fixed rate, sent when it is time whether or not earlier ones were answered: a server that stalls is not spared
//! the requests that would have come meanwhile. A latency counts from the moment that the request was due, where its
//! connection was still busy then.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const CONNECTIONS: u32 = 32;

/// Print p50 and p99 in microseconds.
pub fn print(address: SocketAddr, path: &str, token: &str, seconds: u32) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut latencies = runtime.block_on(measure(address, path, token, seconds));
    latencies.sort_unstable();
    let at = |share: usize| latencies[latencies.len() * share / 100].as_micros();
    println!("{} {}", at(50), at(99));
}

async fn measure(address: SocketAddr, path: &str, token: &str, seconds: u32) -> Vec<Duration> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nCookie: doorward_access={token}\r\n\r\n");
    let begun = Instant::now() + Duration::from_millis(100);
    let each = super::RATE * seconds / CONNECTIONS;
    let mut tasks = Vec::new();
    for place in 0..CONNECTIONS {
        tasks.push(tokio::spawn(one(address, request.clone(), begun, place, each)));
    }
    let mut all = Vec::new();
    for task in tasks {
        all.extend(task.await.unwrap());
    }
    all
}

/// One connection's share: requests on it wait for one another, and the wait counts.
async fn one(address: SocketAddr, request: String, begun: Instant, place: u32, count: u32) -> Vec<Duration> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut latencies = Vec::new();
    let mut buffer = vec![0; 4096];
    for number in 0..count {
        let due = begun + Duration::from_secs(1) * (number * CONNECTIONS + place) / super::RATE;
        // On a connection that was free in time, the timer's lateness is not the server's.
        let is_free = Instant::now() < due;
        tokio::time::sleep_until(due.into()).await;
        let since = if is_free { Instant::now() } else { due };
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut filled = 0;
        while !buffer[..filled].ends_with(b"Hello, world!") {
            let read = stream.read(&mut buffer[filled..]).await.unwrap();
            assert!(read > 0 && buffer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&buffer));
            filled += read;
        }
        latencies.push(since.elapsed());
    }
    latencies
}
