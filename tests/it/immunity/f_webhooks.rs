//! F 64: nothing that leaves goes into a network of our own, wherever a name, a server's answer or the environment would lead it.

use std::time::Duration;

use serde_json::json;

use crate::deliver::configuration;
use crate::support::gateway::Gateway;
use crate::support::provider::{Manner, Provider};
use crate::support::resolver::{Names, PUBLIC};
use crate::support::wait;

const HOOK: &str = "hook.example.net";
const SECRET: &str = "a secret of at least thirty-two characters";

/// A gateway that posts its codes to a webhook, which is on the internet as far as it knows.
struct Post {
    gateway: Gateway,
    names: Names,
    server: Provider,
    sent: u32,
}

impl Post {
    fn new() -> Self {
        let (names, server) = (Names::new(), Provider::start_tls(HOOK));
        names.answer(HOOK, &[&[PUBLIC]]);
        let mut environment = names.environment();
        environment.push(("SSL_CERT_FILE", server.authority().display().to_string()));
        // A server inside that would carry everything anywhere: nobody asks it.
        for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "HTTP_PROXY"] {
            environment.push((name, "http://127.0.0.1:9".to_owned()));
        }
        let environment: Vec<(&str, &str)> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let delivery = format!(
            "[[delivery.email]]\nkind = \"webhook\"\nname = \"it\"\nurl = \"https://{HOOK}:{}/codes\"\nsecret = \"{SECRET}\"\n",
            server.port()
        );
        let gateway = Gateway::start_with(&environment, |place| configuration(place, &delivery, ""));
        names.take_notes();
        Self { gateway, names, server, sent: 0 }
    }

    /// Sends a code, and says what became of it.
    async fn send(&mut self) -> (String, Vec<String>, usize) {
        self.sent += 1;
        let before = self.counts().await;
        let asked = self.gateway.person().post("/auth/request-otp", &json!({ "email": format!("ada{}@example.com", self.sent) })).await;
        assert_eq!(asked.status, 200, "{}", asked.text());
        let changed = || async {
            let now = self.counts().await;
            now.into_iter().find(|line| !before.contains(line))
        };
        let line = wait::until_async("the code to be sent or not", Duration::from_secs(20), changed).await;
        let outcome = line.split("outcome=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default().to_owned();
        let (connected, lookups) = self.names.take_notes();
        (outcome, connected, lookups)
    }

    async fn counts(&self) -> Vec<String> {
        let metrics = self.gateway.operator().get("/metrics").await.text();
        let lines = metrics.lines().filter(|line| line.starts_with("doorward_otp_sent_total{") && line.contains("provider=\"it\""));
        lines.filter(|line| !line.ends_with(" 0")).map(str::to_owned).collect()
    }
}

/// Names of the internet that lead into a network of our own.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2024_21498_a_name_leads_nowhere_inside() {
    let mut post = Post::new();
    let (outcome, connected, _) = post.send().await;
    assert_eq!((outcome.as_str(), connected.as_slice()), ("sent", &[PUBLIC.to_owned()][..]), "{}", post.gateway.log());
    assert_eq!(post.server.requests().len(), 1);

    for inside in [
        "127.0.0.1",
        "127.9.9.9",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.100.100.200",
        "::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "fd00:ec2::254",
        "fe80::1",
    ] {
        post.names.answer(HOOK, &[&[inside]]);
        let (outcome, connected, lookups) = post.send().await;
        assert_eq!((outcome.as_str(), connected.len(), lookups), ("refused", 0, 1), "{inside}: {connected:?}");
    }
    assert!(post.gateway.log().contains("no public address"), "{}", post.gateway.log());

    // Of several addresses those of the internet are taken, wherever they stand.
    for mixed in [["127.0.0.1", PUBLIC], [PUBLIC, "127.0.0.1"], ["::1", PUBLIC]] {
        post.names.answer(HOOK, &[&mixed]);
        let (outcome, connected, _) = post.send().await;
        assert_eq!((outcome.as_str(), connected.as_slice()), ("sent", &[PUBLIC.to_owned()][..]), "{mixed:?}");
    }
    assert_eq!(post.server.requests().len(), 4);
}

/// A name that leads to the internet when it is looked at, and inside when it is used.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2025_67494_a_name_that_changes_its_mind_leads_nowhere_inside() {
    let mut post = Post::new();
    post.names.answer(HOOK, &[&[PUBLIC], &["127.0.0.1"]]);
    // What was judged is what is connected to: the name is not looked up a second time.
    let (outcome, connected, lookups) = post.send().await;
    assert_eq!((outcome.as_str(), connected.as_slice(), lookups), ("sent", &[PUBLIC.to_owned()][..], 1));
    for _ in 0..3 {
        let (outcome, connected, lookups) = post.send().await;
        assert_eq!((outcome.as_str(), connected.len(), lookups), ("refused", 0, 1), "{connected:?}");
    }
    post.names.answer(HOOK, &[&["10.0.0.1"], &[PUBLIC]]);
    assert_eq!(post.send().await.0, "refused");
    assert_eq!(post.send().await.0, "sent");
    assert_eq!(post.server.requests().len(), 2);
}

/// A server of the internet that sends on to one inside.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2024_49753_no_answer_leads_inside() {
    let mut post = Post::new();
    let inside = Provider::start();
    let places = [
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        format!("{}/", inside.url()),
        format!("https://127.0.0.1:{}/", post.server.port()),
    ];
    for (number, (status, place)) in
        [301, 302, 303, 307, 308].into_iter().flat_map(|status| places.iter().map(move |place| (status, place))).enumerate()
    {
        post.server.behave(Manner::Redirect(status, place.clone()));
        let (outcome, connected, _) = post.send().await;
        assert_eq!((outcome.as_str(), connected.as_slice()), ("refused", &[PUBLIC.to_owned()][..]), "{status} {place}");
        assert_eq!(post.server.requests().len(), number + 1);
    }
    assert!(inside.requests().is_empty());
}
