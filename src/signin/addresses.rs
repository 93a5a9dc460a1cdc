//! A person who is signed in adds, changes or takes away an address of theirs.
//!
//! It asks for a fresh sign-in, and for a code that comes back from the new address: what becomes the address is what was asked
//! for, never what comes with the code. The old address is none to sign in with from that moment on, and is told so. Sessions go
//! on: they belong to the person, not to the address.

use std::sync::Arc;

use crate::audit::{Outcome, What};
use crate::client::Seen;
use crate::clock::Timestamp;
use crate::limits::Quota;
use crate::outage::Outage;
use crate::random;
use crate::secret::{self, Secret};
use crate::signin::account::Account;
use crate::signin::address::Handle;
use crate::signin::address_change::{AddressChange, ChangeAttempt, ChangeCandidate, ChangeTaken, Removed, Settled};
use crate::signin::challenge::Opened;
use crate::signin::cost::Paid;
use crate::signin::deliver::{Changed, Content, Message, Notice, Purpose};
use crate::signin::request::LIVE;
use crate::signin::session::Session;
use crate::signin::told;
use crate::signin::{Ask, AskRefusal, Asked, FRESH, GuessRefusal, HOUR, SignIn};
use crate::token::{Acr, Claims};

/// What an address is sealed for.
const SEALED_FOR: &str = "address-change";

/// The code of a new address comes back.
#[derive(Debug, Clone)]
pub struct AddressGuess {
    /// The code, as typed.
    pub code: Secret<String>,
    /// The change's id that stood in the body.
    pub named: Option<Secret<String>>,
    /// The id in the cookie.
    pub held: Option<Secret<String>>,
    /// From here.
    pub seen: Seen,
}

