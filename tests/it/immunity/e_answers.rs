//! E 57 and 58: an answer says nothing of who has an account, and looking changes nothing.

use http::Method;
use serde_json::json;

use super::endpoints;
use super::factors::Enrolled;
use crate::flow::place::{CHALLENGE, Database, Place, Wants, ask, verify, wrong};
use crate::support::client::{Person, Reply};
use crate::support::postgres::Postgres;

/// All of a reply but what is new each time: ids, and the date.
fn look(reply: &Reply) -> Look {
    let mut headers = reply.headers.clone();
    let mut body = reply.text();
    for (name, value) in &mut headers {
        if name == "date" || name == "x-request-id" {
            body = body.replace(value.as_str(), "…");
            "…".clone_into(value);
        }
        if name == "set-cookie" {
            let id = value.split(['=', ';']).nth(1).unwrap_or_default().to_owned();
            if !id.is_empty() {
                body = body.replace(&id, "…");
                *value = value.replace(&id, "…");
            }
        }
        if name == "retry-after" {
            // Counted from a moment ago, on a machine that may be busy.
            let secs: u64 = value.parse().expect("seconds");
            *value = ((secs + 30) / 60).to_string();
        }
    }
    (reply.status, headers, body)
}

/// Everything that can be asked about an address without being able to read its mail.
async fn questions(place: &Place, email: &str) -> Vec<Reply> {
    let (person, stranger) = (place.person(), place.person());
    let mut replies = vec![verify(&stranger, email, "123456").await, ask(&person, email).await, ask(&person, email).await];
    replies.push(stranger.post("/auth/register", &json!({ "email": email })).await);
    let challenge = person.cookie(CHALLENGE).expect("a challenge");
    // A guess that is wrong whatever the code is.
    for _ in 0..6 {
        replies.push(verify(&person, email, "12345").await);
        replies.push(person.post_form("/auth/verify", &[("code", "12345"), ("next", "/")]).await);
        replies.push(stranger.post("/auth/verify-otp", &json!({ "email": email, "code": "12345", "challenge_id": challenge })).await);
    }
    for _ in 0..7 {
        replies.push(verify(&place.person(), email, "12345").await);
    }
    let browser = place.person();
    replies.push(browser.post_form("/auth/login", &[("address", email), ("next", "/a")]).await);
    replies.push(browser.visit("/auth/verify?next=/a").await);
    replies
}

/// Of one length, so that what an answer repeats of a question is as long.
const KNOWN: [&str; 3] = ["known1@example.com", "locked@example.com", "secure@example.com"];
const UNKNOWN: &str = "nobody@example.com";

/// A place where one address is known, one is of a disabled account, and one of an account with a second factor.
async fn place_of_all_sorts(section: &'static str) -> Place {
    let place = Place::with(Wants { sections: vec![("otp", section)], ..Wants::default() }).await;
    for email in KNOWN {
        assert_eq!(place.gateway.command(&["account", "add", "--email", email]).0, 0);
    }
    assert_eq!(place.gateway.command(&["account", "disable", KNOWN[1]]).0, 0);
    place
}

/// Zitadel, Supabase and Traefik told by a word, a status or a header who has an account.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2024_41952_known_unknown_and_disabled_addresses_are_answered_alike() {
    for section in ["registration = \"closed\"\nresend_after = \"5m\"", "registration = \"open\"\nresend_after = \"5m\""] {
        let place = place_of_all_sorts(section).await;
        let seen = all_answers(&place, &[KNOWN[0], KNOWN[1], UNKNOWN]).await;
        let statuses: Vec<u16> = seen[0].iter().map(|(status, ..)| *status).collect();
        assert_eq!(statuses[..4], [401, 200, 429, 429], "{section}");
        assert!(statuses.contains(&401) && statuses.iter().filter(|status| **status == 429).count() > 10, "{statuses:?}");
        are_alike(section, &seen);
    }
}

/// Nor does an account with a second factor look different, before the first is shown.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2026_23511_who_has_a_second_factor_is_not_told_either() {
    let section = "registration = \"closed\"\nresend_after = \"0s\"";
    let place = place_of_all_sorts(section).await;
    Enrolled::at(&place, KNOWN[2]).await;
    let seen = all_answers(&place, &[KNOWN[2], KNOWN[0], KNOWN[1], UNKNOWN]).await;
    let statuses: Vec<u16> = seen[0].iter().map(|(status, ..)| *status).collect();
    assert_eq!(statuses[..4], [401, 200, 200, 200]);
    are_alike(section, &seen);
}

