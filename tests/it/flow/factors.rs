//! The second factor, end to end: shown once on however many nodes, asked for where a route wants it, and locked at its bound
//! however many guess at once. On each database.

use std::cell::Cell;
use std::time::Duration;

use doorward::clock::{Clock, SystemClock};
use http::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::place::{ACCESS, CHALLENGE, Database, Place, REFRESH, Wants, code_of, on_each_database, verify};
use crate::support::authenticator::Authenticator;
use crate::support::client::{Person, Reply};
use crate::support::postgres::Postgres;
use crate::support::{python, wait};

const ADA: &str = "ada@example.com";

const ROUTES: &str = r#"
[[route]]
name = "strong"
path = "/strong"
upstream = ["UPSTREAM"]
require = "second_factor"

[[route]]
name = "recent"
path = "/recent"
upstream = ["UPSTREAM"]
require = "second_factor"
max_age = "2s"
"#;

async fn place_on(database: Database) -> Place {
    Place::with(Wants { store: database.url(), routes: ROUTES, ..Wants::default() }).await
}

fn secs() -> i64 {
    SystemClock.now().as_secs()
}

/// Ada's phone. It never gives a code of a step twice: it begins one step back, which is still good, and goes one ahead.
pub(super) struct Phone {
    app: Authenticator,
    used: Cell<i64>,
}

impl Phone {
    fn new(secret: &str) -> Self {
        Self { app: Authenticator::typed(secret), used: Cell::new(secs() / 30 - 2) }
    }

    /// A code that was never used; after a while, when all that are good were.
    pub(super) async fn code(&self) -> String {
        let step = wait::until_async("the next step", Duration::from_secs(60), async || {
            let step = (self.used.get() + 1).max(secs() / 30 - 1);
            (step <= secs() / 30 + 1).then_some(step)
        })
        .await;
        self.used.set(step);
        self.app.code(step * 30)
    }

    fn wrong(&self) -> String {
        self.app.wrong(secs())
    }
}

async fn send(person: &Person, method: Method, path: &str, code: &str) -> Reply {
    person.request(method, path).json(&json!({ "code": code })).send().await
}

async fn post(person: &Person, path: &str, code: &str) -> Reply {
    send(person, Method::POST, path, code).await
}

/// Ada has an authenticator, and these recovery codes.
pub(super) async fn enrol(person: &Person) -> (Phone, Vec<String>) {
    let told = person.request(Method::POST, "/auth/totp/enroll").send().await;
    assert_eq!(told.status, 200, "{}", told.text());
    let phone = Phone::new(told.json()["secret"].as_str().unwrap());
    let confirmed = post(person, "/auth/totp/confirm", &phone.code().await).await;
    assert_eq!(confirmed.status, 200, "{}", confirmed.text());
    let codes = confirmed.json()["recovery_codes"].as_array().unwrap().iter().map(|code| code.as_str().unwrap().to_owned()).collect();
    (phone, codes)
}

/// Somebody who has entered the mailed code, and nothing else.
pub(super) async fn half_way(place: &Place) -> (Person, Value) {
    let person = place.person();
    let code = place.code_for(&person, ADA).await;
    let reply = verify(&person, ADA, &code).await;
    assert_eq!((reply.status, reply.json()["second_factor_required"].as_bool()), (200, Some(true)), "{}", reply.text());
    (person, reply.json())
}

