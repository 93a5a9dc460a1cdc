//! The providers of each channel, made from the settings.

use std::sync::Arc;

use super::console::Console;
use super::inbox::{Inbox, Keeping};
use super::settings::{DeliverySettings, EmailKind, EmailProvider};
use super::smtp::{Server, Smtp};
use super::{NotSent, Provider};
use crate::signin::Channel;

/// The providers of each channel, in the order in which they are tried.
#[derive(Clone, Default)]
pub struct Providers {
    email: Vec<Arc<dyn Provider>>,
}

/// What is wrong with a provider's settings: the field, and a sentence without its value.
pub fn mistakes(provider: &EmailProvider) -> Vec<(&'static str, &'static str)> {
    match provider.kind {
        EmailKind::Smtp => Server::read(provider).err().unwrap_or_default(),
        EmailKind::Console => {
            let set = [("url", provider.url.is_some()), ("password", provider.password.is_some()), ("from", provider.from.is_some())];
            set.into_iter().filter(|(_, set)| *set).map(|(field, _)| (field, "is not for kind \"console\"")).collect()
        }
    }
}

impl Providers {
    /// Those of the settings; `name` is over the door and in every message. To be called inside the runtime that the queue
    /// works in: pools of connections begin there.
    ///
    /// # Errors
    /// Why a provider cannot be made: settings that were not checked, or no certificates on this machine.
    pub fn new(settings: &DeliverySettings, name: &str) -> Result<Self, NotSent> {
        let email = settings.email.iter().map(|provider| one(provider, name)).collect::<Result<_, _>>()?;
        Ok(Self { email })
    }

    /// These providers of e-mail.
    pub fn of_email(email: Vec<Arc<dyn Provider>>) -> Self {
        Self { email }
    }

    /// The same, and every message is kept in `inbox` before it is sent: for a demo.
    #[must_use]
    pub fn keeping(self, inbox: &Arc<Inbox>) -> Self {
        let keeping = |provider| -> Arc<dyn Provider> { Arc::new(Keeping::new(Arc::clone(inbox), provider)) };
        Self { email: self.email.into_iter().map(keeping).collect() }
    }

    /// Those of a channel.
    pub fn of(&self, channel: Channel) -> &[Arc<dyn Provider>] {
        match channel {
            Channel::Email => &self.email,
            Channel::Sms | Channel::Whatsapp => &[],
        }
    }

    /// The channels that have at least one.
    pub fn channels(&self) -> Vec<Channel> {
        [Channel::Email, Channel::Sms, Channel::Whatsapp].into_iter().filter(|channel| !self.of(*channel).is_empty()).collect()
    }
}

fn one(provider: &EmailProvider, name: &str) -> Result<Arc<dyn Provider>, NotSent> {
    match provider.kind {
        EmailKind::Console => Ok(Arc::new(Console::stdout())),
        EmailKind::Smtp => {
            let wrong = |mistakes: Vec<(&str, &str)>| NotSent::Refused(format!("the settings are wrong: {mistakes:?}"));
            let server = Server::read(provider).map_err(wrong)?;
            Ok(Arc::new(Smtp::new(server, name)?))
        }
    }
}
