use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::admission::support::{Asked, NOW, World, claims, table};
use crate::admission::{Table, matched, revocation};

/// What the rules of the one route make of a request.
async fn decided(rules: Value, claims: Option<Claims>, asked: &Asked) -> Result<Option<usize>, Refusal> {
    let table = table(json!([{ "rule": rules }]));
    decided_by(&table, claims, asked).await
}

async fn decided_by(table: &Table, claims: Option<Claims>, asked: &Asked) -> Result<Option<usize>, Refusal> {
    let world = World::new(json!([{}]));
    let incoming = asked.incoming();
    let matched = matched::find(table, &incoming).unwrap();
    let asking = world.asked_by(claims);
    let caller = world.caller(&asking).await;
    decide(caller, &matched, &incoming, 30, NOW).map(|permit| permit.rule)
}

async fn admits(rule: Value, claims: Claims) -> bool {
    match decided(json!([rule]), Some(claims), &Asked::get("/")).await {
        Ok(rule) => rule == Some(0),
        Err(refusal) => {
            assert_eq!(refusal, Refusal::Forbidden);
            false
        }
    }
}

#[tokio::test]
async fn a_route_without_rules_asks_for_a_session() {
    let table = table(json!([{}]));
    assert_eq!(decided_by(&table, Some(claims()), &Asked::get("/")).await, Ok(Some(0)));
    assert_eq!(decided_by(&table, None, &Asked::get("/")).await, Err(Refusal::Unauthenticated));
}

#[tokio::test]
async fn accounts_are_named_by_id_user_name_or_verified_address() {
    for name in ["account-1", "ada", "ada@example.com", "Ada@Example.com"] {
        assert!(admits(json!({ "accounts": ["x", name] }), claims()).await, "{name}");
    }
    for name in ["account-2", "Ada", "bob@example.com", "example.com", "@example.com", ""] {
        assert!(!admits(json!({ "accounts": [name] }), claims()).await, "{name}");
    }
    let unverified = Claims { email_verified: false, ..claims() };
    assert!(!admits(json!({ "accounts": ["ada@example.com"] }), unverified).await);
    let phone = Claims { phone_number: Some("+4930123".to_owned()), phone_number_verified: true, ..claims() };
    assert!(admits(json!({ "accounts": ["+4930123"] }), phone).await);
}

#[tokio::test]
async fn a_user_name_that_looks_like_an_address_is_none() {
    let pretender = Claims { preferred_username: Some("boss@example.com".to_owned()), ..claims() };
    assert!(!admits(json!({ "accounts": ["boss@example.com"] }), pretender).await);
    let pretender = Claims { preferred_username: Some("+4930123".to_owned()), ..claims() };
    assert!(!admits(json!({ "accounts": ["+4930123"] }), pretender).await);
}

#[tokio::test]
async fn domains_are_whole_and_of_verified_addresses() {
    let email = |email: &str, verified| Claims { email: Some(email.to_owned()), email_verified: verified, ..claims() };
    let rule = || json!({ "email_domains": ["Example.com"] });

    assert!(admits(rule(), email("ada@example.com", true)).await);
    assert!(admits(rule(), email("ada@EXAMPLE.com", true)).await);
    assert!(!admits(rule(), email("ada@example.com", false)).await);
    assert!(!admits(rule(), email("ada@sub.example.com", true)).await);
    assert!(!admits(rule(), email("ada@example.com.evil.example", true)).await);
    assert!(!admits(rule(), email("ada@evilexample.com", true)).await);
    assert!(!admits(rule(), email("a@example.com@evil.example", true)).await);
    assert!(!admits(rule(), Claims { email: None, ..claims() }).await);
}

#[tokio::test]
async fn one_group_suffices_and_every_claim_is_needed() {
    assert!(admits(json!({ "groups": ["admins", "staff"] }), claims()).await);
    assert!(!admits(json!({ "groups": ["Staff", "sta"] }), claims()).await);
    let mut some = claims();
    some.custom =
        serde_json::from_value(json!({ "department": ["research", "library"], "level": 3, "fired": false, "deep": { "a": "b" } })).unwrap();
    assert!(admits(json!({ "claims": { "department": ["library"], "level": ["3"], "fired": ["false"] } }), some.clone()).await);
    assert!(!admits(json!({ "claims": { "department": ["library"], "level": ["4"] } }), some.clone()).await);
    assert!(!admits(json!({ "claims": { "deep": ["b"] } }), some.clone()).await);
    assert!(!admits(json!({ "claims": { "absent": [""] } }), some).await);
    assert!(admits(json!({ "claims": { "name": ["Ada Lovelace"], "acr": ["one_factor"], "amr": ["email"] } }), claims()).await);
}

