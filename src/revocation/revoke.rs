//! Revoking: durable first, then fast, then the answer.
//!
//! Whoever gets an answer may rely on it everywhere: `super::check` says why.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::clock::Timestamp;
use crate::outage::Outage;
use crate::revocation::index::{Feed, Lines};
use crate::revocation::ledger::{Act, Entry, Head};
use crate::revocation::{Pace, Revocations};

/// Two machines' clocks do not run at exactly one speed.
const MARGIN: Duration = Duration::from_millis(50);

impl Revocations {
    /// Do `act`, and return the lines that it added to the ledger; none when nothing was live.
    ///
    /// When this returns, no node lets in what was revoked, also when the shared index could not be written: then it takes up
    /// to [`Pace::LONGEST`] longer. It runs to its end even if the caller is gone.
    ///
    /// # Errors
    /// An [`Outage`] when the ledger could not be written. Never afterwards: what is committed holds.
    pub async fn revoke(self: &Arc<Self>, act: Act, reason: &str, now: Timestamp) -> Result<Vec<Entry>, Outage> {
        let (this, reason) = (Arc::clone(self), reason.to_owned());
        let act = async move { Ok(((), this.parts.ledger.commit(&act, &reason, now, this.lines_expire(now)).await?)) };
        self.carry(act, now).await.map(|((), entries)| entries)
    }

    /// Do `work`, an act of another port that writes lines to the ledger, and return what it answers besides: as
    /// [`Revocations::revoke`] in all else. The lines are to expire when [`Revocations::lines_expire`] says.
    ///
    /// # Errors
    /// The [`Outage`] of `work`.
    pub async fn carry<T, W>(self: &Arc<Self>, work: W, now: Timestamp) -> Result<(T, Vec<Entry>), Outage>
    where
        T: Send + 'static,
        W: Future<Output = Result<(T, Vec<Entry>), Outage>> + Send + 'static,
    {
        let this = Arc::clone(self);
        let done = self.parts.slow.spawn(async move {
            let (answer, entries) = work.await?;
            this.publish(&entries, now).await;
            Ok((answer, entries))
        });
        done.await.map_err(Outage::store)?
    }

    /// When lines that are written at `now` may be forgotten.
    pub fn lines_expire(&self, now: Timestamp) -> Timestamp {
        now.plus(self.parts.keep)
    }

    /// Make sure that no node can overlook what is committed.
    async fn publish(self: &Arc<Self>, entries: &[Entry], now: Timestamp) {
        for entry in entries {
            self.parts.observer.revoked(entry.subject.kind());
        }
        let committed = Instant::now();
        let Ok(head) = self.head_with(entries).await else {
            self.wait_for_nodes(i64::MAX, committed).await;
            return;
        };
        self.known.raise(&head.ledger, head.number);
        if self.is_published(&head, entries, now).await {
            self.tell_lag(head, committed);
            return;
        }
        self.wait_for_nodes(head.number, committed).await;
    }

    /// When it has come to this node as it comes to the others. Nobody waits for that.
    fn tell_lag(self: &Arc<Self>, head: Head, committed: Instant) {
        let this = Arc::clone(self);
        drop(self.parts.slow.spawn(async move {
            if tokio::time::timeout(Pace::LONGEST, this.parts.index.spread(&head.ledger, head.number)).await.is_ok() {
                this.parts.observer.lag(committed.elapsed());
            }
        }));
    }

    /// The ledger's head as of this commit. Where nothing was live the act may have been done before, by a request that
    /// nobody answered: then the newest head counts.
    async fn head_with(&self, entries: &[Entry]) -> Result<Head, Outage> {
        let name = self.known.look().head.as_ref().map(|head| head.ledger.clone());
        match (name, entries.last()) {
            (Some(ledger), Some(last)) => Ok(Head { ledger, number: last.number }),
            _ => self.parts.ledger.head().await,
        }
    }

    /// Is it in the index? Lines that were written beyond a hole are found there, so they count.
    async fn is_published(&self, head: &Head, entries: &[Entry], now: Timestamp) -> bool {
        let index = &self.parts.index;
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else {
            return index.marker(&head.ledger).await.is_ok_and(|marker| marker >= Some(head.number));
        };
        let lines = Lines { ledger: &head.ledger, after: first.number.saturating_sub(1), upto: last.number, entries };
        match index.write(lines, now).await {
            Ok(is_covered) => {
                if !is_covered {
                    self.wake.notify_one();
                }
                true
            }
            Err(outage) => {
                tracing::warn!("A revocation is in the ledger but not in the index yet: {outage}.");
                false
            }
        }
    }

    /// Until the watch has brought the index up to `number`, or every node's last poll is newer than the commit.
    async fn wait_for_nodes(&self, number: i64, committed: Instant) {
        self.wake.notify_one();
        match self.parts.index.feed() {
            Feed::Own => (),
            Feed::Shared { .. } => {
                let mut reached = self.reached.subscribe();
                let left = (Pace::LONGEST + MARGIN).saturating_sub(committed.elapsed());
                // Either way nobody overlooks it any more.
                drop(tokio::time::timeout(left, reached.wait_for(|marker| *marker >= number)).await);
            }
        }
    }
}
