//! How an act is carried out: within one deadline, in one transaction, and again when two got in each other's way.

use std::time::{Duration, Instant};

use async_trait::async_trait;

use super::Store;
use super::fault::Fault;
use super::link::{Link, Row, Value};
use super::pool::Pool;
use super::statements::SWEPT;
use crate::clock::Timestamp;
use crate::outage::Outage;
use crate::store::pace;

/// How often an act is tried before others that are always faster make it an outage.
const TRIES: u32 = 20;

/// Several things that are done all or not at all.
#[async_trait]
pub(super) trait Act: Sync {
    /// What it answers.
    type Answer: Send;

    /// Do them, in the transaction that is open on `link`.
    async fn run(&self, link: &mut Link) -> Result<End<Self::Answer>, Fault>;
}

/// How an act ends, and what it answers.
pub(super) enum End<T> {
    /// Keep what was done.
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
    pub(super) async fn ask(&self, sql: &'static str, values: &[Value]) -> Result<Vec<Row>, Outage> {
        within(self.timeout, async { self.readers.link().await?.fetch(sql, values).await }).await.map_err(Outage::from)
    }

    /// Ask something that has one row for an answer, or none.
    pub(super) async fn ask_one(&self, sql: &'static str, values: &[Value]) -> Result<Option<Row>, Outage> {
        Ok(self.ask(sql, values).await?.into_iter().next())
    }

    /// Change something with one statement, which is a transaction of its own. Returns how many rows there were to change.
    pub(super) async fn change(&self, sql: &'static str, values: &[Value]) -> Result<u64, Fault> {
        within(self.timeout, change(&self.writers, sql, values)).await
    }

    /// Do several things, all or none.
    pub(super) async fn carry_out<A: Act>(&self, act: &A) -> Result<A::Answer, Outage> {
        within(self.timeout, carry_out(&self.writers, act)).await.map_err(Outage::from)
    }

    /// The same; none when something that must be unique is taken, and nothing was done.
    pub(super) async fn carry_out_unless_taken<A: Act>(&self, act: &A) -> Result<Option<A::Answer>, Outage> {
        match within(self.timeout, carry_out(&self.writers, act)).await {
            Err(fault) if fault.is_taken() => Ok(None),
            done => Ok(done.map(Some)?),
        }
    }

    /// Delete what ended before a moment, some rows at a time, resting in between. Returns how many.
    pub(super) async fn sweep_all(&self, sql: &'static str, moment: Timestamp) -> Result<u64, Outage> {
        let mut swept = 0_u64;
        loop {
            let began = Instant::now();
            let some = self.change(sql, &[moment.into()]).await?;
            swept = swept.saturating_add(some);
            if some < SWEPT {
                return Ok(swept);
            }
            pace::give_way(began.elapsed()).await;
        }
    }
}

async fn within<T>(timeout: Duration, work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    tokio::time::timeout(timeout, work).await.unwrap_or(Err(Fault::Late))
}

async fn change(pool: &Pool, sql: &'static str, values: &[Value]) -> Result<u64, Fault> {
    for _ in 1..TRIES {
        match pool.link().await?.execute(sql, values).await {
            Err(fault) if fault.is_transient() => {}
            done => return done,
        }
    }
    pool.link().await?.execute(sql, values).await
}

async fn carry_out<A: Act>(pool: &Pool, act: &A) -> Result<A::Answer, Fault> {
    for _ in 1..TRIES {
        match transact(pool, act).await {
            Err(fault) if fault.is_transient() => {}
            done => return done,
        }
    }
    transact(pool, act).await
}

async fn transact<A: Act>(pool: &Pool, act: &A) -> Result<A::Answer, Fault> {
    let mut link = pool.link().await?;
    link.begin().await?;
    match act.run(&mut link).await {
        Ok(End::Commit(answer)) => link.commit().await.map(|()| answer),
        Ok(End::RollBack(answer)) => link.roll_back().await.map(|()| answer),
        Err(fault) if fault.is_answer() => {
            // A connection that cannot even do this is closed; the first fault is the one that tells.
            drop(link.roll_back().await);
            Err(fault)
        }
        Err(fault) => Err(fault),
    }
}
