//! How long listings take, and what sweeping costs those who sign in: `make bench-listings`.
//!
//! 10,000 accounts, 100,000 live sessions and as many that are over, 1,000,000 rows of the audit log, in SQLite, PostgreSQL and
//! MariaDB, real ones. Printed are the first and the last page of each listing, the walk that verifies the log, and how long
//! the database's part of a sign-in takes, with and without a sweep of 100,000 sessions beside it. Nothing is asserted but that
//! the pages are full.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    reason = "a bench ends at the first surprise, and prints what it found"
)]

use std::time::{Duration, Instant};

use doorward::audit::{Audit, Chain, Cursor, Event, Filter, Order, Outcome, Thing, Verdict, Wanted, What, Who, verify};
use doorward::client::Seen;
use doorward::clock::Timestamp;
use doorward::id::{AccountId, SessionId};
use doorward::limits::Quota;
use doorward::secret::{RootKey, Secret};
use doorward::signin::{Accounts, Attempt, Challenge, Challenges, Channel, NewSession, Pointer, Session, Sessions};
use doorward::store::StoreSettings;
use doorward::store::sql::Store;
use doorward::token::{Acr, Amr};

use support::folder;
use support::mariadb::MariaDb;
use support::postgres::Postgres;

#[path = "../tests/it/support/mod.rs"]
#[expect(dead_code, reason = "the tests' support, of which a bench needs little")]
mod support;

const ACCOUNTS: i64 = 10_000;
const SESSIONS: i64 = 100_000;
const ROWS: i64 = 1_000_000;
/// Rows of one transaction while the log is filled.
const AT_ONCE: i64 = 2000;
const PAGE: u32 = 50;
const TIMES: usize = 20;
const SIGN_INS: usize = 300;

/// Some moment; the log's rows lie before it, 100 ms apart.
const NOW: i64 = 1_796_000_000_000;
const LIVE_UNTIL: i64 = NOW + 7 * 86_400_000;

fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for database in ["sqlite", "postgres", "mariadb"] {
        if wanted.is_empty() || wanted.iter().any(|word| word == database) {
            runtime.block_on(measure(database));
        }
    }
}

/// Number, then number of sessions: `INSERT … SELECT` from as many rows as are wanted.
struct Fill {
    accounts: String,
    sessions: String,
    tokens: String,
}

async fn measure(database: &str) {
    let folder = folder::new("listings");
    let url = match database {
        "sqlite" => format!("sqlite:{}/doorward.db", folder.path().display()),
        "postgres" => Postgres::shared().database(),
        _ => MariaDb::shared().database(),
    };
    let settings = StoreSettings { url: Secret::new(url.clone()), timeout: Duration::from_secs(120), ..StoreSettings::default() };
    let store = Store::open(&url, &settings).unwrap();
    store.migrate().await.unwrap();
    let began = Instant::now();
    fill(database, &url).await;
    println!("\n{database}: {ACCOUNTS} accounts and {} sessions in {:.1} s", 2 * SESSIONS, began.elapsed().as_secs_f64());
    let chain = Chain::new(&RootKey::new([7; 32]));
    let began = Instant::now();
    for batch in 0..ROWS / AT_ONCE {
        let events: Vec<Event> = (batch * AT_ONCE..(batch + 1) * AT_ONCE).map(event).collect();
        store.append(&events, &chain).await.unwrap();
    }
    println!("{ROWS} rows of the audit log in {:.1} s, {AT_ONCE} a transaction", began.elapsed().as_secs_f64());
    println!("{}", size(database, &url));
    analyse(database, &url).await;

    listings(&store).await;

    let began = Instant::now();
    let verdict = verify(&store, &chain, None, |_| ()).await.unwrap();
    assert!(matches!(verdict, Verdict::Whole(head) if head.number == ROWS), "a whole log");
    println!("{:<44} {:>9.1} s", "the log, verified", began.elapsed().as_secs_f64());

    sweeping(&store, &chain).await;
}

/// The `number`th event: of all accounts in turn, and of four sorts.
fn event(number: i64) -> Event {
    let what = [What::CodeRequested, What::CodeEntered, What::SessionBegun, What::SignedOut]
        [usize::try_from((number + number / ACCOUNTS) % 4).unwrap()];
    let account = AccountId::new(format!("account-{:05}", number * 7 % ACCOUNTS));
    let seen = Seen {
        address: Some("192.0.2.7".parse().unwrap()),
        agent: "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0".to_owned(),
        request_id: format!("request-{number:014}"),
        ..Seen::default()
    };
    let at = Timestamp::from_millis(NOW - (ROWS - number) * 100);
    let event = Event::new(what, Who::Account(account), at).on(Thing::Session(SessionId::new(format!("session-{number:014}"))));
    let event = event.detail("email").seen(&seen);
    if number % 1000 == 1 { event.came_to(Outcome::Wrong) } else { event }
}

