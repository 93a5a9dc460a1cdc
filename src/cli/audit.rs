//! `doorward audit`: who did what.

use std::io::{self, BufWriter, Write};

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::{ConfigFile, Failed, desk, print};
use crate::audit::{self, Cursor, Filter, Order, Record, Verdict, Wanted, What};
use crate::boot::Core;
use crate::clock::Timestamp;
use crate::config::duration;
use crate::id::AccountId;

/// Rows that are read at once.
const PAGE: u32 = 1000;

/// Rows of a table, unless more are asked for.
const SHOWN: u32 = 100;

#[derive(Debug, Subcommand)]
pub(super) enum Audit {
    /// List what happened, or walk over the whole log and say whether it was altered
    List(List),
}

#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    file: ConfigFile,
    /// What concerns this account: an address of it, its user name or its id
    #[arg(long, value_name = "HANDLE|ID", allow_hyphen_values = true)]
    account: Option<String>,
    /// What happened, as `session_begun`
    #[arg(long, value_name = "WORD", value_parser = what)]
    what: Option<What>,
    /// Not before: a date, a moment (2026-01-31T12:00:00Z), or how long ago (24h)
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    since: Option<When>,
    /// Before
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    until: Option<When>,
    /// From which end
    #[arg(long, value_enum, default_value = "newest")]
    order: End,
    /// At most so many rows [default: 100; all with --json]
    #[arg(long, value_name = "N")]
    limit: Option<u32>,
    /// Go on after the row at which a list ended
    #[arg(long, alias = "after", value_name = "CURSOR", value_parser = cursor)]
    cursor: Option<Cursor>,
    /// Print JSON, a line for each row, as many as there are
    #[arg(long)]
    json: bool,
    /// Walk over the whole log: is every row as it was written, and none missing?
    #[arg(long, conflicts_with_all = ["account", "what", "since", "until", "limit", "cursor", "order"])]
    verify: bool,
    /// With --verify: a row that was noted earlier, as `--verify` and the program's own log tell it
    #[arg(long, value_name = "NUMBER:CODE", requires = "verify", value_parser = noted)]
    expect: Option<(i64, String)>,
}

/// From which end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum End {
    /// The newest first
    Newest,
    /// The oldest first
    Oldest,
}

/// A moment, or how long ago it is.
#[derive(Debug, Clone, Copy)]
enum When {
    At(Timestamp),
    Ago(std::time::Duration),
}

impl When {
    fn before(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(moment) => moment,
            Self::Ago(span) => now.minus(span),
        }
    }
}

fn what(word: &str) -> Result<What, String> {
    let all = || What::ALL.iter().map(|what| what.as_str()).collect::<Vec<_>>().join(", ");
    What::parse(word).ok_or_else(|| format!("it is one of {}", all()))
}

fn moment(text: &str) -> Result<When, String> {
    let moment = Timestamp::parse(text).map(When::At).or_else(|| duration::parse(text).map(When::Ago));
    moment.ok_or_else(|| "write 2026-01-31, 2026-01-31T12:00:00Z, or how long ago: 30m, 24h, 7d".to_owned())
}

fn cursor(text: &str) -> Result<Cursor, String> {
    Cursor::parse(text).ok_or_else(|| "it is what an earlier list has ended with".to_owned())
}

fn noted(text: &str) -> Result<(i64, String), String> {
    let parts = text.split_once(':').and_then(|(number, code)| Some((number.parse().ok()?, code.to_owned())));
    parts.filter(|(number, code)| *number > 0 && code.len() == 43).ok_or_else(|| "write NUMBER:CODE".to_owned())
}

pub(super) fn run(command: Audit) -> Result<(), Failed> {
    match command {
        Audit::List(list) if list.verify => desk::at(&list.file.config, async |core| verify(core, &list).await),
        Audit::List(list) => desk::at(&list.file.config, async |core| show(core, &list).await),
    }
}

