//! A person signs out: here, elsewhere, or everywhere. Durable before it is acknowledged.

use crate::audit::{Event, Thing, What, Who};
use crate::client::Seen;
use crate::clock::Timestamp;
use crate::id::{AccountId, SessionId};
use crate::outage::Outage;
use crate::revocation::{Act, Ids, Standing};
use crate::secret::{self, Secret};
use crate::signin::SignIn;
use crate::signin::session::Session;
use crate::signin::told;
use crate::token::Claims;

/// How many sessions a person is shown.
const SHOWN: u32 = 200;

/// What is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// What was presented.
    Local,
    /// All sessions of the account but that one.
    Others,
    /// All sessions of the account.
    Global,
}

impl Scope {
    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Others => "others",
            Self::Global => "global",
        }
    }
}

/// The credentials that a request carries.
#[derive(Debug, Clone, Default)]
pub struct Presented {
    /// Access tokens: of the header, then of the cookie.
    pub access: Vec<Secret<String>>,
    /// The refresh cookie.
    pub refresh: Option<Secret<String>>,
}

/// Why an access token that was presented signs nobody in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worthless {
    /// Its session has ended.
    Ended,
    /// It is not ours, or not to be believed any more.
    Bad,
}

impl SignIn {
    /// Sign out what was presented, as far as it names anything of ours; nonsense names nothing, and is no error. Returns how far
    /// that went: what is over already ends nothing but itself.
    ///
    /// # Errors
    /// An [`Outage`] when it is not durable: nobody may be told that they are signed out.
    pub async fn sign_out(&self, presented: &Presented, scope: Scope, seen: &Seen, now: Timestamp) -> Result<Scope, Outage> {
        let mut done = Scope::Local;
        for (account, session) in self.named(presented, now).await? {
            let told = told::ended(Who::Account(account.clone()), &account, seen, now);
            let signed_out = told::by(&account, What::SignedOut, seen, now).on(Thing::Session(session.clone())).detail(scope.as_str());
            let act = match scope {
                // Who presents what is over may not end anything else; but is told so only when every node knows.
                Scope::Others | Scope::Global if !self.lives(&session, now).await? => Act::Session(session),
                Scope::Local => Act::Session(session),
                Scope::Others => {
                    done = scope;
                    Act::Others(account, session)
                }
                Scope::Global => {
                    done = scope;
                    Act::Account(account)
                }
            };
            self.end_by(act, "signed_out", &told, Some(signed_out)).await?;
        }
        Ok(done)
    }

    /// Who is signed in by what was presented; the first token that names us decides.
    pub async fn current(&self, presented: &Presented, now: Timestamp) -> Result<Option<Claims>, Outage> {
        let ours = presented.access.iter().find(|token| self.verifier.names_us(token.expose()));
        let Some(token) = ours else { return Ok(None) };
        Ok(self.worth(token, now).await?.ok())
    }

    /// Who is signed in by a token that was presented, or why nobody is.
    ///
    /// # Errors
    /// An [`Outage`] when it could not be found out.
    pub async fn worth(&self, token: &Secret<String>, now: Timestamp) -> Result<Result<Claims, Worthless>, Outage> {
        let Ok(claims) = self.verifier.check(token.expose(), now) else { return Ok(Err(Worthless::Bad)) };
        let ids = Ids { token: &claims.jti, session: &claims.sid, account: &claims.sub, revision: claims.revision };
        Ok(match self.revocations.ask(ids, now).await? {
            Standing::Good => Ok(claims),
            Standing::Revoked => Err(Worthless::Ended),
            // As one whose time is over: the session can be renewed.
            Standing::Outdated => Err(Worthless::Bad),
        })
    }

    /// The sessions of the person who is signed in, newest first.
    pub async fn sessions(&self, claims: &Claims, now: Timestamp) -> Result<Vec<Session>, Outage> {
        self.sessions.list(&claims.sub, now, SHOWN).await
    }

    /// End a session of the person who is signed in. False when they have no such session.
    pub async fn end_session(&self, claims: &Claims, id: &SessionId, seen: &Seen, now: Timestamp) -> Result<bool, Outage> {
        let told = told::ended(Who::Account(claims.sub.clone()), &claims.sub, seen, now);
        let act = Act::SessionOf(claims.sub.clone(), id.clone());
        self.end_by(act, "ended_by_person", &told, None).await
    }

    /// The public keys, as a JWK Set.
    pub fn jwks(&self, now: Timestamp) -> String {
        self.ring.jwks(now)
    }

    /// Do `act`, at the time of `told`, and tell of it: of each that was ended as `told` says, after what was done with it. True
    /// when something was ended.
    pub(super) async fn end_by(&self, act: Act, reason: &'static str, told: &Event, done: Option<Event>) -> Result<bool, Outage> {
        let ended = self.end_quietly(act, reason, told).await?;
        if ended.is_empty() {
            return Ok(false);
        }
        self.audit.record_all(done.into_iter().chain(ended).collect()).await?;
        Ok(true)
    }

    /// The same, and what is to be told of each that was ended.
    pub(super) async fn end_quietly(&self, act: Act, reason: &'static str, told: &Event) -> Result<Vec<Event>, Outage> {
        let entries = self.revocations.revoke(act, reason, told.at).await?;
        for entry in &entries {
            tracing::info!(
                audit = "revoked",
                kind = entry.subject.kind(),
                id = entry.subject.name(),
                ledger.number = entry.number,
                reason,
                "{} {} is revoked: {reason}",
                entry.subject.kind(),
                entry.subject.name()
            );
        }
        Ok(entries.iter().map(|entry| told.clone().on(told::thing(&entry.subject)).detail(reason)).collect())
    }

    /// The sessions that were presented, each once.
    async fn named(&self, presented: &Presented, now: Timestamp) -> Result<Vec<(AccountId, SessionId)>, Outage> {
        let genuine = presented.access.iter().filter_map(|token| self.verifier.check_to_sign_out(token.expose(), now).ok());
        let mut named: Vec<_> = genuine.map(|claims| (claims.sub, claims.sid)).collect();
        if let Some(refresh) = presented.refresh.as_ref().filter(|refresh| !refresh.expose().is_empty()) {
            let family = self.sessions.family(&secret::fingerprint(refresh.expose())).await?;
            named.extend(family.map(|family| (family.session.account, family.session.id)));
        }
        named.sort_unstable();
        named.dedup();
        Ok(named)
    }

    async fn lives(&self, id: &SessionId, now: Timestamp) -> Result<bool, Outage> {
        self.live(id, now).await.map(|session| session.is_some())
    }

    /// The session with this id, if it is live.
    pub(super) async fn live(&self, id: &SessionId, now: Timestamp) -> Result<Option<Session>, Outage> {
        let session = self.sessions.find(id).await?;
        Ok(session.filter(|session| session.ended_at.is_none() && session.expires_at > now))
    }
}
