use std::sync::atomic::Ordering;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use http::Method;
use serde_json::{Value, json};

use super::*;
use crate::admission::support::{ACCESS, Asked, KEY, NOW, REFRESH, World, claims};
use crate::admission::{Refusal, Why};
use crate::id::{AccountId, SessionId, TokenId};
use crate::token::Amr;

fn robot() -> Claims {
    Claims {
        sub: AccountId::new("key-1"),
        jti: TokenId::new("key-1"),
        sid: SessionId::new("key-1"),
        kind: "apikey".to_owned(),
        email: None,
        email_verified: false,
        preferred_username: Some("apikey:ci".to_owned()),
        name: None,
        groups: vec!["robots".to_owned()],
        amr: vec![Amr::ApiKey],
        ..claims()
    }
}

fn pass(route: &str, methods: &[Method]) -> Pass {
    Pass { route: route.to_owned(), methods: methods.to_vec() }
}

/// A world with these routes, and a machine that may pass `route-0`.
fn world(routes: Value) -> World {
    let world = World::new(routes);
    world.machine(robot(), &[pass("route-0", &[])]);
    world
}

fn basic(pair: &str) -> Asked {
    Asked::get("/").with("authorization", &format!("Basic {}", STANDARD.encode(pair)))
}

fn bearer(key: &str) -> Asked {
    Asked::get("/").with("authorization", &format!("Bearer {key}"))
}

#[tokio::test]
async fn a_key_lets_a_machine_in_wherever_it_stands() {
    let world = world(json!([{}]));
    let unpadded = format!("basic  {}", STANDARD_NO_PAD.encode(format!("git:{KEY}")));
    for asked in [
        bearer(KEY),
        Asked::get("/").with("authorization", &format!("bEARER \t {KEY} ")),
        basic(&format!("anybody:{KEY}")),
        basic(&format!(":{KEY}")),
        basic(&format!("{KEY}:")),
        basic(&format!("{KEY}:x-oauth-basic")),
        Asked::get("/").with("authorization", &unpadded),
    ] {
        let admitted = world.admit(&asked).await.unwrap();
        assert_eq!(admitted.claims().map(|claims| claims.sub.as_str()), Some("key-1"));
    }
}

