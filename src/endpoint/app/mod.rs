//! Codes as a service: the endpoints that registered apps call, each with its key.

mod code;
mod otp;

use std::sync::Arc;

use percent_encoding::percent_decode_str;

use crate::admission::{Refusal, Why};
use crate::app::{App, CodeRefusal, CodeService, Errand, KeyCheck, NotASubject, SubjectName};
use crate::audit::{Event, Outcome, Recorder, Thing, What, Who};
use crate::endpoint::call::Received;
use crate::endpoint::problem::Problem;
use crate::endpoint::refuse;
use crate::endpoint::reply::No;
use crate::id::{AppId, SubjectId};
use crate::secret::SecretStr;

/// What stands behind the endpoints of apps.
pub struct ForApps {
    /// Believes their keys.
    pub keys: Arc<KeyCheck>,
    /// Does what they ask for.
    pub codes: Arc<CodeService>,
    /// Remembers it.
    pub audit: Arc<Recorder>,
}

impl ForApps {
    /// The app that is calling: its key stands in `Authorization: Bearer`.
    ///
    /// # Errors
    /// 401 without a key, or with one that is not to be believed; 403 with one that speaks for no app, or for several.
    async fn caller(&self, received: &Received<'_>) -> Result<App, No> {
        let Some(key) = received.bearer()? else { return Err(refuse::with_bearer(Refusal::Unauthenticated)) };
        let key = self.keys.authenticate(SecretStr::new(key.expose()), received.call.now).await.map_err(refused)?;
        let mut names = key.apps();
        let (Some(name), None) = (names.next(), names.next()) else { return Err(refuse::scope_too_small()) };
        let app = self.codes.app(name, key.created_at).await?;
        app.ok_or_else(refuse::scope_too_small)
    }

    /// What is asked for a subject.
    fn asked(&self, what: What, errand: &Errand) -> Asked {
        let subject = self.codes.keyed.subject(&errand.app.id, &errand.subject);
        Asked { what, app: errand.app.id.clone(), subject: Some(subject) }
    }

    /// The app that is calling, for the subject that the path names.
    async fn errand(&self, received: &Received<'_>, subject: Option<&str>) -> Result<Errand, No> {
        let app = self.caller(received).await?;
        // What is no UTF-8 is no subject: nobody gets a neighbour of it instead.
        let subject = percent_decode_str(subject.unwrap_or_default()).decode_utf8().map_err(|_| Problem::InvalidSubject)?;
        Ok(Errand { app, subject: SubjectName::parse(&subject).map_err(Problem::from)? })
    }
}

/// What an app asked for, and for whom: for the log that remembers it.
#[derive(Clone)]
struct Asked {
    what: What,
    app: AppId,
    /// None where the app named a challenge, and no subject.
    subject: Option<SubjectId>,
}

impl ForApps {
    /// What came of it is remembered: what was done before it is answered, what was refused within a second.
    async fn remember<T>(&self, asked: Asked, received: &Received<'_>, done: Result<T, CodeRefusal>) -> Result<T, No> {
        let thing = asked.subject.map_or_else(|| Thing::App(asked.app.to_string()), |id| Thing::Other("subject", id.to_string()));
        let event = Event::new(asked.what, Who::Machine(asked.app.to_string()), received.call.now).on(thing).seen(&received.seen());
        match &done {
            Ok(_) => self.audit.record(event).await?,
            Err(refusal) => {
                if let Some(outcome) = outcome(refusal) {
                    self.audit.note(event.came_to(outcome));
                }
            }
        }
        Ok(done?)
    }
}

/// What a refusal is called in that log; nothing for what was not decided.
const fn outcome(refusal: &CodeRefusal) -> Option<Outcome> {
    match refusal {
        CodeRefusal::Invalid => Some(Outcome::Wrong),
        CodeRefusal::TooMany(_) => Some(Outcome::Exhausted),
        CodeRefusal::Limited(_) => Some(Outcome::Limited),
        CodeRefusal::Unknown | CodeRefusal::NoAddress => Some(Outcome::Nothing),
        CodeRefusal::Enabled | CodeRefusal::ChannelUnavailable | CodeRefusal::CountryNotAllowed => Some(Outcome::Refused),
        CodeRefusal::Outage(_) => None,
    }
}

fn refused(why: Why) -> No {
    match why {
        Why::Refused(refusal) => refuse::with_bearer(refusal),
        Why::Outage(outage) => outage.into(),
    }
}

impl From<NotASubject> for Problem {
    fn from(NotASubject: NotASubject) -> Self {
        Self::InvalidSubject
    }
}

impl From<CodeRefusal> for No {
    fn from(refusal: CodeRefusal) -> Self {
        match refusal {
            CodeRefusal::Invalid => Problem::InvalidCode.into(),
            CodeRefusal::TooMany(wait) => Self::after(Problem::TooManyAttempts, wait),
            CodeRefusal::Limited(wait) => Self::after(Problem::LimitReached, wait),
            CodeRefusal::Unknown => Problem::UnknownSubject.into(),
            CodeRefusal::Enabled => Problem::AlreadyEnabled.into(),
            CodeRefusal::NoAddress => Problem::AddressNeeded.into(),
            CodeRefusal::ChannelUnavailable => Problem::ChannelUnavailable.into(),
            CodeRefusal::CountryNotAllowed => Problem::CountryNotAllowed.into(),
            CodeRefusal::Outage(outage) => outage.into(),
        }
    }
}
