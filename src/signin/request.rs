//! A person asks for a code. Known or not, the answer is the same, and takes the same time: what differs (making an account,
//! sending a message) happens after it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Map;

use crate::audit::{Event, Thing, What, Who};
use crate::client::Seen;
use crate::clock::Timestamp;
use crate::id::AccountId;
use crate::limits::Charge;
use crate::outage::Outage;
use crate::random;
use crate::secret::{self, Secret};
use crate::signin::account::Account;
use crate::signin::address::Handle;
use crate::signin::challenge::{Challenge, Opened};
use crate::signin::cost::{CostRefusal, Paid, Priced};
use crate::signin::deliver::{Channel, Content, Message, Purpose};
use crate::signin::settings::Registration;
use crate::signin::{SignIn, account};

/// Codes of a subject that are live at once.
pub(super) const LIVE: u32 = 3;

/// User names that nobody gives themselves: an app may take their bearer for somebody. An operator may give them.
const NOT_FOR_THE_TAKING: [&str; 18] = [
    "abuse",
    "admin",
    "administrator",
    "anonymous",
    "daemon",
    "doorward",
    "guest",
    "hostmaster",
    "nobody",
    "operator",
    "postmaster",
    "public",
    "root",
    "security",
    "superuser",
    "support",
    "system",
    "webmaster",
];

/// A person asks.
#[derive(Debug, Clone)]
pub struct Ask {
    /// For a code to this address.
    pub handle: Handle,
    /// Sent this way.
    pub channel: Channel,
    /// From here.
    pub seen: Seen,
}

/// The answer.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The challenge's id, for who asked alone.
    pub challenge_id: Secret<String>,
    /// How the code is sent.
    pub channel: Channel,
    /// How long the code is good.
    pub expires_in: Duration,
    /// When one may ask again.
    pub resend_after: Duration,
    /// The code itself, in development mode only.
    pub development_code: Option<String>,
}

/// Why there is no code.
#[derive(Debug, thiserror::Error)]
pub enum AskRefusal {
    /// The address was asked for a moment ago: wait this long.
    #[error("a code was asked for a moment ago")]
    TooSoon(Duration),
    /// Too many, from this network or for this address.
    #[error("too many codes were asked for")]
    Limited {
        /// Which limit.
        limit: &'static str,
        /// Wait this long.
        retry_after: Duration,
    },
    /// Nothing is sent to such a number.
    #[error("nothing is sent to such a number")]
    CountryNotAllowed,
    /// Nothing here sends by this channel.
    #[error("codes are not sent this way")]
    ChannelUnavailable,
    /// It could not be decided.
    #[error(transparent)]
    Outage(#[from] Outage),
}

impl From<random::NoEntropy> for AskRefusal {
    fn from(cause: random::NoEntropy) -> Self {
        Self::Outage(cause.into())
    }
}

impl From<CostRefusal> for AskRefusal {
    fn from(refusal: CostRefusal) -> Self {
        match refusal {
            CostRefusal::Country => Self::CountryNotAllowed,
            CostRefusal::Limited { limit, retry_after } => Self::Limited { limit, retry_after },
            CostRefusal::Outage(outage) => Self::Outage(outage),
        }
    }
}

/// What becomes of an unknown address, besides.
#[derive(Debug, Clone, Default)]
struct Wishes {
    username: Option<String>,
    name: Option<String>,
}

impl SignIn {
    /// Ask for a code.
    pub async fn request(self: &Arc<Self>, ask: Ask, now: Timestamp) -> Result<Asked, AskRefusal> {
        self.open(ask, Wishes::default(), now).await
    }

    /// Ask for an account, and for a code for it. Taken or not: one answer. `username` is kept only if the account is new,
    /// nobody has it, and it may be taken.
    pub async fn register(
        self: &Arc<Self>,
        ask: Ask,
        username: Option<String>,
        name: Option<String>,
        now: Timestamp,
    ) -> Result<Asked, AskRefusal> {
        self.open(ask, Wishes { username, name }, now).await
    }

    async fn open(self: &Arc<Self>, ask: Ask, wishes: Wishes, now: Timestamp) -> Result<Asked, AskRefusal> {
        let mut told = Event::new(What::CodeRequested, Who::Nobody, now).detail(ask.channel.as_str()).seen(&ask.seen);
        let asked = self.opened(ask, wishes, &mut told, now).await;
        self.tell_asked(told, &asked);
        asked
    }

