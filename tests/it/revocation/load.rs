//! Requests without a pause, in workers as the proxy has them: threads with a runtime each.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use doorward::clock::{Clock, SystemClock};
use doorward::revocation::{Revocations, Standing};

use super::node::{Node, Person};

const WORKERS: usize = 2;
const REQUESTS_AT_ONCE: usize = 8;

/// What was seen.
#[derive(Debug, Default, Clone, Copy)]
pub struct Seen {
    pub good: u64,
    pub revoked: u64,
    pub outages: u64,
    pub slow: u64,
    pub slowest: Duration,
}

impl Seen {
    fn and(self, other: Self) -> Self {
        Self {
            good: self.good + other.good,
            revoked: self.revoked + other.revoked,
            outages: self.outages + other.outages,
            slow: self.slow + other.slow,
            slowest: self.slowest.max(other.slowest),
        }
    }

    fn add(&mut self, answer: Option<Standing>, took: Duration) {
        match answer {
            Some(Standing::Good) => self.good += 1,
            Some(Standing::Revoked | Standing::Outdated) => self.revoked += 1,
            None => self.outages += 1,
        }
        self.slow += u64::from(took >= Duration::from_millis(90));
        self.slowest = self.slowest.max(took);
    }

    pub fn all(&self) -> u64 {
        self.good + self.revoked + self.outages
    }
}

/// Asks for one person until it is stopped.
pub struct Load {
    stop: Arc<AtomicBool>,
    workers: Vec<JoinHandle<Seen>>,
}

impl Load {
    pub fn of(node: &Node, person: &Person) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let workers = (0..WORKERS).map(|_| worker(Arc::clone(&node.revocations), person.clone(), Arc::clone(&stop))).collect();
        Self { stop, workers }
    }

    pub fn stop(self) -> Seen {
        self.stop.store(true, Ordering::SeqCst);
        self.workers.into_iter().map(|worker| worker.join().unwrap()).fold(Seen::default(), Seen::and)
    }
}

fn worker(revocations: Arc<Revocations>, person: Person, stop: Arc<AtomicBool>) -> JoinHandle<Seen> {
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let requests: Vec<_> = (0..REQUESTS_AT_ONCE)
                .map(|_| tokio::spawn(requests(Arc::clone(&revocations), person.clone(), Arc::clone(&stop))))
                .collect();
            let mut seen = Seen::default();
            for request in requests {
                seen = seen.and(request.await.unwrap());
            }
            seen
        })
    })
}

async fn requests(revocations: Arc<Revocations>, person: Person, stop: Arc<AtomicBool>) -> Seen {
    let mut seen = Seen::default();
    while !stop.load(Ordering::SeqCst) {
        let began = Instant::now();
        let answer = revocations.ask(person.ids(), SystemClock.now()).await;
        seen.add(answer.ok(), began.elapsed());
        tokio::task::yield_now().await;
    }
    seen
}
