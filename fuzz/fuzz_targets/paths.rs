//! Paths: the short cut decides as the long way does, and no server of the tests' reference, nor any two in a row, reads an
//! admitted path as one of another route or rule.

#![no_main]

use std::sync::LazyLock;

use doorward::admission::{RouteSettings, Table, fuzzing};
use serde_json::json;

#[path = "../../tests/it/readings"]
mod readings {
    pub mod fault;
    pub mod reference;
}

use readings::fault::{Route, fault, table};

fn route(path: &str, is_stripped: bool, rules: &[&str]) -> Route {
    Route { path: path.to_owned(), is_stripped, rules: rules.iter().map(|rule| (*rule).to_owned()).collect() }
}

static TABLES: LazyLock<Vec<(Vec<Route>, Table)>> = LazyLock::new(|| {
    let all = vec![
        vec![route("", false, &[]), route("/admin", false, &[]), route("/a/b", true, &["/a/b/keys", "/a/b"])],
        vec![route("", false, &["/a", "/a/Admin", ""]), route("/open", true, &[])],
        vec![route("", true, &[])],
        vec![route("/x.y", false, &["/x.y/b"]), route("/x.y/admin", true, &["/x.y/admin", "/x.y/admin/a"])],
    ];
    let with_table = |routes: Vec<Route>| {
        let table = table(&routes);
        (routes, table)
    };
    all.into_iter().map(with_table).collect()
});

static PLAIN: LazyLock<Table> = LazyLock::new(|| {
    let paths = ["/", "/admin", "/a/b", "/Case", "/open/x"];
    let section = |path: &&str| {
        serde_json::from_value::<RouteSettings>(
            json!({ "name": format!("r{}", path.len()), "path": path, "upstream": ["http://127.0.0.1:1"] }),
        )
    };
    Table::new(&paths.iter().map(|path| section(path).expect("a route")).collect::<Vec<_>>(), "/auth").expect("a table")
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((choice, rest)) = bytes.split_first() else { return };
    let Ok(path) = std::str::from_utf8(rest) else { return };
    if path.len() > 200 || !path.starts_with('/') {
        return;
    }
    let [short, long] = fuzzing::both_ways(&PLAIN, "wiki.example.com", path);
    assert_eq!(short, long, "{path}");

    let choice = usize::from(*choice);
    // Two servers in a row now and then: there are two thousand pairs.
    let depth = if choice % 32 == 0 { 2 } else { 1 };
    let Some((routes, table)) = TABLES.get(choice / 32 % TABLES.len()) else { return };
    if let Err(fault) = fault(routes, table, path, depth) {
        panic!("{fault}");
    }
});
