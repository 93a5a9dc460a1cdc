//! The ledger of revocations.
//!
//! Numbers follow one another without a gap and in the order of commits, because whoever writes lines first moves the head,
//! and holds the lock of that one row until the commit. A sequence would give numbers in the order of asking.

use std::time::Duration;

use async_trait::async_trait;

use super::Store;
use super::fault::Fault;
use super::link::{Link, Row};
use super::roster::revision;
use super::transact::{Act, End};
use crate::clock::Timestamp;
use crate::id::{AccountId, KeyId, SessionId, TokenId};
use crate::outage::Outage;
use crate::random::{self, SystemEntropy};
use crate::revocation::{self, Entry, Head, Ids, Ledger, Standing, Subject};
use crate::signin::Account;

/// As much as `tokens.leeway` may be.
const MOST_LEEWAY: Duration = Duration::from_mins(5);

#[async_trait]
impl Ledger for Store {
    async fn commit(&self, act: &revocation::Act, reason: &str, now: Timestamp, expires_at: Timestamp) -> Result<Vec<Entry>, Outage> {
        self.carry_out(&Deed { act, stroke: Stroke { reason, now, expires_at } }).await
    }

    async fn head(&self) -> Result<Head, Outage> {
        let row = self.ask_one(self.readers.sql.head, &[]).await?;
        Ok(head(row)?)
    }

    async fn since(&self, number: i64, now: Timestamp, limit: u32) -> Result<Vec<Entry>, Outage> {
        let rows = self.ask(self.readers.sql.lines_since, &[number.into(), now.into(), limit.into()]).await?;
        Ok(rows.iter().map(entry).collect::<Result<_, _>>()?)
    }

    async fn revoked(&self, ids: Ids<'_>, now: Timestamp) -> Result<Standing, Outage> {
        let (token, session, account) = (ids.token, ids.session, ids.account);
        let values = [token.into(), now.into(), session.into(), now.into(), account.into(), ids.revision.into(), now.into()];
        let line = self.ask_one(self.readers.sql.revoked, &values).await?;
        let kind = line.map(|line| line.text("kind")).transpose()?;
        Ok(match kind.as_deref() {
            None => Standing::Good,
            Some("account") => Standing::Outdated,
            Some(_) => Standing::Revoked,
        })
    }

    async fn sweep(&self, now: Timestamp) -> Result<u64, Outage> {
        self.sweep_all(self.writers.sql.sweep_lines, now).await
    }
}

impl Store {
    /// Give the ledger its name, unless it has one. Of two nodes at once, one names it.
    pub(super) async fn name_ledger(&self) -> Result<(), Outage> {
        let name = random::id(&SystemEntropy::default())?;
        self.change(self.writers.sql.name_ledger, &[(&name).into()]).await?;
        Ok(())
    }
}

/// One act of the ledger.
struct Deed<'a> {
    act: &'a revocation::Act,
    stroke: Stroke<'a>,
}

#[async_trait]
impl Act for Deed<'_> {
    type Answer = Vec<Entry>;

    async fn run(&self, link: &mut Link) -> Result<End<Vec<Entry>>, Fault> {
        let stroke = &self.stroke;
        match self.act {
            revocation::Act::Token(id) => stroke.end_token(link, id).await,
            revocation::Act::Session(id) => stroke.end_session(link, id, None).await,
            revocation::Act::SessionOf(account, id) => stroke.end_session(link, id, Some(account)).await,
            revocation::Act::Others(account, kept) => stroke.end_sessions(link, account, Some(kept)).await,
            revocation::Act::Account(account) => stroke.end_sessions(link, account, None).await,
            revocation::Act::Disable(account) => stroke.disable(link, account).await,
            revocation::Act::ApiKey(id) => stroke.end_key(link, id).await,
        }
    }
}

/// What the lines of one act have in common.
pub(super) struct Stroke<'a> {
    pub(super) reason: &'a str,
    pub(super) now: Timestamp,
    pub(super) expires_at: Timestamp,
}

