//! The cable is pulled: the store says so at once, and comes back by itself.

use std::time::{Duration, Instant};

use doorward::id::AccountId;
use doorward::signin::{Accounts, Sessions};
use doorward::store::Durable;

#[cfg(feature = "mongodb")]
use super::open_mongodb;
use super::{Database, Fresh, account, at_once, open, session};
use crate::support::mariadb::MariaDb;
#[cfg(feature = "mongodb")]
use crate::support::mongo::MongoDb;
use crate::support::postgres::Postgres;
use crate::support::wait;

/// The timeout of a store whose server falls silent: the longest that anybody waits.
const TIMEOUT: Duration = Duration::from_secs(3);

/// The timeout of a store whose server is gone: nobody waits that long, for everybody knows.
const LONG: Duration = Duration::from_secs(30);

/// What is asked of a store here.
trait Promised: Durable + Clone + 'static {}

impl<S: Durable + Clone + 'static> Promised for S {}

/// For what must be quick, on a machine that does many things at once.
const SOON: Duration = Duration::from_millis(2500);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_is_stopped_and_comes_back() {
    let mut server = Postgres::start();
    let store = used(open(&server.database(), LONG)).await;

    server.stop();
    is_out_and_says_so_at_once(&store).await;
    server.start_again();
    comes_back(&store).await;

    // A restart while nobody asks is noticed by nobody.
    server.stop();
    server.start_again();
    is_whole(&store, "unnoticed").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_is_paused_and_comes_back() {
    let mut server = Postgres::start();
    let store = used(open(&server.database(), TIMEOUT)).await;

    server.pause();
    answers_within_the_timeout(&store).await;
    server.resume();

    comes_back(&store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb_is_stopped_and_comes_back() {
    let mut server = MariaDb::start();
    let store = used(open(&server.database(), LONG)).await;

    server.stop();
    is_out_and_says_so_at_once(&store).await;
    server.start_again();
    comes_back(&store).await;

    // A restart while nobody asks is noticed by nobody.
    server.stop();
    server.start_again();
    is_whole(&store, "unnoticed").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mariadb_is_paused_and_comes_back() {
    let mut server = MariaDb::start();
    let store = used(open(&server.database(), TIMEOUT)).await;

    server.pause();
    answers_within_the_timeout(&store).await;
    server.resume();

    comes_back(&store).await;
}

#[cfg(feature = "mongodb")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mongodb_is_killed_and_comes_back() {
    let mut server = MongoDb::start();
    let store = used(open_mongodb(&server.database(), LONG)).await;

    server.stop();
    is_out_and_says_so_at_once(&store).await;
    server.start_again();
    comes_back(&store).await;

    // A restart while nobody asks is noticed by nobody.
    server.stop();
    server.start_again();
    is_whole(&store, "unnoticed").await;
}

#[cfg(feature = "mongodb")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mongodb_is_paused_and_comes_back() {
    let mut server = MongoDb::start();
    let store = used(open_mongodb(&server.database(), TIMEOUT)).await;

    server.pause();
    answers_within_the_timeout(&store).await;
    server.resume();

    comes_back(&store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sqlite_file_that_another_process_holds_is_waited_for_and_then_out() {
    let fresh = Fresh::new(Database::Sqlite).await;
    let store = open(&fresh.url, Duration::from_millis(300));
    let other = sqlx::SqlitePool::connect(&fresh.url).await.unwrap();
    let held = other.begin_with("BEGIN IMMEDIATE").await.unwrap();

    store.add(&account("ada")).await.unwrap_err();
    store.start(&session("one", "ada")).await.unwrap_err();
    assert_eq!(Accounts::find(&store, &AccountId::new("ada")).await.unwrap(), None, "reading goes on");

    held.rollback().await.unwrap();
    wait::until_async("the store to write again", Duration::from_secs(20), async || {
        store.add(&account("grace")).await.ok().filter(|added| *added)
    })
    .await;
    assert_eq!(Accounts::find(&store, &AccountId::new("ada")).await.unwrap(), None, "what was out was not done later");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_was_never_there_is_an_outage_and_no_panic() {
    for url in ["postgres://ada:hunter2@127.0.0.1:1/x", "mysql://ada:hunter2@127.0.0.1:1/x"] {
        let store = open(url, TIMEOUT);

        let outage = store.ping().await.unwrap_err().to_string();

        assert!(!outage.contains("hunter2"), "{outage}");
        store.migrate().await.unwrap_err();
        store.pending_migrations().await.unwrap_err();
    }
}

#[cfg(feature = "mongodb")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mongodb_that_was_never_there_is_an_outage_and_no_panic() {
    let store = open_mongodb("mongodb://ada:hunter2@127.0.0.1:1/x", TIMEOUT);

    let outage = store.ping().await.unwrap_err().to_string();

    assert!(!outage.contains("hunter2"), "{outage}");
    store.migrate().await.unwrap_err();
    store.pending_migrations().await.unwrap_err();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_act_that_is_cancelled_half_way_leaves_nothing_behind() {
    for database in [Database::Sqlite, Database::Postgres, Database::MariaDb] {
        nothing_is_left_of_what_is_cancelled(&Fresh::new(database).await).await;
    }
    #[cfg(feature = "mongodb")]
    nothing_is_left_of_what_is_cancelled(&Fresh::in_mongodb().await).await;
}

async fn nothing_is_left_of_what_is_cancelled<S: Promised>(fresh: &Fresh<S>) {
    let (store, database) = (&fresh.store, fresh.database);
    Accounts::add(store, &account("ada")).await.unwrap();

    // Each is dropped a little later than the one before, wherever it may be then.
    for number in 0_u64..60 {
        let new = session(&format!("cancelled-{number}"), "ada");
        let begun = tokio::time::timeout(Duration::from_micros(100 * number), store.start(&new)).await;
        drop(begun);
    }

    let id = session("after", "ada").session.id;
    assert!(store.start(&session("after", "ada")).await.unwrap(), "{database:?}");
    assert!(Sessions::find(store, &id).await.unwrap().is_some(), "{database:?}");
    for number in 0..60 {
        let id = format!("cancelled-{number}");
        let stored = Sessions::find(store, &session(&id, "ada").session.id).await.unwrap().is_some();
        let family = store.family(&format!("{id}-1")).await.unwrap().is_some();
        assert_eq!(stored, family, "{database:?}: both or neither");
    }
}

/// A store whose connections have all been in use.
async fn used<S: Promised>(store: S) -> S {
    store.migrate().await.unwrap();
    let added = at_once(20, |number| {
        let store = store.clone();
        async move { Accounts::add(&store, &account(&format!("id-{number}"))).await.unwrap() }
    })
    .await;
    assert!(added.into_iter().all(|added| added));
    store
}

async fn is_out_and_says_so_at_once<S: Promised>(store: &S) {
    let took = at_once(400, |_| {
        let store = store.clone();
        async move {
            let asked = Instant::now();
            Accounts::find(&store, &AccountId::new("id-1")).await.unwrap_err();
            asked.elapsed()
        }
    })
    .await;
    let longest = took.into_iter().max().unwrap();
    assert!(longest < SOON, "took {longest:?}");

    let asked = Instant::now();
    Accounts::add(store, &account("late")).await.unwrap_err();
    store.ping().await.unwrap_err();
    assert!(asked.elapsed() < 2 * SOON, "took {:?}", asked.elapsed());
}

async fn answers_within_the_timeout<S: Promised>(store: &S) {
    for _ in 0..2 {
        let asked = Instant::now();
        store.start(&session("one", "id-1")).await.unwrap_err();
        assert!(asked.elapsed() < TIMEOUT + Duration::from_secs(1), "took {:?}", asked.elapsed());
    }
}

async fn comes_back<S: Promised>(store: &S) {
    let id = AccountId::new("id-1");
    wait::until_async("the store to come back", Duration::from_secs(10), async || Accounts::find(store, &id).await.ok()).await;

    is_whole(store, "back").await;
}

/// Every connection is good.
async fn is_whole<S: Promised>(store: &S, prefix: &str) {
    let all = at_once(20, |number| {
        let (store, id) = (store.clone(), format!("{prefix}-{number}"));
        async move { store.start(&session(&id, "id-1")).await.unwrap() }
    })
    .await;
    assert!(all.into_iter().all(|begun| begun));
}