/// Why an address is not changed.
#[derive(Debug, thiserror::Error)]
pub enum AddressRefusal {
    /// The person showed who they are longer ago than [`FRESH`](crate::signin::FRESH).
    #[error("sign in again to change this")]
    NotFresh,
    /// The account has a second factor, which was not shown in this session.
    #[error("a second factor is needed")]
    SecondFactorNeeded,
    /// The session is over.
    #[error("the session has ended")]
    Ended,
    /// There would be no verified address left to sign in with.
    #[error("this is the last address")]
    Last,
    /// There is no such address to take away.
    #[error("there is no such address")]
    Nothing,
    /// There is no code.
    #[error(transparent)]
    Ask(#[from] AskRefusal),
    /// The code is not right.
    #[error(transparent)]
    Guess(#[from] GuessRefusal),
}

impl From<Outage> for AddressRefusal {
    fn from(outage: Outage) -> Self {
        Self::Ask(AskRefusal::Outage(outage))
    }
}

struct Drawn {
    id: Secret<String>,
    code: Secret<String>,
    change: AddressChange,
}

impl SignIn {
    /// Ask for a code to an address that is to be the account's of who is signed in. One answer, whether somebody else has the
    /// address or not; they are sent nothing.
    pub async fn change_address(self: &Arc<Self>, claims: &Claims, ask: Ask, now: Timestamp) -> Result<Asked, AddressRefusal> {
        let told = told::by(&claims.sub, What::AddressChangeRequested, &ask.seen, now).detail(ask.channel.as_str());
        let asked = self.ask_to_change(claims, ask, now).await;
        match &asked {
            Ok(_) => self.audit.note(told),
            // Nothing was decided.
            Err(AddressRefusal::Ask(AskRefusal::Outage(_)) | AddressRefusal::Guess(GuessRefusal::Outage(_))) => {}
            Err(AddressRefusal::Ask(AskRefusal::TooSoon(_) | AskRefusal::Limited { .. })) => {
                self.audit.note(told.came_to(Outcome::Limited));
            }
            Err(
                AddressRefusal::Ask(AskRefusal::CountryNotAllowed | AskRefusal::ChannelUnavailable)
                | AddressRefusal::NotFresh
                | AddressRefusal::SecondFactorNeeded
                | AddressRefusal::Ended
                | AddressRefusal::Last
                | AddressRefusal::Nothing
                | AddressRefusal::Guess(_),
            ) => self.audit.note(told.came_to(Outcome::Refused)),
        }
        asked
    }

    async fn ask_to_change(self: &Arc<Self>, claims: &Claims, ask: Ask, now: Timestamp) -> Result<Asked, AddressRefusal> {
        self.may_change(claims, now).await?;
        if !self.settings.channels.contains(&ask.channel) {
            return Err(AskRefusal::ChannelUnavailable.into());
        }
        let priced = self.priced(&ask.handle, ask.channel).map_err(AskRefusal::from)?;
        self.may_ask(&ask, now).await?;
        let owner = self.accounts.find_by_handle(&ask.handle).await?;
        let is_sent = owner.is_none_or(|owner| owner.id == claims.sub);
        let drawn = self.draw_change(claims, &ask, now)?;
        let paid = self.pay_for(priced, is_sent, now).await.map_err(AskRefusal::from)?;
        if let Err(refusal) = self.open_change(&drawn.change, now).await {
            self.give_back(&paid, now).await;
            return Err(refusal.into());
        }
        let asked = self.asked(&ask, &drawn.id, &drawn.code);
        if !is_sent {
            return Ok(asked);
        }
        if self.settings.development {
            self.send_change(ask, drawn, &paid).await;
            return Ok(asked);
        }
        let (signin, pause, channel) = (Arc::clone(self), self.pause().map_err(AskRefusal::from)?, ask.channel);
        // The queue has counted and logged what it does not take; the resend wait runs out by itself.
        self.deliver.after(pause, channel, Box::pin(async move { signin.send_change(ask, drawn, &paid).await }));
        Ok(asked)
    }

    /// Try the code that came to the new address. Right: the address is the account's.
    pub async fn confirm_address(self: &Arc<Self>, claims: &Claims, guess: &AddressGuess, now: Timestamp) -> Result<(), AddressRefusal> {
        self.may_guess(&guess.seen, now).await?;
        let session = self.live(&claims.sid, now).await?.ok_or(AddressRefusal::Ended)?;
        self.with_all_factors(&session).await?;
        let told = told::by(&claims.sub, What::CodeEntered, &guess.seen, now);
        let candidates = match self.count_change(claims, guess, now).await? {
            ChangeTaken::Nothing => return Err(self.invalid(Outcome::Nothing, told).into()),
            ChangeTaken::Exhausted(wait) => {
                self.invalid(Outcome::Exhausted, told);
                self.events.limited("attempts");
                return Err(GuessRefusal::TooMany(wait).into());
            }
            ChangeTaken::Counted(candidates) => candidates,
        };
        let Some(right) = self.right(&guess.code, candidates) else { return Err(self.invalid(Outcome::Wrong, told).into()) };
        let handle = self.unsealed(&right)?;
        let (changes, expires_at) = (Arc::clone(&self.address_changes), self.revocations.lines_expire(now));
        let (id, account, new) = (right.sent.id.clone(), claims.sub.clone(), handle.clone());
        let act = async move { changes.settle(&id, &account, &new, now, expires_at).await };
        match self.revocations.carry(act, now).await?.0 {
            Settled::Set(before) => {
                self.converted(Some(handle.expose()), right.sent.channel, now).await;
                self.events.otp_verified(Some(right.sent.channel), "verified");
                self.tell_right(&claims.sub, right.sent.channel, &guess.seen, now);
                let told = told::by(&claims.sub, What::AddressChanged, &guess.seen, now).detail(changed_word(changed(&handle)));
                self.tell_changed(&before, Some(&handle), changed(&handle), &guess.seen, now);
                self.audit.record_or_keep(vec![told]).await;
                Ok(())
            }
            // Who has it meanwhile is nobody's business.
            Settled::Taken | Settled::Nothing => Err(self.invalid(Outcome::Nothing, told).into()),
        }
    }

    /// Take an address away from the account of who is signed in; never the last one.
    pub async fn remove_address(
        self: &Arc<Self>,
        claims: &Claims,
        which: Changed,
        seen: &Seen,
        now: Timestamp,
    ) -> Result<(), AddressRefusal> {
        self.may_change(claims, now).await?;
        let (changes, expires_at, account) = (Arc::clone(&self.address_changes), self.revocations.lines_expire(now), claims.sub.clone());
        let act = async move { changes.remove(&account, which, expires_at).await };
        match self.revocations.carry(act, now).await?.0 {
            Removed::Gone(before) => {
                self.tell_changed(&before, None, which, seen, now);
                let told = told::by(&claims.sub, What::AddressRemoved, seen, now).detail(changed_word(which));
                self.audit.record_or_keep(vec![told]).await;
                Ok(())
            }
            Removed::Last => Err(AddressRefusal::Last),
            Removed::Nothing => Err(AddressRefusal::Nothing),
        }
    }

    async fn may_change(&self, claims: &Claims, now: Timestamp) -> Result<(), AddressRefusal> {
        let session = self.live(&claims.sid, now).await?.ok_or(AddressRefusal::Ended)?;
        if now.since(session.auth_time) > FRESH {
            return Err(AddressRefusal::NotFresh);
        }
        self.with_all_factors(&session).await
    }

    /// Where there is a second factor, a mailbox alone does not move the account to another.
    async fn with_all_factors(&self, session: &Session) -> Result<(), AddressRefusal> {
        if session.acr == Acr::OneFactor && self.factor_status(&session.account).await?.is_some() {
            return Err(AddressRefusal::SecondFactorNeeded);
        }
        Ok(())
    }

    fn draw_change(&self, claims: &Claims, ask: &Ask, now: Timestamp) -> Result<Drawn, AskRefusal> {
        let id = random::id(self.entropy.as_ref())?;
        let code = self.draw_code()?;
        let print = secret::fingerprint(&id);
        let plain = format!("{}:{}", changed_word(changed(&ask.handle)), ask.handle.expose());
        let sealed = self.sealer.seal(self.entropy.as_ref(), &print, SEALED_FOR, plain.as_bytes()).map_err(Outage::from)?;
        let change = AddressChange {
            account: claims.sub.clone(),
            handle: self.keyed.handle(&ask.handle),
            sealed,
            channel: ask.channel,
            code: self.keyed.code(&print, code.expose()),
            id: print,
            created_at: now,
            expires_at: now.plus(self.settings.otp.lifetime),
        };
        Ok(Drawn { id: Secret::new(id), code, change })
    }

    async fn open_change(&self, change: &AddressChange, now: Timestamp) -> Result<(), AskRefusal> {
        if let Opened::TooSoon(wait) = self.address_changes.open(change, self.settings.otp.resend_after, LIVE).await? {
            self.events.limited("resend_after");
            return Err(AskRefusal::TooSoon(wait));
        }
        self.within_address_limit(&change.handle, now).await
    }

    async fn send_change(&self, ask: Ask, drawn: Drawn, paid: &Paid) {
        let now = drawn.change.created_at;
        let handle = drawn.change.handle;
        let content = Content::Code { code: drawn.code, minutes: self.minutes(), purpose: Purpose::NewAddress };
        let message = Message { to: ask.handle, channel: ask.channel, content, language: ask.seen.language, handle: handle.clone() };
        if !self.deliver.enqueue(message) {
            self.release(&handle).await;
            self.give_back(paid, now).await;
        }
    }

    /// Count the attempt at the change that is named; else at the one that this browser holds; else at the account's latest.
    async fn count_change(&self, claims: &Claims, guess: &AddressGuess, now: Timestamp) -> Result<ChangeTaken, Outage> {
        let budget = Quota { count: self.settings.limits.failures_per_account, window: HOUR };
        let at = |id: Option<&Secret<String>>| ChangeAttempt {
            id: id.map(|id| secret::fingerprint(id.expose())),
            account: claims.sub.clone(),
            per_change: self.settings.otp.attempts,
            budget,
        };
        if let Some(id) = guess.named.as_ref().or(guess.held.as_ref()) {
            let taken = self.address_changes.take_attempt(&at(Some(id)), now).await?;
            if guess.named.is_some() || taken != ChangeTaken::Nothing {
                return Ok(taken);
            }
        }
        self.address_changes.take_attempt(&at(None), now).await
    }

    /// The candidate whose code this is. All are compared, in constant time, whichever fits.
    fn right(&self, code: &Secret<String>, candidates: Vec<ChangeCandidate>) -> Option<ChangeCandidate> {
        candidates.into_iter().fold(None, |found, candidate| if self.fits(code, &candidate.sent) { Some(candidate) } else { found })
    }

    fn unsealed(&self, right: &ChangeCandidate) -> Result<Handle, Outage> {
        let plain = self.sealer.open(&right.sent.id, SEALED_FOR, &right.sealed)?;
        let text = std::str::from_utf8(plain.expose()).ok();
        let handle = text.and_then(|text| text.split_once(':')).and_then(|(word, address)| match word {
            word if word == changed_word(Changed::Email) => Handle::email(address).ok(),
            word if word == changed_word(Changed::Phone) => Handle::phone(address).ok(),
            _ => None,
        });
        // Sealed by us: what is no address is a damaged row, and becomes nobody's.
        handle.ok_or_else(|| Outage::store("the address in a change of address cannot be read"))
    }

    /// Told to the old address first of all: its owner may be somebody else by now. Not to the new one, which knows.
    fn tell_changed(self: &Arc<Self>, before: &Account, new: Option<&Handle>, which: Changed, seen: &Seen, now: Timestamp) {
        tracing::info!(audit = "address_changed", account.id = %before.id, address.sort = changed_word(which), removed = new.is_none(),
            "an address ({}) of account {} was changed or taken away", changed_word(which), before.id);
        let told = self.reachable(before).into_iter().filter(|(handle, _)| Some(handle) != new).collect();
        if new.is_none_or(|new| !has(before, new)) {
            self.notify_at(&before.id, told, Notice::AddressChanged(which), seen.language, now);
        }
    }
}

fn has(account: &Account, handle: &Handle) -> bool {
    match handle {
        Handle::Email(text) => account.email.as_ref() == Some(text),
        Handle::Phone(text) => account.phone.as_ref() == Some(text),
    }
}

const fn changed(handle: &Handle) -> Changed {
    match handle {
        Handle::Email(_) => Changed::Email,
        Handle::Phone(_) => Changed::Phone,
    }
}

const fn changed_word(which: Changed) -> &'static str {
    match which {
        Changed::Email => "email",
        Changed::Phone => "phone",
    }
}