async fn listings(store: &Store) {
    println!("{:<44} {:>9} {:>9}   ms, median and worst of {TIMES}", "", "first", "last");
    let row = |what: &str, first: (f64, f64), last: (f64, f64)| {
        println!("{what:<44} {:>9.2} {:>9.2}   {:.2} {:.2}", first.0, last.0, first.1, last.1);
    };
    let accounts = async |after: Option<AccountId>| {
        timed(async || assert_eq!(Accounts::list(store, after.as_ref(), PAGE).await.unwrap().len(), 50)).await
    };
    row("accounts", accounts(None).await, accounts(Some(AccountId::new(format!("account-{:05}", ACCOUNTS - 51)))).await);
    let of = AccountId::new("account-00007");
    let sessions = timed(async || assert!(!Sessions::list(store, &of, Timestamp::from_millis(NOW), 200).await.unwrap().is_empty())).await;
    row("sessions of an account (one page)", sessions, sessions);

    let account = Some(of);
    let middle = Timestamp::from_millis(NOW - ROWS * 50);
    let filters = [
        ("audit", Filter::default()),
        ("audit of an account", Filter { account: account.clone(), ..Filter::default() }),
        ("audit of a word", Filter { what: Some(What::CodeRequested), ..Filter::default() }),
        ("audit of an account and a word", Filter { account, what: Some(What::SignedOut), ..Filter::default() }),
        ("audit since half way", Filter { since: Some(middle), ..Filter::default() }),
        ("audit until half way", Filter { until: Some(middle), ..Filter::default() }),
        ("audit of a word until half way", Filter { what: Some(What::CodeRequested), until: Some(middle), ..Filter::default() }),
    ];
    for (name, filter) in filters {
        let page = async |order, after| {
            let wanted = Wanted { filter: filter.clone(), order, after, limit: PAGE };
            timed(async || assert!(!Audit::page(store, &wanted).await.unwrap().is_empty(), "{name}")).await
        };
        row(name, page(Order::Newest, None).await, page(Order::Oldest, None).await);
    }
    let after = Some(Cursor { at: middle, number: ROWS / 2 });
    let deep = async |order| {
        let wanted = Wanted { filter: Filter::default(), order, after, limit: PAGE };
        timed(async || assert_eq!(Audit::page(store, &wanted).await.unwrap().len(), 50)).await
    };
    row("audit after a cursor half way", deep(Order::Newest).await, deep(Order::Oldest).await);
}

