//! Who may pass: each thing that a rule can ask for, and what is said to those who do not have it. A refused request never
//! reaches the app.

use reqwest::Method;

use super::place::{ACCESS, Place, Wants, code_of};
use crate::support::client::{Person, Reply};

const ROUTES: &str = r#"
[[route]]
name = "admins"
path = "/admins"
upstream = ["UPSTREAM"]
groups = ["admins"]

[[route]]
name = "domain"
path = "/domain"
upstream = ["UPSTREAM"]
email_domains = ["Example.com"]

[[route]]
name = "inside"
path = "/inside"
upstream = ["UPSTREAM"]
networks = ["10.0.0.0/8"]

[[route]]
name = "strong"
path = "/strong"
upstream = ["UPSTREAM"]
require = "second_factor"

[[route]]
name = "fresh"
path = "/fresh"
upstream = ["UPSTREAM"]
max_age = "0s"

[[route]]
name = "ruled"
path = "/ruled"
upstream = ["UPSTREAM"]

[[route.rule]]
path = "/ruled/admin"
groups = ["admins"]

[[route.rule]]
path = "/ruled/docs"
methods = ["GET", "HEAD"]
require = "public"

[[route.rule]]
accounts = ["ada@example.com"]

[[route.rule]]
email_domains = ["example.org"]

[[route]]
name = "strict"
path = "/strict"
upstream = ["UPSTREAM"]
preflight = "refuse"

[[route]]
name = "hooks"
path = "/hooks"
upstream = ["UPSTREAM"]
cross_site = "allow"
"#;

async fn place() -> Place {
    Place::with(Wants { routes: ROUTES, ..Wants::default() }).await
}

/// The status and the code of what is refused; the app sees nothing of it.
async fn refused(place: &Place, person: &Person, path: &str) -> (u16, String) {
    let before = place.upstream.count();
    let reply = person.get(path).await;
    assert_eq!(place.upstream.count(), before, "{path} reached the app");
    (reply.status, code_of(&reply))
}

fn is(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_asks_for_what_a_person_is() {
    let place = place().await;
    let (ada, eve, nobody) = (place.sign_in("ada@example.com").await, place.sign_in("eve@example.net").await, place.person());

    assert_eq!(ada.get("/domain/x").await.status, 200);
    assert_eq!(refused(&place, &eve, "/domain/x").await, is(403, "forbidden"));
    assert_eq!(refused(&place, &nobody, "/domain/x").await, is(401, "unauthenticated"));
    assert_eq!(refused(&place, &ada, "/admins").await, is(403, "forbidden"));
    assert_eq!(refused(&place, &ada, "/inside").await, is(403, "forbidden"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_better_or_fresher_sign_in_is_asked_for_in_the_words_of_rfc_9470() {
    let place = place().await;
    let ada = place.sign_in("ada@example.com").await;

    let asked = |reply: &Reply| reply.all("www-authenticate").join(", ");
    let strong = ada.get("/strong").await;
    assert_eq!((strong.status, code_of(&strong)), is(401, "insufficient_user_authentication"));
    assert!(asked(&strong).contains("error=\"insufficient_user_authentication\""), "{}", asked(&strong));
    assert!(asked(&strong).contains("acr_values=\"two_factor\""), "{}", asked(&strong));

    let fresh = ada.get("/fresh").await;
    assert_eq!((fresh.status, code_of(&fresh)), is(401, "insufficient_user_authentication"));
    assert!(asked(&fresh).contains("max_age=\"0\"") || asked(&fresh).contains("max_age=0"), "{}", asked(&fresh));
    assert_eq!(place.upstream.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_rules_the_longest_path_is_asked_and_the_first_that_admits_decides() {
    let place = place().await;
    let (ada, bob, eve) =
        (place.sign_in("ada@example.com").await, place.sign_in("bob@example.org").await, place.sign_in("eve@example.net").await);
    let nobody = place.person();

    assert_eq!(ada.get("/ruled/x").await.status, 200);
    assert_eq!(bob.get("/ruled/x").await.status, 200);
    assert_eq!(refused(&place, &eve, "/ruled/x").await, is(403, "forbidden"));

    assert_eq!(refused(&place, &ada, "/ruled/admin").await, is(403, "forbidden"));
    assert_eq!(refused(&place, &ada, "/ruled/admin/x").await, is(403, "forbidden"));
    assert_eq!(refused(&place, &ada, "/ruled/Admin").await, is(400, "ambiguous_path"));
    assert_eq!(ada.get("/ruled/administrator").await.status, 200);

    assert_eq!(nobody.get("/ruled/docs/x").await.status, 200);
    assert_eq!(nobody.request(Method::POST, "/ruled/docs/x").send().await.status, 401);
    assert_eq!(ada.get("/ruled/docs/x").await.status, 200);
    assert_eq!(place.upstream.last().header("remote-user"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preflight_passes_without_identity_unless_the_route_refuses() {
    let place = place().await;
    let ada = place.sign_in("ada@example.com").await;
    let preflight = |path| {
        let request = ada.request(Method::OPTIONS, path).header("Origin", "https://other.example");
        request.header("Access-Control-Request-Method", "PUT").send()
    };

    assert_eq!(preflight("/page").await.status, 200);
    let seen = place.upstream.last();
    assert_eq!((seen.method().as_str(), seen.header("remote-user"), seen.header("cookie")), ("OPTIONS", None, None));

    let refused = preflight("/strict/x").await;
    assert_eq!((refused.status, code_of(&refused)), is(403, "preflight_refused"));
    assert_eq!(preflight("/inside/x").await.status, 403);
    assert_eq!(place.upstream.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_may_let_other_sites_in() {
    let place = place().await;
    let ada = place.sign_in("ada@example.com").await;
    let post = |path| ada.request(Method::POST, path).header("Sec-Fetch-Site", "cross-site").send();

    assert_eq!(post("/hooks/x").await.status, 200);
    assert_eq!(place.upstream.last().header("remote-user").as_deref(), Some("ada@example.com"));
    assert_eq!(post("/page").await.status, 403);
    assert_eq!(place.upstream.count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_contradict_each_other_are_refused() {
    let place = place().await;
    let (ada, bob) = (place.sign_in("ada@example.com").await, place.sign_in("bob@example.org").await);
    let (adas, bobs) = (ada.cookie(ACCESS).unwrap(), bob.cookie(ACCESS).unwrap());

    let mixed = ada.request(Method::GET, "/page").bearer(&bobs).send().await;
    assert_eq!((mixed.status, code_of(&mixed)), is(400, "conflicting_credentials"));
    let twice = ada.request(Method::GET, "/page").bearer(&adas).bearer(&adas).send().await;
    assert_eq!((twice.status, code_of(&twice)), is(400, "bad_request"));
    let broken = ada.request(Method::GET, "/page").bearer(&adas[..adas.len() - 3]).send().await;
    assert_eq!((broken.status, code_of(&broken)), is(401, "invalid_token"));
    assert_eq!(place.upstream.count(), 0);

    assert_eq!(ada.request(Method::GET, "/page").bearer(&adas).send().await.status, 200);
    assert_eq!(place.upstream.last().header("authorization"), None);
    assert_eq!(ada.request(Method::GET, "/page").bearer("not-ours").send().await.status, 200);
    assert_eq!(place.upstream.last().header("authorization").as_deref(), Some("Bearer not-ours"));
}
