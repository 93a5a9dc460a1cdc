//! Addresses that fall ill: left out, told once, tried again; asked on our own account where the route says so.

use std::time::Duration;

use super::{Edge, get, public};
use crate::support::child::Signal;
use crate::support::client::Raw;
use crate::support::secureapp::SecureApp;
use crate::support::upstream::Upstream;
use crate::support::wait;

const PATIENCE: Duration = Duration::from_secs(20);

async fn status(edge: &Edge) -> u16 {
    Raw::exchange(edge.address(), get("")).await.status
}

/// Waits until the metric says so of an address; nothing is that the metric has no line for it.
async fn shown(edge: &Edge, address: &str, expected: Option<&str>) {
    let line = format!("doorward_upstream_up{{address=\"{address}\",route=\"app\"}} ");
    let look = || async {
        let metrics = edge.gateway.operator().get("/metrics").await.text();
        (metrics.lines().find_map(|found| found.strip_prefix(&line)) == expected).then_some(())
    };
    wait::until_async(&format!("{expected:?} of {address}"), PATIENCE, look).await;
}

fn told(edge: &Edge, address: &str, what: &str) -> usize {
    edge.gateway.log().matches(&format!("the address {address} of route app is {what}")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_says_it_is_ill_gets_nothing_until_it_is_well() {
    let (ill, well) = (Upstream::start().await, Upstream::start().await);
    let health = "[route.health]\npath = \"/health?x=1\"\ninterval = \"100ms\"\nhealthy = 2\nunhealthy = 2\n";
    let edge = Edge::start("", &public("app", &[&ill.url(), &well.url()], health));
    let address = ill.address().to_string();
    shown(&edge, &address, Some("1")).await;

    ill.status(503);
    shown(&edge, &address, Some("0")).await;
    let asked = |app: &Upstream| app.received().iter().filter(|request| request.target() == "/").count();
    let before = asked(&ill);
    for _ in 0..6 {
        assert_eq!(status(&edge).await, 200);
    }
    assert_eq!((asked(&ill), asked(&well)), (before, 6));

    ill.status(200);
    shown(&edge, &address, Some("1")).await;
    for _ in 0..6 {
        assert_eq!(status(&edge).await, 200);
    }
    assert!(asked(&ill) > before);
    assert_eq!((told(&edge, &address, "out: its last checks failed"), told(&edge, &address, "back")), (1, 1));
    let question = ill.received().into_iter().find(|request| request.target() == "/health?x=1").unwrap();
    assert!(question.header("User-Agent").unwrap().starts_with("doorward-health/"));
    assert_eq!((question.header("Remote-User"), question.header("X-Doorward-Assertion")), (None, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_takes_no_connection_is_found_by_its_socket() {
    let app = Upstream::start().await;
    let gone = Upstream::start().await;
    let address = gone.address().to_string();
    let health = "[route.health]\nkind = \"tcp\"\ninterval = \"100ms\"\nunhealthy = 1\n";
    let edge = Edge::start("", &public("app", &[&app.url(), &gone.url()], health));
    shown(&edge, &address, Some("1")).await;

    drop(gone);

    shown(&edge, &address, Some("0")).await;
    assert_eq!(app.count(), 0, "a connection is no request");
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_end_with_the_configuration_that_asks_them() {
    let app = Upstream::start().await;
    let health = "[route.health]\ninterval = \"100ms\"\n";
    let mut edge = Edge::start("", &public("app", &[&app.url()], health));
    app.wait_for_count(3).await;
    app.silence_next();
    let mut held = Raw::connect(edge.address()).await;
    held.send(get("")).await;

    let file = edge.gateway.config();
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace(health, "")).unwrap();
    edge.gateway.signal(Signal::Hup);
    edge.gateway.wait_for_log("the configuration was read again");

    let before = app.count();
    let more = wait::within(Duration::from_millis(1500), || (app.count() > before + 1).then_some(()));
    assert_eq!(more, None, "nobody asks any more, although a request of the old configuration is under way");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_hangs_is_left_out_and_comes_back_when_it_goes_on() {
    let mut hung = SecureApp::start(&[]);
    let well = Upstream::start().await;
    let edge = Edge::start("", &public("app", &[&hung.url("http"), &well.url()], "read_timeout = \"200ms\""));
    assert_eq!((status(&edge).await, status(&edge).await), (200, 200));
    shown(&edge, &hung.address(), Some("1")).await;

    hung.process.signal(Signal::Stop);
    let mut statuses = Vec::new();
    while told(&edge, &hung.address(), "out: its last requests failed") == 0 {
        statuses.push(status(&edge).await);
        assert!(statuses.len() < 50, "{statuses:?}");
    }
    shown(&edge, &hung.address(), Some("0")).await;
    assert_eq!(statuses.iter().filter(|status| **status == 504).count(), 3, "{statuses:?}");

    hung.process.signal(Signal::Cont);
    let back = || async {
        assert!(matches!(status(&edge).await, 200 | 504));
        (told(&edge, &hung.address(), "back") == 1).then_some(())
    };
    wait::until_async("the app to be back", PATIENCE, back).await;
    shown(&edge, &hung.address(), Some("1")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_known_of_an_address_outlives_a_change_of_the_configuration() {
    let (well, gone) = (Upstream::start().await, Upstream::start().await);
    let (address, dropped) = (gone.address().to_string(), well.address().to_string());
    let health = "[route.health]\nkind = \"tcp\"\ninterval = \"100ms\"\nunhealthy = 1\n";
    let mut edge = Edge::start("", &public("app", &[&well.url(), &gone.url()], health));
    drop(gone);
    shown(&edge, &address, Some("0")).await;
    shown(&edge, &dropped, Some("1")).await;

    let file = edge.gateway.config();
    let text = std::fs::read_to_string(&file).unwrap();
    let other = Upstream::start().await;
    std::fs::write(&file, text.replace(&well.url(), &other.url())).unwrap();
    edge.gateway.signal(Signal::Hup);
    edge.gateway.wait_for_log("the configuration was read again");

    for _ in 0..4 {
        assert_eq!(status(&edge).await, 200);
    }
    assert_eq!(other.count(), 4);
    shown(&edge, &dropped, None).await;
    shown(&edge, &address, Some("0")).await;
    assert_eq!(told(&edge, &address, "out"), 1, "told once, not again after the change");
}
