//! What the check costs: Doorward against a bare pingora proxy of the same version, in one run, interleaved.
//!
//! `make bench`. Each contender has one worker on core 0; the load (`wrk`) and the upstream share core 1. CPU time per request
//! is the process's own accounting (`/proc/PID/stat`), which is steadier than requests per second. Nothing is asserted: the
//! ratios are printed.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a bench ends at the first surprise, and prints what it found"
)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pingora::prelude::{HttpPeer, ProxyHttp, Session};

const ROUNDS: usize = 5;
const WARM_UP: &str = "1s";
const ROUND: &str = "3s";
const CONNECTIONS: &str = "32";
const READY_WITHIN: Duration = Duration::from_secs(20);

fn main() {
    let args: Vec<String> = std::env::args().collect();
    match args.get(1).map(String::as_str) {
        Some("upstream") => upstream(&args[2]),
        Some("bare") => bare(&args[2], args[3].parse().unwrap()),
        _ => compare(),
    }
}

/// A contender that runs.
struct Contender {
    name: &'static str,
    process: Process,
    address: SocketAddr,
    path: &'static str,
    token: Option<String>,
    rounds: Vec<Round>,
}

#[derive(Clone, Copy)]
struct Round {
    cpu_micros: f64,
    per_second: f64,
}

/// Ends with the value.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ended = self.0.kill().and_then(|()| self.0.wait());
    }
}

fn compare() {
    let folder = tempfile::tempdir().unwrap();
    let app = free_port();
    let _upstream = this(1, &["upstream", &app.to_string()], app);
    let redis = free_port();
    let _redis = redis_server(folder.path(), redis);
    let mut contenders = vec![
        bare_contender(app),
        doorward("public route", folder.path(), "public", app, None, "/open"),
        doorward("protected, in-process index", folder.path(), "memory", app, None, "/"),
        doorward("protected, strict Redis", folder.path(), "strict", app, Some(redis), "/"),
    ];
    for contender in &mut contenders {
        load(contender, WARM_UP);
    }
    for _ in 0..ROUNDS {
        for contender in &mut contenders {
            let round = load(contender, ROUND);
            contender.rounds.push(round);
        }
    }
    report(&contenders);
}

fn report(contenders: &[Contender]) {
    let bare = &contenders[0];
    println!(
        "{ROUNDS} rounds of {ROUND}, {CONNECTIONS} connections, one worker each; medians; ratios are medians of the rounds' own ratios"
    );
    println!("{:<32} {:>14} {:>8} {:>12} {:>8}", "", "CPU µs/request", "ratio", "requests/s", "ratio");
    for contender in contenders {
        let cpu = |rounds: &[Round]| rounds.iter().map(|round| round.cpu_micros).collect::<Vec<_>>();
        let rate = |rounds: &[Round]| rounds.iter().map(|round| round.per_second).collect::<Vec<_>>();
        println!(
            "{:<32} {:>14.1} {:>8.2} {:>12.0} {:>8.2}",
            contender.name,
            median(cpu(&contender.rounds)),
            median(ratios(&cpu(&contender.rounds), &cpu(&bare.rounds))),
            median(rate(&contender.rounds)),
            median(ratios(&rate(&contender.rounds), &rate(&bare.rounds))),
        );
    }
}

