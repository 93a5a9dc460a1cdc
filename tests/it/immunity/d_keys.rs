//! D 35 and 40: a key that was touched is no key, and what opens one door opens no other.

use http::Method;
use serde_json::json;

use super::e_factors::{FOR_ALL, body};
use super::endpoints;
use super::factors::Enrolled;
use crate::flow::place::{ACCESS, CHALLENGE, Place, REFRESH, Wants, code_of};
use crate::support::client::{Person, Reply};

const ADA: &str = "ada@example.com";

/// Makes a key with this scope.
fn key(place: &Place, name: &str, scope: &str) -> String {
    let done = place.gateway.command(&["apikey", "create", name, "--scope", scope]);
    assert_eq!(done.0, 0, "{done:?}");
    done.1.trim_end().to_owned()
}

async fn with_key(place: &Place, key: &str) -> Reply {
    place.person().request(Method::GET, "/page").bearer(key).send().await
}

/// Zitadel took an opaque token from which characters were missing.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_27840_a_key_that_was_touched_is_no_key() {
    let place = Place::with(Wants::default()).await;
    let whole = key(&place, "ci", "route:wiki");
    let swapped = |place: usize| {
        let flip = |c: char| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
        whole.chars().enumerate().map(|(at, c)| if at == place { flip(c) } else { c }).collect::<String>()
    };

    let mut touched: Vec<String> = (1..whole.len()).map(|cut| whole[..whole.len() - cut].to_owned()).collect();
    touched.extend((0..whole.len()).map(swapped).filter(|text| *text != whole));
    touched.extend(["a", "A", "0", "=", "==", ".", "%00", "aaaaaaaaaaaaaaaa"].map(|more| format!("{whole}{more}")));
    touched.extend([
        whole.to_uppercase(),
        whole.to_lowercase(),
        format!("{whole}{whole}"),
        whole.replacen("dwk_", "", 1),
        whole[1..].to_owned(),
    ]);

    for text in &touched {
        let reply = with_key(&place, text).await;
        assert_eq!(reply.status, 401, "{text}");
    }
    assert_eq!(place.upstream.count(), 0);
    assert_eq!(with_key(&place, &whole).await.status, 200);
}

/// Pomerium took a token that was made for people's browsers at an interface of its own.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2024_47616_what_opens_one_door_opens_no_other() {
    let place = Place::with(Wants::default()).await;
    let ada = place.sign_in(ADA).await;
    let (access, refresh) = (ada.cookie(ACCESS).unwrap(), ada.cookie(REFRESH).unwrap());
    assert_eq!(ada.get("/page").await.status, 200);
    let assertion = place.upstream.last().header("x-doorward-assertion").unwrap();
    let grace = Enrolled::at(&place, "grace@example.com").await;
    let (_, half) = grace.half_way(&place).await;
    let asked = crate::flow::place::ask(&place.person(), "new@example.com").await;
    let challenge = asked.json()["challenge_id"].as_str().unwrap().to_owned();
    let route = key(&place, "route", "route:wiki");
    let others =
        [key(&place, "read", "read"), key(&place, "admin", "admin"), key(&place, "app", "app:wiki"), key(&place, "open", "route:open")];
    let before = place.upstream.count();

    // At the app: an access token, or a key for its route.
    for none in [&assertion, &refresh, &half, &challenge].into_iter().chain(&others) {
        for reply in everywhere(&place, "/page", none).await {
            assert!([400, 401, 403].contains(&reply.status), "{none:.12}: {}", reply.text());
        }
    }
    assert_eq!(place.upstream.count(), before, "the app saw nothing");

    // At our own endpoints for those who are signed in: an access token.
    let classes = [&assertion, &refresh, &half, &route, &others[1]];
    for listed in endpoints::all().iter().filter(|listed| !FOR_ALL.contains(&listed.key().as_str())) {
        for none in classes {
            for reply in everywhere_as(&place, &listed.method, &listed.at(), &listed.key(), listed.is_form(), none).await {
                let to_sign_in = reply.header("location").is_some_and(|to| to.starts_with("/auth/login"));
                let is_of_no_app = listed.path.starts_with("/api/") && none.starts_with("dwk_") && reply.status == 403;
                assert!(
                    reply.status == 401 || is_of_no_app || (to_sign_in && [302, 303].contains(&reply.status)),
                    "{listed:?} {none:.12}: {}",
                    reply.text()
                );
                assert!(!reply.text().contains(ADA), "{listed:?}");
            }
        }
    }

    // To renew: a refresh token.
    for none in [&access, &assertion, &half, &challenge, &route].into_iter().chain(&others) {
        let person = place.person();
        person.set_cookie(REFRESH, none);
        let reply = person.post("/auth/refresh", &json!({})).await;
        assert_eq!((reply.status, code_of(&reply).as_str()), (401, "invalid_refresh"), "{none:.12}");
        assert_eq!(person.get("/page").await.status, 401, "nor in passing: {none:.12}");
    }

    // To sign out: what is signed in. A key is revoked elsewhere.
    for none in [&assertion, &half, &challenge, &route].into_iter().chain(&others) {
        let signed_out = place.person().request(Method::POST, "/auth/logout?scope=global").bearer(none).send().await;
        assert_eq!(signed_out.status, 200, "{}", signed_out.text());
    }
    assert_eq!(ada.get("/page").await.status, 200);

    // As the second half of a sign-in: the half that was begun.
    for none in [&refresh, &assertion, &challenge, &route].into_iter().chain(&others) {
        let reply = place.person().post("/auth/verify-totp", &json!({ "challenge_id": none, "code": grace.code() })).await;
        assert_eq!((reply.status, code_of(&reply).as_str()), (401, "invalid_code"), "{none:.12}");
    }
    assert_eq!(with_key(&place, &route).await.status, 200, "and nothing of it has ended the key");
}

/// With it wherever a credential could be, but for the cookie that renews: that one has its own turn.
async fn everywhere(place: &Place, path: &str, credential: &str) -> Vec<Reply> {
    let mut replies = vec![place.person().request(Method::GET, path).bearer(credential).send().await];
    for name in [ACCESS, CHALLENGE] {
        let person = place.person();
        person.set_cookie(name, credential);
        replies.push(person.get(path).await);
    }
    replies
}

/// The same at an endpoint of ours.
async fn everywhere_as(place: &Place, method: &str, path: &str, key: &str, is_form: bool, credential: &str) -> Vec<Reply> {
    let mut replies = Vec::new();
    for holder in [None, Some(ACCESS)] {
        let person: Person = place.person();
        if let Some(name) = holder {
            person.set_cookie(name, credential);
        }
        if is_form {
            replies.push(person.post_form(path, &[("next", "/")]).await);
            continue;
        }
        let mut request = person.request(method.parse().unwrap(), path);
        if holder.is_none() {
            request = request.bearer(credential);
        }
        if method != "GET" {
            request = request.json(&body(key));
        }
        replies.push(request.send().await);
    }
    replies
}
