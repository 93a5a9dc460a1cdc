//! What was matched is what is forwarded, byte for byte, or the answer is no: a public route beside a protected one, asked in
//! every encoding that has ever fooled a gateway.

use super::place::{Database, Place};
use crate::support::client::{Raw, Reply};

/// Ways to write "one up" after a segment.
const UP: [&str; 22] = [
    "/..",
    "/%2e%2e",
    "/%2E.",
    "/.%2e",
    "/%252e%252e",
    "/%25252e%25252e",
    "//..",
    "/./..",
    "/x/../..",
    "/..;",
    "/..;x=1",
    "/;/../..",
    "\\..",
    "%2f..",
    "%2F%2e%2E",
    "%252f..",
    "%5c..",
    "%255c..",
    "/%c0%ae%c0%ae",
    "/%u002e%u002e",
    "/\u{ff0e}\u{ff0e}",
    "/\u{2025}",
];

/// Ways to go on from there.
const DOWN: [&str; 5] = ["/", "%2f", "\\", "%5C", "//"];

async fn ask(place: &Place, host: &str, target: &str, cookie: &str) -> Reply {
    let head = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n");
    Raw::exchange(place.gateway.public(), head).await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_spelling_leads_from_a_public_route_into_a_protected_one() {
    let place = Place::on(Database::Sqlite).await;
    let cookie = place.sign_in("ada@example.com").await.cookie_header();

    for up in UP {
        for down in DOWN {
            let target = format!("/open{up}{down}page");
            for cookie in ["", &cookie] {
                let reply = ask(&place, "wiki.example", &target, cookie).await;
                assert_eq!(reply.status, 400, "{target}: {}", reply.text());
            }
        }
    }

    assert_eq!(place.upstream.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_spelling_of_a_public_path_opens_a_protected_one() {
    let place = Place::on(Database::Sqlite).await;

    for target in [
        "/OPEN/x",
        "/Open",
        "/%6fpen/x",
        "/%256fpen",
        "//open/x",
        "/./open",
        "/open.",
        "/open%20/x",
        "/open;x",
        "/open;/x",
        "/open%2fx",
        "/open%5cx",
        "/open\\x",
        "/open%3fx",
        "/open%23",
        "/\u{ff4f}pen",
        "/x/../open",
        "/x/..%2fopen",
    ] {
        let reply = ask(&place, "wiki.example", target, "").await;
        assert_eq!(reply.status, 400, "{target}: {}", reply.text());
    }
    for target in ["/page?x=/open", "/page?/../open", "/opened", "/open-house/x", "/page/open", "/page%2Fopen", "/*"] {
        let reply = ask(&place, "wiki.example", target, "").await;
        assert_eq!(reply.status, 401, "{target}: {}", reply.text());
    }
    for target in ["/page#/open", "/open#/../page", "/open/%00", "/open/%0d%0a", "/open/a%2500"] {
        let reply = ask(&place, "wiki.example", target, "").await;
        assert_eq!(reply.status, 400, "{target}: {}", reply.text());
    }

    assert_eq!(place.upstream.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_odd_path_that_all_read_alike_arrives_as_it_was_sent() {
    let place = Place::on(Database::Sqlite).await;

    for target in [
        "/open",
        "/open/",
        "/open//x",
        "/open/a/../b",
        "/open/a/%2e%2e/b",
        "/open/@scope%2Fname/-/name-1.0.0.tgz",
        "/open/group%2Fproject.git/info/refs?service=git-upload-pack",
        "/open/a;v=1/b",
        "/open/a\\b",
        "/open/100%",
        "/open/%zz",
        "/open/Straße/日本?q=ü",
        "/open/%C3%9F",
        "/open/ADMIN",
        "/open/a%20b?c=%00&d=../..//;",
        "/open/.well-known/x",
        "/open?",
    ] {
        let reply = ask(&place, "wiki.example", target, "").await;
        assert_eq!(reply.status, 200, "{target}: {}", reply.text());
        assert_eq!(place.upstream.last().target(), target);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn our_own_endpoints_are_reached_by_their_own_spelling_alone() {
    let place = Place::on(Database::Sqlite).await;
    let cookie = place.sign_in("ada@example.com").await.cookie_header();

    for target in [
        "/AUTH/login",
        "//auth/login",
        "/x/../auth/login",
        "/%61uth/login",
        "/auth;x/login",
        "/auth%2flogin",
        "/open/..%2fauth/login",
        "/auth\\login",
    ] {
        let reply = ask(&place, "wiki.example", target, &cookie).await;
        assert_eq!(reply.status, 400, "{target}: {}", reply.text());
    }
    for target in ["/auth/..%2fpage", "/auth/%2e%2e/page", "/auth/../page", "/auth//..//page"] {
        let reply = ask(&place, "wiki.example", target, &cookie).await;
        assert!(matches!(reply.status, 400 | 404), "{target}: {} {}", reply.status, reply.text());
    }

    assert_eq!(place.upstream.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_is_one_in_every_spelling_and_nothing_else_is_it() {
    let routes = "[[route]]\nname = \"shop\"\nhost = \"Bücher.Example\"\nupstream = [\"UPSTREAM\"]\nrequire = \"public\"\n\
        [[route]]\nname = \"stars\"\nhost = \"*.stars.example\"\nupstream = [\"UPSTREAM\"]\nrequire = \"public\"\n";
    let place = Place::with(super::place::Wants { routes, ..Default::default() }).await;

    for host in ["xn--bcher-kva.example", "XN--BCHER-KVA.example.", "xn--bcher-kva.EXAMPLE:8443", "a.stars.example", "A.Stars.Example.:80"]
    {
        assert_eq!(ask(&place, host, "/x", "").await.status, 200, "{host}");
    }
    let served = place.upstream.count();
    for host in ["bucher.example", "xn--bcher-kvaXexample", "stars.example", "a.b.stars.example", "astars.example", "aXstars.example"] {
        assert_eq!(ask(&place, host, "/x", "").await.status, 401, "{host}");
    }

    assert_eq!(place.upstream.count(), served);
}
