//! D 31, 32, 34, 35 and 37: a session has one name, which changes whenever it is worth more; what is over is over everywhere,
//! and what is not exactly a token of ours is none.

use std::collections::BTreeMap;
use std::time::Duration;

use http::Method;
use serde_json::json;
use tokio::task::JoinSet;

use super::factors::Enrolled;
use crate::endpoint::door::{Door, Wish, cookies};
use crate::flow::place::{ACCESS, CHALLENGE, Database, Place, REFRESH, Wants, claims_of, code_of, verify};
use crate::support::client::Person;
use crate::support::wait;

const ADA: &str = "ada@example.com";
const EVE: &str = "eve@evil.example";

const VAULT: &str = "[[route]]\nname = \"vault\"\npath = \"/vault\"\nupstream = [\"UPSTREAM\"]\nrequire = \"second_factor\"\n";

/// The session that an access cookie names.
fn session_of(person: &Person) -> String {
    claims_of(&person.cookie(ACCESS).expect("signed in"))["sid"].as_str().expect("text").to_owned()
}

/// Nothing that this browser holds opens anything: not its tokens together, not one of them.
async fn is_out(place: &Place, person: &Person, what: &str) {
    let before = place.upstream.count();
    for names in [&[ACCESS, REFRESH][..], &[ACCESS], &[REFRESH]] {
        let some = place.person();
        for name in names {
            some.set_cookie(name, &person.cookie(name).expect("it was signed in"));
        }
        assert_eq!(some.copy().get("/page").await.status, 401, "{what}: {names:?}");
        assert_eq!(some.copy().get("/auth/session").await.status, 401, "{what}: {names:?}");
        assert_eq!(some.copy().get("/auth/sessions").await.status, 401, "{what}: {names:?}");
        assert_eq!(some.copy().post("/auth/refresh", &json!({})).await.status, 401, "{what}: {names:?}");
    }
    let token = person.cookie(ACCESS).expect("it was signed in");
    for path in ["/page", "/auth/session"] {
        let reply = place.person().request(Method::GET, path).bearer(&token).send().await;
        assert_eq!(reply.status, 401, "{what}: {path}");
    }
    assert_eq!(place.upstream.count(), before, "{what}");
}

/// oauth2-proxy showed its sign-in page, and left the cookie of the session that was over: the next request was let in by it.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_34454_who_is_sent_to_sign_in_keeps_no_session() {
    let place = Place::on(Database::Sqlite).await;
    // Ended from elsewhere: the browser that did not hear of it is told at its next page, and holds nothing afterwards.
    let (here, there) = (place.sign_in(ADA).await, place.sign_in(ADA).await);
    assert_eq!(there.post("/auth/logout?scope=others", &json!({})).await.status, 200);
    let (kept, sent) = (here.copy(), here.visit("/page").await);
    assert_eq!((sent.status, here.cookie(ACCESS), here.cookie(REFRESH)), (302, None, None), "{sent:?}");
    assert_eq!(here.visit("/auth/login").await.status, 200);
    is_out(&place, &kept, "ended from elsewhere").await;

    // Signing out clears all three, whatever was presented, and the page behind it opens nothing.
    for (what, access, refresh) in [("what is good", None, None), ("nonsense", Some("x"), Some("y")), ("nothing", Some(""), Some(""))] {
        let person = place.sign_in(ADA).await;
        let kept = person.copy();
        for (name, value) in [(ACCESS, access), (REFRESH, refresh)] {
            match value {
                Some("") => person.forget_cookie(name),
                Some(value) => person.set_cookie(name, value),
                None => {}
            }
        }
        person.set_cookie(CHALLENGE, "left-over");
        let out = person.post("/auth/logout", &json!({})).await;
        assert_eq!(out.status, 200, "{what}");
        for name in [ACCESS, REFRESH, CHALLENGE] {
            assert_eq!(out.set_cookie(name), Some(format!("{name}=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax")), "{what}");
        }
        assert!(person.cookie_names().is_empty(), "{what}: {:?}", person.cookie_names());
        assert_eq!(person.get("/page").await.status, 401, "{what}");
        if what == "what is good" {
            is_out(&place, &kept, what).await;
        }
    }

    // Somebody else signs in at the same browser: nothing of the first is left in it.
    let shared = place.sign_in(ADA).await;
    let first = (shared.cookie(ACCESS), shared.cookie(REFRESH));
    let code = place.code_for(&shared, EVE).await;
    assert_eq!(verify(&shared, EVE, &code).await.status, 200);
    assert!(shared.cookie(ACCESS) != first.0 && shared.cookie(REFRESH) != first.1);
    assert_eq!(shared.get("/page").await.status, 200);
    assert_eq!(place.upstream.last().header("remote-email").as_deref(), Some(EVE));
    shared.forget_cookie(ACCESS);
    assert_eq!(shared.get("/page").await.status, 200);
    assert_eq!(place.upstream.last().header("remote-email").as_deref(), Some(EVE));
}

