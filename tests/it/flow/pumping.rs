//! SMS pumping: somebody has codes sent to numbers that pay whoever owns them. From the outside in, with a provider that is
//! really called.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use super::place::{Database, Place, Wants, code_of};
use crate::support::client::{Person, Reply};
use crate::support::gateway::Gateway;
use crate::support::redis::Redis;
use crate::support::wait;

/// The provider is the app behind the gateway: it remembers what it was sent.
const PROVIDER: &str = r#"
[[delivery.sms]]
kind = "webhook"
url = "UPSTREAM/sms"
secret = "a secret that is long enough for a webhook"
allow_private = true
"#;

/// Every number of these countries; a breaker and a cap that a test can reach.
const LIMITS: &str = "sms_countries = [\"DE\", \"US\"]\nsms_breaker_digits = 3\nsms_breaker_least = 20\nsms_breaker_percent = 20";

async fn place(store: Database, redis: Option<&Redis>, per_day: &'static str) -> Place {
    Place::with(Wants {
        store: store.url(),
        redis: redis.map(Redis::url),
        sections: vec![
            ("listen", "trusted_proxies = [\"127.0.0.0/8\"]"),
            // A Redis that is thought to be out lets each node count alone: exact numbers need one that may take its time.
            ("redis", "timeout = \"5s\""),
            ("otp", "resend_after = \"60s\""),
            ("limits", LIMITS),
            ("limits", per_day),
        ],
        routes: PROVIDER,
    })
    .await
}

/// Asks for a code by SMS, as a client of this network.
async fn ask_from(gateway: &Gateway, network: usize, number: &str) -> Reply {
    let person = gateway.person();
    ask(&person, network, number).await
}

async fn ask(person: &Person, network: usize, number: &str) -> Reply {
    let request =
        person.request(Method::POST, "/auth/request-otp").header("X-Forwarded-For", &format!("198.51.{}.{}", network / 200, network % 200));
    request.json(&json!({ "phone": number, "channel": "sms" })).send().await
}

/// What the provider was sent: number and code.
fn sent(place: &Place) -> Vec<(String, String)> {
    let messages = place.upstream.received().into_iter().filter(|received| received.target() == "/sms");
    let body = |body: Vec<u8>| serde_json::from_slice::<Value>(&body).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    messages.map(|message| body(message.body)).map(|body| (text(&body["to"]), text(&body["code"]))).collect()
}

fn sent_to(place: &Place, prefix: &str) -> usize {
    sent(place).iter().filter(|(to, _)| to.starts_with(prefix)).count()
}

async fn wait_for_sent(place: &Place, prefix: &str, count: usize) {
    wait::until_async(&format!("{count} messages to {prefix}"), Duration::from_secs(30), || async {
        (sent_to(place, prefix) >= count).then_some(())
    })
    .await;
}

/// A metric, added up over nodes.
async fn metric(nodes: &[&Gateway], line: &str) -> u64 {
    let mut sum = 0;
    for node in nodes {
        let text = node.operator().get("/metrics").await.text();
        let value = text.lines().find_map(|printed| printed.strip_prefix(line)).map_or(0, |value| value.trim().parse::<u64>().unwrap());
        sum += value;
    }
    sum
}

/// 1,000 numbers of one prefix from 200 networks, twenty at once, at all nodes in turn.
async fn pump(nodes: &[&Gateway]) -> Vec<Reply> {
    let mut replies = Vec::new();
    for chunk in (0..1000).collect::<Vec<usize>>().chunks(20) {
        let asked =
            chunk.iter().map(|index| async move { ask_from(nodes[index % nodes.len()], index % 200, &format!("+491511{index:07}")).await });
        replies.extend(together(asked).await);
    }
    replies
}

