//! `/api/sessions`: who is signed in, where, and since when.

use std::net::IpAddr;

use http::StatusCode;
use serde::Serialize;

use super::Api;
use super::listing::{self, Window};
use crate::endpoint::call::Received;
use crate::endpoint::problem::Problem;
use crate::endpoint::reply::{self, No, Reply};
use crate::id::{AccountId, SessionId};
use crate::revocation::Act;
use crate::signin::Session;
use crate::token::{Acr, Amr};

/// A session, as it is shown.
#[derive(Debug, Serialize)]
struct View {
    id: SessionId,
    account: AccountId,
    created_at: String,
    last_seen_at: String,
    expires_at: String,
    auth_time: String,
    amr: Vec<Amr>,
    acr: Acr,
    address: Option<IpAddr>,
    agent: String,
}

impl From<Session> for View {
    fn from(session: Session) -> Self {
        Self {
            id: session.id,
            account: session.account,
            created_at: session.created_at.to_string(),
            last_seen_at: session.last_seen_at.to_string(),
            expires_at: session.expires_at.to_string(),
            auth_time: session.auth_time.to_string(),
            amr: session.amr,
            acr: session.acr,
            address: session.address,
            agent: session.agent,
        }
    }
}

impl Api {
    pub(super) async fn list_sessions(&self, received: &Received<'_>) -> Result<Reply, No> {
        let [account, limit, cursor] = listing::query(received, ["account", "limit", "cursor"])?;
        let listed = ["sessions", account.as_str()];
        let window = Window::of(&self.cursors, &listed, &limit, &cursor)?;
        let of = listing::said(account.clone()).map(AccountId::new);
        let after = window.after.clone().map(SessionId::new);
        let found = self.setup.sessions.page(of.as_ref(), after.as_ref(), received.call.now, window.ask_for()).await?;
        Ok(window.page(&self.cursors, &listed, found, |session| session.id.to_string(), View::from))
    }

    pub(super) async fn show_session(&self, received: &Received<'_>, id: &SessionId) -> Result<Reply, No> {
        let found = self.setup.sessions.find(id).await?;
        let live = found.filter(|session| session.ended_at.is_none() && session.expires_at > received.call.now);
        Ok(reply::json(StatusCode::OK, &View::from(live.ok_or(Problem::NotFound)?)))
    }

    pub(super) async fn end_session(&self, received: &Received<'_>, id: &SessionId) -> Result<Reply, No> {
        let act = Act::Session(id.clone());
        let lines = self.setup.registrar.revocations.revoke(act, "ended_by_operator", received.call.now).await?;
        if lines.is_empty() { Err(Problem::NotFound.into()) } else { Ok(reply::empty(StatusCode::NO_CONTENT)) }
    }
}
