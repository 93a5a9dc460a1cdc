//! What the check costs: Doorward against a bare pingora proxy of the same version, in one run, interleaved.
//!
//! `make bench`, or `cargo bench --bench path -- quick` for a first look. Each contender has one worker on core 0, and its Redis
//! beside it; the load and the upstream share core 1. Rounds are many and short: a neighbour's noise then spoils some of them, and
//! the medians stand. CPU time per request is the process's own accounting (`/proc/PID/stat`), which is steadier than
//! requests per second. Nothing is asserted: ratios are printed beside what they should be. Heads are strict, metrics and the
//! access log (into a file) are on. At the end: two workers beside one, and what a gateway holds in memory.

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
use std::sync::Arc;
use std::time::{Duration, Instant};

use doorward::clock::{Clock as _, SystemClock, Timestamp};
use doorward::id::{AccountId, SessionId, TokenId};
use doorward::secret::Secret;
use doorward::token::ring::Key;
use doorward::token::{Acr, Amr, Claims, Minter, Ring};

#[path = "path/bare.rs"]
mod bare;
#[path = "path/rate.rs"]
mod rate;
#[path = "path/room.rs"]
mod room;

/// Whom tokens are from; nobody asks there.
const ISSUER: &str = "http://127.0.0.1:1";

const WARM_UP: &str = "1s";
const READY_WITHIN: Duration = Duration::from_secs(20);
const SECRET: &str = "a secret of the bench, of more than thirty-two characters";
const TOKENS: usize = 10_000;
const RATE: u32 = 2_000;
/// For each round of the others there are so many of latencies: whatever else the machine does, is in every hundredth request first.
const MORE_LATENCIES: usize = 2;
const BARE: &str = "bare pingora";

fn main() {
    let args: Vec<String> = std::env::args().collect();
    match args.get(1).map(String::as_str) {
        Some("upstream") => upstream(&args[2]),
        Some("bare") => bare::serve(&args[2], args[3].parse().unwrap()),
        Some("rate") => rate::print(args[2].parse().unwrap(), &args[3], &args[4], args[5].parse().unwrap()),
        _ if args.iter().any(|arg| arg == "memory") => memory(),
        _ if args.iter().any(|arg| arg == "quick") => compare(3, 1),
        _ => compare(15, 1),
    }
}

/// A contender that runs.
struct Contender {
    name: &'static str,
    process: Process,
    address: SocketAddr,
    /// Where it lets everybody in, or whoever shows the token. All are shown one: they get the same requests.
    path: &'static str,
    token: String,
}

/// What is measured.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scene {
    Small,
    Tokens,
    Large,
    Connections,
    Refusals,
    Scale,
}

const SCENES: [(Scene, &str); 5] = [
    (Scene::Small, "small response, keep-alive"),
    (Scene::Tokens, "small response, 10,000 tokens"),
    (Scene::Large, "response of 64 KiB"),
    (Scene::Connections, "new connection each"),
    (Scene::Refusals, "refusal of a bad signature"),
];

/// The CPU time that a request should take at most, as a share of the bare proxy's.
fn target(scene: Scene, contender: &str) -> Option<f64> {
    match (scene, contender) {
        (Scene::Small, PUBLIC) => Some(0.97),
        (Scene::Small, MEMORY | MIRROR) => Some(1.00),
        (Scene::Small, STRICT) => Some(1.15),
        (Scene::Tokens, MEMORY | MIRROR) => Some(1.03),
        (Scene::Large, PUBLIC | MEMORY | MIRROR) => Some(0.75),
        (Scene::Connections, PUBLIC | MEMORY | MIRROR) => Some(1.05),
        (Scene::Refusals, MEMORY) => Some(0.5),
        _ => None,
    }
}

const PUBLIC: &str = "public route";
const MEMORY: &str = "protected, index in the process";
const MIRROR: &str = "protected, mirror of Redis";
const STRICT: &str = "protected, Redis each time";
const STRICT_APART: &str = "the same, Redis beside the load";

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

