//! E 50, 51 and 56: half signed in is not signed in, two codes by mail are not two factors, and a code is good once.

use http::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::endpoints;
use super::factors::{self, Enrolled};
use crate::flow::place::{ACCESS, CHALLENGE, Database, Place, REFRESH, Wants, claims_of, code_of, verify};
use crate::support::client::{Person, Raw, Reply};
use crate::support::wait;

const ADA: &str = "ada@example.com";

const ROUTES: &str = "[[route]]\nname = \"vault\"\npath = \"/vault\"\nupstream = [\"UPSTREAM\"]\nrequire = \"second_factor\"\n\
    [[route]]\nname = \"recent\"\npath = \"/recent\"\nupstream = [\"UPSTREAM\"]\nrequire = \"session\"\nmax_age = \"4s\"\n";

/// The endpoints that are for everybody: they ask for their own proof, or show nothing of anybody. All others are for those
/// who are signed in: a new endpoint is one of them until it is put here.
pub(super) const FOR_ALL: [&str; 19] = [
    "GET /second-factor",
    "POST /second-factor",
    "GET /recovery",
    "POST /recovery",
    "POST /register",
    "POST /request-otp",
    "POST /verify-otp",
    "POST /verify-totp",
    "POST /verify-recovery",
    "POST /refresh",
    "GET /logout",
    "POST /logout",
    "GET /.well-known/jwks.json",
    "GET /openapi.json",
    "GET /login",
    "POST /login",
    "GET /verify",
    "POST /verify",
    "GET /dev/inbox",
];

/// A body that the endpoint would take from a member.
pub(super) fn body(key: &str) -> Value {
    match key {
        "POST /totp/confirm" | "DELETE /totp" | "POST /recovery-codes" | "POST /addresses/confirm" => json!({ "code": "123456" }),
        "POST /addresses" => json!({ "email": "eve@evil.example" }),
        "DELETE /addresses" => json!({ "email": true }),
        "POST /verify-totp" | "POST /verify-recovery" => json!({ "code": "12345" }),
        "POST /verify-otp" => json!({ "email": ADA, "code": "12345" }),
        _ => json!({}),
    }
}

/// The id in every place where a credential could be.
fn holding(place: &Place, id: &str) -> Vec<(Person, Option<String>)> {
    let with = |names: &[&str]| {
        let person = place.person();
        for name in names {
            person.set_cookie(name, id);
        }
        person
    };
    vec![
        (with(&[CHALLENGE]), None),
        (with(&[CHALLENGE, ACCESS]), None),
        (with(&[CHALLENGE, REFRESH]), None),
        (with(&[CHALLENGE, ACCESS, REFRESH]), None),
        (with(&[CHALLENGE]), Some(id.to_owned())),
    ]
}

async fn send(person: &Person, bearer: Option<&str>, method: &str, path: &str, body: Option<&Value>) -> Reply {
    let mut request = person.request(method.parse().unwrap(), path);
    if let Some(token) = bearer {
        request = request.bearer(token);
    }
    if let Some(body) = body {
        request = request.json(body);
    }
    request.send().await
}

