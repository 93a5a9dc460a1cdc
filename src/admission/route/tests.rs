use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::admission::support::{settings, table};

fn mistakes(routes: Value) -> Vec<String> {
    let mistakes = Table::new(&settings(routes), "/auth").err().unwrap_or_default();
    mistakes.iter().map(ToString::to_string).collect()
}

fn found<'a>(table: &'a Table, host: &str, path: &str) -> Option<&'a str> {
    table.find(host, path).map(|route| route.name.as_str())
}

#[test]
fn an_exact_host_goes_before_a_star_before_none() {
    let table = table(json!([
        { "name": "any" },
        { "name": "star", "host": "*.example.com" },
        { "name": "wiki", "host": "Wiki.Example.com" },
    ]));

    assert_eq!(found(&table, "wiki.example.com", "/"), Some("wiki"));
    assert_eq!(found(&table, "WIKI.example.com.:8443", "/"), Some("wiki"));
    assert_eq!(found(&table, "git.example.com", "/"), Some("star"));
    assert_eq!(found(&table, "a.b.example.com", "/"), Some("any"));
    assert_eq!(found(&table, "example.com", "/"), Some("any"));
    assert_eq!(found(&table, "192.0.2.1:80", "/"), Some("any"));
    assert_eq!(found(&table, "[::1]:80", "/"), Some("any"));
    assert_eq!(found(&table, "a/b", "/"), None);
}

#[test]
fn a_dot_stands_for_a_dot() {
    let table = table(json!([{ "host": "app.example.com" }, { "host": "*.example.org" }]));

    assert_eq!(found(&table, "appXexample.com", "/"), None);
    assert_eq!(found(&table, "app.exampleXcom", "/"), None);
    assert_eq!(found(&table, "appXexample.org", "/"), None);
    assert_eq!(found(&table, ".example.org", "/"), None);
}

#[test]
fn international_names_are_one_in_both_spellings() {
    let table = table(json!([{ "name": "unicode", "host": "bücher.example" }, { "name": "ascii", "host": "xn--mller-kva.example" }]));

    assert_eq!(found(&table, "xn--bcher-kva.example", "/"), Some("unicode"));
    assert_eq!(found(&table, "BÜCHER.example:443", "/"), Some("unicode"));
    assert_eq!(found(&table, "müller.example", "/"), Some("ascii"));
}

#[test]
fn the_longest_path_goes_first_whatever_the_order() {
    let table = table(json!([{ "name": "root" }, { "name": "deep", "path": "/a/b" }, { "name": "a", "path": "/a/" }]));

    assert_eq!(found(&table, "x", "/"), Some("root"));
    assert_eq!(found(&table, "x", "/ab"), Some("root"));
    assert_eq!(found(&table, "x", "/a"), Some("a"));
    assert_eq!(found(&table, "x", "/a/bc"), Some("a"));
    assert_eq!(found(&table, "x", "/a/b"), Some("deep"));
    assert_eq!(found(&table, "x", "/a/b/c"), Some("deep"));
}

#[test]
fn a_host_without_the_path_leaves_it_to_the_next() {
    let table = table(json!([{ "name": "any" }, { "name": "api", "host": "wiki.example.com", "path": "/api" }]));

    assert_eq!(found(&table, "wiki.example.com", "/api/x"), Some("api"));
    assert_eq!(found(&table, "wiki.example.com", "/x"), Some("any"));
}

#[test]
fn every_mistake_is_told_with_its_key() {
    let found = mistakes(json!([
        { "name": "a b", "host": "https://x", "path": "wiki", "upstream": [] },
        { "name": "ok", "path": "/auth/x", "upstream": ["https://my_app.internal", "unix:app.sock", "ftp://x", "http://x/y", "http://u@x", "x"] },
        { "name": "ok", "require": "session", "rule": [{ "methods": ["get"], "path": "x", "claims": { "exp": ["1"] } }] },
        { "name": "p", "path": "/p", "require": "public", "groups": ["a"], "read_timeout": "0s" },
        { "name": "q", "path": "/p2", "rule": [{ "path": "/other" }, { "email_domains": ["@x"], "claims": { "a": [] } }] },
        { "name": "r", "path": "/p3", "methods": ["GET", "TRACE"] },
    ]));

    let keys: Vec<&str> = found.iter().filter_map(|mistake| mistake.split(": ").next()).collect();
    assert_eq!(
        keys,
        [
            "route[0].name",
            "route[0].host",
            "route[0].path",
            "route[0].upstream",
            "route[1].path",
            "route[1].upstream[0]",
            "route[1].upstream[1]",
            "route[1].upstream[2]",
            "route[1].upstream[3]",
            "route[1].upstream[4]",
            "route[1].upstream[5]",
            "route[2].name",
            "route[2]",
            "route[2].rule[0].path",
            "route[2].rule[0].claims.exp",
            "route[2].rule[0].methods",
            "route[3].read_timeout",
            "route[3].require",
            "route[4].rule[0].path",
            "route[4].rule[1].email_domains",
            "route[4].rule[1].claims.a",
            "route[5].methods",
        ],
        "{found:#?}"
    );
}

#[test]
fn our_own_paths_are_nobodys() {
    for path in ["/auth", "/auth/x", "/AUTH", "/Auth/x"] {
        assert!(mistakes(json!([{ "path": path }])).iter().any(|mistake| mistake.starts_with("route[0].path: lies under /auth")), "{path}");
    }
    assert_eq!(mistakes(json!([{ "path": "/authority" }])), Vec::<String>::new());
}

#[test]
fn a_place_is_taken_once() {
    for (one, other) in [("/a", "/a"), ("/a", "/a/"), ("/a", "/A")] {
        let found = mistakes(json!([{ "host": "x.example", "path": one }, { "host": "X.example.", "path": other }]));
        assert_eq!(found, ["route[1].path: is that of another route with the same host"]);
    }
    assert_eq!(mistakes(json!([{ "host": "x.example" }, {}])), Vec::<String>::new());
}

#[test]
fn a_prefix_has_one_reading() {
    for path in ["", "a", "//", "/a//b", "/a/../b", "/..", "/a%20b", "/a;b", "/ä", "/a\\b", "/a.", "/a/."] {
        assert!(super::path(path).is_err(), "{path}");
    }
    for (text, prefix) in [("/", ""), ("/a", "/a"), ("/a/", "/a"), ("/.well-known/x", "/.well-known/x"), ("/a/b.c", "/a/b.c")] {
        assert_eq!(super::path(text).as_deref(), Ok(prefix));
    }
}

fn any_path() -> impl Strategy<Value = String> {
    prop::collection::vec("[ab]{1,2}", 0..4).prop_map(|segments| format!("/{}", segments.join("/")))
}

proptest! {
    /// Against the rule as one would say it: the longest of the paths whose segments begin the request's.
    #[test]
    fn the_table_finds_what_the_words_say(prefixes in prop::collection::hash_set(any_path(), 1..8), path in any_path()) {
        let routes: Vec<Value> = prefixes.iter().map(|prefix| json!({ "path": prefix, "name": prefix.replace('/', "-") })).collect();
        let table = table(Value::Array(routes));

        let segments = |path: &str| path.split('/').filter(|segment| !segment.is_empty()).map(str::to_owned).collect::<Vec<_>>();
        let asked = segments(&path);
        let fitting = prefixes.iter().filter(|prefix| asked.starts_with(&segments(prefix)));
        let expected = fitting.max_by_key(|prefix| segments(prefix).len()).map(|prefix| prefix.replace('/', "-"));

        prop_assert_eq!(found(&table, "any.example", &path), expected.as_deref());
    }
}
