//! `key` and `healthcheck`.

use super::{behind_a_door, printed, sign_in};
use crate::support::smtp::Mailbox;
use crate::support::upstream::Upstream;

#[tokio::test(flavor = "multi_thread")]
async fn the_next_key_is_listed_before_it_signs() {
    let (app, mailbox) = (Upstream::start().await, Mailbox::start().await);
    let gateway = behind_a_door(&app, &mailbox, "").await;
    let person = gateway.person();
    sign_in(&person, &mailbox, "ada@example.com", 1).await;

    let before = printed(&gateway.command(&["key", "list", "--json"]));
    let after = printed(&gateway.command(&["key", "rotate", "--purpose", "access", "--json"]));

    let states = |keys: &serde_json::Value| -> Vec<String> {
        let mut states: Vec<String> = keys
            .as_array()
            .unwrap()
            .iter()
            .map(|key| format!("{} {}", key["purpose"].as_str().unwrap(), key["state"].as_str().unwrap()))
            .collect();
        states.sort();
        states
    };
    assert_eq!(states(&before), ["access signing", "assertion signing"]);
    assert_eq!(states(&after), ["access next", "access signing", "assertion signing"]);
    assert_eq!(person.get("/").await.status, 200);
    let text = format!("{before}{after}");
    assert!(!text.contains("sealed") && !text.contains("private"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_of_ones_own_is_rotated_by_its_owner() {
    let (app, mailbox) = (Upstream::start().await, Mailbox::start().await);
    let gateway = behind_a_door(&app, &mailbox, "[tokens]\nsecret = \"0123456789abcdef0123456789abcdef\"").await;

    let (code, _, complaint) = gateway.command(&["key", "rotate", "--purpose", "access"]);

    assert_eq!((code, complaint.as_str()), (1, "doorward: access tokens are signed with tokens.secret: change it there\n"));
    assert_eq!(gateway.command(&["key", "rotate", "--purpose", "assertion"]).0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_healthcheck_asks_the_gateway_that_runs() {
    let (app, mailbox) = (Upstream::start().await, Mailbox::start().await);
    let mut gateway = behind_a_door(&app, &mailbox, "").await;

    let alive = gateway.command(&["healthcheck"]);
    gateway.terminate();
    let (code, printed, complaint) = gateway.command(&["healthcheck"]);

    assert_eq!(alive.0, 0, "{alive:?}");
    assert!(alive.1.contains("ok"), "{alive:?}");
    assert_eq!((code, printed.as_str()), (1, ""));
    assert!(complaint.starts_with("doorward: nobody answers at "), "{complaint}");
}
