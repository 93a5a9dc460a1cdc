use std::collections::{BTreeMap, HashSet};
use std::io;
use std::net::SocketAddr;

use async_trait::async_trait;
use pingora::protocols::ALPN;
use serde_json::{Value, json};

use super::names::{Look, Resolve};
use super::*;
use crate::admission::{RouteSettings, Table};

/// An upstream as it is written, and its name and addresses filled in where they do not matter.
fn upstream_after(mut route: Value, before: Option<&Upstream>) -> Upstream {
    let object = route.as_object_mut().unwrap();
    object.entry("name").or_insert(json!("wiki"));
    let route: RouteSettings = serde_json::from_value(route).unwrap();
    let trusts = Trusts::read(std::slice::from_ref(&route)).unwrap();
    let table = Table::new(&[route], "/auth").unwrap();
    let metrics = before.map_or_else(|| Arc::new(Metrics::new().unwrap()), |before| Arc::clone(&before.metrics));
    Upstream::new(table.iter().next().unwrap(), &trusts, &metrics, before)
}

fn upstream(route: Value) -> Upstream {
    upstream_after(route, None)
}

fn three() -> Value {
    json!(["http://127.0.0.1:3000", "http://127.0.0.2:3000", "http://127.0.0.3:3000"])
}

async fn next(upstream: &Upstream) -> Attempt {
    upstream.choose(|| 0, &[]).await.unwrap()
}

/// How many of so many requests go where.
async fn shares(upstream: &Upstream, requests: u64) -> BTreeMap<String, usize> {
    let mut shares = BTreeMap::new();
    for whose in 0..requests {
        let attempt = upstream.choose(|| number(&whose.to_be_bytes()), &[]).await.unwrap();
        *shares.entry(attempt.endpoint.label.to_string()).or_default() += 1;
    }
    shares
}

/// What the metric says of an address.
fn shown(upstream: &Upstream, address: &str) -> Option<i64> {
    let line = format!("doorward_upstream_up{{address=\"{address}\",route=\"wiki\"}} ");
    upstream.metrics.render().lines().find_map(|found| found.strip_prefix(&line)?.parse().ok())
}

fn fail(upstream: &Upstream, address: &str, times: usize) {
    for _ in 0..times {
        let mut attempt = at(upstream, address);
        upstream.failed(&mut attempt, Failure::Connect);
    }
}

fn at(upstream: &Upstream, address: &str) -> Attempt {
    let roster = upstream.roster();
    Attempt::anyway(roster.endpoints.iter().find(|endpoint| &*endpoint.label == address).unwrap())
}

#[tokio::test]
async fn requests_take_turns_by_weight_and_spread_out() {
    let weighed =
        upstream(json!({ "upstream": ["http://127.0.0.1:1", { "url": "http://127.0.0.2:1", "weight": 3 }, "unix:/run/app.sock"] }));
    let mut order = Vec::new();
    for _ in 0..5 {
        order.push(next(&weighed).await.endpoint.label.to_string());
    }
    assert_eq!(order, ["127.0.0.2:1", "127.0.0.1:1", "127.0.0.2:1", "unix:/run/app.sock", "127.0.0.2:1"]);
}

#[tokio::test]
async fn the_tried_are_passed_over_until_there_is_nobody() {
    let upstream = upstream(json!({ "upstream": three() }));
    let mut tried = Vec::new();
    for _ in 0..3 {
        tried.push(Arc::clone(&upstream.choose(|| 0, &tried).await.unwrap().endpoint));
    }
    assert_eq!(tried.iter().map(|endpoint| &endpoint.label).collect::<HashSet<_>>().len(), 3);
    assert!(!upstream.has_another(&tried));
    assert_eq!(upstream.choose(|| 0, &tried).await.err(), Some(Nowhere::Exhausted));
}

