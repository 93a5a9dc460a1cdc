//! Asks again about what is open: when something was revoked, when it has just begun, and when its token's time is over.
//!
//! Three tasks, so that none waits for another: a database that hangs keeps the news, and what has just begun is asked about
//! all the same, where an index can answer.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

use super::{Held, Streams, Who};
use crate::gateway::live::Swap;
use crate::revocation::news::{News, Reader};
use crate::revocation::{Ids, Standing};

/// Between two looks at what was revoked, and at what has begun.
pub(in crate::gateway) const LOOK: Duration = Duration::from_millis(100);
/// Between two rounds of questions for every open stream, where the ledger cannot be read.
const ROUND: Duration = Duration::from_millis(500);
/// Between two looks for tokens whose time is over.
const ENDS: Duration = Duration::from_secs(1);
/// Questions at once.
const AT_ONCE: usize = 32;

/// The tasks that cut; they end when this is dropped.
pub(in crate::gateway) struct Watch([JoinHandle<()>; 3]);

impl Drop for Watch {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}

/// Why a stream is cut.
#[derive(Debug, Clone, Copy)]
enum Why {
    Revoked,
    Outdated,
    Expired,
}

impl Why {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Revoked => "it is revoked",
            Self::Outdated => "the account was changed",
            Self::Expired => "its token's time is over and it was not renewed",
        }
    }
}

impl Streams {
    /// Watch over them, in the runtime of the ledger's connections. `swap` has what knows how long sessions last.
    pub(in crate::gateway) fn watch(&self, slow: &Handle, swap: &Swap) -> Watch {
        let (hears, greets, ends) = (Arc::clone(&self.0), Arc::clone(&self.0), Arc::clone(&self.0));
        let swap = swap.clone();
        Watch([
            slow.spawn(async move { hears.hear().await }),
            slow.spawn(async move { greets.greet().await }),
            slow.spawn(async move { ends.end(&swap).await }),
        ])
    }
}

impl Held {
    /// Ask about those whom the ledger's new lines may concern.
    async fn hear(self: &Arc<Self>) {
        let mut reader = Reader::default();
        let mut round: Option<Instant> = None;
        let mut is_due = false;
        loop {
            match self.revocations.news(&mut reader, self.clock.now()).await {
                News::Lines(entries) => {
                    let names: HashSet<&str> = entries.iter().map(|entry| entry.subject.name()).collect();
                    self.ask_all(self.some(|who| who.is_one_of(&names))).await;
                    // There may be more.
                    continue;
                }
                News::Anything => is_due = true,
                News::None => {}
            }
            is_due |= self.is_unsure.swap(false, Ordering::Relaxed);
            if is_due && round.is_none_or(|at| at.elapsed() >= ROUND) {
                (is_due, round) = (false, Some(Instant::now()));
                self.ask_all(self.some(|_| true)).await;
            }
            sleep(LOOK).await;
        }
    }

    /// Ask about those that have just begun. What is over by then, as most calls of gRPC are, is not asked about.
    async fn greet(self: &Arc<Self>) {
        loop {
            sleep(LOOK).await;
            let fresh = std::mem::take(&mut *self.fresh.lock().unwrap_or_else(PoisonError::into_inner));
            self.ask_all(fresh.iter().filter_map(Weak::upgrade).collect()).await;
        }
    }

    /// Ask how long the sessions last whose token's time is over.
    async fn end(self: &Arc<Self>, swap: &Swap) {
        loop {
            sleep(ENDS).await;
            let now = self.clock.now().as_millis();
            let over = self.some(|who| who.until.load(Ordering::Relaxed) <= now);
            for some in over.chunks(AT_ONCE) {
                let mut asking = JoinSet::new();
                for who in some {
                    let (held, who, swap) = (Arc::clone(self), Arc::clone(who), swap.clone());
                    asking.spawn(async move { held.prolong(&who, &swap).await });
                }
                asking.join_all().await;
            }
        }
    }

    fn some(&self, concerns: impl Fn(&Who) -> bool) -> Vec<Arc<Who>> {
        self.lock().values().filter(|who| concerns(who)).cloned().collect()
    }

    async fn ask_all(self: &Arc<Self>, all: Vec<Arc<Who>>) {
        for some in all.chunks(AT_ONCE) {
            let mut asking = JoinSet::new();
            for who in some {
                let (held, who) = (Arc::clone(self), Arc::clone(who));
                asking.spawn(async move { held.ask(&who).await });
            }
            asking.join_all().await;
        }
    }

    /// Cut it, if it is revoked. Where nobody can say, it stays, and the next round asks again.
    pub(super) async fn ask(&self, who: &Who) {
        let opened = &who.opened;
        let ids = Ids { token: &who.token, session: &opened.session, account: &who.account, revision: who.revision };
        match self.revocations.ask(ids, self.clock.now()).await {
            Ok(Standing::Good) => {}
            // Whoever opened it may not get in again as the account is now. If they may, they come back with a new token.
            Ok(Standing::Outdated) => self.cut(who, Why::Outdated),
            Ok(Standing::Revoked) => self.cut(who, Why::Revoked),
            Err(_) => self.is_unsure.store(true, Ordering::Relaxed),
        }
    }

    /// Its token's time is over: it lives on as long as its session does. Where nobody can say, it stays, and is asked about
    /// again.
    async fn prolong(&self, who: &Who, swap: &Swap) {
        let lasting = Arc::clone(&swap.current().lasting);
        match lasting.lasts(&who.opened, self.clock.now()).await {
            Ok(Some(until)) => who.until.store(until.as_millis(), Ordering::Relaxed),
            Ok(None) => self.cut(who, Why::Expired),
            Err(outage) => tracing::debug!("It could not be asked how long session {} lasts: {outage}.", who.opened.session),
        }
    }

    fn cut(&self, who: &Who, why: Why) {
        if who.is_cut.swap(true, Ordering::Relaxed) {
            return;
        }
        who.cord.pull();
        self.metrics.stream_cut();
        tracing::info!(
            request.id = who.request_id, session.id = %who.opened.session, route.name = who.route,
            "a stream of session {} was cut: {}", who.opened.session, why.as_str()
        );
    }
}

impl Who {
    fn is_one_of(&self, names: &HashSet<&str>) -> bool {
        [self.token.as_str(), self.opened.session.as_str(), self.account.as_str()].iter().any(|name| names.contains(name))
    }
}
