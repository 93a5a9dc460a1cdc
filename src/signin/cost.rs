//! What a message costs, before it is queued: SMS and WhatsApp go only to countries that the operator names, stop where nobody
//! reads them, and end at the day's cap. Every message that costs money passes here.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::limits::{Breaker, Charge, Expense, Shut, Spent};
use crate::outage::Outage;
use crate::signin::SignIn;
use crate::signin::address::Handle;
use crate::signin::country::{self, Country, Placed};
use crate::signin::deliver::Channel;

/// Why a message is not sent.
#[derive(Debug, thiserror::Error)]
pub enum CostRefusal {
    /// Nothing is sent to such a number.
    #[error("nothing is sent to such a number")]
    Country,
    /// The breaker of its prefix is open, or the day's cap is reached.
    #[error("too many messages were sent")]
    Limited {
        /// Which limit.
        limit: &'static str,
        /// Wait this long.
        retry_after: Duration,
    },
    /// It could not be decided.
    #[error(transparent)]
    Outage(#[from] Outage),
}

/// Where a message goes to, as far as it costs something: made by [`SignIn::priced`] alone.
#[derive(Debug, Clone)]
pub struct Priced(Option<Placed>);

/// A message that may be sent: made by [`SignIn::pay`] alone.
#[derive(Debug, Clone)]
#[must_use = "a message that is not sent is given back"]
pub struct Paid(Option<Expense>);

impl SignIn {
    /// Does `channel` reach `handle` from here at all? Decided by the number alone, before anybody is looked up.
    ///
    /// # Errors
    /// `CostRefusal::Country`.
    pub fn priced(&self, handle: &Handle, channel: Channel) -> Result<Priced, CostRefusal> {
        match (channel, handle) {
            (Channel::Email, _) => Ok(Priced(None)),
            (Channel::Sms | Channel::Whatsapp, Handle::Phone(number)) => match self.place(number) {
                Some(placed) => Ok(Priced(Some(placed))),
                None => Err(self.no_country()),
            },
            (Channel::Sms | Channel::Whatsapp, Handle::Email(_)) => Err(self.no_country()),
        }
    }

    /// Count a message before it is sent, as `charge` says.
    ///
    /// # Errors
    /// The prefix is shut, or the day's cap is reached.
    pub async fn pay(&self, priced: Priced, charge: Charge, now: Timestamp) -> Result<Paid, CostRefusal> {
        let Some(placed) = priced.0 else { return Ok(Paid(None)) };
        let expense = self.expense(&placed, charge);
        let (limit, shut) = match self.spending.spend(&expense, now).await? {
            Spent::Taken(today) => {
                self.watch_cap(today, charge);
                return Ok(Paid(Some(expense)));
            }
            Spent::Capped(shut) => {
                self.tell_capped(shut);
                ("sms_per_day", shut)
            }
            Spent::Open { shut, sent, verified } => {
                self.tell_opened(shut, &placed, sent, verified);
                ("sms_prefix", shut)
            }
        };
        self.events.limited(limit);
        Err(CostRefusal::Limited { limit, retry_after: shut.wait })
    }

    /// Count a notice before it is sent; nothing when it may not be.
    pub async fn pay_for_notice(&self, to: &Handle, channel: Channel, now: Timestamp) -> Result<Option<Paid>, Outage> {
        let Ok(priced) = self.priced(to, channel) else { return Ok(None) };
        match self.pay(priced, Charge::Notice, now).await {
            Ok(paid) => Ok(Some(paid)),
            Err(CostRefusal::Country | CostRefusal::Limited { .. }) => Ok(None),
            Err(CostRefusal::Outage(outage)) => Err(outage),
        }
    }

    /// The message was not sent after all. What fails here is logged: the message stays counted.
    pub async fn give_back(&self, paid: &Paid, now: Timestamp) {
        let Some(expense) = &paid.0 else { return };
        if let Err(outage) = self.spending.give_back(expense, now).await {
            tracing::warn!(cause = %outage, "a message that was not sent could not be taken out of what is counted");
        }
    }

    /// A code that was sent by `channel` to the number `phone` came back: such numbers belong to people. Nothing, for e-mail.
    pub async fn converted(&self, phone: Option<&str>, channel: Channel, now: Timestamp) {
        let placed = match channel {
            Channel::Email => None,
            Channel::Sms | Channel::Whatsapp => phone.and_then(|number| self.place(number)),
        };
        let Some(placed) = placed else { return };
        if let Err(outage) = self.spending.verified(&placed.prefix, now).await {
            tracing::warn!(cause = %outage, "a verified code could not be counted for its prefix");
        }
    }

    fn place(&self, number: &str) -> Option<Placed> {
        let limits = &self.settings.limits;
        country::place(number, &limits.sms_countries, limits.sms_breaker_digits)
    }

    fn no_country(&self) -> CostRefusal {
        self.events.limited("sms_countries");
        CostRefusal::Country
    }

    fn expense(&self, placed: &Placed, charge: Charge) -> Expense {
        let limits = &self.settings.limits;
        let breaker = Breaker { window: limits.sms_breaker_window, least: limits.sms_breaker_least, percent: limits.sms_breaker_percent };
        Expense { prefix: placed.prefix.clone(), charge, breaker, per_day: limits.sms_per_day }
    }

    /// At four fifths of the day's cap the operator is told, while there is still time.
    fn watch_cap(&self, today: u32, charge: Charge) {
        let per_day = self.settings.limits.sms_per_day;
        let near = u64::from(per_day).saturating_mul(4).div_ceil(5);
        if charge != Charge::Nothing && u64::from(today) == near {
            self.events.alarmed("sms_cap_near");
            tracing::warn!(sms.today = today, sms.per_day = per_day, "{today} of {per_day} SMS and WhatsApp messages of this day are sent");
        }
    }

    fn tell_capped(&self, shut: Shut) {
        if shut.is_first {
            let per_day = self.settings.limits.sms_per_day;
            self.events.alarmed("sms_cap_reached");
            tracing::error!(
                sms.per_day = per_day,
                "All {per_day} SMS and WhatsApp messages of this day (UTC) are sent; there are none until it ends"
            );
        }
    }

    /// A prefix is nobody's address: it may stand in the log.
    fn tell_opened(&self, shut: Shut, placed: &Placed, sent: u32, verified: u32) {
        if shut.is_first {
            let (prefix, country): (&str, Country) = (&placed.prefix, placed.country);
            let (country, seconds) = (country.as_str(), shut.wait.as_secs());
            self.events.alarmed("sms_breaker_opened");
            tracing::warn!(
                sms.prefix = prefix,
                sms.country = country,
                sms.sent = sent,
                sms.verified = verified,
                "Of {sent} codes sent to +{prefix} ({country}) {verified} came back: such numbers are sent nothing until more do, or for {seconds} s"
            );
        }
    }
}
