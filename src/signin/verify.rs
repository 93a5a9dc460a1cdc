//! A code comes back. The attempt is counted before anything is compared; whatever is wrong, the answer is one.

use std::sync::Arc;
use std::time::Duration;

use crate::audit::{Event, Outcome};
use crate::client::Seen;
use crate::clock::Timestamp;
use crate::id::AccountId;
use crate::limits::Quota;
use crate::outage::Outage;
use crate::secret::{self, Secret};
use crate::signin::account::Account;
use crate::signin::address::Handle;
use crate::signin::challenge::{Attempt, Candidate, Pointer, Taken};
use crate::signin::factor::Means;
use crate::signin::issue::{Ready, Shown};
use crate::signin::{HOUR, SignIn, issue, told};
use crate::token::{Acr, Issued};

/// A code comes back.
#[derive(Debug, Clone)]
pub struct Guess {
    /// For this address; a page leaves it out, and has the cookie.
    pub handle: Option<Handle>,
    /// The code, as typed.
    pub code: Secret<String>,
    /// The challenge's id that stood in the body.
    pub named: Option<Secret<String>>,
    /// The challenge's id in the cookie.
    pub held: Option<Secret<String>>,
    /// From here.
    pub seen: Seen,
}

/// Why nobody is signed in.
#[derive(Debug, thiserror::Error)]
pub enum GuessRefusal {
    /// Unknown account, nothing pending, wrong, expired or spent: one answer.
    #[error("the code is not valid")]
    Invalid,
    /// No attempt is left: wait this long.
    #[error("too many attempts")]
    TooMany(Duration),
    /// Too many from this network.
    #[error("too many attempts from this network")]
    Limited {
        /// Which limit.
        limit: &'static str,
        /// Wait this long.
        retry_after: Duration,
    },
    /// It could not be decided.
    #[error(transparent)]
    Outage(#[from] Outage),
}

/// Whose the right code is.
struct Owner {
    account: Account,
    /// The address that it was sent to.
    handle: Handle,
    /// Where there is somebody to ask and no second factor to wait for: they have answered.
    ready: Option<Ready>,
}

/// How far a person has come with the right code.
#[derive(Debug, Clone)]
pub enum Entered {
    /// They are signed in: these are the tokens of their session.
    SignedIn(Issued),
    /// Their account has a second factor: nobody is signed in before it is shown.
    SecondFactor {
        /// The id of the half-finished sign-in, for who entered the code alone.
        challenge_id: Secret<String>,
        /// What the second factor may be shown with.
        methods: Vec<Means>,
        /// How long there is for it.
        expires_in: Duration,
    },
}

impl SignIn {
    /// Try a code. Right: a session begins, unless a second factor is still to be shown.
    pub async fn verify(self: &Arc<Self>, guess: Guess, now: Timestamp) -> Result<Entered, GuessRefusal> {
        self.may_guess(&guess.seen, now).await?;
        let told = told::entered(&guess.seen, now);
        let Some((pointer, taken)) = self.count(&guess, now).await? else { return Err(self.invalid(Outcome::Nothing, told)) };
        let (account, candidates) = match taken {
            Taken::Nothing => return Err(self.invalid(Outcome::Nothing, told)),
            Taken::Exhausted(wait) => {
                self.invalid(Outcome::Exhausted, told);
                self.events.limited("attempts");
                return Err(GuessRefusal::TooMany(wait));
            }
            Taken::Counted { account, candidates } => (account, candidates),
        };
        let told = Event { account: account.clone(), ..told };
        let (Some(account), Some(right)) = (account, self.compare(&guess.code, candidates)) else {
            return Err(self.invalid(Outcome::Wrong, told));
        };
        let owner = match self.owner_of(&account, &right, &guess.seen, now).await {
            Ok(owner) => owner,
            Err(outage) => {
                // The code was right and is not spent: as if it had not been tried, or an outage would use up its attempts.
                self.challenges.give_back(&pointer, now).await?;
                return Err(outage.into());
            }
        };
        if !self.challenges.spend(&right.id, &pointer, now).await? {
            return Err(self.invalid(Outcome::Nothing, told));
        }
        let Some(owner) = owner else { return Err(self.invalid(Outcome::Nothing, told)) };
        self.let_in(owner, &right, &guess.seen, now).await
    }

    /// Whose code it is, with everything that could be out. `None` when the account may not sign in, or the address that the code
    /// was sent to is none of it any more, however young the code is.
    async fn owner_of(&self, id: &AccountId, right: &Candidate, seen: &Seen, now: Timestamp) -> Result<Option<Owner>, Outage> {
        let account = self.accounts.find(id).await?.filter(|account| account.disabled_at.is_none());
        let Some(mut account) = account else { return Ok(None) };
        let Some(handle) = self.belongs(&mut account, right) else { return Ok(None) };
        let ready = if self.claims_hook.is_none() || self.has_second(id).await? {
            None
        } else {
            Some(self.ready(account.clone(), self.one_factor(right, now), seen, now).await?)
        };
        Ok(Some(Owner { account, handle, ready }))
    }

