//! A configuration that changes while the server runs: applied whole from the next request on, or kept as it was.

use std::time::Duration;

use super::{Edge, get};
use crate::support::child::Signal;
use crate::support::client::{Raw, TEXT_FRAME};
use crate::support::upstream::Upstream;
use crate::support::wait;

const PATIENCE: Duration = Duration::from_secs(10);

/// Write the configuration's file again, with `from` in it replaced.
fn rewrite(edge: &Edge, from: &str, to: &str) {
    let file = edge.gateway.config();
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains(from), "{text}");
    std::fs::write(&file, text.replace(from, to)).unwrap();
}

async fn metric(edge: &Edge, line: &str) {
    let shown = || async { edge.gateway.operator().get("/metrics").await.text().contains(line).then_some(()) };
    wait::until_async(line, PATIENCE, shown).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn at_sighup_new_routes_count_and_nothing_is_dropped() {
    let (old, new) = (Upstream::start().await, Upstream::start().await);
    let mut edge = Edge::before(&old);
    let mut tunnel = Raw::connect(edge.address()).await;
    tunnel
        .send(get(
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
        ))
        .await;
    assert_eq!(tunnel.reply_head().await.unwrap().status, 101);
    let mut kept = Raw::connect(edge.address()).await;

    rewrite(&edge, &old.url(), &new.url());
    edge.gateway.signal(Signal::Hup);
    while new.count() == 0 {
        kept.send(get("")).await;
        assert_eq!(kept.reply().await.expect("a connection that was kept").status, 200);
    }
    tunnel.send_frame(TEXT_FRAME, "still there").await;

    assert_eq!(tunnel.frame().await, Some((TEXT_FRAME, "still there".to_owned())));
    metric(&edge, "doorward_config_last_reload_success 1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_written_is_read_without_being_told() {
    let (old, new) = (Upstream::start().await, Upstream::start().await);
    let edge = Edge::before(&old);

    rewrite(&edge, &old.url(), &new.url());

    let arrived = || async {
        assert_eq!(Raw::exchange(edge.address(), get("")).await.status, 200);
        (new.count() > 0).then_some(())
    };
    wait::until_async("a request at the new app", PATIENCE, arrived).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistake_keeps_everything_as_it_was() {
    let app = Upstream::start().await;
    let mut edge = Edge::before(&app);

    rewrite(&edge, "name = \"app\"", "name = \"app\"\nstrip_prefixes = true");
    edge.gateway.signal(Signal::Hup);
    metric(&edge, "doorward_config_last_reload_success 0").await;
    edge.gateway.wait_for_log("strip_prefixes");
    assert_eq!(Raw::exchange(edge.address(), get("")).await.status, 200);

    rewrite(&edge, "\nstrip_prefixes = true", "");
    edge.gateway.signal(Signal::Hup);
    metric(&edge, "doorward_config_last_reload_success 1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_a_new_start_is_told() {
    let app = Upstream::start().await;
    let mut edge = Edge::before(&app);

    rewrite(&edge, "workers = 2", "workers = 1");
    edge.gateway.signal(Signal::Hup);

    edge.gateway.wait_for_log("a change in listen waits for the next start");
    assert_eq!(Raw::exchange(edge.address(), get("")).await.status, 200);
}
