//! Where connections come from, the same for three databases.

use std::io::ErrorKind;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use sqlx::mysql::MySqlConnectOptions;
use sqlx::pool::{PoolConnection, PoolOptions};
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, Database, Executor, MySql, MySqlPool, PgPool, Postgres, Sqlite, SqlitePool};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

use super::fault::Fault;
use super::link::Link;
use super::mysql::MYSQL;
use super::postgres::POSTGRES;
use super::sqlite::SQLITE;
use super::statements::Statements;
use crate::store::breaker::Breaker;

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

/// A connection that is not there after this long may be refused: sqlx tries a refused one again and again, without a word.
const DOUBT: Duration = Duration::from_millis(250);

/// A connection that rested longer is asked for a sign of life before it is used: no server is restarted in less.
const RESTED: Duration = Duration::from_millis(50);

type Source = Each<SqlitePool, PgPool, MySqlPool>;

/// How many connections a pool may have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    /// At most.
    pub(super) connections: u32,
    /// How long making one may take, its handshakes and a sign of life included.
    pub(super) patience: Duration,
}

/// Connections to one database, and the queue for them.
///
/// The queue is ours and not the pool's: in the pool's, everybody would wait in vain who came before the first had found
/// out that the database is gone.
pub(super) struct Pool {
    source: Source,
    queue: Arc<Semaphore>,
    breaker: Breaker,
    /// Where the server listens; none when it is no server, or is reached through a socket's file.
    address: Option<(String, u16)>,
    /// What is said to this database.
    pub(super) sql: &'static Statements,
}

impl Pool {
    /// A pool of connections to a SQLite file.
    pub(super) fn sqlite(options: SqliteConnectOptions, size: Size) -> Self {
        let sql = &SQLITE;
        Self::new(Each::Sqlite(settings(size, sql).connect_lazy_with(options)), size, sql, None)
    }

    /// A pool of connections to PostgreSQL.
    pub(super) fn postgres(options: PgConnectOptions, size: Size) -> Self {
        let sql = &POSTGRES;
        let is_file = options.get_socket().is_some() || options.get_host().starts_with('/');
        let address = (!is_file).then(|| (options.get_host().to_owned(), options.get_port()));
        Self::new(Each::Postgres(settings(size, sql).connect_lazy_with(options)), size, sql, address)
    }

    /// A pool of connections to MySQL or MariaDB.
    pub(super) fn mysql(options: MySqlConnectOptions, size: Size) -> Self {
        let sql = &MYSQL;
        let address = options.get_socket().is_none().then(|| (options.get_host().to_owned(), options.get_port()));
        Self::new(Each::MySql(settings(size, sql).connect_lazy_with(options)), size, sql, address)
    }

    fn new(source: Source, size: Size, sql: &'static Statements, address: Option<(String, u16)>) -> Self {
        let places = usize::try_from(size.connections).unwrap_or(Semaphore::MAX_PERMITS);
        Self { source, queue: Arc::new(Semaphore::new(places)), breaker: Breaker::default(), address, sql }
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

    /// One of the pool's, or a new one; and soon a word if the server refuses to make one.
    async fn connect(&self) -> Result<Connection, Fault> {
        let mut acquired = pin!(self.acquire());
        if let Ok(acquired) = tokio::time::timeout(DOUBT, acquired.as_mut()).await {
            return acquired;
        }
        if self.is_refused().await {
            return Err(Fault::Refused);
        }
        acquired.await
    }

    /// Does nobody listen where the server should be?
    async fn is_refused(&self) -> bool {
        let Some((host, port)) = &self.address else { return false };
        let knock = TcpStream::connect((host.as_str(), *port)).await;
        knock.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
    }

    async fn acquire(&self) -> Result<Connection, Fault> {
        Ok(match &self.source {
            Each::Sqlite(pool) => Each::Sqlite(pool.acquire().await?),
            Each::Postgres(pool) => Each::Postgres(pool.acquire().await?),
            Each::MySql(pool) => Each::MySql(pool.acquire().await?),
        })
    }
}

/// What all pools have in common. A connection that was in use a moment ago is not tested: that would double the round
/// trips of a question. What turns out to be dead is thrown away when it comes back.
fn settings<DB>(size: Size, sql: &'static Statements) -> PoolOptions<DB>
where
    DB: Database,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    PoolOptions::new()
        .max_connections(size.connections)
        .acquire_timeout(size.patience)
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