    fn one_factor(&self, right: &Candidate, now: Timestamp) -> Shown {
        let until = now.plus(self.settings.tokens.refresh_lifetime);
        Shown { amr: vec![issue::amr(right.channel)], acr: Acr::OneFactor, auth_time: now, until }
    }

    pub(super) async fn may_guess(&self, seen: &Seen, now: Timestamp) -> Result<(), GuessRefusal> {
        let limit = "attempts_per_network";
        let wait = self.take_for_network(limit, self.settings.limits.attempts_per_network, seen, now).await?;
        wait.map_or(Ok(()), |retry_after| Err(GuessRefusal::Limited { limit, retry_after }))
    }

    /// Count the attempt where it belongs: at the challenge that is named; else at the one that this browser holds; else at
    /// the account's latest.
    async fn count(&self, guess: &Guess, now: Timestamp) -> Result<Option<(Pointer, Taken)>, Outage> {
        let handle = guess.handle.as_ref().map(|handle| self.keyed.handle(handle));
        if let Some(id) = guess.named.as_ref().or(guess.held.as_ref()) {
            let pointer = Pointer::Bound { id: secret::fingerprint(id.expose()), handle: handle.clone() };
            let taken = self.take_attempt(pointer.clone(), now).await?;
            if guess.named.is_some() || taken != Taken::Nothing || handle.is_none() {
                return Ok(Some((pointer, taken)));
            }
        }
        let (Some(typed), Some(handle)) = (&guess.handle, handle) else { return Ok(None) };
        let account = self.accounts.find_by_handle(typed).await?.map(|account| account.id);
        let pointer = Pointer::Unbound { handle, account };
        let taken = self.take_attempt(pointer.clone(), now).await?;
        Ok(Some((pointer, taken)))
    }

    async fn take_attempt(&self, pointer: Pointer, now: Timestamp) -> Result<Taken, Outage> {
        let budget = Quota { count: self.settings.limits.failures_per_account, window: HOUR };
        let attempt = Attempt { pointer, per_challenge: self.settings.otp.attempts, budget };
        self.challenges.take_attempt(&attempt, now).await
    }

    /// The candidate whose code this is. All are compared, in constant time, whichever fits.
    fn compare(&self, code: &Secret<String>, candidates: Vec<Candidate>) -> Option<Candidate> {
        candidates.into_iter().fold(None, |found, candidate| if self.fits(code, &candidate) { Some(candidate) } else { found })
    }

    /// Is this the candidate's code? Compared in constant time.
    pub(super) fn fits(&self, code: &Secret<String>, candidate: &Candidate) -> bool {
        let typed = self.keyed.code(&candidate.id, code.expose().trim());
        secret::same(typed.as_bytes(), candidate.code.as_bytes())
    }

    async fn let_in(self: &Arc<Self>, owner: Owner, right: &Candidate, seen: &Seen, now: Timestamp) -> Result<Entered, GuessRefusal> {
        let Owner { account, handle, ready } = owner;
        let told = told::entered(seen, now).of(&account.id);
        self.accounts.mark_verified(&account.id, &handle).await?;
        self.converted(account.phone.as_deref(), right.channel, now).await;
        self.tell_right(&account.id, right.channel, seen, now);
        let shown = self.one_factor(right, now);
        if let Some(half) = self.hold_for_second(&account, &shown.amr, now).await? {
            self.events.otp_verified(Some(right.channel), "verified");
            return Ok(half);
        }
        let ready = match ready {
            Some(ready) => ready,
            None => self.ready(account, shown, seen, now).await?,
        };
        let issued = self.begin(ready, seen, now).await?;
        let Some(issued) = issued else { return Err(self.invalid(Outcome::Nothing, told)) };
        self.events.otp_verified(Some(right.channel), "verified");
        Ok(Entered::SignedIn(issued))
    }

    /// The address that the code was sent to, which is verified now. `None` when it is none of the account any more.
    fn belongs(&self, account: &mut Account, right: &Candidate) -> Option<Handle> {
        let sent_to = |handle: &Handle| self.keyed.handle(handle) == right.handle;
        let email = account.email.clone().map(Handle::Email).filter(sent_to);
        let phone = account.phone.clone().map(Handle::Phone).filter(sent_to);
        account.email_verified |= email.is_some();
        account.phone_verified |= phone.is_some();
        email.or(phone)
    }
}
