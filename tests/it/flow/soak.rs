//! A soak with chaos: people sign in and out, renew, open sockets, send nonsense, while Redis stops and is emptied, the app
//! hangs up and the configuration is reloaded. What the process holds must not grow: memory, descriptors, threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use super::place::{self, ACCESS, Place, Wants};
use crate::support::child::{self, Signal};
use crate::support::client::{Person, Raw};
use crate::support::redis::Redis;
use crate::support::wait;

const SOON: Duration = Duration::from_secs(30);
const LIMITS: &str = "codes_per_address = 1000000\ncodes_per_network = 1000000\nattempts_per_network = 1000000";
const UPGRADE: &str =
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

/// What a process holds.
#[derive(Clone, Copy, Debug)]
struct Held {
    /// Resident memory, KiB.
    memory: u64,
    descriptors: u64,
    threads: u64,
}

impl Held {
    fn by(pid: u32) -> Self {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it lives");
        let number = |key: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(key)).expect("a line");
            line.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
        };
        let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("it lives").count();
        Self { memory: number("VmRSS:"), descriptors: descriptors.try_into().unwrap(), threads: number("Threads:") }
    }
}

/// What the crowd has done.
#[derive(Debug, Default)]
struct Done {
    is_over: AtomicBool,
    requests: AtomicU64,
    sign_ins: AtomicU64,
    sockets: AtomicU64,
    heads: AtomicU64,
    chaos: AtomicU64,
}

impl Done {
    fn goes_on(&self) -> bool {
        !self.is_over.load(Ordering::SeqCst)
    }

    fn one(count: &AtomicU64) {
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// Signs in, asks for much, renews, signs out; again and again. Outages are borne: what is asked here is what stays behind.
async fn live(place: Arc<Place>, done: Arc<Done>, name: usize) {
    while done.goes_on() {
        let email = format!("person{name}@example.com");
        let person = place.person();
        if place::ask(&person, &email).await.status != 200 {
            continue;
        }
        let look = || async { place.mailbox.mails_to(&email).last().map(crate::support::smtp::Mail::code) };
        let code = wait::until_async("a code", SOON, look).await;
        if place::verify(&person, &email, &code).await.status != 200 {
            // The mail before it was the last one that had come.
            continue;
        }
        Done::one(&done.sign_ins);
        for number in 0..200 {
            person.get(if number % 20 == 0 { "/open/page" } else { "/page" }).await;
            Done::one(&done.requests);
        }
        person.post("/auth/refresh", &json!({})).await;
        hold_a_socket(&place, &person, &done).await;
        person.post("/auth/logout?scope=local", &json!({})).await;
    }
}

/// A socket that is open when its session ends.
async fn hold_a_socket(place: &Place, person: &Person, done: &Done) {
    let Some(token) = person.cookie(ACCESS) else { return };
    let mut raw = Raw::connect(place.gateway.public()).await;
    raw.send(format!("GET /live HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\n{UPGRADE}\r\n", place.gateway.public())).await;
    if raw.reply_head().await.is_none_or(|head| head.status != 101) {
        return;
    }
    Done::one(&done.sockets);
    person.post("/auth/logout?scope=local", &json!({})).await;
    raw.is_closed_within(Duration::from_secs(2)).await;
}

/// Heads that are none, and tokens that are nobody's.
async fn offend(place: Arc<Place>, done: Arc<Done>) {
    let address = place.gateway.public();
    while done.goes_on() {
        for bytes in [
            "GET / HTTP/1.1\r\n\r\n",
            "NONSENSE\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        ] {
            let mut raw = Raw::connect(address).await;
            raw.send(bytes).await;
            drop(raw.reply().await);
            Done::one(&done.heads);
        }
        let mut raw = Raw::connect(address).await;
        for number in 0..50 {
            raw.send(format!("GET /page HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer nobody.{number}.nothing\r\n\r\n")).await;
            if raw.reply().await.is_none() {
                break;
            }
            Done::one(&done.requests);
        }
    }
}

/// Redis stops, is emptied, comes back; the app hangs up; the configuration is read again.
fn disturb(redis: &mut Redis, place: &Place, done: &Done) {
    let pid = place.gateway.pid().to_string();
    while done.goes_on() {
        redis.flush();
        child::send(Signal::Hup, &pid);
        place.upstream.hang_up_next();
        wait::within(Duration::from_secs(1), || (!done.goes_on()).then_some(()));
        redis.stop(Signal::Kill);
        place.upstream.hang_up_next();
        wait::within(Duration::from_secs(1), || (!done.goes_on()).then_some(()));
        redis.start_again();
        wait::within(Duration::from_secs(2), || (!done.goes_on()).then_some(()));
        Done::one(&done.chaos);
    }
}

/// Soak for so long, and see that nothing has grown since a quarter of it.
async fn soak(span: Duration) {
    let mut redis = Redis::start();
    let sections = vec![("limits", LIMITS), ("telemetry", "log = \"off\"")];
    let place = Arc::new(Place::with(Wants { redis: Some(redis.url()), sections, ..Wants::default() }).await);
    let (done, pid, begun) = (Arc::new(Done::default()), place.gateway.pid(), Instant::now());
    let mut crowd = tokio::task::JoinSet::new();
    for name in 0..6 {
        crowd.spawn(live(Arc::clone(&place), Arc::clone(&done), name));
    }
    crowd.spawn(offend(Arc::clone(&place), Arc::clone(&done)));
    let (theirs, work) = (Arc::clone(&place), Arc::clone(&done));
    let chaos = tokio::task::spawn_blocking(move || disturb(&mut redis, &theirs, &work));

    let after = |share: u32| {
        let done = &done;
        async move {
            let look = || async { (begun.elapsed() >= span * share / 4).then(|| Held::by(pid)) };
            let held = wait::until_async("a share of the time", span + SOON, look).await;
            eprintln!("{:4} s: {held:?} {done:?}", begun.elapsed().as_secs());
            held
        }
    };
    let warm = after(1).await;
    after(2).await;
    after(3).await;
    let last = after(4).await;
    done.is_over.store(true, Ordering::SeqCst);
    while let Some(ended) = crowd.join_next().await {
        ended.unwrap();
    }
    chaos.await.unwrap();

    let quiet = wait::until_async("descriptors to be closed", Duration::from_secs(60), || async {
        let held = Held::by(pid);
        (held.descriptors <= warm.descriptors.min(last.descriptors)).then_some(held)
    })
    .await;
    eprintln!("at the end: {quiet:?}; {done:?}");
    assert!(done.requests.load(Ordering::SeqCst) > 1000 && done.sign_ins.load(Ordering::SeqCst) > 0, "{done:?}");
    assert!(done.sockets.load(Ordering::SeqCst) > 0 && done.chaos.load(Ordering::SeqCst) > 0, "{done:?}");
    // Caches fill up to their bounds, and the allocator keeps what it has.
    assert!(last.memory <= warm.memory + warm.memory / 4 + 8 * 1024, "memory grows: {warm:?}, then {last:?}");
    assert!(last.threads <= warm.threads + 4, "threads grow: {warm:?}, then {last:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_minute_of_chaos_leaves_nothing_behind() {
    soak(Duration::from_secs(60)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "ten minutes: `make soak`"]
async fn ten_minutes_of_chaos_leave_nothing_behind() {
    soak(Duration::from_secs(600)).await;
}