/// What another implementation, in another language, says that the phone shows.
fn code_elsewhere(secret: &str, secs: i64) -> String {
    let script = "
import base64, hashlib, hmac, struct, sys
secret, secs = sys.argv[1:]
tag = hmac.new(base64.b32decode(secret), struct.pack('>q', int(secs) // 30), hashlib.sha1).digest()
at = tag[19] & 15
print('%06d' % ((struct.unpack('>I', tag[at:at + 4])[0] & 0x7fffffff) % 1000000))
";
    python::run(script, &[secret, &secs.to_string()])
}

async fn both_factors_open_what_asks_for_them(database: Database) {
    let place = place_on(database).await;
    let person = place.sign_in(ADA).await;

    // One factor is not enough, and the app hears nothing of it.
    let refused = person.get("/strong").await;
    assert_eq!((refused.status, code_of(&refused).as_str()), (401, "insufficient_user_authentication"));
    assert!(refused.header("www-authenticate").unwrap().contains(r#"acr_values="two_factor""#));
    assert_eq!(place.upstream.count(), 0);

    // Set up with a code that another implementation computes.
    let old = person.copy();
    let told = person.request(Method::POST, "/auth/totp/enroll").send().await.json();
    let secret = told["secret"].as_str().unwrap();
    let confirmed = post(&person, "/auth/totp/confirm", &code_elsewhere(secret, secs() - 30)).await;
    assert_eq!(confirmed.status, 200, "{}", confirmed.text());
    assert_eq!(person.get("/strong").await.status, 200);
    assert_eq!(old.get("/page").await.status, 401, "the session before is over");

    // Signing in takes both.
    let (half, told) = half_way(&place).await;
    assert_eq!(told["methods"], json!(["totp", "recovery_code"]));
    let before = place.upstream.count();
    assert_eq!((half.cookie(ACCESS), half.cookie(REFRESH), half.get("/page").await.status), (None, None, 401));
    assert_eq!(place.upstream.count(), before);
    let entered = post(&half, "/auth/verify-totp", &code_elsewhere(secret, secs() + 29)).await;
    assert_eq!(entered.status, 200, "{}", entered.text());
    assert_eq!(half.get("/strong").await.status, 200);
    let metrics = place.gateway.operator().get("/metrics").await.text();
    assert!(metrics.contains(r#"doorward_otp_verified_total{channel="totp",outcome="verified"} 2"#), "{metrics}");
}

async fn a_step_up_opens_what_wants_a_recent_sign_in(database: Database) {
    let place = place_on(database).await;
    let person = place.sign_in(ADA).await;
    let (phone, codes) = enrol(&person).await;
    let late = async || {
        let look = async || (person.get("/recent").await.status == 401).then_some(());
        wait::until_async("the sign-in to be too old", Duration::from_secs(20), look).await;
    };

    late().await;
    let refused = person.get("/recent").await;
    assert!(refused.header("www-authenticate").unwrap().contains(r#"max_age="2""#));
    assert_eq!(person.get("/strong").await.status, 200);
    assert_eq!(post(&person, "/auth/verify-totp", &phone.code().await).await.status, 200);
    assert_eq!(person.get("/recent").await.status, 200);

    late().await;
    assert_eq!(post(&person, "/auth/verify-recovery", &codes[0]).await.status, 200);
    assert_eq!(person.get("/recent").await.status, 200);
}

async fn a_code_signs_in_once_however_many_show_it_at_once(database: Database) {
    let wants = Wants {
        store: database.url(),
        sections: vec![("otp", "attempts = 30\nresend_after = \"0s\""), ("limits", "failures_per_account = 100")],
        ..Wants::default()
    };
    let place = Place::with(wants).await;
    let (phone, codes) = enrol(&place.sign_in(ADA).await).await;
    let mut all = Vec::new();
    for _ in 0..4 {
        all.push(half_way(&place).await.0);
    }
    for (path, code) in [("/auth/verify-totp", phone.code().await), ("/auth/verify-recovery", codes[0].clone())] {
        let mut tries = JoinSet::new();
        for number in 0..20 {
            let (person, code) = (all[number % all.len()].copy(), code.clone());
            tries.spawn(async move { post(&person, path, &code).await.status });
        }
        let statuses = tries.join_all().await;

        assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{path} {statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 19, "{path} {statuses:?}");
    }
}

async fn a_code_signs_in_once_on_two_nodes(database: Database) {
    // SQLite's second node is on the same file.
    let place = place_on(database).await;
    let other = place.another_node().await;
    let (phone, codes) = enrol(&place.sign_in(ADA).await).await;
    let both = async |path: &'static str, code: String| {
        let (one, _) = half_way(&place).await;
        let two = half_way(&place).await.0.copy_at(other.public());
        let (one, two) = tokio::join!(post(&one, path, &code), post(&two, path, &code));
        let mut statuses = [one.status, two.status];
        statuses.sort_unstable();
        statuses
    };

    for _ in 0..2 {
        assert_eq!(both("/auth/verify-totp", phone.code().await).await, [200, 401]);
    }
    for code in &codes[..2] {
        assert_eq!(both("/auth/verify-recovery", code.clone()).await, [200, 401]);
    }

    // One half-finished sign-in, on both nodes, with two codes that are both good.
    let (one, _) = half_way(&place).await;
    let two = one.copy_at(other.public());
    let (one, two) = tokio::join!(post(&one, "/auth/verify-recovery", &codes[2]), post(&two, "/auth/verify-recovery", &codes[3]));
    assert_eq!([one.status, two.status].iter().filter(|status| **status == 200).count(), 1);
}

/// Sixty at once: five are compared, and then the right code is not either.
async fn is_locked(person: &Person, method: Method, path: &'static str, wrong: &str, right: &str) {
    let mut all = JoinSet::new();
    for _ in 0..60 {
        let (person, method, wrong) = (person.copy(), method.clone(), wrong.to_owned());
        all.spawn(async move { send(&person, method, path, &wrong).await });
    }
    let replies = all.join_all().await;

    let compared = replies.iter().filter(|reply| reply.status == 401 && code_of(reply) == "invalid_code").count();
    let refused = replies.iter().filter(|reply| reply.status == 429 && code_of(reply) == "too_many_attempts").count();
    assert_eq!((compared, refused), (5, 55), "{method} {path}");
    let last = send(person, method, path, right).await;
    assert_eq!((last.status, last.header("retry-after").is_some()), (429, true), "{path}: the right code too");
}

async fn sixty_wrong_codes_at_once_lock_at_five(database: Database) {
    let nothing = "AAAAA-AAAAA".to_owned();
    for (number, (method, path)) in [
        (Method::POST, "/auth/verify-totp"),
        (Method::POST, "/auth/verify-recovery"),
        (Method::POST, "/auth/totp/confirm"),
        (Method::DELETE, "/auth/totp"),
        (Method::POST, "/auth/recovery-codes"),
    ]
    .into_iter()
    .enumerate()
    {
        let place = place_on(database).await;
        let person = place.sign_in(ADA).await;
        if number == 2 {
            let told = person.request(Method::POST, "/auth/totp/enroll").send().await.json();
            let phone = Phone::new(told["secret"].as_str().unwrap());
            is_locked(&person, method, path, &phone.wrong(), &phone.code().await).await;
            continue;
        }
        let (phone, codes) = enrol(&person).await;
        let (wrong, right) = if number == 1 { (nothing.clone(), codes[0].clone()) } else { (phone.wrong(), phone.code().await) };
        let trying = if number < 2 { half_way(&place).await.0 } else { person };
        is_locked(&trying, method, path, &wrong, &right).await;
        assert_eq!(trying.get("/page").await.status, if number < 2 { 401 } else { 200 });
    }
}

async fn half_a_sign_in_passes_no_route(database: Database) {
    let place = place_on(database).await;
    enrol(&place.sign_in(ADA).await).await;
    let (half, told) = half_way(&place).await;
    let id = told["challenge_id"].as_str().unwrap();
    assert_eq!(half.cookie(CHALLENGE).as_deref(), Some(id));
    let before = place.upstream.count();

    for path in ["/", "/page", "/strong", "/recent", "/auth/session", "/auth/sessions"] {
        let (access, refresh, both) = (place.person(), place.person(), place.person());
        access.set_cookie(ACCESS, id);
        refresh.set_cookie(REFRESH, id);
        for name in [ACCESS, REFRESH, CHALLENGE] {
            both.set_cookie(name, id);
        }
        for (person, who) in [(&half, "the challenge"), (&access, "access"), (&refresh, "refresh"), (&both, "all three")] {
            assert_eq!(person.get(path).await.status, 401, "{path} with {who}");
        }
        let bearer = place.person().request(Method::GET, path).bearer(id).send().await;
        assert_eq!(bearer.status, 401, "{path} as bearer");
    }
    assert_eq!(place.upstream.count(), before, "the app heard nothing");
}

async fn the_operator_takes_a_lost_authenticator_away(database: Database) {
    let place = place_on(database).await;
    let person = place.sign_in(ADA).await;
    enrol(&person).await;

    let (status, _, told) = place.gateway.command(&["account", "remove-factor", ADA]);
    let again = place.gateway.command(&["account", "remove-factor", ADA]);

    assert_eq!(status, 0, "{told}");
    assert_eq!(again.0, 1, "there is none any more");
    assert_eq!(person.get("/page").await.status, 401, "its sessions are over");
    let fresh = place.sign_in(ADA).await;
    assert_eq!(fresh.get("/page").await.status, 200, "one factor is enough again");
    assert_eq!(fresh.get("/strong").await.status, 401);
}

/// An insert into this table fails from now on.
fn refuse_inserts(place: &Place, table: &str) {
    let sql = format!(
        "CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$; \
         CREATE TRIGGER no BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION no()"
    );
    Postgres::shared().psql(&place.wants.store, &sql);
}

fn allow_inserts(place: &Place) {
    Postgres::shared().psql(&place.wants.store, "DROP FUNCTION no CASCADE");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_begins_no_session_ends_none_either() {
    let place = place_on(Database::Postgres).await;
    let person = place.sign_in(ADA).await;
    let (phone, recovery) = enrol(&person).await;
    let before = person.cookie_header();

    refuse_inserts(&place, "sessions");
    let out = post(&person, "/auth/verify-totp", &phone.code().await).await;
    assert_eq!((out.status, person.cookie_header()), (503, before));
    assert_eq!(person.get("/page").await.status, 200, "who is signed in is so still");
    allow_inserts(&place);

    assert_eq!(post(&person, "/auth/verify-recovery", &recovery[0]).await.status, 200);
    assert_eq!(person.get("/strong").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn taking_an_authenticator_away_is_done_again_where_no_session_could_be_ended() {
    let place = place_on(Database::Postgres).await;
    let person = place.sign_in(ADA).await;
    enrol(&person).await;
    let remove = || place.gateway.command(&["account", "remove-factor", ADA]);

    refuse_inserts(&place, "revocations");
    assert_eq!(remove().0, 1);
    assert_eq!(person.get("/strong").await.status, 200);
    allow_inserts(&place);

    let (code, _, complaint) = remove();
    assert_eq!((code, person.get("/page").await.status), (0, 401), "{complaint}");
}

/// Another tab of the browser may have the session that came in its place, and its cookies are this one's.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_comes_too_late_takes_no_cookies_from_the_session_that_came_in_its_place() {
    for (window, is_cleared) in [("10s", false), ("0s", true)] {
        let line = format!("concurrent_refresh_window = \"{window}\"").leak();
        let place = Place::with(Wants { sections: vec![("session", line)], ..Wants::default() }).await;
        let person = place.sign_in(ADA).await;
        let late = person.copy();
        enrol(&person).await;

        let reply = late.get("/auth/account").await;

        assert_eq!((reply.status, !reply.all("set-cookie").is_empty()), (303, is_cleared), "{window}");
    }
}

/// What a person is shown once, and the session that they have, do not hang on the log.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_cannot_be_written_takes_nothing_from_who_is_signed_in() {
    let place = place_on(Database::Postgres).await;
    let person = place.sign_in(ADA).await;
    let sql = |sql: &str| drop(Postgres::shared().psql(&place.wants.store, sql));
    let told = person.request(Method::POST, "/auth/totp/enroll").send().await;
    let phone = Phone::new(told.json()["secret"].as_str().unwrap());

    sql("ALTER TABLE audit_log RENAME TO gone");
    let confirmed = post(&person, "/auth/totp/confirm", &phone.code().await).await;
    assert_eq!(confirmed.status, 200, "{}", confirmed.text());
    let code = |reply: &Reply, nth: usize| reply.json()["recovery_codes"][nth].as_str().unwrap().to_owned();
    let renewed = post(&person, "/auth/recovery-codes", &code(&confirmed, 0)).await;
    assert_eq!(renewed.status, 200, "{}", renewed.text());
    let raised = post(&person, "/auth/verify-recovery", &code(&renewed, 0)).await;
    assert_eq!(raised.status, 200, "{}", raised.text());
    assert_eq!(person.get("/strong").await.status, 200);
    sql("ALTER TABLE gone RENAME TO audit_log");

    let written = async || {
        let (_, printed, _) = place.gateway.command(&["audit", "list", "--json"]);
        ["factor_added", "recovery_codes_renewed", "recovery_code_used"].iter().all(|what| printed.contains(what)).then_some(())
    };
    wait::until_async("the rows that waited", Duration::from_secs(10), written).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_of_a_second_factor_stands_in_the_log() {
    let place = Place::with(Wants { sections: vec![("telemetry", "log = \"debug\"")], ..Wants::default() }).await;
    let person = place.sign_in(ADA).await;
    let told = person.request(Method::POST, "/auth/totp/enroll").send().await.json();
    let secret = told["secret"].as_str().unwrap().to_owned();
    let phone = Phone::new(&secret);
    let confirmed = post(&person, "/auth/totp/confirm", &phone.code().await).await.json();
    let codes: Vec<String> = confirmed["recovery_codes"].as_array().unwrap().iter().map(|code| code.as_str().unwrap().to_owned()).collect();
    let (half, half_way) = half_way(&place).await;
    assert_eq!(post(&half, "/auth/verify-recovery", "AAAAA-AAAAB").await.status, 401);
    assert_eq!(post(&half, "/auth/verify-recovery", &codes[0]).await.status, 200);
    assert_eq!(send(&half, Method::DELETE, "/auth/totp", &codes[1]).await.status, 200);

    let log = place.gateway.log();

    for act in ["factor_added", "recovery_code_used", "factor_removed"] {
        assert!(log.contains(act), "{act} is told to the operator");
    }
    let mut secrets = vec![secret, half_way["challenge_id"].as_str().unwrap().to_owned(), "AAAAA-AAAAB".to_owned()];
    secrets.extend(codes.iter().flat_map(|code| [code.clone(), code.replace('-', "")]));
    for secret in secrets {
        assert!(!log.contains(&secret), "{secret} is in the log");
    }
}

on_each_database! {
    both_factors => both_factors_open_what_asks_for_them;
    step_up => a_step_up_opens_what_wants_a_recent_sign_in;
    once => a_code_signs_in_once_however_many_show_it_at_once;
    once_on_two_nodes => a_code_signs_in_once_on_two_nodes;
    locked => sixty_wrong_codes_at_once_lock_at_five;
    half_a_sign_in => half_a_sign_in_passes_no_route;
    operator => the_operator_takes_a_lost_authenticator_away;
}