/// tinyauth took a session that waited for its second factor for one that had it.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_32246_a_half_finished_sign_in_is_worth_nothing_anywhere() {
    let place = Place::with(Wants { routes: ROUTES, ..Wants::default() }).await;
    let enrolled = Enrolled::at(&place, ADA).await;
    let (holder, id) = enrolled.half_way(&place).await;
    let before = place.upstream.count();

    for (person, bearer) in holding(&place, &id) {
        for path in ["/page", "/vault", "/recent", "/vault/../page", "/"] {
            for method in ["GET", "POST", "HEAD", "DELETE"] {
                let reply = send(&person, bearer.as_deref(), method, path, None).await;
                assert!([400, 401].contains(&reply.status), "{method} {path} {:?}: {}", person.cookie_names(), reply.status);
            }
        }
        let page = person.visit("/vault").await;
        assert!(page.status == 401 || page.header("location").is_some_and(|to| to.starts_with("/auth/")), "{page:?}");
        websocket_is_refused(&place, &person).await;
        for listed in endpoints::all() {
            let reply = if listed.is_form() {
                person.post_form(&listed.at(), &[("next", "/")]).await
            } else {
                let body = (listed.method != "GET").then(|| body(&listed.key()));
                send(&person, bearer.as_deref(), &listed.method, &listed.at(), body.as_ref()).await
            };
            if !FOR_ALL.contains(&listed.key().as_str()) {
                let to_sign_in = reply.header("location").is_some_and(|to| to.starts_with("/auth/login"));
                assert!(reply.status == 401 || (to_sign_in && [302, 303].contains(&reply.status)), "{listed:?}: {}", reply.text());
            }
            for name in [ACCESS, REFRESH] {
                assert!(reply.set_cookie(name).is_none_or(|cookie| cookie.contains("Max-Age=0")), "{listed:?} signs in");
            }
            let text = reply.text();
            // The document of the endpoints names what they answer with.
            let tells_token = listed.path != "/openapi.json" && text.contains("access_token");
            assert!(!text.contains(ADA) && !tells_token, "{listed:?} tells of the account: {text}");
        }
    }
    assert_eq!(place.upstream.count(), before, "the app saw nothing");
    // A public route knows nobody.
    assert_eq!(holder.get("/open").await.status, 200);
    assert_eq!(place.upstream.last().header("remote-user"), None);
    // Mailed codes do not finish it, and logging out does not either.
    let again = place.code_for(&place.person(), ADA).await;
    for code in [&again, &"000000".to_owned()] {
        let reply = holder.post("/auth/verify-totp", &json!({ "challenge_id": id, "code": code })).await;
        assert!([401, 429].contains(&reply.status), "{}", reply.text());
    }

    // And the second factor, which alone does, does so once.
    let (holder, id) = enrolled.half_way(&place).await;
    let entered = holder.post("/auth/verify-totp", &json!({ "challenge_id": id, "code": enrolled.code() })).await;
    assert_eq!(entered.status, 200, "{}", entered.text());
    assert_eq!((holder.get("/vault").await.status, holder.get("/page").await.status), (200, 200));
    let spent = place.person().post("/auth/verify-recovery", &json!({ "challenge_id": id, "code": enrolled.recovery_codes[0] })).await;
    assert_eq!((spent.status, code_of(&spent).as_str()), (401, "invalid_code"));
}

async fn websocket_is_refused(place: &Place, person: &Person) {
    let head = format!(
        "GET /page HTTP/1.1\r\nHost: {}\r\nCookie: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        place.gateway.public(),
        person.cookie_header()
    );
    let mut raw = Raw::connect(place.gateway.public()).await;
    raw.send(head).await;
    let status = raw.reply_head().await.expect("an answer").status;
    assert!([400, 401, 403].contains(&status), "{status}");
}

fn lacks_a_factor(reply: &Reply) {
    let challenge = reply.header("www-authenticate").unwrap_or_default();
    assert_eq!((reply.status, code_of(reply).as_str()), (401, "insufficient_user_authentication"), "{}", reply.text());
    assert!(challenge.contains("insufficient_user_authentication") && challenge.contains("acr_values=\"two_factor\""), "{challenge}");
}

/// Kratos took a mailed code for the second factor, since it was a code.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2024_45042_codes_by_mail_are_one_factor_however_many() {
    let place = Place::with(Wants { routes: ROUTES, ..Wants::default() }).await;
    let person = place.sign_in(ADA).await;
    let before = place.upstream.count();
    lacks_a_factor(&person.get("/vault").await);

    // Another code, in the same session; renewed; another address.
    let code = place.code_for(&person, ADA).await;
    assert_eq!(verify(&person, ADA, &code).await.status, 200);
    lacks_a_factor(&person.get("/vault").await);
    assert_eq!(person.post("/auth/refresh", &json!({})).await.status, 200);
    lacks_a_factor(&person.get("/vault").await);
    let second = "ada@second.example";
    assert_eq!(person.post("/auth/addresses", &json!({ "email": second })).await.status, 200);
    let code = place.mailbox.wait_for(second).await.code();
    assert_eq!(person.post("/auth/addresses/confirm", &json!({ "code": code })).await.status, 200);
    lacks_a_factor(&person.get("/vault").await);
    let again = place.sign_in(second).await;
    lacks_a_factor(&again.get("/vault").await);
    // Nor does a mailed code do where the authenticator's is asked for.
    let code = place.code_for(&again, second).await;
    for path in ["/auth/verify-totp", "/auth/verify-recovery"] {
        assert_eq!(again.post(path, &json!({ "code": code })).await.status, 401, "{path}");
    }
    lacks_a_factor(&again.get("/vault").await);
    assert_eq!(place.upstream.count(), before);
    let claims = claims_of(&again.cookie(ACCESS).unwrap());
    assert_eq!((&claims["acr"], &claims["amr"]), (&json!("one_factor"), &json!(["email"])));
}

