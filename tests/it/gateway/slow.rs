//! Two thousand clients that do as little as they can, for as long as they are let (`slowhttptest`): others notice nothing,
//! memory stays within what each connection may have, and at the end none of them is left.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::{Edge, get, public};
use crate::support::child::{self, Process, Signal, Spawn};
use crate::support::client::Raw;
use crate::support::wait;

/// Connections of an attack.
const CROWD: usize = 2_000;
/// The most that one of them may cost in the gateway's memory, in bytes.
///
/// A head that is not whole: the socket and its task, and what has come of the head. A body: besides, the request and its
/// connection to the app, whose buffer is 64 KiB where the framework reads a body of unknown length, and less where it knows.
const HEAD: usize = 24 * 1024;
const BODY: usize = 128 * 1024;
/// A response that nobody reads: besides, what is read of it at once (64 KiB) and what was gathered for one write.
const RESPONSE: usize = 192 * 1024;
/// What an answer may take on a machine that is busy with other tests, whatever it took before.
const GRACE: Duration = Duration::from_millis(50);

/// An app that answers every request with the same body, and keeps nothing.
struct App {
    address: SocketAddr,
    _task: JoinSet<()>,
}

impl App {
    async fn start(size: usize) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(async move { drop(answer(stream, size).await) });
                while connections.try_join_next().is_some() {}
            }
        });
        Self { address, _task: task }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// Requests without a body are answered; one with a body is waited for.
async fn answer(mut stream: TcpStream, size: usize) -> std::io::Result<()> {
    let (mut buffer, body) = (Vec::new(), vec![b'x'; size]);
    loop {
        while !buffer.ends_with(b"\r\n\r\n") || buffer.starts_with(b"POST") {
            if stream.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
        }
        let short = buffer.windows(6).any(|window| window == b"/short");
        let body = if short { &body[..0] } else { &body[..] };
        stream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes()).await?;
        stream.write_all(body).await?;
        buffer.clear();
    }
}

/// What was seen while a crowd was there.
#[derive(Debug, Default)]
struct Seen {
    /// Connections at once, at the most.
    crowd: usize,
    /// Memory beyond what it was, at the most.
    memory: usize,
    /// What honest requests took.
    times: Vec<Duration>,
}

impl Seen {
    fn median(&self) -> Duration {
        self.of_hundred(50)
    }

    /// What so many of a hundred honest requests took at most.
    fn of_hundred(&self, so_many: usize) -> Duration {
        let mut times = self.times.clone();
        times.sort();
        times[(times.len() * so_many / 100).min(times.len() - 1)]
    }
}

/// Runs `slowhttptest` with these arguments against a gateway, while an honest client goes on.
async fn attack(arguments: &[&str], response: usize) -> (Seen, Duration) {
    let app = App::start(response).await;
    raise_limit();
    let listen = "head_timeout = \"8s\"\nkeep_alive = \"8s\"\nwrite_timeout = \"12s\"";
    let edge = Edge::start(listen, &public("app", &[&app.url()], "body_timeout = \"8s\""));
    let mut before = Seen::default();
    for _ in 0..1000 {
        before.times.push(honest(&edge).await);
    }
    let pid = edge.gateway.pid();
    let (sockets, memory) = (descriptors(pid), resident(pid));

    let mut crowd = gather(&edge, arguments);
    // Counting takes longer than an honest request: it goes on beside them.
    let (over, address) = (Arc::new(AtomicBool::new(false)), edge.address());
    let (told, looking) = (Arc::clone(&over), Duration::from_millis(250));
    let counting = std::thread::spawn(move || {
        let (mut most, mut memory_then) = (0, 0);
        while wait::within(looking, || told.load(Ordering::Relaxed).then_some(())).is_none() {
            most = most.max(established(address).min(CROWD));
            memory_then = memory_then.max(resident(pid).saturating_sub(memory));
        }
        (most, memory_then)
    });
    let mut seen = Seen::default();
    while crowd.has_ended().is_none() {
        seen.times.push(honest(&edge).await);
    }
    over.store(true, Ordering::Relaxed);
    (seen.crowd, seen.memory) = counting.join().expect("it counts");

    let left = || descriptors(pid) < sockets + 50;
    wait::until_true("the last of the crowd to be gone", Duration::from_secs(30), left);
    assert!(seen.crowd > CROWD / 2, "only {} were there at once: {}", seen.crowd, crowd.output().text());
    let usual = before.median();
    eprintln!(
        "{}: {} connections, {} KiB each; two requests on a connection: median {usual:?} before, {:?} during, p99 {:?} and {:?}, of {} and {}",
        arguments.concat(),
        seen.crowd,
        seen.memory / CROWD / 1024,
        seen.median(),
        before.of_hundred(99),
        seen.of_hundred(99),
        before.times.len(),
        seen.times.len()
    );
    (seen, usual)
}

fn gather(edge: &Edge, arguments: &[&str]) -> Process {
    let common =
        ["-c", &CROWD.to_string(), "-r", "1000", "-l", "30", "-p", "30", "-u", &format!("http://{}/", edge.address())].map(str::to_owned);
    let arguments: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).chain(common).collect();
    Process::start(Spawn { program: "slowhttptest", arguments: &arguments, environment: &[], user: None }, Signal::Term)
}

/// A new connection, and two requests on it.
async fn honest(edge: &Edge) -> Duration {
    let request = get("").replace("GET / ", "GET /short ");
    let begun = Instant::now();
    let mut raw = Raw::connect(edge.address()).await;
    for _ in 0..2 {
        raw.send(&request).await;
        assert_eq!(raw.reply().await.expect("an answer").status, 200);
    }
    begun.elapsed()
}

/// As many files as the system allows, for this process and those that it starts.
fn raise_limit() {
    let pid = std::process::id().to_string();
    child::run("prlimit", &["--pid".to_owned(), pid, "--nofile=16384:".to_owned()], None);
}

fn descriptors(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).expect("it runs").count()
}

/// How many connections to this address are open at this end. The table moves while it is read: some may be seen twice.
fn established(address: SocketAddr) -> usize {
    let place = format!(":{:04X} ", address.port());
    let table = std::fs::read_to_string("/proc/net/tcp").expect("a table");
    table
        .lines()
        .filter(|line| {
            line.split_whitespace().nth(1).is_some_and(|local| format!("{local} ").ends_with(&place))
                && line.split_whitespace().nth(3) == Some("01")
        })
        .count()
}

/// How much memory a process has, in bytes.
fn resident(pid: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a line");
    line.split_whitespace().nth(1).expect("a number").parse::<usize>().expect("a number") * 1024
}

fn nobody_notices(seen: &Seen, usual: Duration, each: usize) {
    let median = seen.median();
    assert!(median <= usual * 2 + GRACE, "{median:?} instead of {usual:?}");
    assert!(seen.memory <= CROWD * each, "{} bytes for each of {}", seen.memory / CROWD, seen.crowd);
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_that_never_end() {
    let (seen, usual) = attack(&["-H", "-i", "1", "-x", "24"], 0).await;
    nobody_notices(&seen, usual, HEAD);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_never_end() {
    let (seen, usual) = attack(&["-B", "-i", "1", "-s", "8192", "-x", "10"], 0).await;
    nobody_notices(&seen, usual, BODY);
}

#[tokio::test(flavor = "multi_thread")]
async fn responses_that_nobody_reads() {
    let (seen, usual) = attack(&["-X", "-w", "10", "-y", "20", "-n", "1", "-z", "5"], 1024 * 1024).await;
    nobody_notices(&seen, usual, RESPONSE);
}