/// With the attributes that they were set with, or a browser keeps them: for every domain and prefix.
#[tokio::test]
async fn cve_2026_34454_a_cookie_is_cleared_where_it_was_set() {
    for (public_url, lines, prefix) in [
        (None, "", "__Host-"),
        (None, "[cookies]\ndomain = \"example.com\"", "__Secure-"),
        (Some("http://127.0.0.1:8080"), "[cookies]\nsecure = false", ""),
    ] {
        let door = Door::wished(Wish { public_url, lines, ..Wish::default() }).await;
        let visitor = door.visitor();
        let asked = visitor.post("/auth/request-otp", r#"{"email":"ada@example.com"}"#).await;
        let code = door.mailbox.code(1).await;
        let entered = visitor.post("/auth/verify-otp", &format!(r#"{{"email":"ada@example.com","code":"{code}"}}"#)).await;
        assert_eq!((asked.status().as_u16(), entered.status().as_u16()), (200, 200));
        let set: BTreeMap<String, String> =
            [cookies(asked.headers()), cookies(entered.headers())].concat().iter().filter_map(|line| place_of(line)).collect();
        assert_eq!(set.len(), 3, "{set:?}");
        assert!(set.keys().all(|name| name.starts_with(&format!("{prefix}doorward_"))), "{set:?}");

        let out = visitor.send("POST", "/auth/logout", None, b"").await;

        let cleared: BTreeMap<String, String> =
            cookies(out.headers()).iter().filter(|line| line.contains("=; Max-Age=0; ")).filter_map(|line| place_of(line)).collect();
        assert_eq!(cleared, set, "{prefix}");
    }
}

/// A cookie's name, and the attributes that say which one it is.
fn place_of(line: &str) -> Option<(String, String)> {
    let (name, rest) = line.split_once('=')?;
    let attributes: Vec<&str> = rest.split("; ").skip(1).filter(|attribute| !attribute.starts_with("Max-Age=")).collect();
    Some((name.to_owned(), attributes.join("; ")))
}

/// Zitadel and caddy-security kept the name of a session that somebody else had brought along.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2024_28197_signing_in_gives_a_session_that_nobody_knew() {
    let place = Place::on(Database::Sqlite).await;
    let mallory = place.sign_in(EVE).await;
    let known = session_of(&mallory);
    // Her cookies, in the browser at which Ada will sign in; and a challenge that she has opened for Ada's address.
    let ada = mallory.copy();
    let opener = place.person();
    place.code_for(&opener, ADA).await;
    ada.set_cookie(CHALLENGE, &opener.cookie(CHALLENGE).unwrap());
    let code = place.code_for(&ada, ADA).await;
    assert_ne!(ada.cookie(CHALLENGE), opener.cookie(CHALLENGE), "asking gives a challenge of one's own");
    assert_eq!(verify(&ada, ADA, &code).await.status, 200);

    assert_ne!(session_of(&ada), known);
    assert_ne!((ada.cookie(ACCESS), ada.cookie(REFRESH)), (mallory.cookie(ACCESS), mallory.cookie(REFRESH)));
    // What she kept is she, and what she opened is not signed in.
    assert_eq!(mallory.get("/page").await.status, 200);
    assert_eq!(place.upstream.last().header("remote-email").as_deref(), Some(EVE));
    assert_eq!(opener.get("/page").await.status, 401);
    assert_eq!(verify(&opener, ADA, &code).await.status, 401, "a code is good once");
    // A name of her own making is no session.
    let made_up = place.person();
    made_up.set_cookie(ACCESS, &known);
    made_up.set_cookie(REFRESH, &known);
    assert_eq!(made_up.get("/page").await.status, 401);
}

/// The second factor makes more of a session than it was: who knew the first one knows nothing of the second.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2024_28197_a_session_that_is_worth_more_has_another_name() {
    let place = Place::with(Wants { routes: VAULT, ..Wants::default() }).await;
    // Setting up the factor.
    let before = place.sign_in(ADA).await;
    let ada = Enrolled::at(&place, ADA).await;
    assert_eq!(ada.person.get("/vault").await.status, 200);
    assert_ne!(session_of(&ada.person), session_of(&before));

    // Entering it, from half-way.
    let (half, id) = ada.half_way(&place).await;
    assert!(half.cookie(ACCESS).is_none() && half.cookie(REFRESH).is_none());
    let entered = half.post("/auth/verify-totp", &json!({ "challenge_id": id, "code": ada.code() })).await;
    assert_eq!(entered.status, 200, "{}", entered.text());
    assert_ne!(session_of(&half), session_of(&ada.person));
    assert_ne!(session_of(&half), id);

    // Raising a session that has one.
    assert_eq!(code_of(&before.get("/vault").await), "insufficient_user_authentication");
    let stolen = before.copy();
    let raised = before.post("/auth/verify-recovery", &json!({ "code": ada.recovery_codes[0] })).await;
    assert_eq!(raised.status, 200, "{}", raised.text());
    assert_ne!(session_of(&before), session_of(&stolen));
    assert_eq!(before.get("/vault").await.status, 200);
    is_out(&place, &stolen, "the session of one factor, after the second").await;
}

/// And it was usable after it had been signed out of.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2024_21492_what_was_signed_out_of_opens_nothing() {
    let place = Place::on(Database::Postgres).await;
    let other = place.another_node().await;
    for scope in ["local", "global"] {
        let person = place.sign_in(ADA).await;
        assert_eq!(person.copy_at(other.public()).get("/page").await.status, 200);
        let early = person.copy();
        assert_eq!(person.post("/auth/refresh", &json!({})).await.status, 200);
        let late = person.copy();
        assert_eq!(person.post(&format!("/auth/logout?scope={scope}"), &json!({})).await.status, 200);

        is_out(&place, &late, scope).await;
        is_out(&place, &early, scope).await;
        // The answer was given when it was over everywhere.
        let there = late.copy_at(other.public());
        let out = || async { (there.copy().get("/page").await.status == 401).then_some(()) };
        wait::until_async("the other node to hear of it", Duration::from_secs(1), out).await;
        assert_eq!(there.post("/auth/refresh", &json!({})).await.status, 401);
    }
}

