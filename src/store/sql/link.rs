//! One connection in use: statements go in, counts and rows come out, and nothing of the driver is seen above.

use std::time::Duration;

use sqlx::database::Database;
use sqlx::encode::Encode;
use sqlx::mysql::MySqlRow;
use sqlx::postgres::PgRow;
use sqlx::query::Query;
use sqlx::sqlite::SqliteRow;
use sqlx::types::Type;
use sqlx::{Executor as _, Row as _};
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;

use super::fault::Fault;
use super::pool::{Connection, Each, each};
use super::statements::Statements;
use crate::clock::Timestamp;
use crate::id::{AccountId, AppId, KeyId, SessionId, SubjectId, TokenId};

/// How long a connection that comes back may stay silent until it is given up.
const SILENCE: Duration = Duration::from_secs(1);

/// One connection in use. If it is dropped in the middle of something (its caller was cancelled, the time was up), it is
/// closed instead of going back to the pool, and the server forgets the transaction that it was in.
pub(super) struct Link {
    connection: Connection,
    /// What is said to this database.
    pub(super) sql: &'static Statements,
    /// A statement was sent and not answered.
    is_waiting: bool,
    /// A transaction is open.
    is_acting: bool,
    /// Its place in the queue: given back last.
    _place: OwnedSemaphorePermit,
}

impl Link {
    /// Use `connection`, which was granted `place` in the queue.
    pub(super) fn new(connection: Connection, sql: &'static Statements, place: OwnedSemaphorePermit) -> Self {
        Self { connection, sql, is_waiting: false, is_acting: false, _place: place }
    }

    /// Change something. Returns how many rows there were to change.
    pub(super) async fn execute(&mut self, sql: &'static str, values: &[Value]) -> Result<u64, Fault> {
        self.is_waiting = true;
        let done = each!(&mut self.connection, connection => {
            bind(sqlx::query(sql), values).execute(&mut **connection).await.map(|done| done.rows_affected())
        });
        self.settle(done)
    }

    /// All rows of an answer.
    pub(super) async fn fetch(&mut self, sql: &'static str, values: &[Value]) -> Result<Vec<Row>, Fault> {
        self.is_waiting = true;
        let rows = match &mut self.connection {
            Each::Sqlite(connection) => {
                let rows = bind(sqlx::query(sql), values).fetch_all(&mut **connection).await;
                rows.map(|rows| rows.into_iter().map(|row| Row(Each::Sqlite(row))).collect())
            }
            Each::Postgres(connection) => {
                let rows = bind(sqlx::query(sql), values).fetch_all(&mut **connection).await;
                rows.map(|rows| rows.into_iter().map(|row| Row(Each::Postgres(row))).collect())
            }
            Each::MySql(connection) => {
                let rows = bind(sqlx::query(sql), values).fetch_all(&mut **connection).await;
                rows.map(|rows| rows.into_iter().map(|row| Row(Each::MySql(row))).collect())
            }
        };
        self.settle(rows)
    }

    /// The one row of an answer, if there is one.
    pub(super) async fn fetch_one(&mut self, sql: &'static str, values: &[Value]) -> Result<Option<Row>, Fault> {
        Ok(self.fetch(sql, values).await?.into_iter().next())
    }

    /// Begin a transaction.
    pub(super) async fn begin(&mut self) -> Result<(), Fault> {
        self.say(self.sql.begin).await?;
        self.is_acting = true;
        Ok(())
    }

    /// End it and keep what was done: durable when this returns.
    pub(super) async fn commit(&mut self) -> Result<(), Fault> {
        self.say("COMMIT").await?;
        self.is_acting = false;
        Ok(())
    }

    /// End it as if nothing had been done.
    pub(super) async fn roll_back(&mut self) -> Result<(), Fault> {
        self.say("ROLLBACK").await?;
        self.is_acting = false;
        Ok(())
    }

    /// As text, without preparing: MySQL prepares no transactions.
    async fn say(&mut self, sql: &'static str) -> Result<(), Fault> {
        self.is_waiting = true;
        let said = each!(&mut self.connection, connection => (&mut **connection).execute(sqlx::raw_sql(sql)).await.map(drop));
        self.settle(said)
    }

    fn settle<T>(&mut self, result: Result<T, sqlx::Error>) -> Result<T, Fault> {
        let result = result.map_err(Fault::from);
        self.is_waiting = result.as_ref().is_err_and(|fault| !fault.is_answer());
        result
    }
}

