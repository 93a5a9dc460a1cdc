//! A webhook's place: not in a network of our own, by whatever name.

use std::net::ToSocketAddrs;
use std::time::Duration;

use doorward::config::Config;
use doorward::language::Language;

use super::Post;
use super::kinds::{Kind, SECRET};
use crate::support::provider::Provider;

fn hook(url: &str, more: &str) -> String {
    format!("[[delivery.email]]\nkind = \"webhook\"\nname = \"it\"\nurl = \"{url}\"\nsecret = \"{SECRET}\"\n{more}\n")
}

fn mistakes(delivery: &str) -> Vec<String> {
    let text = format!(
        "public_url = \"http://127.0.0.1:8080\"\n[store]\nencryption_key = \"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"\n{delivery}"
    );
    Config::read("place", &text, std::iter::empty()).err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

#[test]
fn an_address_of_our_own_network_is_refused_unless_it_is_meant() {
    let ours = [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "100.100.100.200",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:a9fe:a9fe]",
        "[64:ff9b::7f00:1]",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "localhost",
        "LOCALHOST.",
        "door.localhost",
    ];
    for host in ours {
        let url = format!("https://{host}/hook");
        let wrong = "delivery.email[0].url: is on a private network; set allow_private = true if that is meant";
        assert_eq!(mistakes(&hook(&url, "")), [wrong], "{host}");
        assert_eq!(mistakes(&hook(&url, "allow_private = true")), [""; 0], "{host}");
    }
    assert_eq!(mistakes(&hook("https://hooks.example.com/", "")), [""; 0]);
    assert_eq!(mistakes(&hook("https://1.1.1.1/", "")), [""; 0]);
}

#[test]
fn without_tls_only_a_network_of_our_own_is_spoken_to() {
    let found = mistakes(&hook("http://hooks.example.com/", ""));
    assert_eq!(found, ["delivery.email[0].url: should be https://: codes are in it; without TLS only with allow_private = true"]);
    assert_eq!(mistakes(&hook("http://hooks.internal/", "allow_private = true")), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_leads_into_our_own_network_is_not_followed_there() {
    // Names of this machine that do not say so themselves: what a name server of a stranger could answer.
    let hostname = std::fs::read_to_string("/etc/hostname").unwrap_or_default().trim().to_owned();
    let leads_here = |name: &&str| {
        let found = (*name, 0).to_socket_addrs();
        found.is_ok_and(|mut all| all.next().is_some_and(|one| one.ip().is_loopback()))
    };
    let names = ["ip6-localhost", "ip6-loopback", "localhost.localdomain", &hostname];
    let name = names.into_iter().find(leads_here).expect("a name in /etc/hosts for this machine");
    let (provider, spare) = (Provider::start_tls(name), Provider::start());
    let inside = hook(&format!("https://{name}:{}/", provider.port()), "");
    let post = Post::with(&format!("{inside}{}", Kind::MailHook.at(&spare.url(), "spare"))).await;

    assert!(post.send_by(Kind::MailHook.channel(), "ada@example.com", "123456", Language::English));

    post.wait_for("spare", "sent", 1).await;
    post.queue.drain(Duration::from_secs(5)).await;
    assert_eq!((post.counted("it", "refused"), post.counted("it", "deferred"), provider.requests().len()), (1, 0, 0));
}
