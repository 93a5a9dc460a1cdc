//! Databases are brought up to date by any number of nodes at once, in steps of the same names.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use doorward::revocation::Ledger;
use doorward::store::Durable;

use super::{Database, Fresh, at_once, on_each_database};

on_each_database!(nothing_is_left_to_do_afterwards, a_ledger_keeps_its_name);

const DATABASES: [Database; 3] = [Database::Sqlite, Database::Postgres, Database::MariaDb];

#[test]
fn migrations_have_the_same_names_for_every_database() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for database in std::fs::read_dir(&folder).unwrap().flatten() {
        let files = std::fs::read_dir(database.path()).unwrap().flatten();
        let mut files: Vec<String> = files.map(|file| file.file_name().into_string().unwrap()).collect();
        files.sort();
        names.insert(database.file_name().into_string().unwrap(), files);
    }

    assert_eq!(names.keys().collect::<Vec<_>>(), ["mysql", "postgres", "sqlite"]);
    assert_eq!(names["mysql"], names["sqlite"]);
    assert_eq!(names["postgres"], names["sqlite"]);
    // Numbers may be left out: several changes are written at once.
    let numbers: Vec<u32> = names["sqlite"].iter().map(|name| name[..4].parse().unwrap()).collect();
    assert!(numbers.is_sorted_by(|one, next| one < next), "a number is there twice: {numbers:?}");
    assert!(names["sqlite"].iter().all(|name| name[4..].starts_with('_')));
    let numbers: Vec<u32> = names["sqlite"].iter().map(|name| name.split('_').next().unwrap().parse().unwrap()).collect();
    assert!(numbers.is_sorted_by(|before, after| before < after), "each number once: {numbers:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_file_is_in_the_program() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite");
    let files = std::fs::read_dir(folder).unwrap().flatten();
    let mut files: Vec<String> = files.map(|file| file.file_name().into_string().unwrap().replace(".sql", "")).collect();
    files.sort();

    for database in DATABASES {
        let pending = Fresh::empty(database).store.pending_migrations().await.unwrap();
        assert_eq!(pending, files, "{database:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_nodes_may_start_on_an_empty_database_at_once() {
    for database in DATABASES {
        eight_nodes_start_at_once(&Fresh::empty(database)).await;
    }
    #[cfg(feature = "mongodb")]
    eight_nodes_start_at_once(&Fresh::empty_in_mongodb()).await;
}

/// SQLite turns away at once who changes a file's mode while another writes: two nodes that begin with one new file.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_file_that_another_node_writes_is_waited_for() {
    let fresh = Fresh::empty(Database::Sqlite);
    let pool = sqlx::SqlitePool::connect(&fresh.url).await.unwrap();
    let mut writer = pool.acquire().await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut *writer).await.unwrap();

    let node = fresh.node();
    let mut migrating = tokio::spawn(async move { node.migrate().await });
    let early = tokio::time::timeout(Duration::from_millis(300), &mut migrating).await;
    assert!(early.is_err(), "it waits for its turn: {early:?}");

    sqlx::raw_sql("COMMIT").execute(&mut *writer).await.unwrap();
    migrating.await.unwrap().unwrap();
}

async fn eight_nodes_start_at_once<S: Durable + 'static>(fresh: &Fresh<S>) {
    let heads = at_once(8, |_| {
        let node = fresh.node();
        async move {
            node.migrate().await.unwrap();
            node.head().await.unwrap()
        }
    })
    .await;

    assert!(heads.iter().all(|head| *head == heads[0]), "{:?}: one ledger, named once", fresh.database);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_was_never_brought_up_to_date_is_an_outage() {
    for database in DATABASES {
        has_no_ledger_yet(&Fresh::empty(database)).await;
    }
    #[cfg(feature = "mongodb")]
    has_no_ledger_yet(&Fresh::empty_in_mongodb()).await;
}

async fn has_no_ledger_yet<S: Durable>(fresh: &Fresh<S>) {
    fresh.store.ping().await.unwrap();
    fresh.store.head().await.unwrap_err();
    assert!(!fresh.store.pending_migrations().await.unwrap().is_empty());
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sqlite_file_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;

    let fresh = Fresh::new(Database::Sqlite).await;

    let folder = Path::new(fresh.url.trim_start_matches("sqlite:")).parent().unwrap();
    for file in std::fs::read_dir(folder).unwrap().flatten() {
        let mode = file.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", file.file_name());
    }
}

async fn nothing_is_left_to_do_afterwards<S: Durable>(fresh: &Fresh<S>) {
    assert_eq!(fresh.store.pending_migrations().await.unwrap(), Vec::<String>::new());
    fresh.store.migrate().await.unwrap();
    fresh.store.ping().await.unwrap();
}

async fn a_ledger_keeps_its_name<S: Durable>(fresh: &Fresh<S>) {
    let head = fresh.store.head().await.unwrap();
    fresh.store.migrate().await.unwrap();

    assert_eq!(fresh.store.head().await.unwrap(), head);
    assert_ne!(Fresh::new(Database::Sqlite).await.store.head().await.unwrap().ledger, head.ledger);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_ahead_is_left_as_it_is() {
    for database in DATABASES {
        let fresh = Fresh::new(database).await;
        fresh.sql("UPDATE _sqlx_migrations SET version = 9999 WHERE version = 15").await;

        assert_eq!(fresh.store.pending_migrations().await.unwrap(), ["0015_pending_sign_ins"]);
        fresh.sql("UPDATE _sqlx_migrations SET version = 15 WHERE version = 9999").await;
        fresh
            .sql("INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'later', TRUE, '', 0)")
            .await;

        fresh.store.migrate().await.unwrap();
        assert_eq!(fresh.store.pending_migrations().await.unwrap(), Vec::<String>::new());
    }
}