#[tokio::test]
async fn verified_asks_for_the_address_that_they_have() {
    let rule = || json!({ "verified": true });
    assert!(admits(rule(), claims()).await);
    assert!(!admits(rule(), Claims { email_verified: false, phone_number_verified: true, ..claims() }).await);
    let phone = |verified| Claims { email: None, phone_number: Some("+4930123".to_owned()), phone_number_verified: verified, ..claims() };
    assert!(admits(rule(), phone(true)).await);
    assert!(!admits(rule(), phone(false)).await);
}

#[tokio::test]
async fn all_that_is_set_must_hold() {
    assert!(admits(json!({ "accounts": ["ada"], "groups": ["staff"], "email_domains": ["example.com"] }), claims()).await);
    assert!(!admits(json!({ "accounts": ["ada"], "groups": ["admins"] }), claims()).await);
    assert!(!admits(json!({ "accounts": ["bob"], "groups": ["staff"] }), claims()).await);
}

#[tokio::test]
async fn networks_hold_the_clients_address() {
    let rules = || json!([{ "networks": ["192.0.2.0/24", "2001:db8::/32"] }]);
    for (address, inside) in
        [("192.0.2.255", true), ("::ffff:192.0.2.1", true), ("2001:db8:1::1", true), ("192.0.3.0", false), ("2001:db9::1", false)]
    {
        let found = decided(rules(), Some(claims()), &Asked::get("/").from(address)).await;
        assert_eq!(found, if inside { Ok(Some(0)) } else { Err(Refusal::Forbidden) }, "{address}");
    }
}

#[tokio::test]
async fn a_second_factor_or_a_fresh_sign_in_is_asked_for_only_if_it_would_help() {
    let asked = Asked::get("/");
    let aged = |age: i64| Claims { auth_time: NOW.as_secs() - age, ..claims() };
    let strong = |age| Claims { acr: Acr::TwoFactor, ..aged(age) };
    let rules = || json!([{ "require": "second_factor", "groups": ["staff"], "max_age": "10m" }]);

    assert_eq!(decided(rules(), Some(strong(600)), &asked).await, Ok(Some(0)));
    assert_eq!(decided(rules(), Some(strong(601)), &asked).await, Err(Refusal::TooLongAgo(600)));
    assert_eq!(decided(rules(), Some(aged(0)), &asked).await, Err(Refusal::SecondFactorNeeded));
    assert_eq!(decided(rules(), Some(Claims { groups: vec![], ..aged(601) }), &asked).await, Err(Refusal::Forbidden));
    assert_eq!(decided(rules(), None, &asked).await, Err(Refusal::Unauthenticated));
}

#[tokio::test]
async fn nobody_has_signed_in_tomorrow() {
    let asked = Asked::get("/");
    let ahead = |secs: i64| Some(Claims { auth_time: NOW.as_secs() + secs, ..claims() });
    assert_eq!(decided(json!([{}]), ahead(30), &asked).await, Ok(Some(0)));
    assert_eq!(decided(json!([{}]), ahead(31), &asked).await, Err(Refusal::InvalidToken));
}

#[tokio::test]
async fn the_first_that_admits_decides() {
    let rules = || json!([{ "groups": ["admins"] }, { "accounts": ["ada"] }, { "require": "public" }]);
    assert_eq!(decided(rules(), Some(claims()), &Asked::get("/")).await, Ok(Some(1)));
    assert_eq!(decided(rules(), Some(Claims { groups: vec!["admins".to_owned()], ..claims() }), &Asked::get("/")).await, Ok(Some(0)));
    assert_eq!(decided(rules(), None, &Asked::get("/")).await, Ok(Some(2)));
}

#[tokio::test]
async fn a_rule_for_a_path_is_not_widened_by_one_for_more() {
    let rules = || json!([{ "require": "public" }, { "path": "/admin", "groups": ["admins"] }, {}]);
    for target in ["/admin", "/admin/x"] {
        assert_eq!(decided(rules(), Some(claims()), &Asked::get(target)).await, Err(Refusal::Forbidden), "{target}");
        assert_eq!(decided(rules(), None, &Asked::get(target)).await, Err(Refusal::Unauthenticated), "{target}");
    }
    assert_eq!(decided(rules(), None, &Asked::get("/administrator")).await, Ok(Some(0)));
}

#[tokio::test]
async fn a_rule_for_some_methods_leaves_the_others_to_the_next() {
    let rules = || json!([{ "path": "/docs", "methods": ["GET", "HEAD"], "require": "public" }, {}]);
    assert_eq!(decided(rules(), None, &Asked::get("/docs/x")).await, Ok(Some(0)));
    assert_eq!(decided(rules(), None, &Asked::new("POST", "/docs/x")).await, Err(Refusal::Unauthenticated));
    assert_eq!(decided(rules(), Some(claims()), &Asked::new("POST", "/docs/x")).await, Ok(Some(1)));
}

#[tokio::test]
async fn no_rule_for_the_request_is_a_no() {
    let rules = || json!([{ "methods": ["GET"], "require": "public" }]);
    assert_eq!(decided(rules(), Some(claims()), &Asked::new("DELETE", "/")).await, Err(Refusal::Forbidden));
    assert_eq!(decided(rules(), None, &Asked::new("DELETE", "/")).await, Err(Refusal::Unauthenticated));
}

