//! Keys work for proxies that stay in front and ask, and are taken out of what the app is sent.

use http::Method;

use super::{basic, key};
use crate::flow::place::{Place, Wants};
use crate::support::client::Reply;

const ROUTES: &str = r#"
[[route]]
name = "git"
path = "/git"
upstream = ["UPSTREAM"]
challenge = "basic"
"#;

async fn place() -> Place {
    let sections = vec![("forward_auth", "trusted_proxies = [\"127.0.0.0/8\"]")];
    Place::with(Wants { routes: ROUTES, sections, ..Wants::default() }).await
}

async fn asked(place: &Place, dialect: &str, target: &str, authorization: &str) -> Reply {
    let host = place.gateway.public().to_string();
    let person = place.person();
    let request = match dialect {
        "nginx" => person
            .request(Method::GET, "/auth/check/nginx")
            .header("X-Original-Method", "GET")
            .header("X-Original-URL", &format!("http://{host}{target}")),
        "envoy" => person.request(Method::GET, &format!("/auth/check/envoy{target}")).header("X-Forwarded-Proto", "http"),
        _ => person
            .request(Method::GET, &format!("/auth/check/{dialect}"))
            .header("X-Forwarded-Method", "GET")
            .header("X-Forwarded-Proto", "http")
            .header("X-Forwarded-Host", &host)
            .header("X-Forwarded-Uri", target),
    };
    let request = if authorization.is_empty() { request } else { request.header("Authorization", authorization) };
    request.send().await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_proxy_is_told_of_a_machine() {
    let place = place().await;
    let made = key(&place.gateway, &["ci", "--scope", "route:wiki"]);
    let revoked = key(&place.gateway, &["old", "--scope", "route:wiki"]);
    assert_eq!(place.gateway.command(&["apikey", "revoke", "old"]).0, 0);

    for dialect in ["nginx", "traefik", "caddy", "envoy", "haproxy"] {
        for authorization in [format!("Bearer {made}"), basic("me", &made)] {
            let yes = asked(&place, dialect, "/page", &authorization).await;
            assert_eq!((yes.status, yes.header("remote-user").as_deref()), (200, Some("apikey:ci")), "{dialect}");
            assert_eq!(yes.header("authorization"), None, "{dialect}");
            assert_eq!(asked(&place, dialect, "/git/x", &authorization).await.status, 403, "{dialect}");
        }
        for wrong in [format!("Bearer {revoked}"), basic("me", &revoked), format!("Bearer {}", &made[..70])] {
            let no = asked(&place, dialect, "/page", &wrong).await;
            assert_eq!((no.status, no.header("remote-user")), (401, None), "{dialect}");
        }
        let challenged = asked(&place, dialect, "/git/x", "").await;
        assert_eq!(challenged.status, 401, "{dialect}");
        assert!(challenged.all("www-authenticate").iter().any(|value| value.starts_with("Basic realm=")), "{dialect}");
    }
    assert_eq!(place.upstream.count(), 0);
}
