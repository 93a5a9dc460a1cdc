//! Whatever a provider does, the next one is asked, the wait is bounded, and what it did is counted.

use std::time::{Duration, Instant};

use doorward::language::Language;
use doorward::signin::Opened;

use super::Post;
use super::kinds::Kind;
use crate::support::ports;
use crate::support::provider::{Manner, Provider};

/// What comes of a provider that behaves like this: its outcome; and the spare one is asked unless that is `sent`.
async fn comes_of(kind: Kind, manner: Manner, outcome: &str) {
    let (provider, spare) = (Provider::start(), Provider::start());
    provider.behave(manner.clone());
    let post = Post::with(&(kind.at(&provider.url(), "it") + &kind.spare(&spare.url()))).await;

    assert!(post.send_by(kind.channel(), kind.address(), "123456", Language::English));
    post.wait_for("it", outcome, 1).await;

    let others = u64::from(outcome != "sent");
    post.wait_for("spare", "sent", others).await;
    post.queue.drain(Duration::from_secs(5)).await;
    let count = |outcome| post.counted("it", outcome);
    assert_eq!(count("sent") + count("refused") + count("deferred"), 1, "{kind:?} {manner:?}");
    assert_eq!((provider.requests().len(), spare.requests().len()), (1, usize::try_from(others).unwrap()), "{kind:?} {manner:?}");
    assert!(provider.flooded() < 32 * 1024 * 1024, "{kind:?} {manner:?} took {} bytes", provider.flooded());
}

/// All kinds at once: their waits are the same.
async fn come_of(manner: Manner, outcome: &'static str) -> Duration {
    let begun = Instant::now();
    let mut running = tokio::task::JoinSet::new();
    for kind in Kind::ALL {
        running.spawn(comes_of(kind, manner.clone(), outcome));
    }
    while let Some(done) = running.join_next().await {
        done.unwrap();
    }
    begun.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_taken_is_sent_once() {
    for status in [200, 201, 202, 204] {
        come_of(Manner::Answer(status), "sent").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_goes_to_the_next() {
    for status in [400, 401, 403, 404, 422] {
        come_of(Manner::Answer(status), "refused").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_goes_to_the_next() {
    for status in [408, 429, 500, 503] {
        come_of(Manner::Answer(status), "deferred").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_says_nothing_is_given_up() {
    for manner in [Manner::Hang, Manner::DripHead] {
        let took = come_of(manner, "deferred").await;
        assert!((Duration::from_secs(9)..Duration::from_secs(40)).contains(&took), "{took:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_is_no_answer() {
    for manner in [Manner::Cut, Manner::CutHead, Manner::Babble, Manner::FloodHead] {
        come_of(manner, "deferred").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_decides_however_long_or_slow_the_rest_is() {
    let cases = [
        (Manner::Drip(200), "sent"),
        (Manner::Drip(500), "deferred"),
        (Manner::Drip(400), "refused"),
        (Manner::Flood(200), "sent"),
        (Manner::Flood(500), "deferred"),
        (Manner::Flood(400), "refused"),
    ];
    for (manner, outcome) in cases {
        let took = come_of(manner, outcome).await;
        assert!(took < Duration::from_secs(20), "{took:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn redirects_are_not_followed() {
    let elsewhere = Provider::start();
    for status in [301, 302, 303, 307, 308] {
        come_of(Manner::Redirect(status, elsewhere.url()), "refused").await;
    }
    assert_eq!(elsewhere.requests().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_there_is_no_answer() {
    for kind in Kind::ALL {
        let spare = Provider::start();
        let gone = format!("http://127.0.0.1:{}", ports::free());
        let post = Post::with(&(kind.at(&gone, "it") + &kind.spare(&spare.url()))).await;

        assert!(post.send_by(kind.channel(), kind.address(), "123456", Language::English));

        post.wait_for("spare", "sent", 1).await;
        assert_eq!(post.counted("it", "deferred"), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn resend_is_asked_again_while_it_takes_the_same_message() {
    comes_of(Kind::Resend, Manner::Answer(409), "deferred").await;
    comes_of(Kind::MailHook, Manner::Answer(409), "refused").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_gets_nothing_on_any_channel_may_ask_again_at_once() {
    for kind in Kind::ALL {
        let provider = Provider::start();
        provider.behave(Manner::Answer(403));
        let post = Post::with(&kind.at(&provider.url(), "it")).await;
        assert_eq!(post.ask("first").await, Opened::Open);

        assert!(post.send_by(kind.channel(), kind.address(), "123456", Language::English));

        post.wait_for_release().await;
    }
}