#[tokio::test]
async fn what_is_public_first_is_open() {
    let open = |rules: Value, asked: &Asked| {
        let table = table(json!([{ "rule": rules }]));
        let incoming = asked.incoming();
        is_open(&matched::find(&table, &incoming).unwrap(), &incoming)
    };
    let asked = Asked::get("/docs/x");
    assert!(open(json!([{ "require": "public" }, {}]), &asked));
    assert!(open(json!([{}, { "path": "/docs", "require": "public" }]), &asked));
    assert!(!open(json!([{}, { "require": "public" }]), &asked));
    assert!(open(json!([{ "networks": ["192.0.2.0/24"], "require": "public" }, {}]), &asked));
    assert!(!open(json!([{ "networks": ["10.0.0.0/8"], "require": "public" }, {}]), &asked));
    assert!(!open(json!([{ "path": "/docs" }, { "require": "public" }]), &asked));
}

#[tokio::test]
async fn a_preflight_passes_without_identity_where_a_rule_could_be_met() {
    let preflight = |target| Asked::new("OPTIONS", target).with("origin", "https://a.example").with("access-control-request-method", "PUT");
    assert_eq!(decided(json!([{ "require": "second_factor" }]), None, &preflight("/")).await, Ok(None));
    assert_eq!(decided(json!([{ "methods": ["PUT"] }]), None, &preflight("/")).await, Ok(None));
    assert_eq!(decided(json!([{ "methods": ["GET"] }]), None, &preflight("/")).await, Err(Refusal::Forbidden));
    assert_eq!(decided(json!([{ "networks": ["10.0.0.0/8"] }]), None, &preflight("/")).await, Err(Refusal::Forbidden));

    let refusing = table(json!([{ "preflight": "refuse", "require": "public" }]));
    assert_eq!(decided_by(&refusing, None, &preflight("/")).await, Err(Refusal::PreflightRefused));
    assert_eq!(decided_by(&refusing, None, &Asked::new("OPTIONS", "/")).await, Ok(Some(0)));
}

#[tokio::test]
async fn a_session_that_has_ended_is_told_so() {
    let world = World::new(json!([{}]));
    world.revoke(&claims());
    let asked = Asked::get("/");
    let incoming = asked.incoming();
    let table = table(json!([{}]));
    let matched = matched::find(&table, &incoming).unwrap();
    let asking = world.asked_by(Some(claims()));
    let caller = world.caller(&asking).await;
    assert!(matches!(caller, revocation::Caller::Nobody(Refusal::SessionEnded)));
    assert_eq!(decide(caller, &matched, &incoming, 30, NOW).unwrap_err(), Refusal::SessionEnded);
}

/// A rule as the words of the manual say it, without any of the code above.
fn spoken(rules: &[(Option<&str>, &str, Option<&str>)], path: &str, group: Option<&str>) -> Option<usize> {
    let under = |prefix: &str| path == prefix || path.starts_with(&format!("{prefix}/"));
    let fits = |rule: &&(usize, &(Option<&str>, &str, Option<&str>))| rule.1.0.is_none_or(under);
    let numbered: Vec<_> = rules.iter().enumerate().collect();
    let fitting: Vec<_> = numbered.iter().filter(fits).collect();
    let longest = fitting.iter().map(|(_, rule)| rule.0.map_or(0, str::len)).max()?;
    let mut deciding = fitting.into_iter().filter(|(_, rule)| rule.0.map_or(0, str::len) == longest);
    let admits = |rule: &(Option<&str>, &str, Option<&str>)| {
        rule.1 == "public" || (rule.1 == "session" && group.is_some_and(|group| rule.2.is_none_or(|wanted| wanted == group)))
    };
    deciding.find(|(_, rule)| admits(rule)).map(|(index, _)| *index)
}

proptest! {
    #[test]
    fn the_rules_decide_as_they_are_spoken(
        rules in prop::collection::vec((prop::option::of(prop::sample::select(vec!["/a", "/b", "/a/b"])), prop::sample::select(vec!["public", "session", "second_factor"]), prop::option::of(prop::sample::select(vec!["x", "y"]))), 1..6),
        path in prop::sample::select(vec!["/", "/a", "/a/b", "/a/b/c", "/ab", "/b", "/c"]),
        group in prop::option::of(prop::sample::select(vec!["x", "y", "z"])),
    ) {
        let written = rules.iter().map(|(path, require, group)| {
            let groups: Vec<&str> = group.iter().copied().filter(|_| *require != "public").collect();
            json!({ "path": path, "require": require, "groups": groups })
        });
        let claims = group.map(|group| Claims { groups: vec![group.to_owned()], ..claims() });
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let found = runtime.block_on(decided(written.collect(), claims, &Asked::get(path)));
        prop_assert_eq!(found.ok().flatten(), spoken(&rules, path, group));
    }
}