    async fn opened(self: &Arc<Self>, ask: Ask, wishes: Wishes, told: &mut Event, now: Timestamp) -> Result<Asked, AskRefusal> {
        if !self.settings.channels.contains(&ask.channel) {
            return Err(AskRefusal::ChannelUnavailable);
        }
        let priced = self.priced(&ask.handle, ask.channel)?;
        self.may_ask(&ask, now).await?;
        let known = self.accounts.find_by_handle(&ask.handle).await?;
        told.account = known.as_ref().map(|account| account.id.clone());
        let recipient = self.recipient(known, &ask.handle, wishes, now)?;
        let drawn = self.draw(&ask, recipient.as_ref().map(|(account, _)| &account.id), now)?;
        let paid = self.pay_for(priced, recipient.is_some(), now).await?;
        if let Err(refusal) = self.store(&drawn.challenge, now).await {
            self.give_back(&paid, now).await;
            return Err(refusal);
        }
        let asked = self.asked(&ask, &drawn.id, &drawn.code);
        if self.settings.development {
            // Who asks knows the code already, and may come back with it at once.
            self.send_to(recipient, ask, drawn, &paid).await;
            return Ok(asked);
        }
        let (signin, pause, channel) = (Arc::clone(self), self.pause()?, ask.channel);
        // The queue has counted and logged what it does not take; the resend wait runs out by itself.
        self.deliver.after(pause, channel, Box::pin(async move { signin.send_to(recipient, ask, drawn, &paid).await }));
        Ok(asked)
    }

    /// What is sent is counted. For nobody the answer is the same, and takes the same way, but nothing is counted: a stranger
    /// cannot use up what others are sent.
    pub(super) async fn pay_for(&self, priced: Priced, is_sent: bool, now: Timestamp) -> Result<Paid, CostRefusal> {
        let charge = if is_sent { Charge::Code } else { Charge::Nothing };
        self.pay(priced, charge, now).await
    }

    async fn store(&self, challenge: &Challenge, now: Timestamp) -> Result<(), AskRefusal> {
        if let Opened::TooSoon(wait) = self.challenges.open(challenge, self.settings.otp.resend_after, LIVE).await? {
            self.events.limited("resend_after");
            return Err(AskRefusal::TooSoon(wait));
        }
        self.within_address_limit(&challenge.handle, now).await
    }

    /// How long sending waits, by chance: long enough for the reply to be out, so that the work of sending, which is there
    /// only for an address that we know, does not show in the time that this reply or the next one takes.
    pub(super) fn pause(&self) -> Result<Duration, random::NoEntropy> {
        let [byte] = random::bytes::<1>(self.entropy.as_ref())?;
        Ok(Duration::from_millis(50 + u64::from(byte)))
    }

    pub(super) async fn may_ask(&self, ask: &Ask, now: Timestamp) -> Result<(), AskRefusal> {
        let limit = "codes_per_network";
        let wait = self.take_for_network(limit, self.settings.limits.codes_per_network, &ask.seen, now).await?;
        wait.map_or(Ok(()), |retry_after| Err(AskRefusal::Limited { limit, retry_after }))
    }

    /// Counted after the resend wait, so that a stranger who asks too soon uses up nothing of the address's.
    pub(super) async fn within_address_limit(&self, handle: &str, now: Timestamp) -> Result<(), AskRefusal> {
        let limit = "codes_per_address";
        let wait = self.take(limit, handle, self.settings.limits.codes_per_address, now).await?;
        wait.map_or(Ok(()), |retry_after| Err(AskRefusal::Limited { limit, retry_after }))
    }

    /// Who the code is for, and whether the account is yet to be made; nobody, when the address is unknown and registration
    /// is closed, or the account is disabled.
    fn recipient(
        &self,
        known: Option<Account>,
        handle: &Handle,
        wishes: Wishes,
        now: Timestamp,
    ) -> Result<Option<(Account, bool)>, random::NoEntropy> {
        match (known, self.settings.otp.registration) {
            (Some(account), _) => Ok(account.disabled_at.is_none().then_some((account, false))),
            (None, Registration::Closed) => Ok(None),
            (None, Registration::Open) => {
                let id = AccountId::draw(self.entropy.as_ref())?;
                Ok(Some((unverified(id, handle, wishes, now), true)))
            }
        }
    }

    fn draw(&self, ask: &Ask, account: Option<&AccountId>, now: Timestamp) -> Result<Drawn, random::NoEntropy> {
        let id = random::id(self.entropy.as_ref())?;
        let code = self.draw_code()?;
        let print = secret::fingerprint(&id);
        let handle = self.keyed.handle(&ask.handle);
        let challenge = Challenge {
            subject: account.map_or_else(|| handle.clone(), |account| account.as_str().to_owned()),
            account: account.cloned(),
            handle,
            channel: ask.channel,
            code: self.keyed.code(&print, code.expose()),
            id: print,
            created_at: now,
            expires_at: now.plus(self.settings.otp.lifetime),
        };
        Ok(Drawn { id: Secret::new(id), code, challenge })
    }