async fn together<F: Future<Output = Reply>>(asked: impl Iterator<Item = F>) -> Vec<Reply> {
    let mut asked: Vec<_> = asked.map(Box::pin).collect();
    let mut replies = Vec::new();
    std::future::poll_fn(|context| {
        asked.retain_mut(|one| match one.as_mut().poll(context) {
            std::task::Poll::Ready(reply) => {
                replies.push(reply);
                false
            }
            std::task::Poll::Pending => true,
        });
        if asked.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    replies
}

/// IMMUNITY 59. Whatever counts: one node alone, or two with one Redis.
async fn sms_pumping_is_stopped(place: &Place, nodes: &[&Gateway]) {
    let replies = pump(nodes).await;

    let passed = replies.iter().filter(|reply| reply.status == 200).count();
    let refused: Vec<&Reply> = replies.iter().filter(|reply| reply.status != 200).collect();
    assert_eq!((passed, refused.len()), (20, 980));
    for reply in refused {
        assert_eq!((reply.status, code_of(reply).as_str()), (429, "limit_reached"));
        let wait: u64 = reply.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=3600).contains(&wait), "{wait}");
    }
    wait_for_sent(place, "+491511", 20).await;
    assert_eq!(metric(nodes, "doorward_limit_refusals_total{limit=\"sms_prefix\"}").await, 980);
    assert_eq!(metric(nodes, "doorward_alarms_total{alarm=\"sms_breaker_opened\"}").await, 1);
    let log: String = nodes.iter().map(|node| node.log()).collect();
    assert!(log.contains("Of 20 codes sent to +49151 (DE) 0 came back"), "{log}");
    assert!(!log.contains("491511000"), "the log has a number");

    other_prefixes_go_on(place, nodes).await;
    the_cap_holds(place, nodes).await;
    assert_eq!(sent_to(place, "+491511"), 20);
}

/// Somebody else signs in by SMS, again and again.
async fn other_prefixes_go_on(place: &Place, nodes: &[&Gateway]) {
    for (index, number) in ["+4915212345678", "+12125550123", "+4917012345678"].into_iter().enumerate() {
        let person = nodes[index % nodes.len()].person();
        assert_eq!(ask(&person, 300, number).await.status, 200, "{number}");
        wait_for_sent(place, number, 1).await;
        let code = sent(place).into_iter().find(|(to, _)| to == number).unwrap().1;
        let verified = person.post("/auth/verify-otp", &json!({ "phone": number, "code": code })).await;
        assert_eq!(verified.status, 200, "{}", verified.text());
    }
}

