//! How an act is carried out: within one deadline, in one transaction, and again when two got in each other's way.

use std::marker::PhantomData;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use mongodb::bson::{Bson, Document, doc};
use mongodb::options::ReturnDocument;
use mongodb::{Collection, Cursor};
use serde::Serialize;

use super::Store;
use super::fault::Fault;
use super::link::{Link, Read};
use super::query::Query;
use crate::outage::Outage;
use crate::store::pace;

/// How many documents a sweep deletes in one step.
const SWEPT: u32 = 100;

/// The longest that who lost a race waits before the next try.
const LONGEST: Duration = Duration::from_millis(64);

/// Several things that are done all or not at all.
#[async_trait]
pub(super) trait Act: Sync {
    /// What it answers.
    type Answer: Send;

    /// What others would get in the way of: acts about the same wait for one another.
    fn about(&self) -> &str;

    /// Do them, in the transaction that is open on `link`.
    async fn run(&self, link: &mut Link) -> Result<End<Self::Answer>, Fault>;
}

/// How an act ends, and what it answers.
pub(super) enum End<T> {
    /// Keep what was done; what was read is durable too, when it is answered.
    Commit(T),
    /// As if nothing had been done.
    RollBack(T),
}

impl<T> End<T> {
    /// The same end, with another answer.
    pub(super) fn map<U>(self, answer: impl FnOnce(T) -> U) -> End<U> {
        match self {
            Self::Commit(it) => End::Commit(answer(it)),
            Self::RollBack(it) => End::RollBack(answer(it)),
        }
    }
}

impl Store {
    /// Ask something, in one round trip.
    pub(super) async fn ask<T: Read>(&self, query: Query) -> Result<Vec<T>, Outage> {
        if query.limit == Some(0) {
            return Ok(Vec::new());
        }
        let is_proven = query.is_proven;
        Ok(if is_proven { self.prove(&Proven(query, PhantomData)).await? } else { self.within(self.read(query)).await? })
    }

    /// Ask something that has one document for an answer, or none.
    pub(super) async fn ask_one<T: Read>(&self, query: Query) -> Result<Option<T>, Outage> {
        Ok(self.ask(query.at_most(1)).await?.into_iter().next())
    }

    /// Keep a new document.
    pub(super) async fn insert<T: Serialize + Send + Sync>(&self, into: &'static str, document: &T) -> Result<(), Fault> {
        self.within(async {
            self.database.collection::<T>(into).insert_one(document).await?;
            Ok(())
        })
        .await
    }

    /// Change one document. Returns how many there were to change: one or none.
    pub(super) async fn update(&self, of: &'static str, filter: Document, change: Document) -> Result<u64, Fault> {
        self.within(async { Ok(self.documents(of).update_one(filter, change).await?.matched_count) }).await
    }

    /// Change one document, or make it. Returns how many there were to change: one or none.
    pub(super) async fn put(&self, into: &'static str, filter: Document, change: Document) -> Result<u64, Fault> {
        self.within(async { Ok(self.documents(into).update_one(filter, change).upsert(true).await?.matched_count) }).await
    }

    /// Change one document, and read what became of it.
    pub(super) async fn change<T: Read>(&self, of: &'static str, filter: Document, change: Document) -> Result<Option<T>, Fault> {
        let collection: Collection<T> = self.database.collection(of);
        let changed = collection.find_one_and_update(filter, change);
        self.within(async { Ok(changed.return_document(ReturnDocument::After).await?) }).await
    }

    /// Delete one document. Returns how many there were to delete: one or none.
    pub(super) async fn delete(&self, from: &'static str, filter: Document) -> Result<u64, Fault> {
        self.within(async { Ok(self.documents(from).delete_one(filter).await?.deleted_count) }).await
    }

    /// Delete all documents that fit. Returns how many there were.
    pub(super) async fn delete_all(&self, from: &'static str, filter: Document) -> Result<u64, Fault> {
        self.within(async { Ok(self.documents(from).delete_many(filter).await?.deleted_count) }).await
    }

    /// Do several things, all or none.
    pub(super) async fn carry_out<A: Act>(&self, act: &A) -> Result<A::Answer, Outage> {
        Ok(self.within(self.repeat(act)).await?)
    }

    /// The same; none when something that must be unique is taken, and nothing was done.
    pub(super) async fn carry_out_unless_taken<A: Act>(&self, act: &A) -> Result<Option<A::Answer>, Outage> {
        match self.within(self.repeat(act)).await {
            Err(fault) if fault.is_taken() => Ok(None),
            done => Ok(done.map(Some)?),
        }
    }

    /// Read several things at one moment, proven. `act` changes nothing, and so waits for nobody.
    ///
    /// The server ends a transaction that has only read with an entry in its log, and answers when a majority has that: a primary
    /// that was deposed cannot.
    pub(super) async fn prove<A: Act>(&self, act: &A) -> Result<A::Answer, Outage> {
        Ok(self.within(self.until_done(act)).await?)
    }

