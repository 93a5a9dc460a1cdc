//! A person's own devices: where they are signed in, in words, and the buttons that end it.

use std::net::IpAddr;

use super::Done;
use crate::clock::Timestamp;
use crate::endpoint::call::Received;
use crate::endpoint::page::Words;
use crate::endpoint::reply::{No, Reply};
use crate::endpoint::{Endpoints, body};
use crate::id::SessionId;
use crate::signin::{Scope, Session, device};
use crate::token::Claims;

/// The word of the button that ends all sessions but this one. No session is named so: their ids are longer.
const OTHERS: &str = "others";

/// A device, as a page shows it.
pub(super) struct Row {
    pub(super) id: SessionId,
    pub(super) device: String,
    pub(super) current: bool,
    pub(super) since: Moment,
    pub(super) seen: Moment,
    pub(super) address: Option<IpAddr>,
}

/// A point in time, for programs and for people.
pub(super) struct Moment {
    pub(super) at: String,
    pub(super) ago: String,
}

impl Moment {
    pub(super) fn new(at: Timestamp, words: &Words, now: Timestamp) -> Self {
        Self { at: at.to_string(), ago: words.ago(now.since(at)) }
    }
}

impl Endpoints {
    /// One's own devices: this one first, then as they were last seen.
    pub(super) async fn rows(&self, claims: &Claims, words: &Words, now: Timestamp) -> Result<Vec<Row>, No> {
        let mut sessions = self.sign_in.sessions(claims, now).await?;
        sessions.sort_by_key(|session| (session.id != claims.sid, std::cmp::Reverse(session.last_seen_at)));
        Ok(sessions.iter().map(|session| row(session, claims, words, now)).collect())
    }

    /// End one of one's own sessions, or all but this one.
    pub(super) async fn end_sessions(&self, received: &Received<'_>, claims: &Claims) -> Result<Reply, No> {
        let [end] = body::form(received, ["end"])?;
        let now = received.call.now;
        if end == OTHERS {
            self.sign_in.sign_out(&self.presented(received)?, Scope::Others, &received.seen(), now).await?;
            return self.done(Done::OthersEnded);
        }
        let ended = self.sign_in.end_session(claims, &SessionId::new(end), &received.seen(), now).await?;
        self.done(if ended { Done::Ended } else { Done::Gone })
    }
}

fn row(session: &Session, claims: &Claims, words: &Words, now: Timestamp) -> Row {
    let device = device::words(&session.agent);
    let known = device.browser.is_some() || device.system.is_some();
    Row {
        id: session.id.clone(),
        device: if known { device.to_string() } else { words.account.unknown_device.to_owned() },
        current: session.id == claims.sid,
        since: Moment::new(session.created_at, words, now),
        seen: Moment::new(session.last_seen_at, words, now),
        address: session.address,
    }
}
