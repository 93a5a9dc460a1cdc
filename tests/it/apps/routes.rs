//! Routes that apps bring: live on every node without a restart, gone again without a request that is dropped, and never in
//! somebody's way.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::{done, on_each_database, strict_on};
use crate::admin::desk::Desk;
use crate::flow::place::{Database, Place};
use crate::support::child::Signal;
use crate::support::client::Person;
use crate::support::gateway::Gateway;
use crate::support::ports;
use crate::support::upstream::Upstream;
use crate::support::wait;

on_each_database!(a_route_is_live_on_every_node_within_two_seconds_and_goes_without_a_dropped_request);

/// The bound that is promised.
const BOUND: Duration = Duration::from_secs(2);

const PATIENCE: Duration = Duration::from_secs(20);

/// A file beside the configuration, with this in it.
fn file(gateway: &Gateway, name: &str, text: &str) -> PathBuf {
    let file = gateway.config().with_file_name(name);
    std::fs::write(&file, text).unwrap();
    file
}

/// Registers an app with a route; the command's exit code, and what it complained.
fn register(gateway: &Gateway, name: &str, route: &Value) -> (i32, String) {
    let file = file(gateway, "route.json", &route.to_string());
    let (code, _, complaint) = gateway.command(&["app", "add", name, "--route", file.to_str().unwrap()]);
    (code, complaint)
}

/// One that must be taken.
fn registered(gateway: &Gateway, name: &str, route: &Value) {
    let (code, complaint) = register(gateway, name, route);
    assert_eq!(code, 0, "{complaint}");
}

fn public(host: &str, app: &Upstream) -> Value {
    json!({ "host": host, "upstream": [app.url()], "require": "public" })
}

/// Waits until this is the answer; gives how long that took.
async fn until_answered(person: &Person, path: &str, status: u16) -> Duration {
    let begun = Instant::now();
    wait::until_async(&format!("{status} for {path}"), PATIENCE, async || (person.get(path).await.status == status).then_some(())).await;
    begun.elapsed()
}

/// Waits until the metrics have this line.
async fn until_shown(place: &Place, line: &str) {
    let look = async || place.gateway.operator().get("/metrics").await.text().lines().any(|printed| printed == line).then_some(());
    wait::until_async(line, PATIENCE, look).await;
}

/// Requests without a pause, from so many people, until it is stopped; every status that came.
struct Load {
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<Vec<u16>>>,
}

impl Load {
    fn of(people: Vec<Person>, path: &'static str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let begin = |person: Person| {
            let told = Arc::clone(&stop);
            tokio::spawn(async move {
                let mut seen = Vec::new();
                while !told.load(Ordering::SeqCst) {
                    // An answer is an answer, whichever; one that does not come is a panic.
                    seen.push(person.get(path).await.status);
                }
                seen
            })
        };
        let tasks = people.into_iter().map(begin).collect();
        Self { stop, tasks }
    }

    async fn end(self) -> Vec<u16> {
        self.stop.store(true, Ordering::SeqCst);
        let mut all = Vec::new();
        for task in self.tasks {
            all.extend(task.await.expect("no request was dropped"));
        }
        all
    }
}

