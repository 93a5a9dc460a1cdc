//! The audit log. Whoever adds rows holds the lock of the one row that holds the head, so that numbers follow one another
//! without a gap, and each row knows the one before.

use async_trait::async_trait;
use serde_json::{Value as Json, json};

use super::Store;
use super::fault::Fault;
use super::link::{Link, Row, Value};
use super::statements::Statements;
use super::transact::{Act, End};
use crate::audit::{Audit, Chain, Event, Filter, Head, Order, Record, Wanted, What};
use crate::id::AccountId;
use crate::outage::Outage;

#[async_trait]
impl Audit for Store {
    async fn append(&self, events: &[Event], chain: &Chain) -> Result<Head, Outage> {
        self.carry_out(&Append { events, chain }).await
    }

    async fn newest(&self) -> Result<Head, Outage> {
        let row = self.ask_one(self.readers.sql.audit_head, &[]).await?;
        Ok(head(row)?)
    }

    async fn walk(&self, after: i64, limit: u32) -> Result<Vec<Record>, Outage> {
        let rows = self.ask(self.readers.sql.audit_rows_after, &[after.into(), limit.into()]).await?;
        Ok(rows.iter().map(record).collect::<Result<_, _>>()?)
    }

    async fn page(&self, wanted: &Wanted) -> Result<Vec<Record>, Outage> {
        let (far, near) = wanted.bounds();
        let bounds = [far.into(), near.at.into(), near.at.into(), near.number.into(), wanted.limit.into()];
        let values: Vec<Value> = which(&wanted.filter).into_iter().map(Value::from).chain(bounds).collect();
        let rows = self.ask(page(self.readers.sql, wanted), &values).await?;
        Ok(rows.iter().map(record).collect::<Result<_, _>>()?)
    }
}

/// What a filter compares with: the column that an index begins with twice.
fn which(filter: &Filter) -> Vec<&str> {
    match (filter.account.as_ref().map(AccountId::as_str), filter.what.map(What::as_str)) {
        (None, None) => Vec::new(),
        (Some(account), None) => vec![account, account],
        (None, Some(what)) => vec![what, what],
        (Some(account), Some(what)) => vec![account, account, what],
    }
}

const fn page(sql: &Statements, wanted: &Wanted) -> &'static str {
    match (wanted.order, wanted.filter.account.is_some(), wanted.filter.what.is_some()) {
        (Order::Newest, false, false) => sql.newest_audit_rows,
        (Order::Newest, true, false) => sql.newest_audit_rows_of_account,
        (Order::Newest, false, true) => sql.newest_audit_rows_of_what,
        (Order::Newest, true, true) => sql.newest_audit_rows_of_account_and_what,
        (Order::Oldest, false, false) => sql.oldest_audit_rows,
        (Order::Oldest, true, false) => sql.oldest_audit_rows_of_account,
        (Order::Oldest, false, true) => sql.oldest_audit_rows_of_what,
        (Order::Oldest, true, true) => sql.oldest_audit_rows_of_account_and_what,
    }
}

/// Add rows at the end, and move the head.
struct Append<'a> {
    events: &'a [Event],
    chain: &'a Chain,
}

#[async_trait]
impl Act for Append<'_> {
    type Answer = Head;

    async fn run(&self, link: &mut Link) -> Result<End<Head>, Fault> {
        let before = head(link.fetch_one(link.sql.lock_audit_head, &[]).await?)?;
        let (records, after) = self.chain.extend(&before, self.events);
        if records.is_empty() {
            return Ok(End::RollBack(before));
        }
        let rows = records.iter().map(cells).collect::<Json>().to_string();
        link.execute(link.sql.add_audit_rows, &[(&rows).into()]).await?;
        link.execute(link.sql.move_audit_head, &[after.number.into(), (&after.mac).into(), (&after.seal).into()]).await?;
        Ok(End::Commit(after))
    }
}

fn head(row: Option<Row>) -> Result<Head, Fault> {
    let row = row.ok_or(Fault::Headless)?;
    Ok(Head { number: row.int("number")?, mac: row.text("mac")?, seal: row.text("seal")? })
}

/// In the order of the columns.
fn cells(record: &Record) -> Json {
    json!([
        record.number,
        record.at.as_millis(),
        record.who,
        record.who_id,
        record.account,
        record.what,
        record.thing,
        record.thing_id,
        record.detail,
        record.outcome,
        record.address,
        record.agent,
        record.request_id,
        record.times,
        record.mac,
    ])
}

fn record(row: &Row) -> Result<Record, Fault> {
    Ok(Record {
        number: row.int("number")?,
        at: row.time("happened_at")?,
        who: row.text("who")?,
        who_id: row.text("who_id")?,
        account: row.text("account_id")?,
        what: row.text("what")?,
        thing: row.text("thing")?,
        thing_id: row.text("thing_id")?,
        detail: row.text("detail")?,
        outcome: row.text("outcome")?,
        address: row.text("address")?,
        agent: row.text("agent")?,
        request_id: row.text("request_id")?,
        times: row.int("times")?,
        mac: row.text("mac")?,
    })
}
