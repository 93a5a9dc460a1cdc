use std::sync::atomic::Ordering;

use serde_json::json;

use super::support::{ACCESS, Asked, ISSUER, NOW, REFRESH, World, claims};
use super::{Refusal, Why};
use crate::id::{SessionId, TokenId};
use crate::secret::Secret;
use crate::token::Claims;

fn expired() -> Claims {
    Claims { exp: NOW.as_secs() - 31, ..claims() }
}

fn other() -> Claims {
    Claims { sid: SessionId::new("session-2"), jti: TokenId::new("token-2"), ..claims() }
}

#[tokio::test]
async fn a_token_lets_in_by_header_and_by_cookie() {
    let world = World::new(json!([{}]));
    let token = world.token(&claims());
    for asked in [
        Asked::get("/").bearer(&token),
        Asked::get("/").cookie(ACCESS, &token),
        Asked::get("/").with("authorization", &format!("bEARER   {} ", token.expose())),
        Asked::get("/").bearer(&token).cookie(ACCESS, &token),
    ] {
        let admitted = world.admit(&asked).await.unwrap();
        assert_eq!(admitted.session(), Some(&SessionId::new("session-1")));
        assert_eq!(admitted.rule(), Some(0));
        assert!(admitted.issued().is_none() && admitted.stripped().is_none());
    }
    assert_eq!(world.behind.asked.load(Ordering::Relaxed), 4);
}

