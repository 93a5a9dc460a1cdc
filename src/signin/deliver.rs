//! A code, or a notice, leaves for its address. Queued: a reply never waits for a provider.

use std::net::IpAddr;
use std::pin::Pin;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::language::Language;
use crate::secret::Secret;
use crate::signin::address::Handle;

/// How a code is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// By e-mail.
    Email,
    /// By SMS.
    Sms,
    /// By WhatsApp.
    Whatsapp,
}

impl Channel {
    /// Its word, in stores, replies and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Sms => "sms",
            Self::Whatsapp => "whatsapp",
        }
    }

    /// From its word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Email, Self::Sms, Self::Whatsapp].into_iter().find(|channel| channel.as_str() == word)
    }
}

/// A message on its way.
#[derive(Debug, Clone)]
pub struct Message {
    /// Where to: the canonical stored address.
    pub to: Handle,
    /// How.
    pub channel: Channel,
    /// What it says.
    pub content: Content,
    /// In which language.
    pub language: Language,
    /// MAC of the address: names the resend wait to release when every provider refuses a code.
    pub handle: String,
}

impl Message {
    /// The code that it carries, if it carries one.
    pub const fn code(&self) -> Option<&Secret<String>> {
        match &self.content {
            Content::Code { code, .. } => Some(code),
            Content::Notice(_) => None,
        }
    }
}

/// What a message says.
#[derive(Debug, Clone)]
pub enum Content {
    /// A code that was asked for.
    Code {
        /// The code.
        code: Secret<String>,
        /// How long it is good, in whole minutes, rounded up.
        minutes: u64,
        /// What it is for: whoever is talked into passing it on should have read what it does.
        purpose: Purpose,
    },
    /// Something has happened to the account that its owner should know of.
    Notice(Notice),
}

/// What a code is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To sign in.
    SignIn,
    /// To become an address of somebody's account.
    NewAddress,
    /// What an app has it sent for.
    App,
}

impl Purpose {
    /// Its word, for a webhook.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SignIn => "sign_in",
            Self::NewAddress => "new_address",
            Self::App => "app",
        }
    }
}

/// What the owner of an account is told of. Codes, tokens and addresses are in none of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Somebody signed in on a device that was not seen before.
    NewDevice {
        /// The browser and the system, in words: "Firefox, Linux".
        device: String,
        /// From which network address.
        address: Option<IpAddr>,
    },
    /// An authenticator was set up.
    AuthenticatorAdded,
    /// It was taken away.
    AuthenticatorRemoved,
    /// Recovery codes were made anew.
    RecoveryCodesRenewed,
    /// A recovery code was used in place of the authenticator; so many are left.
    RecoveryCodeUsed {
        /// How many are left.
        left: u32,
    },
    /// The e-mail address or the phone number was added, changed or taken away.
    AddressChanged(Changed),
    /// A refresh token was used a second time: somebody may have copied it. The session was ended.
    RefreshTokenReused,
}

/// Which of an account's addresses has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// The e-mail address.
    Email,
    /// The phone number.
    Phone,
}

impl Notice {
    /// Its kind: at most one of a kind is sent to an account in an hour.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::NewDevice { .. } => "new_device",
            Self::AuthenticatorAdded | Self::AuthenticatorRemoved | Self::RecoveryCodesRenewed | Self::RecoveryCodeUsed { .. } => {
                "factor_changed"
            }
            Self::AddressChanged(_) => "address_changed",
            Self::RefreshTokenReused => "refresh_token_reused",
        }
    }
}

/// What is done about a message before it is queued.
pub type Errand = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Takes messages to be sent.
pub trait Deliver: Send + Sync {
    /// Queue `message`. False when the queue is full: it is dropped, counted and logged by the queue.
    fn enqueue(&self, message: Message) -> bool;

    /// Does no provider of `channel` answer at the moment? Then messages may take longer, whoever they are for.
    fn is_slow(&self, channel: Channel) -> bool;

    /// Do `errand` after `pause`, where it outlives the request and the server: who leaves waits for it. False when too many
    /// wait already, or we are leaving: it is not done, which the queue counts and logs as a message for `channel`.
    fn after(&self, pause: Duration, channel: Channel, errand: Errand) -> bool;
}