#[tokio::test]
async fn a_session_has_a_home_and_only_that_of_a_lost_address_moves() {
    let settings = json!({ "balance": "consistent", "upstream": three() });
    let (before, again) = (upstream(settings.clone()), upstream(settings));
    let home = async |upstream: &Upstream, whose: u64| {
        upstream.choose(|| number(&whose.to_be_bytes()), &[]).await.unwrap().endpoint.label.to_string()
    };
    fail(&again, "127.0.0.2:3000", 3);
    let mut homes = BTreeMap::<String, usize>::new();
    for whose in 0..3000 {
        let (one, other) = (home(&before, whose).await, home(&again, whose).await);
        assert_ne!(other, "127.0.0.2:3000");
        assert!(one == other || one == "127.0.0.2:3000", "{one} became {other}");
        *homes.entry(one).or_default() += 1;
    }
    assert!(homes.values().all(|count| (850..1150).contains(count)), "{homes:?}");
}

#[tokio::test]
async fn a_heavier_address_is_the_home_of_more() {
    let upstream =
        upstream(json!({ "balance": "consistent", "upstream": ["http://127.0.0.1:1", { "url": "http://127.0.0.2:1", "weight": 3 }] }));
    let shares = shares(&upstream, 4000).await;
    assert!((2800..3200).contains(&shares["127.0.0.2:1"]), "{shares:?}");
}

#[tokio::test]
async fn three_failures_in_a_row_take_an_address_out_and_one_success_brings_it_back() {
    let upstream = upstream(json!({ "upstream": three() }));
    let lame = "127.0.0.1:3000";
    assert_eq!(shown(&upstream, lame), Some(1), "before anybody asks");

    fail(&upstream, lame, 2);
    upstream.succeeded(&mut at(&upstream, lame));
    fail(&upstream, lame, 2);
    assert!(shares(&upstream, 9).await.contains_key(lame), "a success in between");
    assert_eq!(shown(&upstream, lame), Some(0));

    fail(&upstream, lame, 1);
    assert_eq!(shares(&upstream, 8).await, BTreeMap::from([("127.0.0.2:3000".to_owned(), 4), ("127.0.0.3:3000".to_owned(), 4)]));

    upstream.succeeded(&mut at(&upstream, lame));
    assert!(shares(&upstream, 9).await.contains_key(lame));
    assert_eq!(shown(&upstream, lame), Some(1));
}

#[tokio::test]
async fn where_all_are_out_all_are_tried() {
    let upstream = upstream(json!({ "upstream": three() }));
    for address in ["127.0.0.1:3000", "127.0.0.2:3000", "127.0.0.3:3000"] {
        fail(&upstream, address, 5);
    }
    assert_eq!(shares(&upstream, 9).await.len(), 3);
}

#[tokio::test]
async fn who_was_out_is_on_trial_and_out_for_longer_when_that_fails() {
    let upstream = upstream(json!({ "upstream": three() }));
    let lame = "127.0.0.1:3000";
    fail(&upstream, lame, 3);
    let health = Arc::clone(&at(&upstream, lame).endpoint.health);
    let mut spans = Vec::new();
    for _ in 0..7 {
        let now = Instant::now();
        let until = health.due(None, now).unwrap();
        spans.push((until - now).as_secs_f64().round());
        assert!(!health.wake(until.checked_sub(Duration::from_millis(1)).unwrap()) && health.wake(until));
        upstream.refresh();

        let mut taken: Vec<Attempt> = Vec::new();
        for _ in 0..6 {
            taken.push(next(&upstream).await);
        }
        assert_eq!(taken.iter().filter(|attempt| &*attempt.endpoint.label == lame).count(), 1, "one at a time");
        let trial = taken.iter_mut().find(|attempt| &*attempt.endpoint.label == lame).unwrap();
        upstream.failed(trial, Failure::Answer);
    }
    assert_eq!(spans, [2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]);
}

#[tokio::test]
async fn a_trial_that_nobody_saw_the_end_of_is_free_again() {
    let upstream = upstream(json!({ "upstream": three() }));
    fail(&upstream, "127.0.0.1:3000", 3);
    let health = Arc::clone(&at(&upstream, "127.0.0.1:3000").endpoint.health);
    assert!(health.wake(Instant::now() + Duration::from_secs(3)));
    upstream.refresh();
    for _ in 0..2 {
        let mut taken = Vec::new();
        for _ in 0..3 {
            taken.push(next(&upstream).await.endpoint.label.to_string());
        }
        assert!(taken.contains(&"127.0.0.1:3000".to_owned()));
    }
}