/// What a gateway holds.
fn memory() {
    let folder = tempfile::tempdir().unwrap();
    let app = free_port();
    room::more_descriptors();
    let _upstream = this("1", &["upstream", &app.to_string()], app);
    let gateway = doorward(MEMORY, folder.path(), &Gateway::one("room", None), app, "/");
    room::measure(gateway.process.0.id(), gateway.address, &gateway.token);
}

fn compare(rounds: usize, seconds: u32) {
    let folder = tempfile::tempdir().unwrap();
    let app = free_port();
    let _upstream = this("1", &["upstream", &app.to_string()], app);
    let (redis, apart) = (free_port(), free_port());
    let _redis = [redis_server("0", folder.path(), redis), redis_server("1", folder.path(), apart)];
    let script = folder.path().join("tokens.lua");
    std::fs::write(&script, tokens_in_turn()).unwrap();
    let public = doorward(PUBLIC, folder.path(), &Gateway::one("public", None), app, "/open");
    let contenders = [
        bare_contender(BARE, &std::env::current_exe().unwrap(), app, &public.token),
        bare_contender("bare pingora, mimalloc", &with_mimalloc(), app, &public.token),
        public,
        doorward(MEMORY, folder.path(), &Gateway::one("memory", None), app, "/"),
        doorward(MIRROR, folder.path(), &Gateway::one("mirror", Some((redis, "mirror"))), app, "/"),
        doorward(STRICT, folder.path(), &Gateway::one("strict", Some((redis, "strict"))), app, "/"),
        doorward(STRICT_APART, folder.path(), &Gateway::one("apart", Some((apart, "strict"))), app, "/"),
    ];
    println!(
        "{rounds} rounds of {seconds} s, 32 connections, one worker each, all with the same requests; medians. Ratios are medians of the"
    );
    println!("rounds' own; `quiet` compares the quicker quarters, where what else the machine does takes least.");
    for (scene, name) in SCENES {
        // Only Doorward refuses; what that costs is compared with a request that a bare proxy forwards.
        let taking_part: Vec<_> =
            contenders.iter().filter(|one| one.name == BARE || scene != Scene::Refusals || one.name == MEMORY).collect();
        for contender in &taking_part {
            load(contender, scene, &script, WARM_UP);
        }
        let mut measured = vec![Vec::new(); taking_part.len()];
        for _ in 0..rounds {
            for (contender, measured) in taking_part.iter().zip(&mut measured) {
                measured.push(load(contender, scene, &script, &format!("{seconds}s")));
            }
        }
        report(scene, name, &taking_part, &measured);
    }
    latencies(&contenders, rounds * MORE_LATENCIES, seconds);
    drop(contenders);
    scale(folder.path(), app, &script, rounds, seconds);
    memory();
}

/// One worker, and two, on both cores, which they share with the load and the app: what a request costs should not change.
fn scale(folder: &std::path::Path, app: SocketAddr, script: &std::path::Path, rounds: usize, seconds: u32) {
    let gateway = |workers, file| Gateway { file, redis: None, workers, cores: "0,1" };
    let contenders =
        [doorward("one worker", folder, &gateway(1, "one"), app, "/"), doorward("two workers", folder, &gateway(2, "two"), app, "/")];
    let mut measured = [Vec::new(), Vec::new()];
    for _ in 0..rounds {
        for (contender, measured) in contenders.iter().zip(&mut measured) {
            load(contender, Scene::Small, script, WARM_UP);
            measured.push(load(contender, Scene::Small, script, &format!("{seconds}s")));
        }
    }
    report(Scene::Scale, "small response, protected, both cores", &contenders.iter().collect::<Vec<_>>(), &measured);
}

/// How a gateway is run.
struct Gateway<'a> {
    /// Its files are called so.
    file: &'a str,
    /// Where its Redis is, and how that is asked.
    redis: Option<(SocketAddr, &'a str)>,
    workers: usize,
    cores: &'a str,
}

