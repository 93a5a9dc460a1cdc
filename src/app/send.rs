//! An app has a code sent. It goes out like any other: over the same channels, to canonical addresses, counted where messages
//! cost money.

use std::time::Duration;

use crate::app::code::SentCode;
use crate::app::service::{CodeRefusal, CodeService, Errand};
use crate::app::subject::Subject;
use crate::clock::Timestamp;
use crate::id::SubjectId;
use crate::language::Language;
use crate::limits::Charge;
use crate::outage::Outage;
use crate::random;
use crate::secret::{self, Secret};
use crate::signin::{Channel, Content, CostRefusal, Handle, Message, Paid, Purpose};

/// Codes of a subject that are live at once.
const LIVE: u32 = 3;

/// What an address of a subject is sealed for.
const SUBJECT_ADDRESS: &str = "app-subject-address";

/// What an address that a code was sent to is sealed for.
pub(super) const CODE_ADDRESS: &str = "app-code-address";

/// A code that is to be sent.
#[derive(Debug, Clone)]
pub struct Order {
    /// For whom.
    pub errand: Errand,
    /// How.
    pub channel: Channel,
    /// Where to; where the subject was sent one last when unset, or its name if that is an address.
    pub to: Option<Handle>,
    /// In which language.
    pub language: Language,
}

/// A code that is on its way.
#[derive(Debug, Clone)]
pub struct Dispatched {
    /// The challenge's id, for the app alone.
    pub challenge_id: Secret<String>,
    /// How long the code is good.
    pub expires_in: Duration,
    /// Where it went, so far that its owner knows it again and nobody else learns it.
    pub masked_to: String,
    /// The code itself, in development mode only.
    pub development_code: Option<String>,
}

impl From<CostRefusal> for CodeRefusal {
    fn from(refusal: CostRefusal) -> Self {
        match refusal {
            CostRefusal::Country => Self::CountryNotAllowed,
            CostRefusal::Limited { retry_after, .. } => Self::Limited(retry_after),
            CostRefusal::Outage(outage) => Self::Outage(outage),
        }
    }
}

impl CodeService {
    /// Send a code.
    ///
    /// # Errors
    /// Why none is sent. Nothing is stored then.
    pub async fn send(&self, order: Order, now: Timestamp) -> Result<Dispatched, CodeRefusal> {
        if !self.sign_in.settings.channels.contains(&order.channel) {
            return Err(CodeRefusal::ChannelUnavailable);
        }
        let mut subject = self.seen(&order.errand, now);
        let to = self.address(&order, &subject.id).await?;
        let priced = self.sign_in.priced(&to, order.channel)?;
        self.may_send(&subject.id, order.channel, now).await?;
        self.remember(&mut subject, &to)?;
        let (id, code, sent) = self.draw(&subject.id, &to, order.channel, now)?;
        let paid = self.sign_in.pay(priced, Charge::Code, now).await?;
        if let Err(outage) = self.codes.open(&subject, &sent, LIVE).await {
            self.sign_in.give_back(&paid, now).await;
            return Err(outage.into());
        }
        let settings = &self.sign_in.settings;
        let dispatched = Dispatched {
            challenge_id: id,
            expires_in: settings.otp.lifetime,
            masked_to: masked(&to),
            development_code: settings.development.then(|| code.expose().clone()),
        };
        self.enqueue(to, order, (&subject.id, code), &paid, now).await?;
        Ok(dispatched)
    }

    /// Where to: as the app says; else where the last one went on such a channel; else the subject's name, if it is an address.
    async fn address(&self, order: &Order, subject: &SubjectId) -> Result<Handle, CodeRefusal> {
        if let Some(to) = &order.to {
            return Ok(to.clone());
        }
        let known = self.subjects.find(subject).await?;
        let sealed = known.and_then(|known| if order.channel == Channel::Email { known.email } else { known.phone });
        if let Some(sealed) = sealed {
            return self.opened(subject.as_str(), SUBJECT_ADDRESS, &sealed);
        }
        let name = Handle::parse(order.errand.subject.expose()).ok();
        name.filter(|handle| fits(handle, order.channel)).ok_or(CodeRefusal::NoAddress)
    }

