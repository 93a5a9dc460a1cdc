use proptest::prelude::*;
use serde_json::json;
use url::Url;

use super::*;
use crate::admission::support::{Asked, table};

fn mixed() -> Table {
    table(json!([
        { "name": "open", "require": "public" },
        { "name": "admin", "path": "/admin" },
        { "name": "ruled", "path": "/ruled", "rule": [
            { "path": "/ruled/open", "require": "public" },
            { "path": "/ruled/keys", "require": "second_factor" },
            { "require": "session" },
        ] },
        { "name": "app", "path": "/app", "strip_prefix": true, "rule": [
            { "path": "/app/app/keys", "require": "second_factor" },
            { "require": "public" },
        ] },
        { "name": "wiki", "host": "wiki.example.org", "strip_prefix": true, "path": "/wiki" },
        { "name": "Caps", "host": "wiki.example.org", "path": "/Caps" },
        { "name": "Case", "host": "case.example.org", "path": "/Case" },
        { "name": "case", "host": "case.example.org" },
    ]))
}

fn name(asked: &Asked) -> Result<String, Refusal> {
    find(&mixed(), &asked.incoming()).map(|matched| matched.route().name.clone())
}

fn get(target: &str) -> Result<String, Refusal> {
    name(&Asked::get(target))
}

#[test]
fn a_plain_path_falls_under_its_route() {
    assert_eq!(get("/").as_deref(), Ok("open"));
    assert_eq!(get("/administrator").as_deref(), Ok("open"));
    assert_eq!(get("/admin").as_deref(), Ok("admin"));
    assert_eq!(get("/admin/x.y").as_deref(), Ok("admin"));
    assert_eq!(get("/ruled/keys/1").as_deref(), Ok("ruled"));
}

#[test]
fn a_query_is_no_path() {
    assert_eq!(get("/admin?x=/public").as_deref(), Ok("admin"));
    assert_eq!(get("/x?/../admin//%2e%2e;a\\").as_deref(), Ok("open"));
    assert_eq!(get("/admin??").as_deref(), Ok("admin"));
}

#[test]
fn a_path_that_could_mean_another_route_is_refused() {
    for target in [
        "/ADMIN",
        "/Admin/x",
        "//admin",
        "/x/../admin",
        "/x/%2e%2e/admin",
        "/x/.%2e/admin",
        "/x/%252e%252e/admin",
        "/x%2f..%2fadmin",
        "/x/..%2Fadmin",
        "/x/..%252fadmin",
        "/x\\..\\admin",
        "/x/..%5cadmin",
        "/%5cadmin",
        "/\\admin",
        "/admin;x",
        "/;/admin",
        "/;x/admin",
        "/..;/admin",
        "/%61dmin",
        "/%2561dmin",
        "/admi%6E/x",
        "/admin%2fx",
        "/admin%2f..%2fx",
        "/admin/..",
        "/admin/../x",
        "/admin/%2e%2e/x",
        "/./admin",
        "/admin.",
        "/admin./x",
        "/admin%20",
        "/admin%3f",
        "/admin%23/x",
        "/admin%c0%af",
        "/ａｄｍｉｎ",
        "/admın",
        "/x/\u{2025}/admin",
        "//x/admin",
        "/\\x/admin",
        "/x/..%20/admin",
        "/x/..+/admin",
        "/x/y/.../admin",
        "/admin+",
        "/x/%e0%80%ae%e0%80%ae/admin",
    ] {
        assert_eq!(get(target), Err(Refusal::AmbiguousPath), "{target}");
    }
}

#[test]
fn a_path_that_could_mean_another_rule_is_refused() {
    for target in [
        "/ruled/open/../keys",
        "/ruled/open/%2e%2e/keys",
        "/ruled//keys",
        "/ruled/Keys",
        "/ruled/keys;a",
        "/ruled/x/..%2fkeys",
        "/ruled/%6beys",
    ] {
        assert_eq!(get(target), Err(Refusal::AmbiguousPath), "{target}");
    }
    for target in ["/ruled/open/a%20b", "/ruled/keys/x/../y", "/ruled/x//y", "/ruled/keys/a;b", "/ruled/X", "/ruled/@s%2Fn"] {
        assert_eq!(get(target).as_deref(), Ok("ruled"), "{target}");
    }
}

