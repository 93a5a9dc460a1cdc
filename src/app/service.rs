//! Codes as a service: what an app that has shown its key may have done for its subjects. [`super::send`] sends codes,
//! [`super::verify`] compares them, [`super::enrol`] looks after authenticators.

use std::sync::Arc;
use std::time::Duration;

use crate::app::authenticator::{Authenticator, Authenticators};
use crate::app::code::{At, SentCodes, Tried, Try};
use crate::app::keyed::AppKeyed;
use crate::app::registered::{App, Apps};
use crate::app::subject::{Subject, SubjectName, Subjects};
use crate::clock::Timestamp;
use crate::id::SubjectId;
use crate::limits::{Quota, Verdict};
use crate::outage::Outage;
use crate::signin::{PENDING, SignIn};

/// The window of the limits of apps.
const MINUTE: Duration = Duration::from_mins(1);

const HOUR: Duration = Duration::from_hours(1);

/// What codes as a service stand on. What is sent, and what it costs, is counted where signing in counts it.
pub struct CodeService {
    /// Where apps are kept.
    pub apps: Arc<dyn Apps>,
    /// Where their subjects are.
    pub subjects: Arc<dyn Subjects>,
    /// Where their codes are.
    pub codes: Arc<dyn SentCodes>,
    /// Where the authenticators of their subjects are.
    pub authenticators: Arc<dyn Authenticators>,
    /// The keys under which all that is hashed.
    pub keyed: AppKeyed,
    /// What sends, and counts what that costs; chance, and how codes are.
    pub sign_in: Arc<SignIn>,
}

/// An app asks for something to be done for one of its subjects.
#[derive(Debug, Clone)]
pub struct Errand {
    /// The app.
    pub app: App,
    /// Whom it means.
    pub subject: SubjectName,
}

/// Why something is not done for an app.
#[derive(Debug, thiserror::Error)]
pub enum CodeRefusal {
    /// Unknown, wrong, expired, spent: one answer.
    #[error("the code is not valid")]
    Invalid,
    /// No attempt is left: wait this long.
    #[error("too many attempts")]
    TooMany(Duration),
    /// Too many a minute, or for what they cost.
    #[error("too many requests")]
    Limited(Duration),
    /// There is no such subject, or it has no authenticator.
    #[error("there is no such subject, or no authenticator of it")]
    Unknown,
    /// The subject has an authenticator that counts.
    #[error("the authenticator is enabled already")]
    Enabled,
    /// Neither was an address given, nor is one known.
    #[error("no address is known of this subject")]
    NoAddress,
    /// Codes are not sent this way here.
    #[error("codes are not sent this way")]
    ChannelUnavailable,
    /// Nothing is sent to such a number.
    #[error("nothing is sent to such a number")]
    CountryNotAllowed,
    /// It could not be decided.
    #[error(transparent)]
    Outage(#[from] Outage),
}

impl From<crate::random::NoEntropy> for CodeRefusal {
    fn from(cause: crate::random::NoEntropy) -> Self {
        Self::Outage(cause.into())
    }
}

impl From<crate::seal::SealError> for CodeRefusal {
    fn from(cause: crate::seal::SealError) -> Self {
        Self::Outage(cause.into())
    }
}

impl CodeService {
    /// The app that a key speaks for, if it is one that there was when the key was made: a key of an app that was removed is
    /// worth nothing at another one of its name.
    ///
    /// # Errors
    /// An [`Outage`] when it could not be looked up.
    pub async fn app(&self, name: &str, key_made: Timestamp) -> Result<Option<App>, Outage> {
        Ok(self.apps.find(name).await?.filter(|app| app.created_at <= key_made))
    }

    pub(super) fn id(&self, errand: &Errand) -> SubjectId {
        self.keyed.subject(&errand.app.id, &errand.subject)
    }

    /// The subject as it is seen now, without addresses.
    pub(super) fn seen(&self, errand: &Errand, now: Timestamp) -> Subject {
        Subject {
            id: self.id(errand),
            app: errand.app.id.clone(),
            name: errand.subject.clone(),
            email: None,
            phone: None,
            created_at: now,
            seen_at: now,
            enabled_at: None,
        }
    }

    /// The authenticator of a subject.
    ///
    /// # Errors
    /// [`CodeRefusal::Unknown`] when there is none.
    pub(super) async fn authenticator(&self, subject: &SubjectId) -> Result<Authenticator, CodeRefusal> {
        self.authenticators.find(subject).await?.ok_or(CodeRefusal::Unknown)
    }

    /// Take one of `count` a minute for a subject.
    pub(super) async fn take(&self, limit: &'static str, count: u32, subject: &SubjectId, now: Timestamp) -> Result<(), CodeRefusal> {
        let key = format!("{limit}:{subject}");
        match self.sign_in.limits.take(&key, Quota { count, window: MINUTE }, now).await? {
            Verdict::Left(_) => Ok(()),
            Verdict::Spent(wait) => {
                self.sign_in.events.limited(limit);
                Err(CodeRefusal::Limited(wait))
            }
        }
    }

    /// An attempt may be made, as far as the minute's limit goes.
    pub(super) async fn may_try(&self, subject: &SubjectId, now: Timestamp) -> Result<(), CodeRefusal> {
        self.take("app_verifications", self.sign_in.settings.limits.app_verifications, subject, now).await
    }

    /// An attempt, before it is counted.
    pub(super) fn attempt(&self, subject: SubjectId, at: At) -> Try {
        let settings = &self.sign_in.settings;
        Try {
            subject,
            at,
            per_code: settings.otp.attempts,
            window: Quota { count: settings.otp.attempts, window: PENDING },
            budget: Quota { count: settings.limits.failures_per_account, window: HOUR },
        }
    }

    /// Count an attempt, before anything is compared.
    pub(super) async fn count(&self, attempt: &Try, now: Timestamp) -> Result<Vec<crate::app::code::SentCode>, CodeRefusal> {
        match self.codes.take_attempt(attempt, now).await? {
            Tried::Counted(codes) => Ok(codes),
            Tried::Nothing => Err(self.invalid("nothing")),
            Tried::Exhausted(wait) => {
                self.sign_in.events.otp_verified(None, "exhausted");
                self.sign_in.events.limited("attempts");
                Err(CodeRefusal::TooMany(wait))
            }
        }
    }

    pub(super) fn invalid(&self, outcome: &'static str) -> CodeRefusal {
        self.sign_in.events.otp_verified(None, outcome);
        CodeRefusal::Invalid
    }
}