/// Mail and SMS are two ways to send a code, and one factor.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2024_21500_a_code_by_mail_and_one_by_sms_are_one_factor() {
    let routes: &'static str = "[[delivery.sms]]\nkind = \"webhook\"\nurl = \"UPSTREAM/sms\"\nallow_private = true\n\
        secret = \"a secret that is long enough for a webhook\"\n\
        [[route]]\nname = \"vault\"\npath = \"/vault\"\nupstream = [\"UPSTREAM\"]\nrequire = \"second_factor\"\n";
    let sections = vec![("otp", "resend_after = \"0s\""), ("limits", "sms_countries = [\"DE\"]")];
    let place = Place::with(Wants { sections, routes, ..Wants::default() }).await;
    let number = "+4915112345678";
    let sent = |nth: usize| {
        let upstream = &place.upstream;
        let look = move || async move {
            let sent = upstream.received().into_iter().filter(|request| request.target() == "/sms").nth(nth)?;
            serde_json::from_slice::<Value>(&sent.body).unwrap()["code"].as_str().map(str::to_owned)
        };
        wait::until_async("an SMS", std::time::Duration::from_secs(10), look)
    };
    let person = place.sign_in(ADA).await;
    assert_eq!(person.post("/auth/addresses", &json!({ "phone": number, "channel": "sms" })).await.status, 200);
    let code = sent(0).await;
    assert_eq!(person.post("/auth/addresses/confirm", &json!({ "code": code })).await.status, 200);
    lacks_a_factor(&person.get("/vault").await);

    // By SMS, in the browser that is signed in by mail.
    assert_eq!(person.post("/auth/request-otp", &json!({ "phone": number, "channel": "sms" })).await.status, 200);
    let code = sent(1).await;
    assert_eq!(person.post("/auth/verify-otp", &json!({ "phone": number, "code": code })).await.status, 200);
    lacks_a_factor(&person.get("/vault").await);
    let claims = claims_of(&person.cookie(ACCESS).unwrap());
    assert_eq!((&claims["acr"], claims["amr"].as_array().unwrap().contains(&json!("mfa"))), (&json!("one_factor"), false), "{claims}");
    assert!(place.upstream.received().iter().all(|request| request.target() == "/sms"));
}

/// An authenticator that is taken away takes what it was worth with it.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2025_64103_a_factor_counts_as_long_as_it_is_there() {
    let place = Place::with(Wants { routes: ROUTES, ..Wants::default() }).await;
    let enrolled = Enrolled::at(&place, ADA).await;
    let other = enrolled.person.copy();
    assert_eq!(other.get("/vault").await.status, 200);

    let gone = enrolled.person.request(Method::DELETE, "/auth/totp").json(&json!({ "code": enrolled.recovery_codes[0] })).send().await;
    assert_eq!(gone.status, 200, "{}", gone.text());

    lacks_a_factor(&enrolled.person.get("/vault").await);
    assert_eq!(other.get("/vault").await.status, 401, "the session of two factors has ended");
    for (path, code) in [("/auth/verify-totp", enrolled.code()), ("/auth/verify-recovery", enrolled.recovery_codes[1].clone())] {
        assert_eq!(enrolled.person.post(path, &json!({ "code": code })).await.status, 401, "{path}");
    }
    lacks_a_factor(&enrolled.person.get("/vault").await);
}

