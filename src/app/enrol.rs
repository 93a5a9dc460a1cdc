//! The authenticator of a subject: registered, enabled by its first code, disabled by another, and replaced by a new one when the
//! phone is gone and a code that was sent proves it.

use crate::app::authenticator::ShownStep;
use crate::app::code::At;
use crate::app::service::{CodeRefusal, CodeService, Errand};
use crate::app::verify::SECRET;
use crate::clock::Timestamp;
use crate::id::SubjectId;
use crate::random;
use crate::secret::Secret;
use crate::signin::{Enrolment, totp};

/// Characters of a label, at most.
pub const LONGEST_LABEL: usize = 64;

/// What an app may know of the authenticator of a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuthenticatorStatus {
    /// Does it count?
    pub enabled: bool,
    /// When it was registered; none when there is none.
    pub created_at: Option<Timestamp>,
    /// When a code of it was last used.
    pub last_used_at: Option<Timestamp>,
}

impl AuthenticatorStatus {
    /// A subject without one.
    const NONE: Self = Self { enabled: false, created_at: None, last_used_at: None };
}

impl CodeService {
    /// Register an authenticator; one that never counted is forgotten. An app on the phone calls it by `label`, else by the
    /// subject's name.
    ///
    /// # Errors
    /// [`CodeRefusal::Enabled`] when there is one that counts.
    pub async fn register(&self, errand: &Errand, label: Option<&str>, now: Timestamp) -> Result<Enrolment, CodeRefusal> {
        let subject = self.seen(errand, now);
        let (secret, sealed) = self.draw_secret(&subject.id)?;
        if !self.authenticators.enrol(&subject, &sealed, now).await? {
            return Err(CodeRefusal::Enabled);
        }
        told(errand, label, &secret)
    }

    /// A code of the authenticator is shown: from now on it counts.
    ///
    /// # Errors
    /// `Unknown` when there is none, `Enabled` when it counts already, and whatever is wrong with the code.
    pub async fn enable(&self, errand: &Errand, code: &Secret<String>, now: Timestamp) -> Result<AuthenticatorStatus, CodeRefusal> {
        let subject = self.id(errand);
        let authenticator = self.authenticator(&subject).await?;
        if authenticator.enabled_at.is_some() {
            return Err(CodeRefusal::Enabled);
        }
        self.may_try(&subject, now).await?;
        let attempt = self.attempt(subject, At::Authenticator);
        self.count(&attempt, now).await?;
        let number = self.step(&attempt.subject, &authenticator, code, now)?;
        let step = ShownStep { subject: &attempt.subject, sealed: &authenticator.sealed, number };
        if !self.authenticators.enable(&step, now).await? {
            return Err(self.second_invalid("nothing"));
        }
        self.settle(&attempt, now).await?;
        Ok(AuthenticatorStatus { enabled: true, created_at: Some(authenticator.created_at), last_used_at: Some(now) })
    }

    /// Take the authenticator away; a code of it is the proof.
    ///
    /// # Errors
    /// `Unknown` when there is none, and whatever is wrong with the code.
    pub async fn disable(&self, errand: &Errand, code: &Secret<String>, now: Timestamp) -> Result<AuthenticatorStatus, CodeRefusal> {
        let subject = self.id(errand);
        let authenticator = self.authenticator(&subject).await?;
        self.may_try(&subject, now).await?;
        let attempt = self.attempt(subject, At::Authenticator);
        self.count(&attempt, now).await?;
        if authenticator.enabled_at.is_some() {
            self.use_step(&attempt, &authenticator, code, now).await?;
        } else {
            self.step(&attempt.subject, &authenticator, code, now)?;
            self.settle(&attempt, now).await?;
        }
        if !self.authenticators.remove(&attempt.subject, &authenticator.sealed).await? {
            return Err(self.second_invalid("nothing"));
        }
        Ok(AuthenticatorStatus::NONE)
    }

    /// A new authenticator in the place of the one that was lost, which counts no more from this moment on. The proof is a code
    /// that was sent to the subject: that of the challenge `named`, or any that is live.
    ///
    /// # Errors
    /// `Unknown` when there is none to replace, and whatever is wrong with the code.
    pub async fn recover(
        &self,
        errand: &Errand,
        named: Option<&Secret<String>>,
        code: &Secret<String>,
        now: Timestamp,
    ) -> Result<Enrolment, CodeRefusal> {
        let subject = self.id(errand);
        let authenticator = self.authenticator(&subject).await?;
        self.may_try(&subject, now).await?;
        self.prove_for(&subject, named, code, now).await?;
        let (secret, sealed) = self.draw_secret(&subject)?;
        if !self.authenticators.replace(&subject, &authenticator.sealed, &sealed, now).await? {
            return Err(self.second_invalid("nothing"));
        }
        told(errand, None, &secret)
    }

    /// How it stands with the authenticator of a subject.
    ///
    /// # Errors
    /// `Unknown` when the app never had anything done for such a subject.
    pub async fn status(&self, errand: &Errand) -> Result<AuthenticatorStatus, CodeRefusal> {
        let subject = self.id(errand);
        if let Some(it) = self.authenticators.find(&subject).await? {
            let enabled = it.enabled_at.is_some();
            return Ok(AuthenticatorStatus { enabled, created_at: Some(it.created_at), last_used_at: it.last_used_at });
        }
        let known = self.subjects.find(&subject).await?;
        known.map(|_| AuthenticatorStatus::NONE).ok_or(CodeRefusal::Unknown)
    }

    fn draw_secret(&self, subject: &SubjectId) -> Result<(Secret<[u8; totp::SECRET]>, String), CodeRefusal> {
        let entropy = self.sign_in.entropy.as_ref();
        let secret = Secret::new(random::bytes::<{ totp::SECRET }>(entropy)?);
        let sealed = self.sign_in.sealer.seal(entropy, subject.as_str(), SECRET, secret.expose())?;
        Ok((secret, sealed))
    }
}

/// What the phone is told: the app's name is over the door.
fn told(errand: &Errand, label: Option<&str>, secret: &Secret<[u8; totp::SECRET]>) -> Result<Enrolment, CodeRefusal> {
    // Four bytes a character and three signs a byte: longer ones would not fit into the picture.
    let label: String = label.unwrap_or_else(|| errand.subject.expose()).chars().take(LONGEST_LABEL).collect();
    Ok(totp::enrolment(secret.expose(), errand.app.name.as_str(), &label)?)
}
