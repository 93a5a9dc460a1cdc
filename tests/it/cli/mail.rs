//! Mail through a server that is not ours, over TLS that this machine's certificates vouch for.

use serde_json::json;

use super::configuration;
use crate::support::gateway::Gateway;
use crate::support::mailserver::{self, MailServer, Tls};
use crate::support::smtp::Mailbox;
use crate::support::wait;

#[tokio::test(flavor = "multi_thread")]
async fn a_code_goes_over_tls_to_a_server_that_is_vouched_for() {
    for (tls, scheme) in [(Tls::Implicit, "smtps"), (Tls::Upgraded, "smtp")] {
        let server = MailServer::start(tls);
        let authority = server.authority().display().to_string();
        let query = if tls == Tls::Upgraded { "?tls=required" } else { "" };
        let mail = format!("{scheme}://{}:{}@127.0.0.1:{}{query}", mailserver::USER, mailserver::PASSWORD, server.port());
        let gateway = tokio::task::spawn_blocking(move || {
            Gateway::start_with(&[("SSL_CERT_FILE", &authority)], |place| configuration(place, "http://127.0.0.1:9", &mail, ""))
        });
        let gateway = gateway.await.unwrap();

        let asked = gateway.person().post("/auth/request-otp", &json!({ "email": "ada@example.com" })).await;

        assert_eq!(asked.status, 200);
        wait::until_true("a mail", std::time::Duration::from_secs(20), || !server.mails().is_empty());
        let mails = server.mails();
        assert_eq!((mails.len(), &mails[0]["encrypted"], &mails[0]["signed_in"]), (1, &json!(true), &json!(true)));
        assert_eq!(mails[0]["recipients"], json!(["ada@example.com"]));
        assert!(!gateway.log().contains("ada@example.com") && !gateway.log().contains(mailserver::PASSWORD), "{}", gateway.log());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_was_asked_for_just_before_we_leave_still_leaves() {
    let mailbox = Mailbox::start().await;
    let mail = mailbox.url();
    let gateway = tokio::task::spawn_blocking(move || Gateway::start(|place| configuration(place, "http://127.0.0.1:9", &mail, "")));
    let mut gateway = gateway.await.unwrap();

    let asked = gateway.person().post("/auth/request-otp", &json!({ "email": "ada@example.com" })).await;
    let left = tokio::task::spawn_blocking(move || gateway.terminate()).await.unwrap();

    assert_eq!((asked.status, left.success()), (200, true));
    assert_eq!(mailbox.mails_to("ada@example.com").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_server_with_anothers_certificate_gets_nothing() {
    for (tls, scheme) in [(Tls::Implicit, "smtps"), (Tls::Upgraded, "smtp")] {
        let server = MailServer::start_as(tls, "other.example");
        let authority = server.authority().display().to_string();
        let query = if tls == Tls::Upgraded { "?tls=required" } else { "" };
        let mail = format!("{scheme}://{}:{}@127.0.0.1:{}{query}", mailserver::USER, mailserver::PASSWORD, server.port());
        let gateway = tokio::task::spawn_blocking(move || {
            Gateway::start_with(&[("SSL_CERT_FILE", &authority)], |place| configuration(place, "http://127.0.0.1:9", &mail, ""))
        });
        let gateway = gateway.await.unwrap();

        let asked = gateway.person().post("/auth/request-otp", &json!({ "email": "ada@example.com" })).await;

        assert_eq!(asked.status, 200);
        let told = || gateway.log().contains("certificate not valid for name");
        wait::until_true("the certificate to be refused", std::time::Duration::from_secs(20), told);
        assert_eq!(server.mails().len(), 0);
        assert!(!gateway.log().contains("ada@example.com") && !gateway.log().contains(mailserver::PASSWORD), "{}", gateway.log());
    }
}
