//! `doorward apikey`, as an operator types it.

use serde_json::{Value, json};

use super::{id, key, place};
use crate::flow::place::Place;

fn listed(place: &Place) -> Vec<Value> {
    let done = place.gateway.command(&["apikey", "list", "--json"]);
    assert_eq!(done.0, 0, "{done:?}");
    serde_json::from_str(&done.1).unwrap()
}

fn refused(place: &Place, arguments: &[&str], code: i32, why: &str) {
    let done = place.gateway.command(&[&["apikey"], arguments].concat());
    assert_eq!((done.0, done.1.as_str()), (code, ""), "{arguments:?}: {done:?}");
    assert!(done.2.contains(why), "{arguments:?}: {}", done.2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_shown_once_and_listed_without_it() {
    let place = place().await;
    let made = key(
        &place.gateway,
        &["ci", "--scope", "read", "--scope", "route:wiki:GET,HEAD", "--owner", "Ada", "--group", "robots", "--expires", "90d"],
    );

    let keys = listed(&place);
    let table = place.gateway.command(&["apikey", "list"]);

    assert_eq!(keys.len(), 1);
    let mut one = keys[0].clone();
    for time in ["created_at", "expires_at"] {
        assert!(one[time].take().as_str().unwrap().ends_with('Z'));
    }
    let expected = json!({
        "id": id(&made), "name": "ci", "owner": "Ada", "scopes": ["read", "route:wiki:GET,HEAD"], "groups": ["robots"], "state": "good",
        "created_at": null, "expires_at": null, "last_used_at": null, "revoked_at": null,
    });
    assert_eq!(one, expected);
    assert_eq!(table.0, 0);
    let lines: Vec<&str> = table.1.lines().collect();
    assert!(lines[0].starts_with("ID ") && lines[1].contains("read route:wiki:GET,HEAD") && lines.len() == 2, "{table:?}");
    for text in [&table.1, &table.2, &serde_json::to_string(&keys).unwrap()] {
        assert!(!text.contains("dwk_") && !text.contains(&made[26..]), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_reads_the_key_from_json() {
    let place = place().await;

    let done = place.gateway.command(&["apikey", "create", "--name", "ci", "--scope", "app:shop", "--json"]);

    let made: Value = serde_json::from_str(&done.1).unwrap();
    assert_eq!(done.0, 0, "{done:?}");
    assert!(made["key"].as_str().unwrap().starts_with("dwk_"));
    assert_eq!((&made["name"], &made["expires_at"], &made["scopes"]), (&json!("ci"), &Value::Null, &json!(["app:shop"])));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_revoked_by_id_or_name_and_its_name_is_free() {
    let place = place().await;
    let first = key(&place.gateway, &["ci", "--scope", "read"]);
    refused(&place, &["create", "CI", "--scope", "read"], 1, "another key has this name");

    let by_name = place.gateway.command(&["apikey", "revoke", "ci"]);
    let second = key(&place.gateway, &["ci", "--scope", "read"]);
    let by_id = place.gateway.command(&["apikey", "revoke", &id(&second), "--json"]);
    let again = place.gateway.command(&["apikey", "revoke", &id(&second)]);

    assert_eq!((by_name.0, by_name.1.trim_end()), (0, id(&first).as_str()), "{by_name:?}");
    let revoked: Value = serde_json::from_str(&by_id.1).unwrap();
    assert_eq!((by_id.0, &revoked["state"]), (0, &json!("revoked")));
    assert!(revoked["revoked_at"].is_string());
    assert_eq!((again.0, again.2.contains("it was revoked before")), (0, true), "{again:?}");
    assert!(listed(&place).iter().all(|key| key["state"] == "revoked"));
    refused(&place, &["revoke", "ci"], 1, "there is no key ci that is good");
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_is_told_and_makes_nothing() {
    let place = place().await;
    for (arguments, code, why) in [
        (&["create", "ci"][..], 2, "--scope"),
        (&["create", "--scope", "read"], 2, "NAME"),
        (&["create", "ci", "--scope", "write"], 2, "is no scope"),
        (&["create", "ci", "--scope", "route:wiki:get"], 2, "is no scope"),
        (&["create", "ci", "--scope", "read", "--expires", "soon"], 2, "span of time"),
        (&["create", "ci", "--scope", "read", "--expires", "0s"], 1, "a second at least"),
        (&["create", "ci", "--scope", "read", "--expires", "99999999d"], 2, "ten years at most"),
        (&["create", "ci", "--scope", "read", "--expires", "3661d"], 2, "ten years at most"),
        (&["create", "c i", "--scope", "read"], 1, "a key's name is"),
        (&["create", "a:b", "--scope", "read"], 1, "a key's name is"),
        (&["create", "", "--scope", "read"], 1, "a key's name is"),
        (&["create", "ci", "--scope", "read", "--owner", " "], 1, "the owner is"),
        (&["create", "ci", "--scope", "read", "--group", "a b"], 1, "groups"),
        (&["revoke", "nobody"], 1, "there is no key nobody"),
        (&["revoke"], 2, "ID|NAME"),
        (&["rotate"], 2, "rotate"),
        (&[], 2, "create"),
    ] {
        refused(&place, arguments, code, why);
    }
    assert_eq!(listed(&place), Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_that_is_not_there_is_told() {
    let place = place().await;

    let done = place.gateway.command(&["apikey", "create", "ci", "--scope", "route:wikki", "--scope", "route:wiki"]);

    assert_eq!(done.0, 0);
    assert!(done.2.contains("there is no route wikki") && !done.2.contains("no route wiki "), "{}", done.2);
}
