//! Sessions and the families of their refresh tokens.
//!
//! A token's document is never changed: the moment at which token *n* was spent is the one at which token *n + 1* was made.

use std::net::IpAddr;
use std::time::Instant;

use async_trait::async_trait;
use mongodb::bson::{Bson, Document, doc};
use serde::{Deserialize, Serialize};

use super::Store;
use super::fault::Fault;
use super::indexes::{ACCOUNTS, REFRESH_TOKENS, SESSIONS};
use super::link::Link;
use super::query::{Query, after, before, millis, moment};
use super::transact::{Act, End};
use crate::clock::Timestamp;
use crate::id::{AccountId, SessionId};
use crate::outage::Outage;
use crate::signin::{Family, NewSession, Session, Sessions};
use crate::store::pace;

#[async_trait]
impl Sessions for Store {
    async fn start(&self, new: &NewSession) -> Result<bool, Outage> {
        self.carry_out(&Start(new)).await
    }

    async fn find(&self, id: &SessionId) -> Result<Option<Session>, Outage> {
        let found: Option<Record> = self.ask_one(Query::by_id(SESSIONS, id.as_str())).await?;
        Ok(found.map(Record::read).transpose()?)
    }

    /// Proven: whoever lost a race for the rotation is given the successor, and it must last.
    async fn family(&self, refresh: &str) -> Result<Option<Family>, Outage> {
        self.prove(&FamilyOf(refresh)).await
    }

    async fn rotate(&self, id: &SessionId, presented: i64, successor: &str, now: Timestamp, from: Option<IpAddr>) -> Result<bool, Outage> {
        self.carry_out(&Rotate { id, presented, successor, now, from }).await
    }

    async fn list(&self, account: &AccountId, now: Timestamp, limit: u32) -> Result<Vec<Session>, Outage> {
        let live = doc! { "account_id": account.as_str(), "ended_at": Bson::Null, "expires_at": after(now) };
        let live: Vec<Record> = self.ask(Query::of(SESSIONS, live).newest_first().at_most(limit)).await?;
        Ok(live.into_iter().map(Record::read).collect::<Result<_, _>>()?)
    }

    async fn page(
        &self,
        account: Option<&AccountId>,
        after_id: Option<&SessionId>,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Session>, Outage> {
        let mut live = doc! { "_id": { "$gt": after_id.map_or("", SessionId::as_str) }, "ended_at": Bson::Null, "expires_at": after(now) };
        if let Some(account) = account {
            live.insert("account_id", account.as_str());
        }
        let live: Vec<Record> = self.ask(Query::of(SESSIONS, live).sorted(doc! { "_id": 1 }).at_most(limit)).await?;
        Ok(live.into_iter().map(Record::read).collect::<Result<_, _>>()?)
    }

    async fn sweep(&self, before_moment: Timestamp) -> Result<u64, Outage> {
        let expired = self.sweep_with_tokens(&doc! { "expires_at": before(before_moment) }).await?;
        let ended = self.sweep_with_tokens(&doc! { "ended_at": before(before_moment) }).await?;
        Ok(expired.saturating_add(ended))
    }
}

impl Store {
    /// The tokens first: what is interrupted half-way is done again by the next sweep, which still finds the session.
    async fn sweep_with_tokens(&self, over: &Document) -> Result<u64, Outage> {
        let mut swept = 0_u64;
        loop {
            let began = Instant::now();
            let ids = self.some_ids(SESSIONS, over).await?;
            if ids.is_empty() {
                return Ok(swept);
            }
            self.delete_all(REFRESH_TOKENS, doc! { "session_id": { "$in": ids.clone() } }).await?;
            swept = swept.saturating_add(self.delete_all(SESSIONS, doc! { "_id": { "$in": ids } }).await?);
            pace::give_way(began.elapsed()).await;
        }
    }
}

/// Begin a session. The account is held: who disables it at the same time has to begin again, and then sees this session; or
/// was first, and then it is refused.
struct Start<'a>(&'a NewSession);

#[async_trait]
impl Act for Start<'_> {
    type Answer = bool;

    fn about(&self) -> &str {
        self.0.session.account.as_str()
    }

    async fn run(&self, link: &mut Link) -> Result<End<bool>, Fault> {
        let session = &self.0.session;
        let enabled = doc! { "_id": session.account.as_str(), "disabled_at": Bson::Null };
        if link.ask_one::<Document>(Query::of(ACCOUNTS, enabled)).await?.is_none() {
            return Ok(End::RollBack(false));
        }
        link.hold(ACCOUNTS, session.account.as_str()).await?;
        link.insert(SESSIONS, &Record::of(self.0)?).await?;
        let first = Token {
            print: self.0.refresh.clone(),
            session_id: session.id.as_str().to_owned(),
            number: 1,
            made_at: session.created_at.as_millis(),
        };
        link.insert(REFRESH_TOKENS, &first).await?;
        Ok(End::Commit(true))
    }
}

