//! How long listings take, and what sweeping costs those who sign in: `make bench-listings`.
//!
//! 10,000 accounts, 100,000 live sessions and as many that are over, 10,000 API keys, 1,000 apps with 20,000 subjects, 1,000,000
//! rows of the audit log, in SQLite, PostgreSQL, MariaDB and MongoDB, real ones. The first and the last page of each listing are
//! timed, in the store and over HTTP with the real program; then the database's part of a sign-in, with and without a sweep of
//! 100,000 sessions beside it. A page whose median is over 100 ms, or a sign-in that takes twice as long while there is
//! a sweep, is a failure: exit 1.
//!
//! Words after `--` are databases (`sqlite`, `postgres`, `mariadb`, `mongodb`; all of them when there is none), and `verify`:
//! the walk over the whole log, too.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    reason = "a bench ends at the first surprise, and prints what it found"
)]

mod book;
mod desk;
mod fill;
mod pages;
#[path = "../../tests/it/support/mod.rs"]
#[expect(dead_code, reason = "the tests' support, of which a bench needs little")]
mod support;
mod sweeping;

use std::sync::Arc;
use std::time::{Duration, Instant};

use doorward::audit::{Audit, Chain, Verdict, verify};
use doorward::clock::{Clock as _, SystemClock, Timestamp};
use doorward::secret::{RootKey, Secret};
use doorward::store::{Durable, StoreSettings};

use book::Book;
use fill::Kind;
use support::folder;
use support::mariadb::MariaDb;
#[cfg(feature = "mongodb")]
use support::mongo::MongoDb;
use support::postgres::Postgres;

const ACCOUNTS: i64 = 10_000;
/// Those that live; as many are over.
const SESSIONS: i64 = 100_000;
const KEYS: i64 = 10_000;
const APPS: i64 = 1000;
/// Half of them of one app.
const SUBJECTS: i64 = 20_000;
const ROWS: i64 = 1_000_000;
/// Rows of one transaction while the log is filled.
const AT_ONCE: i64 = 2000;
const PAGE: u32 = 50;
const FULL: usize = 50;

/// What the program seals with, and the bench writes the log with.
const ROOT: [u8; 32] = *b"01234567890123456789012345678901";
const ROOT_BASE64: &str = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

/// A database that is full.
struct Filled {
    store: Arc<dyn Durable>,
    chain: Chain,
    kind: Kind,
    url: String,
    /// When it was filled: the log's rows lie before it, 100 ms apart.
    now: i64,
    _folder: tempfile::TempDir,
}

impl Filled {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now)
    }

    fn lives_until(&self) -> Timestamp {
        Timestamp::from_millis(self.now + 7 * 86_400_000)
    }

    /// Half of the log lies before it.
    fn middle(&self) -> Timestamp {
        Timestamp::from_millis(self.now - ROWS * 50)
    }
}

fn main() {
    support::install_crypto_provider();
    let wanted: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let is_wanted = |word: &str| wanted.iter().any(|one| one == word);
    let is_any = Kind::ALL.iter().any(|kind| is_wanted(kind.name()));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut book = Book::default();
    for kind in Kind::ALL.iter().copied().filter(|kind| !is_any || is_wanted(kind.name())) {
        runtime.block_on(measure(kind, is_wanted("verify"), &mut book));
    }
    if !book.failures.is_empty() {
        eprintln!("\ntoo slow:\n{}", book.failures.join("\n"));
        std::process::exit(1);
    }
}

async fn measure(kind: Kind, walks: bool, book: &mut Book) {
    let filled = filled(kind).await;
    book.begin(kind.name());
    pages::measure(&filled, book).await;
    desk::measure(&filled, book).await;
    if walks {
        let began = Instant::now();
        let verdict = verify(filled.store.as_ref(), &filled.chain, None, |_| ()).await.unwrap();
        assert!(matches!(verdict, Verdict::Whole(head) if head.number >= ROWS), "a whole log");
        println!("{:<60} {:>9.1} s", "the log, verified", began.elapsed().as_secs_f64());
    }
    sweeping::measure(&filled, book).await;
}

async fn filled(kind: Kind) -> Filled {
    let folder = folder::new("listings");
    let url = match kind {
        Kind::Sqlite => format!("sqlite:{}/doorward.db", folder.path().display()),
        Kind::Postgres => Postgres::shared().database(),
        Kind::MariaDb => MariaDb::shared().database(),
        #[cfg(feature = "mongodb")]
        Kind::MongoDb => MongoDb::shared().database(),
    };
    let settings = StoreSettings { url: Secret::new(url.clone()), timeout: Duration::from_secs(120), ..StoreSettings::default() };
    let store = doorward::store::open(&settings).unwrap();
    store.migrate().await.unwrap();
    let now = SystemClock.now().as_millis();
    let filled = Filled { store, chain: Chain::new(&RootKey::new(ROOT)), kind, url, now, _folder: folder };
    let began = Instant::now();
    fill::everything(&filled).await;
    println!("\n{}: everything but the log in {:.1} s", kind.name(), began.elapsed().as_secs_f64());
    let began = Instant::now();
    for batch in 0..ROWS / AT_ONCE {
        let events: Vec<_> = (batch * AT_ONCE..(batch + 1) * AT_ONCE).map(|number| fill::event(number, now)).collect();
        Audit::append(filled.store.as_ref(), &events, &filled.chain).await.unwrap();
    }
    println!("{ROWS} rows of the audit log in {:.1} s, {AT_ONCE} a transaction", began.elapsed().as_secs_f64());
    fill::analyse(&filled).await;
    filled
}
