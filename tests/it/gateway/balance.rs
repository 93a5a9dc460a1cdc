//! Several addresses: who takes which request, how many at once, and what is sent again.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixListener;
use tokio::task::JoinSet;

use super::{Edge, get, public};
use crate::support::client::{Raw, Reply};
use crate::support::ports;
use crate::support::upstream::Upstream;
use crate::support::wait;

/// A public route with addresses as TOML writes them.
fn route(name: &str, upstream: &str, more: &str) -> String {
    format!("[[route]]\nname = \"{name}\"\nrequire = \"public\"\nupstream = {upstream}\n{more}\n")
}

async fn ask(edge: &Edge, method: &str, more: &str) -> Reply {
    Raw::exchange(edge.address(), format!("{method} / HTTP/1.1\r\nHost: a.example\r\n{more}\r\n")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn weights_decide_the_shares() {
    let (light, heavy) = (Upstream::start().await, Upstream::start().await);
    let upstream = format!("[\"{}\", {{ url = \"{}\", weight = 3 }}]", light.url(), heavy.url());
    let edge = Edge::start("", &route("app", &upstream, ""));

    for _ in 0..8 {
        assert_eq!(ask(&edge, "GET", "").await.status, 200);
    }

    assert_eq!((light.count(), heavy.count()), (2, 6));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_signed_in_stays_at_one_address_until_it_is_lost() {
    let mut apps = vec![Upstream::start().await, Upstream::start().await, Upstream::start().await];
    let urls: Vec<_> = apps.iter().map(Upstream::url).collect();
    let routes = route("app", &format!("{urls:?}"), "balance = \"consistent\"");
    let edge = Edge::start("trusted_proxies = [\"127.0.0.0/8\"]", &routes);
    let homes = async |apps: &[Upstream]| {
        let mut homes = BTreeMap::new();
        for place in 0..24 {
            let before: Vec<_> = apps.iter().map(Upstream::count).collect();
            assert_eq!(ask(&edge, "GET", &format!("X-Forwarded-For: 192.0.2.{place}\r\n")).await.status, 200);
            let home = apps.iter().zip(before).find(|(app, before)| app.count() > *before).unwrap().0.address();
            homes.insert(place, home);
        }
        homes
    };

    let first = homes(&apps).await;
    let second = homes(&apps).await;
    let lost = apps.pop().unwrap().address();
    let third = homes(&apps).await;

    assert_eq!(first, second);
    assert!(first.values().filter(|home| **home == lost).count() > 0, "{first:?}");
    for (place, home) in first {
        assert!(third[&place] == home || home == lost, "{place} has moved from {home}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_the_route_may_have_wait_and_are_told_when_to_come_back() {
    let (app, other) = (Upstream::start().await, Upstream::start().await);
    let routes = public("app", &[&app.url()], "host = \"app.example\"\nmax_connections = 2") + &public("other", &[&other.url()], "");
    let edge = Edge::start("", &routes);
    let mut held = Vec::new();
    for _ in 0..2 {
        app.silence_next();
        let mut raw = Raw::connect(edge.address()).await;
        raw.send(get("")).await;
        held.push(raw);
    }
    app.wait_for_count(2).await;

    let busy = Raw::exchange(edge.address(), get("")).await;
    let elsewhere = Raw::exchange(edge.address(), "GET / HTTP/1.1\r\nHost: b.example\r\n\r\n").await;
    let mut waiting = Raw::connect(edge.address()).await;
    waiting.send(get("")).await;
    held.pop();
    let served = waiting.reply().await.unwrap();

    assert_eq!((busy.status, busy.json()["code"].as_str()), (503, Some("upstream_busy")));
    assert!(busy.header("Retry-After").is_some());
    assert_eq!((elsewhere.status, served.status), (200, 200));
    assert_eq!(app.count(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_idempotent_is_sent_again_and_nothing_else() {
    let (one, two) = (Upstream::start().await, Upstream::start().await);
    let edge = Edge::start("", &public("app", &[&one.url(), &two.url()], ""));

    one.hang_up_next();
    let again = ask(&edge, "PUT", "Content-Length: 0\r\n").await;
    assert_eq!((again.status, one.count(), two.count()), (200, 1, 1));
    // It is the first one's turn again: the second was taken for what had failed there.
    one.hang_up_next();
    two.hang_up_next();
    let before = one.count() + two.count();
    let once = ask(&edge, "POST", "Content-Length: 0\r\n").await;

    assert_eq!((once.status, one.count() + two.count() - before), (502, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_retries_nothing_is_sent_again_but_what_was_never_sent() {
    let app = Upstream::start().await;
    let dead = format!("http://{}", ports::free_address());
    let edge = Edge::start("", &public("app", &[&dead, &app.url()], "retries = 0"));

    app.hang_up_next();
    let broken = ask(&edge, "GET", "").await;
    let posted = ask(&edge, "POST", "Content-Length: 0\r\n").await;

    assert_eq!((broken.status, posted.status, app.count()), (502, 200, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_at_a_socket_of_this_machine_is_reached() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.sock");
    let listener = UnixListener::bind(&path).unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = vec![0; 4096];
            let read = stream.read(&mut head).await.unwrap();
            let said =
                String::from_utf8_lossy(&head[..read]).lines().find(|line| line.to_lowercase().starts_with("host:")).unwrap().to_owned();
            stream.write_all(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{said}", said.len()).as_bytes()).await.unwrap();
        }
    });
    let url = format!("unix:{}", path.display());
    let edge = Edge::start("", &public("app", &[&url], "preserve_host = false"));

    let reply = ask(&edge, "GET", "").await;

    assert_eq!((reply.status, reply.text().to_lowercase().as_str()), (200, "host: localhost"));
    let metrics = edge.gateway.operator().get("/metrics").await.text();
    assert!(metrics.contains(&format!("doorward_upstream_up{{address=\"{url}\",route=\"app\"}} 1")), "{metrics}");
}

/// The median of so many requests.
async fn median(edge: &Edge, host: &str) -> Duration {
    let mut raw = Raw::connect(edge.address()).await;
    let mut spans = Vec::new();
    for _ in 0..101 {
        let begun = Instant::now();
        raw.send(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")).await;
        assert_eq!(raw.reply().await.unwrap().status, 200);
        spans.push(begun.elapsed());
    }
    spans.sort();
    spans[50]
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_hangs_takes_no_other_with_it() {
    const HANGING: usize = 300;
    let (hung, well) = (Upstream::start().await, Upstream::start().await);
    let routes = public("hung", &[&hung.url()], "host = \"hung.example\"") + &public("well", &[&well.url()], "host = \"well.example\"");
    let edge = Edge::start("", &routes);
    let before = median(&edge, "well.example").await;

    let mut requests = JoinSet::new();
    for _ in 0..HANGING {
        hung.silence_next();
        let address = edge.address();
        requests.spawn(async move {
            let mut raw = Raw::connect(address).await;
            raw.send("GET / HTTP/1.1\r\nHost: hung.example\r\n\r\n").await;
            raw
        });
    }
    let held = requests.join_all().await;
    hung.wait_for_count(HANGING).await;
    let during = median(&edge, "well.example").await;

    assert_eq!(held.len(), HANGING);
    assert!(during < before * 3 + Duration::from_millis(5), "{before:?} became {during:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_app_costs_idempotent_requests_nothing() {
    let apps = [Upstream::start().await, Upstream::start().await];
    let edge = Edge::start("", &public("app", &[&apps[0].url(), &apps[1].url()], ""));
    let [one, two] = apps;
    let mut raw = Raw::connect(edge.address()).await;

    let mut statuses = BTreeMap::<u16, usize>::new();
    let mut lost = Some(one);
    for place in 0..200 {
        if place == 100 {
            drop(lost.take());
        }
        raw.send(get("")).await;
        *statuses.entry(raw.reply().await.unwrap().status).or_default() += 1;
    }

    assert_eq!(statuses, BTreeMap::from([(200, 200)]));
    assert!(two.count() >= 150, "{}", two.count());
    wait::until_true("the log to say so once", Duration::from_secs(5), || {
        edge.gateway.log().matches("is out: its last requests failed").count() == 1
    });
}
