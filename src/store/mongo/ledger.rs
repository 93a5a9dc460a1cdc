//! The ledger of revocations.
//!
//! Numbers follow one another without a gap and in the order of commits, because whoever writes lines moves the head, and of
//! two transactions that do one is undone and begins again. What is read of it is proven: a node that was told an old head by a
//! deposed primary, or a line that is taken back later, would believe an index that lacks a revocation.

use std::time::Duration;

use async_trait::async_trait;
use mongodb::bson::{Bson, Document, doc};
use serde::{Deserialize, Serialize};

use super::Store;
use super::api_keys;
use super::fault::Fault;
use super::indexes::{ACCOUNTS, LEDGER, PENDING_SIGN_INS, REVOCATIONS, SESSIONS};
use super::link::Link;
use super::query::{Query, after, before};
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
        let found: Option<Chief> = self.ask_one(Query::of(LEDGER, the_one()).proven()).await?;
        Ok(found.ok_or(Fault::Nameless)?.read())
    }

    async fn since(&self, number: i64, now: Timestamp, limit: u32) -> Result<Vec<Entry>, Outage> {
        let later = doc! { "_id": { "$gt": number }, "expires_at": after(now) };
        let lines: Vec<Line> = self.ask(Query::of(REVOCATIONS, later).sorted(doc! { "_id": 1 }).at_most(limit).proven()).await?;
        Ok(lines.into_iter().map(Line::read).collect::<Result<_, _>>()?)
    }

    async fn revoked(&self, ids: Ids<'_>, now: Timestamp) -> Result<Standing, Outage> {
        let token = doc! { "kind": "token", "name": ids.token.as_str(), "expires_at": after(now) };
        let session = doc! { "kind": "session", "name": ids.session.as_str(), "expires_at": after(now) };
        let later = doc! { "$gt": ids.revision };
        let account = doc! { "kind": "account", "name": ids.account.as_str(), "expires_at": after(now), "below": later };
        // Of the three words `account` is the first: what ends the token counts before what makes it outdated.
        let worst = Query::of(REVOCATIONS, doc! { "$or": [token, session, account] }).sorted(doc! { "kind": -1 });
        let worst: Option<Line> = self.ask_one(worst.proven()).await?;
        Ok(match worst.as_ref().map(|line| line.kind.as_str()) {
            None => Standing::Good,
            Some("account") => Standing::Outdated,
            Some(_) => Standing::Revoked,
        })
    }

    async fn sweep(&self, now: Timestamp) -> Result<u64, Outage> {
        self.sweep_all(REVOCATIONS, doc! { "expires_at": before(now) }).await
    }
}

impl Store {
    /// Give the ledger its name, unless it has one. Of two nodes at once, one names it.
    pub(super) async fn name_ledger(&self) -> Result<(), Outage> {
        let name = random::id(&SystemEntropy::default())?;
        match self.put(LEDGER, the_one(), doc! { "$setOnInsert": { "name": name, "head": 0_i64 } }).await {
            Err(fault) if fault.is_taken() => Ok(()),
            named => Ok(named.map(drop)?),
        }
    }

    pub(super) async fn is_ledger_named(&self) -> Result<bool, Outage> {
        Ok(self.ask_one::<Document>(Query::of(LEDGER, the_one())).await?.is_some())
    }
}

/// The one document that the ledger has.
fn the_one() -> Document {
    doc! { "_id": "ledger" }
}

/// One act of the ledger.
struct Deed<'a> {
    act: &'a revocation::Act,
    stroke: Stroke<'a>,
}