impl<'a> Gateway<'a> {
    /// With one worker, on the core of the contenders.
    const fn one(file: &'a str, redis: Option<(SocketAddr, &'a str)>) -> Self {
        Self { file, redis, workers: 1, cores: "0" }
    }
}

fn report(scene: Scene, name: &str, contenders: &[&Contender], measured: &[Vec<Round>]) {
    println!("\n{name:<38} {:>8} {:>7} {:>7} {:>8} {:>12} {:>7}", "CPU µs", "ratio", "quiet", "at most", "requests/s", "ratio");
    let cpu = |rounds: &[Round]| rounds.iter().map(|round| round.cpu_micros).collect::<Vec<_>>();
    let rate = |rounds: &[Round]| rounds.iter().map(|round| round.per_second).collect::<Vec<_>>();
    for (contender, rounds) in contenders.iter().zip(measured) {
        let target = target(scene, contender.name).map_or_else(String::new, |target| format!("{target:.2}"));
        println!(
            "{:<38} {:>8.1} {:>7.2} {:>7.2} {target:>8} {:>12.0} {:>7.2}",
            contender.name,
            median(cpu(rounds)),
            median(ratios(&cpu(rounds), &cpu(&measured[0]))),
            quarter(cpu(rounds)) / quarter(cpu(&measured[0])),
            median(rate(rounds)),
            median(ratios(&rate(rounds), &rate(&measured[0]))),
        );
    }
}

/// Latencies at a rate that none of them has trouble with.
fn latencies(contenders: &[Contender], rounds: usize, seconds: u32) {
    let name = format!("at {RATE} requests a second");
    println!("\n{name:<38} {:>8} {:>8} {:>9} {:>7} {:>8}", "p50 µs", "p99 µs", "p99 ratio", "quiet", "at most");
    let mut measured = vec![Vec::new(); contenders.len()];
    for _ in 0..rounds {
        for (contender, measured) in contenders.iter().zip(&mut measured) {
            measured.push(fixed_rate(contender, seconds));
        }
    }
    for (contender, of) in contenders.iter().zip(&measured) {
        let all = |rounds: &[(f64, f64)]| rounds.iter().map(|round| round.1).collect::<Vec<_>>();
        let target = match contender.name {
            MIRROR => "1.10",
            STRICT => "1.50",
            _ => "",
        };
        println!(
            "{:<38} {:>8.0} {:>8.0} {:>9.2} {:>7.2} {target:>8}",
            contender.name,
            median(of.iter().map(|round| round.0).collect()),
            median(all(of)),
            median(ratios(&all(of), &all(&measured[0]))),
            quarter(all(of)) / quarter(all(&measured[0])),
        );
    }
}

fn ratios(of: &[f64], to: &[f64]) -> Vec<f64> {
    of.iter().zip(to).map(|(of, to)| of / to).collect()
}

fn median(values: Vec<f64>) -> f64 {
    part(values, 2)
}

/// Three of four are larger.
fn quarter(values: Vec<f64>) -> f64 {
    part(values, 4)
}

fn part(mut values: Vec<f64>, of: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / of]
}

// === the load ===

