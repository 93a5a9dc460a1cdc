//! Open streams carry the session that they were opened with, and end with it.
//!
//! A request is checked once, and a stream lives for hours after. So each is held here, by its session: `WebSocket`s, event
//! streams and gRPC from their beginning on, and any other request once it has been under way for [`LONG`] and something still
//! passes. A watch ([`watch`]) asks about them again when something was revoked, and when their token's time is over; whoever
//! is signed out is cut ([`super::cord`]).

mod asking;
mod line;
mod watch;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use async_trait::async_trait;
use http::HeaderMap;

pub(super) use asking::Asking;
pub(super) use line::Line;
pub(super) use watch::{LOOK, Watch};

use super::cord::Cord;
use crate::admission::Admitted;
use crate::clock::{Clock, Timestamp};
use crate::cookie::Cookies;
use crate::id::{AccountId, SessionId, TokenId};
use crate::outage::Outage;
use crate::revocation::{Ids, Revocations, Standing};
use crate::secret;
use crate::telemetry::{Metrics, OpenStream};

/// A request that is under way for longer carries its session.
pub(super) const LONG: Duration = Duration::from_secs(1);

/// Knows how long what was opened in a session may stay open.
#[async_trait]
pub trait Lasting: Send + Sync {
    /// Until when; `None` when it is over.
    ///
    /// # Errors
    /// An [`Outage`] when nobody can say.
    async fn lasts(&self, opened: &Opened, now: Timestamp) -> Result<Option<Timestamp>, Outage>;
}

/// With what something was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// In which session.
    pub session: SessionId,
    /// `iat` of the access token, whole seconds.
    pub issued_at: i64,
    /// Fingerprint of the refresh token beside it, if there was one.
    pub refresh: Option<String>,
}

/// There is no room for another stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full;

/// Whose a stream is, and which.
#[derive(Debug)]
pub(super) struct Who {
    opened: Opened,
    token: TokenId,
    account: AccountId,
    /// The account's, when the token was made.
    revision: i64,
    request_id: String,
    route: String,
    cord: Cord,
    is_cut: AtomicBool,
    /// When its token's time is over, in milliseconds since the epoch.
    until: AtomicI64,
}

/// What both the register and its watch need.
struct Held {
    open: Mutex<HashMap<u64, Arc<Who>>>,
    /// Those that began since the last look: what was revoked between their check and their being held is old news.
    fresh: Mutex<Vec<Weak<Who>>>,
    next: AtomicU64,
    seats: AtomicUsize,
    /// Somebody asked about a stream in vain.
    is_unsure: AtomicBool,
    metrics: Arc<Metrics>,
    revocations: Arc<Revocations>,
    clock: Arc<dyn Clock>,
}

/// The streams that are open.
#[derive(Clone)]
pub(super) struct Streams(Arc<Held>);

/// One of them, as long as it lives.
pub(super) struct Open {
    place: Option<(u64, Arc<Who>, Arc<Held>)>,
    /// What is said of it when it is cut: the framework says nothing then.
    line: Option<Line>,
    _seat: Option<Seat>,
}

/// A stream's place among those that there is room for.
struct Seat {
    held: Arc<Held>,
    _counted: OpenStream,
}