#[tokio::test]
async fn checks_take_out_and_bring_back_by_their_own_counts() {
    let upstream = upstream(json!({ "upstream": three(), "health": {} }));
    let endpoint = Arc::clone(&at(&upstream, "127.0.0.1:3000").endpoint);
    let say = |is_good, needed| {
        let changed = endpoint.health.answered(&upstream.metrics, is_good, needed, Instant::now());
        upstream.refresh();
        changed
    };
    assert!(!say(true, 2) && shown(&upstream, "127.0.0.1:3000") == Some(1));
    assert!(!say(false, 3) && !say(false, 3) && !say(true, 2) && !say(false, 3) && !say(false, 3), "not in a row");
    assert!(say(false, 3));
    assert_eq!(shown(&upstream, "127.0.0.1:3000"), Some(0));
    assert_eq!(shares(&upstream, 8).await.len(), 2);
    assert!(!say(true, 2) && say(true, 2));
    assert_eq!(shown(&upstream, "127.0.0.1:3000"), Some(1));
    assert_eq!(shares(&upstream, 9).await.len(), 3);
}

#[tokio::test]
async fn who_comes_back_starts_with_a_tenth() {
    let upstream = upstream(json!({ "upstream": ["http://127.0.0.1:1", "http://127.0.0.2:1"], "slow_start": "30s" }));
    fail(&upstream, "127.0.0.1:1", 3);
    upstream.succeeded(&mut at(&upstream, "127.0.0.1:1"));
    let shares_now = shares(&upstream, 110).await;
    assert_eq!(shares_now["127.0.0.1:1"], 10);

    let roster = upstream.roster();
    let later = |seconds| Pool::new(&roster.endpoints, Some(Duration::from_secs(30)), Instant::now() + Duration::from_secs(seconds));
    let count = |pool: &Pool| (0..150).filter(|turn| &*pool.next(*turn, &[]).unwrap().endpoint.label == "127.0.0.1:1").count();
    assert_eq!((count(&later(16)), count(&later(31))), (50, 75));
}

#[tokio::test]
async fn a_new_configuration_knows_what_the_old_one_knew() {
    let before = upstream(json!({ "upstream": three(), "max_connections": 1 }));
    fail(&before, "127.0.0.1:3000", 3);
    fail(&before, "127.0.0.3:3000", 3);
    let held = before.enter().await.unwrap();
    assert!(held.is_some());

    let route = json!({ "upstream": ["http://127.0.0.1:3000", "http://127.0.0.2:3000"], "max_connections": 1 });
    let after = upstream_after(route, Some(&before));
    before.retire(Some(&after));

    assert_eq!(shares(&after, 4).await, BTreeMap::from([("127.0.0.2:3000".to_owned(), 4)]));
    assert_eq!((shown(&after, "127.0.0.1:3000"), shown(&after, "127.0.0.3:3000")), (Some(0), None));
    fail(&before, "127.0.0.3:3000", 1);
    assert_eq!(shown(&after, "127.0.0.3:3000"), None, "a request that is under way says nothing of who is gone");
    assert_eq!(after.enter().await.err(), Some(Nowhere::Busy));
    drop(held);
    assert!(after.enter().await.unwrap().is_some());
}

/// Says what it is told to say.
struct Told(Mutex<io::Result<Vec<SocketAddr>>>);

#[async_trait]
impl Resolve for Told {
    async fn resolve(&self, _host: &str, _port: u16) -> io::Result<Vec<SocketAddr>> {
        std::mem::replace(&mut *self.0.lock().unwrap(), Err(io::Error::other("nobody says")))
    }
}

fn told(addresses: &[&str]) -> Told {
    Told(Mutex::new(Ok(addresses.iter().map(|address| address.parse().unwrap()).collect())))
}

