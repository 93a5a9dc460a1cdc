//! Connections to apps that wait for their next request. Each worker has its own: none is handed from one thread to another, and
//! no request waits for a lock.
//!
//! The one that was used last is taken first, so that those of a rush are soon old, and closed.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::line::Line;
use crate::gateway::upstream::{Endpoint, KEPT_FOR};

/// Those of one address that wait in one worker, at most.
const MOST: usize = 128;
/// Between two looks for old ones.
const SWEEP: Duration = Duration::from_secs(1);

/// One that waits.
struct Idle {
    line: Line,
    since: Instant,
}

thread_local! {
    static IDLE: RefCell<HashMap<u64, Vec<Idle>>> = RefCell::new(HashMap::new());
    /// Somebody looks for old ones.
    static IS_SWEPT: Cell<bool> = const { Cell::new(false) };
}

/// One to this address that has been idle for less than `most`, if there is any that can be used.
pub(super) fn take(endpoint: &Endpoint, most: Duration) -> Option<Line> {
    let newest = || IDLE.try_with(|idle| idle.borrow_mut().get_mut(&endpoint.id)?.pop_if(|one| one.since.elapsed() < most)).ok().flatten();
    loop {
        let Idle { line, .. } = newest()?;
        if line.is_quiet() {
            return Some(line);
        }
    }
}

/// Keep it for the next request.
pub(super) fn keep(endpoint: &Endpoint, mut line: Line) {
    line.rest();
    let put = |idle: &RefCell<HashMap<u64, Vec<Idle>>>| {
        let mut idle = idle.borrow_mut();
        let lines = idle.entry(endpoint.id).or_default();
        lines.push(Idle { line, since: Instant::now() });
        (lines.len() > MOST).then(|| lines.remove(0))
    };
    // A thread that ends keeps nothing.
    drop(IDLE.try_with(put));
    if !IS_SWEPT.try_with(|is_swept| is_swept.replace(true)).unwrap_or(true) {
        drop(tokio::spawn(sweep()));
    }
}

/// Close what is old, until nothing is left.
async fn sweep() {
    let _done = Done;
    loop {
        tokio::time::sleep(SWEEP).await;
        let is_over = IDLE.try_with(|idle| {
            let mut idle = idle.borrow_mut();
            idle.retain(|_, lines| {
                lines.retain(|one| one.since.elapsed() < KEPT_FOR && one.line.is_quiet());
                !lines.is_empty()
            });
            idle.is_empty()
        });
        if is_over.unwrap_or(true) {
            return;
        }
    }
}

/// Whoever swept has left; a runtime that ends may have cut it short.
struct Done;

impl Drop for Done {
    fn drop(&mut self) {
        // Where the thread ends, too, nobody asks.
        IS_SWEPT.try_with(|is_swept| is_swept.set(false)).unwrap_or_default();
    }
}
