//! An authenticator is set up, counts from its first code on, and is taken away again; recovery codes are made anew. All of
//! it only in a session whose person has shown who they are a moment ago.

use std::sync::Arc;
use std::time::Duration;

use crate::audit::{Event, Outcome, What};
use crate::client::Seen;
use crate::clock::Timestamp;
use crate::id::AccountId;
use crate::outage::Outage;
use crate::random;
use crate::secret::Secret;
use crate::signin::account::Account;
use crate::signin::deliver::Notice;
use crate::signin::factor::{Factor, Means, Step};
use crate::signin::issue::Shown;
use crate::signin::pending::Place;
use crate::signin::session::Session;
use crate::signin::step_up::Proof;
use crate::signin::verify::GuessRefusal;
use crate::signin::{Enrolment, SignIn, recovery, told, totp};
use crate::token::{Claims, Issued};

/// How long ago a person may have shown who they are, where a factor or an address is to be changed.
pub const FRESH: Duration = Duration::from_secs(600);

/// What an account's owner may know of their authenticator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FactorStatus {
    /// Since when it counts.
    pub since: Timestamp,
    /// When a code of it was last used.
    pub last_used_at: Option<Timestamp>,
    /// How many recovery codes are left.
    pub recovery_codes: u32,
}

/// An authenticator counts from now on.
#[derive(Debug, Clone)]
pub struct Confirmed {
    /// The tokens of the session that takes the place of the one it was done in.
    pub issued: Issued,
    /// Shown this once.
    pub recovery_codes: Vec<Secret<String>>,
}

/// Why a factor is not changed.
#[derive(Debug, thiserror::Error)]
pub enum FactorRefusal {
    /// The person showed who they are longer ago than [`FRESH`].
    #[error("sign in again to change this")]
    NotFresh,
    /// The session is over.
    #[error("the session has ended")]
    Ended,
    /// There is an authenticator that counts.
    #[error("there is an authenticator already")]
    AlreadyEnrolled,
    /// The code was not right, or no attempt is left.
    #[error(transparent)]
    Guess(#[from] GuessRefusal),
}

impl From<Outage> for FactorRefusal {
    fn from(outage: Outage) -> Self {
        Self::Guess(GuessRefusal::Outage(outage))
    }
}

impl From<random::NoEntropy> for FactorRefusal {
    fn from(cause: random::NoEntropy) -> Self {
        Outage::from(cause).into()
    }
}

impl SignIn {
    /// The authenticator of an account, if one counts.
    pub async fn factor_status(&self, account: &AccountId) -> Result<Option<FactorStatus>, Outage> {
        let factor = self.factors.find(account).await?;
        Ok(factor.and_then(|factor| {
            let since = factor.confirmed_at?;
            Some(FactorStatus { since, last_used_at: factor.last_used_at, recovery_codes: factor.recovery_codes })
        }))
    }

    /// A new authenticator, which counts once a code of it is shown; one that never did is forgotten.
    pub async fn enrol(&self, claims: &Claims, seen: &Seen, now: Timestamp) -> Result<Enrolment, FactorRefusal> {
        self.fresh(claims, now).await?;
        let account = self.owner(claims).await?;
        let secret = Secret::new(random::bytes::<{ totp::SECRET }>(self.entropy.as_ref())?);
        let sealed = self.sealer.seal(self.entropy.as_ref(), account.id.as_str(), totp::SEALED_FOR, secret.expose());
        if !self.factors.enrol(&account.id, &sealed.map_err(Outage::from)?, now).await? {
            return Err(FactorRefusal::AlreadyEnrolled);
        }
        self.audit.record(told::by(&account.id, What::FactorEnrolled, seen, now)).await?;
        Ok(totp::enrolment(secret.expose(), &self.settings.name, &label(&account))?)
    }

    /// The authenticator that was set up and does not count yet, shown again; none when there is no such one.
    pub async fn enrolment(&self, claims: &Claims, now: Timestamp) -> Result<Option<Enrolment>, FactorRefusal> {
        self.fresh(claims, now).await?;
        let account = self.owner(claims).await?;
        let factor = self.factors.find(&account.id).await?.filter(|factor| factor.confirmed_at.is_none());
        let Some(factor) = factor else { return Ok(None) };
        let secret = self.sealer.open(account.id.as_str(), totp::SEALED_FOR, &factor.sealed).map_err(Outage::from)?;
        Ok(Some(totp::enrolment(secret.expose(), &self.settings.name, &label(&account))?))
    }

    /// A code of the new authenticator is shown: from now on it counts. The session ends, and one of two factors takes its
    /// place; others stay what they are.
    pub async fn confirm(
        self: &Arc<Self>,
        claims: &Claims,
        code: &Secret<String>,
        seen: &Seen,
        now: Timestamp,
    ) -> Result<Confirmed, FactorRefusal> {
        let session = self.fresh(claims, now).await?;
        self.may_guess(seen, now).await?;
        let factor = self.factors.find(&claims.sub).await?;
        if factor.as_ref().is_some_and(|factor| factor.confirmed_at.is_some()) {
            return Err(FactorRefusal::AlreadyEnrolled);
        }
        let place = Place::Session(claims.sub.clone(), claims.sid.clone());
        let told = told::shown(Means::Totp, seen, now).of(&claims.sub);
        self.count_second(Means::Totp, &place, &told).await?;
        let Some(factor) = factor else { return Err(self.second_invalid(Means::Totp, Outcome::Nothing, &told).into()) };
        let shown = Shown::second(&session.amr, Means::Totp, now, session.expires_at);
        let ready = self.ready_at(&place, &claims.sub, shown, seen, now).await?.ok_or(FactorRefusal::Ended)?;
        let codes = recovery::draw(self.entropy.as_ref())?;
        self.let_count(&claims.sub, &factor, code, &codes, &told).await?;
        self.pendings.settle(&place, now).await?;
        self.events.second_factor_verified(Means::Totp, "verified");
        self.audit.record_or_keep(vec![told::by(&claims.sub, What::FactorAdded, seen, now)]).await;
        tracing::info!(audit = "factor_added", account.id = %claims.sub, session.id = %claims.sid,
            "account {} has an authenticator from now on", claims.sub);
        self.notify(&claims.sub, Notice::AuthenticatorAdded, seen.language, now);
        let issued = self.exchange(&session, ready, "factor_added", seen, now).await?;
        Ok(Confirmed { issued: issued.ok_or(FactorRefusal::Ended)?, recovery_codes: codes })
    }

