//! Whose turn it is. Two transactions that change one document undo one another, and the later one has to begin again: on one
//! node they wait in a lane instead. Between nodes they are tried again.

use std::hash::{BuildHasher as _, RandomState};

use tokio::sync::{Semaphore, SemaphorePermit};

use super::fault::Fault;

/// So many that strangers rarely meet in one.
const LANES: usize = 64;

/// The lanes, and how many transactions there may be in all.
#[derive(Debug)]
pub(super) struct Queue {
    lanes: Vec<Semaphore>,
    hasher: RandomState,
    places: Semaphore,
}

/// Leave to begin a transaction, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    _place: SemaphorePermit<'a>,
    _lane: SemaphorePermit<'a>,
}

impl Queue {
    /// A queue for so many at once.
    pub(super) fn new(places: u32) -> Self {
        let places = usize::try_from(places.max(1)).unwrap_or(Semaphore::MAX_PERMITS);
        let lanes = std::iter::repeat_with(|| Semaphore::new(1)).take(LANES).collect();
        Self { lanes, hasher: RandomState::new(), places: Semaphore::new(places) }
    }

    /// Wait for the turn of an act about `subject`. First the lane, then a place: who waits in a lane takes no place.
    pub(super) async fn turn(&self, subject: &str) -> Result<Turn<'_>, Fault> {
        let lane = self.lane(subject).ok_or(Fault::Closed)?.acquire().await.map_err(|_| Fault::Closed)?;
        let place = self.places.acquire().await.map_err(|_| Fault::Closed)?;
        Ok(Turn { _place: place, _lane: lane })
    }

    fn lane(&self, subject: &str) -> Option<&Semaphore> {
        let lanes = u64::try_from(self.lanes.len()).ok()?;
        let number = self.hasher.hash_one(subject).checked_rem(lanes)?;
        self.lanes.get(usize::try_from(number).ok()?)
    }
}