/// 60 a day: 23 are sent. Ten each to more prefixes open no breaker, and end at the cap.
async fn the_cap_holds(place: &Place, nodes: &[&Gateway]) {
    let mut replies = Vec::new();
    for prefix in ["155", "157", "159", "160", "162", "163", "171", "172", "173", "174"] {
        let asked = (0..10_usize).map(|index| {
            let number = format!("+49{prefix}{index}123456{}", if prefix.starts_with("15") { "7" } else { "" });
            async move { ask_from(nodes[index % nodes.len()], 400 + index, &number).await }
        });
        replies.extend(together(asked).await);
    }

    let passed = replies.iter().filter(|reply| reply.status == 200).count();
    assert_eq!(passed, 60 - 23, "{:?}", replies.iter().map(|reply| reply.status).collect::<Vec<_>>());
    for reply in replies.iter().filter(|reply| reply.status != 200) {
        assert_eq!((reply.status, code_of(reply).as_str()), (429, "limit_reached"));
        let wait: u64 = reply.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=86_400).contains(&wait), "{wait}");
    }
    wait_for_sent(place, "+", 60).await;
    assert_eq!(sent_to(place, "+"), 60);
    assert_eq!(metric(nodes, "doorward_limit_refusals_total{limit=\"sms_per_day\"}").await, 63);
    for alarm in ["sms_cap_near", "sms_cap_reached"] {
        assert_eq!(metric(nodes, &format!("doorward_alarms_total{{alarm=\"{alarm}\"}}")).await, 1, "{alarm}");
    }
    // Mail costs nothing, and goes on.
    place.sign_in("ada@example.com").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn immunity_59_sms_pumping_is_stopped_on_one_node() {
    let place = place(Database::Sqlite, None, "sms_per_day = 60").await;

    sms_pumping_is_stopped(&place, &[&place.gateway]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn immunity_59_sms_pumping_is_stopped_on_two_nodes_with_redis() {
    let redis = Redis::start();
    let place = place(Database::Postgres, Some(&redis), "sms_per_day = 60").await;
    let other = place.another_node().await;

    sms_pumping_is_stopped(&place, &[&place.gateway, &other]).await;

    for key in redis.keys().iter().filter(|key| key.contains("sms") || key.contains(":lim:")) {
        let life = redis.command::<i64>(&["PTTL", key]);
        assert!((1..=86_400_000).contains(&life), "{key} lives {life} ms");
    }
    assert!(!redis.dump().contains("491511"), "Redis has a number");
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_that_come_back_keep_a_prefix_open() {
    let place = place(Database::Sqlite, None, "sms_per_day = 1000").await;
    for index in 0..30_usize {
        let (person, number) = (place.person(), format!("+491511{index:07}"));
        assert_eq!(ask(&person, index, &number).await.status, 200, "{index}");
        // Every third code is used: more than a fifth.
        if index % 3 == 0 {
            wait_for_sent(&place, &number, 1).await;
            let code = sent(&place).into_iter().find(|(to, _)| *to == number).unwrap().1;
            assert_eq!(person.post("/auth/verify-otp", &json!({ "phone": number, "code": code })).await.status, 200);
        }
    }
    assert_eq!(metric(&[&place.gateway], "doorward_limit_refusals_total{limit=\"sms_prefix\"}").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_again_too_soon_costs_nothing() {
    let place = place(Database::Sqlite, None, "sms_per_day = 1000").await;
    for index in 0..40_usize {
        let reply = ask_from(&place.gateway, index, "+4915112345678").await;
        assert_eq!(reply.status, if index == 0 { 200 } else { 429 });
        assert!(index == 0 || code_of(&reply) == "resend_too_soon", "{}", reply.text());
    }
    for index in 0..19_usize {
        assert_eq!(ask_from(&place.gateway, index, &format!("+491511{index:07}")).await.status, 200);
    }
    assert_eq!(ask_from(&place.gateway, 0, "+4915119999999").await.status, 429);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_of_another_country_is_refused_before_anybody_is_looked_up() {
    let place = place(Database::Sqlite, None, "sms_per_day = 1000").await;
    let (code, _, error) = place.gateway.command(&["account", "add", "--phone", "+33612345678"]);
    assert_eq!(code, 0, "{error}");
    let mut bodies = Vec::new();
    for number in ["+33612345678", "+33612345679", "+4901511234567", "+499001234567", "+19002345678", "+441234567890"] {
        for path in ["request-otp", "register"] {
            let reply = place.person().post(&format!("/auth/{path}"), &json!({ "phone": number, "channel": "sms" })).await;
            assert_eq!((reply.status, code_of(&reply).as_str()), (422, "country_not_allowed"), "{number}");
            let mut body = reply.json();
            body["request_id"] = Value::Null;
            bodies.push(body);
        }
        let page = place.person().post_form("/auth/login", &[("address", number), ("next", "/")]).await;
        assert_eq!(page.status, 422, "{number}");
        assert!(page.text().contains("No codes are sent to this number"), "{}", page.text());
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1);
    assert_eq!(metric(&[&place.gateway], "doorward_limit_refusals_total{limit=\"sms_countries\"}").await, 18);
    assert_eq!(sent_to(&place, "+"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_sent_is_answered_alike_and_costs_nothing() {
    let wants = Wants {
        sections: vec![("otp", "registration = \"closed\"\nresend_after = \"60s\""), ("limits", LIMITS), ("limits", "sms_per_day = 1000")],
        routes: PROVIDER,
        ..Wants::default()
    };
    let place = Place::with(wants).await;
    for number in ["+4915112345678", "+4915112345679"] {
        let (code, _, error) = place.gateway.command(&["account", "add", "--phone", number]);
        assert_eq!(code, 0, "{error}");
    }

    for index in 0..40_usize {
        assert_eq!(ask_from(&place.gateway, 0, &format!("+491511{index:07}")).await.status, 200, "{index}");
    }

    assert_eq!(ask_from(&place.gateway, 0, "+4915112345678").await.status, 200);
    wait_for_sent(&place, "+4915112345678", 1).await;
    assert_eq!(sent_to(&place, "+"), 1);
}
