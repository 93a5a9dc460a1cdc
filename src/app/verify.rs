//! A code comes back to an app. The attempt is counted before anything is compared, and whatever is wrong, the answer is one.

use crate::app::authenticator::{Authenticator, ShownStep};
use crate::app::code::{At, SentCode, Try};
use crate::app::registered::App;
use crate::app::send::CODE_ADDRESS;
use crate::app::service::{CodeRefusal, CodeService};
use crate::app::subject::SubjectName;
use crate::clock::Timestamp;
use crate::id::SubjectId;
use crate::secret::{self, Secret};
use crate::signin::{Channel, Handle, Means, totp};

/// What a secret of an authenticator is sealed for.
pub(super) const SECRET: &str = "app-totp";

/// What a code is said to be of.
#[derive(Debug, Clone)]
pub enum Of {
    /// A challenge, by the id that the app has got; where a subject is named too, the challenge must be its own.
    Challenge(Secret<String>, Option<SubjectName>),
    /// A subject: any live code of it, or its authenticator.
    Subject(SubjectName),
}

impl CodeService {
    /// Try a code. Each is right once.
    ///
    /// # Errors
    /// Why it is not right.
    pub async fn verify(&self, app: &App, of: Of, code: &Secret<String>, now: Timestamp) -> Result<(), CodeRefusal> {
        match of {
            Of::Challenge(id, named) => {
                let print = secret::fingerprint(id.expose());
                let named = named.map(|name| self.keyed.subject(&app.id, &name));
                let found = self.codes.subject_of(&app.id, &print, now).await?;
                let own = found.filter(|found| named.is_none_or(|named| named == *found));
                let Some(subject) = own else { return Err(self.invalid("nothing")) };
                self.may_try(&subject, now).await?;
                self.prove_by_code(subject, At::Challenge(print), code, now).await
            }
            Of::Subject(name) => {
                let subject = self.keyed.subject(&app.id, &name);
                self.may_try(&subject, now).await?;
                let authenticator = self.authenticators.find(&subject).await?.filter(|it| it.enabled_at.is_some());
                match authenticator {
                    None => self.prove_by_code(subject, At::Codes, code, now).await,
                    Some(authenticator) => self.prove_by_either(subject, &authenticator, code, now).await,
                }
            }
        }
    }

    /// The code is one that was sent to the subject.
    pub(super) async fn prove_by_code(&self, subject: SubjectId, at: At, code: &Secret<String>, now: Timestamp) -> Result<(), CodeRefusal> {
        let attempt = self.attempt(subject, at);
        let codes = self.count(&attempt, now).await?;
        let Some(right) = self.compare(code, codes) else { return Err(self.invalid("wrong")) };
        self.spend(&right, &attempt, now).await
    }

    /// A subject's challenge or any of its codes, as a proof for something else than the code's own purpose.
    pub(super) async fn prove_for(
        &self,
        subject: &SubjectId,
        named: Option<&Secret<String>>,
        code: &Secret<String>,
        now: Timestamp,
    ) -> Result<(), CodeRefusal> {
        let at = named.map_or(At::Codes, |id| At::Challenge(secret::fingerprint(id.expose())));
        self.prove_by_code(subject.clone(), at, code, now).await
    }

    async fn prove_by_either(
        &self,
        subject: SubjectId,
        authenticator: &Authenticator,
        code: &Secret<String>,
        now: Timestamp,
    ) -> Result<(), CodeRefusal> {
        let attempt = self.attempt(subject, At::Either);
        let codes = self.count(&attempt, now).await?;
        if let Some(right) = self.compare(code, codes) {
            return self.spend(&right, &attempt, now).await;
        }
        self.use_step(&attempt, authenticator, code, now).await
    }

    /// The code is the enabled authenticator's, of a step that was not used before. The attempt was counted.
    pub(super) async fn use_step(
        &self,
        attempt: &Try,
        authenticator: &Authenticator,
        code: &Secret<String>,
        now: Timestamp,
    ) -> Result<(), CodeRefusal> {
        let number = self.step(&attempt.subject, authenticator, code, now)?;
        let step = ShownStep { subject: &attempt.subject, sealed: &authenticator.sealed, number };
        if !self.authenticators.use_step(&step, now).await? {
            return Err(self.second_invalid("nothing"));
        }
        self.settle(attempt, now).await
    }

    /// The step whose code this is.
    ///
    /// # Errors
    /// [`CodeRefusal::Invalid`] when it is of none near `now`.
    pub(super) fn step(
        &self,
        subject: &SubjectId,
        authenticator: &Authenticator,
        code: &Secret<String>,
        now: Timestamp,
    ) -> Result<i64, CodeRefusal> {
        let secret = self.sign_in.sealer.open(subject.as_str(), SECRET, &authenticator.sealed)?;
        totp::step_of(secret.expose(), code.expose(), now)?.ok_or_else(|| self.second_invalid("wrong"))
    }

    /// The authenticator was right: the budgets have their attempt back.
    pub(super) async fn settle(&self, attempt: &Try, now: Timestamp) -> Result<(), CodeRefusal> {
        self.codes.settle(attempt, now).await?;
        self.sign_in.events.second_factor_verified(Means::Totp, "verified");
        Ok(())
    }

    pub(super) fn second_invalid(&self, outcome: &'static str) -> CodeRefusal {
        self.sign_in.events.second_factor_verified(Means::Totp, outcome);
        CodeRefusal::Invalid
    }

    /// The one whose code this is. All are compared, in constant time, whichever fits.
    fn compare(&self, typed: &Secret<String>, codes: Vec<SentCode>) -> Option<SentCode> {
        let fits = |sent: &SentCode| {
            let mac = self.keyed.code(&sent.subject, &sent.id, typed.expose().trim());
            secret::same(mac.as_bytes(), sent.code.as_bytes())
        };
        codes.into_iter().fold(None, |found, sent| if fits(&sent) { Some(sent) } else { found })
    }

    async fn spend(&self, right: &SentCode, attempt: &Try, now: Timestamp) -> Result<(), CodeRefusal> {
        if !self.codes.spend(&right.id, attempt, now).await? {
            return Err(self.invalid("nothing"));
        }
        self.sign_in.events.otp_verified(Some(right.channel), "verified");
        self.convert(right, now).await;
        Ok(())
    }

    /// A code came back from where a message cost money: such numbers belong to people. What does not open counts nothing.
    async fn convert(&self, right: &SentCode, now: Timestamp) {
        match right.channel {
            Channel::Email => {}
            Channel::Sms | Channel::Whatsapp => {
                if let Ok(Handle::Phone(number)) = self.opened(&right.id, CODE_ADDRESS, &right.sealed) {
                    self.sign_in.converted(Some(&number), right.channel, now).await;
                }
            }
        }
    }
}
