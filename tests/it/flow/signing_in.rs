//! Sign in with a mailed code, pass the gate, be renewed without noticing, sign out, and be out: on each database.

use serde_json::json;

use super::place::{ACCESS, CHALLENGE, Database, Place, REFRESH, Wants, ask, claims_of, code_of, verify, wrong};
use crate::support::client::Person;
use crate::support::python;
use crate::support::redis::Redis;

async fn the_whole_way(place: &Place) {
    // Signed out: refused, and the app saw nothing.
    let person = place.person();
    let refused = person.get("/page").await;
    assert_eq!((refused.status, place.upstream.count()), (401, 0));
    assert!(refused.header("www-authenticate").unwrap().starts_with("Bearer"));

    // A code by mail.
    let asked = ask(&person, "Ada@Example.com ").await;
    assert_eq!(asked.status, 200, "{}", asked.text());
    assert_eq!(asked.header("cache-control").unwrap(), "no-store");
    assert_eq!(asked.json()["channel"], "email");
    assert_eq!(asked.json()["expires_in"], 600);
    assert_eq!(asked.json()["challenge_id"].as_str().unwrap(), person.cookie(CHALLENGE).unwrap());
    let mail = place.mailbox.wait_for("ada@example.com").await;
    assert_eq!(mail.recipients, ["ada@example.com"]);
    assert!(mail.subject().contains(&mail.code()));

    // A wrong code, then the right one, then the right one again.
    assert_eq!(code_of(&verify(&person, "ada@example.com", &wrong(&mail.code())).await), "invalid_code");
    let verified = verify(&person, "ada@example.com", &mail.code()).await;
    assert_eq!(verified.status, 200, "{}", verified.text());
    assert_eq!(verified.json()["token_type"], "bearer");
    assert_eq!(verified.json()["expires_in"], 3600);
    for name in [ACCESS, REFRESH] {
        let set = verified.set_cookie(name).unwrap();
        assert!(set.contains("HttpOnly") && set.contains("SameSite=Lax") && set.contains("Path=/"), "{set}");
    }
    assert_eq!(person.cookie(CHALLENGE), None);
    assert_eq!(verify(&person, "ada@example.com", &mail.code()).await.status, 401);

    // In: by cookie and by bearer, with an identity.
    assert_eq!(person.get("/page?x=1").await.status, 200);
    let seen = place.upstream.last();
    assert_eq!(seen.target(), "/page?x=1");
    assert_eq!(seen.header("remote-user").unwrap(), "ada@example.com");
    assert_eq!(seen.header("remote-email").unwrap(), "ada@example.com");
    assert_eq!(seen.header("cookie"), None);
    let token = verified.json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(place.person().request(http::Method::GET, "/page").bearer(&token).send().await.status, 200);
    assert_eq!(place.upstream.last().header("authorization"), None);
    let claims = claims_of(&token);
    assert_eq!(
        (claims["amr"].clone(), claims["acr"].clone(), claims["type"].clone()),
        (json!(["email"]), json!("one_factor"), json!("access"))
    );
    assert_eq!(claims["email_verified"], true);

    // Renewed without noticing: the access cookie is gone, the refresh cookie is good.
    let spent = person.cookie(REFRESH).unwrap();
    person.forget_cookie(ACCESS);
    assert_eq!(person.get("/page").await.status, 200);
    assert!(person.cookie(ACCESS).is_some());
    assert_ne!(person.cookie(REFRESH).unwrap(), spent);
    let refreshed = person.post("/auth/refresh", &json!({})).await;
    assert_eq!(refreshed.status, 200, "{}", refreshed.text());

    // Out: here, for every credential of this session.
    let thief = person.copy();
    let out = person.post("/auth/logout", &json!({})).await;
    assert_eq!(out.status, 200, "{}", out.text());
    assert_eq!(person.cookie_names(), Vec::<String>::new());
    let before = place.upstream.count();
    assert_eq!(thief.get("/page").await.status, 401);
    assert_eq!(thief.post("/auth/refresh", &json!({})).await.status, 401);
    assert_eq!(place.person().request(http::Method::GET, "/page").bearer(&token).send().await.status, 401);
    assert_eq!(place.upstream.count(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_way_on_sqlite_without_redis() {
    the_whole_way(&Place::on(Database::Sqlite).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_way_on_mariadb_without_redis() {
    the_whole_way(&Place::on(Database::MariaDb).await).await;
}

#[cfg(feature = "mongodb")]
#[tokio::test(flavor = "multi_thread")]
async fn the_whole_way_on_mongodb_without_redis() {
    the_whole_way(&Place::on(Database::MongoDb).await).await;
}

#[cfg(feature = "mongodb")]
#[tokio::test(flavor = "multi_thread")]
async fn the_whole_way_on_mongodb_with_redis() {
    let redis = Redis::start();
    let wants = Wants { store: Database::MongoDb.url(), redis: Some(redis.url()), ..Wants::default() };
    the_whole_way(&Place::with(wants).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_way_on_postgresql_with_redis() {
    let redis = Redis::start();
    let wants = Wants { store: Database::Postgres.url(), redis: Some(redis.url()), ..Wants::default() };
    the_whole_way(&Place::with(wants).await).await;
}

/// What another implementation thinks of a token, by the keys that we publish.
fn verified_elsewhere(jwks: &str, token: &str, audience: &str, issuer: &str) -> serde_json::Value {
    let script = "
import json, sys, jwt
jwks, token, audience, issuer = sys.argv[1:]
header = jwt.get_unverified_header(token)
key = next(k for k in jwt.PyJWKSet.from_json(jwks).keys if k.key_id == header['kid'])
print(json.dumps({'header': header, 'claims': jwt.decode(token, key, algorithms=[header['alg']], audience=audience, issuer=issuer,
    options={'require': ['exp', 'iat', 'nbf', 'sub', 'aud', 'iss', 'jti']})}))
";
    serde_json::from_str(&python::run(script, &[jwks, token, audience, issuer])).unwrap()
}

async fn token_and_assertion_verify_elsewhere(algorithm: &'static str, section: &'static str) {
    let place = Place::with(Wants { sections: vec![("tokens", section)], ..Wants::default() }).await;
    let issuer = format!("http://{}", place.gateway.public());
    let person = place.sign_in("ada@example.com").await;
    let jwks = place.person().get("/auth/.well-known/jwks.json").await;
    assert_eq!(jwks.status, 200);

    let access = verified_elsewhere(&jwks.text(), &person.cookie(ACCESS).unwrap(), &issuer, &issuer);
    assert_eq!(access["header"]["alg"], algorithm);
    assert_eq!(access["header"]["typ"], "at+jwt");
    assert_eq!(access["claims"]["email"], "ada@example.com");

    person.get("/page").await;
    let assertion = place.upstream.last().header("x-doorward-assertion").unwrap();
    let said = verified_elsewhere(&jwks.text(), &assertion, "wiki", &issuer);
    assert_eq!(said["header"]["typ"], "doorward-assertion+jwt");
    assert_eq!(said["claims"]["sub"], access["claims"]["sub"]);
    assert_eq!(said["claims"]["exp"].as_i64().unwrap() - said["claims"]["iat"].as_i64().unwrap(), 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_library_verifies_es256() {
    token_and_assertion_verify_elsewhere("ES256", "algorithm = \"ES256\"").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_library_verifies_eddsa() {
    token_and_assertion_verify_elsewhere("EdDSA", "algorithm = \"EdDSA\"").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_library_verifies_rs256() {
    token_and_assertion_verify_elsewhere("RS256", "algorithm = \"RS256\"").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_library_verifies_hs256_with_one_s_own_secret() {
    let section = "secret = \"a secret of one's own, long enough to sign with\"";
    let place = Place::with(Wants { sections: vec![("tokens", section)], ..Wants::default() }).await;
    let token = place.sign_in("ada@example.com").await.cookie(ACCESS).unwrap();
    let script = "import sys, jwt; print(jwt.decode(sys.argv[1], sys.argv[2], algorithms=['HS256'], audience=sys.argv[3])['email'])";
    let audience = format!("http://{}", place.gateway.public());
    assert_eq!(python::run(script, &[&token, "a secret of one's own, long enough to sign with", &audience]), "ada@example.com");
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_everywhere_or_elsewhere_ends_just_that() {
    let place = Place::on(Database::Sqlite).await;
    let (here, there, other) =
        (place.sign_in("ada@example.com").await, place.sign_in("ada@example.com").await, place.sign_in("bob@example.com").await);

    assert_eq!(here.post("/auth/logout?scope=others", &json!({})).await.status, 200);
    assert_eq!((place.sign_in("ada@example.com").await.get("/").await.status, there.get("/").await.status), (200, 401));

    let (a, b) = (place.sign_in("ada@example.com").await, place.sign_in("ada@example.com").await);
    assert_eq!(a.post("/auth/logout?scope=global", &json!({})).await.status, 200);
    // Signed in again within the same second: lives.
    let again = place.sign_in("ada@example.com").await;
    assert_eq!((b.get("/").await.status, again.get("/").await.status, other.get("/").await.status), (401, 200, 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_presents_what_is_over_ends_nothing_else_and_is_not_told_so() {
    let place = Place::on(Database::Sqlite).await;
    let (here, there) = (place.sign_in("ada@example.com").await, place.sign_in("ada@example.com").await);
    let over = here.copy();
    assert_eq!(here.post("/auth/logout", &json!({})).await.json()["message"], "Signed out.");

    for scope in ["global", "others"] {
        let reply = over.copy().post(&format!("/auth/logout?scope={scope}"), &json!({})).await;
        assert_eq!((reply.status, reply.json()["message"].clone()), (200, json!("Signed out.")), "{scope}");
    }
    assert_eq!(there.get("/").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_sees_their_devices_and_ends_one() {
    let place = Place::on(Database::Sqlite).await;
    let (here, there, other) =
        (place.sign_in("ada@example.com").await, place.sign_in("ada@example.com").await, place.sign_in("bob@example.com").await);

    let list = here.get("/auth/sessions").await;
    let sessions = list.json().as_array().cloned().or_else(|| list.json()["sessions"].as_array().cloned()).unwrap();
    assert_eq!(sessions.len(), 2);
    let id = sessions.iter().find(|session| session["current"] == false).unwrap()["id"].as_str().unwrap().to_owned();

    assert_eq!(other.request(http::Method::DELETE, &format!("/auth/sessions/{id}")).send().await.status, 404);
    assert_eq!(there.get("/").await.status, 200);
    assert!(here.request(http::Method::DELETE, &format!("/auth/sessions/{id}")).send().await.status < 300);
    assert_eq!((there.get("/").await.status, here.get("/").await.status), (401, 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_presented_signing_out_answers_two_hundred() {
    let place = Place::on(Database::Sqlite).await;
    let nonsense = |person: Person| async move {
        person.set_cookie(ACCESS, "nonsense");
        person.set_cookie(REFRESH, "more nonsense");
        person.post("/auth/logout", &json!({})).await
    };
    assert_eq!(nonsense(place.person()).await.status, 200);
    assert_eq!(place.person().request(http::Method::POST, "/auth/logout").send().await.status, 200);
    let bearer = place.person();
    let out = bearer.request(http::Method::POST, "/auth/logout").bearer("x.y.z").send().await;
    assert_eq!(out.status, 200);
    assert!(out.set_cookie(REFRESH).unwrap().contains("Max-Age=0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_is_asked_for_again_leaves_the_earlier_one_good() {
    let place = Place::on(Database::Sqlite).await;
    let person = place.person();
    let first = place.code_for(&person, "ada@example.com").await;
    let second = place.code_for(&person, "ada@example.com").await;
    assert_eq!(verify(&person, "ada@example.com", &first).await.status, 200);
    assert_eq!(verify(&place.person(), "ada@example.com", &second).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_too_soon_is_refused_for_known_and_unknown_alike() {
    let place = Place::with(Wants { sections: vec![("otp", "registration = \"closed\"")], ..Wants::default() }).await;
    let (code, out, _) = place.gateway.command(&["account", "add", "--email", "ada@example.com"]);
    assert_eq!(code, 0, "{out}");
    for email in ["ada@example.com", "nobody@example.com"] {
        let first = ask(&place.person(), email).await;
        let again = ask(&place.person(), email).await;
        assert_eq!((first.status, again.status), (200, 429), "{email}");
        assert_eq!(code_of(&again), "resend_too_soon");
        let wait: u64 = again.header("retry-after").unwrap().parse().unwrap();
        assert!((55..=60).contains(&wait), "{wait}");
    }
    place.mailbox.wait_for("ada@example.com").await;
    assert!(place.mailbox.mails_to("nobody@example.com").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_account_is_out_at_the_next_request_and_stays_out() {
    let place = Place::on(Database::Sqlite).await;
    let person = place.sign_in("ada@example.com").await;
    assert_eq!(place.gateway.command(&["account", "disable", "ada@example.com"]).0, 0);
    crate::support::wait::until_async("the other process's revocation to be seen", std::time::Duration::from_secs(1), || async {
        (person.get("/").await.status == 401).then_some(())
    })
    .await;
    assert_eq!(person.post("/auth/refresh", &json!({})).await.status, 401);
    assert_eq!(ask(&place.person(), "ada@example.com").await.status, 200);
    assert_eq!(place.mailbox.mails_to("ada@example.com").len(), 1);
    assert_eq!(place.gateway.command(&["account", "enable", "ada@example.com"]).0, 0);
    assert_eq!(place.sign_in("ada@example.com").await.get("/").await.status, 200);
}
