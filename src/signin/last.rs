//! How long what was opened in a session may stay open: a WebSocket cannot be given new cookies.
//!
//! It may stay as long as whoever opened it would be let in again. Who showed a refresh token could renew at any moment: it
//! stays while the session does. Who showed an access token alone could not: it stays only while somebody else renews the
//! session, and a token that was stolen opens nothing that outlives it.

use crate::clock::Timestamp;
use crate::id::SessionId;
use crate::outage::Outage;
use crate::signin::SignIn;
use crate::signin::session::Session;

impl SignIn {
    /// Until when something may stay open that was opened in `session`, with an access token that was issued at `issued_at`
    /// (whole seconds) and beside it the refresh token with the fingerprint `refresh`. `None`: it is over.
    ///
    /// # Errors
    /// An [`Outage`] when the store cannot say.
    pub async fn lasts(
        &self,
        session: &SessionId,
        issued_at: i64,
        refresh: Option<&str>,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, Outage> {
        let own = match refresh {
            Some(print) => self.sessions.family(print).await?.map(|family| family.session).filter(|found| found.id == *session),
            None => None,
        };
        if let Some(own) = own {
            return Ok(self.until(&own, now, now));
        }
        let renewed = self.sessions.find(session).await?.filter(|found| found.last_seen_at.as_secs() > issued_at);
        Ok(renewed.and_then(|renewed| self.until(&renewed, renewed.last_seen_at, now)))
    }

    /// An access token's life from `from` on, within the session's own.
    fn until(&self, session: &Session, from: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let idle = self.settings.session.idle.map(|idle| session.last_seen_at.plus(idle));
        let until = from.plus(self.settings.access_lifetime()).min(session.expires_at);
        let until = idle.map_or(until, |idle| until.min(idle));
        (session.ended_at.is_none() && until > now).then_some(until)
    }
}
