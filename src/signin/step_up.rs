//! The second factor is shown: it finishes a sign-in that is half done, or makes more of a session that there is. Either
//! way a session begins that was not there before, with tokens of its own.
//!
//! The attempt is counted before anything is compared; whatever is wrong, the answer is one.

use std::sync::Arc;

use crate::audit::{Event, Outcome, What, Who};
use crate::client::Seen;
use crate::clock::Timestamp;
use crate::id::AccountId;
use crate::limits::Quota;
use crate::outage::Outage;
use crate::random;
use crate::secret::{self, Secret};
use crate::signin::account::Account;
use crate::signin::deliver::Notice;
use crate::signin::factor::{Means, Step};
use crate::signin::issue::{Ready, Shown};
use crate::signin::pending::{Bounds, Counted, Pending, Place};
use crate::signin::verify::{Entered, GuessRefusal};
use crate::signin::{HOUR, PENDING, SignIn, recovery, told, totp};
use crate::token::{Amr, Claims, Issued};

/// A code that is shown as second factor.
#[derive(Debug, Clone)]
pub struct Proof {
    /// What it is a code of.
    pub means: Means,
    /// The code, as typed.
    pub code: Secret<String>,
    /// From here.
    pub seen: Seen,
}

impl Proof {
    /// What is told of it.
    fn told(&self, now: Timestamp) -> Event {
        told::shown(self.means, &self.seen, now)
    }
}

/// A second factor is shown, to be signed in.
#[derive(Debug, Clone)]
pub struct SecondGuess {
    /// By this code.
    pub proof: Proof,
    /// The id of the half-finished sign-in that stood in the body: then that one counts, and nothing else.
    pub named: Option<Secret<String>>,
    /// The id in the challenge cookie: it counts if it is that of a half-finished sign-in.
    pub held: Option<Secret<String>>,
    /// Who is signed in; then the session steps up.
    pub session: Option<Claims>,
}

impl SignIn {
    /// Show a second factor: of the half-finished sign-in that is named or held; else of the session, which steps up.
    /// Right: these are the tokens of a new session of two factors.
    ///
    /// # Errors
    /// [`GuessRefusal::Invalid`] whatever is wrong: nothing half-finished there and nobody signed in, no authenticator, a
    /// wrong code, one that was used.
    pub async fn verify_second(self: &Arc<Self>, guess: &SecondGuess, now: Timestamp) -> Result<Issued, GuessRefusal> {
        let proof = &guess.proof;
        let told = proof.told(now);
        self.may_guess(&proof.seen, now).await?;
        if let Some(id) = guess.named.as_ref().or(guess.held.as_ref()) {
            let place = Place::Pending(secret::fingerprint(id.expose()));
            if let Some((account, first)) = self.count_second(proof.means, &place, &told).await? {
                let shown = Shown::second(&first, proof.means, now, now.plus(self.settings.tokens.refresh_lifetime));
                let ready = self.ready_at(&place, &account, shown, &proof.seen, now).await?;
                self.prove(&account, &place, proof, now).await?;
                return self.finish(&account, ready, proof, now).await;
            }
        }
        match &guess.session {
            Some(claims) if guess.named.is_none() => self.raise(claims, proof, now).await,
            Some(_) | None => Err(self.second_invalid(proof.means, Outcome::Nothing, &told)),
        }
    }

    /// Show a second factor in a session: it ends, and another begins, with its first factors and this one, in which the
    /// person has shown who they are just now. It ends when the first would have.
    pub async fn step_up(self: &Arc<Self>, claims: &Claims, proof: &Proof, now: Timestamp) -> Result<Issued, GuessRefusal> {
        self.may_guess(&proof.seen, now).await?;
        self.raise(claims, proof, now).await
    }

    async fn raise(self: &Arc<Self>, claims: &Claims, proof: &Proof, now: Timestamp) -> Result<Issued, GuessRefusal> {
        let told = proof.told(now).of(&claims.sub);
        let live = self.live(&claims.sid, now).await?;
        let Some(session) = live else { return Err(self.second_invalid(proof.means, Outcome::Nothing, &told)) };
        let shown = Shown::second(&session.amr, proof.means, now, session.expires_at);
        let ready = self.prove_ready(claims, proof, shown, now).await?;
        let Some(ready) = ready else { return Err(self.second_invalid(proof.means, Outcome::Nothing, &told)) };
        let issued = self.exchange(&session, ready, "stepped_up", &proof.seen, now).await?;
        issued.ok_or_else(|| self.second_invalid(proof.means, Outcome::Nothing, &told))
    }

    /// The half-finished sign-in is spent: the session begins.
    async fn finish(
        self: &Arc<Self>,
        account: &AccountId,
        ready: Option<Ready>,
        proof: &Proof,
        now: Timestamp,
    ) -> Result<Issued, GuessRefusal> {
        let means = proof.means;
        let told = proof.told(now).of(account);
        let Some(ready) = ready else { return Err(self.second_invalid(means, Outcome::Nothing, &told)) };
        let issued = self.begin(ready, &proof.seen, now).await?;
        issued.ok_or_else(|| self.second_invalid(means, Outcome::Nothing, &told))
    }

    /// Show a second factor in a session; the attempt is counted there.
    pub(super) async fn prove_in(self: &Arc<Self>, claims: &Claims, proof: &Proof, now: Timestamp) -> Result<(), GuessRefusal> {
        let place = Place::Session(claims.sub.clone(), claims.sid.clone());
        self.count_second(proof.means, &place, &proof.told(now).of(&claims.sub)).await?;
        self.prove(&claims.sub, &place, proof, now).await
    }