impl Drop for Link {
    /// The driver asks every connection that comes back for a sign of life, and would wait for it without an end: one whose
    /// server has fallen silent would keep its place in the pool for ever.
    fn drop(&mut self) {
        if self.is_waiting || self.is_acting {
            return each!(&mut self.connection, connection => connection.close_on_drop());
        }
        // Without a runtime there is nobody who could be waiting for it.
        let Ok(runtime) = Handle::try_current() else { return };
        each!(&mut self.connection, connection => {
            let returning = connection.return_to_pool();
            drop(runtime.spawn(tokio::time::timeout(SILENCE, returning)));
        });
    }
}

/// A value that goes into a statement. The drivers need to know the type of nothing, too.
pub(super) enum Value {
    Int(Option<i64>),
    Text(Option<String>),
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(Some(value))
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Int(Some(i64::from(value)))
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Int(Some(i64::from(value)))
    }
}

impl From<Timestamp> for Value {
    fn from(value: Timestamp) -> Self {
        Self::Int(Some(value.as_millis()))
    }
}

impl From<Option<Timestamp>> for Value {
    fn from(value: Option<Timestamp>) -> Self {
        Self::Int(value.map(Timestamp::as_millis))
    }
}

impl From<&str> for Value {
    /// PostgreSQL keeps no NUL: a text with one is no name of ours, and must be found nowhere instead of being an error.
    fn from(value: &str) -> Self {
        Self::Text(Some(value.replace('\0', "\u{fffd}")))
    }
}

impl From<&String> for Value {
    fn from(value: &String) -> Self {
        Self::from(value.as_str())
    }
}

impl From<Option<&str>> for Value {
    fn from(value: Option<&str>) -> Self {
        value.map_or(Self::Text(None), Self::from)
    }
}

impl From<&AccountId> for Value {
    fn from(value: &AccountId) -> Self {
        Self::from(value.as_str())
    }
}

impl From<&AppId> for Value {
    fn from(value: &AppId) -> Self {
        Self::from(value.as_str())
    }
}

impl From<&SubjectId> for Value {
    fn from(value: &SubjectId) -> Self {
        Self::from(value.as_str())
    }
}

impl From<&SessionId> for Value {
    fn from(value: &SessionId) -> Self {
        Self::from(value.as_str())
    }
}

impl From<&KeyId> for Value {
    fn from(value: &KeyId) -> Self {
        Self::from(value.as_str())
    }
}

impl From<&TokenId> for Value {
    fn from(value: &TokenId) -> Self {
        Self::from(value.as_str())
    }
}

/// One row of an answer.
pub(super) struct Row(Each<SqliteRow, PgRow, MySqlRow>);

impl Row {
    /// A number.
    pub(super) fn int(&self, column: &'static str) -> Result<i64, Fault> {
        Ok(each!(&self.0, row => row.try_get(column))?)
    }

    /// A text.
    pub(super) fn text(&self, column: &'static str) -> Result<String, Fault> {
        Ok(each!(&self.0, row => row.try_get(column))?)
    }

    /// A text, or nothing.
    pub(super) fn text_or_none(&self, column: &'static str) -> Result<Option<String>, Fault> {
        Ok(each!(&self.0, row => row.try_get(column))?)
    }

    /// A point in time.
    pub(super) fn time(&self, column: &'static str) -> Result<Timestamp, Fault> {
        self.int(column).map(Timestamp::from_millis)
    }

    /// A point in time, or nothing.
    pub(super) fn time_or_none(&self, column: &'static str) -> Result<Option<Timestamp>, Fault> {
        let millis: Option<i64> = each!(&self.0, row => row.try_get(column))?;
        Ok(millis.map(Timestamp::from_millis))
    }

    /// Yes or no.
    pub(super) fn flag(&self, column: &'static str) -> Result<bool, Fault> {
        Ok(self.int(column)? != 0)
    }

    /// A text that means something else.
    pub(super) fn parsed<T>(&self, column: &'static str, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, Fault> {
        parse(&self.text(column)?).ok_or(Fault::Corrupt(column))
    }
}

type Prepared<'q, DB> = Query<'q, DB, <DB as Database>::Arguments>;

fn bind<'q, DB>(query: Prepared<'q, DB>, values: &[Value]) -> Prepared<'q, DB>
where
    DB: Database,
    Option<i64>: for<'v> Encode<'v, DB> + Type<DB>,
    Option<String>: for<'v> Encode<'v, DB> + Type<DB>,
{
    values.iter().fold(query, |query, value| match value {
        Value::Int(value) => query.bind(*value),
        Value::Text(value) => query.bind(value.clone()),
    })
}
