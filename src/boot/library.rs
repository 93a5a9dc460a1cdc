//! Doorward inside a program of yours: the same gateway, with parts of your own in the place of ours.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;

use crate::boot::{Extras, NotServing, choose_provider, serve};
use crate::config::Config;
use crate::gateway::Stop;
use crate::id::AccountId;
use crate::outage::Outage;
use crate::signin::{Account, Accounts, Channel, ClaimsSource, Deliver, Handle};

/// What a program brings along.
#[derive(Clone, Default)]
pub struct Own {
    /// What sends messages, and over which channels.
    pub deliver: Option<(Arc<dyn Deliver>, HashSet<Channel>)>,
    /// Where people are known.
    pub accounts: Option<Arc<dyn Accounts>>,
    /// What says what else tokens say.
    pub claims: Option<Arc<dyn ClaimsSource>>,
}

/// A gateway that is ready to run.
pub struct Gateway {
    config: Config,
    extras: Extras,
}

impl Gateway {
    /// Begin with a configuration, as [`Config::load`] or [`Config::read`] gives it.
    pub fn builder(config: Config) -> Builder {
        Builder(Self { config, extras: Extras::default() })
    }

    /// Run until SIGTERM, SIGINT or [`Builder::stop`]. Blocks; must not be called inside a runtime.
    ///
    /// # Errors
    /// When it cannot start; [`NotServing`] says why, with the key of the configuration.
    pub fn run(self) -> Result<(), NotServing> {
        choose_provider();
        serve(&self.config, self.extras)
    }
}

/// Puts a [`Gateway`] together. What is not brought along is ours, as the configuration says it.
pub struct Builder(Gateway);

impl Builder {
    /// Messages leave through `deliver`, over these channels; the providers of the configuration are not used.
    #[must_use]
    pub fn deliver(mut self, deliver: impl Deliver + 'static, channels: impl IntoIterator<Item = Channel>) -> Self {
        self.0.extras.own.deliver = Some((Arc::new(deliver), channels.into_iter().collect()));
        self
    }

    /// People are known to `accounts`. The database keeps no more of them than their ids, to which sessions and revocations belong;
    /// `doorward account disable ID` goes on working.
    #[must_use]
    pub fn accounts(mut self, accounts: impl Accounts + 'static) -> Self {
        self.0.extras.own.accounts = Some(Arc::new(accounts));
        self
    }

    /// `claims` says what else tokens say; `[claims_hook]` of the configuration is not asked.
    #[must_use]
    pub fn claims(mut self, claims: impl ClaimsSource + 'static) -> Self {
        self.0.extras.own.claims = Some(Arc::new(claims));
        self
    }

    /// Tells it to leave, as SIGTERM does.
    #[must_use]
    pub fn stop(mut self, stop: Stop) -> Self {
        self.0.extras.stop = stop;
        self
    }

    /// Called once everything is ready, before the first request is taken.
    #[must_use]
    pub fn on_ready(mut self, on_ready: impl FnOnce() + 'static) -> Self {
        self.0.extras.on_ready = Box::new(on_ready);
        self
    }

    /// It.
    pub fn build(self) -> Gateway {
        self.0
    }
}

/// People known to a program, each with a row of ours that holds the id: what disabling and ending sessions lock.
pub(super) struct Shadowed {
    pub(super) own: Arc<dyn Accounts>,
    pub(super) store: Arc<dyn Accounts>,
}

impl Shadowed {
    /// The person, and whether we let them in.
    async fn with_row(&self, account: Option<Account>) -> Result<Option<Account>, Outage> {
        let Some(mut account) = account else { return Ok(None) };
        let row = match self.store.find(&account.id).await? {
            Some(row) => row,
            None => self.make_row(&account).await?,
        };
        account.disabled_at = account.disabled_at.or(row.disabled_at);
        // The ledger's lines are about the row.
        account.revision = row.revision;
        Ok(Some(account))
    }

    async fn make_row(&self, account: &Account) -> Result<Account, Outage> {
        let row = Account {
            username: None,
            name: None,
            email: None,
            email_verified: false,
            phone: None,
            phone_verified: false,
            groups: Vec::new(),
            claims: serde_json::Map::new(),
            ..account.clone()
        };
        if self.store.add(&row).await? {
            return Ok(row);
        }
        // Somebody else has made it meanwhile.
        self.store.find(&account.id).await?.ok_or_else(|| Outage::store("the row of an account comes and goes"))
    }
}

#[async_trait]
impl Accounts for Shadowed {
    async fn find(&self, id: &AccountId) -> Result<Option<Account>, Outage> {
        self.with_row(self.own.find(id).await?).await
    }

    async fn find_by_handle(&self, handle: &Handle) -> Result<Option<Account>, Outage> {
        self.with_row(self.own.find_by_handle(handle).await?).await
    }

    async fn add(&self, account: &Account) -> Result<bool, Outage> {
        self.own.add(account).await
    }

    async fn mark_verified(&self, id: &AccountId, handle: &Handle) -> Result<(), Outage> {
        self.own.mark_verified(id, handle).await
    }

    async fn enable(&self, id: &AccountId) -> Result<bool, Outage> {
        self.store.enable(id).await
    }

    async fn list(&self, after: Option<&AccountId>, limit: u32) -> Result<Vec<Account>, Outage> {
        self.own.list(after, limit).await
    }
}
