//! Accounts, as an operator lists, changes and removes them.

use async_trait::async_trait;

use super::Store;
use super::accounts::{account, claims, groups};
use super::fault::Fault;
use super::ledger::Stroke;
use super::link::{Link, Row};
use super::transact::{Act, End};
use crate::clock::Timestamp;
use crate::id::AccountId;
use crate::outage::Outage;
use crate::revocation::Subject;
use crate::signin::{Account, Accounts as _, Roster, Sought, Written, account as accounts};

#[async_trait]
impl Roster for Store {
    async fn change(&self, account: &Account, expires_at: Timestamp) -> Result<Written, Outage> {
        let done = self.carry_out_unless_taken(&Change { account, stroke: Stroke::outdating(expires_at) }).await?;
        Ok(done.unwrap_or(Written::Taken))
    }

    async fn remove(&self, id: &AccountId, revision: i64, reason: &str, now: Timestamp, expires_at: Timestamp) -> Result<Written, Outage> {
        self.carry_out(&Remove { id, revision, stroke: Stroke { reason, now, expires_at } }).await
    }

    /// Addresses and user names are unique: where one is sought, there is one account at most.
    async fn page(&self, sought: &Sought, after: Option<&AccountId>, limit: u32) -> Result<Vec<Account>, Outage> {
        let one = match (&sought.handle, &sought.username) {
            (Some(handle), _) => self.find_by_handle(handle).await?,
            (None, Some(name)) => {
                let row = self.ask_one(self.readers.sql.account_by_username, &[(&accounts::folded(name)).into()]).await?;
                row.as_ref().map(account).transpose()?
            }
            (None, None) => return self.some(sought, after, limit).await,
        };
        let is_next = |found: &Account| limit > 0 && sought.is(found) && after.is_none_or(|after| found.id > *after);
        Ok(one.into_iter().filter(is_next).collect())
    }
}

impl Store {
    async fn some(&self, sought: &Sought, after: Option<&AccountId>, limit: u32) -> Result<Vec<Account>, Outage> {
        let after = after.map_or("", AccountId::as_str);
        let disabled = sought.disabled.map_or(-1, i64::from);
        let group = sought.group.as_deref().unwrap_or_default();
        let values = [after.into(), disabled.into(), disabled.into(), group.into(), group.into(), limit.into()];
        let rows = self.ask(self.readers.sql.accounts_page, &values).await?;
        Ok(rows.iter().map(account).collect::<Result<_, _>>()?)
    }
}

/// The row is changed first, and its lock kept: a session that starts meanwhile waits.
struct Change<'a> {
    account: &'a Account,
    stroke: Stroke<'a>,
}

#[async_trait]
impl Act for Change<'_> {
    type Answer = Written;

    async fn run(&self, link: &mut Link) -> Result<End<Written>, Fault> {
        let new = self.account;
        link.fetch_one(link.sql.lock_account, &[(&new.id).into()]).await?;
        let old = link.fetch_one(link.sql.account_by_id, &[(&new.id).into()]).await?;
        let Some(old) = old.as_ref().map(account).transpose()?.filter(|old| old.revision == new.revision) else {
            return Ok(End::RollBack(Written::Stale));
        };
        let values = [
            new.name.as_deref().into(),
            new.email.as_deref().into(),
            new.email_verified.into(),
            new.phone.as_deref().into(),
            new.phone_verified.into(),
            (&groups(new)?).into(),
            (&claims(new)?).into(),
            (&new.id).into(),
        ];
        link.execute(link.sql.change_account, &values).await?;
        if old.email != new.email || old.phone != new.phone {
            for sql in [link.sql.drop_challenges, link.sql.drop_changes, link.sql.drop_pendings] {
                link.execute(sql, &[(&new.id).into()]).await?;
            }
        }
        Ok(self.stroke.outdate(link, new).await?.map(Written::Done))
    }
}

/// The account goes first, so that no session of it begins any more.
struct Remove<'a> {
    id: &'a AccountId,
    revision: i64,
    stroke: Stroke<'a>,
}

#[async_trait]
impl Act for Remove<'_> {
    type Answer = Written;

    async fn run(&self, link: &mut Link) -> Result<End<Written>, Fault> {
        link.fetch_one(link.sql.lock_account, &[self.id.into()]).await?;
        let live = self.stroke.live(link, self.id).await?;
        if link.execute(link.sql.remove_account, &[self.id.into(), self.revision.into()]).await? == 0 {
            return Ok(End::RollBack(Written::Stale));
        }
        let belongings = [
            link.sql.drop_challenges,
            link.sql.drop_changes,
            link.sql.drop_pendings,
            link.sql.delete_codes,
            link.sql.remove_factor,
            link.sql.drop_devices,
            link.sql.drop_hook_claims,
        ];
        for sql in belongings {
            link.execute(sql, &[self.id.into()]).await?;
        }
        let account = Subject::Account(self.id.clone(), self.revision.saturating_add(1));
        let subjects = live.into_iter().map(Subject::Session).chain([account]).collect();
        Ok(self.stroke.write(link, subjects).await?.map(Written::Done))
    }
}

/// What an account was changed to last.
pub(super) fn revision(row: Option<Row>) -> Result<i64, Fault> {
    row.map_or(Ok(0), |row| row.int("revision"))
}
