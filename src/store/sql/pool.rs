//! Where connections come from, the same for three databases.

use std::sync::Arc;
use std::time::Duration;

use sqlx::mysql::MySqlConnectOptions;
use sqlx::pool::{PoolConnection, PoolOptions};
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, Database, Executor, MySql, MySqlPool, PgPool, Postgres, Sqlite, SqlitePool};
use tokio::sync::Semaphore;

use super::breaker::Breaker;
use super::fault::Fault;
use super::link::Link;
use super::statements::Statements;

/// The same thing of one of three databases.
#[derive(Debug)]
pub(super) enum Each<S, P, M> {
    Sqlite(S),
    Postgres(P),
    MySql(M),
}

/// Do the same with whichever it is. The one macro of the store: the three drivers share their methods, but no trait that
/// could be named without a page of bounds.
macro_rules! each {
    ($value:expr, $inner:ident => $body:expr) => {
        match $value {
            $crate::store::sql::pool::Each::Sqlite($inner) => $body,
            $crate::store::sql::pool::Each::Postgres($inner) => $body,
            $crate::store::sql::pool::Each::MySql($inner) => $body,
        }
    };
}
pub(super) use each;

/// A connection out of one of the pools.
pub(super) type Connection = Each<PoolConnection<Sqlite>, PoolConnection<Postgres>, PoolConnection<MySql>>;

/// How long making one connection may take, its handshakes included. sqlx tries a refused one again all that time.
const CONNECT: Duration = Duration::from_secs(1);

/// A connection that rested longer is asked for a sign of life before it is used: its server may have been restarted.
const RESTED: Duration = Duration::from_secs(1);

/// Connections to one database, and the queue for them.
///
/// The queue is ours and not the pool's, because the pool has one timeout for both waiting and connecting: who waits for
/// a busy connection may wait for the whole time of a query, who waits for a dead server should not.
pub(super) struct Pool {
    source: Each<SqlitePool, PgPool, MySqlPool>,
    queue: Arc<Semaphore>,
    breaker: Breaker,
    /// What is said to this database.
    pub(super) sql: &'static Statements,
}

impl Pool {
    /// A pool of at most `size` connections to a SQLite file.
    pub(super) fn sqlite(options: SqliteConnectOptions, size: u32, sql: &'static Statements) -> Self {
        Self::new(Each::Sqlite(settings(size, sql).connect_lazy_with(options)), size, sql)
    }

    /// A pool of at most `size` connections to PostgreSQL.
    pub(super) fn postgres(options: PgConnectOptions, size: u32, sql: &'static Statements) -> Self {
        Self::new(Each::Postgres(settings(size, sql).connect_lazy_with(options)), size, sql)
    }

    /// A pool of at most `size` connections to MySQL or MariaDB.
    pub(super) fn mysql(options: MySqlConnectOptions, size: u32, sql: &'static Statements) -> Self {
        Self::new(Each::MySql(settings(size, sql).connect_lazy_with(options)), size, sql)
    }

    fn new(source: Each<SqlitePool, PgPool, MySqlPool>, size: u32, sql: &'static Statements) -> Self {
        let places = usize::try_from(size).unwrap_or(Semaphore::MAX_PERMITS);
        Self { source, queue: Arc::new(Semaphore::new(places)), breaker: Breaker::default(), sql }
    }

    /// A connection, when it is our turn.
    ///
    /// # Errors
    /// When none can be made, or none could be a moment ago. Waiting has no end here: the caller has a deadline.
    pub(super) async fn link(&self) -> Result<Link, Fault> {
        self.breaker.check()?;
        let place = Arc::clone(&self.queue).acquire_owned().await.map_err(|_| Fault::Closed)?;
        // Who waited in the queue learns what those before have found out.
        self.breaker.check()?;
        let connection = self.connect().await.inspect_err(|fault| self.breaker.trip(fault))?;
        self.breaker.reset();
        Ok(Link::new(connection, self.sql, place))
    }

    async fn connect(&self) -> Result<Connection, Fault> {
        Ok(match &self.source {
            Each::Sqlite(pool) => Each::Sqlite(pool.acquire().await?),
            Each::Postgres(pool) => Each::Postgres(pool.acquire().await?),
            Each::MySql(pool) => Each::MySql(pool.acquire().await?),
        })
    }
}

/// What all pools have in common. A connection that was in use a moment ago is not tested: that would double the round
/// trips of a question. What turns out to be dead is thrown away when it comes back.
fn settings<DB>(size: u32, sql: &'static Statements) -> PoolOptions<DB>
where
    DB: Database,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    PoolOptions::new()
        .max_connections(size)
        .acquire_timeout(CONNECT)
        .test_before_acquire(false)
        .before_acquire(|connection: &mut DB::Connection, meta| {
            Box::pin(async move {
                if meta.idle_for > RESTED {
                    connection.ping().await?;
                }
                Ok(true)
            })
        })
        .after_connect(move |connection: &mut DB::Connection, _| {
            Box::pin(async move {
                for statement in sql.session.iter().copied() {
                    connection.execute(sqlx::raw_sql(statement)).await?;
                }
                Ok(())
            })
        })
}
