//! The index of revocations in Redis, shared by all nodes.
//!
//! ```text
//! {doorward}:rev:marker       ledger:number, never expires
//! {doorward}:rev:t:<jti>      0:expires       {doorward}:rev:s:<sid>   0:expires
//! {doorward}:rev:a:<sub>      below:expires  (tokens of a lower revision than `below`; `expires` in milliseconds)
//! {doorward}:rev:nobody      never there (see [`nobody_of`])
//! ```
//!
//! All keys share a hash tag, so that one command reads them and one script writes them. Redis runs a script as a whole, and
//! hands it on to replicas and to its files as a whole: no copy of it holds the marker without the lines.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use redis::Script;

use super::breaker::Pass;
use super::link::Redis;
use crate::clock::Timestamp;
use crate::outage::Outage;
use crate::revocation::{Answer, Entry, Feed, Head, Ids, Index, Lines, Source, Subject};
use crate::store::memory::{Kind, Line};

/// The index of revocations in Redis.
#[derive(Debug)]
pub struct RedisIndex {
    redis: Arc<Redis>,
    prefix: String,
    marker: String,
    nobody: String,
    write: Script,
    forget: Script,
}

/// What one round trip brings: the marker, and what is written about the token, the session and the account.
type Found = (Option<String>, Option<String>, Option<String>, Option<String>);

impl RedisIndex {
    /// The index in `redis`.
    pub fn new(redis: Arc<Redis>) -> Self {
        let (prefix, marker, nobody) = (prefix_of(&redis.tag), marker_of(&redis.tag), nobody_of(&redis.tag));
        Self {
            redis,
            marker,
            nobody,
            prefix,
            write: Script::new(include_str!("scripts/write.lua")),
            forget: Script::new(include_str!("scripts/forget.lua")),
        }
    }

    fn key(&self, kind: char, name: &str) -> String {
        format!("{}{kind}:{name}", self.prefix)
    }

    fn key_of(&self, subject: &Subject) -> String {
        self.key(Kind::of(subject).letter(), subject.name())
    }
}

#[async_trait]
impl Index for RedisIndex {
    async fn ask(&self, ids: Ids<'_>, ledger: &str, now: Timestamp) -> Result<Answer, Outage> {
        let keys = [(Kind::Token, ids.token.as_str()), (Kind::Session, ids.session.as_str()), (Kind::Account, ids.account.as_str())];
        let keys = keys.map(|(kind, name)| self.key(kind.letter(), name));
        let mut command = redis::cmd("MGET");
        command.arg(&self.marker).arg(&keys);
        let (marker, token, session, account): Found =
            self.redis.run(async |mut connection| command.query_async(&mut connection).await).await?;
        let is_revoked = token.is_some_and(|line| is_live(&line, now)) || session.is_some_and(|line| is_live(&line, now));
        Ok(if is_revoked {
            Answer::Revoked
        } else if account.is_some_and(|line| is_live(&line, now) && is_below(ids.revision, &line)) {
            Answer::Outdated
        } else {
            Answer::Clear(number_of(marker.as_deref(), ledger))
        })
    }

    async fn write(&self, lines: Lines<'_>, now: Timestamp) -> Result<bool, Outage> {
        let mut invocation = self.write.key(&self.marker);
        invocation.arg(lines.ledger).arg(lines.after).arg(lines.upto);
        for entry in lines.entries.iter().filter(|entry| entry.expires_at > now) {
            let life = entry.expires_at.since(now).as_millis();
            invocation.key(self.key_of(&entry.subject));
            invocation.arg(below_of(entry)).arg(entry.expires_at.as_millis()).arg(u64::try_from(life).unwrap_or(u64::MAX));
        }
        self.redis.run(async |mut connection| invocation.invoke_async(&mut connection).await).await
    }

    async fn marker(&self, ledger: &str) -> Result<Option<i64>, Outage> {
        let mut command = redis::cmd("MGET");
        // Of the two, one is never there: of a node that keys are being moved from, that is not answered.
        command.arg(&self.marker).arg(&self.nobody);
        let (marker, _): (Option<String>, Option<String>) =
            self.redis.run(async |mut connection| command.query_async(&mut connection).await).await?;
        Ok(number_of(marker.as_deref(), ledger))
    }