    /// The same for who will exchange the session for another: ready for that one before anything is used up.
    pub(super) async fn prove_ready(
        self: &Arc<Self>,
        claims: &Claims,
        proof: &Proof,
        shown: Shown,
        now: Timestamp,
    ) -> Result<Option<Ready>, GuessRefusal> {
        let place = Place::Session(claims.sub.clone(), claims.sid.clone());
        self.count_second(proof.means, &place, &proof.told(now).of(&claims.sub)).await?;
        let ready = self.ready_at(&place, &claims.sub, shown, &proof.seen, now).await?;
        self.prove(&claims.sub, &place, proof, now).await?;
        Ok(ready)
    }

    /// Get ready for a session, whatever will come of the attempt that was counted at `place`. Where that is out, the attempt is
    /// given back: nothing was compared.
    pub(super) async fn ready_at(
        &self,
        place: &Place,
        account: &AccountId,
        shown: Shown,
        seen: &Seen,
        now: Timestamp,
    ) -> Result<Option<Ready>, Outage> {
        let ready = self.ready_for(account, shown, seen, now).await;
        if ready.is_err() {
            self.pendings.give_back(place, now).await?;
        }
        ready
    }

    /// Has this account an authenticator that counts?
    pub(super) async fn has_second(&self, account: &AccountId) -> Result<bool, Outage> {
        Ok(self.factors.find(account).await?.is_some_and(|factor| factor.confirmed_at.is_some()))
    }

    /// Count one attempt. Whose second factor may be compared now, and the first factors; `None` when there is no such
    /// half-finished sign-in.
    pub(super) async fn count_second(
        &self,
        means: Means,
        place: &Place,
        told: &Event,
    ) -> Result<Option<(AccountId, Vec<Amr>)>, GuessRefusal> {
        let account = Quota { count: self.settings.limits.failures_per_account, window: HOUR };
        let bounds = Bounds { place: Quota { count: self.settings.otp.attempts, window: PENDING }, account };
        match self.pendings.count_attempt(place, &bounds, told.at).await? {
            Counted::Nothing => Ok(None),
            Counted::At { account, amr } => Ok(Some((account, amr))),
            Counted::Exhausted(wait) => {
                self.second_invalid(means, Outcome::Exhausted, told);
                self.events.limited("attempts");
                Err(GuessRefusal::TooMany(wait))
            }
        }
    }

    /// Compare, use up what was shown, and settle the attempt that was counted at `place`.
    async fn prove(self: &Arc<Self>, account: &AccountId, place: &Place, proof: &Proof, now: Timestamp) -> Result<(), GuessRefusal> {
        let told = proof.told(now).of(account);
        match proof.means {
            Means::Totp => self.use_totp(account, &proof.code, &told).await?,
            Means::RecoveryCode => self.use_recovery_code(account, proof, &told).await?,
        }
        if !self.pendings.settle(place, now).await? {
            return Err(self.second_invalid(proof.means, Outcome::Nothing, &told));
        }
        self.events.second_factor_verified(proof.means, "verified");
        self.audit.note(Event { who: Who::Account(account.clone()), ..told });
        Ok(())
    }

    async fn use_totp(&self, account: &AccountId, code: &Secret<String>, told: &Event) -> Result<(), GuessRefusal> {
        let now = told.at;
        let factor = self.factors.find(account).await?.filter(|factor| factor.confirmed_at.is_some());
        let Some(factor) = factor else { return Err(self.second_invalid(Means::Totp, Outcome::Nothing, told)) };
        let secret = self.sealer.open(account.as_str(), totp::SEALED_FOR, &factor.sealed).map_err(Outage::from)?;
        let Some(number) = totp::step_of(secret.expose(), code.expose(), now)? else {
            return Err(self.second_invalid(Means::Totp, Outcome::Wrong, told));
        };
        // Good once, on any node: the store says to whom.
        if !self.factors.use_step(&Step { account, sealed: &factor.sealed, number }, now).await? {
            return Err(self.second_invalid(Means::Totp, Outcome::Replayed, told));
        }
        Ok(())
    }

    async fn use_recovery_code(self: &Arc<Self>, account: &AccountId, proof: &Proof, told: &Event) -> Result<(), GuessRefusal> {
        let typed = recovery::canonical(proof.code.expose());
        let Some(left) = self.recovery_codes.use_up(account, &self.keyed.recovery(account, &typed)).await? else {
            return Err(self.second_invalid(Means::RecoveryCode, Outcome::Wrong, told));
        };
        tracing::warn!(audit = "recovery_code_used", account.id = %account, left,
            "a recovery code of account {account} was used, {left} are left");
        self.audit.record_or_keep(vec![told::by(account, What::RecoveryCodeUsed, &proof.seen, told.at)]).await;
        self.notify(account, Notice::RecoveryCodeUsed { left }, proof.seen.language, told.at);
        Ok(())
    }

    /// The first factor is shown. Nobody is signed in yet where there is a second.
    pub(super) async fn hold_for_second(&self, account: &Account, first: &[Amr], now: Timestamp) -> Result<Option<Entered>, Outage> {
        let factor = self.factors.find(&account.id).await?.filter(|factor| factor.confirmed_at.is_some());
        let Some(factor) = factor else { return Ok(None) };
        let challenge_id = Secret::new(random::token(self.entropy.as_ref())?);
        let id = secret::fingerprint(challenge_id.expose());
        let expires_at = now.plus(PENDING);
        self.pendings.hold(&Pending { id, account: account.id.clone(), amr: first.to_vec(), created_at: now, expires_at }).await?;
        let codes = (factor.recovery_codes > 0).then_some(Means::RecoveryCode);
        let methods = [Means::Totp].into_iter().chain(codes).collect();
        Ok(Some(Entered::SecondFactor { challenge_id, methods, expires_in: PENDING }))
    }
}
