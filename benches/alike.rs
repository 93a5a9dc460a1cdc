//! Can an address that is known be told from one that is not, by what is answered or by when? Two-sample tests over
//! interleaved requests to a real gateway.
//!
//! `make alike`. For each endpoint the kinds of address are asked one after the other in an order drawn anew for each round, on
//! connections that stay open. Status, headers and body must be the same but for what is drawn by chance. The times are
//! compared by the test of Kolmogorov and Smirnov, corrected (Holm) for how many comparisons there are; it fails below 5 %.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    reason = "a bench ends at the first surprise, and prints what it found"
)]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use doorward::clock::{Clock, SystemClock, Timestamp};
use doorward::id::AccountId;
use doorward::limits::Quota;
use doorward::secret::RootKey;
use doorward::signin::factor::{Factors, Step as Shown};
use doorward::signin::{Account, Accounts, Attempt, Challenge, Challenges, Channel, Handle, Keyed, Pointer};
use doorward::store::StoreSettings;
use doorward::store::sql::Store;

use support::alike::{kolmogorov_smirnov, refused_by_holm};
use support::gateway::Gateway;
use support::postgres::Postgres;

#[path = "../tests/it/support/mod.rs"]
#[expect(dead_code, reason = "the tests' support, of which a bench needs little")]
mod support;

const KEY: [u8; 32] = *b"01234567890123456789012345678901";
const KEY_TEXT: &str = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

/// Requests of each kind of address to each endpoint.
const ROUNDS: usize = 1000;
const WARM_UP: usize = 50;
/// Connections, each of which asks for one after the other.
const LINES: usize = 8;

/// Below this, after the correction, two kinds of address are told apart.
const LEVEL: f64 = 0.05;

/// Wrong codes that an account has in an hour: few, so that accounts are locked quickly.
const FAILURES: u32 = 2;

/// A kind of address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// Nobody's.
    Unknown,
    /// Of an account.
    Known,
    /// Of an account with a second factor.
    Enrolled,
    /// Of an account whose budget of failures is used up.
    Locked,
    /// Nobody's, and whoever guessed at it has used up the same budget.
    LockedUnknown,
}

const ALL: [Kind; 5] = [Kind::Unknown, Kind::Known, Kind::Enrolled, Kind::Locked, Kind::LockedUnknown];

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Known => "known",
            Self::Enrolled => "enrolled",
            Self::Locked => "locked",
            Self::LockedUnknown => "locked unknown",
        }
    }
}

/// What is asked, in the order of a visit. Each visit is to an address of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    RequestOtp,
    /// A wrong code, by somebody who knows the address alone.
    GuessByAddress,
    /// A wrong code, by who asked.
    GuessByChallenge,
    Register,
    /// A code for an address that nobody asked for.
    GuessAtNothing,
    LoginPage,
    VerifyPage,
}

const VISITS: [&[Step]; 4] = [
    &[Step::RequestOtp, Step::GuessByAddress, Step::GuessByChallenge],
    &[Step::Register],
    &[Step::GuessAtNothing],
    &[Step::LoginPage, Step::VerifyPage],
];

impl Step {
    const fn name(self) -> &'static str {
        match self {
            Self::RequestOtp => "request-otp",
            Self::GuessByAddress => "verify-otp, address alone",
            Self::GuessByChallenge => "verify-otp, challenge",
            Self::Register => "register",
            Self::GuessAtNothing => "verify-otp, nothing asked for",
            Self::LoginPage => "page login",
            Self::VerifyPage => "page verify",
        }
    }

    /// Which of two kinds must look alike here. Who guesses at a locked address is told to wait, known or not.
    fn compares(self, one: Kind, other: Kind) -> bool {
        let locked = |kind| matches!(kind, Kind::Locked | Kind::LockedUnknown);
        match self {
            Self::RequestOtp | Self::Register | Self::GuessAtNothing | Self::LoginPage => one == Kind::Unknown && other != one,
            Self::GuessByAddress | Self::GuessByChallenge | Self::VerifyPage => {
                let free = one == Kind::Unknown && other != one && !locked(other);
                free || (one == Kind::Locked && other == Kind::LockedUnknown)
            }
        }
    }
}

/// What happened: times in microseconds, and everything that was answered, by step and kind.
#[derive(Default)]
struct Seen {
    times: BTreeMap<(Step, Kind), Vec<f64>>,
    answers: BTreeMap<(Step, Kind), BTreeMap<String, usize>>,
}

