//! What the durable ports promise, and that every database keeps it: one suite per port, run on SQLite, PostgreSQL and
//! MariaDB. A bug found in one of them becomes a line here. Time is moved by passing another moment.

mod accounts;
mod address_changes;
mod api_keys;
mod apps;
mod audit;
mod challenges;
mod devices;
mod factors;
mod hook_claims;
mod keys;
mod ledger;
mod migrations;
mod outage;
mod roster;
mod sessions;

use std::time::Duration;

use doorward::clock::Timestamp;
use doorward::id::{AccountId, SessionId};
use doorward::secret::Secret;
use doorward::signin::{Account, NewSession, Session};
use doorward::store::StoreSettings;
use doorward::store::sql::Store;
use doorward::token::{Acr, Amr};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::support::folder;
use crate::support::mariadb::MariaDb;
use crate::support::postgres::Postgres;

/// The databases that we promise to run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Database {
    Sqlite,
    Postgres,
    MariaDb,
}

/// An empty database that was brought up to date, and a store in it.
struct Fresh {
    store: Store,
    database: Database,
    url: String,
    /// Where SQLite's file is.
    _folder: TempDir,
}

impl Fresh {
    async fn new(database: Database) -> Self {
        let fresh = Self::empty(database);
        fresh.store.migrate().await.unwrap();
        fresh
    }

    /// Not brought up to date.
    fn empty(database: Database) -> Self {
        let folder = folder::new("store");
        let url = match database {
            Database::Sqlite => format!("sqlite:{}/doorward.db", folder.path().display()),
            Database::Postgres => Postgres::shared().database(),
            Database::MariaDb => MariaDb::shared().database(),
        };
        Self { store: open(&url, PATIENT), database, url, _folder: folder }
    }

    /// Runs SQL behind the store's back.
    async fn sql(&self, sql: &'static str) -> String {
        match self.database {
            Database::Sqlite => {
                let pool = sqlx::SqlitePool::connect(&self.url).await.unwrap();
                let row: Option<String> = sqlx::query_scalar(sql).fetch_optional(&pool).await.unwrap();
                pool.close().await;
                row.unwrap_or_default()
            }
            Database::Postgres => Postgres::shared().psql(&self.url, sql),
            Database::MariaDb => MariaDb::shared().sql(&self.url, sql),
        }
    }
}

/// A machine that runs all tests at once may be slow; what is slow here is not what is tested here.
const PATIENT: Duration = Duration::from_secs(60);

fn open(url: &str, timeout: Duration) -> Store {
    let settings = StoreSettings { url: Secret::new(url.to_owned()), timeout, ..StoreSettings::default() };
    Store::open(url, &settings).unwrap()
}

/// Makes a test of each promise on each database.
macro_rules! on_each_database {
    ($($promise:ident),+ $(,)?) => {
        mod sqlite { $crate::contract::on_each_database!(@Sqlite $($promise)+); }
        mod postgres { $crate::contract::on_each_database!(@Postgres $($promise)+); }
        mod mariadb { $crate::contract::on_each_database!(@MariaDb $($promise)+); }
    };
    (@$database:ident $($promise:ident)+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                let fresh = $crate::contract::Fresh::new($crate::contract::Database::$database).await;
                super::$promise(&fresh).await;
            }
        )+
    };
}
use on_each_database;

/// The same thing so many times at once, each with its number; what came of each.
async fn at_once<T, F>(count: usize, act: impl Fn(usize) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let mut all = JoinSet::new();
    for number in 0..count {
        all.spawn(act(number));
    }
    all.join_all().await
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// Some moment, not at the beginning of a second.
const NOW: i64 = 1_790_000_000_123;

const HOUR: i64 = 3_600_000;

fn account(id: &str) -> Account {
    Account {
        id: AccountId::new(id),
        username: None,
        name: None,
        email: None,
        email_verified: false,
        phone: None,
        phone_verified: false,
        groups: Vec::new(),
        claims: serde_json::Map::new(),
        disabled_at: None,
        created_at: at(NOW),
        revision: 0,
    }
}

/// A session that begins now and lives for an hour; its refresh token is called `ID-1`.
fn session(id: &str, account: &str) -> NewSession {
    NewSession {
        session: Session {
            id: SessionId::new(id),
            account: AccountId::new(account),
            created_at: at(NOW),
            last_seen_at: at(NOW),
            expires_at: at(NOW + HOUR),
            auth_time: at(NOW),
            amr: vec![Amr::Email],
            acr: Acr::OneFactor,
            address: Some("192.0.2.7".parse().unwrap()),
            agent: "Browser/1.0 \u{1f98a} 'quoted' \\ \"twice\"".to_owned(),
            ended_at: None,
        },
        family_key: "sealed".to_owned(),
        refresh: format!("{id}-1"),
    }
}