/// Zitadel and Pocket ID let an old sign-in, or one of the wrong kind, pass for a recent one.
#[tokio::test(flavor = "multi_thread")]
async fn ghsa_hp74_only_who_is_shown_again_is_recent() {
    let place = Place::with(Wants { routes: ROUTES, ..Wants::default() }).await;
    let enrolled = Enrolled::at(&place, ADA).await;
    let person = &enrolled.person;
    let is_old = || async { Some(person.get("/recent").await).filter(|reply| reply.status == 401) };
    let old = wait::until_async("the sign-in to be old", std::time::Duration::from_secs(20), is_old).await;
    let challenge = old.header("www-authenticate").unwrap();
    assert!(challenge.contains("insufficient_user_authentication") && challenge.contains("max_age=\"4\""), "{challenge}");
    let before = place.upstream.count();

    // Renewal shows nobody again; nor does a wrong code, or the first factor alone.
    assert_eq!(person.post("/auth/refresh", &json!({})).await.status, 200);
    assert_eq!(person.get("/recent").await.status, 401);
    person.forget_cookie(ACCESS);
    assert_eq!(person.get("/recent").await.status, 401);
    assert_eq!(person.post("/auth/verify-totp", &json!({ "code": enrolled.wrong() })).await.status, 401);
    assert_eq!(person.get("/recent").await.status, 401);
    let code = place.code_for(person, ADA).await;
    let half = verify(person, ADA, &code).await;
    assert_eq!(half.json()["second_factor_required"], true);
    assert_eq!(person.get("/recent").await.status, 401);
    assert_eq!(place.upstream.count(), before);

    let shown = person.post("/auth/verify-recovery", &json!({ "code": enrolled.recovery_codes[0] })).await;
    assert_eq!(shown.status, 200, "{}", shown.text());
    assert_eq!(person.get("/recent").await.status, 200);
}

/// Keycloak took an authenticator's code twice.
#[tokio::test(flavor = "multi_thread")]
async fn keycloak_13607_an_authenticators_code_is_good_once_on_any_node() {
    let place = Place::on(Database::Postgres).await;
    let other = place.another_node().await;
    let enrolled = Enrolled::at(&place, ADA).await;
    // The code that set it up is used already.
    let (person, _) = enrolled.half_way(&place).await;
    let used = person.post("/auth/verify-totp", &json!({ "code": enrolled.phone.code(factors::now()) })).await;
    assert_eq!(used.status, 401, "{}", used.text());

    // The next one, by several at once at two nodes.
    let mut people = vec![person.copy(), person.copy_at(other.public())];
    for _ in 0..3 {
        let (person, _) = enrolled.half_way(&place).await;
        people.extend([person.copy(), person.copy_at(other.public())]);
    }
    let mut all = JoinSet::new();
    for person in people {
        let code = enrolled.code();
        all.spawn(
            async move { (person.post("/auth/verify-totp", &json!({ "code": code })).await.status, person.cookie(ACCESS).is_some()) },
        );
    }
    let outcomes = all.join_all().await;

    assert_eq!(outcomes.iter().filter(|outcome| **outcome == (200, true)).count(), 1, "{outcomes:?}");
    assert!(outcomes.iter().all(|(status, is_in)| (*status == 200) == *is_in && [200, 401].contains(status)), "{outcomes:?}");
}

/// A code of long ago, or of a time to come, is none.
#[tokio::test(flavor = "multi_thread")]
async fn rustsec_2022_0018_of_an_authenticators_codes_those_of_now_are_good() {
    let place = Place::on(Database::Sqlite).await;
    let enrolled = Enrolled::at(&place, ADA).await;
    for steps in [[-20, -2, -1, 2], [3, 4, 10, 2880]] {
        let (person, _) = enrolled.half_way(&place).await;
        let now = factors::soon_after_a_step().await;
        for step in steps {
            let reply = person.post("/auth/verify-totp", &json!({ "code": enrolled.phone.code(now + step * 30) })).await;
            assert_eq!(reply.status, 401, "{step} steps away: {}", reply.text());
        }
    }
    let (person, _) = enrolled.half_way(&place).await;
    let now = factors::soon_after_a_step().await;
    let next = person.post("/auth/verify-totp", &json!({ "code": enrolled.phone.code(now + 30) })).await;
    assert_eq!(next.status, 200, "a clock may be a step ahead: {}", next.text());
}

/// What is good once is good once when it comes many times at once.
#[tokio::test(flavor = "multi_thread")]
async fn keycloak_13607_a_recovery_code_is_good_once_at_once() {
    let place = Place::on(Database::Sqlite).await;
    let enrolled = Enrolled::at(&place, ADA).await;
    let mut all = JoinSet::new();
    for _ in 0..4 {
        let (person, _) = enrolled.half_way(&place).await;
        let code = enrolled.recovery_codes[3].clone();
        all.spawn(async move { person.post("/auth/verify-recovery", &json!({ "code": code })).await.status });
    }
    let mut statuses = all.join_all().await;
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401, 401, 401]);
}