impl Seen {
    fn and(mut self, other: Self) -> Self {
        for (key, times) in other.times {
            self.times.entry(key).or_default().extend(times);
        }
        for (key, answers) in other.answers {
            let all = self.answers.entry(key).or_default();
            for (answer, count) in answers {
                *all.entry(answer).or_default() += count;
            }
        }
        self
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with('-'));
    let wanted = arguments.next().unwrap_or_else(|| "sqlite postgres".to_owned());
    support::install_crypto_provider();
    let mut good = true;
    for database in ["sqlite", "postgres"].into_iter().filter(|database| wanted.contains(database)) {
        for registration in ["closed", "open"] {
            println!("\n{database}, registration {registration}");
            good &= report(&visit_all(database, registration));
        }
    }
    assert!(good, "some kinds of address can be told apart");
}

fn kinds(registration: &str) -> &'static [Kind] {
    // Where registration is open, who is asked for has an account: there is no unknown address that could be locked.
    if registration == "closed" {
        &[Kind::Unknown, Kind::Known, Kind::Enrolled, Kind::Locked, Kind::LockedUnknown]
    } else {
        &[Kind::Unknown, Kind::Known, Kind::Enrolled, Kind::Locked]
    }
}

fn visit_all(database: &str, registration: &str) -> Seen {
    let folder = tempfile::tempdir().unwrap();
    let url = match database {
        "postgres" => Postgres::shared().database(),
        _ => format!("sqlite:{}/doorward.db", folder.path().display()),
    };
    let gateway = Gateway::start(|place| configuration(place, &url, registration));
    seed(&url, kinds(registration));
    let public = gateway.public();
    std::thread::scope(|scope| {
        let lines: Vec<_> = (0..LINES).map(|line| scope.spawn(move || visits(public, line, kinds(registration)))).collect();
        lines.into_iter().map(|line| line.join().unwrap()).fold(Seen::default(), Seen::and)
    })
}

/// The rounds that belong to one connection.
fn visits(public: SocketAddr, number: usize, kinds: &[Kind]) -> Seen {
    let mut line = Line::to(public);
    let mut chance = Chance(u64_of(number));
    let mut seen = Seen::default();
    for round in (0..WARM_UP + ROUNDS).skip(number).step_by(LINES) {
        for (number, visit) in VISITS.iter().enumerate() {
            for kind in chance.shuffled(kinds) {
                one_visit(&mut line, &address(kind, number, round), visit, |step, took, answer| {
                    if round >= WARM_UP {
                        seen.times.entry((step, kind)).or_default().push(took.as_secs_f64() * 1e6);
                        *seen.answers.entry((step, kind)).or_default().entry(answer.redacted()).or_default() += 1;
                    }
                });
            }
        }
    }
    seen
}

fn configuration(place: &support::gateway::Place, url: &str, registration: &str) -> String {
    let (public, admin) = (place.public, place.admin);
    format!(
        r#"public_url = "http://{public}"
[listen]
public = ["{public}"]
admin = "{admin}"
[store]
url = "{url}"
encryption_key = "{KEY_TEXT}"
[otp]
registration = "{registration}"
[limits]
failures_per_account = {FAILURES}
[cookies]
secure = false
[telemetry]
log = "error"
[[delivery.email]]
kind = "console"
[[route]]
name = "app"
upstream = ["http://127.0.0.1:1"]
"#
    )
}