#[tokio::test]
async fn all_addresses_of_a_name_are_used_and_kept_when_nobody_says_more() {
    let upstream = upstream(json!({ "upstream": ["http://wiki.internal:3000"], "connect_timeout": "10ms" }));
    let name = &upstream.names.all()[0].clone();
    assert_eq!(upstream.choose(|| 0, &[]).await.err(), Some(Nowhere::NoAddress));

    let look = upstream.names.look_up(name, &told(&["10.0.0.2:3000", "10.0.0.1:3000", "10.0.0.2:3000"])).await.unwrap();
    upstream.enrol();
    assert_eq!((look, shares(&upstream, 4).await.len()), (Look::Changed, 2));
    assert_eq!(&*next(&upstream).await.endpoint.authority, "wiki.internal:3000");
    let kept = Arc::clone(&at(&upstream, "10.0.0.1:3000").endpoint);

    assert_eq!(upstream.names.look_up(name, &told(&["10.0.0.1:3000", "10.0.0.2:3000"])).await.unwrap(), Look::Same);
    assert!(upstream.names.look_up(name, &told(&[])).await.is_err());
    assert!(upstream.names.look_up(name, &Told(Mutex::new(Err(io::Error::other("out"))))).await.is_err());
    assert_eq!(shares(&upstream, 4).await.len(), 2);

    upstream.names.look_up(name, &told(&["10.0.0.1:3000", "10.0.0.3:3000"])).await.unwrap();
    fail(&upstream, "10.0.0.2:3000", 1);
    upstream.enrol();
    assert_eq!(shares(&upstream, 4).await.into_keys().collect::<Vec<_>>(), ["10.0.0.1:3000", "10.0.0.3:3000"]);
    assert!(Arc::ptr_eq(&kept, &at(&upstream, "10.0.0.1:3000").endpoint), "who stays is the same");
    assert_eq!(shown(&upstream, "10.0.0.2:3000"), None);

    let route = json!({ "upstream": ["http://wiki.internal:3000", "http://127.0.0.1:1"] });
    assert_eq!(shares(&upstream_after(route, Some(&upstream)), 6).await.len(), 3, "a new configuration waits for nobody");
}

#[test]
fn a_connection_is_what_its_request_needs() {
    let upstream =
        upstream(json!({ "upstream": ["https://127.0.0.1:1", "h2c://127.0.0.2:1", "http://127.0.0.3:1"], "read_timeout": "7s" }));
    let over_tls = upstream_after(json!({ "upstream": ["https://127.0.0.1:1"], "http2": true }), None);
    let (plain, grpc) = (Manner::default(), Manner { is_patient: true, is_grpc: true, ..Manner::default() });
    let tunnel = Manner { is_patient: true, is_upgrade: true, ..Manner::default() };
    let alpn = |upstream: &Upstream, address, manner| at(upstream, address).endpoint.peer(manner).options.alpn;
    for (manner, https, http2) in [(plain, ALPN::H1, ALPN::H2H1), (grpc, ALPN::H2, ALPN::H2), (tunnel, ALPN::H1, ALPN::H1)] {
        assert_eq!(alpn(&upstream, "127.0.0.1:1", manner), https);
        assert_eq!(alpn(&over_tls, "127.0.0.1:1", manner), http2);
        assert_eq!(alpn(&upstream, "127.0.0.2:1", manner), ALPN::H2);
        assert_eq!(alpn(&upstream, "127.0.0.3:1", manner), ALPN::H1);
    }
    let endpoint = at(&upstream, "127.0.0.1:1");
    assert_eq!(endpoint.endpoint.peer(plain).options.read_timeout, Some(Duration::from_secs(7)));
    assert_eq!(endpoint.endpoint.peer(tunnel).options.read_timeout, None);
    assert_eq!(endpoint.endpoint.peer(plain).sni, "127.0.0.1");
    assert!(endpoint.endpoint.peer(plain).options.verify_cert && endpoint.endpoint.peer(plain).options.verify_hostname);
}

#[test]
fn routes_share_no_connection() {
    use pingora::upstreams::peer::Peer as _;
    let one = upstream(json!({ "name": "one", "upstream": ["http://127.0.0.1:1"] }));
    let other = upstream(json!({ "name": "other", "upstream": ["http://127.0.0.1:1"] }));
    let hash = |upstream: &Upstream| at(upstream, "127.0.0.1:1").endpoint.peer(Manner::default()).reuse_hash();
    assert_ne!(hash(&one), hash(&other));
    assert_eq!(hash(&one), hash(&upstream_after(json!({ "name": "one", "upstream": ["http://127.0.0.1:1"] }), Some(&one))));
}
