//! The audit log. Whoever adds rows moves the document that holds the head, so that numbers follow one another without a gap, and
//! each row knows the one before.

use async_trait::async_trait;
use mongodb::bson::{Document, doc};
use serde::{Deserialize, Serialize};

use super::Store;
use super::fault::Fault;
use super::indexes::{AUDIT_HEAD, AUDIT_LOG};
use super::link::Link;
use super::query::Query;
use super::transact::{Act, End};
use crate::audit::{Audit, Chain, Event, Head, Order, Record, Wanted};
use crate::clock::Timestamp;
use crate::outage::Outage;

#[async_trait]
impl Audit for Store {
    async fn append(&self, events: &[Event], chain: &Chain) -> Result<Head, Outage> {
        self.carry_out(&Append { events, chain }).await
    }

    async fn newest(&self) -> Result<Head, Outage> {
        let head: Option<Top> = self.ask_one(Query::of(AUDIT_HEAD, the_one()).proven()).await?;
        Ok(head.ok_or(Fault::Headless)?.read())
    }

    async fn walk(&self, after: i64, limit: u32) -> Result<Vec<Record>, Outage> {
        let later = Query::of(AUDIT_LOG, doc! { "_id": { "$gt": after } }).sorted(doc! { "_id": 1 }).at_most(limit);
        self.rows(later).await
    }

    async fn page(&self, wanted: &Wanted) -> Result<Vec<Record>, Outage> {
        let (far, near) = wanted.bounds();
        let (far, at, number) = (far.as_millis(), near.at.as_millis(), near.number);
        let (between, beyond, way) = match wanted.order {
            Order::Newest => (doc! { "$gte": far, "$lte": at }, ("$lt", doc! { "$lt": number }), -1),
            Order::Oldest => (doc! { "$lte": far, "$gte": at }, ("$gt", doc! { "$gt": number }), 1),
        };
        let (further, of_that_moment) = beyond;
        let mut filter = doc! { "happened_at": between, "$or": [{ "happened_at": { further: at } }, { "_id": of_that_moment }] };
        if let Some(account) = &wanted.filter.account {
            filter.insert("account_id", account.as_str());
        }
        if let Some(what) = wanted.filter.what {
            filter.insert("what", what.as_str());
        }
        let order = doc! { "happened_at": way, "_id": way };
        self.rows(Query::of(AUDIT_LOG, filter).sorted(order).at_most(wanted.limit)).await
    }
}

impl Store {
    /// Begin the log, unless it was begun.
    pub(super) async fn begin_audit(&self) -> Result<(), Outage> {
        let nothing = doc! { "number": 0_i64, "mac": "", "seal": "" };
        match self.put(AUDIT_HEAD, the_one(), doc! { "$setOnInsert": nothing }).await {
            Err(fault) if fault.is_taken() => Ok(()),
            begun => Ok(begun.map(drop)?),
        }
    }

    pub(super) async fn is_audit_begun(&self) -> Result<bool, Outage> {
        Ok(self.ask_one::<Document>(Query::of(AUDIT_HEAD, the_one())).await?.is_some())
    }

    async fn rows(&self, query: Query) -> Result<Vec<Record>, Outage> {
        let rows: Vec<Row> = self.ask(query).await?;
        Ok(rows.into_iter().map(Row::read).collect())
    }
}

/// The one document that holds the head.
fn the_one() -> Document {
    doc! { "_id": "head" }
}

/// Add rows at the end, and move the head.
struct Append<'a> {
    events: &'a [Event],
    chain: &'a Chain,
}

#[async_trait]
impl Act for Append<'_> {
    type Answer = Head;

    fn about(&self) -> &str {
        AUDIT_HEAD
    }

    async fn run(&self, link: &mut Link) -> Result<End<Head>, Fault> {
        let before: Option<Top> = link.ask_one(Query::of(AUDIT_HEAD, the_one())).await?;
        let before = before.ok_or(Fault::Headless)?.read();
        let (records, after) = self.chain.extend(&before, self.events);
        if records.is_empty() {
            return Ok(End::Commit(before));
        }
        // The head first: of two at once the later one ends here.
        let moved = doc! { "number": after.number, "mac": &after.mac, "seal": &after.seal };
        if link.update(AUDIT_HEAD, the_one(), doc! { "$set": moved }).await? == 0 {
            return Err(Fault::Headless);
        }
        let rows: Vec<Row> = records.iter().map(Row::of).collect();
        link.insert_all(AUDIT_LOG, &rows).await?;
        Ok(End::Commit(after))
    }
}

#[derive(Deserialize)]
struct Top {
    number: i64,
    mac: String,
    seal: String,
}

impl Top {
    fn read(self) -> Head {
        Head { number: self.number, mac: self.mac, seal: self.seal }
    }
}

#[derive(Serialize, Deserialize)]
struct Row {
    #[serde(rename = "_id")]
    number: i64,
    happened_at: i64,
    who: String,
    who_id: String,
    account_id: String,
    what: String,
    thing: String,
    thing_id: String,
    detail: String,
    outcome: String,
    address: String,
    agent: String,
    request_id: String,
    times: i64,
    mac: String,
}

impl Row {
    fn of(record: &Record) -> Self {
        let record = record.clone();
        Self {
            number: record.number,
            happened_at: record.at.as_millis(),
            who: record.who,
            who_id: record.who_id,
            account_id: record.account,
            what: record.what,
            thing: record.thing,
            thing_id: record.thing_id,
            detail: record.detail,
            outcome: record.outcome,
            address: record.address,
            agent: record.agent,
            request_id: record.request_id,
            times: record.times,
            mac: record.mac,
        }
    }

    fn read(self) -> Record {
        Record {
            number: self.number,
            at: Timestamp::from_millis(self.happened_at),
            who: self.who,
            who_id: self.who_id,
            account: self.account_id,
            what: self.what,
            thing: self.thing,
            thing_id: self.thing_id,
            detail: self.detail,
            outcome: self.outcome,
            address: self.address,
            agent: self.agent,
            request_id: self.request_id,
            times: self.times,
            mac: self.mac,
        }
    }
}