    /// Delete what fits, some documents at a time, resting in between. Returns how many.
    pub(super) async fn sweep_all(&self, from: &'static str, filter: Document) -> Result<u64, Outage> {
        let mut swept = 0_u64;
        loop {
            let began = Instant::now();
            let ids = self.some_ids(from, &filter).await?;
            let is_last = ids.len() < usize::try_from(SWEPT).unwrap_or(usize::MAX);
            if !ids.is_empty() {
                let some = doc! { "$and": [{ "_id": { "$in": ids } }, filter.clone()] };
                swept = swept.saturating_add(self.delete_all(from, some).await?);
            }
            if is_last {
                return Ok(swept);
            }
            pace::give_way(began.elapsed()).await;
        }
    }

    /// The ids of some documents that fit, at most as many as a sweep deletes in one step.
    pub(super) async fn some_ids(&self, from: &'static str, filter: &Document) -> Result<Vec<Bson>, Outage> {
        let found: Vec<Id> = self.ask(Query::of(from, filter.clone()).at_most(SWEPT)).await?;
        Ok(found.into_iter().map(|found| found.id).collect())
    }

    async fn read<T: Read>(&self, query: Query) -> Result<Vec<T>, Fault> {
        let Query { from, filter, sort, limit, is_proven: _ } = query;
        let collection: Collection<T> = self.database.collection(from);
        let find = collection.find(filter).sort(sort).limit(limit.map_or(0, i64::from));
        let mut cursor: Cursor<T> = find.max_time(self.timeout).await?;
        let mut all = Vec::new();
        while cursor.advance().await? {
            all.push(cursor.deserialize_current()?);
        }
        Ok(all)
    }

    /// When it is our turn.
    async fn repeat<A: Act>(&self, act: &A) -> Result<A::Answer, Fault> {
        let _turn = self.queue.turn(act.about()).await?;
        // Who waited learns what those before have found out.
        self.breaker.check()?;
        self.until_done(act).await
    }

    /// In one transaction, and in another when it was undone, until it is done or the time is up. A server that is gone gets a
    /// second chance and no third: it may have been restarted since we last talked.
    async fn until_done<A: Act>(&self, act: &A) -> Result<A::Answer, Fault> {
        let began = Instant::now();
        let mut tries = 0_u32;
        let mut was_gone = false;
        loop {
            match self.transact(act).await {
                Err(fault) if fault.is_gone() && !was_gone => was_gone = true,
                Err(fault) if fault.is_gone() => return Err(fault),
                Err(fault) if fault.is_transient() => {
                    tokio::time::sleep(pause(tries, began.elapsed())).await;
                    tries = tries.saturating_add(1);
                }
                done => return done,
            }
        }
    }

    async fn transact<A: Act>(&self, act: &A) -> Result<A::Answer, Fault> {
        let mut link = Link::begin(&self.database).await?;
        match act.run(&mut link).await {
            Ok(End::Commit(answer)) => link.commit().await.map(|()| answer),
            Ok(End::RollBack(answer)) => link.roll_back().await.map(|()| answer),
            Err(fault) if fault.is_gone() => Err(fault),
            Err(fault) => {
                // Most faults have ended the transaction; the first fault is the one that tells.
                drop(link.roll_back().await);
                Err(fault)
            }
        }
    }

    /// Within the deadline, unless nobody answered a moment ago.
    pub(super) async fn within<T>(&self, work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
        self.breaker.check()?;
        let done = tokio::time::timeout(self.timeout, work).await.unwrap_or(Err(Fault::Late));
        match &done {
            Err(fault) if fault.is_gone() => self.breaker.trip(fault),
            Err(_) => {}
            Ok(_) => self.breaker.reset(),
        }
        done
    }

    pub(super) fn documents(&self, name: &'static str) -> Collection<Document> {
        self.database.collection(name)
    }
}

/// A question that is asked in a transaction, for what it proves.
struct Proven<T>(Query, PhantomData<fn() -> T>);

#[async_trait]
impl<T: Read> Act for Proven<T> {
    type Answer = Vec<T>;

    fn about(&self) -> &str {
        self.0.from
    }

    async fn run(&self, link: &mut Link) -> Result<End<Vec<T>>, Fault> {
        Ok(End::Commit(link.ask(self.0.clone()).await?))
    }
}

/// What a sweep reads of a document.
#[derive(serde::Deserialize)]
struct Id {
    #[serde(rename = "_id")]
    id: Bson,
}

/// How long to wait before the next try: longer each time, and not the same for all who lost at once.
fn pause(tries: u32, elapsed: Duration) -> Duration {
    let longest = Duration::from_millis(1).saturating_mul(2_u32.saturating_pow(tries)).min(LONGEST);
    let chance = elapsed.subsec_nanos() % 1000;
    longest / 2 + longest / 2 * chance / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_loses_again_and_again_waits_longer_up_to_a_bound() {
        let shortest = Duration::from_nanos(5_000);
        let longest = Duration::from_nanos(5_999);
        assert_eq!(pause(0, shortest), Duration::from_micros(500));
        assert!(pause(3, longest) > pause(3, shortest));
        assert!(pause(4, shortest) + Duration::from_millis(1) > pause(3, longest));
        for tries in [6, 7, 31, 32, u32::MAX] {
            assert!(pause(tries, longest) <= LONGEST && pause(tries, shortest) >= LONGEST / 2, "{tries}");
        }
    }
}