fn load(contender: &Contender, scene: Scene, script: &std::path::Path, length: &str) -> Round {
    let path = if scene == Scene::Large { format!("{}?large", contender.path) } else { contender.path.to_owned() };
    let mut wrk = Command::new("taskset");
    wrk.args(["-c", "1", "wrk", "-t1", "-c", "32", "-d", length]);
    let cookie = |rest: &str| format!("Cookie: doorward_access={}{rest}", contender.token);
    match scene {
        Scene::Tokens => wrk.arg("-s").arg(script),
        Scene::Refusals => wrk.arg("-H").arg(cookie("AAAA")),
        Scene::Small | Scene::Large | Scene::Connections | Scene::Scale => wrk.arg("-H").arg(cookie("")),
    };
    if scene == Scene::Connections {
        wrk.args(["-H", "Connection: close"]);
    }
    let before = cpu_ticks(contender.process.0.id());
    let output = wrk.arg(format!("http://{}{path}", contender.address)).output().expect("wrk and taskset are installed: make setup");
    let ticks = cpu_ticks(contender.process.0.id()) - before;
    let text = String::from_utf8(output.stdout).unwrap();
    let is_refused = scene == Scene::Refusals && contender.name != BARE;
    assert_eq!(text.contains("Non-2xx"), is_refused, "{}:\n{text}", contender.name);
    let requests = number_before(&text, " requests in");
    let rate = text.split("Requests/sec:").nth(1).and_then(|rest| rest.split_whitespace().next()).expect("wrk's rate");
    // A tick is 10 ms: USER_HZ is 100 on every Linux that we know.
    Round { cpu_micros: ticks * 10_000.0 / requests, per_second: rate.parse().unwrap() }
}

/// p50 and p99 in microseconds, of requests that are sent when it is time, whether or not earlier ones were answered.
fn fixed_rate(contender: &Contender, seconds: u32) -> (f64, f64) {
    let me = std::env::current_exe().unwrap();
    let mut load = Command::new("taskset");
    load.args(["-c", "1"]).arg(me).args(["rate", &contender.address.to_string(), contender.path]);
    load.args([&contender.token, &seconds.to_string()]);
    let output = load.output().expect("taskset");
    let text = String::from_utf8(output.stdout).unwrap();
    let (p50, p99) = text.trim().split_once(' ').unwrap_or_else(|| panic!("no latencies: {text}"));
    (p50.parse().unwrap(), p99.parse().unwrap())
}

/// A script for `wrk`: each request has the next token.
fn tokens_in_turn() -> String {
    let minter = minter();
    let now = SystemClock.now();
    let token = |number: usize| minter.mint(&claims(number, now), now).expect("a token").expose().clone();
    let lines = (0..TOKENS).map(|number| format!("\"{}\"", token(number))).collect::<Vec<_>>().join(",\n");
    format!(
        "local tokens = {{\n{lines}}}\nlocal next = 0\nrequest = function()\n  next = next % #tokens + 1\n  \
         return wrk.format(nil, nil, {{ Cookie = \"doorward_access=\" .. tokens[next] }})\nend\n"
    )
}

/// Makes tokens that the gateways believe.
fn minter() -> Minter {
    Minter::new(Arc::new(Ring::new(vec![Key::configured(&Secret::new(SECRET.to_owned()))])))
}

fn claims(number: usize, now: Timestamp) -> Claims {
    Claims {
        iss: ISSUER.to_owned(),
        sub: AccountId::new(format!("account-{number}")),
        aud: ISSUER.to_owned(),
        iat: now.as_secs(),
        nbf: now.as_secs(),
        exp: now.as_secs() + 3600,
        jti: TokenId::new(format!("token-{number}")),
        sid: SessionId::new(format!("session-{number}")),
        kind: "access".to_owned(),
        email: Some(format!("person-{number}@example.com")),
        email_verified: true,
        phone_number: None,
        phone_number_verified: false,
        preferred_username: Some(format!("person-{number}")),
        name: None,
        groups: vec!["staff".to_owned()],
        amr: vec![Amr::Email],
        acr: Acr::OneFactor,
        auth_time: now.as_secs(),
        revision: 0,
        custom: serde_json::Map::new(),
    }
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

fn bare_contender(name: &'static str, program: &std::path::Path, app: SocketAddr, token: &str) -> Contender {
    let address = free_port();
    let mut command = Command::new("taskset");
    command.args(["-c", "0"]).arg(program).args(["bare", &address.to_string(), &app.to_string()]);
    let process = Process(command.spawn().expect("taskset"));
    wait_for(address);
    Contender { name, process, address, path: "/", token: token.to_owned() }
}

/// An allocator is chosen when a program is built: the same proxy, built with Doorward's.
fn with_mimalloc() -> std::path::PathBuf {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["bench", "--no-run", "--locked", "--bench", "bare_mimalloc", "--message-format=json"]);
    // What cargo tells this program of its package, a build of ring would take for news, and build half of everything anew.
    let told = |name: &str| ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|beginning| name.starts_with(beginning));
    for (name, _) in std::env::vars().filter(|(name, _)| told(name)) {
        cargo.env_remove(name);
    }
    let output = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).stderr(Stdio::inherit()).output().expect("cargo");
    let lines = String::from_utf8(output.stdout).unwrap();
    let messages = lines.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    // Doorward itself is built for a bench, too.
    let mut of_it = messages.filter(|message| message["target"]["name"] == "bare_mimalloc");
    let executable = of_it.find_map(|message| message["executable"].as_str().map(std::path::PathBuf::from));
    executable.expect("an executable")
}