    /// A new code: zeros in development.
    ///
    /// # Errors
    /// When the system has no random bytes to give.
    pub fn draw_code(&self) -> Result<Secret<String>, random::NoEntropy> {
        let length = self.settings.otp.length;
        let code = if self.settings.development { "0".repeat(length) } else { random::digits(self.entropy.as_ref(), length)? };
        Ok(Secret::new(code))
    }

    pub(super) fn asked(&self, ask: &Ask, id: &Secret<String>, code: &Secret<String>) -> Asked {
        Asked {
            challenge_id: id.clone(),
            channel: ask.channel,
            expires_in: self.settings.otp.lifetime,
            resend_after: self.settings.otp.resend_after,
            development_code: self.settings.development.then(|| code.expose().clone()),
        }
    }

    /// How long a code is good, as a message says it: whole minutes, rounded up.
    pub fn minutes(&self) -> u64 {
        self.settings.otp.lifetime.as_secs().div_ceil(60)
    }

    /// Keep the new account, and queue the message; nothing for nobody. What fails here is logged, and the resend wait
    /// released.
    async fn send_to(&self, recipient: Option<(Account, bool)>, ask: Ask, drawn: Drawn, paid: &Paid) {
        let now = drawn.challenge.created_at;
        let Some((account, is_new)) = recipient else { return };
        if is_new && !self.keep(&account).await {
            self.release(&drawn.challenge.handle).await;
            self.give_back(paid, now).await;
            return;
        }
        if is_new {
            let registered = Event::new(What::AccountRegistered, Who::Nobody, now).on(Thing::Account(account.id));
            self.audit.note(registered.detail(ask.channel.as_str()).seen(&ask.seen));
        }
        let handle = drawn.challenge.handle.clone();
        let content = Content::Code { code: drawn.code, minutes: self.minutes(), purpose: Purpose::SignIn };
        let message = Message { to: ask.handle, channel: ask.channel, content, language: ask.seen.language, handle: handle.clone() };
        if !self.deliver.enqueue(message) {
            self.release(&handle).await;
            self.give_back(paid, now).await;
        }
    }

    async fn keep(&self, account: &Account) -> bool {
        match self.add(account).await {
            Ok(kept) => kept,
            Err(outage) => {
                tracing::error!(account.id = %account.id, cause = %outage, "account {} could not be kept, no code is sent", account.id);
                false
            }
        }
    }

    async fn add(&self, account: &Account) -> Result<bool, Outage> {
        if self.accounts.add(account).await? {
            return Ok(true);
        }
        if account.username.is_none() {
            return Ok(false);
        }
        // The user name is taken, and nobody is told so: the account goes without.
        let without = Account { username: None, ..account.clone() };
        self.accounts.add(&without).await
    }

    pub(super) async fn release(&self, handle: &str) {
        if let Err(outage) = self.challenges.release(handle).await {
            tracing::warn!(cause = %outage, "the resend wait of an address could not be released, it runs out by itself");
        }
    }
}

struct Drawn {
    id: Secret<String>,
    code: Secret<String>,
    challenge: Challenge,
}

fn unverified(id: AccountId, handle: &Handle, wishes: Wishes, now: Timestamp) -> account::Account {
    let (email, phone) = match handle {
        Handle::Email(text) => (Some(text.clone()), None),
        Handle::Phone(text) => (None, Some(text.clone())),
    };
    Account {
        id,
        username: wishes.username.filter(|name| !NOT_FOR_THE_TAKING.contains(&name.to_lowercase().as_str())),
        name: wishes.name,
        email,
        email_verified: false,
        phone,
        phone_verified: false,
        groups: Vec::new(),
        claims: Map::new(),
        disabled_at: None,
        created_at: now,
        revision: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_makes_themselves_an_administrator() {
        let handle = Handle::email("mallory@example.com").unwrap();
        let name = |wish: &str| {
            let wishes = Wishes { username: Some(wish.to_owned()), name: None };
            unverified(AccountId::new("id"), &handle, wishes, Timestamp::default()).username
        };
        assert_eq!(name("mallory").as_deref(), Some("mallory"));
        assert_eq!((name("admin"), name("Root")), (None, None));
    }
}