#[tokio::test]
async fn a_key_of_ours_that_is_none_is_refused_whatever_stands_beside_it() {
    let world = world(json!([{}]));
    let good = world.token(&claims());
    let mut wrong =
        vec![bearer("dwk_"), bearer("dwk_other"), bearer("DWK_machine"), bearer(&format!("{KEY} x")), bearer(&format!("{KEY}\u{fc}"))];
    wrong.extend(["me:dwk_other", "dwk_other:", &format!("me:{KEY}x"), &format!("me:{KEY}\u{fc}")].map(basic));
    for asked in wrong {
        let asked = asked.cookie(ACCESS, &good).cookie(REFRESH, &world.refresh(&claims()));
        assert_eq!(world.refusal(&asked).await, Refusal::InvalidToken);
    }
    assert_eq!(world.behind.renewed.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn two_keys_in_one_header_contradict_each_other_and_the_same_twice_is_one() {
    let world = world(json!([{}]));
    for pair in [format!("{KEY}:dwk_other"), format!("dwk_other:{KEY}"), format!("DWK_other:{KEY}")] {
        assert_eq!(world.refusal(&basic(&pair)).await, Refusal::ConflictingCredentials, "{pair}");
    }
    assert!(world.admit(&basic(&format!("{KEY}:{KEY}"))).await.is_ok());
}

#[tokio::test]
async fn what_is_no_key_belongs_to_the_app() {
    let world = world(json!([{}]));
    for asked in
        [basic("me:secret"), basic("dwk:me"), basic("no colon"), bearer("xdwk_machine"), Asked::get("/").with("authorization", "Basic !")]
    {
        assert_eq!(world.refusal(&asked).await, Refusal::Unauthenticated);
        let received = world.received(&asked.cookie(ACCESS, &world.token(&claims()))).await;
        assert!(received.iter().any(|(name, _)| name == "authorization"));
    }
}

#[tokio::test]
async fn a_key_beside_somebody_who_is_signed_in_is_a_contradiction() {
    let world = world(json!([{}]));
    let expired = world.token(&Claims { exp: NOW.as_secs() - 31, ..claims() });

    assert_eq!(world.refusal(&bearer(KEY).cookie(ACCESS, &world.token(&claims()))).await, Refusal::ConflictingCredentials);
    let admitted = world.admit(&bearer(KEY).cookie(ACCESS, &expired).cookie(REFRESH, &world.refresh(&claims()))).await.unwrap();
    assert!(admitted.issued().is_none(), "the cookies beside a key are left alone");
}

#[tokio::test]
async fn a_revoked_key_is_refused_as_an_unknown_one_is() {
    let world = world(json!([{ "rule": [{}, { "require": "public" }] }]));
    world.revoke(&robot());

    assert_eq!(world.refusal(&bearer(KEY)).await, Refusal::InvalidToken);
}

#[tokio::test]
async fn a_key_passes_only_what_it_names() {
    let routes = json!([{ "path": "/a" }, { "path": "/b" }]);
    let world = World::new(routes);
    world.machine(robot(), &[pass("route-0", &[Method::GET, Method::HEAD]), pass("route-9", &[])]);
    let asked = |method: &str, path: &str| Asked::new(method, path).with("authorization", &format!("Bearer {KEY}"));

    assert!(world.admit(&asked("GET", "/a")).await.is_ok());
    assert!(world.admit(&asked("HEAD", "/a")).await.is_ok());
    for (method, path) in [("POST", "/a"), ("OPTIONS", "/a"), ("GET", "/b"), ("POST", "/b")] {
        assert_eq!(world.refusal(&asked(method, path)).await, Refusal::Forbidden, "{method} {path}");
    }
    world.machine(robot(), &[]);
    assert_eq!(world.refusal(&asked("GET", "/a")).await, Refusal::Forbidden);
}

#[tokio::test]
async fn what_only_a_person_can_have_no_machine_has() {
    let rules = [
        json!({ "require": "second_factor" }),
        json!({ "accounts": ["apikey:ci"] }),
        json!({ "accounts": ["key-1"] }),
        json!({ "email_domains": ["example.com"] }),
        json!({ "claims": { "amr": ["apikey"] } }),
        json!({ "max_age": "1h" }),
        json!({ "verified": true }),
        json!({ "groups": ["staff"] }),
        json!({ "groups": ["robots"], "verified": true }),
        json!({ "methods": ["POST"] }),
        json!({ "networks": ["10.0.0.0/8"] }),
    ];
    for rule in rules {
        assert_eq!(world(json!([{ "rule": [rule.clone()] }])).refusal(&bearer(KEY)).await, Refusal::Forbidden, "{rule}");
    }
    for rule in [json!({}), json!({ "groups": ["x", "robots"] }), json!({ "methods": ["GET"], "networks": ["192.0.2.0/24"] })] {
        assert!(world(json!([{ "rule": [rule.clone()] }])).admit(&bearer(KEY)).await.is_ok(), "{rule}");
    }
}

#[tokio::test]
async fn the_app_is_told_of_a_machine_and_never_of_its_key() {
    let world = world(json!([{}]));
    for asked in [bearer(KEY), basic(&format!("me:{KEY}"))] {
        let received = world.received(&asked.with("remote-email", "ada@example.com").with("remote-name", "Ada")).await;

        let told = |name: &str| received.iter().find(|(named, _)| named == name).map(|(_, value)| value.as_str());
        assert_eq!((told("remote-user"), told("remote-groups")), (Some("apikey:ci"), Some("robots")));
        assert_eq!((told("remote-email"), told("remote-name"), told("authorization")), (None, None, None));
        assert_eq!(told("x-doorward-assertion"), Some("assertion.route-0.key-1"));
    }
}

#[tokio::test]
async fn a_key_is_taken_away_on_public_routes_too_and_forwarded_where_the_route_says_so() {
    let open = world(json!([{ "require": "public" }]));
    for asked in [bearer(KEY), bearer("dwk_other"), basic(&format!("me:{KEY}")), bearer(&format!("{KEY}\u{fc}"))] {
        assert!(open.received(&asked).await.iter().all(|(name, _)| name != "authorization" && name != "remote-user"));
    }
    let forwarding = world(json!([{ "forward_token": true }]));
    let received = forwarding.received(&basic(&format!("me:{KEY}"))).await;
    assert!(received.contains(&("authorization".to_owned(), format!("Bearer {KEY}"))));
}

#[tokio::test]
async fn another_site_cannot_send_a_header() {
    let world = world(json!([{}]));
    let asked = Asked::new("POST", "/").with("authorization", &format!("Bearer {KEY}")).with("sec-fetch-site", "cross-site");

    assert!(world.admit(&asked).await.is_ok());
}

#[tokio::test]
async fn a_key_that_cannot_be_looked_up_is_an_outage_and_public_routes_go_on() {
    let world = world(json!([{ "path": "/a" }, { "path": "/b", "require": "public" }]));
    world.behind.gone.store(true, Ordering::Relaxed);

    let asked = |path: &str| Asked::get(path).with("authorization", &format!("Bearer {KEY}"));
    assert!(matches!(world.admit(&asked("/a")).await.unwrap_err().why, Why::Outage(_)));
    assert!(world.admit(&asked("/b")).await.is_ok());
}