#[async_trait]
impl Act for Deed<'_> {
    type Answer = Vec<Entry>;

    /// All acts move the head.
    fn about(&self) -> &str {
        LEDGER
    }

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

    async fn end_token(&self, link: &mut Link, id: &TokenId) -> Result<End<Vec<Entry>>, Fault> {
        let subject = Subject::Token(id.clone());
        let known = doc! { "kind": subject.kind(), "name": subject.name(), "expires_at": after(self.now) };
        if link.ask_one::<Document>(Query::of(REVOCATIONS, known)).await?.is_some() {
            return Ok(End::Commit(Vec::new()));
        }
        self.write(link, vec![subject]).await
    }

    async fn end_key(&self, link: &mut Link, id: &KeyId) -> Result<End<Vec<Entry>>, Fault> {
        if !api_keys::revoke(link, id, self.now).await? {
            return Ok(End::Commit(Vec::new()));
        }
        self.write(link, vec![Subject::Token(TokenId::new(id.as_str()))]).await
    }

    async fn end_session(&self, link: &mut Link, id: &SessionId, of: Option<&AccountId>) -> Result<End<Vec<Entry>>, Fault> {
        let live = self.live(link, doc! { "_id": id.as_str() }).await?;
        let ended = live.into_iter().filter(|owned| of.is_none_or(|account| account.as_str() == owned.account_id));
        self.write(link, ended.map(Owned::subject).collect()).await
    }

    /// The account is held, so that no session of it begins meanwhile that would be missed; none that is half begun does later.
    async fn end_sessions(&self, link: &mut Link, account: &AccountId, kept: Option<&SessionId>) -> Result<End<Vec<Entry>>, Fault> {
        link.hold(ACCOUNTS, account.as_str()).await?;
        link.delete_all(PENDING_SIGN_INS, doc! { "account_id": account.as_str() }).await?;
        let live = self.live(link, doc! { "account_id": account.as_str() }).await?;
        let ended = live.into_iter().filter(|owned| kept.is_none_or(|kept| kept.as_str() != owned.id));
        self.write(link, ended.map(Owned::subject).collect()).await
    }

    async fn disable(&self, link: &mut Link, account: &AccountId) -> Result<End<Vec<Entry>>, Fault> {
        let enabled = doc! { "_id": account.as_str(), "disabled_at": Bson::Null };
        let disable = doc! { "$set": { "disabled_at": self.now.as_millis() }, "$inc": { "revision": 1_i64 } };
        let disabled: Option<Revised> = link.change(ACCOUNTS, enabled, disable).await?;
        let mut subjects = self.live_of(link, account).await?;
        if let Some(Revised { revision }) = disabled {
            subjects.push(Subject::Account(account.clone(), revision));
        }
        self.write(link, subjects).await
    }

    /// The sessions of an account that are to be ended with it.
    pub(super) async fn live_of(&self, link: &mut Link, account: &AccountId) -> Result<Vec<Subject>, Fault> {
        let live = self.live(link, doc! { "account_id": account.as_str() }).await?;
        Ok(live.into_iter().map(Owned::subject).collect())
    }

    /// The live sessions among `whose`. Those that ended by themselves a moment ago are ended here all the same: clocks may
    /// differ, and their last token may be believed for a while after its session.
    async fn live(&self, link: &mut Link, mut whose: Document) -> Result<Vec<Owned>, Fault> {
        whose.insert("ended_at", Bson::Null);
        whose.insert("expires_at", after(self.now.minus(MOST_LEEWAY)));
        link.ask(Query::of(SESSIONS, whose).sorted(doc! { "_id": 1 })).await
    }

    /// End the sessions among `subjects`, and write a line for each. Where there is nothing to write, what was seen is
    /// committed all the same: that somebody else has written it must be durable before it is said.
    pub(super) async fn write(&self, link: &mut Link, subjects: Vec<Subject>) -> Result<End<Vec<Entry>>, Fault> {
        if subjects.is_empty() {
            return Ok(End::Commit(Vec::new()));
        }
        let sessions: Vec<&str> = subjects.iter().filter(|subject| is_session(subject)).map(Subject::name).collect();
        if !sessions.is_empty() {
            let live = doc! { "_id": { "$in": sessions }, "ended_at": Bson::Null };
            let ended = doc! { "ended_at": self.now.as_millis(), "ended_reason": self.reason };
            link.update_all(SESSIONS, live, doc! { "$set": ended }).await?;
        }
        let entries = self.number(link, subjects).await?;
        let lines: Vec<Line> = entries.iter().map(Line::of).collect();
        link.insert_all(REVOCATIONS, &lines).await?;
        Ok(End::Commit(entries))
    }

    /// Move the head by as many, and give each its number. From here to the commit nobody else can.
    async fn number(&self, link: &mut Link, subjects: Vec<Subject>) -> Result<Vec<Entry>, Fault> {
        let count = i64::try_from(subjects.len()).unwrap_or(i64::MAX);
        let moved: Option<Chief> = link.change(LEDGER, the_one(), doc! { "$inc": { "head": count } }).await?;
        let first = moved.ok_or(Fault::Nameless)?.head.saturating_sub(count).saturating_add(1);
        let numbered = (first..).zip(subjects);
        Ok(numbered.map(|(number, subject)| Entry { number, subject, expires_at: self.expires_at }).collect())
    }
}

/// An account, as far as a line about it is concerned.
#[derive(Deserialize)]
struct Revised {
    revision: i64,
}

/// How far the ledger has come.
#[derive(Deserialize)]
struct Chief {
    name: String,
    head: i64,
}

impl Chief {
    fn read(self) -> Head {
        Head { ledger: self.name, number: self.head }
    }
}

/// A session and whose it is.
#[derive(Deserialize)]
struct Owned {
    #[serde(rename = "_id")]
    id: String,
    account_id: String,
}

impl Owned {
    fn subject(self) -> Subject {
        Subject::Session(SessionId::new(self.id))
    }
}

/// A line of the ledger.
#[derive(Serialize, Deserialize)]
struct Line {
    #[serde(rename = "_id")]
    number: i64,
    kind: String,
    name: String,
    /// Of an account: the revision below which tokens are outdated.
    below: i64,
    expires_at: i64,
}

impl Line {
    fn of(entry: &Entry) -> Self {
        let below = match &entry.subject {
            Subject::Token(_) | Subject::Session(_) => 0,
            Subject::Account(_, revision) => *revision,
        };
        Self {
            number: entry.number,
            kind: entry.subject.kind().to_owned(),
            name: entry.subject.name().to_owned(),
            below,
            expires_at: entry.expires_at.as_millis(),
        }
    }

    fn read(self) -> Result<Entry, Fault> {
        let subject = match self.kind.as_str() {
            "token" => Subject::Token(TokenId::new(self.name)),
            "session" => Subject::Session(SessionId::new(self.name)),
            "account" => Subject::Account(AccountId::new(self.name), self.below),
            _ => return Err(Fault::Corrupt("kind")),
        };
        Ok(Entry { number: self.number, subject, expires_at: Timestamp::from_millis(self.expires_at) })
    }
}

fn is_session(subject: &Subject) -> bool {
    matches!(subject, Subject::Session(_))
}