    async fn forget(&self, ledger: &str, marker: i64) -> Result<(), Outage> {
        let mut invocation = self.forget.key(&self.marker);
        invocation.arg(format!("{ledger}:{marker}"));
        self.redis.run(async |mut connection| invocation.invoke_async(&mut connection).await).await
    }

    fn feed(&self) -> Feed {
        Feed::Shared { since: self.opened() }
    }

    fn source(&self) -> Source {
        Source::Redis
    }

    fn era(&self) -> Option<u64> {
        self.redis.breaker.pass().map(Pass::era)
    }
}

impl RedisIndex {
    fn opened(&self) -> Instant {
        self.redis.opened()
    }

    /// The key of the marker.
    pub(super) fn marker_key(&self) -> &str {
        &self.marker
    }

    /// The key of nobody.
    pub(super) fn nobody_key(&self) -> &str {
        &self.nobody
    }

    /// What every key of the index begins with.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// What a key is about; `None` for the marker, and for keys that are not ours.
    pub(super) fn named<'k>(&self, key: &'k str) -> Option<(Kind, &'k str)> {
        let (kind, name) = key.strip_prefix(&self.prefix)?.split_once(':')?;
        let kind = [Kind::Token, Kind::Session, Kind::Account].into_iter().find(|known| kind == known.letter().to_string())?;
        Some((kind, name))
    }
}

/// What every key of the index with this tag begins with.
fn prefix_of(tag: &str) -> String {
    format!("{{{tag}}}:rev:")
}

/// The key of the marker of the index with this tag.
pub(super) fn marker_of(tag: &str) -> String {
    format!("{}marker", prefix_of(tag))
}

/// A key that is never there. A node of a cluster from which the keys are being moved answers no command that names it, so that
/// what is left of them is not taken for all.
pub(super) fn nobody_of(tag: &str) -> String {
    format!("{}nobody", prefix_of(tag))
}

/// What is written at a key, for an index in memory.
pub(super) fn line(kind: Kind, value: &str) -> Line {
    let Some((below, expires_at)) = read(value) else { return Line::ALL };
    let line = Line::until(expires_at);
    match kind {
        Kind::Token | Kind::Session => line,
        Kind::Account => line.below(below),
    }
}

/// What a marker says.
pub(super) fn head_of(marker: &str) -> Option<Head> {
    let (ledger, number) = marker.rsplit_once(':')?;
    Some(Head { ledger: ledger.to_owned(), number: number.parse().ok()? })
}

fn below_of(entry: &Entry) -> i64 {
    match &entry.subject {
        Subject::Account(_, revision) => *revision,
        Subject::Token(_) | Subject::Session(_) => 0,
    }
}

/// A line that cannot be read counts as live: somebody was to be kept out.
fn is_live(line: &str, now: Timestamp) -> bool {
    read(line).is_none_or(|(_, expires_at)| expires_at > now)
}

fn is_below(revision: i64, line: &str) -> bool {
    read(line).is_none_or(|(below, _)| revision < below)
}

fn read(line: &str) -> Option<(i64, Timestamp)> {
    let (below, expires_at) = line.split_once(':')?;
    Some((below.parse().ok()?, Timestamp::from_millis(expires_at.parse().ok()?)))
}

/// The number of a marker of this ledger.
fn number_of(marker: Option<&str>, ledger: &str) -> Option<i64> {
    marker.and_then(head_of).filter(|head| head.ledger == ledger).map(|head| head.number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_counts_for_its_own_ledger_only() {
        for (marker, number) in [(Some("a:5"), Some(5)), (Some("b:5"), None), (Some("a"), None), (Some("a:x"), None), (None, None)] {
            assert_eq!(number_of(marker, "a"), number, "{marker:?}");
        }
    }

    #[test]
    fn a_line_that_cannot_be_read_keeps_out() {
        let now = Timestamp::from_secs(10);
        assert!(is_live("nonsense", now) && is_below(99, "nonsense"));
        assert!(is_live("0:10001", now));
        assert!(!is_live("0:10000", now));
        assert!(is_below(9, "10:99"));
        assert!(!is_below(10, "10:99"));
    }
}
