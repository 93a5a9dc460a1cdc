//! A refresh token is used, and followed by another (RFC 9700 §4.14.2).
//!
//! Those who race with the same token, or lost the reply, are given the same newest token within a window; a spent token
//! after that window is a stolen one, and ends the family.

use std::sync::Arc;
use std::time::Instant;

use crate::audit::{Event, Thing, What, Who};
use crate::client::Seen;
use crate::clock::Timestamp;
use crate::outage::Outage;
use crate::revocation::Act;
use crate::secret::{self, Secret};
use crate::signin::SignIn;
use crate::signin::account::Account;
use crate::signin::claims_hook::Extra;
use crate::signin::deliver::Notice;
use crate::signin::session::{Family, Session};
use crate::signin::told;
use crate::token::Issued;

/// Why there are no new tokens.
#[derive(Debug, thiserror::Error)]
pub enum RefreshRefusal {
    /// Unknown, ended, expired, idle, or reused: the person has to sign in again.
    #[error("the refresh token is not good any more")]
    Ended,
    /// The same, and its session ended only a moment ago: another tab may have got a new one meanwhile (step-up), so cookies
    /// are left alone.
    #[error("the session of the refresh token ended a moment ago")]
    Replaced,
    /// It could not be decided.
    #[error(transparent)]
    Outage(#[from] Outage),
}

/// What is to be done with a refresh token that was presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It is the newest: spend it.
    Rotate,
    /// It was spent a moment ago: give the newest.
    Concurrent,
    /// It was spent long ago: end the family.
    Reused,
    /// Its session is over.
    Ended,
    /// Its session's time is over.
    Expired,
}

/// An account, and what else there is to say of it.
type Told = (Account, Extra);

impl Fate {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Rotate => "rotated",
            Self::Concurrent => "concurrent",
            Self::Reused => "reused",
            Self::Ended => "ended",
            Self::Expired => "expired",
        }
    }
}

impl SignIn {
    /// Use the refresh token `token`: new tokens of its session.
    pub async fn refresh(self: &Arc<Self>, token: &Secret<String>, seen: &Seen, now: Timestamp) -> Result<Issued, RefreshRefusal> {
        let (print, since) = (secret::fingerprint(token.expose()), Instant::now());
        let mut extra = None;
        // Losing the race for the rotation shows the token as spent just now: the second look finds it concurrent.
        for _ in 0..3 {
            let Some(family) = self.sessions.family(&print).await? else {
                self.events.refreshed("unknown");
                return Err(RefreshRefusal::Ended);
            };
            let fate = self.fate(&family, now);
            let issued = match fate {
                Fate::Rotate | Fate::Concurrent => {
                    // Asked before anything is spent: a session goes on when there is no answer.
                    let told = self.told(&family.session, &mut extra, now).await?;
                    match fate {
                        Fate::Rotate => self.rotate(&family, told, seen, (now, since)).await?,
                        Fate::Concurrent | Fate::Reused | Fate::Ended | Fate::Expired => {
                            Some(self.again(&family, family.newest, told, (now, since))?)
                        }
                    }
                }
                Fate::Reused => return self.end(&family.session, fate, seen, now).await,
                Fate::Ended | Fate::Expired => {
                    self.events.refreshed(fate.as_str());
                    return Err(self.over(&family.session, now));
                }
            };
            if let Some(issued) = issued {
                self.events.refreshed(fate.as_str());
                return Ok(issued);
            }
        }
        self.events.refreshed("ended");
        Err(RefreshRefusal::Ended)
    }

    fn fate(&self, family: &Family, now: Timestamp) -> Fate {
        let session = &family.session;
        if session.ended_at.is_some() {
            return Fate::Ended;
        }
        if session.expires_at <= now || self.is_idle(session, now) {
            return Fate::Expired;
        }
        match family.spent_at {
            None if family.presented == family.newest => Fate::Rotate,
            Some(spent) if now.since(spent) < self.settings.session.concurrent_refresh_window => Fate::Concurrent,
            Some(spent) if self.is_awaited(family, spent, now) => Fate::Concurrent,
            None | Some(_) => Fate::Reused,
        }
    }

