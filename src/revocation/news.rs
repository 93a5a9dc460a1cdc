//! What was revoked since the last look: for those who hold something open, and cannot ask at each use of it.

use tokio::time::timeout;

use crate::clock::Timestamp;
use crate::outage::Outage;
use crate::revocation::Revocations;
use crate::revocation::ledger::{Entry, Head};

/// Lines in one answer.
const PAGE: u32 = 500;

/// Who reads the news, and how far they have come.
#[derive(Debug, Default)]
pub struct Reader(Option<Head>);

/// The news.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// Nothing was revoked.
    None,
    /// These lines were written. There may be more: read again.
    Lines(Vec<Entry>),
    /// It cannot be told from the ledger (the first look, a database that is out, another ledger): ask for each thing.
    Anything,
}

impl Revocations {
    /// What was written since `reader` last asked. Other nodes' lines are known after the next poll ([`super::Pace::poll`]).
    pub async fn news(&self, reader: &mut Reader, now: Timestamp) -> News {
        let known = self.known.keep();
        let Some(head) = &known.head else { return News::None };
        if known.is_out() {
            return News::Anything;
        }
        match &reader.0 {
            Some(seen) if seen == head => News::None,
            Some(seen) if seen.ledger == head.ledger && seen.number < head.number => {
                let read = self.read(seen, head, now).await;
                read.map_or(News::Anything, |(entries, seen)| {
                    reader.0 = Some(seen);
                    News::Lines(entries)
                })
            }
            Some(_) | None => {
                reader.0 = Some(head.clone());
                News::Anything
            }
        }
    }

    /// The next lines after `seen`, and how far they reach.
    async fn read(&self, seen: &Head, head: &Head, now: Timestamp) -> Result<(Vec<Entry>, Head), Outage> {
        let read = self.parts.ledger.since(seen.number, now, PAGE);
        // As long as a poll may take: who holds something open asks elsewhere meanwhile.
        let entries = timeout(self.parts.pace.patience, read).await.map_err(Outage::store)??;
        let is_full = u32::try_from(entries.len()).is_ok_and(|count| count >= PAGE);
        let last = entries.last().map_or(seen.number, |entry| entry.number);
        let number = if is_full { last } else { last.max(head.number) };
        Ok((entries, Head { ledger: head.ledger.clone(), number }))
    }
}
