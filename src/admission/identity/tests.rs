use serde_json::json;

use super::*;
use crate::admission::Refusal;
use crate::admission::support::{ACCESS, Asked, NOW, World, claims};

fn told(pairs: &[(String, String)], name: &str) -> Vec<String> {
    pairs.iter().filter(|(found, _)| found == name).map(|(_, value)| value.clone()).collect()
}

#[tokio::test]
async fn an_app_is_told_who_is_there() {
    let world = World::new(json!([{ "name": "wiki" }]));
    let received = world.received(&Asked::get("/").bearer(&world.token(&claims())).with("accept", "*/*")).await;
    let expected = [
        ("accept", "*/*"),
        ("remote-email", "ada@example.com"),
        ("remote-groups", "staff,writers"),
        ("remote-name", "Ada Lovelace"),
        ("remote-user", "ada"),
        ("x-doorward-assertion", "assertion.wiki.token-1"),
    ];
    assert_eq!(received, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[tokio::test]
async fn each_preset_has_its_names() {
    for (preset, expected) in [
        ("x-forwarded", vec!["x-forwarded-email", "x-forwarded-groups", "x-forwarded-preferred-username", "x-forwarded-user"]),
        (
            "x-auth-request",
            vec!["x-auth-request-email", "x-auth-request-groups", "x-auth-request-preferred-username", "x-auth-request-user"],
        ),
        ("authentik", vec!["x-authentik-email", "x-authentik-groups", "x-authentik-name", "x-authentik-uid", "x-authentik-username"]),
        ("cloudflare", vec!["cf-access-authenticated-user-email", "cf-access-jwt-assertion"]),
    ] {
        let world = World::with_identity(json!([{}]), &json!({ "headers": preset }));
        let received = world.received(&Asked::get("/").bearer(&world.token(&claims()))).await;
        let mut names: Vec<_> = received.iter().map(|(name, _)| name.as_str()).collect();
        names.retain(|name| *name != "x-doorward-assertion");
        assert_eq!(names, expected, "{preset}");
        assert_eq!(told(&received, "x-doorward-assertion"), ["assertion.route-0.token-1"]);
    }
    let world = World::with_identity(json!([{}]), &json!({ "headers": "authentik" }));
    let received = world.received(&Asked::get("/").bearer(&world.token(&claims()))).await;
    assert_eq!(told(&received, "x-authentik-groups"), ["staff|writers"]);
    assert_eq!(told(&received, "x-authentik-uid"), ["account-1"]);
}

#[tokio::test]
async fn own_names_tell_own_claims() {
    let world =
        World::with_identity(json!([{}]), &json!({ "custom": { "X-Department": "department", "X-Level": "level", "X-None": "none" } }));
    let mut some = claims();
    some.custom = serde_json::from_value(json!({ "department": ["r&d", "a,b"], "level": 3, "none": null })).unwrap();
    let received = world.received(&Asked::get("/").bearer(&world.token(&some)).with("x-none", "forged").with("x_level", "9")).await;
    assert_eq!(told(&received, "x-department"), ["r&d,a%2Cb"]);
    assert_eq!(told(&received, "x-level"), ["3"]);
    assert!(told(&received, "x-none").is_empty() && told(&received, "x_level").is_empty());
}

#[test]
fn values_are_plain_ascii() {
    let value = |text: &str| value(|say| say(text), None).map(|value| value.to_str().unwrap().to_owned());
    assert_eq!(value("Ada Lovelace").as_deref(), Some("Ada Lovelace"));
    assert_eq!(value("Grüße").as_deref(), Some("Gr%C3%BC%C3%9Fe"));
    assert_eq!(value("100%").as_deref(), Some("100%25"));
    assert_eq!(value("a\r\nb: c\0").as_deref(), Some("a%0D%0Ab: c%00"));
    assert_eq!(value("%C3%A9").as_deref(), Some("%25C3%25A9"), "not what é is");
    assert_eq!(value("Doe, John").as_deref(), Some("Doe, John"));
    assert_eq!(value("a|b").as_deref(), Some("a|b"));
    assert_eq!(value(" ada ").as_deref(), Some("%20ada%20"));
    assert_eq!(value("  ").as_deref(), Some("%20%20"));
    assert_eq!(value("a a").as_deref(), Some("a a"));
    assert_eq!(value(""), None);
}

#[test]
fn what_separates_is_encoded_in_lists_alone() {
    let list = |separator: char| {
        let value = value(|say| ["a,b", "c|d", "é"].into_iter().for_each(say), Some(separator));
        value.map(|value| value.to_str().unwrap().to_owned())
    };
    assert_eq!(list(',').as_deref(), Some("a%2Cb,c|d,%C3%A9"));
    assert_eq!(list('|').as_deref(), Some("a,b|c%7Cd|%C3%A9"));
}

#[tokio::test]
async fn a_name_of_plain_ascii_arrives_as_it_is_in_every_preset() {
    for (preset, header) in [("remote", "remote-name"), ("authentik", "x-authentik-name")] {
        let world = World::with_identity(json!([{}]), &json!({ "headers": preset, "custom": { "X-Called": "name", "X-Team": "team" } }));
        let mut some = claims();
        some.name = Some("Doe, John | \"JD\"; 100%".to_owned());
        some.custom = serde_json::from_value(json!({ "team": "Sales, EMEA" })).unwrap();

        let received = world.received(&Asked::get("/").bearer(&world.token(&some))).await;

        for header in [header, "x-called"] {
            assert_eq!(told(&received, header), ["Doe, John | \"JD\"; 100%25"], "{preset}");
        }
        assert_eq!(told(&received, "x-team"), ["Sales, EMEA"]);
    }
}

#[tokio::test]
async fn what_a_claim_does_not_say_the_client_cannot_say_either() {
    let world = World::new(json!([{}]));
    let bare = Claims { name: None, groups: vec![], email: None, ..claims() };
    let mut asked = Asked::get("/").bearer(&world.token(&bare));
    for name in
        ["remote-name", "Remote_Name", "remote.groups", "X-Remote-Email", "REMOTE~EMAIL", "x-forwarded-user", "cf-access-jwt-assertion"]
    {
        asked = asked.with(name, "forged");
    }
    let received = world.received(&asked).await;
    let names: Vec<_> = received.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["remote-user", "x-doorward-assertion"]);
}

#[tokio::test]
async fn an_unverified_address_is_not_told() {
    let world = World::new(json!([{}]));
    let received = world.received(&Asked::get("/").bearer(&world.token(&Claims { email_verified: false, ..claims() }))).await;
    assert!(told(&received, "remote-email").is_empty());
    let nameless = Claims { preferred_username: None, email_verified: false, ..claims() };
    let received = world.received(&Asked::get("/").bearer(&world.token(&nameless))).await;
    assert_eq!(told(&received, "remote-user"), ["account-1"]);
    let received = world.received(&Asked::get("/").bearer(&world.token(&Claims { email_verified: true, ..nameless }))).await;
    assert_eq!(told(&received, "remote-user"), ["ada@example.com"]);
}

#[tokio::test]
async fn a_public_route_removes_and_sets_nothing() {
    let world = World::new(json!([{ "require": "public" }]));
    let token = world.token(&claims());
    let asked = Asked::get("/").bearer(&token).with("Remote_User", "forged").with("x-doorward-assertion", "forged").with("accept", "*/*");
    let received = world.received(&asked.cookie(ACCESS, &token)).await;
    assert_eq!(received, [("accept".to_owned(), "*/*".to_owned())]);
}

#[tokio::test]
async fn names_of_ours_are_counted_and_tokens_are_not() {
    let world = World::new(json!([{}]));
    let token = world.token(&claims());
    let asked = Asked::get("/").bearer(&token).cookie(ACCESS, &token).with("remote.user", "a").with("x-other", "b");
    let edit = world.admit(&asked).await.unwrap().edit().clone();
    let removals: Vec<_> = asked.incoming().head.headers.keys().filter(|name| edit.removes(name)).collect();
    assert_eq!(removals.len(), 3);
    assert_eq!(removals.iter().filter(|name| edit.is_reserved(name)).count(), 1);
}

#[tokio::test]
async fn our_tokens_stay_here_and_the_apps_travel_on() {
    let world = World::new(json!([{}]));
    let token = world.token(&claims());
    let asked = Asked::get("/")
        .with("authorization", "Bearer not-ours")
        .with("cookie", "a=1")
        .cookie(ACCESS, &token)
        .with("cookie", "b=2; c=\"3\"");
    let received = world.received(&asked).await;
    assert_eq!(told(&received, "authorization"), ["Bearer not-ours"]);
    assert_eq!(told(&received, "cookie"), ["a=1; b=2; c=\"3\""]);

    let received = world.received(&Asked::get("/").bearer(&token).with("cookie", "a=1").with("cookie", "b=2")).await;
    assert_eq!(told(&received, "authorization"), Vec::<String>::new());
    assert_eq!(told(&received, "cookie"), ["a=1", "b=2"]);
}

/// It lets nobody in so, and would lead in whoever reads it.
#[tokio::test]
async fn what_is_ours_reaches_no_app_in_any_form() {
    let world = World::new(json!([{}]));
    let token = world.token(&claims());
    let long = format!("Bearerdwk_{}", "a1".repeat(30));
    for hidden in
        ["dwk_abc", "DWK_abc", "Token dwk_abc", long.as_str(), "Bearer,dwk_abc", "Bearer x, Bearer dwk_abc", "Digest a=\"dwk_abc\""]
    {
        let received = world.received(&Asked::get("/").with("authorization", hidden).cookie(ACCESS, &token)).await;
        assert_eq!(told(&received, "authorization"), Vec::<String>::new(), "{hidden}");
    }
    for form in ["{}", "Token {}", "Token token={}", "DPoP {}", "Custom a:\"{}\""] {
        let hidden = form.replace("{}", token.expose());
        let received = world.received(&Asked::get("/").with("authorization", &hidden).cookie(ACCESS, &token)).await;
        assert_eq!(told(&received, "authorization"), Vec::<String>::new(), "{form}");
    }
    for theirs in ["Bearer dwk", "Bearer xdwk_machine", "Token abc.def.ghi", "Digest username=\"a\""] {
        let received = world.received(&Asked::get("/").with("authorization", theirs).cookie(ACCESS, &token)).await;
        assert_eq!(told(&received, "authorization"), [theirs]);
    }
}

#[tokio::test]
async fn a_cookie_under_another_prefix_is_ours_too() {
    let world = World::new(json!([{}]));
    let asked = Asked::get("/").bearer(&world.token(&claims())).with("cookie", "__secure-Doorward_refresh=x; doorward_access=y");
    assert!(told(&world.received(&asked).await, "cookie").is_empty());
}

#[tokio::test]
async fn a_route_can_ask_for_the_token() {
    let world = World::new(json!([{ "forward_token": true }]));
    let token = world.token(&claims());
    let bearer = format!("Bearer {}", token.expose());
    let by_cookie = world.received(&Asked::get("/").cookie(ACCESS, &token).with("authorization", "Basic YTpi")).await;
    assert_eq!(told(&by_cookie, "authorization"), [bearer.as_str()]);
    let by_header = world.received(&Asked::get("/").bearer(&token)).await;
    assert_eq!(told(&by_header, "authorization"), [bearer.as_str()]);
}

#[tokio::test]
async fn values_of_tokens_do_not_print() {
    let world = World::new(json!([{ "forward_token": true }]));
    let token = world.token(&claims());
    let edit = world.admit(&Asked::get("/").cookie(ACCESS, &token)).await.unwrap().edit().clone();
    assert!(!format!("{edit:?}").contains(token.expose().as_str()) && !format!("{edit:?}").contains("assertion.route"));
}

#[tokio::test]
async fn an_app_is_told_the_same_while_it_is_fresh() {
    let world = World::new(json!([{ "name": "wiki" }, { "name": "shop", "path": "/shop" }]));
    let token = world.token(&claims());
    let asserted = || world.behind.asserted.load(std::sync::atomic::Ordering::Relaxed);
    for (path, offset, made) in [("/", 0, 1), ("/", 30, 1), ("/shop", 30, 2), ("/", 31, 3), ("/shop", 60, 3), ("/", -1, 4), ("/", 29, 4)] {
        let now = Timestamp::from_secs(NOW.as_secs() + offset);
        world.admit_at(&Asked::get(path).bearer(&token), now).await.unwrap();
        assert_eq!(asserted(), made, "{path} {offset}");
    }
}

/// A token's name is chosen by whoever mints it: with `tokens.secret` that may be somebody else, who counts from one.
#[tokio::test]
async fn tokens_of_one_name_are_those_of_two_people_all_the_same() {
    let world = World::new(json!([{ "name": "wiki" }, { "name": "shop", "path": "/shop" }]));
    let ada = claims();
    let eve = Claims { sub: crate::id::AccountId::new("account-2"), preferred_username: Some("eve".to_owned()), ..claims() };
    assert_eq!((&ada.jti, &ada.sid), (&eve.jti, &eve.sid));
    for _ in 0..3 {
        for (who, name) in [(&ada, "ada"), (&eve, "eve")] {
            for (path, route) in [("/", "wiki"), ("/shop", "shop")] {
                let received = world.received(&Asked::get(path).cookie(ACCESS, &world.token(who))).await;
                assert_eq!(told(&received, "remote-user"), [name]);
                assert_eq!(told(&received, "x-doorward-assertion"), [format!("assertion.{route}.token-1")]);
            }
        }
    }
}

/// Nothing that is remembered lets anybody in.
#[tokio::test]
async fn who_is_known_is_asked_about_again() {
    let world = World::new(json!([{}]));
    let asked = Asked::get("/").bearer(&world.token(&claims()));
    for _ in 0..3 {
        world.admit(&asked).await.unwrap();
    }
    assert_eq!(world.behind.asked.load(std::sync::atomic::Ordering::Relaxed), 3);
    world.revoke(&claims());
    assert_eq!(world.refusal(&asked).await, Refusal::SessionEnded);
}