#[tokio::test]
async fn nothing_lets_nobody_in() {
    let world = World::new(json!([{}]));
    for asked in [
        Asked::get("/"),
        Asked::get("/").with("authorization", "Basic YTpi"),
        Asked::get("/").with("authorization", "Bearer"),
        Asked::get("/").with("authorization", "Bearer a.b.c"),
        Asked::get("/").with("cookie", "doorward_access=x"),
        Asked::get("/").with("cookie", &format!("{ACCESS}=; {REFRESH}=")),
        Asked::get("/").with("cookie", &format!("{ACCESS}=garbage")),
        Asked::get("/").with("cookie", &format!("{ACCESS}=\"\u{fc}\"")),
        Asked::get("/").with("cookie", &format!("{REFRESH}=unknown")),
        Asked::get("/").cookie(ACCESS, &world.token(&expired())),
    ] {
        assert_eq!(world.refusal(&asked).await, Refusal::Unauthenticated);
    }
    assert_eq!(world.behind.asked.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_bearer_of_ours_that_fails_is_refused_whatever_stands_beside_it() {
    let world = World::new(json!([{}]));
    let good = world.token(&claims());
    let mut forged = good.expose().clone();
    forged.truncate(forged.len() - 2);
    for bad in [world.token(&expired()), world.token(&Claims { aud: "https://other.example".to_owned(), ..claims() }), Secret::new(forged)]
    {
        let asked = Asked::get("/").bearer(&bad).cookie(ACCESS, &good).cookie(REFRESH, &world.refresh(&claims()));
        assert_eq!(world.refusal(&asked).await, Refusal::InvalidToken);
    }
    assert_eq!(world.behind.renewed.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_bearer_of_another_issuer_belongs_to_the_app() {
    let world = World::new(json!([{}]));
    let theirs = world.token(&Claims { iss: format!("{ISSUER}.evil.example"), ..claims() });
    assert_eq!(world.refusal(&Asked::get("/").bearer(&theirs)).await, Refusal::Unauthenticated);
    assert!(world.admit(&Asked::get("/").bearer(&theirs).cookie(ACCESS, &world.token(&claims()))).await.is_ok());
}

#[tokio::test]
async fn credentials_that_contradict_are_refused() {
    let world = World::new(json!([{}, { "path": "/open", "require": "public" }]));
    let (one, two) = (world.token(&claims()), world.token(&other()));
    assert_eq!(world.refusal(&Asked::get("/open").cookie(ACCESS, &one).cookie(ACCESS, &two)).await, Refusal::RepeatedCookie);
    assert_eq!(world.refusal(&Asked::get("/").bearer(&one).cookie(ACCESS, &two)).await, Refusal::ConflictingCredentials);
    assert_eq!(world.refusal(&Asked::get("/").bearer(&one).bearer(&one)).await, Refusal::Malformed);
    assert_eq!(world.refusal(&Asked::get("/").bearer(&one).with("authorization", "Basic YTpi")).await, Refusal::Malformed);
    assert_eq!(world.refusal(&Asked::get("/").cookie(ACCESS, &one).cookie(ACCESS, &one)).await, Refusal::RepeatedCookie);
    assert_eq!(world.refusal(&Asked::get("/").cookie(REFRESH, &one).cookie(REFRESH, &two).bearer(&one)).await, Refusal::RepeatedCookie);
}

#[tokio::test]
async fn a_cookie_beside_a_bearer_that_fails_on_its_own_does_not_matter() {
    let world = World::new(json!([{}]));
    let stale = world.token(&Claims { exp: NOW.as_secs() - 31, ..other() });
    assert!(world.admit(&Asked::get("/").bearer(&world.token(&claims())).cookie(ACCESS, &stale)).await.is_ok());
}

#[tokio::test]
async fn an_expired_cookie_is_renewed_in_passing() {
    let world = World::new(json!([{}]));
    let refresh = world.refresh(&claims());
    for asked in
        [Asked::get("/").cookie(REFRESH, &refresh), Asked::get("/").cookie(ACCESS, &world.token(&expired())).cookie(REFRESH, &refresh)]
    {
        let agent = "ü".repeat(200);
        let admitted = world.admit(&asked.with("user-agent", &agent)).await.unwrap();
        assert_eq!(admitted.issued().unwrap().refresh.expose(), "next");
        assert_eq!(admitted.session(), Some(&SessionId::new("session-1")));
        let seen = world.behind.seen.lock().unwrap().clone().unwrap();
        assert_eq!(seen.request_id, "r-1");
        assert_eq!((seen.address.unwrap().to_string().as_str(), seen.agent.as_str()), ("192.0.2.7", "ü".repeat(128).as_str()));
    }
    assert_eq!(world.behind.asked.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_good_cookie_is_not_renewed() {
    let world = World::new(json!([{}]));
    let asked = Asked::get("/").cookie(ACCESS, &world.token(&claims())).cookie(REFRESH, &world.refresh(&claims()));
    assert!(world.admit(&asked).await.unwrap().issued().is_none());
    assert_eq!(world.behind.renewed.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn renewed_tokens_leave_with_a_denial_too() {
    let world = World::new(json!([{ "groups": ["admins"] }]));
    let asked = Asked::get("/").cookie(REFRESH, &world.refresh(&claims()));
    let denied = world.admit(&asked).await.unwrap_err();
    assert!(matches!(denied.why, Why::Refused(Refusal::Forbidden)));
    assert!(denied.issued.is_some());

    world.revoke(&claims());
    let denied = world.admit(&asked).await.unwrap_err();
    assert!(matches!(denied.why, Why::Refused(Refusal::SessionEnded)));
    assert!(denied.issued.is_some());
}

#[tokio::test]
async fn a_revoked_session_is_out_however_it_is_presented() {
    let world = World::new(json!([{}]));
    world.revoke(&claims());
    let token = world.token(&claims());
    assert_eq!(world.refusal(&Asked::get("/").bearer(&token)).await, Refusal::SessionEnded);
    assert_eq!(
        world.refusal(&Asked::get("/").cookie(ACCESS, &token).cookie(REFRESH, &world.refresh(&other()))).await,
        Refusal::SessionEnded
    );
    assert_eq!(world.behind.renewed.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn another_site_cannot_ride_on_a_cookie() {
    let world = World::new(json!([{}, { "path": "/open", "require": "public" }, { "path": "/hook", "cross_site": "allow" }]));
    let token = world.token(&claims());
    let from = |method, target| Asked::new(method, target).with("sec-fetch-site", "cross-site");
    assert_eq!(world.refusal(&from("POST", "/").cookie(ACCESS, &token)).await, Refusal::CrossSite);
    assert_eq!(world.refusal(&from("POST", "/").cookie(REFRESH, &world.refresh(&claims()))).await, Refusal::CrossSite);
    assert_eq!(world.refusal(&from("GET", "/").with("upgrade", "websocket").cookie(ACCESS, &token)).await, Refusal::CrossSite);
    assert_eq!(world.behind.renewed.load(Ordering::Relaxed), 0);

    assert!(world.admit(&from("GET", "/").cookie(ACCESS, &token)).await.is_ok());
    assert!(world.admit(&from("POST", "/").bearer(&token)).await.is_ok());
    assert!(world.admit(&from("POST", "/open").cookie(ACCESS, &token)).await.is_ok());
    assert!(world.admit(&from("POST", "/hook").cookie(ACCESS, &token)).await.is_ok());
    assert!(world.admit(&Asked::get("/").with("upgrade", "websocket").cookie(ACCESS, &token)).await.is_ok());
    assert_eq!(world.refusal(&from("POST", "/")).await, Refusal::Unauthenticated);
}

#[tokio::test]
async fn an_outage_is_neither_yes_nor_no_and_public_routes_go_on() {
    let world = World::new(json!([{}, { "path": "/open", "require": "public" }]));
    let asked = |target| Asked::get(target).cookie(ACCESS, &world.token(&claims()));
    let expired = Asked::get("/").cookie(REFRESH, &world.refresh(&claims()));
    world.behind.gone.store(true, Ordering::Relaxed);

    assert!(matches!(world.admit(&asked("/")).await.unwrap_err().why, Why::Outage(_)));
    assert!(matches!(world.admit(&expired).await.unwrap_err().why, Why::Outage(_)));
    let admitted = world.admit(&asked("/open")).await.unwrap();
    assert!(admitted.claims().is_none());
    assert_eq!(world.refusal(&Asked::get("/")).await, Refusal::Unauthenticated);
}

#[tokio::test]
async fn a_public_route_looks_at_no_credential() {
    let world = World::new(json!([{ "require": "public" }]));
    let broken = world.token(&expired());
    let asked = Asked::get("/").bearer(&broken).bearer(&broken).cookie(ACCESS, &broken).cookie(REFRESH, &broken);
    let admitted = world.admit(&asked).await.unwrap();
    assert!(admitted.claims().is_none() && admitted.session().is_none());
    assert_eq!(world.behind.asked.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_target_is_forwarded_as_it_came_or_without_its_prefix() {
    let world = World::new(json!([{ "require": "public" }, { "path": "/wiki", "strip_prefix": true, "require": "public" }]));
    let admitted = world.admit(&Asked::get("/wiki/a%2Fb?c=%00")).await.unwrap();
    assert_eq!(admitted.stripped(), Some(("/a%2Fb?c=%00", "/wiki")));
    let admitted = world.admit(&Asked::get("/a%2Fb")).await.unwrap();
    assert_eq!(admitted.stripped(), None);
}

#[tokio::test]
async fn whoever_holds_an_outdated_access_cookie_and_a_good_refresh_cookie_is_renewed_in_passing() {
    let world = World::new(json!([{ "groups": ["staff"] }]));
    let fresh = Claims { revision: 2, jti: TokenId::new("token-2"), ..claims() };
    world.change(&claims().sub, 2);
    let asked = Asked::get("/").cookie(ACCESS, &world.token(&claims())).cookie(REFRESH, &world.refresh(&fresh));

    let admitted = world.admit(&asked).await.unwrap();

    assert_eq!(admitted.claims().map(|claims| claims.revision), Some(2));
    assert!(admitted.issued().is_some());
    assert_eq!(world.behind.renewed.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn who_is_renewed_and_has_lost_the_group_is_refused_and_keeps_the_session() {
    let world = World::new(json!([{ "groups": ["staff"] }]));
    let fresh = Claims { revision: 2, groups: Vec::new(), ..claims() };
    world.change(&claims().sub, 2);
    let asked = Asked::get("/").cookie(ACCESS, &world.token(&claims())).cookie(REFRESH, &world.refresh(&fresh));

    let denied = world.admit(&asked).await.unwrap_err();

    assert!(matches!(denied.why, Why::Refused(Refusal::Forbidden)));
    assert!(denied.issued.is_some(), "the new cookies go with the refusal");
}

#[tokio::test]
async fn an_outdated_bearer_token_is_an_invalid_one_whatever_cookies_stand_beside_it() {
    let world = World::new(json!([{}]));
    world.change(&claims().sub, 1);
    let old = world.token(&claims());
    let refresh = world.refresh(&Claims { revision: 1, ..claims() });

    assert_eq!(world.refusal(&Asked::get("/").bearer(&old)).await, Refusal::InvalidToken);
    assert_eq!(world.refusal(&Asked::get("/").bearer(&old).cookie(REFRESH, &refresh)).await, Refusal::InvalidToken);
    let new = world.token(&Claims { revision: 1, ..claims() });
    assert!(world.admit(&Asked::get("/").bearer(&new)).await.is_ok());
    assert_eq!(world.behind.renewed.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn an_outdated_access_cookie_without_a_good_refresh_cookie_is_nobodys() {
    let world = World::new(json!([{}]));
    world.change(&claims().sub, 1);
    let old = world.token(&claims());

    assert_eq!(world.refusal(&Asked::get("/").cookie(ACCESS, &old)).await, Refusal::Unauthenticated);
    let asked = Asked::get("/").cookie(ACCESS, &old).with("cookie", &format!("{REFRESH}=unknown"));
    assert_eq!(world.refusal(&asked).await, Refusal::Unauthenticated);
}

#[tokio::test]
async fn a_renewal_that_is_outdated_again_and_again_ends_and_lets_nobody_in() {
    let world = World::new(json!([{}]));
    world.change(&claims().sub, 9);
    let asked = Asked::get("/").cookie(ACCESS, &world.token(&claims())).cookie(REFRESH, &world.refresh(&claims()));

    assert_eq!(world.refusal(&asked).await, Refusal::Unauthenticated);
    assert!(world.behind.renewed.load(Ordering::Relaxed) <= 3);
}

#[tokio::test]
async fn who_was_signed_out_is_not_renewed_because_the_account_was_changed_too() {
    let world = World::new(json!([{}]));
    world.change(&claims().sub, 1);
    world.revoke(&claims());
    let asked = Asked::get("/").cookie(ACCESS, &world.token(&claims())).cookie(REFRESH, &world.refresh(&claims()));

    assert_eq!(world.refusal(&asked).await, Refusal::SessionEnded);
    assert_eq!(world.behind.renewed.load(Ordering::Relaxed), 0);
}