#[test]
fn odd_paths_pass_where_all_readings_agree() {
    for target in [
        "/@scope%2Fname",
        "/group%2Fproject.git/info/refs?service=git-upload-pack",
        "/über/straße",
        "/%C3%BCber",
        "/a%20b",
        "/a//b",
        "/a/../b",
        "/a;b=c",
        "/a\\b",
        "/100%",
        "/.well-known/x",
        "/a/./b/",
        "/%252525",
    ] {
        assert_eq!(get(target).as_deref(), Ok("open"), "{target}");
    }
    assert_eq!(get("/admin/a%2Fb").as_deref(), Ok("admin"));
    assert_eq!(get("/admin/a/../b").as_deref(), Ok("admin"));
}

#[test]
fn letter_case_is_ambiguous_only_between_routes() {
    let host = |target: &str| name(&Asked::get(target).host("case.example.org"));
    assert_eq!(host("/Case/x").as_deref(), Ok("Case"));
    assert_eq!(host("/case/x"), Err(Refusal::AmbiguousPath));
    assert_eq!(host("/CaSe"), Err(Refusal::AmbiguousPath));
    assert_eq!(host("/Other/X").as_deref(), Ok("case"));
    // Letters beyond ASCII beside it change nothing of that.
    let caps = |target: &str| name(&Asked::get(target).host("wiki.example.org"));
    assert_eq!(caps("/Caps/\u{dc}ber").as_deref(), Ok("Caps"));
    assert_eq!(caps("/Caps/%C3%9Cber").as_deref(), Ok("Caps"));
    assert_eq!(caps("/caps/\u{dc}ber"), Err(Refusal::AmbiguousPath));
}

#[test]
fn our_own_paths_are_never_a_routes() {
    for target in [
        "/auth",
        "/auth/login",
        "/AUTH/login",
        "/x/../auth",
        "//auth",
        "/%61uth/x",
        "/auth;x",
        "/auth%2flogin",
        "/x/..%5cauth/y",
        "/./auth",
    ] {
        assert_eq!(get(target), Err(Refusal::AmbiguousPath), "{target}");
    }
    assert_eq!(get("/authors").as_deref(), Ok("open"));
}

#[test]
fn what_is_no_path_is_malformed() {
    for target in
        ["", "admin", "*", "http://wiki.example.com/", "?x", "/a#b", "/a#/../admin", "/a b", "/a\tb", "/a\u{7f}", "/%00", "/a%0d%0a"]
    {
        assert_eq!(get(target), Err(Refusal::Malformed), "{target}");
    }
    for host in ["", "a b", "a/b", "a@b", "a..b", "a,b"] {
        assert_eq!(name(&Asked::get("/").host(host)), Err(Refusal::Malformed), "{host}");
    }
}

#[test]
fn a_host_is_one_in_every_spelling() {
    for host in ["wiki.example.org", "WIKI.example.ORG", "wiki.example.org.", "wiki.example.org:8443", "Wiki.Example.Org.:80"] {
        assert_eq!(name(&Asked::get("/wiki/x").host(host)).as_deref(), Ok("wiki"), "{host}");
    }
    assert_eq!(name(&Asked::get("/wiki/x").host("wikiXexample.org")).as_deref(), Ok("open"));
}

#[test]
fn a_host_without_a_route_has_none() {
    let table = table(json!([{ "host": "a.example" }]));
    for target in ["/", "/x/../y", "/%2e"] {
        assert_eq!(find(&table, &Asked::get(target).incoming()).unwrap_err(), Refusal::NoRoute, "{target}");
    }
}

#[test]
fn tunnels_and_mirrors_are_not_forwarded() {
    assert_eq!(name(&Asked::new("CONNECT", "/")), Err(Refusal::MethodNotAllowed));
    assert_eq!(name(&Asked::new("TRACE", "/")), Err(Refusal::MethodNotAllowed));
    assert_eq!(name(&Asked::new("OPTIONS", "*")).as_deref(), Ok("open"));
    assert_eq!(name(&Asked::new("PROPFIND", "/")).as_deref(), Ok("open"));
}

