//! `docs/immunity.md` says what is shown and by which test: it is held equal to the tests that exist.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A row of the document.
struct Row {
    number: u32,
    advisory: String,
    stands: String,
    tests: Vec<String>,
}

fn rows() -> Vec<Row> {
    let text = fs::read_to_string(root().join("docs/immunity.md")).expect("the document");
    let lines = text.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let cells = lines.map(|line| line.split(" | ").map(str::to_owned).collect::<Vec<_>>());
    let rows = cells.filter(|cells| cells.first().is_some_and(|number| number.parse::<u32>().is_ok()));
    rows.map(|cells| {
        let [number, advisory, _mechanism, stands, tests] = cells.try_into().unwrap_or_else(|cells| panic!("not five cells: {cells:?}"));
        // Every second piece stands between backquotes.
        let tests = tests.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        Row { number: number.parse().expect("a number"), advisory, stands, tests }
    })
    .collect()
}

/// Every test under a folder, as `module::test`. Inside the sources tests stand in a module of their own.
fn tests_under(folder: &Path, is_inside: bool) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for file in files(folder) {
        let source = fs::read_to_string(&file).expect("a source");
        let module = module(&file, folder, is_inside);
        let mut is_test = false;
        for line in source.lines().map(str::trim) {
            if line.starts_with("#[test]") || line.starts_with("#[tokio::test") {
                is_test = true;
            } else if let Some(name) = line.trim_start_matches("async ").strip_prefix("fn ").filter(|_| is_test) {
                found.insert(format!("{module}::{}", name.split('(').next().unwrap_or_default()));
                is_test = false;
            } else if let Some((name, _)) = line.strip_suffix(';').and_then(|line| line.split_once(" => ")) {
                // A macro makes a test of it on each database.
                found.insert(format!("{module}::{name}"));
            }
        }
    }
    found
}

fn module(file: &Path, folder: &Path, is_inside: bool) -> String {
    let path = file.strip_prefix(folder).expect("below").with_extension("").display().to_string().replace('/', "::");
    let path = path.strip_suffix("::mod").unwrap_or(&path);
    if is_inside && !path.ends_with("tests") { format!("{path}::tests") } else { path.to_owned() }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let files = files.into_iter().filter(|path| path.extension().is_some_and(|kind| kind == "rs"));
    files.chain(folders.iter().flat_map(|folder| self::files(folder))).collect()
}

#[test]
fn every_row_names_tests_that_exist() {
    let ours: BTreeSet<String> = tests_under(&root().join("tests/it"), false);
    let inside: BTreeSet<String> = tests_under(&root().join("src"), true);
    assert!(ours.len() > 200 && inside.len() > 100);
    for row in rows() {
        for test in &row.tests {
            assert!(ours.contains(test) || inside.contains(test), "row {}: no test {test}", row.number);
        }
        match row.stands.as_str() {
            "shown" => assert!(!row.tests.is_empty(), "row {} is shown by nothing", row.number),
            "in part" => assert!(!row.tests.is_empty(), "row {} is shown by nothing, not even in part", row.number),
            "not yet shown" => assert!(row.tests.is_empty(), "row {} is shown, and says that it is not", row.number),
            other => panic!("row {} stands at {other:?}", row.number),
        }
    }
}

#[test]
fn every_test_of_an_advisory_is_in_its_row() {
    let rows = rows();
    let named: BTreeSet<&str> = rows.iter().flat_map(|row| row.tests.iter().map(String::as_str)).collect();
    let mut count = 0;
    for test in tests_under(&root().join("tests/it/immunity"), false) {
        let name = test.rsplit("::").next().unwrap_or_default();
        if ![
            "cve_",
            "ghsa_",
            "nist_",
            "includesec_",
            "keycloak_",
            "supabase_",
            "sms_",
            "rustsec_",
            "pingora_",
            "h2c_",
            "otobo_",
            "aws_",
            "tinyauth_",
        ]
        .iter()
        .any(|prefix| name.starts_with(prefix))
        {
            continue;
        }
        assert!(named.contains(format!("immunity::{test}").as_str()), "{test} is in no row");
        count += 1;
    }
    assert!(count >= 15, "{count}");
    // A test is named after an advisory of its row.
    for row in &rows {
        let advisory = letters(&row.advisory);
        for test in row.tests.iter().filter(|test| test.starts_with("immunity::")) {
            let name = test.rsplit("::").next().unwrap_or_default();
            let words: Vec<&str> = name.split('_').collect();
            let first = words.iter().take(if name.starts_with("cve_") { 3 } else { 2 });
            let id: String = first.copied().collect();
            assert!(advisory.contains(&id), "row {}: {name} is named after none of {}", row.number, row.advisory);
        }
    }
}

fn letters(text: &str) -> String {
    text.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect()
}

#[test]
fn every_row_is_there_once() {
    let mut seen: BTreeMap<u32, usize> = BTreeMap::new();
    for row in rows() {
        *seen.entry(row.number).or_default() += 1;
    }
    assert_eq!(seen, (1..=84).map(|number| (number, 1)).collect());
}
