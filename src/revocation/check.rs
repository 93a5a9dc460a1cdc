//! The order of the questions, and the fall-back, in one place.
//!
//! 1. What of the index is in this process ([`super::index::Near`]), by the rules of the next line; where it is not to be believed,
//!    as if it were not there.
//! 2. The index: "revoked" is believed always, "outdated" too. "No" is believed when the index covers all that was ever revoked.
//! 3. Else, or when the index is out, the ledger.
//! 4. Else, where the database is out, the index again: "no" is believed of a shared one that covers all that this node knows.
//! 5. Else an [`Outage`]. Never a yes.
//!
//! # Why "no" can be believed
//!
//! *The ledger has no gaps.* Its numbers are given out in the order of commits, so whoever reads the head *n* knows that all
//! lines up to *n* are committed, and that every later commit has a larger number.
//!
//! *The marker has no holes.* An index moves its marker to *n* only together with all lines between its old marker and *n*
//! ([`super::Index::write`]). So marker *n* means: every live line up to *n* is in the index.
//!
//! *The node knows the head.* A "no" is believed only if the marker has reached the newest head that this node knows of. It
//! knows all own commits, every marker that it has seen, and what it has polled less than [`Pace::bound`](super::Pace) ago.
//!
//! A revocation that another node has answered with success is therefore seen here at the next question:
//!
//! - it was written to the shared index before that answer, and the index still has it: "revoked";
//! - the shared index has lost it since (emptied, restarted, set back, a replica that was late): an emptied one has no marker.
//!   The others are reached through a new connection, and after a connection was opened a poll must have begun before
//!   anything is believed again; that poll knows the number, the marker is lower;
//! - it could not be written to the shared index: the other node then held back its answer for [`Pace::bound`](super::Pace),
//!   and whatever this node polled before the commit is too old now ([`super::revoke`]).
//!
//! A mirror of the shared index is up to `max_staleness` behind it, and promises that much less: `store::redis::mirror`.
//!
//! With an index in memory (no Redis) the last point has no waiting: other nodes learn within the bound.
//!
//! *Without the database* nobody can commit, so a shared index is believed at the last known head. What remains open needs two
//! failures at once: a node that is cut off from the database (or gets no answer within [`Pace::patience`](super::Pace))
//! alone, while another one is cut off from Redis alone. The first learns of the other's revocations when either returns. The
//! same where a late replica takes the place of a Redis just when the database does not answer polls.
//!
//! *A Redis that is two* (a network that is cut in the middle, an old primary that still takes writes on one side and a new one on
//! the other) is believed on each side as it was, until the next poll of the ledger: within the bound, not at the next question.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use crate::clock::Timestamp;
use crate::id::{AccountId, SessionId, TokenId};
use crate::outage::Outage;
use crate::revocation::Revocations;
use crate::revocation::index::{Answer, Feed, Source};
use crate::revocation::ledger::{Ids, Ledger, Standing};

/// How often it is looked whether a poll has ended that somebody waits for.
const MOMENT: Duration = Duration::from_millis(10);

/// What the index knows.
enum Word {
    /// It can be believed.
    Sure(Standing),
    /// It has none of the ids, with its marker here, and cannot be believed before the ledger was asked.
    Unsure(Option<i64>),
}

impl Revocations {
    /// Is one of these revoked at `now`?
    ///
    /// # Errors
    /// An [`Outage`] when neither the index nor the ledger can say.
    pub async fn ask(&self, ids: Ids<'_>, now: Timestamp) -> Result<Standing, Outage> {
        match self.glance(ids, now) {
            Some(standing) => Ok(standing),
            None => self.ask_around(ids, now).await,
        }
    }

    /// The answer, where it is at hand: without waiting and without an allocation. `None` means [`Revocations::ask`].
    pub fn glance(&self, ids: Ids<'_>, now: Timestamp) -> Option<Standing> {
        let near = self.parts.index.near()?;
        let known = self.known.look();
        let head = known.head.as_ref()?;
        let standing = match near.glance(ids, &head.ledger, now, Instant::now())? {
            (Answer::Revoked, _) => Standing::Revoked,
            (Answer::Outdated, _) => Standing::Outdated,
            (Answer::Clear(marker), feed) if self.believes(&head.ledger, marker, feed) => Standing::Good,
            (Answer::Clear(_), _) => return None,
        };
        self.parts.observer.checked(near.source());
        Some(standing)
    }

