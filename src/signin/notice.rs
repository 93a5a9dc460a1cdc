//! The owner of an account is told of what happened to it: where a code has come back, and at most once an hour for each kind.
//!
//! Telling never fails what it tells of, and never delays its reply: it is done in a task of its own, and what goes wrong there
//! is for the log.

use std::sync::Arc;
use std::time::Duration;

use crate::audit::{Event, Outcome, What, Who};
use crate::client::Seen;
use crate::clock::Timestamp;
use crate::id::AccountId;
use crate::language::Language;
use crate::limits::{Quota, Verdict};
use crate::outage::Outage;
use crate::signin::account::Account;
use crate::signin::address::Handle;
use crate::signin::deliver::{Channel, Content, Message, Notice};
use crate::signin::device::{self, Met};
use crate::signin::{HOUR, SignIn};

/// An address that is told, and how.
pub(super) type Recipient = (Handle, Channel);

impl SignIn {
    /// Tell the owner of `account`: by e-mail to their verified address, else by SMS to their verified phone where SMS has a
    /// provider; nobody where no code has ever come back.
    pub fn notify(self: &Arc<Self>, account: &AccountId, notice: Notice, language: Language, now: Timestamp) {
        let (signin, account) = (Arc::clone(self), account.clone());
        self.apart(async move {
            let found = match signin.accounts.find(&account).await {
                Ok(found) => found,
                Err(outage) => return untold(&account, &notice, &outage),
            };
            let recipient = found.and_then(|account| signin.reachable(&account).into_iter().next());
            signin.tell(&account, recipient.into_iter().collect(), &notice, language, now).await;
        });
    }

    /// Tell those at `recipients`, each of them.
    pub(super) fn notify_at(
        self: &Arc<Self>,
        account: &AccountId,
        recipients: Vec<Recipient>,
        notice: Notice,
        language: Language,
        now: Timestamp,
    ) {
        let (signin, account) = (Arc::clone(self), account.clone());
        self.apart(async move { signin.tell(&account, recipients, &notice, language, now).await });
    }

    /// The account signs in on what `seen` says: its owner is told when it is a device that the account was never on before.
    pub(super) fn meet_device(self: &Arc<Self>, account: &AccountId, seen: &Seen, now: Timestamp) {
        let (signin, account, seen) = (Arc::clone(self), account.clone(), seen.clone());
        self.apart(async move {
            let device = device::words(&seen.agent).to_string();
            let notice = Notice::NewDevice { device: device.clone(), address: seen.address };
            match signin.devices.meet(&account, &device, now).await {
                Ok(Met::New) => signin.notify(&account, notice, seen.language, now),
                Ok(Met::First | Met::Again) => {}
                Err(outage) => untold(&account, &notice, &outage),
            }
        });
    }

    /// Where notices of an account may go, the best first: verified, and by a channel that has a provider.
    pub(super) fn reachable(&self, account: &Account) -> Vec<Recipient> {
        let email = account.email.clone().filter(|_| account.email_verified).map(|text| (Handle::Email(text), Channel::Email));
        let phone = account.phone.clone().filter(|_| account.phone_verified).map(|text| (Handle::Phone(text), Channel::Sms));
        let both = email.into_iter().chain(phone);
        both.filter(|(_, channel)| self.settings.channels.contains(channel)).collect()
    }

    /// Where it outlives the request and the server. The queue has counted and logged what it does not take.
    fn apart(&self, errand: impl Future<Output = ()> + Send + 'static) {
        self.deliver.after(Duration::ZERO, Channel::Email, Box::pin(errand));
    }

    async fn tell(&self, account: &AccountId, recipients: Vec<Recipient>, notice: &Notice, language: Language, now: Timestamp) {
        for recipient in recipients {
            match self.tell_one(account, recipient, notice, language, now).await {
                Ok(told) => {
                    tracing::info!(audit = "notified", account.id = %account, notice.kind = notice.kind(), notice.told = told,
                        "account {account} is told of {}: {told}", notice.kind());
                    let notified = Event::new(What::Notified, Who::Nobody, now).of(account).detail(notice.kind());
                    self.audit.note(if told { notified } else { notified.came_to(Outcome::Limited) });
                }
                Err(outage) => untold(account, notice, &outage),
            }
        }
    }

    /// False when they were told of this kind within the hour, when a message to them is not paid for, or the queue has no room.
    async fn tell_one(
        &self,
        account: &AccountId,
        (to, channel): Recipient,
        notice: &Notice,
        language: Language,
        now: Timestamp,
    ) -> Result<bool, Outage> {
        let handle = self.keyed.handle(&to);
        let key = format!("notice:{}", self.keyed.limit(&format!("{} {account} {handle}", notice.kind())));
        match self.limits.take(&key, Quota { count: 1, window: HOUR }, now).await? {
            Verdict::Spent(_) => Ok(false),
            Verdict::Left(_) => {
                let Some(paid) = self.pay_for_notice(&to, channel, now).await? else { return Ok(false) };
                let content = Content::Notice(notice.clone());
                let queued = self.deliver.enqueue(Message { to, channel, content, language, handle });
                if !queued {
                    self.give_back(&paid, now).await;
                }
                Ok(queued)
            }
        }
    }
}

fn untold(account: &AccountId, notice: &Notice, outage: &Outage) {
    tracing::warn!(account.id = %account, notice.kind = notice.kind(), cause = %outage,
        "account {account} could not be told of {}", notice.kind());
}
