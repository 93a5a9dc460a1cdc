//! The queue: again, elsewhere, too late, not at all.

use std::sync::Arc;
use std::time::{Duration, Instant};

use doorward::signin::{Channel, Deliver, Opened};

use super::{Post, through};
use crate::support::ports;
use crate::support::smtp::{Mailbox, Manner};

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_says_later_is_tried_later() {
    let mailbox = Mailbox::start().await;
    mailbox.behave(Manner::Refuse(450));
    let post = Post::with(&through(&mailbox.url())).await;

    assert!(post.send("ada@example.com", "123456"));
    post.wait_for("smtp", "deferred", 1).await;
    mailbox.behave(Manner::Accept);

    assert_eq!(mailbox.wait_for("ada@example.com").await.code(), "123456");
    post.wait_for("smtp", "sent", 1).await;
    assert_eq!(mailbox.mails().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_provider_takes_what_the_first_refuses() {
    for status in [550, 450] {
        let (first, second) = (Mailbox::start().await, Mailbox::start().await);
        first.behave(Manner::Refuse(status));
        let post = Post::with(&format!("{}{}", through(&first.url()), through(&second.url()))).await;

        assert!(post.send("ada@example.com", "123456"));

        second.wait_for("ada@example.com").await;
        post.wait_for("smtp", "sent", 1).await;
        assert_eq!((first.mails().len(), second.mails().len()), (0, 1));
        assert_eq!(post.counted("smtp", if status == 550 { "refused" } else { "deferred" }), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_gets_nothing_may_ask_again_at_once() {
    let mailbox = Mailbox::start().await;
    mailbox.behave(Manner::Refuse(550));
    let post = Post::with(&through(&mailbox.url())).await;
    assert_eq!(post.ask("first").await, Opened::Open);
    assert!(matches!(post.ask("too-soon").await, Opened::TooSoon(_)));

    assert!(post.send("ada@example.com", "123456"));

    post.wait_for_release().await;
    assert_eq!(post.counted("smtp", "refused"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_got_something_waits() {
    let mailbox = Mailbox::start().await;
    let post = Post::with(&through(&mailbox.url())).await;
    assert_eq!(post.ask("first").await, Opened::Open);

    assert!(post.send("ada@example.com", "123456"));

    post.wait_for("smtp", "sent", 1).await;
    assert!(matches!(post.ask("too-soon").await, Opened::TooSoon(_)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_has_expired_is_not_sent() {
    let mailbox = Mailbox::start().await;
    mailbox.behave(Manner::Refuse(450));
    let post = Post::with(&through(&mailbox.url())).await;

    assert!(post.send("ada@example.com", "123456"));
    post.wait_for("smtp", "deferred", 1).await;
    post.clock.advance(Duration::from_mins(10));
    mailbox.behave(Manner::Accept);

    post.wait_for("none", "expired", 1).await;
    assert_eq!(mailbox.mails().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_hangs_costs_a_bounded_queue_and_a_bounded_wait() {
    let mailbox = Mailbox::start().await;
    mailbox.behave(Manner::Hang);
    let post = Post::with(&through(&mailbox.url())).await;

    let taken = (0..2000).filter(|_| post.send("ada@example.com", "123456")).count();

    assert!((1000..=1100).contains(&taken), "{taken}");
    assert_eq!(post.counted("none", "dropped"), u64::try_from(2000 - taken).unwrap());
    let begun = Instant::now();
    post.queue.drain(Duration::from_millis(200)).await;
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert!(!post.send("ada@example.com", "123456"), "a queue that is closed takes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_queued_leaves_before_we_do() {
    let mailbox = Mailbox::start().await;
    let post = Post::with(&through(&mailbox.url())).await;

    for _ in 0..40 {
        assert!(post.send("ada@example.com", "123456"));
    }
    post.queue.drain(Duration::from_secs(20)).await;

    assert_eq!(mailbox.mails().len(), 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_its_pause_leaves_before_we_do() {
    let mailbox = Mailbox::start().await;
    let post = Arc::new(Post::with(&through(&mailbox.url())).await);
    let errand = |post: Arc<Post>| {
        Box::pin(async move {
            let inner = Arc::clone(&post);
            let again = Box::pin(async move { assert!(inner.send("ada@example.com", "123456")) });
            assert!(post.queue.after(Duration::from_millis(100), Channel::Email, again));
            assert!(post.send("ada@example.com", "123456"));
        })
    };

    for _ in 0..5 {
        assert!(post.queue.after(Duration::from_millis(300), Channel::Email, errand(Arc::clone(&post))));
    }
    post.queue.drain(Duration::from_secs(20)).await;

    assert_eq!(mailbox.mails().len(), 10);
    assert!(!post.queue.after(Duration::ZERO, Channel::Email, errand(Arc::clone(&post))), "who leaves begins nothing");
    assert_eq!(post.counted("none", "dropped"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn errands_are_bounded() {
    let mailbox = Mailbox::start().await;
    let post = Post::with(&through(&mailbox.url())).await;

    let begun = (0..5000).filter(|_| post.queue.after(Duration::from_mins(1), Channel::Email, Box::pin(async {}))).count();

    assert_eq!(begun, 4000);
    assert_eq!(post.counted("none", "dropped"), 1000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_does_not_answer_is_left_alone_and_tried_again() {
    let gone = through(&format!("smtp://127.0.0.1:{}", ports::free())).replace("kind", "name = \"gone\"\nkind");
    let mailbox = Mailbox::start().await;
    let post = Post::with(&format!("{gone}{}", through(&mailbox.url()))).await;

    for nth in 1..=12 {
        assert!(post.send("ada@example.com", "123456"));
        mailbox.wait_for_nth("ada@example.com", nth).await;
    }
    post.wait_for("smtp", "sent", 12).await;
    assert_eq!((post.counted("gone", "deferred"), post.counted("gone", "skipped")), (5, 7));

    post.clock.advance(Duration::from_mins(1));
    assert!(post.send("ada@example.com", "123456"));
    post.wait_for("smtp", "sent", 13).await;
    assert_eq!((post.counted("gone", "deferred"), post.counted("gone", "skipped")), (6, 7));
}