async fn a_route_is_live_on_every_node_within_two_seconds_and_goes_without_a_dropped_request(database: Database) {
    let place = strict_on(database).await;
    let other = place.another_node().await;
    let app = Upstream::start().await;
    let (here, there) = (place.gateway.person_at("shop.example.com"), other.person_at("shop.example.com"));
    assert_eq!((here.get("/page").await.status, there.get("/page").await.status), (401, 401), "the root of all hosts asks for a session");
    let load = Load::of((0..4).map(|number| if number % 2 == 0 { here.copy() } else { there.copy() }).collect(), "/page");

    registered(&place.gateway, "shop", &public("shop.example.com", &app));
    let (took, took_there) = tokio::join!(until_answered(&here, "/page", 200), until_answered(&there, "/page", 200));
    assert!(took < BOUND && took_there < BOUND, "{took:?}, {took_there:?}");
    assert_eq!(here.get("/auth/api/code").await.status, 405, "the prefix is ours on every host");

    // Changed: closed, then at another place.
    let closed = file(&place.gateway, "closed.toml", &format!("host = \"shop.example.com\"\nupstream = [\"{}\"]\n", app.url()));
    done(&place.gateway, &["app", "set", "shop", "--route", closed.to_str().unwrap(), "--json"]);
    let took = until_answered(&there, "/page", 401).await;
    assert!(took < BOUND, "{took:?}");
    let opened = file(&place.gateway, "opened.json", &public("shop.example.com", &app).to_string());
    done(&place.gateway, &["app", "set", "shop", "--route", opened.to_str().unwrap(), "--json"]);
    until_answered(&there, "/page", 200).await;

    done(&other, &["app", "remove", "shop", "--json"]);
    let (took, took_there) = tokio::join!(until_answered(&here, "/page", 401), until_answered(&there, "/page", 401));
    assert!(took < BOUND && took_there < BOUND, "{took:?}, {took_there:?}");
    let statuses = load.end().await;
    assert!(statuses.len() > 100, "there was load: {}", statuses.len());
    assert!(statuses.iter().all(|status| matches!(status, 200 | 401)), "{statuses:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_that_is_in_somebodys_way_is_refused() {
    let place = strict_on(Database::Sqlite).await;
    let app = Upstream::start().await;
    registered(&place.gateway, "shop", &public("shop.example.com", &app));
    let desk = Desk::open(&place, "admin").await;
    let with = |more: Value| {
        let mut route = json!({ "upstream": [app.url()], "require": "public" });
        route.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        route
    };

    for (route, key) in [
        (with(json!({})), "route.path"),
        (with(json!({ "path": "/open" })), "route.path"),
        (with(json!({ "path": "/open/more" })), "route.path"),
        (with(json!({ "host": "127.0.0.1" })), "route.path"),
        (with(json!({ "host": "127.0.0.1", "path": "/open/more" })), "route.path"),
        (with(json!({ "host": "shop.example.com" })), "route.path"),
        (with(json!({ "host": "SHOP.example.com.", "path": "/more" })), "route.path"),
        (with(json!({ "path": "/auth" })), "route.path"),
        (with(json!({ "path": "/Auth/api" })), "route.path"),
        (with(json!({ "path": "/x/../auth" })), "route.path"),
        (with(json!({ "path": "/x", "name": "wiki" })), "route.name"),
        (with(json!({ "path": "/x", "name": "shop" })), "route.name"),
        (with(json!({ "host": "a/b" })), "route.host"),
        (with(json!({ "path": "/x", "upstream": ["ftp://127.0.0.1"] })), "route.upstream[0]"),
        (with(json!({ "path": "/x", "upstream": [] })), "route.upstream"),
        (with(json!({ "path": "/x", "upstream_tls": { "ca_file": "/nowhere" } })), "route.upstream_tls.ca_file"),
        (with(json!({ "path": "/x", "client_ca": "/nowhere" })), "route.client_ca"),
        (with(json!({ "path": "/x", "requires": "public" })), "route.requires"),
        (with(json!({ "path": "/x", "max_age": "soon" })), "route.max_age"),
        (with(json!({ "path": "/x", "connect_timeout": "1000000h" })), "route.connect_timeout"),
        (with(json!({ "path": "/x", "upstream": ["unix:/etc/passwd"] })), "route.upstream[0]"),
    ] {
        let (code, complaint) = register(&place.gateway, "bank", &route);
        assert_eq!(code, 1, "{route}");
        assert!(complaint.contains(key), "{route}: {complaint}");
        let refused = desk.post("/api/apps", &json!({ "name": "bank", "route": route })).await;
        let (said, told) = (refused.json(), complaint.contains(refused.json()["errors"][0]["problem"].as_str().unwrap()));
        assert_eq!((refused.status, &said["code"], &said["errors"][0]["key"]), (422, &json!("invalid_app"), &json!(key)), "{route}");
        assert!(told, "the command says the same: {complaint}{said}");
    }
    let nameless = desk.post("/api/apps", &json!({ "name": "No Name" })).await.json();
    assert_eq!(nameless["errors"][0]["key"], "name");

    assert_eq!(done(&place.gateway, &["app", "list", "--json"]).as_array().unwrap().len(), 1, "nothing was registered");
    registered(&place.gateway, "bank", &with(json!({ "path": "/bank" })));
    until_answered(&place.person(), "/bank", 200).await;
    let person = place.gateway.person_at("anything.example.com");
    assert_eq!((person.get("/bank").await.status, person.get("/banks").await.status, person.get("/open").await.status), (200, 401, 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_is_protected_as_any_route_is_and_gets_an_assertion_of_its_own() {
    let place = strict_on(Database::Sqlite).await;
    let app = Upstream::start().await;
    registered(&place.gateway, "shop", &json!({ "path": "/shop", "upstream": [app.url()], "require": "session" }));
    let person = place.sign_in("ada@example.com").await;

    // Until the app's route counts, the root of all hosts answers.
    let arrived = async || {
        assert_eq!(person.get("/shop/page").await.status, 200);
        (app.count() > 0).then_some(())
    };
    wait::until_async("the app's route", PATIENCE, arrived).await;

    let assertion = app.last().header("x-doorward-assertion").unwrap();
    assert_eq!(crate::flow::place::claims_of(&assertion)["aud"], "shop");
    let before = app.count();
    assert_eq!(place.person().get("/shop/page").await.status, 401);
    assert_eq!(app.count(), before, "who is refused does not reach it");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configuration_comes_first_and_who_cannot_be_is_left_out() {
    let mut place = strict_on(Database::Sqlite).await;
    let (app, new) = (Upstream::start().await, Upstream::start().await);
    let trust = file(&place.gateway, "trust.pem", &rcgen::generate_simple_self_signed(["shop".to_owned()]).unwrap().cert.pem());
    let trusting = json!({
        "host": "trust.example.com", "upstream": [format!("https://{}", ports::free_address())], "require": "public",
        "upstream_tls": { "ca_file": trust },
    });
    registered(&place.gateway, "trust", &trusting);
    registered(&place.gateway, "shop", &public("shop.example.com", &app));
    registered(&place.gateway, "bank", &public("bank.example.com", &app));
    let at = |place: &Place, host: &str| place.gateway.person_at(host);
    for (host, status) in [("trust.example.com", 502), ("shop.example.com", 200), ("bank.example.com", 200)] {
        until_answered(&at(&place, host), "/", status).await;
    }

    // The configuration takes the place of one app's route.
    let text = std::fs::read_to_string(place.gateway.config()).unwrap();
    let own = format!("[[route]]\nname = \"own\"\nhost = \"shop.example.com\"\nupstream = [\"{}\"]\nrequire = \"public\"\n", new.url());
    std::fs::write(place.gateway.config(), format!("{text}\n{own}")).unwrap();
    place.gateway.signal(Signal::Hup);
    let arrived = async || {
        assert_eq!(at(&place, "shop.example.com").get("/").await.status, 200);
        (new.count() > 0).then_some(())
    };
    wait::until_async("the configuration's route", PATIENCE, arrived).await;
    assert_eq!(at(&place, "bank.example.com").get("/").await.status, 200, "the others go on");
    until_shown(&place, "doorward_app_routes{state=\"left_out\"} 1").await;
    until_shown(&place, "doorward_app_routes{state=\"live\"} 2").await;
    place.gateway.wait_for_log("the route of app shop is left out");

    // What a route stands on is gone: it alone is left out, and the process starts.
    std::fs::remove_file(&trust).unwrap();
    place.gateway.restart();
    place.gateway.wait_for_log("the route of app trust is left out");
    assert_eq!(at(&place, "bank.example.com").get("/").await.status, 200);
    assert_eq!(at(&place, "trust.example.com").get("/").await.status, 401, "the root of all hosts");

    // The configuration gives the place back.
    std::fs::write(place.gateway.config(), text).unwrap();
    place.gateway.signal(Signal::Hup);
    let before = app.count();
    let back = async || {
        assert_eq!(at(&place, "shop.example.com").get("/").await.status, 200);
        (app.count() > before).then_some(())
    };
    wait::until_async("the app's route", PATIENCE, back).await;
}
