//! What is wrong with what a person typed, said beside the field.

use std::time::Duration;

use crate::endpoint::page::Words;
use crate::endpoint::problem::Problem;
use crate::outage::Outage;
use crate::signin::{AskRefusal, GuessRefusal, Means};

/// What is wrong, with the wait where there is one.
#[derive(Debug, Clone, Copy)]
pub(super) enum Complaint {
    InvalidAddress,
    /// Neither an e-mail address nor a phone number.
    NoAddress,
    InvalidPhone,
    ChannelUnavailable,
    CountryNotAllowed,
    TooSoon(Duration),
    LimitReached(Duration),
    /// No challenge is held by this browser.
    NoCode,
    InvalidCode,
    /// A code of the authenticator app.
    InvalidTotp,
    InvalidRecovery,
    /// No sign-in is half done in this browser.
    Expired,
    TooManyAttempts(Duration),
}

impl Complaint {
    /// Why no code was sent.
    ///
    /// # Errors
    /// What is nothing that the person could do better.
    pub(super) fn of_ask(refusal: AskRefusal) -> Result<Self, Outage> {
        match refusal {
            AskRefusal::TooSoon(wait) => Ok(Self::TooSoon(wait)),
            AskRefusal::Limited { retry_after, .. } => Ok(Self::LimitReached(retry_after)),
            AskRefusal::ChannelUnavailable => Ok(Self::ChannelUnavailable),
            AskRefusal::CountryNotAllowed => Ok(Self::CountryNotAllowed),
            AskRefusal::Outage(outage) => Err(outage),
        }
    }

    /// Why a code did not help; `invalid` is how that is said where it was typed.
    ///
    /// # Errors
    /// What is nothing that the person could do better.
    pub(super) fn of_guess(refusal: GuessRefusal, invalid: Self) -> Result<Self, Outage> {
        match refusal {
            GuessRefusal::Invalid => Ok(invalid),
            GuessRefusal::TooMany(wait) => Ok(Self::TooManyAttempts(wait)),
            GuessRefusal::Limited { retry_after, .. } => Ok(Self::LimitReached(retry_after)),
            GuessRefusal::Outage(outage) => Err(outage),
        }
    }

    /// A wrong code, as it is said where such a code is typed.
    pub(super) const fn wrong(means: Means) -> Self {
        match means {
            Means::Totp => Self::InvalidTotp,
            Means::RecoveryCode => Self::InvalidRecovery,
        }
    }

    /// The same as a program is told it: its status is the page's.
    pub(super) const fn problem(self) -> Problem {
        match self {
            Self::InvalidAddress | Self::NoAddress | Self::InvalidPhone => Problem::InvalidAddress,
            Self::ChannelUnavailable => Problem::ChannelUnavailable,
            Self::CountryNotAllowed => Problem::CountryNotAllowed,
            Self::TooSoon(_) => Problem::ResendTooSoon,
            Self::LimitReached(_) => Problem::LimitReached,
            Self::NoCode | Self::InvalidCode | Self::InvalidTotp | Self::InvalidRecovery | Self::Expired => Problem::InvalidCode,
            Self::TooManyAttempts(_) => Problem::TooManyAttempts,
        }
    }

    /// How long to wait.
    pub(super) const fn wait(self) -> Option<Duration> {
        match self {
            Self::TooSoon(wait) | Self::LimitReached(wait) | Self::TooManyAttempts(wait) => Some(wait),
            Self::InvalidAddress
            | Self::NoAddress
            | Self::InvalidPhone
            | Self::ChannelUnavailable
            | Self::CountryNotAllowed
            | Self::NoCode
            | Self::InvalidCode
            | Self::InvalidTotp
            | Self::InvalidRecovery
            | Self::Expired => None,
        }
    }

    /// In words.
    pub(super) fn text(self, words: &Words) -> String {
        let text = match self {
            Self::InvalidAddress => words.invalid_address,
            Self::InvalidPhone => words.invalid_phone,
            Self::NoAddress => words.invalid_address_or_phone,
            Self::ChannelUnavailable => words.channel_unavailable,
            Self::CountryNotAllowed => words.country_not_allowed,
            Self::TooSoon(_) => words.resend_too_soon,
            Self::LimitReached(_) => words.limit_reached,
            Self::NoCode => words.no_code,
            Self::InvalidCode => words.invalid_code,
            Self::InvalidTotp => words.factor.invalid,
            Self::InvalidRecovery => words.factor.invalid_recovery,
            Self::Expired => words.factor.expired,
            Self::TooManyAttempts(_) => words.too_many_attempts,
        };
        self.wait().map_or_else(|| text.to_owned(), |wait| text.replace("{wait}", &words.wait(wait)))
    }
}
