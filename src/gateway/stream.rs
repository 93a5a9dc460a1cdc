//! Open streams (WebSocket, server-sent events) carry the session that they were opened with, and are cut when it is revoked.
//!
//! A request is checked once, and a stream lives for hours after. So each is held here by its session; a watch reads what was
//! revoked, asks again for those whom it may concern, and pulls their cord ([`super::cord`]).

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use super::cord::{Cord, cord};
use crate::admission::Admitted;
use crate::clock::Clock;
use crate::id::{AccountId, SessionId, TokenId};
use crate::revocation::news::{News, Reader};
use crate::revocation::{Ids, Revocations, Standing};
use crate::telemetry::{Metrics, OpenStream};

/// Between two looks at what was revoked.
const LOOK: Duration = Duration::from_millis(100);
/// Between two rounds of questions for every open stream, where the ledger cannot be read.
const ROUND: Duration = Duration::from_millis(500);

/// Whose a stream is, and which.
#[derive(Debug)]
struct Who {
    token: TokenId,
    session: SessionId,
    account: AccountId,
    issued_at: i64,
    request_id: String,
    route: String,
    cord: Cord,
    is_cut: AtomicBool,
}

/// What both the register and its watch need.
struct Held {
    open: Mutex<HashMap<u64, Arc<Who>>>,
    next: AtomicU64,
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
    place: Option<(u64, Arc<Held>)>,
    _counted: OpenStream,
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some((number, held)) = &self.place {
            held.lock().remove(number);
        }
    }
}

/// The task that cuts; it ends when this is dropped.
pub(super) struct Watch(JoinHandle<()>);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Streams {
    /// None yet.
    pub(super) fn new(metrics: Arc<Metrics>, revocations: Arc<Revocations>, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Held {
            open: Mutex::default(),
            next: AtomicU64::new(0),
            is_unsure: AtomicBool::new(false),
            metrics,
            revocations,
            clock,
        }))
    }

    /// Watch over them, in the runtime of the ledger's connections.
    pub(super) fn watch(&self, slow: &tokio::runtime::Handle) -> Watch {
        let held = Arc::clone(&self.0);
        Watch(slow.spawn(async move { held.keep_watch().await }))
    }

    /// A stream begins, on the connection that this task serves. One that nobody is signed in to is only counted.
    pub(super) fn open(&self, admitted: Option<&Admitted>, request_id: &str, slow: &tokio::runtime::Handle) -> Open {
        let counted = self.0.metrics.stream_opened();
        let Some(who) = admitted.and_then(|admitted| who(admitted, request_id)).map(Arc::new) else {
            return Open { place: None, _counted: counted };
        };
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        self.0.lock().insert(number, Arc::clone(&who));
        // What was revoked between its check and this moment is old news for the watch.
        let held = Arc::clone(&self.0);
        drop(slow.spawn(async move { held.ask(&who).await }));
        Open { place: Some((number, Arc::clone(&self.0))), _counted: counted }
    }
}

fn who(admitted: &Admitted, request_id: &str) -> Option<Who> {
    let claims = admitted.claims()?;
    let cord = cord()?;
    Some(Who {
        token: claims.jti.clone(),
        session: claims.sid.clone(),
        account: claims.sub.clone(),
        issued_at: claims.iat,
        request_id: request_id.to_owned(),
        route: admitted.route().name.clone(),
        cord,
        is_cut: AtomicBool::new(false),
    })
}

impl Held {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Arc<Who>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn keep_watch(&self) {
        let mut reader = Reader::default();
        let mut round: Option<Instant> = None;
        let mut is_due = false;
        loop {
            match self.revocations.news(&mut reader, self.clock.now()).await {
                News::Lines(entries) => {
                    let names: HashSet<&str> = entries.iter().map(|entry| entry.subject.name()).collect();
                    self.ask_where(|who| who.is_one_of(&names)).await;
                    // There may be more.
                    continue;
                }
                News::Anything => is_due = true,
                News::None => {}
            }
            is_due |= self.is_unsure.swap(false, Ordering::Relaxed);
            if is_due && round.is_none_or(|at| at.elapsed() >= ROUND) {
                (is_due, round) = (false, Some(Instant::now()));
                self.ask_where(|_| true).await;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn ask_where(&self, concerns: impl Fn(&Who) -> bool) {
        let some: Vec<Arc<Who>> = self.lock().values().filter(|who| concerns(who)).cloned().collect();
        for who in some {
            self.ask(&who).await;
        }
    }

    /// Cut it, if it is revoked. Where nobody can say, it stays, and the next round asks again.
    async fn ask(&self, who: &Who) {
        let ids = Ids { token: &who.token, session: &who.session, account: &who.account, issued_at: who.issued_at };
        let answer = self.revocations.ask(ids, self.clock.now()).await;
        if answer.is_err() {
            self.is_unsure.store(true, Ordering::Relaxed);
        }
        if matches!(answer, Ok(Standing::Revoked)) && !who.is_cut.swap(true, Ordering::Relaxed) {
            who.cord.pull();
            self.metrics.stream_cut();
            tracing::info!(
                request.id = who.request_id, session.id = %who.session, route.name = who.route,
                "a stream of session {} was cut: it is revoked", who.session
            );
        }
    }
}

impl Who {
    fn is_one_of(&self, names: &HashSet<&str>) -> bool {
        [self.token.as_str(), self.session.as_str(), self.account.as_str()].iter().any(|name| names.contains(name))
    }
}