/// fosite took a name of a token for new that had been used before.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2020_15222_no_two_tokens_have_one_name() {
    let place = Place::on(Database::Sqlite).await;
    let person = place.sign_in(ADA).await;
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    let mut known = |token: String| {
        let name = claims_of(&token)["jti"].as_str().expect("text").to_owned();
        assert!(name.len() >= 22, "{name}");
        if let Some(other) = names.insert(name, token.clone()) {
            assert_eq!(other, token, "two tokens of one name");
        }
    };
    known(person.cookie(ACCESS).unwrap());
    for _ in 0..50 {
        assert_eq!(person.post("/auth/refresh", &json!({})).await.status, 200);
        known(person.cookie(ACCESS).unwrap());
    }
    let mut at_once = JoinSet::new();
    for _ in 0..50 {
        let tab = person.copy();
        at_once.spawn(async move {
            let reply = tab.post("/auth/refresh", &json!({})).await;
            assert_eq!(reply.status, 200, "{}", reply.text());
            tab.cookie(ACCESS).unwrap()
        });
    }
    at_once.join_all().await.into_iter().for_each(&mut known);
    assert!(names.len() > 60, "{}", names.len());
    // A name that is over is over in every token that bears the session's.
    let all: Vec<String> = names.into_values().collect();
    let last = place.person();
    last.set_cookie(ACCESS, &all[0]);
    assert_eq!(last.post("/auth/logout", &json!({})).await.status, 200);
    for token in &all {
        assert_eq!(place.person().request(Method::GET, "/page").bearer(token).send().await.status, 401);
    }
}

