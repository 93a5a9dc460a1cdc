//! Many people ask while the only provider hangs: answers stay quick, memory stays bounded, and what is dropped is counted.

use std::time::{Duration, Instant};

use serde_json::json;

use super::configuration;
use super::kinds::Kind;
use crate::support::gateway::Gateway;
use crate::support::provider::{Manner, Provider};

/// Twice what the queue holds. With 10,000 in a minute it is the same: the memory grows by 5 MiB, half of them wait 50 ms.
const PEOPLE: usize = 2000;
/// At once.
const CROWD: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_hangs_costs_a_bounded_queue_and_nobody_waits() {
    let provider = Provider::start();
    provider.behave(Manner::Hang);
    let delivery = Kind::Resend.at(&provider.url(), "it");
    let quiet = move || Gateway::start(|place| configuration(place, &delivery, "").replace("doorward=trace,info", "error"));
    let gateway = std::sync::Arc::new(tokio::task::spawn_blocking(quiet).await.unwrap());
    ask(&gateway, "warm", CROWD * 5).await;
    let before = resident(gateway.pid());

    let mut waits = ask(&gateway, "person", PEOPLE).await;

    waits.sort();
    let (median, slowest) = (waits[waits.len() / 2], waits[waits.len() - 1]);
    assert!(median < Duration::from_millis(500) && slowest < Duration::from_secs(5), "median {median:?}, slowest {slowest:?}");
    // The last ones wait for their pause yet.
    let text = crate::support::wait::until_async("messages to be dropped", Duration::from_secs(20), || async {
        let text = gateway.operator().get("/metrics").await.text();
        (counted(&text, "dropped") > 0).then_some(text)
    })
    .await;
    let grown = resident(gateway.pid()).saturating_sub(before);
    assert!(grown < 64 * 1024 * 1024, "{grown} bytes more");
    assert_eq!(counted(&text, "sent"), 0);
    assert!(provider.requests().len() <= 100, "a provider that hangs is left alone, {} were tried", provider.requests().len());
}

/// So many people ask for a code; how long each waited for the answer.
async fn ask(gateway: &std::sync::Arc<Gateway>, who: &str, count: usize) -> Vec<Duration> {
    let mut crowd = tokio::task::JoinSet::new();
    for member in 0..CROWD {
        let (gateway, who) = (std::sync::Arc::clone(gateway), who.to_owned());
        crowd.spawn(async move {
            let person = gateway.person();
            let mut waits = Vec::new();
            for nth in (member..count).step_by(CROWD) {
                let begun = Instant::now();
                let asked = person.post("/auth/request-otp", &json!({ "email": format!("{who}{nth}@example.com") })).await;
                waits.push(begun.elapsed());
                assert_eq!(asked.status, 200, "{}", asked.text());
            }
            waits
        });
    }
    crowd.join_all().await.concat()
}

fn counted(metrics: &str, outcome: &str) -> u64 {
    let name = format!("outcome=\"{outcome}\"");
    let lines = metrics.lines().filter(|line| line.starts_with("doorward_otp_sent_total") && line.contains(&name));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
}

/// How much memory a process has, in bytes.
fn resident(pid: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 1024
}
