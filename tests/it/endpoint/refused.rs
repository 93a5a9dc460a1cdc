//! Replies to proxied requests that are not let in: they fit who asks.

use doorward::admission::{Challenge, Refusal};
use doorward::endpoint::Problem;
use doorward::outage::Outage;
use http::HeaderMap;
use http::request::Parts;

use super::door::{Door, Visitor, cookies, json, problem, text};

const ALL: [Refusal; 14] = [
    Refusal::NoRoute,
    Refusal::AmbiguousPath,
    Refusal::Malformed,
    Refusal::RepeatedCookie,
    Refusal::ConflictingCredentials,
    Refusal::Unauthenticated,
    Refusal::InvalidToken,
    Refusal::SessionEnded,
    Refusal::SecondFactorNeeded,
    Refusal::TooLongAgo(300),
    Refusal::Forbidden,
    Refusal::CrossSite,
    Refusal::MethodNotAllowed,
    Refusal::PreflightRefused,
];

fn challenges(headers: &HeaderMap) -> Vec<&str> {
    headers.get_all("www-authenticate").iter().map(|value| value.to_str().unwrap()).collect()
}

fn browser(door: &Door) -> Visitor<'_> {
    let visitor = door.visitor();
    visitor.browses();
    visitor
}

#[tokio::test]
async fn programs_read_a_problem_and_a_challenge() {
    let door = Door::open().await;
    let head = door.visitor().head("GET", "/wiki", None);
    for refusal in ALL {
        let reply = door.endpoints.refused(refusal, Challenge::Bearer, &head, "r1");
        assert_eq!(problem(&reply), (refusal.status(), refusal.code().to_owned()));
        assert_eq!(json(&reply).get("login_url").is_some(), refusal.status() == 401, "{refusal:?}");
        let expected = match refusal {
            Refusal::Unauthenticated => vec![r#"Bearer realm="doorward""#],
            Refusal::InvalidToken | Refusal::SessionEnded => vec![r#"Bearer realm="doorward", error="invalid_token""#],
            Refusal::SecondFactorNeeded => {
                vec![r#"Bearer realm="doorward", error="insufficient_user_authentication", acr_values="two_factor""#]
            }
            Refusal::TooLongAgo(_) => vec![r#"Bearer realm="doorward", error="insufficient_user_authentication", max_age="300""#],
            Refusal::Forbidden => vec![r#"Bearer realm="doorward", error="insufficient_scope""#],
            _ => vec![],
        };
        assert_eq!(challenges(reply.headers()), expected, "{refusal:?}");
    }
    let basic = door.endpoints.refused(Refusal::Unauthenticated, Challenge::Basic, &head, "r1");
    assert_eq!(challenges(basic.headers()), [r#"Basic realm="doorward", charset="UTF-8""#], "clients that are offered both choose Bearer");
    let wrong = door.endpoints.refused(Refusal::InvalidToken, Challenge::Basic, &head, "r1");
    assert_eq!(
        challenges(wrong.headers()),
        [r#"Bearer realm="doorward", error="invalid_token""#, r#"Basic realm="doorward", charset="UTF-8""#]
    );
}

#[tokio::test]
async fn people_are_sent_to_sign_in_and_then_on() {
    let door = Door::open().await;
    let person = browser(&door);
    for refusal in [Refusal::Unauthenticated, Refusal::InvalidToken, Refusal::SessionEnded] {
        for (method, path, next) in
            [("GET", "/wiki/a?b=c&d", "%2Fwiki%2Fa%3Fb%3Dc%26d"), ("POST", "/wiki/save", "%2F"), ("GET", "//evil.com/", "%2F")]
        {
            let reply = door.endpoints.refused(refusal, Challenge::Bearer, &person.head(method, path, None), "r1");
            assert_eq!(reply.status(), 302);
            assert_eq!(reply.headers()["location"].to_str().unwrap(), format!("/auth/login?next={next}"), "{path}");
            assert_eq!(cookies(reply.headers()).len(), if refusal == Refusal::SessionEnded { 2 } else { 0 });
        }
    }
}

#[tokio::test]
async fn people_read_a_page_where_signing_in_does_not_help() {
    let door = Door::open().await;
    let head = browser(&door).head("GET", "/wiki", None);
    for (refusal, words) in [
        (Refusal::Forbidden, "You may not go here"),
        (Refusal::NoRoute, "There is nothing here"),
        (Refusal::CrossSite, "Stopped for your safety"),
    ] {
        let reply = door.endpoints.refused(refusal, Challenge::Basic, &head, "r1");
        assert_eq!(reply.status(), refusal.status());
        assert!(text(&reply).contains(words) && text(&reply).contains("<code>r1</code>"), "{}", text(&reply));
        assert!(!challenges(reply.headers()).iter().any(|it| it.starts_with("Basic")), "a browser would open a window");
    }
}

#[tokio::test]
async fn grpc_reads_its_own_status() {
    let door = Door::open().await;
    let head = door.visitor().head("POST", "/pkg.Service/Call", Some("application/grpc"));
    for (refusal, status) in [
        (Refusal::Unauthenticated, "16"),
        (Refusal::SessionEnded, "16"),
        (Refusal::Forbidden, "7"),
        (Refusal::CrossSite, "7"),
        (Refusal::NoRoute, "12"),
        (Refusal::Malformed, "13"),
    ] {
        let reply = door.endpoints.refused(refusal, Challenge::Bearer, &head, "r1");
        assert_eq!((reply.status().as_u16(), reply.headers()["grpc-status"].to_str().unwrap()), (200, status), "{refusal:?}");
        assert_eq!(reply.headers()["content-type"], "application/grpc");
        assert!(reply.body().is_empty());
    }
    let message = door.endpoints.refused(Refusal::Unauthenticated, Challenge::Bearer, &head, "r1");
    assert_eq!(message.headers()["grpc-message"], "Sign in to go on%2E");
    assert_eq!(door.endpoints.outage(Outage::store("x"), &head, "r1").headers()["grpc-status"], "14");
}

#[tokio::test]
async fn a_page_of_a_session_that_ended_takes_its_cookies_unless_a_bearer_token_was_it() {
    let door = Door::open().await;
    let refused = |head: &Parts| door.endpoints.refused(Refusal::SessionEnded, Challenge::Bearer, head, "r1");
    let (page, bearer) = (browser(&door), browser(&door));
    bearer.says("authorization", "Bearer a.b.c");

    // What a program asks for may have been under way while another tab got a new session.
    let by_program = refused(&door.visitor().head("GET", "/", None));
    let (by_page, by_bearer) = (refused(&page.head("GET", "/", None)), refused(&bearer.head("GET", "/", None)));

    let counts = [by_page, by_bearer, by_program].map(|reply| cookies(reply.headers()).len());
    assert_eq!(counts, [2, 0, 0]);
}

#[tokio::test]
async fn an_outage_says_when_to_come_back_and_nothing_of_its_cause() {
    let door = Door::open().await;
    let outage = || Outage::store("password authentication failed for user hunter2");

    let program = door.endpoints.outage(outage(), &door.visitor().head("GET", "/", None), "r1");
    let person = door.endpoints.outage(outage(), &browser(&door).head("GET", "/wiki", None), "r1");

    assert_eq!(problem(&program), (503, "unavailable".to_owned()));
    assert_eq!(person.status(), 503);
    for reply in [&program, &person] {
        assert_eq!(reply.headers()["retry-after"], "5");
        assert!(!text(reply).contains("hunter2"));
        assert_eq!(cookies(reply.headers()).len(), 0);
    }
    assert!(text(&person).contains("href=\"/wiki\""));
}

#[tokio::test]
async fn an_app_that_is_gone_is_said_in_plain_words() {
    let door = Door::open().await;
    let (program, person) = (door.visitor().head("GET", "/", None), browser(&door).head("GET", "/", None));
    for (gone, status, code, words) in [
        (Problem::UpstreamFailed, 502, "upstream_failed", "The app is not reachable"),
        (Problem::UpstreamTimeout, 504, "upstream_timeout", "The app takes too long"),
    ] {
        assert_eq!(problem(&door.endpoints.problem(gone, &program, "r1")), (status, code.to_owned()));
        let page = door.endpoints.problem(gone, &person, "r1");
        assert_eq!(page.status(), status);
        assert!(text(&page).contains(words));
    }
    assert_eq!(problem(&door.endpoints.problem(Problem::HeadTooLarge, &program, "r1")), (431, "head_too_large".to_owned()));
}
