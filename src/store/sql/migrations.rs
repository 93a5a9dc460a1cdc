//! Bringing a database up to date, by any number of nodes at once.
//!
//! The scripts are in the program. What was applied is remembered in sqlx's table `_sqlx_migrations`, with checksums. A
//! database that is ahead of this program is left as it is: during a deploy, old and new run side by side.

use std::collections::HashSet;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{ConnectOptions as _, Connection as _, MySqlConnection, PgConnection, SqlSafeStr as _, SqliteConnection};
use tokio::time::Instant;

use super::Store;
use super::fault::Fault;
use super::mysql::MYSQL;
use super::open::Place;
use super::pool::Each;
use super::postgres::POSTGRES;
use super::sqlite::SQLITE;
use super::statements::Script;
use crate::outage::Outage;

/// How long bringing a database up to date may take, waiting for another node that does it included.
const LIMIT: Duration = Duration::from_secs(600);

/// Between two tries to have a SQLite file written ahead.
const PAUSE: Duration = Duration::from_millis(10);

/// Apply what is missing, on a connection of its own that is closed afterwards, so that no lock stays behind. `patience` is
/// how long connecting may take.
pub(super) async fn run(place: &Place, patience: Duration) -> Result<(), Outage> {
    let connection = tokio::time::timeout(patience, connect(place, patience)).await.map_err(|_| Outage::store(Fault::Late))?;
    let work = apply(connection.map_err(Outage::store)?);
    tokio::time::timeout(LIMIT, work).await.map_err(|_| Outage::store(Fault::Late))?.map_err(Outage::store)
}

type Connection = Each<SqliteConnection, PgConnection, MySqlConnection>;

async fn connect(place: &Place, patience: Duration) -> Result<Connection, sqlx::Error> {
    Ok(match place {
        Place::Sqlite(options) => Each::Sqlite(write_ahead(options, patience).await?),
        Place::Postgres(options) => Each::Postgres(options.connect().await?),
        Place::MySql(options) => Each::MySql(options.connect().await?),
    })
}

/// A connection to a SQLite file that is written ahead (WAL) from now on: the file keeps that, for all later connections.
///
/// SQLite waits for its turn at everything but this: of the nodes that begin with one new file at once, some are told at once
/// that it is locked, and nothing tells when it no longer is. So it is tried again, for the quarter of `patience` that the wait
/// for a turn (`busy_timeout`) leaves of it: one that has waited for its turn and is told so is not sent back.
async fn write_ahead(options: &SqliteConnectOptions, patience: Duration) -> Result<SqliteConnection, sqlx::Error> {
    let options = options.clone().journal_mode(SqliteJournalMode::Wal);
    let began = Instant::now();
    loop {
        match options.connect().await {
            Err(error) if is_busy(&error) && began.elapsed() < patience / 4 => tokio::time::sleep(PAUSE).await,
            tried => return tried,
        }
    }
}

/// SQLite's `SQLITE_BUSY` (5), and its finer kinds, which have it in their lowest byte.
fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.and_then(|code| code.parse::<u32>().ok()).is_some_and(|code| code & 0xff == 5)
}

async fn apply(connection: Connection) -> Result<(), MigrateError> {
    match connection {
        Each::Sqlite(mut connection) => {
            // SQLite has no lock for migrations: one transaction round all of them is one.
            let mut act = connection.begin_with("BEGIN IMMEDIATE").await?;
            migrator(SQLITE.migrations).run_direct(None, &mut *act, false).await?;
            act.commit().await?;
            Ok(connection.close().await?)
        }
        Each::Postgres(mut connection) => {
            migrator(POSTGRES.migrations).run_direct(None, &mut connection, false).await?;
            Ok(connection.close().await?)
        }
        Each::MySql(mut connection) => {
            apply_locked(&mut connection).await?;
            Ok(connection.close().await?)
        }
    }
}

/// The names of the migrations that were not applied.
pub(super) async fn pending(store: &Store) -> Result<Vec<String>, Outage> {
    let sql = store.readers.sql;
    let applied = applied(store).await?;
    let missing = sql.migrations.iter().filter(|script| !applied.contains(&script.number));
    Ok(missing.map(|script| format!("{:04}_{}", script.number, script.noun)).collect())
}

async fn applied(store: &Store) -> Result<HashSet<i64>, Outage> {
    let sql = store.readers.sql;
    if store.ask_one(sql.has_migrations, &[]).await?.is_none() {
        return Ok(HashSet::new());
    }
    let rows = store.ask(sql.applied_migrations, &[]).await?;
    Ok(rows.iter().map(|row| row.int("version")).collect::<Result<_, _>>()?)
}

/// Under a lock of ours: sqlx asks for its own with a wait of -1 seconds, which MariaDB takes for "not at all".
async fn apply_locked(connection: &mut MySqlConnection) -> Result<(), MigrateError> {
    let name = "SELECT CONCAT('doorward ', MD5(DATABASE()))";
    let name: String = sqlx::query_scalar(name).fetch_one(&mut *connection).await?;
    let held: Option<i64> = sqlx::query_scalar("SELECT GET_LOCK(?, 60)").bind(name).fetch_one(&mut *connection).await?;
    if held != Some(1) {
        return Err(MigrateError::Execute(sqlx::Error::PoolTimedOut));
    }
    let mut migrator = migrator(MYSQL.migrations);
    migrator.set_locking(false);
    migrator.run_direct(None, connection, false).await
}

fn migrator(scripts: &[Script]) -> Migrator {
    let migrations = scripts.iter().map(|script| {
        let sql = script.sql.into_sql_str();
        Migration::new(script.number, script.noun.into(), MigrationType::Simple, sql, false)
    });
    let mut migrator = Migrator::with_migrations(migrations.collect());
    migrator.set_ignore_missing(true);
    migrator
}
