//! What a mail says, and that it goes only where it is safe.

use std::time::Duration;

use super::{Post, through};
use crate::support::mailserver::{self, MailServer, Tls};
use crate::support::ports;
use crate::support::smtp::{Mailbox, Manner};

#[tokio::test(flavor = "multi_thread")]
async fn a_code_arrives_once_as_text_and_html_with_the_code_in_the_subject() {
    let mailbox = Mailbox::start().await;
    let post = Post::with(&through(&mailbox.url())).await;

    assert!(post.send(" Ada@Example.com", "123456"));

    let mail = mailbox.wait_for("ada@example.com").await;
    post.wait_for("smtp", "sent", 1).await;
    assert_eq!(mailbox.mails().len(), 1);
    assert_eq!(mail.recipients, ["ada@example.com"]);
    assert_eq!(mail.from, "door@example.com");
    assert_eq!(mail.subject(), "123456 is your code for Wiki & Co");
    assert_eq!(mail.code(), "123456");
    assert!(mail.text().contains("for 10 minutes"), "{}", mail.text());
    assert!(mail.html().unwrap().contains("Your code for Wiki &amp; Co:"));
    assert_eq!(mail.header("From").unwrap(), "Wiki <door@example.com>");
    assert_eq!(mail.header("To").unwrap(), "ada@example.com");
    assert_eq!(mail.header("Date").unwrap(), "Fri, 15 Jan 2027 08:00:00 +0000");
    assert_eq!(mail.header("Auto-Submitted").unwrap(), "auto-generated");
    let id = mail.header("Message-ID").unwrap();
    assert!(id.starts_with('<') && id.ends_with("@example.com>") && id.len() > 30, "{id}");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_used_again() {
    let mailbox = Mailbox::start().await;
    let post = Post::with(&through(&mailbox.url())).await;

    for nth in 1..=5 {
        assert!(post.send("ada@example.com", "123456"));
        mailbox.wait_for_nth("ada@example.com", nth).await;
        post.wait_for("smtp", "sent", u64::try_from(nth).unwrap()).await;
    }

    // One goes back to the pool a moment after its mail was taken: on a busy machine the next mail may be faster.
    assert!(mailbox.connections() <= 3, "{}", mailbox.connections());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_password_is_said_to_the_server() {
    let mailbox = Mailbox::start().await;
    let url = mailbox.url().replace("smtp://", "smtp://door%40example.com@");
    let post = Post::with(&format!("{}password = \"hunter:2\"\n", through(&url))).await;

    assert!(post.send("ada@example.com", "123456"));

    let mail = mailbox.wait_for("ada@example.com").await;
    assert_eq!(mail.signed_in.unwrap(), ("door@example.com".to_owned(), "hunter:2".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_tls_is_required_nothing_is_said_without_it() {
    let mailbox = Mailbox::start().await;
    let url = mailbox.url().replace("smtp://", "smtp://door:hunter2@") + "?tls=required";
    let post = Post::with(&through(&url)).await;

    assert!(post.send("ada@example.com", "123456"));

    post.wait_for("smtp", "deferred", 1).await;
    assert!(mailbox.connections() >= 1);
    assert_eq!(mailbox.mails().len(), 0);
    assert_eq!(post.counted("smtp", "sent"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_whose_certificate_nobody_vouches_for_gets_nothing() {
    for (tls, scheme, query) in
        [(Tls::Implicit, "smtps", ""), (Tls::Upgraded, "smtp", "?tls=required"), (Tls::Upgraded, "smtp", "?tls=opportunistic")]
    {
        let server = MailServer::start(tls);
        let user = format!("{}:{}", mailserver::USER, mailserver::PASSWORD);
        let post = Post::with(&through(&format!("{scheme}://{user}@127.0.0.1:{}{query}", server.port()))).await;

        assert!(post.send("ada@example.com", "123456"));

        post.wait_for("smtp", "deferred", 1).await;
        assert_eq!(post.counted("smtp", "sent"), 0);
        assert_eq!(server.mails().len(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_not_there_is_tried_again() {
    let post = Post::with(&through(&format!("smtp://127.0.0.1:{}", ports::free()))).await;

    assert!(post.send("ada@example.com", "123456"));

    post.wait_for("smtp", "deferred", 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_server_that_breaks_off_or_dawdles_is_no_end_of_it() {
    let given_up = async |manner| {
        let (first, second) = (Mailbox::start().await, Mailbox::start().await);
        first.behave(manner);
        let named = through(&first.url()).replace("kind", "name = \"it\"\nkind");
        let post = Post::with(&format!("{named}{}", through(&second.url()))).await;

        assert!(post.send("ada@example.com", "123456"));

        post.wait_for("smtp", "sent", 1).await;
        assert_eq!((post.counted("it", "deferred"), second.mails().len()), (1, 1), "{manner:?}");
    };
    tokio::join!(given_up(Manner::Cut), given_up(Manner::Hang), given_up(Manner::Slow(Duration::from_secs(12))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_mail_server_is_waited_for() {
    let mailbox = Mailbox::start().await;
    mailbox.behave(Manner::Slow(Duration::from_secs(1)));
    let post = Post::with(&through(&mailbox.url())).await;

    assert!(post.send("ada@example.com", "123456"));

    post.wait_for("smtp", "sent", 1).await;
    assert_eq!(mailbox.mails().len(), 1);
}
