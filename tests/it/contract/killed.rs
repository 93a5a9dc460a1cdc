//! MongoDB is killed in mid-flow (kill -9), several times: nothing that was acknowledged is lost. A set of one is started again; in
//! a set of three another becomes the primary.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use doorward::id::{AccountId, SessionId, TokenId};
use doorward::revocation::{Act, Entry, Ids, Ledger, Standing, Subject};
use doorward::signin::{Accounts, Sessions};
use doorward::store::Durable;
use doorward::store::mongo::Store;

use super::{HOUR, NOW, account, at, open_mongodb, session};
use crate::support::mongo::{MongoDb, ReplicaSet};
use crate::support::wait;

const WORKERS: u32 = 8;

/// What was acknowledged of one person: each step only after the one before.
#[derive(Debug, Default)]
struct Kept {
    id: String,
    is_added: bool,
    has_begun: bool,
    has_rotated: bool,
    line: Option<Entry>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_before_a_kill_is_there_after_it() {
    let mut server = MongoDb::start();
    let store = open_mongodb(&server.database(), Duration::from_secs(3));

    let interrupted = nothing_is_lost(store, || {
        server.stop();
        server.start_again();
    })
    .await;

    assert!(interrupted > 0, "the kills were noticed");
}

/// The next primary is found within a second: a kill may be noticed by nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_killed_primary_of_three_acknowledged_the_next_one_has() {
    let mut set = ReplicaSet::start();
    let store = open_mongodb(&set.database(), Duration::from_secs(3));

    nothing_is_lost(store, || set.kill_the_primary_and_start_it_again()).await;
}

/// Returns how many did not come to their end.
async fn nothing_is_lost(store: Store, mut kill: impl FnMut()) -> usize {
    store.migrate().await.unwrap();
    let (is_over, steps) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let work = |number| work(number, store.clone(), Arc::clone(&is_over), Arc::clone(&steps));
    let workers: Vec<_> = (0..WORKERS).map(|number| tokio::spawn(work(number))).collect();

    for _ in 0..3 {
        flows(&steps);
        tokio::task::block_in_place(&mut kill);
    }
    flows(&steps);
    is_over.store(true, Ordering::SeqCst);

    let mut kept = Vec::new();
    for worker in workers {
        kept.extend(worker.await.unwrap());
    }
    let interrupted = kept.iter().filter(|kept| kept.line.is_none()).count();
    for kept in &kept {
        is_still_there(&store, kept).await;
    }
    the_ledger_has_no_gap_and_every_line(&store, kept.into_iter().filter_map(|kept| kept.line).collect()).await;
    interrupted
}

/// Waits until two hundred more steps were acknowledged: everybody is in the middle of something.
fn flows(steps: &AtomicU64) {
    let before = steps.load(Ordering::SeqCst);
    let flowing = || steps.load(Ordering::SeqCst) > before + 200;
    tokio::task::block_in_place(|| wait::until_true("acts to be acknowledged", Duration::from_secs(60), flowing));
}

/// Signs up, signs in, refreshes and signs out, one person after the other.
async fn work(number: u32, store: Store, is_over: Arc<AtomicBool>, steps: Arc<AtomicU64>) -> Vec<Kept> {
    let mut all = Vec::new();
    while !is_over.load(Ordering::SeqCst) {
        let mut kept = Kept { id: format!("{number}-{}", all.len()), ..Kept::default() };
        // What fails is an outage, of which nobody knows what came.
        drop(live(&store, &mut kept, &steps).await);
        all.push(kept);
    }
    all
}

async fn live(store: &Store, kept: &mut Kept, steps: &AtomicU64) -> Result<(), doorward::outage::Outage> {
    let id = SessionId::new(&kept.id);
    kept.is_added = Accounts::add(store, &account(&kept.id)).await?;
    assert!(kept.is_added, "each id is tried once");
    steps.fetch_add(1, Ordering::SeqCst);
    kept.has_begun = store.start(&session(&kept.id, &kept.id)).await?;
    assert!(kept.has_begun);
    steps.fetch_add(1, Ordering::SeqCst);
    kept.has_rotated = store.rotate(&id, 1, &format!("{}-2", kept.id), at(NOW + 1), None).await?;
    assert!(kept.has_rotated, "nobody else holds its number");
    steps.fetch_add(1, Ordering::SeqCst);
    let lines = store.commit(&Act::Session(id.clone()), "test", at(NOW + 2), at(NOW + HOUR)).await?;
    kept.line = lines.into_iter().next();
    assert!(kept.line.as_ref().is_some_and(|line| line.subject == Subject::Session(id)), "{:?}", kept.line);
    steps.fetch_add(1, Ordering::SeqCst);
    Ok(())
}

async fn is_still_there(store: &Store, kept: &Kept) {
    let (account, id, token) = (AccountId::new(&kept.id), SessionId::new(&kept.id), TokenId::new("any"));
    if kept.is_added {
        assert!(Accounts::find(store, &account).await.unwrap().is_some(), "{kept:?}");
    }
    if kept.has_begun {
        assert!(Sessions::find(store, &id).await.unwrap().is_some(), "{kept:?}");
        assert!(store.family(&format!("{}-1", kept.id)).await.unwrap().is_some(), "{kept:?}");
    }
    if kept.has_rotated {
        let spent = store.family(&format!("{}-1", kept.id)).await.unwrap().unwrap();
        assert_eq!((spent.newest, spent.presented, spent.spent_at), (2, 1, Some(at(NOW + 1))), "{kept:?}");
        let newest = store.family(&format!("{}-2", kept.id)).await.unwrap().unwrap();
        assert_eq!((newest.newest, newest.presented, newest.spent_at), (2, 2, None), "{kept:?}");
    }
    if kept.line.is_some() {
        assert_eq!(Sessions::find(store, &id).await.unwrap().unwrap().ended_at, Some(at(NOW + 2)), "{kept:?}");
        let ids = Ids { token: &token, session: &id, account: &account, revision: 0 };
        assert_eq!(store.revoked(ids, at(NOW + 2)).await.unwrap(), Standing::Revoked, "{kept:?}");
    }
}

/// Lines whose acknowledgement got lost are there too: what matters is that none is missing.
async fn the_ledger_has_no_gap_and_every_line(store: &Store, acknowledged: Vec<Entry>) {
    let head = store.head().await.unwrap().number;
    let lines = store.since(0, at(NOW), 1_000_000).await.unwrap();

    let numbers: Vec<i64> = lines.iter().map(|line| line.number).collect();
    assert_eq!(numbers, (1..=head).collect::<Vec<_>>());
    assert!(acknowledged.len() > 100, "{}", acknowledged.len());
    for line in acknowledged {
        let place = usize::try_from(line.number - 1).unwrap();
        assert_eq!(lines.get(place), Some(&line));
    }
}