/// Asks for `email` in every step of `visit`.
fn one_visit(line: &mut Line, email: &str, visit: &[Step], mut told: impl FnMut(Step, Duration, &Answer)) {
    let (mut challenge, mut cookie) = (String::new(), String::new());
    for step in visit {
        let json = |body: String| ("application/json", body);
        let (path, (kind, body)) = match step {
            Step::RequestOtp => ("request-otp", json(format!(r#"{{"email":"{email}"}}"#))),
            Step::Register => ("register", json(format!(r#"{{"email":"{email}","username":"u{}"}}"#, &email[1..12]))),
            Step::GuessByAddress | Step::GuessAtNothing => ("verify-otp", json(format!(r#"{{"email":"{email}","code":"x"}}"#))),
            Step::GuessByChallenge => ("verify-otp", json(format!(r#"{{"email":"{email}","code":"x","challenge_id":"{challenge}"}}"#))),
            Step::LoginPage => ("login", ("application/x-www-form-urlencoded", format!("address={}&next=%2F", email.replace('@', "%40")))),
            Step::VerifyPage => ("verify", ("application/x-www-form-urlencoded", "code=x&next=%2F".to_owned())),
        };
        // A page has the cookie; a program with the challenge's id has none, nor has a stranger.
        let cookie_line = if *step == Step::VerifyPage { format!("Cookie: {cookie}\r\n") } else { String::new() };
        let (took, answer) = line.post(path, kind, &cookie_line, &body);
        if let Some(id) = answer.text.split("\"challenge_id\":\"").nth(1).and_then(|rest| rest.split('"').next()) {
            id.clone_into(&mut challenge);
        }
        if let Some(set) = answer.text.split("doorward_challenge=").nth(1).and_then(|rest| rest.split(';').next()) {
            cookie = format!("doorward_challenge={set}");
        }
        told(*step, took, &answer);
    }
}

/// Prints what was found; true when nothing can be told apart.
fn report(seen: &Seen) -> bool {
    let mut rows = Vec::new();
    for step in VISITS.concat() {
        let at = |kind| seen.times.get(&(step, kind));
        for one in ALL {
            for other in ALL {
                if let (Some(first), Some(second), true) = (at(one), at(other), step.compares(one, other)) {
                    let same = seen.answers[&(step, one)].keys().eq(seen.answers[&(step, other)].keys());
                    rows.push((step, one, other, same, median(first), median(second), kolmogorov_smirnov(first, second)));
                }
            }
        }
    }
    let refused = refused_by_holm(&rows.iter().map(|row| row.6.1).collect::<Vec<_>>(), LEVEL);
    println!("{:<32} {:<28} {:>7} {:>10} {:>10} {:>7} {:>8}", "", "compared", "answer", "median µs", "median µs", "D", "p");
    let mut good = true;
    for ((step, one, other, same, first, second, (distance, probability)), refused) in rows.iter().zip(refused) {
        let compared = format!("{} / {}", one.name(), other.name());
        let (answer, verdict) = (if *same { "same" } else { "DIFFERS" }, if refused { "TOLD APART" } else { "" });
        println!(
            "{:<32} {compared:<28} {answer:>7} {first:>10.0} {second:>10.0} {distance:>7.3} {probability:>8.3} {verdict}",
            step.name()
        );
        if !same {
            println!("{:#?}\n{:#?}", seen.answers[&(*step, *one)], seen.answers[&(*step, *other)]);
        }
        good &= *same && !refused;
    }
    good
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

// === the addresses

/// An address of its own for each kind, visit and round; all look the same, and lie anywhere in an index.
fn address(kind: Kind, visit: usize, round: usize) -> String {
    let kind = ALL.iter().position(|it| *it == kind).unwrap();
    let mut chance = Chance(u64_of(round) * 64 + u64_of(visit) * 8 + u64_of(kind));
    chance.next();
    format!("{:016x}@example.com", chance.next())
}

/// The accounts that there are, and the budgets that are used up: through the ports, as the gateway does it.
fn seed(url: &str, kinds: &[Kind]) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let store = Store::open(url, &StoreSettings::default()).unwrap();
        let keyed = Keyed::new(&RootKey::new(KEY));
        for round in 0..WARM_UP + ROUNDS {
            for visit in 0..VISITS.len() {
                for kind in kinds {
                    let handle = Handle::email(&address(*kind, visit, round)).unwrap();
                    let id = AccountId::new(format!("{kind:?}-{visit}-{round}"));
                    if matches!(kind, Kind::Known | Kind::Enrolled | Kind::Locked) {
                        assert!(store.add(&account(&id, &handle)).await.unwrap());
                    }
                    match kind {
                        Kind::Locked => lock(&store, &keyed.handle(&handle), Some(&id)).await,
                        Kind::LockedUnknown => lock(&store, &keyed.handle(&handle), None).await,
                        Kind::Enrolled => enrol(&store, &id).await,
                        Kind::Unknown | Kind::Known => {}
                    }
                }
            }
        }
    });
}

fn account(id: &AccountId, handle: &Handle) -> Account {
    Account {
        id: id.clone(),
        username: None,
        name: None,
        email: Some(handle.expose().to_owned()),
        email_verified: true,
        phone: None,
        phone_verified: false,
        groups: Vec::new(),
        claims: serde_json::Map::new(),
        disabled_at: None,
        created_at: SystemClock.now(),
        revision: 0,
    }
}

/// An authenticator that counts; nobody here shows a code of it.
async fn enrol(store: &Store, account: &AccountId) {
    let (sealed, now) = ("sealed", SystemClock.now());
    assert!(store.enrol(account, sealed, now).await.unwrap());
    let codes: Vec<String> = (0..10).map(|number| format!("{account}-{number}")).collect();
    assert!(store.confirm(&Shown { account, sealed, number: 1 }, &codes, now).await.unwrap());
}

/// Uses up the budget of failures, with a challenge that has expired when the visits begin.
async fn lock(store: &Store, handle: &str, account: Option<&AccountId>) {
    let now: Timestamp = SystemClock.now();
    let challenge = Challenge {
        id: format!("locked-{handle}"),
        subject: account.map_or(handle, AccountId::as_str).to_owned(),
        account: account.cloned(),
        handle: handle.to_owned(),
        channel: Channel::Email,
        code: "none".to_owned(),
        created_at: now,
        expires_at: now.plus(Duration::from_millis(1)),
    };
    store.open(&challenge, Duration::ZERO, 3).await.unwrap();
    store.release(handle).await.unwrap();
    let bound = Pointer::Bound { id: challenge.id, handle: None };
    let unbound = Pointer::Unbound { handle: handle.to_owned(), account: account.cloned() };
    for pointer in [bound, unbound] {
        for _ in 0..FAILURES {
            let budget = Quota { count: FAILURES, window: Duration::from_hours(1) };
            let attempt = Attempt { pointer: pointer.clone(), per_challenge: 100, budget };
            store.take_attempt(&attempt, now).await.unwrap();
        }
    }
}

fn u64_of(count: usize) -> u64 {
    u64::try_from(count).unwrap()
}

/// Numbers that look random and are always the same (splitmix64).
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn shuffled(&mut self, kinds: &[Kind]) -> Vec<Kind> {
        let mut drawn: Vec<(u64, Kind)> = kinds.iter().map(|kind| (self.next(), *kind)).collect();
        drawn.sort_unstable();
        drawn.into_iter().map(|(_, kind)| kind).collect()
    }
}

// === the client

/// A connection that stays open.
struct Line {
    address: SocketAddr,
    stream: TcpStream,
}

/// Head and body, as they came.
struct Answer {
    text: String,
}

impl Line {
    fn to(address: SocketAddr) -> Self {
        Self { address, stream: connect(address) }
    }

    /// The time from the request's last byte to the answer's last.
    fn post(&mut self, path: &str, kind: &str, more: &str, body: &str) -> (Duration, Answer) {
        let (address, length) = (self.address, body.len());
        let request = format!(
            "POST /auth/{path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: {kind}\r\n{more}Content-Length: {length}\r\n\r\n{body}"
        );
        let since = Instant::now();
        self.stream.write_all(request.as_bytes()).unwrap();
        let text = read(&mut self.stream);
        let took = since.elapsed();
        if text.to_ascii_lowercase().contains("\r\nconnection: close") {
            self.stream = connect(address);
        }
        (took, Answer { text })
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

fn read(stream: &mut TcpStream) -> String {
    let (mut text, mut buffer) = (Vec::new(), [0_u8; 16 * 1024]);
    loop {
        let count = stream.read(&mut buffer).unwrap();
        assert!(count > 0, "the connection was closed after {}", String::from_utf8_lossy(&text));
        text.extend_from_slice(&buffer[..count]);
        let so_far = String::from_utf8_lossy(&text);
        if let Some((head, body)) = so_far.split_once("\r\n\r\n") {
            let head = head.to_ascii_lowercase();
            let length =
                head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()).map_or(0, |it| it.trim().parse().unwrap());
            if body.len() >= length {
                return so_far.into_owned();
            }
        }
    }
}

impl Answer {
    /// Without what is drawn by chance or tells the time; its length stays.
    fn redacted(&self) -> String {
        let (head, body) = self.text.split_once("\r\n\r\n").unwrap();
        let mut kept = String::new();
        for line in head.lines() {
            let name = line.split(':').next().unwrap_or_default().to_ascii_lowercase();
            match name.as_str() {
                "date" => writeln!(kept, "date").unwrap(),
                "retry-after" => writeln!(kept, "retry-after").unwrap(),
                "x-request-id" => writeln!(kept, "x-request-id ({})", line.len()).unwrap(),
                "set-cookie" => writeln!(kept, "{}", blank(line, "doorward_challenge=", ';')).unwrap(),
                _ => writeln!(kept, "{line}").unwrap(),
            }
        }
        let body = blank(body, "\"challenge_id\":\"", '"');
        let body = blank(&body, "\"request_id\":\"", '"');
        format!("{kept}\n{}", minutes(&body))
    }
}

/// `text` with stars for what follows `before` until `end`.
fn blank(text: &str, before: &str, end: char) -> String {
    let Some((front, rest)) = text.split_once(before) else { return text.to_owned() };
    let (value, back) = rest.split_at(rest.find(end).unwrap_or(rest.len()));
    format!("{front}{before}{}{back}", "*".repeat(value.len()))
}

/// A page says how long to wait, in words: another minute begins while the visits go on.
fn minutes(page: &str) -> String {
    page.split(' ').map(|word| if word.bytes().all(|byte| byte.is_ascii_digit()) { "#" } else { word }).collect::<Vec<_>>().join(" ")
}
