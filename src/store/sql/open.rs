//! Which database a URL means, and how it is connected to.

use std::path::Path;
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use sqlx::ConnectOptions as _;
use sqlx::mysql::MySqlConnectOptions;
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};

use super::pool::{Each, Pool, Size};
use crate::outage::Outage;

/// Where the database is.
pub(super) type Place = Each<SqliteConnectOptions, PgConnectOptions, MySqlConnectOptions>;

impl Place {
    /// What `url` means. `patience` is how long a SQLite connection waits for another process that writes.
    ///
    /// # Errors
    /// When it is no URL of a database that we know. The URL holds a password and is never repeated.
    pub(super) fn parse(url: &str, patience: Duration) -> Result<Self, Outage> {
        let scheme = url.split(':').next().unwrap_or_default();
        match scheme {
            "sqlite" => Ok(Self::Sqlite(sqlite(url, patience)?)),
            "postgres" | "postgresql" => {
                let options = PgConnectOptions::from_str(url).map_err(unusable)?;
                Ok(Self::Postgres(options.application_name("doorward").disable_statement_logging()))
            }
            "mysql" | "mariadb" => {
                let options = MySqlConnectOptions::from_str(url).map_err(unusable)?;
                Ok(Self::MySql(options.disable_statement_logging()))
            }
            _ => Err(unusable("it must begin with sqlite:, postgres:// or mysql://")),
        }
    }

    /// The pool of the readers and that of the writers. `patience` is how long an act may take.
    ///
    /// # Errors
    /// When a SQLite file cannot be created.
    pub(super) fn pools(&self, connections: u32, patience: Duration) -> Result<(Arc<Pool>, Arc<Pool>), Outage> {
        // A little less than an act has: who connects in vain learns it, and tells the others.
        let size = Size { connections: connections.max(1), patience: patience * 9 / 10 };
        let pool = match self {
            Self::Sqlite(options) => return sqlite_pools(options, size),
            Self::Postgres(options) => Pool::postgres(options.clone(), size),
            Self::MySql(options) => Pool::mysql(options.clone(), size),
        };
        let pool = Arc::new(pool);
        Ok((Arc::clone(&pool), pool))
    }
}

fn sqlite(url: &str, patience: Duration) -> Result<SqliteConnectOptions, Outage> {
    // Readers and the writer have connections of their own: memory would be another database for each.
    if url.contains(":memory:") || url.contains("mode=memory") {
        return Err(unusable("a database in memory would lose what must last; name a file"));
    }
    let options = SqliteConnectOptions::from_str(url).map_err(unusable)?;
    if options.get_filename() == Path::new("") {
        return Err(unusable("it names no file"));
    }
    Ok(options
        .create_if_missing(false)
        // FULL and not NORMAL: in WAL mode only this waits for the disk at each commit, so that a sign-out that was
        // acknowledged survives a loss of power.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        // Less than the deadline of an act, so that the wait ends with an answer and the connection stays good.
        .busy_timeout(patience * 3 / 4)
        .disable_statement_logging())
}

fn sqlite_pools(options: &SqliteConnectOptions, size: Size) -> Result<(Arc<Pool>, Arc<Pool>), Outage> {
    create(options.get_filename())?;
    let reading = options.clone().pragma("query_only", "ON");
    let writer = Pool::sqlite(options.clone(), Size { connections: 1, ..size });
    Ok((Arc::new(Pool::sqlite(reading, size)), Arc::new(writer)))
}

/// Create the file if it is missing, for its owner alone. SQLite gives the files beside it the same mode.
fn create(file: &Path) -> Result<(), Outage> {
    let mut how = std::fs::OpenOptions::new();
    how.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut how, 0o600);
    match how.open(file) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(Outage::store(format_args!("{} cannot be created: {error}", file.display()))),
    }
}

fn unusable(cause: impl std::fmt::Display) -> Outage {
    Outage::store(format_args!("store.url cannot be used: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_of_another_database_is_refused_without_repeating_it() {
        for url in [
            "",
            "mongodb://ada:hunter2@db",
            "postgres://ada:hunter2@db:port/x",
            "sqlite::memory:",
            "sqlite:",
            "sqlite:x?mode=memory",
            "ada:hunter2@db",
        ] {
            let refused = Place::parse(url, Duration::ZERO).unwrap_err().to_string();
            assert!(!refused.contains("hunter2"), "{refused}");
        }
    }
}
