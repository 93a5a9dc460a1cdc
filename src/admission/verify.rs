//! Is the token, or the API key, to be believed? With an access cookie that is not, a good refresh cookie renews the session in
//! passing.

use std::sync::Arc;

use crate::admission::credentials::{Presented, Token, Tokens, What};
use crate::admission::machine::{Machines, Pass};
use crate::admission::renew::{NotRenewed, Renew};
use crate::admission::{Incoming, Refusal, Why};
use crate::client::Seen;
use crate::clock::Timestamp;
use crate::outage::{Dependency, Outage};
use crate::secret::{Secret, SecretStr};
use crate::token::{Claims, Issued};

/// A token or an API key that is to be believed.
#[derive(Debug)]
pub struct Verified<'a> {
    pub(super) claims: Arc<Claims>,
    /// The routes that a machine may pass; none for a person.
    pub(super) passes: Option<Arc<[Pass]>>,
    pub(super) token: Token<'a>,
    /// In `Authorization`, and not in a cookie.
    pub(super) by_header: bool,
    _made_here: (),
}

/// Believes, and renews.
pub(super) struct Verifier<'a> {
    pub(super) tokens: &'a dyn Tokens,
    pub(super) machines: &'a dyn Machines,
    pub(super) renew: &'a dyn Renew,
    pub(super) now: Timestamp,
}

impl Verifier<'_> {
    /// What was presented, if it is to be believed; `None` when nothing was, or only cookies whose time is over. Tokens that
    /// were made in passing are left in `issued`, whatever is decided afterwards: the old ones are spent.
    pub(super) async fn verify<'a>(
        &self,
        presented: Presented<'a>,
        incoming: &Incoming<'_>,
        issued: &mut Option<Issued>,
    ) -> Result<Option<Verified<'a>>, Why> {
        match presented.what {
            What::Nothing => Ok(None),
            What::Header { token, beside } => Ok(Some(self.header(token, beside)?)),
            What::Key { key, beside } => Ok(Some(self.machine(key, beside).await?)),
            What::Cookies { access, refresh } => {
                let good = access.and_then(|token| self.believed(Token::Shown(token), false));
                match (good, refresh) {
                    (None, Some(refresh)) => self.renewed(&refresh.keep(), incoming, issued).await,
                    (good, _) => Ok(good),
                }
            }
        }
    }

    fn header<'a>(&self, token: SecretStr<'a>, beside: Option<SecretStr<'a>>) -> Result<Verified<'a>, Refusal> {
        let verified = self.believed(Token::Shown(token), true).ok_or(Refusal::InvalidToken)?;
        let other = beside.and_then(|cookie| self.tokens.check(cookie.expose(), self.now));
        let conflict = other.is_some_and(|other| other.sid != verified.claims.sid);
        if conflict { Err(Refusal::ConflictingCredentials) } else { Ok(verified) }
    }

    /// Whoever is signed in beside a key is somebody else.
    async fn machine<'a>(&self, key: Token<'a>, beside: Option<SecretStr<'a>>) -> Result<Verified<'a>, Why> {
        let machine = match self.machines.known(key.secret(), self.now) {
            Some(machine) => machine,
            None => self.machines.believe(key.secret(), self.now).await?.ok_or(Refusal::InvalidToken)?,
        };
        if beside.is_some_and(|cookie| self.tokens.check(cookie.expose(), self.now).is_some()) {
            return Err(Refusal::ConflictingCredentials.into());
        }
        Ok(Verified { claims: machine.claims, passes: Some(machine.passes), token: key, by_header: true, _made_here: () })
    }

    /// The session of a good refresh token beside an access token that turned out to be outdated, as [`Self::verify`].
    pub(super) async fn renew<'a>(
        &self,
        refresh: Option<SecretStr<'_>>,
        incoming: &Incoming<'_>,
        issued: &mut Option<Issued>,
    ) -> Result<Option<Verified<'a>>, Why> {
        match refresh {
            Some(refresh) => self.renewed(&refresh.keep(), incoming, issued).await,
            None => Ok(None),
        }
    }

    async fn renewed<'a>(
        &self,
        refresh: &Secret<String>,
        incoming: &Incoming<'_>,
        issued: &mut Option<Issued>,
    ) -> Result<Option<Verified<'a>>, Why> {
        let seen = Seen::of(incoming.client.address, &incoming.head.headers, incoming.request_id);
        let made = match self.renew.renew(refresh, &seen, self.now).await {
            Ok(made) => issued.insert(made),
            Err(NotRenewed::Ended) => return Ok(None),
            Err(NotRenewed::Outage(outage)) => return Err(outage.into()),
        };
        let unusable = || Outage::new(Dependency::Keys, "a token that was just made is not believed");
        Ok(Some(self.believed(Token::Held(made.access.clone()), false).ok_or_else(unusable)?))
    }

    fn believed<'a>(&self, token: Token<'a>, by_header: bool) -> Option<Verified<'a>> {
        let claims = self.tokens.check(token.secret().expose(), self.now)?;
        Some(Verified { claims, passes: None, token, by_header, _made_here: () })
    }
}