impl Streams {
    /// None yet.
    pub(super) fn new(metrics: Arc<Metrics>, revocations: Arc<Revocations>, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Held {
            open: Mutex::default(),
            fresh: Mutex::default(),
            next: AtomicU64::new(0),
            seats: AtomicUsize::new(0),
            is_unsure: AtomicBool::new(false),
            metrics,
            revocations,
            clock,
        }))
    }

    /// A stream begins, in the request that this task serves; there is room for `most`. One that nobody is signed in to only
    /// takes its seat.
    ///
    /// # Errors
    /// [`Full`] when there is no room.
    pub(super) fn open(&self, who: Option<Who>, line: Line, most: usize) -> Result<Box<Open>, Full> {
        let seat = Seat::take(&self.0, most)?;
        Ok(Box::new(Open { place: who.map(|who| self.place(who)), line: Some(line), _seat: Some(seat) }))
    }

    /// A request turns out to be a long one. It needs no seat: its connection has one.
    pub(super) fn hold(&self, who: Option<Who>, line: Line) -> Box<Open> {
        Box::new(Open { place: who.map(|who| self.place(who)), line: Some(line), _seat: None })
    }

    /// Has the session ended that a request was let in with? Where nobody can say, no.
    pub(super) async fn is_over(&self, admitted: &Admitted) -> bool {
        let Some(claims) = admitted.claims() else { return false };
        let ids = Ids { token: &claims.jti, session: &claims.sid, account: &claims.sub, revision: claims.revision };
        matches!(self.0.revocations.ask(ids, self.0.clock.now()).await, Ok(Standing::Revoked))
    }

    fn place(&self, who: Who) -> (u64, Arc<Who>, Arc<Held>) {
        let (number, who) = (self.0.next.fetch_add(1, Ordering::Relaxed), Arc::new(who));
        self.0.lock().insert(number, Arc::clone(&who));
        self.0.fresh.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&who));
        (number, who, Arc::clone(&self.0))
    }
}

impl Held {
    /// Is it cut, now that it was asked about?
    async fn cuts(&self, who: &Who) -> bool {
        self.ask(who).await;
        who.is_cut.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<Who>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Who {
    /// Who was let in with a request of these headers, and its cord; nobody where nobody is signed in.
    pub(super) fn of(
        admitted: &Admitted,
        headers: &HeaderMap,
        cookies: &Cookies,
        request_id: &str,
        cord: impl FnOnce() -> Option<Cord>,
    ) -> Option<Self> {
        let claims = admitted.claims()?;
        let beside = || cookies.read(headers).ok().and_then(|carried| carried.refresh);
        let refresh = admitted.issued().map(|issued| issued.refresh.clone()).or_else(beside);
        Some(Self {
            opened: Opened {
                session: claims.sid.clone(),
                issued_at: claims.iat,
                refresh: refresh.map(|token| secret::fingerprint(token.expose())),
            },
            token: claims.jti.clone(),
            account: claims.sub.clone(),
            revision: claims.revision,
            request_id: request_id.to_owned(),
            route: admitted.route().name.clone(),
            cord: cord()?,
            is_cut: AtomicBool::new(false),
            until: AtomicI64::new(Timestamp::from_secs(claims.exp).as_millis()),
        })
    }
}

impl Open {
    /// Is it still signed in who has it? Asked now, and waited for; if not, it is cut. Where nobody can say, it stays, and is asked
    /// about again.
    pub(super) async fn is_over(&self) -> bool {
        match &self.place {
            Some((_, who, held)) => held.cuts(who).await,
            None => false,
        }
    }

    /// The same, for who cannot wait here.
    pub(super) fn ask(&self) -> Option<Asking> {
        let (_, who, held) = self.place.as_ref()?;
        let (who, held) = (Arc::clone(who), Arc::clone(held));
        Some(Asking::begin(async move { held.cuts(&who).await }))
    }

    /// A response has begun; the line says what.
    pub(super) fn line(&mut self) -> Option<&mut Line> {
        self.line.as_mut()
    }

    /// The framework ended it, and its line was written.
    pub(super) fn told(&mut self) {
        self.line = None;
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let mut is_cut = false;
        if let Some((number, who, held)) = &self.place {
            is_cut = who.is_cut.load(Ordering::Relaxed);
            held.lock().remove(number);
        }
        if let Some(line) = self.line.take() {
            line.write(is_cut);
        }
    }
}

impl Seat {
    fn take(held: &Arc<Held>, most: usize) -> Result<Self, Full> {
        let more = |taken: usize| (taken < most).then_some(taken.saturating_add(1));
        held.seats.fetch_update(Ordering::AcqRel, Ordering::Acquire, more).map_err(|_| Full)?;
        Ok(Self { held: Arc::clone(held), _counted: held.metrics.stream_opened() })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.held.seats.fetch_sub(1, Ordering::AcqRel);
    }
}
