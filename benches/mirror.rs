//! What the list of revocations costs in memory: `make bench-mirror`.
//!
//! A real Redis is filled, a mirror reads it, and is asked; beside it the same question with an empty list. Printed are the time
//! to load, bytes a line (of the table, and of the whole process), nanoseconds a question (three names each: token, session,
//! account), by one thread and by two at once, and how soon a line that is written to Redis is refused. Nothing is asserted.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    clippy::as_conversions,
    reason = "a bench ends at the first surprise, and prints what it found"
)]

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use doorward::clock::{Clock, SystemClock, Timestamp};
use doorward::id::{AccountId, SessionId, TokenId};
use doorward::revocation::{Answer, Ids, Ledger, Near, Parts, Revocations, Standing, Unobserved};
use doorward::secret::Secret;
use doorward::store::redis::{Follower, Mirror, Prober, Redis};
use doorward::store::sql::Store;
use doorward::store::{Check, RedisSettings, StoreSettings};
use tokio::runtime::Runtime;

const LINES: [usize; 3] = [0, 10_000, 1_000_000];
const QUESTIONS: usize = 2_000_000;
const PEOPLE: usize = 10_000;
const KEEP: Duration = Duration::from_secs(3600);
const SOON: Duration = Duration::from_secs(120);

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    println!(
        "{:>9} {:>9} {:>10} {:>10} {:>8} {:>8} {:>8} {:>9}",
        "lines", "loaded ms", "B/line", "RSS B/line", "ns", "ns of 2", "ns whole", "push µs"
    );
    for lines in LINES {
        measure(&runtime, lines);
    }
}

fn measure(runtime: &Runtime, lines: usize) {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let store = runtime.block_on(store(folder.path()));
    let ledger = runtime.block_on(Ledger::head(&store)).unwrap().ledger;
    server.fill(&ledger, lines);
    let before = resident();
    let began = Instant::now();
    let (mirror, redis) = mirror(&server);
    let _prober = Prober::start(&redis, runtime.handle());
    let _follower = Follower::start(&mirror, Arc::new(SystemClock), runtime.handle());
    until(|| mirror.is_kept());
    let loaded = began.elapsed();
    let grown = resident().saturating_sub(before);
    let people = Arc::new((0..PEOPLE).map(|number| Person::new(&format!("good{number}"))).collect::<Vec<_>>());
    let alone = ask(&mirror, &people, &ledger);
    let both = ask_from_two_threads(&mirror, &people, &ledger);
    let revocations = revocations(runtime, &mirror, store);
    let whole = ask_whole(&revocations, &people);
    let push = push(&server, &mirror, &ledger);
    let each = |bytes: usize| if lines == 0 { 0.0 } else { bytes as f64 / lines as f64 };
    println!(
        "{lines:>9} {:>9.0} {:>10.1} {:>10.1} {alone:>8.1} {both:>8.1} {whole:>8.1} {:>9.0}",
        loaded.as_secs_f64() * 1e3,
        each(mirror.bytes()),
        each(grown),
        push.as_secs_f64() * 1e6
    );
}

/// The lookup alone.
fn ask(mirror: &Mirror, people: &[Person], ledger: &str) -> f64 {
    let (now, at) = (SystemClock.now(), Instant::now());
    timed(|number| {
        let answer = mirror.glance(people[number % people.len()].ids(), ledger, now, at);
        assert!(matches!(answer, None | Some((Answer::Clear(_), _))));
    })
}

fn ask_from_two_threads(mirror: &Arc<Mirror>, people: &Arc<Vec<Person>>, ledger: &str) -> f64 {
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let (mirror, people, ledger) = (Arc::clone(mirror), Arc::clone(people), ledger.to_owned());
            std::thread::spawn(move || ask(&mirror, &people, &ledger))
        })
        .collect();
    threads.into_iter().map(|thread| thread.join().unwrap()).sum::<f64>() / 2.0
}

/// As a request asks: with the comparison to what is known of the ledger.
fn ask_whole(revocations: &Revocations, people: &[Person]) -> f64 {
    until(|| revocations.glance(people[0].ids(), SystemClock.now()).is_some());
    timed(|number| {
        let answer = revocations.glance(people[number % people.len()].ids(), SystemClock.now());
        assert_ne!(answer, Some(Standing::Revoked));
    })
}

fn timed(mut once: impl FnMut(usize)) -> f64 {
    let began = Instant::now();
    (0..QUESTIONS).for_each(&mut once);
    began.elapsed().as_nanos() as f64 / QUESTIONS as f64
}