fn doorward(name: &'static str, folder: &std::path::Path, gateway: &Gateway<'_>, app: SocketAddr, path: &'static str) -> Contender {
    let Gateway { file, redis, workers, cores } = gateway;
    let (public, admin) = (free_port(), free_port());
    let config = folder.join(format!("{file}.toml"));
    let redis = redis
        .map(|(address, check)| format!("[redis]\nurl = \"redis://{address}\"\nprefix = \"{file}:\"\ncheck = \"{check}\"\n"))
        .unwrap_or_default();
    let text = format!(
        r#"public_url = "{ISSUER}"
[listen]
public = ["{public}"]
admin = "{admin}"
workers = {workers}
[store]
url = "sqlite:{folder}/{file}.db"
encryption_key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
{redis}
[cookies]
secure = false
[development]
enabled = true
[tokens]
secret = "{SECRET}"
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
    let log = std::fs::File::create(folder.join(format!("{file}.log"))).unwrap();
    let mut command = Command::new("taskset");
    command.args(["-c", cores, env!("CARGO_BIN_EXE_doorward"), "serve", "--config"]).arg(&config);
    let process = Process(command.stdout(Stdio::null()).stderr(log).spawn().expect("taskset"));
    wait_for(public);
    let token = sign_in(public);
    Contender { name, process, address: public, path, token }
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

fn redis_server(core: &str, folder: &std::path::Path, address: SocketAddr) -> Process {
    let port = address.port().to_string();
    let mut command = Command::new("taskset");
    command
        .args(["-c", core, "redis-server", "--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir"])
        .arg(folder);
    let process = Process(command.stdout(Stdio::null()).spawn().expect("redis-server is installed: make setup"));
    wait_for(address);
    process
}

/// This program in another role, on one core.
fn this(core: &str, args: &[&str], address: SocketAddr) -> Process {
    let me = std::env::current_exe().unwrap();
    let process = Process(Command::new("taskset").args(["-c", core]).arg(me).args(args).spawn().expect("taskset"));
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

/// An app that answers each request with the same few bytes, or with 64 KiB where it is asked for much.
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
    let small = reply("Hello, world!");
    let large = reply(&"x".repeat(64 * 1024));
    let switched = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n".to_vec();
    let mut buffer = vec![0; 4 * 1024];
    let mut filled = 0;
    while let Ok(read @ 1..) = stream.read(&mut buffer[filled..]).await {
        filled += read;
        if buffer[..filled].ends_with(b"\r\n\r\n") {
            let line = buffer[..filled].split(|byte| *byte == b'\r').next().unwrap();
            let is_upgrade = buffer[..filled].windows(9).any(|window| window == b"websocket");
            let is_large = line.ends_with(b"?large HTTP/1.1");
            let plain = if is_large { &large } else { &small };
            let reply = if is_upgrade { &switched } else { plain };
            filled = 0;
            if stream.write_all(reply).await.is_err() {
                return;
            }
        }
    }
}

fn reply(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}
