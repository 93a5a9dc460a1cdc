//! What a key opens, what the app is told, and that nothing reaches it otherwise.

use http::Method;

use super::{basic, call, get, id, key, place};
use crate::flow::place::{ACCESS, claims_of, code_of};
use crate::support::client::Raw;

#[tokio::test(flavor = "multi_thread")]
async fn a_key_passes_the_route_that_it_names_and_the_app_is_told_of_a_machine() {
    let place = place().await;
    let made = key(&place.gateway, &["ci", "--scope", "route:wiki"]);

    for authorization in [format!("Bearer {made}"), basic("anybody", &made), basic(&made, "")] {
        let reply = call(&place.gateway, Method::POST, "/page?x=1", &authorization).await;
        assert_eq!(reply.status, 200, "{}", reply.text());

        let seen = place.upstream.last();
        assert_eq!(seen.header("remote-user").as_deref(), Some("apikey:ci"));
        for name in ["authorization", "remote-email", "remote-name", "remote-groups", "cookie"] {
            assert_eq!(seen.header(name), None, "{name}");
        }
        assert!(!seen.head_text().contains("dwk_"), "{}", seen.head_text());
        let said = claims_of(&seen.header("x-doorward-assertion").unwrap());
        assert_eq!((&said["amr"], &said["sub"], &said["aud"]), (&["apikey"].into(), &id(&made).into(), &"wiki".into()));
        assert_eq!(said["preferred_username"], "apikey:ci");
        assert!(said.get("email").is_none() && said.get("name").is_none());
    }
    assert!(!place.gateway.log().contains("dwk_"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_other_route_is_refused_and_its_app_sees_nothing() {
    let place = place().await;
    let made = key(&place.gateway, &["ci", "--scope", "route:wiki:GET,HEAD", "--scope", "route:strict", "--scope", "app:wiki"]);
    let others = key(&place.gateway, &["others", "--scope", "read", "--scope", "admin", "--scope", "app:wiki"]);

    for (method, path, key) in [
        (Method::POST, "/page", &made),
        (Method::DELETE, "/page", &made),
        (Method::GET, "/git/x", &made),
        (Method::GET, "/robots", &made),
        (Method::GET, "/strict", &made),
        (Method::GET, "/page", &others),
    ] {
        let reply = call(&place.gateway, method.clone(), path, &format!("Bearer {key}")).await;
        assert_eq!((reply.status, code_of(&reply).as_str()), (403, "forbidden"), "{method} {path}");
        assert!(reply.header("www-authenticate").unwrap().contains("insufficient_scope"));
    }
    assert_eq!(place.upstream.count(), 0);
    assert_eq!(get(&place.gateway, "/page", &made).await.status, 200);
    assert_eq!(call(&place.gateway, Method::HEAD, "/page", &format!("Bearer {made}")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_has_the_groups_that_it_was_given() {
    let place = place().await;
    let with = key(&place.gateway, &["with", "--scope", "route:robots", "--group", "robots,night"]);
    let without = key(&place.gateway, &["without", "--scope", "route:robots", "--group", "robot"]);

    assert_eq!(get(&place.gateway, "/robots", &with).await.status, 200);
    assert_eq!(place.upstream.last().header("remote-groups").as_deref(), Some("robots,night"));
    assert_eq!(get(&place.gateway, "/robots", &without).await.status, 403);
    assert_eq!(place.upstream.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_good_key_is_one_answer_and_the_cookie_beside_it_is_not_tried() {
    let place = place().await;
    let ada = place.sign_in("ada@example.com").await;
    let made = key(&place.gateway, &["ci", "--scope", "route:wiki"]);
    let unknown = key(&super::place().await.gateway, &["ci", "--scope", "route:wiki"]);

    let mut answers = Vec::new();
    for key in
        [&unknown, &made[..74], &format!("{made}x"), &made.to_uppercase(), &made.to_lowercase(), "dwk_", "dwk_x", &made.replace('_', "_ ")]
    {
        for authorization in [format!("Bearer {key}"), basic("me", key)] {
            let beside = ada.request(Method::GET, "/page").header("Authorization", &authorization).send().await;
            let alone = call(&place.gateway, Method::GET, "/page", &authorization).await;
            assert_eq!((beside.status, alone.status), (401, 401), "{authorization}");
            for reply in [beside, alone] {
                let mut body = reply.json();
                body.as_object_mut().unwrap().remove("request_id");
                answers.push((body, reply.header("www-authenticate")));
            }
        }
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert_eq!(answers[0].0["code"], "invalid_token");
    assert_eq!(place.upstream.count(), 0);
    assert_eq!(ada.get("/page").await.status, 200, "her session has nothing to do with it");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_credentials_that_name_two_are_refused() {
    let place = place().await;
    let ada = place.sign_in("ada@example.com").await;
    let made = key(&place.gateway, &["ci", "--scope", "route:wiki"]);
    let token = ada.cookie(ACCESS).unwrap();

    let reply = ada.request(Method::GET, "/page").bearer(&made).send().await;

    assert_eq!((reply.status, code_of(&reply).as_str()), (400, "conflicting_credentials"));
    let address = place.gateway.public();
    let both = format!(
        "GET /page HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {made}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    );
    assert_eq!(Raw::exchange(address, both).await.status, 400);
    assert_eq!(place.upstream.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_never_reaches_an_app_that_was_not_promised_it() {
    let place = place().await;
    let made = key(&place.gateway, &["ci", "--scope", "route:told"]);

    for authorization in [format!("Bearer {made}"), basic("me", &made), format!("Bearer {}x", &made[..60]), basic(&made, "x")] {
        assert_eq!(call(&place.gateway, Method::GET, "/open", &authorization).await.status, 200);
        let seen = place.upstream.last();
        assert_eq!((seen.header("authorization"), seen.header("remote-user")), (None, None), "{authorization}");
    }
    assert_eq!(call(&place.gateway, Method::GET, "/told", &basic("me", &made)).await.status, 200);
    assert_eq!(place.upstream.last().header("authorization"), Some(format!("Bearer {made}")));
    let theirs = basic("me", "secret");
    assert_eq!(call(&place.gateway, Method::GET, "/open", &theirs).await.status, 200);
    assert_eq!(place.upstream.last().header("authorization"), Some(theirs), "a password of the app's own travels on");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_outside_speaks_for_a_machine() {
    let place = place().await;
    let made = key(&place.gateway, &["ci", "--scope", "route:wiki"]);
    let ada = place.sign_in("ada@example.com").await;

    for name in ["Remote-User", "remote_user", "X-Remote-User"] {
        assert_eq!(ada.request(Method::GET, "/page").header(name, "apikey:ci").send().await.status, 200);
        assert_eq!(place.upstream.last().header("remote-user").as_deref(), Some("ada@example.com"));
    }
    let posing = place.person();
    let register = serde_json::json!({ "email": "ci@example.com", "username": "apikey:ci" });
    assert_eq!(posing.post("/auth/register", &register).await.status, 422, "no user name has a colon");
    assert_eq!(call(&place.gateway, Method::POST, "/page", &format!("Bearer {made}")).await.status, 200);
    assert_eq!(place.upstream.last().header("remote-user").as_deref(), Some("apikey:ci"));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_site_may_send_what_only_headers_carry() {
    let place = place().await;
    let made = key(&place.gateway, &["ci", "--scope", "route:wiki"]);

    let request = place.person();
    let request = request.request(Method::POST, "/page").bearer(&made).header("Origin", "https://other.example");

    assert_eq!(request.header("Sec-Fetch-Site", "cross-site").send().await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_a_key_was_used_is_known_and_requests_do_not_wait_for_it() {
    let place = place().await;
    let made = key(&place.gateway, &["ci", "--scope", "route:wiki"]);
    let used = || {
        let listed = place.gateway.command(&["apikey", "list", "--json"]);
        serde_json::from_str::<serde_json::Value>(&listed.1).unwrap()[0]["last_used_at"].as_str().map(str::to_owned)
    };
    assert_eq!(used(), None);

    for _ in 0..20 {
        assert_eq!(get(&place.gateway, "/page", &made).await.status, 200);
    }

    crate::support::wait::until("the use to be known", std::time::Duration::from_secs(10), used);
}
