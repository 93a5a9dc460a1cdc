//! Accounts.

use async_trait::async_trait;
use mongodb::bson::{Bson, Document, doc};
use serde::{Deserialize, Serialize};

use super::Store;
use super::fault::Fault;
use super::indexes::ACCOUNTS;
use super::query::{Query, millis, moment};
use crate::clock::Timestamp;
use crate::id::AccountId;
use crate::outage::Outage;
use crate::signin::{Account, Accounts, Handle, account};

#[async_trait]
impl Accounts for Store {
    async fn find(&self, id: &AccountId) -> Result<Option<Account>, Outage> {
        self.account(Query::by_id(ACCOUNTS, id.as_str())).await
    }

    async fn find_by_handle(&self, handle: &Handle) -> Result<Option<Account>, Outage> {
        self.account(Query::of(ACCOUNTS, owns(handle))).await
    }

    async fn add(&self, account: &Account) -> Result<bool, Outage> {
        match self.insert(ACCOUNTS, &Record::of(account)?).await {
            Err(fault) if fault.is_taken() => Ok(false),
            added => Ok(added.map(|()| true)?),
        }
    }

    async fn mark_verified(&self, id: &AccountId, handle: &Handle) -> Result<(), Outage> {
        let verified = match handle {
            Handle::Email(_) => "email_verified",
            Handle::Phone(_) => "phone_verified",
        };
        let mut its = owns(handle);
        its.insert("_id", id.as_str());
        its.insert(verified, false);
        self.update(ACCOUNTS, its, doc! { "$set": { verified: true }, "$inc": { "revision": 1_i64 } }).await?;
        Ok(())
    }

    async fn enable(&self, id: &AccountId) -> Result<bool, Outage> {
        let disabled = doc! { "_id": id.as_str(), "disabled_at": { "$ne": Bson::Null } };
        let enabled = doc! { "$unset": { "disabled_at": "" }, "$inc": { "revision": 1_i64 } };
        if self.update(ACCOUNTS, disabled, enabled).await? == 1 {
            return Ok(true);
        }
        Ok(Accounts::find(self, id).await?.is_some())
    }

    async fn list(&self, after: Option<&AccountId>, limit: u32) -> Result<Vec<Account>, Outage> {
        let after = doc! { "_id": { "$gt": after.map_or("", AccountId::as_str) } };
        let listed: Vec<Record> = self.ask(Query::of(ACCOUNTS, after).sorted(doc! { "_id": 1 }).at_most(limit)).await?;
        Ok(listed.into_iter().map(Record::read).collect::<Result<_, _>>()?)
    }
}

impl Store {
    pub(super) async fn account(&self, query: Query) -> Result<Option<Account>, Outage> {
        let found: Option<Record> = self.ask_one(query).await?;
        Ok(found.map(Record::read).transpose()?)
    }
}

/// Those that an address belongs to.
fn owns(handle: &Handle) -> Document {
    match handle {
        Handle::Email(email) => doc! { "email": email },
        Handle::Phone(phone) => doc! { "phone": phone },
    }
}

/// An account as it is kept. What is not there has no field, so that it is not taken.
#[derive(Serialize, Deserialize)]
pub(super) struct Record {
    #[serde(rename = "_id")]
    id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    username_folded: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    email_verified: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
    phone_verified: bool,
    groups: Vec<String>,
    /// As JSON: whatever somebody's claims are called and hold, they are given back as they were.
    claims: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    disabled_at: Option<i64>,
    created_at: i64,
    revision: i64,
}

impl Record {
    pub(super) fn of(account: &Account) -> Result<Self, Fault> {
        Ok(Self {
            id: account.id.as_str().to_owned(),
            username: account.username.clone(),
            username_folded: account.username.as_deref().map(account::folded),
            name: account.name.clone(),
            email: account.email.clone(),
            email_verified: account.email_verified,
            phone: account.phone.clone(),
            phone_verified: account.phone_verified,
            groups: account.groups.clone(),
            claims: serde_json::to_string(&account.claims).map_err(|_| Fault::Corrupt("claims"))?,
            disabled_at: millis(account.disabled_at),
            created_at: account.created_at.as_millis(),
            revision: account.revision,
        })
    }

    /// What makes an account that is kept already into this one, and moves its revision on.
    pub(super) fn changes(self) -> Document {
        let mut set = doc! {
            "email_verified": self.email_verified,
            "phone_verified": self.phone_verified,
            "groups": self.groups,
            "claims": self.claims,
        };
        let mut unset = Document::new();
        for (field, value) in [("name", self.name), ("email", self.email), ("phone", self.phone)] {
            match value {
                Some(value) => drop(set.insert(field, value)),
                None => drop(unset.insert(field, "")),
            }
        }
        let mut change = doc! { "$set": set, "$inc": { "revision": 1_i64 } };
        if !unset.is_empty() {
            change.insert("$unset", unset);
        }
        change
    }

    /// The account in it.
    pub(super) fn read(self) -> Result<Account, Fault> {
        Ok(Account {
            id: AccountId::new(self.id),
            username: self.username,
            name: self.name,
            email: self.email,
            email_verified: self.email_verified,
            phone: self.phone,
            phone_verified: self.phone_verified,
            groups: self.groups,
            claims: serde_json::from_str(&self.claims).map_err(|_| Fault::Corrupt("claims"))?,
            disabled_at: moment(self.disabled_at),
            created_at: Timestamp::from_millis(self.created_at),
            revision: self.revision,
        })
    }
}
