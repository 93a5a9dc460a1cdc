//! The providers of each channel, made from the settings.

use std::sync::Arc;

use super::console::Console;
use super::inbox::{Inbox, Keeping};
use super::letters::Letters;
use super::resend::Resend;
use super::settings::{DeliverySettings, EmailKind, EmailProvider, PhoneKind, PhoneProvider};
use super::smtp::{Server, Smtp};
use super::twilio::Twilio;
use super::webhook::Webhook;
use super::{NotSent, Provider, Wrong};
use crate::signin::Channel;

/// The providers of each channel, in the order in which they are tried.
#[derive(Clone, Default)]
pub struct Providers {
    email: Vec<Arc<dyn Provider>>,
    sms: Vec<Arc<dyn Provider>>,
    whatsapp: Vec<Arc<dyn Provider>>,
}

type Made = Result<Arc<dyn Provider>, NotSent>;

impl Providers {
    /// Those of the settings; `name` is over the door and in every message, `host` is where people sign in. To be called
    /// inside the runtime that the queue works in: pools of connections begin there.
    ///
    /// # Errors
    /// Why a provider cannot be made: settings that were not checked, or no certificates on this machine.
    pub fn new(settings: &DeliverySettings, name: &str, host: &str) -> Result<Self, NotSent> {
        let letters = Letters::new(name, host, settings.templates.as_deref());
        let letters = Arc::new(letters.map_err(|problems| NotSent::Refused(format!("the templates are wrong: {}", problems.join(", "))))?);
        Ok(Self {
            email: settings.email.iter().map(|provider| email(provider, &letters)).collect::<Result<_, _>>()?,
            sms: settings.sms.iter().map(|provider| phone(provider, Channel::Sms, &letters)).collect::<Result<_, _>>()?,
            whatsapp: settings.whatsapp.iter().map(|provider| phone(provider, Channel::Whatsapp, &letters)).collect::<Result<_, _>>()?,
        })
    }

    /// The same, and every message is kept in `inbox` before it is sent: for a demo.
    #[must_use]
    pub fn keeping(self, inbox: &Arc<Inbox>) -> Self {
        let keeping = |provider| -> Arc<dyn Provider> { Arc::new(Keeping::new(Arc::clone(inbox), provider)) };
        let all = |providers: Vec<Arc<dyn Provider>>| providers.into_iter().map(keeping).collect();
        Self { email: all(self.email), sms: all(self.sms), whatsapp: all(self.whatsapp) }
    }

    /// Those of a channel.
    pub fn of(&self, channel: Channel) -> &[Arc<dyn Provider>] {
        match channel {
            Channel::Email => &self.email,
            Channel::Sms => &self.sms,
            Channel::Whatsapp => &self.whatsapp,
        }
    }

    /// The channels that have at least one.
    pub fn channels(&self) -> Vec<Channel> {
        [Channel::Email, Channel::Sms, Channel::Whatsapp].into_iter().filter(|channel| !self.of(*channel).is_empty()).collect()
    }
}

fn email(provider: &EmailProvider, letters: &Arc<Letters>) -> Made {
    let label = provider.label();
    Ok(match provider.kind {
        EmailKind::Console => Arc::new(Console::stdout(label)),
        EmailKind::Smtp => Arc::new(Smtp::new(Server::read(provider).map_err(|mistakes| wrong(&mistakes))?, label, Arc::clone(letters))?),
        EmailKind::Resend => Arc::new(Resend::read(provider).map_err(|mistakes| wrong(&mistakes))?.sender(label, Arc::clone(letters))?),
        EmailKind::Webhook => {
            let webhook = Webhook::read(provider.url.as_ref(), provider.secret.as_ref(), provider.allow_private)
                .map_err(|mistakes| wrong(&mistakes))?;
            Arc::new(webhook.sender(label, Arc::clone(letters))?)
        }
    })
}

fn phone(provider: &PhoneProvider, channel: Channel, letters: &Arc<Letters>) -> Made {
    let label = provider.label();
    Ok(match provider.kind {
        PhoneKind::Console => Arc::new(Console::stdout(label)),
        PhoneKind::Twilio => {
            Arc::new(Twilio::read(provider, channel).map_err(|mistakes| wrong(&mistakes))?.sender(label, Arc::clone(letters))?)
        }
        PhoneKind::Webhook => {
            let webhook = Webhook::read(provider.url.as_ref(), provider.secret.as_ref(), provider.allow_private)
                .map_err(|mistakes| wrong(&mistakes))?;
            Arc::new(webhook.sender(label, Arc::clone(letters))?)
        }
    })
}

fn wrong(mistakes: &[Wrong]) -> NotSent {
    NotSent::Refused(format!("the settings are wrong: {mistakes:?}"))
}