    async fn ask_around(&self, ids: Ids<'_>, now: Timestamp) -> Result<Standing, Outage> {
        let (standing, source) = match self.ask_index(ids, now).await {
            Word::Sure(standing) => (standing, self.parts.index.source()),
            Word::Unsure(marker) if self.suffices(marker) => self.ask_ledger_briefly(ids, marker, now).await?,
            Word::Unsure(_) => (self.ask_ledger(ids, now).await?, Source::Ledger),
        };
        self.parts.observer.checked(source);
        Ok(standing)
    }

    async fn ask_index(&self, ids: Ids<'_>, now: Timestamp) -> Word {
        let known = self.known.keep();
        let Some(head) = &known.head else { return Word::Unsure(None) };
        match self.parts.index.ask(ids, &head.ledger, now).await {
            Ok(Answer::Revoked) => Word::Sure(Standing::Revoked),
            Ok(Answer::Outdated) => Word::Sure(Standing::Outdated),
            Ok(Answer::Clear(marker)) if self.believes(&head.ledger, marker, self.parts.index.feed()) => Word::Sure(Standing::Good),
            Ok(Answer::Clear(marker)) => Word::Unsure(marker),
            Err(outage) => {
                tracing::debug!("The index was not asked: {outage}.");
                Word::Unsure(None)
            }
        }
    }

    /// Compares with what is known *after* the answer, so that a poll that ended meanwhile counts.
    fn believes(&self, ledger: &str, marker: Option<i64>, feed: Feed) -> bool {
        if let Some(marker) = marker {
            self.known.raise(ledger, marker);
        }
        let known = self.known.look();
        let is_covered = known.covers(marker, feed, Instant::now(), self.parts.pace.bound);
        if !is_covered {
            self.wake.notify_one();
        }
        is_covered
    }

    /// The index has all that is known here, it is only not sure that nothing was added: where the ledger does not answer as
    /// fast as a poll must, the database is out, and nobody can commit. After a new connection to the index that alone is not
    /// enough: what was committed before may be gone from it, so a poll must have come to an end since.
    async fn ask_ledger_briefly(&self, ids: Ids<'_>, marker: Option<i64>, now: Timestamp) -> Result<(Standing, Source), Outage> {
        let mut asking = pin!(self.ask_ledger(ids, now));
        // A poll that begins now has ended by then, well or badly.
        let ends = Instant::now() + self.parts.pace.poll + 2 * self.parts.pace.patience;
        let mut out = None;
        loop {
            match &out {
                None => match timeout(self.parts.pace.patience, asking.as_mut()).await {
                    Ok(Ok(standing)) => return Ok((standing, Source::Ledger)),
                    Ok(Err(outage)) => out = Some(outage),
                    Err(_) => {}
                },
                Some(_) => sleep(MOMENT).await,
            }
            if self.suffices(marker) && self.known.look().was_asked_since(self.parts.index.feed()) {
                return Ok((Standing::Good, self.parts.index.source()));
            }
            match out {
                Some(outage) if Instant::now() >= ends => return Err(outage),
                Some(_) | None => self.wake.notify_one(),
            }
        }
    }

    /// Is the last known head enough, should the database be out?
    pub(super) fn suffices(&self, marker: Option<i64>) -> bool {
        self.known.look().covers_without_database(marker, self.parts.index.feed())
    }

    /// In the runtime of its connections, so that a client that hangs up does not cancel a query half-way.
    async fn ask_ledger(&self, ids: Ids<'_>, now: Timestamp) -> Result<Standing, Outage> {
        let question = Question::of(ids);
        let ledger = Arc::clone(&self.parts.ledger);
        let answer = self.parts.slow.spawn(async move { question.put_to(ledger.as_ref(), now).await });
        answer.await.map_err(Outage::store)?
    }
}

/// [`Ids`] that can travel to another thread.
struct Question {
    token: TokenId,
    session: SessionId,
    account: AccountId,
    revision: i64,
}

impl Question {
    fn of(ids: Ids<'_>) -> Self {
        Self { token: ids.token.clone(), session: ids.session.clone(), account: ids.account.clone(), revision: ids.revision }
    }

    async fn put_to(&self, ledger: &dyn Ledger, now: Timestamp) -> Result<Standing, Outage> {
        let ids = Ids { token: &self.token, session: &self.session, account: &self.account, revision: self.revision };
        ledger.revoked(ids, now).await
    }
}