type Look = (u16, Vec<(String, String)>, String);

async fn all_answers(place: &Place, emails: &[&str]) -> Vec<Vec<Look>> {
    let mut seen = Vec::new();
    for email in emails {
        let looks = questions(place, email).await.iter().map(look).collect::<Vec<_>>();
        seen.push(looks.into_iter().map(|(status, headers, body)| (status, headers, body.replace(email, "…"))).collect());
    }
    seen
}

fn are_alike(section: &str, seen: &[Vec<Look>]) {
    for other in &seen[1..] {
        for (number, answer) in seen[0].iter().enumerate() {
            assert_eq!(*answer, other[number], "{section}: question {number}");
        }
    }
}

/// Scanners of mail follow links with GET, and some first ask with HEAD: the session must be there for the person afterwards.
#[tokio::test(flavor = "multi_thread")]
async fn supabase_1214_get_and_head_of_our_endpoints_change_nothing() {
    let place = Place::on(Database::Postgres).await;
    // Newer versions of pg_dump guard their text with a word that is new each time.
    let dump = || {
        let text = Postgres::shared().dump(&place.wants.store);
        // What was asked and refused before is noted in the audit log, a moment later.
        let mut is_log = false;
        let kept = text.lines().filter(|line| {
            is_log |= line.starts_with("COPY public.audit_");
            let keeps = !is_log && !line.contains("restrict ") && !line.starts_with("INSERT INTO public.audit_");
            is_log &= *line != "\\.";
            keeps
        });
        kept.collect::<Vec<_>>().join("\n")
    };
    let member = place.sign_in("bob@example.com").await;
    let person = place.person();
    let code = place.code_for(&person, "ada@example.com").await;
    let challenge = person.cookie(CHALLENGE).unwrap();
    let queries = [
        String::new(),
        format!("?code={code}"),
        format!("?code={code}&next=/"),
        format!("?code={code}&challenge_id={challenge}&email=ada@example.com"),
        format!("?email=ada@example.com&address=ada@example.com&code={code}"),
        "?scope=global".to_owned(),
        "?confirm=true&_method=DELETE".to_owned(),
    ];
    let before = dump();
    assert!(before.contains("ada@example.com"), "the dump holds what could change");

    let mut looked = 0;
    for listed in endpoints::all() {
        for query in &queries {
            for (who, method) in [(&person, Method::GET), (&member, Method::GET), (&person, Method::HEAD), (&member, Method::HEAD)] {
                for is_page in [false, true] {
                    let request = who.request(method.clone(), &format!("{}{query}", listed.at()));
                    let request =
                        if is_page { request.header("Accept", "text/html").header("Sec-Fetch-Mode", "navigate") } else { request };
                    let reply = request.header("X-HTTP-Method-Override", "POST").send().await;
                    // A page may clear what is good for nothing.
                    let given = reply.all("set-cookie").into_iter().find(|cookie| !cookie.contains("=; Max-Age=0;"));
                    assert_eq!(given, None, "{method} {} {query}", listed.at());
                    looked += 1;
                }
            }
        }
    }

    assert!(looked > 500, "{looked}");
    assert_eq!(before, dump(), "looking changed the database");
    assert_eq!(verify(&person, "ada@example.com", &wrong(&code)).await.status, 401);
    assert_ne!(before, dump(), "a change is seen");
    assert_eq!(verify(&person, "ada@example.com", &code).await.status, 200, "the code is still good");
    assert_eq!(member.get("/page").await.status, 200, "and nobody was signed out");
    only_who_holds_the_challenge_is_signed_in(&place).await;
}

/// A form that is sent by another browser, with a code that it read over a shoulder, is a stranger's guess.
async fn only_who_holds_the_challenge_is_signed_in(place: &Place) {
    let person = place.person();
    let code = place.code_for(&person, "cy@example.com").await;
    let scanner: Person = place.person();
    let reply = scanner.post_form("/auth/verify", &[("code", &code), ("next", "/")]).await;
    assert_eq!((reply.status, scanner.cookie_names().len()), (401, 0));
    assert_eq!(verify(&person, "cy@example.com", &code).await.status, 200);
}
