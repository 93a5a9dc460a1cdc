//! Accounts.

use async_trait::async_trait;

use super::Store;
use super::fault::Fault;
use super::link::{Row, Value};
use crate::id::AccountId;
use crate::outage::Outage;
use crate::signin::{Account, Accounts, Handle, account};

#[async_trait]
impl Accounts for Store {
    async fn find(&self, id: &AccountId) -> Result<Option<Account>, Outage> {
        let row = self.ask_one(self.readers.sql.account_by_id, &[id.into()]).await?;
        Ok(row.as_ref().map(account).transpose()?)
    }

    async fn find_by_handle(&self, handle: &Handle) -> Result<Option<Account>, Outage> {
        let sql = match handle {
            Handle::Email(_) => self.readers.sql.account_by_email,
            Handle::Phone(_) => self.readers.sql.account_by_phone,
        };
        let row = self.ask_one(sql, &[handle.expose().into()]).await?;
        Ok(row.as_ref().map(account).transpose()?)
    }

    async fn add(&self, account: &Account) -> Result<bool, Outage> {
        let added = self.change(self.writers.sql.add_account, &values(account)?).await;
        match added {
            Err(fault) if fault.is_taken() => Ok(false),
            added => Ok(added.map(|_| true)?),
        }
    }

    async fn mark_verified(&self, id: &AccountId, handle: &Handle) -> Result<(), Outage> {
        let sql = match handle {
            Handle::Email(_) => self.writers.sql.verify_email,
            Handle::Phone(_) => self.writers.sql.verify_phone,
        };
        self.change(sql, &[id.into(), handle.expose().into()]).await?;
        Ok(())
    }

    async fn enable(&self, id: &AccountId) -> Result<bool, Outage> {
        let found = self.change(self.writers.sql.enable_account, &[id.into()]).await?;
        Ok(found == 1)
    }

    async fn list(&self, after: Option<&AccountId>, limit: u32) -> Result<Vec<Account>, Outage> {
        let after = after.map_or("", AccountId::as_str);
        let rows = self.ask(self.readers.sql.accounts, &[after.into(), limit.into()]).await?;
        Ok(rows.iter().map(account).collect::<Result<_, _>>()?)
    }
}

fn values(account: &Account) -> Result<[Value; 13], Fault> {
    Ok([
        (&account.id).into(),
        account.username.as_deref().into(),
        account.username.as_deref().map(account::folded).as_deref().into(),
        account.name.as_deref().into(),
        account.email.as_deref().into(),
        account.email_verified.into(),
        account.phone.as_deref().into(),
        account.phone_verified.into(),
        (&groups(account)?).into(),
        (&claims(account)?).into(),
        account.disabled_at.into(),
        account.created_at.into(),
        account.revision.into(),
    ])
}

/// The groups of an account, as they are kept.
pub(super) fn groups(account: &Account) -> Result<String, Fault> {
    serde_json::to_string(&account.groups).map_err(|_| Fault::Corrupt("group_names"))
}

/// Its claims, as they are kept.
pub(super) fn claims(account: &Account) -> Result<String, Fault> {
    serde_json::to_string(&account.claims).map_err(|_| Fault::Corrupt("claims"))
}

/// The account in a row that has all its columns.
pub(super) fn account(row: &Row) -> Result<Account, Fault> {
    Ok(Account {
        id: AccountId::new(row.text("id")?),
        username: row.text_or_none("username")?,
        name: row.text_or_none("name")?,
        email: row.text_or_none("email")?,
        email_verified: row.flag("email_verified")?,
        phone: row.text_or_none("phone")?,
        phone_verified: row.flag("phone_verified")?,
        groups: row.parsed("group_names", |text| serde_json::from_str(text).ok())?,
        claims: row.parsed("claims", |text| serde_json::from_str(text).ok())?,
        disabled_at: row.time_or_none("disabled_at")?,
        created_at: row.time("created_at")?,
        revision: row.int("revision")?,
    })
}
