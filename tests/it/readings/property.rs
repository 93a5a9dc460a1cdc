//! Tables and paths by chance: whatever is let through falls under one route and its rules for every server of the reference,
//! and for every two of them in a row.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::fault::{OURS, Route, falls, fault, is_under, readings, table};

fn name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["a", "b", "open", "admin", "Admin", "keys", "x.y", "auth"])
}

fn prefix(most: usize) -> impl Strategy<Value = String> {
    prop::collection::vec(name(), 0..=most).prop_map(|names| names.iter().flat_map(|name| ["/", name]).collect())
}

fn route() -> impl Strategy<Value = Route> {
    (prefix(2), any::<bool>(), prop::collection::vec(prefix(2), 0..3)).prop_map(|(path, is_stripped, below)| {
        let rules = below.iter().map(|rule| format!("{path}{rule}")).collect();
        Route { path, is_stripped, rules }
    })
}

/// Routes that can stand beside each other, the root's among them.
fn routes() -> impl Strategy<Value = Vec<Route>> {
    (prop::collection::vec(route(), 0..4), route()).prop_map(|(mut routes, root)| {
        routes.push(Route {
            path: String::new(),
            rules: root.rules.iter().map(|rule| rule[root.path.len()..].to_owned()).collect(),
            ..root
        });
        let mut seen = BTreeSet::new();
        routes.retain(|route| !is_under(route.path.to_lowercase().as_bytes(), OURS) && seen.insert(route.path.to_lowercase()));
        routes
    })
}

/// Pieces of which strangers build paths.
const PIECES: &[&str] = &[
    "/",
    "/",
    "/",
    "/",
    "//",
    "\\",
    "%2f",
    "%2F",
    "%5c",
    "%252f",
    "%255C",
    ".",
    "..",
    "/..",
    "/../",
    "/./",
    "...",
    "%2e",
    "%2E",
    "%2e%2e",
    "%252e",
    ";",
    ";x",
    ";x=1",
    "%3b",
    "%253b",
    "a",
    "b",
    "open",
    "admin",
    "ADMIN",
    "Admin",
    "%61dmin",
    "%2561dmin",
    "keys",
    "x.y",
    "x%2ey",
    "auth",
    "%20",
    "+",
    "%2b",
    "%3f",
    "%23",
    "?",
    "%09",
    "%00",
    "%0a",
    "%u002e",
    "%u002f",
    "%c0%ae",
    "%c0%af",
    "%c1%9c",
    "%e0%80%ae",
    "%f0%80%80%af",
    "%c0%2f",
    "%ef%bc%8e",
    "%ef%bc%8f",
    "\u{ff0e}",
    "\u{ff0f}",
    "\u{ff41}dmin",
    "\u{2024}",
    "\u{e9}",
    "%c3%a9",
    "%e9",
    "%",
    "%2",
    "%%32%65",
    "%25",
    "~",
    ":",
    "@",
    "*",
    "\u{17f}",
];

pub fn target() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(PIECES), 0..9).prop_map(|pieces| format!("/{}", pieces.concat()))
}

/// The same cases on every machine, so that a failure is everybody's.
pub fn runner(cases: u32) -> TestRunner {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
}

#[test]
fn no_server_reads_an_admitted_path_as_one_of_another_route_or_rule() {
    let count = std::cell::Cell::new(0_u32);
    let result = runner(6000).run(&(routes(), target()), |(routes, target)| {
        let admitted = fault(&routes, &table(&routes), &target, 2).map_err(TestCaseError::fail)?;
        count.set(count.get() + u32::from(admitted));
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));
    // Were all refused, nothing would have been shown.
    assert!(count.get() > 1200, "only {} were let through", count.get());
}

#[test]
fn a_reference_that_reads_otherwise_is_noticed() {
    let routes = [("", false), ("/admin", false), ("/app", true)].map(|(path, is_stripped)| Route {
        path: path.to_owned(),
        is_stripped,
        rules: vec![],
    });
    for path in ["/x/..%2fadmin", "/%61dmin", "/x/..;/admin", "//x/admin", "/x/..%20/admin", "/ADMIN", "/x%5c..%5cadmin"] {
        let own = falls(&routes, path.as_bytes(), false);
        assert!(readings(path.as_bytes(), 1).keys().any(|(read, is_blind)| falls(&routes, read, *is_blind) != own), "{path}");
        assert_eq!(fault(&routes, &table(&routes), path, 2), Ok(false), "{path}");
    }
    assert_eq!(fault(&routes, &table(&routes), "/app/x%20y;z", 2), Ok(true));
}
