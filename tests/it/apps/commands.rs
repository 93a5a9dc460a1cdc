//! `doorward app`, as an operator types it.

use std::time::Duration;

use doorward::app::{App, AppName, Apps};
use doorward::clock::{Clock, SystemClock};
use doorward::id::{AppId, KeyId};
use doorward::revocation::{Act, Ledger};
use serde_json::{Value, json};

use super::{Backend, assert_refused, done, store, strict_on};
use crate::flow::place::Database;
use crate::support::wait;

#[tokio::test(flavor = "multi_thread")]
async fn an_app_is_registered_shown_changed_and_removed() {
    let place = strict_on(Database::Sqlite).await;
    let gateway = &place.gateway;

    let added = done(gateway, &["app", "add", "shop", "--owner", "Ada Lovelace", "--json"]);
    assert!(added["key"].as_str().unwrap().starts_with("dwk_"), "{added}");
    assert_eq!(
        (&added["name"], &added["owner"], &added["route"], &added["revision"]),
        (&json!("shop"), &json!("Ada Lovelace"), &Value::Null, &json!(1))
    );

    let route = gateway.config().with_file_name("route.toml");
    std::fs::write(&route, "[[route]]\nhost = \"shop.example.com\"\nupstream = [\"http://127.0.0.1:1\"]\n").unwrap();
    let changed = done(gateway, &["app", "set", "shop", "--owner", "Bob", "--route", route.to_str().unwrap(), "--json"]);
    assert_eq!(
        (&changed["owner"], &changed["revision"], &changed["route"]["host"]),
        (&json!("Bob"), &json!(2), &json!("shop.example.com"))
    );
    let shown = done(gateway, &["app", "show", "shop", "--json"]);
    assert_eq!(shown, changed);
    assert_eq!(shown["keys"].as_array().unwrap().len(), 1);
    assert!(!shown.to_string().contains(added["key"].as_str().unwrap()), "a key is shown once");
    let id = added["id"].as_str().unwrap();
    assert_eq!(done(gateway, &["app", "show", id, "--json"]), shown, "by its id as by its name");
    let bank = done(gateway, &["app", "add", "bank", "--json"])["id"].as_str().unwrap().to_owned();
    assert_eq!(done(gateway, &["app", "set", &bank, "--owner", "Eve", "--json"])["name"], "bank");
    assert_eq!(done(gateway, &["app", "rotate-key", &bank, "--json"])["name"], "bank");
    assert_eq!(done(gateway, &["app", "remove", &bank, "--json"]), json!({ "removed": "bank" }));
    done(gateway, &["app", "add", "bank", "--json"]);
    let listed = done(gateway, &["app", "list", "--json"]);
    let names: Vec<&str> = listed.as_array().unwrap().iter().map(|app| app["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["bank", "shop"]);
    let (_, table, _) = gateway.command(&["app", "list"]);
    assert!(table.lines().any(|line| line.starts_with("shop") && line.contains("shop.example.com/")), "{table}");
    let without = done(gateway, &["app", "set", "shop", "--no-route", "--json"]);
    assert_eq!((&without["route"], &without["owner"]), (&Value::Null, &json!("Bob")));
    done(gateway, &["app", "remove", "shop", "--json"]);
    assert_eq!(done(gateway, &["app", "list", "--json"]).as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_name_is_the_id_of_another_app() {
    let place = strict_on(Database::Sqlite).await;
    let now = SystemClock.now();
    let other = App {
        id: AppId::new("drawn-without-a-capital"),
        name: AppName::parse("other").unwrap(),
        owner: String::new(),
        route: None,
        revision: 1,
        created_at: now,
        changed_at: now,
    };
    assert!(Apps::add(&store(&place), &other).await.unwrap());

    let (code, printed, complaint) = place.gateway.command(&["app", "add", other.id.as_str()]);

    assert_eq!((code, printed.as_str()), (1, ""), "{complaint}");
    assert!(complaint.contains("with this id"), "{complaint}");
    assert_eq!(done(&place.gateway, &["app", "show", other.id.as_str(), "--json"])["name"], "other");
}

#[tokio::test(flavor = "multi_thread")]
async fn nonsense_is_refused_in_words() {
    let place = strict_on(Database::Sqlite).await;
    done(&place.gateway, &["app", "add", "shop", "--json"]);
    let long = "a".repeat(61);
    let refused: [&[&str]; 12] = [
        &["app", "add", "shop"],
        &["app", "add", "Shop"],
        &["app", "add", "a b"],
        &["app", "add", ""],
        &["app", "add", &long],
        &["app", "add", "bank", "--owner", "two\nlines"],
        &["app", "add", "bank", "--route", "/nowhere"],
        &["app", "show", "bank"],
        &["app", "set", "bank", "--owner", "Ada"],
        &["app", "set", "shop", "--owner", "two\nlines"],
        &["app", "remove", "bank"],
        &["app", "rotate-key", "bank"],
    ];

    for arguments in refused {
        let (code, printed, complaint) = place.gateway.command(arguments);
        assert_eq!((code, printed.as_str()), (1, ""), "{arguments:?}: {complaint}");
        assert!(complaint.starts_with("doorward: "), "{complaint}");
    }
    let wrongly: [&[&str]; 4] = [&["app"], &["app", "add"], &["app", "set", "shop"], &["app", "rotate-key", "shop", "--grace", "soon"]];
    for arguments in wrongly {
        assert_eq!(place.gateway.command(arguments).0, 2, "{arguments:?}");
    }
    assert_eq!(done(&place.gateway, &["app", "list", "--json"]).as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_key_goes_on_for_its_grace_and_no_longer() {
    let place = strict_on(Database::Sqlite).await;
    let old = Backend::registered(&place, "shop");
    assert_eq!(old.register("ada").await.status, 201);

    let rotated = done(&place.gateway, &["app", "rotate-key", "shop", "--json"]);
    let new = Backend::with(&place, rotated["key"].as_str().unwrap());

    assert_ne!(new.key, old.key);
    assert_eq!((old.status("ada").await.status, new.status("ada").await.status), (200, 200), "both speak for the app");
    let shown = done(&place.gateway, &["app", "show", "shop", "--json"]);
    let expiring = shown["keys"].as_array().unwrap().iter().filter(|key| key["expires_at"].is_string()).count();
    assert_eq!((shown["keys"].as_array().unwrap().len(), expiring), (2, 1), "{shown}");

    let rotated = done(&place.gateway, &["app", "rotate-key", "shop", "--grace", "0s", "--json"]);
    let newest = Backend::with(&place, rotated["key"].as_str().unwrap());
    assert_eq!((newest.status("ada").await.status, old.status("ada").await.status), (200, 200), "the first one still has its grace");
    assert_refused(&new.status("ada").await, 401, "invalid_token");

    // An app whose keys are all revoked is given one.
    let keys = done(&place.gateway, &["app", "show", "shop", "--json"])["keys"].clone();
    for key in keys.as_array().unwrap() {
        let (act, now) = (Act::ApiKey(KeyId::new(key["id"].as_str().unwrap())), SystemClock.now());
        Ledger::commit(&store(&place), &act, "test", now, now.plus(Duration::from_secs(60))).await.unwrap();
    }
    let revoked = async || (newest.status("ada").await.status == 401).then_some(());
    wait::until_async("the key to be refused", Duration::from_secs(10), revoked).await;
    let again = done(&place.gateway, &["app", "rotate-key", "shop", "--json"]);
    assert_eq!(Backend::with(&place, again["key"].as_str().unwrap()).status("ada").await.status, 200);
}
