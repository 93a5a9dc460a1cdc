//! A session begins, and tokens are made for it.

use std::sync::Arc;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::audit::{Event, Thing, What, Who};
use crate::client::Seen;
use crate::clock::Timestamp;
use crate::id::{AccountId, SessionId, TokenId};
use crate::outage::Outage;
use crate::random;
use crate::revocation::Act;
use crate::secret::{self, MacKey, Secret};
use crate::signin::SignIn;
use crate::signin::account::Account;
use crate::signin::claims_hook::Extra;
use crate::signin::deliver::Channel;
use crate::signin::factor::Means;
use crate::signin::session::{NewSession, Session};
use crate::signin::told;
use crate::token::claims::{ACCESS, may_be_custom};
use crate::token::{Acr, Amr, Claims, Issued};

/// What a family's key is sealed for.
const SEALED_FOR: &str = "refresh-family";

/// The number of a family's first token.
const FIRST: i64 = 1;

/// The key of one family, from which its tokens are derived.
pub(super) struct FamilyKey(MacKey);

impl FamilyKey {
    /// The refresh token with this number: 256 bits, base64url.
    pub(super) fn token(&self, session: &SessionId, number: i64) -> Secret<String> {
        let raw = self.0.raw(&[session.as_str(), &number.to_string()]);
        Secret::new(URL_SAFE_NO_PAD.encode(raw))
    }
}

/// A session that only has to begin: the claims hook has answered. Who asked it too late would have nothing left to come back with.
pub(super) struct Ready {
    /// When `now` was: the hook may have taken its time since.
    since: Instant,
    account: Account,
    session: Session,
    extra: Extra,
}

/// A session that has begun, and whose tokens nobody has yet.
struct Begun {
    account: Account,
    session: Session,
    refresh: Secret<String>,
    extra: Extra,
    /// What is told of it.
    told: Event,
}

/// How a person has shown who they are, and until when their session may last on that.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    /// By which factors.
    pub(super) amr: Vec<Amr>,
    /// What that is worth.
    pub(super) acr: Acr,
    /// When, last.
    pub(super) auth_time: Timestamp,
    /// When the session ends, however often it is renewed.
    pub(super) until: Timestamp,
}

impl Shown {
    /// By the first factors of a session, and by nothing else: as if its second had never been.
    pub(super) fn first(session: &Session) -> Self {
        let amr = first(&session.amr).collect();
        Self { amr, acr: Acr::OneFactor, auth_time: session.auth_time, until: session.expires_at }
    }

    /// By those first factors, and just now by a second.
    pub(super) fn second(amr: &[Amr], means: Means, now: Timestamp, until: Timestamp) -> Self {
        let second = match means {
            Means::Totp => Amr::Otp,
            Means::RecoveryCode => Amr::Recovery,
        };
        let amr = first(amr).chain([second, Amr::Mfa]).collect();
        Self { amr, acr: Acr::TwoFactor, auth_time: now, until }
    }
}

/// What of `amr` is a first factor.
fn first(amr: &[Amr]) -> impl Iterator<Item = Amr> {
    amr.iter().copied().filter(|factor| match factor {
        Amr::Email | Amr::Sms | Amr::Whatsapp => true,
        Amr::Otp | Amr::Recovery | Amr::Mfa | Amr::ApiKey => false,
    })
}

impl SignIn {
    /// Get ready for a session of `account`, before anything is spent or has ended.
    pub(super) async fn ready(&self, account: Account, shown: Shown, seen: &Seen, now: Timestamp) -> Result<Ready, Outage> {
        let since = Instant::now();
        let session = self.session(&account, shown, seen, now)?;
        let extra = self.extra(&account, &session.id, now).await?;
        Ok(Ready { since, account, session, extra })
    }

    /// The same for an account by its id; `None` when there is no such account.
    pub(super) async fn ready_for(&self, id: &AccountId, shown: Shown, seen: &Seen, now: Timestamp) -> Result<Option<Ready>, Outage> {
        match self.accounts.find(id).await? {
            Some(account) => self.ready(account, shown, seen, now).await.map(Some),
            None => Ok(None),
        }
    }

    /// End a session, and begin another in its place, with an id and tokens of its own. `None` when somebody else ended it
    /// first, or the account may not sign in at this moment.
    ///
    /// The other begins first: who is signed in is so until then, whatever fails. Until the old one is over nobody has its tokens.
    pub(super) async fn exchange(
        self: &Arc<Self>,
        old: &Session,
        ready: Ready,
        reason: &'static str,
        seen: &Seen,
        now: Timestamp,
    ) -> Result<Option<Issued>, Outage> {
        let since = ready.since;
        let Some(begun) = self.start(ready, seen, now).await? else { return Ok(None) };
        // Who comes with the old one just after is told that it was replaced, so that counts from now.
        let ended_at = now.plus(since.elapsed());
        let told = told::ended(Who::Account(old.account.clone()), &old.account, seen, ended_at);
        let ended = self.end_quietly(Act::SessionOf(old.account.clone(), old.id.clone()), reason, &told).await;
        match ended {
            Ok(ended) if !ended.is_empty() => {
                self.audit.record_or_keep([begun.told.clone()].into_iter().chain(ended).collect()).await;
                self.hand_over(begun, seen, now).map(Some)
            }
            ended => {
                if let Err(outage) = self.revocations.revoke(Act::Session(begun.session.id.clone()), "never_used", now).await {
                    tracing::warn!(session.id = %begun.session.id, cause = %outage,
                        "session {} is nobody's and could not be ended, it runs out by itself", begun.session.id);
                }
                ended.map(|_| None)
            }
        }
    }

