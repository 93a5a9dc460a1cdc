//! Sessions and the families of their refresh tokens.

use std::net::IpAddr;

use async_trait::async_trait;

use super::Store;
use super::fault::Fault;
use super::link::{Link, Row, Value};
use super::transact::{Act, End};
use crate::clock::Timestamp;
use crate::id::{AccountId, SessionId};
use crate::outage::Outage;
use crate::signin::{Family, NewSession, Session, Sessions};

#[async_trait]
impl Sessions for Store {
    async fn start(&self, new: &NewSession) -> Result<bool, Outage> {
        self.carry_out(&Start(new)).await
    }

    async fn find(&self, id: &SessionId) -> Result<Option<Session>, Outage> {
        let row = self.ask_one(self.readers.sql.session_by_id, &[id.into()]).await?;
        Ok(row.as_ref().map(session).transpose()?)
    }

    async fn family(&self, refresh: &str) -> Result<Option<Family>, Outage> {
        let row = self.ask_one(self.readers.sql.family_by_refresh, &[refresh.into()]).await?;
        Ok(row.as_ref().map(family).transpose()?)
    }

    async fn rotate(&self, id: &SessionId, presented: i64, successor: &str, now: Timestamp, from: Option<IpAddr>) -> Result<bool, Outage> {
        self.carry_out(&Rotate { id, presented, successor, now, from }).await
    }

    async fn list(&self, account: &AccountId, now: Timestamp, limit: u32) -> Result<Vec<Session>, Outage> {
        let rows = self.ask(self.readers.sql.sessions_of_account, &[account.into(), now.into(), limit.into()]).await?;
        Ok(rows.iter().map(session).collect::<Result<_, _>>()?)
    }

    async fn page(
        &self,
        account: Option<&AccountId>,
        after: Option<&SessionId>,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Session>, Outage> {
        let after = after.map_or("", SessionId::as_str);
        let rows = match account {
            Some(account) => {
                let values = [account.into(), after.into(), now.into(), limit.into()];
                self.ask(self.readers.sql.sessions_of_account_page, &values).await?
            }
            None => self.ask(self.readers.sql.sessions_page, &[after.into(), now.into(), limit.into()]).await?,
        };
        Ok(rows.iter().map(session).collect::<Result<_, _>>()?)
    }

    async fn sweep(&self, before: Timestamp) -> Result<u64, Outage> {
        let expired = self.sweep_all(self.writers.sql.sweep_expired_sessions, before).await?;
        let ended = self.sweep_all(self.writers.sql.sweep_ended_sessions, before).await?;
        Ok(expired.saturating_add(ended))
    }
}

/// Begin a session. The account is locked first: who disables it waits, and then sees this session; or was first, and then
/// it is refused.
struct Start<'a>(&'a NewSession);

#[async_trait]
impl Act for Start<'_> {
    type Answer = bool;

    async fn run(&self, link: &mut Link) -> Result<End<bool>, Fault> {
        let session = &self.0.session;
        if link.fetch_one(link.sql.lock_enabled_account, &[(&session.account).into()]).await?.is_none() {
            return Ok(End::RollBack(false));
        }
        link.execute(link.sql.add_session, &values(self.0)?).await?;
        link.execute(link.sql.add_refresh, &[(&self.0.refresh).into(), (&session.id).into(), 1_i64.into()]).await?;
        Ok(End::Commit(true))
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

    async fn run(&self, link: &mut Link) -> Result<End<bool>, Fault> {
        let from = self.from.map(|address| address.to_string());
        let advance = [self.now.into(), from.as_deref().into(), self.id.into(), self.presented.into(), self.now.into()];
        if link.execute(link.sql.advance_session, &advance).await? == 0 {
            return Ok(End::RollBack(false));
        }
        link.execute(link.sql.spend_refresh, &[self.now.into(), self.id.into(), self.presented.into()]).await?;
        let next = self.presented.saturating_add(1);
        link.execute(link.sql.add_refresh, &[self.successor.into(), self.id.into(), next.into()]).await?;
        Ok(End::Commit(true))
    }
}

fn values(new: &NewSession) -> Result<[Value; 11], Fault> {
    let session = &new.session;
    let address = session.address.map(|address| address.to_string());
    Ok([
        (&session.id).into(),
        (&session.account).into(),
        session.created_at.into(),
        session.last_seen_at.into(),
        session.expires_at.into(),
        session.auth_time.into(),
        (&serde_json::to_string(&session.amr).map_err(|_| Fault::Corrupt("amr"))?).into(),
        (&serde_json::to_string(&session.acr).map_err(|_| Fault::Corrupt("acr"))?).into(),
        address.as_deref().into(),
        (&session.agent).into(),
        (&new.family_key).into(),
    ])
}

fn session(row: &Row) -> Result<Session, Fault> {
    let address = row.text_or_none("address")?.map(|text| text.parse()).transpose();
    Ok(Session {
        id: SessionId::new(row.text("id")?),
        account: AccountId::new(row.text("account_id")?),
        created_at: row.time("created_at")?,
        last_seen_at: row.time("last_seen_at")?,
        expires_at: row.time("expires_at")?,
        auth_time: row.time("auth_time")?,
        amr: row.parsed("amr", |text| serde_json::from_str(text).ok())?,
        acr: row.parsed("acr", |text| serde_json::from_str(text).ok())?,
        address: address.map_err(|_| Fault::Corrupt("address"))?,
        agent: row.text("agent")?,
        ended_at: row.time_or_none("ended_at")?,
    })
}

fn family(row: &Row) -> Result<Family, Fault> {
    Ok(Family {
        session: session(row)?,
        family_key: row.text("family_key")?,
        newest: row.int("newest")?,
        presented: row.int("number")?,
        spent_at: row.time_or_none("spent_at")?,
    })
}