/// Milliseconds: the median, and the worst.
async fn timed(work: impl AsyncFn()) -> (f64, f64) {
    let mut took = Vec::new();
    for _ in 0..TIMES {
        let began = Instant::now();
        work().await;
        took.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    took.sort_by(f64::total_cmp);
    (took[TIMES / 2], took[TIMES - 1])
}

/// Sign-ins one after the other: alone, then while what is over is swept.
async fn sweeping(store: &Store, chain: &Chain) {
    let alone = sign_ins(store, chain, "alone", |done| done < SIGN_INS).await;
    let sweeper = {
        let store = store.clone();
        tokio::spawn(async move {
            let began = Instant::now();
            let swept = Sessions::sweep(&store, Timestamp::from_millis(NOW)).await.unwrap();
            (swept, began.elapsed())
        })
    };
    let beside = sign_ins(store, chain, "beside", |_| !sweeper.is_finished()).await;
    let (swept, took) = sweeper.await.unwrap();
    let show = |name: &str, took: &[f64]| {
        let at = |share: usize| took[(took.len() - 1) * share / 100];
        println!("{name:<44} {:>9.2} {:>9.2} {:>9.2}   ms, median, p99, worst of {}", at(50), at(99), at(100), took.len());
    };
    show("a sign-in, alone", &alone);
    show(&format!("a sign-in, {swept} sessions swept in {:.1} s", took.as_secs_f64()), &beside);
}

async fn sign_ins(store: &Store, chain: &Chain, name: &str, goes_on: impl Fn(usize) -> bool) -> Vec<f64> {
    let mut took = Vec::new();
    while took.is_empty() || goes_on(took.len()) {
        let number = took.len();
        let began = Instant::now();
        sign_in(store, chain, &format!("{name}-{number}"), AccountId::new(format!("account-{number:05}"))).await;
        took.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    took.sort_by(f64::total_cmp);
    took
}

/// What a sign-in writes: a challenge, an attempt, its end, a session, the log.
async fn sign_in(store: &Store, chain: &Chain, name: &str, account: AccountId) {
    let now = Timestamp::from_millis(NOW);
    let challenge = Challenge {
        id: name.to_owned(),
        subject: account.as_str().to_owned(),
        account: Some(account.clone()),
        handle: name.to_owned(),
        channel: Channel::Email,
        code: "hashed".to_owned(),
        created_at: now,
        expires_at: Timestamp::from_millis(LIVE_UNTIL),
    };
    Challenges::open(store, &challenge, Duration::from_secs(60), 3).await.unwrap();
    let pointer = Pointer::Bound { id: name.to_owned(), handle: Some(name.to_owned()) };
    let budget = Quota { count: 10, window: Duration::from_secs(3600) };
    let attempt = Attempt { pointer: pointer.clone(), per_challenge: 5, budget };
    Challenges::take_attempt(store, &attempt, now).await.unwrap();
    assert!(Challenges::spend(store, name, &pointer, now).await.unwrap(), "a challenge to spend");
    let session = Session {
        id: SessionId::new(name),
        account: account.clone(),
        created_at: now,
        last_seen_at: now,
        expires_at: Timestamp::from_millis(LIVE_UNTIL),
        auth_time: now,
        amr: vec![Amr::Email],
        acr: Acr::OneFactor,
        address: None,
        agent: "bench".to_owned(),
        ended_at: None,
    };
    let new = NewSession { session, family_key: "sealed".to_owned(), refresh: format!("refresh-{name}") };
    assert!(Sessions::start(store, &new).await.unwrap(), "a session");
    let told = |what| Event::new(what, Who::Account(account.clone()), now);
    store.append(&[told(What::CodeEntered), told(What::SessionBegun)], chain).await.unwrap();
}

// === filling

async fn fill(database: &str, url: &str) {
    let fill = statements(database);
    for sql in [fill.accounts, fill.sessions, fill.tokens] {
        run(database, url, sql).await;
    }
}

async fn analyse(database: &str, url: &str) {
    match database {
        "mariadb" => run(database, url, "ANALYZE TABLE audit_log, sessions, accounts".to_owned()).await,
        _ => run(database, url, "ANALYZE".to_owned()).await,
    }
}

async fn run(database: &str, url: &str, sql: String) {
    match database {
        "sqlite" => {
            let pool = sqlx::SqlitePool::connect(url).await.unwrap();
            sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&pool).await.unwrap();
            pool.close().await;
        }
        "postgres" => drop(Postgres::shared().psql(url, &sql)),
        _ => drop(MariaDb::shared().sql(url, &sql)),
    }
}

/// So many numbers, as a table `s (n)`; and a number with zeros before it.
type Numbers = fn(i64) -> String;
type Padded = fn(&str, i64) -> String;

fn statements(database: &str) -> Fill {
    let all = 2 * SESSIONS;
    let (numbers, padded): (Numbers, Padded) = match database {
        "sqlite" => (
            |count| {
                format!("(WITH RECURSIVE s (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n < {} ) SELECT n FROM s) AS s", count - 1)
            },
            |number, width| format!("printf('%0{width}d', {number})"),
        ),
        "postgres" => {
            (|count| format!("generate_series(0, {}) AS s (n)", count - 1), |number, width| format!("lpad(({number})::text, {width}, '0')"))
        }
        _ => {
            (|count| format!("(SELECT seq AS n FROM seq_0_to_{}) AS s", count - 1), |number, width| format!("lpad({number}, {width}, '0')"))
        }
    };
    let concat = |parts: &[String]| if database == "mariadb" { format!("CONCAT({})", parts.join(", ")) } else { parts.join(" || ") };
    let text = |text: &str| format!("'{text}'");
    let account = concat(&[text("account-"), padded("n % 10000", 5)]);
    let email = concat(&[text("person"), padded("n", 5), text("@example.com")]);
    let session = concat(&[text("filled-"), padded("n", 6)]);
    // The first half is over, the second lives.
    let expires = format!("CASE WHEN n < {SESSIONS} THEN {} ELSE {LIVE_UNTIL} END", NOW - 1000);
    let [people, sessions] = [numbers(ACCOUNTS), numbers(all)];
    Fill {
        accounts: format!(
            "INSERT INTO accounts (id, email, email_verified, phone_verified, group_names, claims, created_at) \
             SELECT {account}, {email}, 1, 0, '[\"staff\"]', '{{}}', {NOW} FROM {people}"
        ),
        sessions: format!(
            "INSERT INTO sessions (id, account_id, created_at, last_seen_at, expires_at, auth_time, amr, acr, address, agent, family_key, \
             newest) SELECT {session}, {account}, {NOW} - n, {NOW} - n, {expires}, {NOW} - n, '[\"email\"]', '\"one_factor\"', \
             '192.0.2.7', 'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0', 'sealed', 1 FROM {sessions}"
        ),
        tokens: format!(
            "INSERT INTO refresh_tokens (fingerprint, session_id, number) SELECT {}, {session}, 1 FROM {sessions}",
            concat(&[text("print-"), session.clone()])
        ),
    }
}

/// Bytes of the log on the disk, for each row.
fn size(database: &str, url: &str) -> String {
    let bytes = match database {
        "sqlite" => {
            let file = url.trim_start_matches("sqlite:");
            let length = |more: &str| std::fs::metadata(format!("{file}{more}")).map_or(0, |file| file.len());
            format!("{} bytes of the whole file", length("") + length("-wal"))
        }
        "postgres" => Postgres::shared().psql(url, "SELECT pg_total_relation_size('audit_log') || ' bytes of the log with its indexes'"),
        _ => MariaDb::shared().sql(
            url,
            "SELECT CONCAT(data_length + index_length, ' bytes of the log with its indexes') FROM information_schema.tables WHERE \
             table_schema = DATABASE() AND table_name = 'audit_log'",
        ),
    };
    bytes.trim().to_owned()
}