    async fn may_send(&self, subject: &SubjectId, channel: Channel, now: Timestamp) -> Result<(), CodeRefusal> {
        let limits = &self.sign_in.settings.limits;
        let (limit, count) = match channel {
            Channel::Email => ("app_email", limits.app_email),
            Channel::Sms => ("app_sms", limits.app_sms),
            Channel::Whatsapp => ("app_whatsapp", limits.app_whatsapp),
        };
        self.take(limit, count, subject, now).await?;
        self.take("app_codes", limits.app_codes, subject, now).await
    }

    fn remember(&self, subject: &mut Subject, to: &Handle) -> Result<(), Outage> {
        let sealed = self.sealed(subject.id.as_str(), SUBJECT_ADDRESS, to)?;
        match to {
            Handle::Email(_) => subject.email = Some(sealed),
            Handle::Phone(_) => subject.phone = Some(sealed),
        }
        Ok(())
    }

    fn draw(
        &self,
        subject: &SubjectId,
        to: &Handle,
        channel: Channel,
        now: Timestamp,
    ) -> Result<(Secret<String>, Secret<String>, SentCode), CodeRefusal> {
        let id = random::id(self.sign_in.entropy.as_ref())?;
        let code = self.sign_in.draw_code()?;
        let print = secret::fingerprint(&id);
        let sent = SentCode {
            subject: subject.clone(),
            channel,
            sealed: self.sealed(&print, CODE_ADDRESS, to)?,
            code: self.keyed.code(subject, &print, code.expose()),
            id: print,
            created_at: now,
            expires_at: now.plus(self.sign_in.settings.otp.lifetime),
        };
        Ok((Secret::new(id), code, sent))
    }

    /// What the queue does not take is told to the app: nobody else waits for it.
    async fn enqueue(
        &self,
        to: Handle,
        order: Order,
        (subject, code): (&SubjectId, Secret<String>),
        paid: &Paid,
        now: Timestamp,
    ) -> Result<(), CodeRefusal> {
        let handle = self.keyed.address(subject, to.expose());
        let content = Content::Code { code, minutes: self.sign_in.minutes(), purpose: Purpose::App };
        let message = Message { to, channel: order.channel, content, language: order.language, handle };
        if self.sign_in.deliver.enqueue(message) {
            return Ok(());
        }
        self.sign_in.give_back(paid, now).await;
        Err(Outage::new(crate::outage::Dependency::Delivery, "the queue took no message of an app").into())
    }

    fn sealed(&self, owner: &str, purpose: &str, to: &Handle) -> Result<String, Outage> {
        Ok(self.sign_in.sealer.seal(self.sign_in.entropy.as_ref(), owner, purpose, to.expose().as_bytes())?)
    }

    /// Sealed by us: what is no address is a damaged row, and becomes nobody's.
    pub(super) fn opened(&self, owner: &str, purpose: &str, sealed: &str) -> Result<Handle, CodeRefusal> {
        let plain = self.sign_in.sealer.open(owner, purpose, sealed)?;
        let text = std::str::from_utf8(plain.expose()).ok();
        let handle = text.and_then(|text| Handle::parse(text).ok());
        Ok(handle.ok_or_else(|| Outage::store("an address of an app's subject cannot be read"))?)
    }
}

/// Does this channel reach such an address?
fn fits(handle: &Handle, channel: Channel) -> bool {
    match (handle, channel) {
        (Handle::Email(_), Channel::Email) | (Handle::Phone(_), Channel::Sms | Channel::Whatsapp) => true,
        (Handle::Email(_), Channel::Sms | Channel::Whatsapp) | (Handle::Phone(_), Channel::Email) => false,
    }
}

/// `a***@example.com`, `+49*******78`: stars for what is hidden, three where their number would tell how long a name is.
fn masked(to: &Handle) -> String {
    match to {
        Handle::Email(text) => {
            let (local, domain) = text.split_once('@').unwrap_or((text, ""));
            let first: String = local.chars().take(1).collect();
            format!("{first}***@{domain}")
        }
        Handle::Phone(text) => {
            let last = text.chars().count().saturating_sub(2);
            text.chars().enumerate().map(|(place, c)| if place < 3 || place >= last { c } else { '*' }).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_known_again_by_who_has_it() {
        let masked = |text: &str| masked(&Handle::parse(text).unwrap());
        assert_eq!(masked("ada@example.com"), "a***@example.com");
        assert_eq!(masked("a@example.com"), "a***@example.com");
        assert_eq!(masked("äda.lovelace@example.com"), "ä***@example.com");
        assert_eq!(masked("+4915112345678"), "+49*********78");
        assert_eq!(masked("+12345678"), "+12****78");
    }
}