/// Each way in which a token can be nearly one.
fn nearly(token: &str) -> Vec<String> {
    let length = token.len();
    let mut all: Vec<String> = (1..length.min(60)).map(|cut| token[..length - cut].to_owned()).collect();
    all.extend((1..length.min(60)).map(|cut| token[cut..].to_owned()));
    all.extend(["A", "=", "==", ".", " A", "%00", "%20", "-", "_", "/"].map(|more| format!("{token}{more}")));
    all.extend(["A", ".", "0"].map(|more| format!("{more}{token}")));
    all.push(token.to_uppercase());
    all.push(token.to_lowercase());
    all.push(token.replace(['-', '_'], "+"));
    all.push(format!("{token}{token}"));
    // Its last letter has bits that say nothing: another letter could be read as the same bytes.
    all.extend(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".chars().map(|last| format!("{}{last}", &token[..length - 1])),
    );
    for place in (0..length).step_by(7) {
        let other = if &token[place..=place] == "x" { "y" } else { "x" };
        all.push(format!("{}{other}{}", &token[..place], &token[place + 1..]));
    }
    all.retain(|nearly| nearly != token);
    all
}

/// Zitadel took a part of an opaque token for the whole.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_27840_nearly_a_token_is_none() {
    let place = Place::on(Database::Sqlite).await;
    let person = place.sign_in(ADA).await;
    let (access, refresh) = (person.cookie(ACCESS).unwrap(), person.cookie(REFRESH).unwrap());
    let before = place.upstream.count();
    for token in nearly(&refresh) {
        let thief = place.person();
        thief.set_cookie(REFRESH, &token);
        assert_eq!(thief.copy().get("/page").await.status, 401, "{token}");
        assert_eq!(thief.post("/auth/refresh", &json!({})).await.status, 401, "{token}");
    }
    for token in nearly(&access) {
        let thief = place.person();
        thief.set_cookie(ACCESS, &token);
        assert_eq!(thief.get("/page").await.status, 401, "{token}");
        assert_eq!(thief.get("/auth/session").await.status, 401, "{token}");
        // As a bearer token it is refused, or it is none of ours and nobody is signed in.
        if token.bytes().all(|byte| byte.is_ascii_graphic()) {
            assert_eq!(place.person().request(Method::GET, "/page").bearer(&token).send().await.status, 401, "{token}");
        }
    }
    assert_eq!(place.upstream.count(), before);
    // Nobody was thrown out for it.
    assert_eq!(person.get("/page").await.status, 200);
    assert_eq!(person.post("/auth/refresh", &json!({})).await.status, 200);
}

/// Envoy believed any access token when the cookie that vouched for it was missing.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2022_29226_what_is_missing_vouches_for_nothing() {
    let place = Place::on(Database::Sqlite).await;
    let (ada, eve) = (place.sign_in(ADA).await, place.sign_in(EVE).await);
    place.code_for(&ada, ADA).await;
    let good = |name: &str| ada.cookie(name).unwrap();
    let (access, hers) = (good(ACCESS), eve.cookie(ACCESS).unwrap());
    let parts: Vec<&str> = access.split('.').collect();
    let forged = [
        format!("{}.{}.", parts[0], parts[1]),
        format!("{}.{}", parts[0], parts[1]),
        format!("{}.{}.{}", parts[0], hers.split('.').nth(1).unwrap(), parts[2]),
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.".to_owned(),
        "admin".to_owned(),
        String::new(),
    ];
    // Only what proves itself lets in: the access token, or the refresh token, each by itself.
    for has_refresh in [false, true] {
        for has_challenge in [false, true] {
            for value in std::iter::once(None).chain(forged.iter().map(Some)).chain([Some(&access)]) {
                let browser = place.person();
                if has_challenge {
                    browser.set_cookie(CHALLENGE, &good(CHALLENGE));
                }
                if has_refresh {
                    browser.set_cookie(REFRESH, &eve.cookie(REFRESH).unwrap());
                }
                if let Some(value) = value {
                    browser.set_cookie(ACCESS, value);
                }
                let before = place.upstream.count();
                let reply = browser.get("/page").await;
                let whom = if value == Some(&access) { Some(ADA) } else { has_refresh.then_some(EVE) };
                let what = format!("access {value:?}, refresh {has_refresh}, challenge {has_challenge}");
                assert_eq!(reply.status, if whom.is_some() { 200 } else { 401 }, "{what}");
                assert_eq!(place.upstream.count(), before + usize::from(whom.is_some()), "{what}");
                if whom.is_some() {
                    assert_eq!(place.upstream.last().header("remote-email").as_deref(), whom, "{what}");
                }
                if let Some(renewed) = browser.cookie(REFRESH).filter(|_| has_refresh) {
                    eve.set_cookie(REFRESH, &renewed);
                }
            }
        }
    }
}