impl Stroke<'_> {
    /// Of a line that ends no session: it has neither reason nor time.
    pub(super) fn outdating(expires_at: Timestamp) -> Self {
        Self { reason: "", now: Timestamp::default(), expires_at }
    }

    /// An account has changed, which was this before: tokens that tell of it are outdated.
    pub(super) async fn outdate(&self, link: &mut Link, before: &Account) -> Result<End<Vec<Entry>>, Fault> {
        self.write(link, vec![Subject::Account(before.id.clone(), before.revision.saturating_add(1))]).await
    }

    /// The ledger is locked before it is looked at, so that of two at once one writes the line.
    async fn end_token(&self, link: &mut Link, id: &TokenId) -> Result<End<Vec<Entry>>, Fault> {
        link.fetch_one(link.sql.lock_head, &[]).await?;
        let subject = Subject::Token(id.clone());
        let known = [subject.kind().into(), subject.name().into(), self.now.into()];
        if link.fetch_one(link.sql.live_line, &known).await?.is_some() {
            return Ok(End::RollBack(Vec::new()));
        }
        self.write(link, vec![subject]).await
    }

    /// Of two at once one finds it not revoked yet, since the row is locked by who was first.
    async fn end_key(&self, link: &mut Link, id: &KeyId) -> Result<End<Vec<Entry>>, Fault> {
        if link.execute(link.sql.revoke_api_key, &[self.now.into(), id.into()]).await? == 0 {
            return Ok(End::RollBack(Vec::new()));
        }
        self.write(link, vec![Subject::Token(TokenId::new(id.as_str()))]).await
    }

    async fn end_session(&self, link: &mut Link, id: &SessionId, of: Option<&AccountId>) -> Result<End<Vec<Entry>>, Fault> {
        let rows = link.fetch(link.sql.lock_live_session, &[id.into(), self.believed_since().into()]).await?;
        let owned = rows.iter().map(owned).collect::<Result<Vec<_>, _>>()?;
        let ended = owned.into_iter().filter(|(_, owner)| of.is_none_or(|account| account == owner));
        self.write(link, ended.map(|(id, _)| Subject::Session(id)).collect()).await
    }

    /// The account is locked, so that no session of it begins meanwhile that would be missed; none that is half begun does later.
    async fn end_sessions(&self, link: &mut Link, account: &AccountId, kept: Option<&SessionId>) -> Result<End<Vec<Entry>>, Fault> {
        link.fetch_one(link.sql.lock_account, &[account.into()]).await?;
        link.execute(link.sql.drop_pendings, &[account.into()]).await?;
        let live = self.live(link, account).await?;
        let ended = live.into_iter().filter(|id| kept != Some(id));
        let (End::Commit(entries) | End::RollBack(entries)) = self.write(link, ended.map(Subject::Session).collect()).await?;
        Ok(End::Commit(entries))
    }

    async fn disable(&self, link: &mut Link, account: &AccountId) -> Result<End<Vec<Entry>>, Fault> {
        let disabled = link.execute(link.sql.disable_account, &[self.now.into(), account.into()]).await? > 0;
        let live = self.live(link, account).await?;
        let mut subjects: Vec<_> = live.into_iter().map(Subject::Session).collect();
        if disabled {
            let revision = revision(link.fetch_one(link.sql.account_revision, &[account.into()]).await?)?;
            subjects.push(Subject::Account(account.clone(), revision));
        }
        self.write(link, subjects).await
    }

    /// Sessions that ended by themselves after this moment are ended here all the same: clocks may differ, and their last
    /// token may be believed for a while after its session.
    fn believed_since(&self) -> Timestamp {
        self.now.minus(MOST_LEEWAY)
    }

    /// The sessions of an account that are to be ended with it, locked.
    pub(super) async fn live(&self, link: &mut Link, account: &AccountId) -> Result<Vec<SessionId>, Fault> {
        let rows = link.fetch(link.sql.lock_live_sessions, &[account.into(), self.believed_since().into()]).await?;
        rows.iter().map(|row| owned(row).map(|(id, _)| id)).collect()
    }

    /// End the sessions among `subjects`, and write a line for each. The sessions come first, and are locked already.
    pub(super) async fn write(&self, link: &mut Link, subjects: Vec<Subject>) -> Result<End<Vec<Entry>>, Fault> {
        if subjects.is_empty() {
            return Ok(End::RollBack(Vec::new()));
        }
        let sessions: Vec<&str> = subjects.iter().filter(|subject| is_session(subject)).map(Subject::name).collect();
        let list = serde_json::to_string(&sessions).map_err(|_| Fault::Corrupt("id"))?;
        if !sessions.is_empty() {
            link.execute(link.sql.end_sessions, &[(&list).into(), self.now.into(), self.reason.into()]).await?;
        }
        let entries = self.number(link, &subjects).await?;
        if let (Some(first), false) = (entries.first(), sessions.is_empty()) {
            link.execute(link.sql.add_session_lines, &[first.number.into(), self.expires_at.into(), (&list).into()]).await?;
        }
        for entry in entries.iter().filter(|entry| !is_session(&entry.subject)) {
            self.write_line(link, entry).await?;
        }
        Ok(End::Commit(entries))
    }

    /// Move the head by as many, and give each its number. From here to the commit nobody else writes.
    async fn number(&self, link: &mut Link, subjects: &[Subject]) -> Result<Vec<Entry>, Fault> {
        let count = i64::try_from(subjects.len()).unwrap_or(i64::MAX);
        link.execute(link.sql.move_head, &[count.into()]).await?;
        let head = head(link.fetch_one(link.sql.head, &[]).await?)?;
        let first = head.number.saturating_sub(count).saturating_add(1);
        let numbered = (first..).zip(subjects);
        Ok(numbered.map(|(number, subject)| Entry { number, subject: subject.clone(), expires_at: self.expires_at }).collect())
    }

    async fn write_line(&self, link: &mut Link, entry: &Entry) -> Result<(), Fault> {
        let below = match &entry.subject {
            Subject::Token(_) | Subject::Session(_) => 0,
            Subject::Account(_, revision) => *revision,
        };
        let subject = &entry.subject;
        let line = [entry.number.into(), subject.kind().into(), subject.name().into(), below.into(), self.expires_at.into()];
        link.execute(link.sql.add_line, &line).await?;
        Ok(())
    }
}

fn head(row: Option<Row>) -> Result<Head, Fault> {
    let row = row.ok_or(Fault::Nameless)?;
    Ok(Head { ledger: row.text("name")?, number: row.int("head")? })
}

fn owned(row: &Row) -> Result<(SessionId, AccountId), Fault> {
    Ok((SessionId::new(row.text("id")?), AccountId::new(row.text("account_id")?)))
}

fn entry(row: &Row) -> Result<Entry, Fault> {
    let name = row.text("name")?;
    let subject = match row.text("kind")?.as_str() {
        "token" => Subject::Token(TokenId::new(name)),
        "session" => Subject::Session(SessionId::new(name)),
        "account" => Subject::Account(AccountId::new(name), row.int("below")?),
        _ => return Err(Fault::Corrupt("kind")),
    };
    Ok(Entry { number: row.int("number")?, subject, expires_at: row.time("expires_at")? })
}

fn is_session(subject: &Subject) -> bool {
    matches!(subject, Subject::Session(_))
}