/// From the answer of Redis to a write until the mirror refuses; the median.
fn push(server: &Server, mirror: &Mirror, ledger: &str) -> Duration {
    let mut connection = server.connect();
    let mut took: Vec<_> = (0..200)
        .map(|number| {
            let person = Person::new(&format!("late{number}"));
            let key = format!("{{doorward}}:rev:t:{}", person.token);
            redis::cmd("SET").arg(key).arg(line()).exec(&mut connection).unwrap();
            let began = Instant::now();
            let is_refused =
                || matches!(mirror.glance(person.ids(), ledger, SystemClock.now(), Instant::now()), Some((Answer::Revoked, _)));
            while !is_refused() {
                std::hint::spin_loop();
            }
            began.elapsed()
        })
        .collect();
    took.sort();
    took[took.len() / 2]
}

fn mirror(server: &Server) -> (Arc<Mirror>, Arc<Redis>) {
    let settings = RedisSettings {
        url: Secret::new(server.url()),
        password: None,
        password_file: None,
        timeout: Duration::from_secs(1),
        check: Check::Mirror,
        max_staleness: Duration::from_secs(1),
        prefix: "doorward".to_owned(),
    };
    let redis = Redis::new(&settings).unwrap();
    (Mirror::new(Arc::clone(&redis), settings.max_staleness), redis)
}

async fn store(folder: &std::path::Path) -> Store {
    let store = Store::open(&format!("sqlite:{}/doorward.db", folder.display()), &StoreSettings::default()).unwrap();
    store.migrate().await.unwrap();
    store
}

/// Its watch is not ended: the bench ends soon.
fn revocations(runtime: &Runtime, mirror: &Arc<Mirror>, store: Store) -> Arc<Revocations> {
    let parts = Parts {
        index: Arc::<Mirror>::clone(mirror),
        ledger: Arc::new(store),
        observer: Arc::new(Unobserved),
        keep: KEEP,
        pace: doorward::revocation::Pace::default(),
        slow: runtime.handle().clone(),
    };
    let revocations = Revocations::new(parts);
    std::mem::forget(revocations.watch(Arc::new(SystemClock)));
    revocations
}

struct Person {
    token: TokenId,
    session: SessionId,
    account: AccountId,
    revision: i64,
}

impl Person {
    /// Names as long as the real ones.
    fn new(name: &str) -> Self {
        let long = |kind: char| format!("{name:-<21}{kind}");
        Self { token: TokenId::new(long('t')), session: SessionId::new(long('s')), account: AccountId::new(long('a')), revision: 0 }
    }

    fn ids(&self) -> Ids<'_> {
        Ids { token: &self.token, session: &self.session, account: &self.account, revision: self.revision }
    }
}

fn line() -> String {
    let expires_at: Timestamp = SystemClock.now().plus(KEEP);
    format!("0:{}", expires_at.as_millis())
}

/// A Redis that ends with the value.
struct Server(Child, u16);

impl Drop for Server {
    fn drop(&mut self) {
        let _ended = self.0.kill().and_then(|()| self.0.wait());
    }
}

impl Server {
    fn start() -> Self {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let arguments = ["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", "", "--appendonly", "no"];
        let child = Command::new("redis-server").args(arguments).stdout(Stdio::null()).spawn().expect("`make setup` installs it");
        until(|| TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok());
        Self(child, port)
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.1)
    }

    fn connect(&self) -> redis::Connection {
        redis::Client::open(self.url()).unwrap().get_connection().unwrap()
    }

    /// So many sessions that were revoked, and the marker.
    fn fill(&self, ledger: &str, lines: usize) {
        let mut connection = self.connect();
        redis::cmd("SET").arg("{doorward}:rev:marker").arg(format!("{ledger}:0")).exec(&mut connection).unwrap();
        let line = line();
        for page in (0..lines).collect::<Vec<_>>().chunks(10_000) {
            let mut pipe = redis::pipe();
            for number in page {
                let session = Person::new(&format!("out{number}")).session;
                pipe.cmd("SET").arg(format!("{{doorward}}:rev:s:{session}")).arg(&line).arg("PX").arg(3_600_000).ignore();
            }
            pipe.exec(&mut connection).unwrap();
        }
    }
}

/// Bytes of this process in memory.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

fn until(mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < SOON, "waited in vain");
        std::thread::sleep(Duration::from_millis(1));
    }
}