    /// Is the newest token the successor of what was presented, and does an app keep the reply that it goes with?
    fn is_awaited(&self, family: &Family, spent_at: Timestamp, now: Timestamp) -> bool {
        let window = self.settings.session.concurrent_refresh_window;
        family.presented.saturating_add(1) == family.newest
            && self.under_way.may_be_missing(&family.session.id, family.presented, (spent_at, window), now)
    }

    /// Why a session that is over gives no tokens.
    fn over(&self, session: &Session, now: Timestamp) -> RefreshRefusal {
        let window = self.settings.session.concurrent_refresh_window;
        let just_now = session.ended_at.is_some_and(|ended| now.since(ended) < window);
        if just_now { RefreshRefusal::Replaced } else { RefreshRefusal::Ended }
    }

    fn is_idle(&self, session: &Session, now: Timestamp) -> bool {
        self.settings.session.idle.is_some_and(|idle| now.since(session.last_seen_at) >= idle)
    }

    /// Spend the newest token. `None` when another request did so in between. It is spent now, however long it took to come so far:
    /// who has it still has the whole window to come with it.
    async fn rotate(
        &self,
        family: &Family,
        told: Told,
        seen: &Seen,
        (now, since): (Timestamp, Instant),
    ) -> Result<Option<Issued>, RefreshRefusal> {
        let number = family.presented.saturating_add(1);
        let key = self.family_key(&family.session.id, &family.family_key)?;
        let successor = secret::fingerprint(key.token(&family.session.id, number).expose());
        let spent_at = now.plus(since.elapsed());
        if !self.sessions.rotate(&family.session.id, family.presented, &successor, spent_at, seen.address).await? {
            return Ok(None);
        }
        let spent = Family { spent_at: Some(spent_at), ..family.clone() };
        self.again(&spent, number, told, (now, since)).map(Some)
    }

    /// Whose session it is, and what else its tokens say; asked once, however often the race is run.
    async fn told(&self, session: &Session, asked: &mut Option<Extra>, now: Timestamp) -> Result<Told, RefreshRefusal> {
        let account = self.accounts.find(&session.account).await?;
        let Some(account) = account.filter(|account| account.disabled_at.is_none()) else { return Err(RefreshRefusal::Ended) };
        let extra = match asked {
            Some(extra) => extra.clone(),
            None => asked.insert(self.extra(&account, &session.id, now).await?).clone(),
        };
        Ok((account, extra))
    }

    /// Tokens of a session whose newest refresh token has this number.
    fn again(
        &self,
        family: &Family,
        newest: i64,
        (account, extra): Told,
        (now, since): (Timestamp, Instant),
    ) -> Result<Issued, RefreshRefusal> {
        let session = &family.session;
        let refresh = self.family_key(&session.id, &family.family_key)?.token(&session.id, newest);
        let issued = self.issue(&account, session, refresh, extra, now)?;
        let spent_at = family.spent_at.filter(|_| family.presented.saturating_add(1) == newest);
        let departing = spent_at.map(|spent_at| {
            let spent = (spent_at, self.settings.session.concurrent_refresh_window);
            Arc::new(self.under_way.begin(&session.id, family.presented, spent, now.plus(since.elapsed())))
        });
        Ok(Issued { departing, ..issued })
    }

    /// Over, and its owner is told: who keeps using the session may not be who was given it.
    async fn end(self: &Arc<Self>, session: &Session, fate: Fate, seen: &Seen, now: Timestamp) -> Result<Issued, RefreshRefusal> {
        tracing::warn!(session.id = %session.id, account.id = %session.account, audit = "refresh_token_reused",
            "a spent refresh token of session {} came back, the session is ended", session.id);
        self.events.refreshed(fate.as_str());
        let reused = Event::new(What::RefreshTokenReused, Who::Nobody, now).of(&session.account).on(Thing::Session(session.id.clone()));
        let told = told::ended(Who::Nobody, &session.account, seen, now);
        if self.end_by(Act::Session(session.id.clone()), "refresh_token_reused", &told, Some(reused.seen(seen))).await? {
            self.notify(&session.account, Notice::RefreshTokenReused, seen.language, now);
        }
        Err(RefreshRefusal::Ended)
    }
}
