//! A ledger that a test can cut off, slow down and set back, which no database does on demand. The ledgers of the databases
//! have their own contract; nodes are tested on theirs too.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering};

use async_trait::async_trait;
use doorward::clock::Timestamp;
use doorward::outage::Outage;
use doorward::revocation::{Act, Entry, Head, Ids, Ledger, Subject};

const WHOLE: u8 = 0;
const GONE: u8 = 1;
const HANGING: u8 = 2;

/// Lines in order, as they were committed.
#[derive(Default)]
pub struct Book {
    lines: Mutex<Vec<Entry>>,
    state: AtomicU8,
}

impl Book {
    pub fn cut(&self) {
        self.state.store(GONE, Ordering::SeqCst);
    }

    /// Nothing is answered any more.
    pub fn hang(&self) {
        self.state.store(HANGING, Ordering::SeqCst);
    }

    pub fn mend(&self) {
        self.state.store(WHOLE, Ordering::SeqCst);
    }

    /// As a backup that was restored: all lines above `number` have never been.
    pub fn set_back(&self, number: i64) {
        self.lines.lock().unwrap().retain(|line| line.number <= number);
    }

    async fn answer<T>(&self, answer: impl FnOnce(&mut Vec<Entry>) -> T) -> Result<T, Outage> {
        match self.state.load(Ordering::SeqCst) {
            WHOLE => Ok(answer(&mut self.lines.lock().unwrap())),
            GONE => Err(Outage::store("cut")),
            _ => std::future::pending().await,
        }
    }
}

#[async_trait]
impl Ledger for Book {
    async fn commit(&self, act: &Act, _: &str, now: Timestamp, expires_at: Timestamp) -> Result<Vec<Entry>, Outage> {
        let subject = match act {
            Act::Token(id) => Subject::Token(id.clone()),
            Act::Session(id) | Act::SessionOf(_, id) => Subject::Session(id.clone()),
            Act::Account(id) | Act::Disable(id) | Act::Others(id, _) => Subject::Account(id.clone(), now),
        };
        self.answer(|lines| {
            if lines.iter().any(|line| line.subject == subject) {
                return Vec::new();
            }
            let number = lines.last().map_or(1, |line| line.number + 1);
            lines.push(Entry { number, subject, expires_at });
            lines.last().cloned().into_iter().collect()
        })
        .await
    }

    async fn head(&self) -> Result<Head, Outage> {
        self.answer(|lines| Head { ledger: "book".to_owned(), number: lines.last().map_or(0, |line| line.number) }).await
    }

    async fn since(&self, number: i64, now: Timestamp, limit: u32) -> Result<Vec<Entry>, Outage> {
        let wanted = |line: &&Entry| line.number > number && line.expires_at > now;
        self.answer(|lines| lines.iter().filter(wanted).take(usize::try_from(limit).unwrap()).cloned().collect()).await
    }

    async fn revoked(&self, ids: Ids<'_>, now: Timestamp) -> Result<bool, Outage> {
        let concerns = |line: &Entry| match &line.subject {
            Subject::Token(id) => id == ids.token,
            Subject::Session(id) => id == ids.session,
            Subject::Account(id, before) => id == ids.account && ids.issued_at < before.as_secs(),
        };
        self.answer(|lines| lines.iter().any(|line| line.expires_at > now && concerns(line))).await
    }

    async fn sweep(&self, now: Timestamp) -> Result<u64, Outage> {
        self.answer(|lines| {
            let before = lines.len();
            let newest = lines.last().map(|line| line.number);
            lines.retain(|line| line.expires_at >= now || Some(line.number) == newest);
            u64::try_from(before - lines.len()).unwrap()
        })
        .await
    }
}