async fn show(core: &Core, list: &List) -> Result<(), Failed> {
    let mut wanted = wanted(core, list).await?;
    let mut left = list.limit.unwrap_or(if list.json { u32::MAX } else { SHOWN });
    let mut rows = Vec::new();
    let mut out = BufWriter::new(io::stdout());
    loop {
        wanted.limit = left.min(PAGE);
        let page = audit::Audit::page(core.store.as_ref(), &wanted).await?;
        let read = u32::try_from(page.len()).unwrap_or(u32::MAX);
        left = left.saturating_sub(read);
        wanted.after = page.last().map(Cursor::of).or(wanted.after);
        if list.json {
            page.iter().try_for_each(|record| writeln!(out, "{}", as_value(record)))?;
        } else {
            rows.extend(page.iter().map(as_row));
        }
        if read < wanted.limit || left == 0 {
            break;
        }
    }
    out.flush()?;
    if !list.json {
        print::table(["NUMBER", "TIME", "WHO", "WHAT", "OUTCOME", "ON", "DETAIL", "TIMES", "ADDRESS", "AGENT", "REQUEST"], &rows)?;
    }
    if let Some(after) = wanted.after.filter(|_| left == 0) {
        print::complain(&format!("there may be more: --cursor {after}"));
    }
    Ok(())
}

async fn wanted(core: &Core, list: &List) -> Result<Wanted, Failed> {
    let now = core.clock.now();
    let filter = Filter {
        account: match &list.account {
            Some(name) => Some(whose(core, name).await?),
            None => None,
        },
        what: list.what,
        since: list.since.map(|when| when.before(now)),
        until: list.until.map(|when| when.before(now)),
    };
    let order = match list.order {
        End::Newest => Order::Newest,
        End::Oldest => Order::Oldest,
    };
    Ok(Wanted { filter, order, after: list.cursor, limit: PAGE })
}

/// An account that is gone is still in the log, by its id.
async fn whose(core: &Core, name: &str) -> Result<AccountId, Failed> {
    if name.contains('@') || name.starts_with('+') {
        return Ok(desk::account(core, name).await?.id);
    }
    Ok(desk::by_word(core, name).await?.map_or_else(|| AccountId::new(name), |account| account.id))
}

async fn verify(core: &Core, list: &List) -> Result<(), Failed> {
    let verdict = audit::verify(core.store.as_ref(), &core.chain, list.expect.as_ref(), |_| ()).await?;
    match verdict {
        Verdict::Whole(head) if list.json => print::line(&json!({ "whole": true, "rows": head.number, "mac": head.mac }).to_string()),
        Verdict::Whole(head) => {
            print::line(&format!("{} rows, each as it was written; the newest is {}:{}", head.number, head.number, head.mac))
        }
        Verdict::Broken(found) => {
            if list.json {
                print::line(&json!({ "whole": false, "found": found.to_string() }).to_string())?;
            }
            Err(Failed::refused(format!("the audit log was altered: {found}")))
        }
    }
}

fn as_row(record: &Record) -> [String; 11] {
    let pair = |sort: &str, id: &str| print::cell(format!("{sort} {id}").trim());
    let cell = |text: &str| print::optional(Some(text).filter(|text| !text.is_empty()));
    [
        record.number.to_string(),
        record.at.to_string(),
        pair(&record.who, &record.who_id),
        cell(&record.what),
        cell(&record.outcome),
        pair(&record.thing, &record.thing_id),
        cell(&record.detail),
        record.times.to_string(),
        cell(&record.address),
        cell(&record.agent),
        cell(&record.request_id),
    ]
}

fn as_value(record: &Record) -> Value {
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    json!({
        "number": record.number,
        "at": record.at.to_string(),
        "at_ms": record.at.as_millis(),
        "who": record.who,
        "who_id": some(&record.who_id),
        "account": some(&record.account),
        "what": record.what,
        "on": some(&record.thing),
        "on_id": some(&record.thing_id),
        "detail": some(&record.detail),
        "outcome": record.outcome,
        "address": some(&record.address),
        "agent": some(&record.agent),
        "request_id": some(&record.request_id),
        "times": record.times,
        "mac": record.mac,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_date_or_an_age() {
        let now = Timestamp::from_secs(1_000_000);
        let before = |text| moment(text).map(|when| when.before(now));
        assert_eq!(before("1970-01-02"), Ok(Timestamp::from_secs(86_400)));
        assert_eq!(before("1h"), Ok(Timestamp::from_secs(996_400)));
        for odd in ["", "yesterday", "1", "-1h", "2026-13-01"] {
            assert!(before(odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn a_noted_row_has_a_number_and_a_code() {
        let code = "x".repeat(43);
        assert_eq!(noted(&format!("7:{code}")), Ok((7, code.clone())));
        for odd in ["", "7", "7:", ":x", &format!("0:{code}"), &format!("-1:{code}"), &format!("a:{code}")] {
            assert!(noted(odd).is_err(), "{odd}");
        }
    }
}
