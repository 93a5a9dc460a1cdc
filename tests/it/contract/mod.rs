//! What the durable ports promise, and that every database keeps it: one suite per port, run on SQLite, PostgreSQL, MariaDB
//! and MongoDB. A bug found in one of them becomes a line here. Time is moved by passing another moment.

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
#[cfg(feature = "mongodb")]
mod killed;
mod ledger;
mod migrations;
#[cfg(feature = "mongodb")]
mod mongo;
mod outage;
mod roster;
mod sessions;

use std::time::Duration;

use doorward::clock::Timestamp;
use doorward::id::{AccountId, SessionId};
use doorward::secret::Secret;
use doorward::signin::{Account, NewSession, Session};
#[cfg(feature = "mongodb")]
use doorward::store::Durable;
use doorward::store::StoreSettings;
#[cfg(feature = "mongodb")]
use doorward::store::mongo::Store as MongoStore;
use doorward::store::sql::Store;
use doorward::token::{Acr, Amr};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::support::folder;
use crate::support::mariadb::MariaDb;
#[cfg(feature = "mongodb")]
use crate::support::mongo::MongoDb;
use crate::support::postgres::Postgres;

/// The databases that we promise to run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Database {
    Sqlite,
    Postgres,
    MariaDb,
    #[cfg(feature = "mongodb")]
    MongoDb,
}

/// An empty database that was brought up to date, and a store in it.
struct Fresh<S = Store> {
    store: S,
    database: Database,
    url: String,
    /// Opens the store of another node.
    open: fn(&str, Duration) -> S,
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
            #[cfg(feature = "mongodb")]
            Database::MongoDb => panic!("a store of its own"),
        };
        Self { store: open(&url, PATIENT), database, url, open, _folder: folder }
    }
}

#[cfg(feature = "mongodb")]
impl Fresh<MongoStore> {
    async fn in_mongodb() -> Self {
        let fresh = Self::empty_in_mongodb();
        Durable::migrate(&fresh.store).await.unwrap();
        fresh
    }

    /// Not brought up to date.
    fn empty_in_mongodb() -> Self {
        let url = MongoDb::shared().database();
        let store = open_mongodb(&url, PATIENT);
        Self { store, database: Database::MongoDb, url, open: open_mongodb, _folder: folder::new("store") }
    }
}

impl<S> Fresh<S> {
    /// Another node in the same database.
    fn node(&self) -> S {
        (self.open)(&self.url, PATIENT)
    }

    /// Changes the database behind the store's back: in SQL, or with a command of MongoDB. Gives the first value found.
    async fn behind(&self, sql: &'static str, command: Value) -> String {
        #[cfg(feature = "mongodb")]
        if self.database == Database::MongoDb {
            return MongoDb::shared().first(&self.url, &command);
        }
        drop(command);
        self.sql(sql).await
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
            #[cfg(feature = "mongodb")]
            Database::MongoDb => panic!("MongoDB knows no SQL: {sql}"),
        }
    }
}

/// A machine that runs all tests at once may be slow; what is slow here is not what is tested here.
const PATIENT: Duration = Duration::from_secs(60);

fn open(url: &str, timeout: Duration) -> Store {
    Store::open(url, &settings(url, timeout)).unwrap()
}

#[cfg(feature = "mongodb")]
fn open_mongodb(url: &str, timeout: Duration) -> MongoStore {
    MongoStore::open(url, &settings(url, timeout)).unwrap()
}

fn settings(url: &str, timeout: Duration) -> StoreSettings {
    StoreSettings { url: Secret::new(url.to_owned()), timeout, ..StoreSettings::default() }
}

/// Makes a test of each promise on each database.
macro_rules! on_each_database {
    ($($promise:ident),+ $(,)?) => {
        mod sqlite { $crate::contract::on_each_database!(@Sqlite $($promise)+); }
        mod postgres { $crate::contract::on_each_database!(@Postgres $($promise)+); }
        mod mariadb { $crate::contract::on_each_database!(@MariaDb $($promise)+); }
        #[cfg(feature = "mongodb")]
        mod mongodb {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $promise() {
                    let fresh = $crate::contract::Fresh::in_mongodb().await;
                    super::$promise(&fresh).await;
                }
            )+
        }
    };
    (in_sql: $($promise:ident),+ $(,)?) => {
        mod sqlite_alone { $crate::contract::on_each_database!(@Sqlite $($promise)+); }
        mod postgres_alone { $crate::contract::on_each_database!(@Postgres $($promise)+); }
        mod mariadb_alone { $crate::contract::on_each_database!(@MariaDb $($promise)+); }
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

/// A command of MongoDB that changes all accounts.
fn of_accounts(change: &Value) -> Value {
    json!({ "update": "accounts", "updates": [{ "q": {}, "u": change, "multi": true }] })
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