    /// Take the authenticator away; a code of it, or a recovery code, is the proof. The session ends, and one of its first
    /// factors alone takes its place.
    pub async fn disable(self: &Arc<Self>, claims: &Claims, proof: &Proof, now: Timestamp) -> Result<Issued, FactorRefusal> {
        let session = self.fresh(claims, now).await?;
        self.may_guess(&proof.seen, now).await?;
        let ready = self.prove_ready(claims, proof, Shown::first(&session), now).await?.ok_or(FactorRefusal::Ended)?;
        if !self.factors.remove(&claims.sub).await? {
            let told = told::shown(proof.means, &proof.seen, now).of(&claims.sub);
            return Err(self.second_invalid(proof.means, Outcome::Nothing, &told).into());
        }
        self.audit.record_or_keep(vec![told::by(&claims.sub, What::FactorRemoved, &proof.seen, now)]).await;
        tracing::warn!(audit = "factor_removed", account.id = %claims.sub, session.id = %claims.sid,
            "account {} has no authenticator any more", claims.sub);
        self.notify(&claims.sub, Notice::AuthenticatorRemoved, proof.seen.language, now);
        let issued = self.exchange(&session, ready, "factor_removed", &proof.seen, now).await?;
        issued.ok_or(FactorRefusal::Ended)
    }

    /// New recovery codes in the place of all that there are; a code of the authenticator, or one of the old, is the proof.
    pub async fn renew_recovery(
        self: &Arc<Self>,
        claims: &Claims,
        proof: &Proof,
        now: Timestamp,
    ) -> Result<Vec<Secret<String>>, FactorRefusal> {
        self.fresh(claims, now).await?;
        self.may_guess(&proof.seen, now).await?;
        self.prove_in(claims, proof, now).await?;
        let codes = recovery::draw(self.entropy.as_ref())?;
        if !self.recovery_codes.renew(&claims.sub, &self.hashed(&claims.sub, &codes), now).await? {
            let told = told::shown(proof.means, &proof.seen, now).of(&claims.sub);
            return Err(self.second_invalid(proof.means, Outcome::Nothing, &told).into());
        }
        self.audit.record_or_keep(vec![told::by(&claims.sub, What::RecoveryCodesRenewed, &proof.seen, now)]).await;
        tracing::info!(audit = "recovery_codes_renewed", account.id = %claims.sub, session.id = %claims.sid,
            "account {} has new recovery codes", claims.sub);
        self.notify(&claims.sub, Notice::RecoveryCodesRenewed, proof.seen.language, now);
        Ok(codes)
    }

    /// The session, if its person has shown who they are a moment ago.
    ///
    /// # Errors
    /// [`FactorRefusal::Ended`] when it is over, [`FactorRefusal::NotFresh`] when that is longer ago than [`FRESH`].
    pub(super) async fn fresh(&self, claims: &Claims, now: Timestamp) -> Result<Session, FactorRefusal> {
        let session = self.live(&claims.sid, now).await?.ok_or(FactorRefusal::Ended)?;
        if now.since(session.auth_time) > FRESH { Err(FactorRefusal::NotFresh) } else { Ok(session) }
    }

    async fn owner(&self, claims: &Claims) -> Result<Account, FactorRefusal> {
        let account = self.accounts.find(&claims.sub).await?;
        account.filter(|account| account.disabled_at.is_none()).ok_or(FactorRefusal::Ended)
    }

    /// Compare with the authenticator that does not count yet, and let it count.
    async fn let_count(
        &self,
        account: &AccountId,
        factor: &Factor,
        code: &Secret<String>,
        codes: &[Secret<String>],
        told: &Event,
    ) -> Result<(), FactorRefusal> {
        let now = told.at;
        let secret = self.sealer.open(account.as_str(), totp::SEALED_FOR, &factor.sealed).map_err(Outage::from)?;
        let Some(number) = totp::step_of(secret.expose(), code.expose(), now)? else {
            return Err(self.second_invalid(Means::Totp, Outcome::Wrong, told).into());
        };
        let step = Step { account, sealed: &factor.sealed, number };
        if !self.factors.confirm(&step, &self.hashed(account, codes), now).await? {
            return Err(self.second_invalid(Means::Totp, Outcome::Nothing, told).into());
        }
        Ok(())
    }

    fn hashed(&self, account: &AccountId, codes: &[Secret<String>]) -> Vec<String> {
        codes.iter().map(|code| self.keyed.recovery(account, &recovery::canonical(code.expose()))).collect()
    }
}

/// What an authenticator app calls the account: the address that its owner signs in with.
fn label(account: &Account) -> String {
    let handle = account.email.as_deref().or(account.phone.as_deref());
    handle.unwrap_or(account.id.as_str()).to_owned()
}