    /// Begin the session; `None` when the account may not sign in at this moment.
    pub(super) async fn begin(self: &Arc<Self>, ready: Ready, seen: &Seen, now: Timestamp) -> Result<Option<Issued>, Outage> {
        let Some(begun) = self.start(ready, seen, now).await? else { return Ok(None) };
        self.audit.record(begun.told.clone()).await?;
        self.hand_over(begun, seen, now).map(Some)
    }

    async fn start(&self, ready: Ready, seen: &Seen, now: Timestamp) -> Result<Option<Begun>, Outage> {
        let Ready { account, session, extra, .. } = ready;
        let key = random::bytes::<32>(self.entropy.as_ref())?;
        let sealed = self.sealer.seal(self.entropy.as_ref(), session.id.as_str(), SEALED_FOR, &key)?;
        let refresh = FamilyKey(MacKey::new(&key)).token(&session.id, FIRST);
        let new = NewSession { refresh: secret::fingerprint(refresh.expose()), family_key: sealed, session };
        if !self.sessions.start(&new).await? {
            return Ok(None);
        }
        let NewSession { session, .. } = new;
        let told = told::by(&account.id, What::SessionBegun, seen, now).on(Thing::Session(session.id.clone())).detail(acr(session.acr));
        Ok(Some(Begun { account, session, refresh, extra, told }))
    }

    fn hand_over(self: &Arc<Self>, begun: Begun, seen: &Seen, now: Timestamp) -> Result<Issued, Outage> {
        let Begun { account, session, refresh, extra, .. } = begun;
        tracing::info!(account.id = %account.id, session.id = %session.id, "account {} signed in, session {} begins", account.id, session.id);
        self.meet_device(&account.id, seen, now);
        self.issue(&account, &session, refresh, extra, now)
    }

    /// What else tokens of this session say.
    pub(super) async fn extra(&self, account: &Account, session: &SessionId, now: Timestamp) -> Result<Extra, Outage> {
        match &self.claims_hook {
            Some(hook) => hook.ask(account, session, now).await,
            None => Ok(Extra::default()),
        }
    }

    /// Tokens for a session that lives.
    pub(super) fn issue(
        &self,
        account: &Account,
        session: &Session,
        refresh: Secret<String>,
        extra: Extra,
        now: Timestamp,
    ) -> Result<Issued, Outage> {
        let refresh_lifetime = session.expires_at.since(now);
        let access_lifetime = self.settings.access_lifetime().min(refresh_lifetime);
        let claims = self.claims(account, session, extra, (now, now.plus(access_lifetime)))?;
        let access = self.minter.mint(&claims, now)?;
        Ok(Issued { access, access_lifetime, refresh, refresh_lifetime, departing: None })
    }

    pub(super) fn family_key(&self, session: &SessionId, sealed: &str) -> Result<FamilyKey, Outage> {
        let key = self.sealer.open(session.as_str(), SEALED_FOR, sealed)?;
        Ok(FamilyKey(MacKey::new(key.expose())))
    }

    fn session(&self, account: &Account, shown: Shown, seen: &Seen, now: Timestamp) -> Result<Session, Outage> {
        Ok(Session {
            id: SessionId::draw(self.entropy.as_ref())?,
            account: account.id.clone(),
            created_at: now,
            last_seen_at: now,
            expires_at: shown.until,
            auth_time: shown.auth_time,
            amr: shown.amr,
            acr: shown.acr,
            address: seen.address,
            agent: seen.agent.clone(),
            ended_at: None,
        })
    }

    fn claims(&self, account: &Account, session: &Session, extra: Extra, (now, expires): (Timestamp, Timestamp)) -> Result<Claims, Outage> {
        let (mut custom, groups) = extra.added_to(account);
        // What was kept under a name before that became a registered one is left out.
        custom.retain(|name, _| may_be_custom(name));
        Ok(Claims {
            iss: self.settings.issuer.clone(),
            sub: account.id.clone(),
            aud: self.settings.audience.clone(),
            iat: now.as_secs(),
            nbf: now.as_secs(),
            exp: expires.as_secs(),
            jti: TokenId::draw(self.entropy.as_ref())?,
            sid: session.id.clone(),
            kind: ACCESS.to_owned(),
            email: account.email.clone(),
            email_verified: account.email_verified,
            phone_number: account.phone.clone(),
            phone_number_verified: account.phone_verified,
            preferred_username: account.username.clone(),
            name: account.name.clone(),
            groups,
            amr: session.amr.clone(),
            acr: session.acr,
            auth_time: session.auth_time.as_secs(),
            revision: account.revision,
            custom,
        })
    }
}

/// What factors are worth, in the words of tokens.
const fn acr(acr: Acr) -> &'static str {
    match acr {
        Acr::OneFactor => "one_factor",
        Acr::TwoFactor => "two_factor",
    }
}

/// The factor that a code by this channel is.
pub(super) const fn amr(channel: Channel) -> Amr {
    match channel {
        Channel::Email => Amr::Email,
        Channel::Sms => Amr::Sms,
        Channel::Whatsapp => Amr::Whatsapp,
    }
}
