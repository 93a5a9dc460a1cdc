//! How the process starts and leaves: an address that is taken is said, and what is in flight finishes.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use super::{Edge, configuration, get, public};
use crate::support::child::Signal;
use crate::support::client::Raw;
use crate::support::gateway::{self, Place};
use crate::support::upstream::Upstream;
use crate::support::{folder, ports, wait};

#[test]
fn a_taken_address_is_one_clear_error() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = folder::new("taken");
    let place = Place { public: taken.local_addr().unwrap(), admin: ports::free_address(), folder: folder.path().to_owned() };
    let file = folder.path().join("doorward.toml");
    std::fs::write(&file, configuration(&place, "", &public("app", &["http://127.0.0.1:1"], ""))).unwrap();

    let (code, _, complaint) = gateway::command(&["serve", "--config", &file.display().to_string()], &[]);

    assert_eq!(code, 1);
    assert!(complaint.contains(&format!("cannot listen on {}", place.public)), "{complaint}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_gateway_leaves_at_once() {
    let app = Upstream::start().await;
    let mut edge = Edge::before(&app);
    let mut idle = Raw::connect(edge.address()).await;
    idle.send(get("")).await;
    assert_eq!(idle.reply().await.unwrap().status, 200);

    let begun = Instant::now();
    let status = edge.gateway.terminate();

    assert!(status.success(), "{status}");
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    assert!(idle.is_closed_within(Duration::from_secs(1)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_flight_finishes_and_nothing_new_begins() {
    let app = Upstream::start().await;
    let mut edge = Edge::before(&app);
    let chunks = app.stream_next();
    let mut raw = Raw::connect(edge.address()).await;
    raw.send(get("")).await;
    assert_eq!(raw.reply_head().await.unwrap().status, 200);

    edge.gateway.signal(Signal::Term);
    let (public, admin) = (edge.address(), edge.gateway.admin());
    wait::until_true("readiness to go", Duration::from_secs(5), || gateway::status_of(admin, "/readyz") == Some(503));
    wait::until_true("the listener to close", Duration::from_secs(5), || gateway::status_of(public, "/").is_none());
    chunks.send("last words".to_owned()).unwrap();
    let words = raw.chunk().await;
    drop(chunks);
    let end = raw.chunk().await;
    let status = edge.gateway.terminate();

    assert_eq!(words.as_deref(), Some(&b"last words"[..]));
    assert_eq!(end, None);
    assert!(status.success(), "{status}");
}