fn ratios(of: &[f64], to: &[f64]) -> Vec<f64> {
    of.iter().zip(to).map(|(of, to)| of / to).collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

// === the load ===

fn load(contender: &Contender, length: &str) -> Round {
    let url = format!("http://{}{}", contender.address, contender.path);
    let mut wrk = Command::new("taskset");
    wrk.args(["-c", "1", "wrk", "-t1", "-c", CONNECTIONS, "-d", length]);
    if let Some(token) = &contender.token {
        wrk.args(["-H", &format!("Cookie: doorward_access={token}")]);
    }
    let before = cpu_ticks(contender.process.0.id());
    let output = wrk.arg(&url).output().expect("wrk and taskset are installed: make setup");
    let ticks = cpu_ticks(contender.process.0.id()) - before;
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(!text.contains("Non-2xx"), "{} refused the load:\n{text}", contender.name);
    let requests = number_before(&text, " requests in");
    let rate = text.split("Requests/sec:").nth(1).and_then(|rest| rest.split_whitespace().next()).expect("wrk's rate");
    // A tick is 10 ms: USER_HZ is 100 on every Linux that we know.
    Round { cpu_micros: ticks * 10_000.0 / requests, per_second: rate.parse().unwrap() }
}

fn number_before(text: &str, word: &str) -> f64 {
    text.split(word).next().and_then(|head| head.split_whitespace().last()).and_then(|number| number.parse().ok()).expect("wrk's count")
}

/// Time that a process and its threads spent on a processor, user and system, in ticks (proc(5)).
fn cpu_ticks(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()
}

// === the contenders ===

fn bare_contender(app: SocketAddr) -> Contender {
    let address = free_port();
    let process = this(0, &["bare", &address.to_string(), &app.to_string()], address);
    Contender { name: "bare pingora", process, address, path: "/", token: None, rounds: Vec::new() }
}

fn doorward(
    name: &'static str,
    folder: &std::path::Path,
    file: &str,
    app: SocketAddr,
    redis: Option<SocketAddr>,
    path: &'static str,
) -> Contender {
    let (public, admin) = (free_port(), free_port());
    let config = folder.join(format!("{file}.toml"));
    let redis = redis.map(|address| format!("[redis]\nurl = \"redis://{address}\"\n")).unwrap_or_default();
    let text = format!(
        r#"public_url = "http://{public}"
[listen]
public = ["{public}"]
admin = "{admin}"
workers = 1
[store]
url = "sqlite:{folder}/{file}.db"
encryption_key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
{redis}
[cookies]
secure = false
[development]
enabled = true
[telemetry]
log = "warn"
[[delivery.email]]
kind = "console"
[[route]]
name = "open"
path = "/open"
upstream = ["http://{app}"]
require = "public"
[[route]]
name = "app"
upstream = ["http://{app}"]
require = "session"
"#,
        folder = folder.display()
    );
    std::fs::write(&config, text).unwrap();
    let mut command = Command::new("taskset");
    command.args(["-c", "0", env!("CARGO_BIN_EXE_doorward"), "serve", "--config"]).arg(&config);
    let process = Process(command.stdout(Stdio::null()).spawn().expect("taskset"));
    wait_for(public);
    let token = sign_in(public);
    Contender { name, process, address: public, path, token: (path == "/").then_some(token), rounds: Vec::new() }
}

/// Development mode makes every code zeros.
fn sign_in(address: SocketAddr) -> String {
    post(address, "/auth/request-otp", r#"{"email":"ada@example.com"}"#);
    let body = post(address, "/auth/verify-otp", r#"{"email":"ada@example.com","code":"000000"}"#);
    let token = body.split("\"access_token\":\"").nth(1).and_then(|rest| rest.split('"').next());
    token.unwrap_or_else(|| panic!("no token in {body}")).to_owned()
}

fn post(address: SocketAddr, path: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(READY_WITHIN)).unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    reply
}

fn redis_server(folder: &std::path::Path, address: SocketAddr) -> Process {
    let port = address.port().to_string();
    let mut command = Command::new("taskset");
    command
        .args(["-c", "1", "redis-server", "--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir"])
        .arg(folder);
    let process = Process(command.stdout(Stdio::null()).spawn().expect("redis-server is installed: make setup"));
    wait_for(address);
    process
}

/// This program in another role, on one core.
fn this(core: usize, args: &[&str], address: SocketAddr) -> Process {
    let me = std::env::current_exe().unwrap();
    let process = Process(Command::new("taskset").args(["-c", &core.to_string()]).arg(me).args(args).spawn().expect("taskset"));
    wait_for(address);
    process
}

fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn wait_for(address: SocketAddr) {
    let since = Instant::now();
    while TcpStream::connect(address).is_err() {
        assert!(since.elapsed() < READY_WITHIN, "nothing listens on {address}");
        std::thread::yield_now();
    }
}

// === the roles ===

/// An app that answers each request with the same few bytes.
fn upstream(address: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind(address).await.unwrap();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            tokio::spawn(answer(stream));
        }
    });
}

async fn answer(mut stream: tokio::net::TcpStream) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let reply = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nHello, world!";
    let mut buffer = vec![0; 16 * 1024];
    let mut filled = 0;
    while let Ok(read @ 1..) = stream.read(&mut buffer[filled..]).await {
        filled += read;
        if buffer[..filled].ends_with(b"\r\n\r\n") {
            filled = 0;
            if stream.write_all(reply).await.is_err() {
                return;
            }
        }
    }
}

struct Bare(SocketAddr);

#[async_trait]
impl ProxyHttp for Bare {
    type CTX = ();

    fn new_ctx(&self) {}

    async fn upstream_peer(&self, _: &mut Session, (): &mut ()) -> pingora::Result<Box<HttpPeer>> {
        Ok(Box::new(HttpPeer::new(self.0, false, String::new())))
    }
}

fn bare(address: &str, app: SocketAddr) {
    let configuration = pingora::server::configuration::ServerConf { threads: 1, work_stealing: false, ..Default::default() };
    let mut server = pingora::server::Server::new_with_opt_and_conf(None, configuration);
    server.bootstrap();
    let mut proxy = pingora::proxy::http_proxy_service(&server.configuration, Bare(app));
    proxy.add_tcp(address);
    server.add_service(proxy);
    server.run_forever();
}