fn rest_of(target: &str) -> Result<Option<String>, Refusal> {
    find(&mixed(), &Asked::get(target).incoming()).map(|matched| matched.rest().map(str::to_owned))
}

#[test]
fn a_prefix_is_taken_off_byte_for_byte() {
    for (target, rest) in [
        ("/app", "/"),
        ("/app/", "/"),
        ("/app?x", "/?x"),
        ("/app/a%2Fb?c=/app", "/a%2Fb?c=/app"),
        ("/app//a", "//a"),
        ("/app/a/./b", "/a/./b"),
        ("/app/über", "/über"),
    ] {
        assert_eq!(rest_of(target), Ok(Some(rest.to_owned())), "{target}");
    }
    assert_eq!(rest_of("/admin/x"), Ok(None));
}

#[test]
fn what_is_left_of_a_path_has_the_readings_that_the_app_makes_of_it() {
    // With its prefix it stays where it is; without, `..` has nothing to take away and `/app/keys` is left.
    assert_eq!(rest_of("/app/../app/keys"), Err(Refusal::AmbiguousPath));
    assert_eq!(rest_of("/app/x/../keys"), Ok(Some("/x/../keys".to_owned())));
}

/// Pieces of which strangers build paths.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "/", "//", "\\", "%2f", "%2F", "%5c", "%252f", ".", "..", "%2e", "%2E", "%252e", ";", ";x", "a", "x", "admin", "ADMIN", "%61dmin",
        "ruled", "open", "keys", "KEYS", "app", "auth", "%20", "?", "%3f", "é", "%c3%a9", "%", "~",
    ]);
    prop::collection::vec(piece, 0..10).prop_map(|pieces| format!("/{}", pieces.concat()))
}

proptest! {
    /// Whoever reads the path as the URL standard says, decoded as often as one likes, lands where we did.
    #[test]
    fn a_browsers_reading_agrees_with_ours(target in hostile()) {
        let table = mixed();
        let asked = Asked::get(&target);
        let Ok(matched) = find(&table, &asked.incoming()) else { return Ok(()) };

        let mut path = target.split('?').next().unwrap_or_default().to_owned();
        for _ in 0..3 {
            let Ok(url) = Url::parse(&format!("http://wiki.example.com{path}")) else { break };
            let read = find_plainly(&table, url.path());
            prop_assert_eq!(read.map(|(route, _)| route), Some(matched.route().name.clone()), "{} read as {}", target, url.path());
            path = percent_encoding::percent_decode_str(url.path()).decode_utf8_lossy().into_owned();
            path = path.split(['?', '#']).next().unwrap_or_default().to_owned();
        }
    }

    /// What is forwarded is what came, but for the prefix that is taken off.
    #[test]
    fn what_is_forwarded_is_what_came(target in hostile()) {
        let table = mixed();
        let asked = Asked::get(&target);
        let Ok(matched) = find(&table, &asked.incoming()) else { return Ok(()) };
        let Some(rest) = matched.rest() else { return Ok(()) };

        let tail = target.strip_prefix(matched.route().path()).unwrap();
        prop_assert!(rest.starts_with('/') && (rest == tail || rest == format!("/{tail}")), "{} leaves {}", target, rest);
    }

    /// Our own paths are reached through no route, whatever they are written in.
    #[test]
    fn no_reading_of_an_admitted_path_is_ours(target in hostile()) {
        let asked = Asked::get(&target);
        if find(&mixed(), &asked.incoming()).is_ok() {
            let path = target.split('?').next().unwrap_or_default();
            let decoded = percent_encoding::percent_decode_str(path).decode_utf8_lossy().to_lowercase();
            if let Ok(url) = Url::parse(&format!("http://x{decoded}")) {
                prop_assert!(!reading::is_ours(url.path(), "/auth"), "{}", target);
            }
        }
    }
}

fn find_plainly(table: &Table, path: &str) -> Option<(String, RuleSet)> {
    table.find("wiki.example.com", path).map(|route| (route.name.clone(), RuleSet::of(route, path.as_bytes(), Case::Exact)))
}