/// What belongs to a refresh token. Its moment was that of the token after it.
struct FamilyOf<'a>(&'a str);

#[async_trait]
impl Act for FamilyOf<'_> {
    type Answer = Option<Family>;

    fn about(&self) -> &str {
        self.0
    }

    async fn run(&self, link: &mut Link) -> Result<End<Option<Family>>, Fault> {
        let Some(Token { session_id, number, .. }) = link.ask_one(Query::by_id(REFRESH_TOKENS, self.0)).await? else {
            return Ok(End::Commit(None));
        };
        let Some(record) = link.ask_one::<Record>(Query::by_id(SESSIONS, &session_id)).await? else {
            return Ok(End::Commit(None));
        };
        let next = doc! { "session_id": session_id, "number": number.saturating_add(1) };
        let next: Option<Token> = link.ask_one(Query::of(REFRESH_TOKENS, next)).await?;
        let spent_at = moment(next.map(|next| next.made_at));
        let (family_key, newest) = (record.family_key.clone(), record.newest);
        Ok(End::Commit(Some(Family { session: record.read()?, family_key, newest, presented: number, spent_at })))
    }
}

/// Spend a refresh token and make the next. The session counts: of all who present the same number, one moves it on.
struct Rotate<'a> {
    id: &'a SessionId,
    presented: i64,
    successor: &'a str,
    now: Timestamp,
    from: Option<IpAddr>,
}

#[async_trait]
impl Act for Rotate<'_> {
    type Answer = bool;

    fn about(&self) -> &str {
        self.id.as_str()
    }

    async fn run(&self, link: &mut Link) -> Result<End<bool>, Fault> {
        let newest = doc! { "_id": self.id.as_str(), "newest": self.presented, "ended_at": Bson::Null, "expires_at": after(self.now) };
        if link.ask_one::<Document>(Query::of(SESSIONS, newest.clone())).await?.is_none() {
            return Ok(End::RollBack(false));
        }
        let (next, now) = (self.presented.saturating_add(1), self.now.as_millis());
        let mut seen = doc! { "newest": next, "last_seen_at": now };
        if let Some(address) = self.from {
            seen.insert("address", address.to_string());
        }
        if link.update(SESSIONS, newest, doc! { "$set": seen }).await? == 0 {
            return Err(Fault::Raced);
        }
        let successor = Token { print: self.successor.to_owned(), session_id: self.id.as_str().to_owned(), number: next, made_at: now };
        link.insert(REFRESH_TOKENS, &successor).await?;
        Ok(End::Commit(true))
    }
}

/// A refresh token, by its fingerprint.
#[derive(Serialize, Deserialize)]
struct Token {
    #[serde(rename = "_id")]
    print: String,
    session_id: String,
    number: i64,
    made_at: i64,
}

#[derive(Serialize, Deserialize)]
struct Record {
    #[serde(rename = "_id")]
    id: String,
    account_id: String,
    created_at: i64,
    last_seen_at: i64,
    expires_at: i64,
    auth_time: i64,
    amr: String,
    acr: String,
    address: Option<String>,
    agent: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended_at: Option<i64>,
    family_key: String,
    newest: i64,
}

impl Record {
    fn of(new: &NewSession) -> Result<Self, Fault> {
        let session = &new.session;
        Ok(Self {
            id: session.id.as_str().to_owned(),
            account_id: session.account.as_str().to_owned(),
            created_at: session.created_at.as_millis(),
            last_seen_at: session.last_seen_at.as_millis(),
            expires_at: session.expires_at.as_millis(),
            auth_time: session.auth_time.as_millis(),
            amr: serde_json::to_string(&session.amr).map_err(|_| Fault::Corrupt("amr"))?,
            acr: serde_json::to_string(&session.acr).map_err(|_| Fault::Corrupt("acr"))?,
            address: session.address.map(|address| address.to_string()),
            agent: session.agent.clone(),
            ended_at: millis(session.ended_at),
            family_key: new.family_key.clone(),
            newest: 1,
        })
    }

    fn read(self) -> Result<Session, Fault> {
        let address = self.address.map(|text| text.parse()).transpose();
        Ok(Session {
            id: SessionId::new(self.id),
            account: AccountId::new(self.account_id),
            created_at: Timestamp::from_millis(self.created_at),
            last_seen_at: Timestamp::from_millis(self.last_seen_at),
            expires_at: Timestamp::from_millis(self.expires_at),
            auth_time: Timestamp::from_millis(self.auth_time),
            amr: serde_json::from_str(&self.amr).map_err(|_| Fault::Corrupt("amr"))?,
            acr: serde_json::from_str(&self.acr).map_err(|_| Fault::Corrupt("acr"))?,
            address: address.map_err(|_| Fault::Corrupt("address"))?,
            agent: self.agent,
            ended_at: moment(self.ended_at),
        })
    }
}
