//! The shape of the program, held by a test: which module may name which module, which library may be named where, and
//! who may read the clock. To change the shape, change the table here in the same commit and say why.

use std::collections::BTreeMap;
use std::path::Path;

use crate::support::paths::{NamedPath, paths};

/// Which of our modules a top-level module may name: ground first, adapters and the composition last.
const MODULES: &[(&str, &[&str])] = &[
    // Ground: no step of either path, known to all.
    ("clock", &[]),
    ("client", &["language"]),
    ("language", &[]),
    ("random", &["outage"]),
    ("secret", &[]),
    ("id", &["random"]),
    ("seal", &["random", "secret", "outage"]),
    ("outage", &["random", "seal"]),
    ("cookie", &["clock", "secret", "config"]),
    // A section's struct lives in the module that it configures; they are put together here.
    (
        "config",
        &["admission", "clock", "cookie", "deliver", "endpoint", "gateway", "limits", "secret", "signin", "store", "telemetry", "token"],
    ),
    // The domain: no input or output but through its ports.
    ("token", &["clock", "config", "id", "outage", "random", "seal", "secret"]),
    ("revocation", &["clock", "id", "outage", "token"]),
    ("limits", &["client", "clock", "config", "outage", "random", "secret"]),
    ("audit", &["client", "clock", "id", "outage", "random", "secret"]),
    ("admission", &["client", "clock", "config", "cookie", "id", "outage", "random", "revocation", "secret", "token", "language"]),
    // It stands behind admission's port for renewal in passing.
    (
        "signin",
        &[
            "admission",
            "audit",
            "client",
            "clock",
            "config",
            "id",
            "limits",
            "outage",
            "random",
            "revocation",
            "seal",
            "secret",
            "token",
            "language",
        ],
    ),
    // API keys: it stands behind admission's port for machines. Its apps send codes and register authenticators.
    (
        "app",
        &[
            "admission",
            "audit",
            "client",
            "clock",
            "config",
            "id",
            "language",
            "limits",
            "outage",
            "random",
            "revocation",
            "seal",
            "secret",
            "signin",
            "token",
        ],
    ),
    // From outside to inside.
    (
        "endpoint",
        &[
            "admission",
            "app",
            "audit",
            "client",
            "clock",
            "config",
            "cookie",
            "id",
            "limits",
            "outage",
            "random",
            "revocation",
            "secret",
            "signin",
            "telemetry",
            "token",
            "language",
        ],
    ),
    (
        "gateway",
        &[
            "admission",
            "client",
            "clock",
            "config",
            "cookie",
            "endpoint",
            "id",
            "outage",
            "random",
            "revocation",
            "secret",
            "telemetry",
            "token",
        ],
    ),
    // Adapters: they implement ports and point inward.
    (
        "store",
        &[
            "admission",
            "app",
            "audit",
            "client",
            "clock",
            "config",
            "id",
            "limits",
            "outage",
            "random",
            "revocation",
            "seal",
            "secret",
            "signin",
            "telemetry",
            "token",
        ],
    ),
    // It is told of what happens, by ports of the domain.
    ("telemetry", &["admission", "client", "clock", "config", "id", "outage", "revocation", "secret", "signin", "token"]),
    ("deliver", &["clock", "config", "id", "outage", "random", "secret", "signin", "telemetry", "language"]),
    // The composition: the only ones who know them all.
    (
        "boot",
        &[
            "admission",
            "app",
            "audit",
            "client",
            "clock",
            "config",
            "cookie",
            "deliver",
            "endpoint",
            "gateway",
            "id",
            "limits",
            "outage",
            "random",
            "revocation",
            "seal",
            "secret",
            "signin",
            "store",
            "telemetry",
            "token",
        ],
    ),
    ("demo", &["boot", "clock", "config", "deliver", "endpoint", "gateway", "id", "outage", "random", "secret", "signin"]),
    (
        "cli",
        &[
            "admission",
            "app",
            "audit",
            "boot",
            "client",
            "clock",
            "config",
            "cookie",
            "demo",
            "gateway",
            "id",
            "limits",
            "outage",
            "random",
            "revocation",
            "seal",
            "secret",
            "signin",
            "telemetry",
            "token",
        ],
    ),
    // It chooses the provider of cryptography before anything else, and hands over.
    ("main", &["boot", "cli"]),
    // The front page: it lists the modules, and shows who embeds us where to begin.
    ("lib", &["boot"]),
];

/// Where a library may be named: a module, or a part of one. A name that ends with `*` stands for all that begin so.
const LIBRARIES: &[(&str, &[&str])] = &[
    ("pingora*", &["gateway"]),
    ("sqlx*", &["store"]),
    ("redis", &["store"]),
    ("mongodb", &["store"]),
    ("lettre", &["deliver"]),
    // Providers, and a collector of traces.
    ("reqwest", &["deliver", "telemetry"]),
    ("opentelemetry_proto", &["telemetry"]),
    ("prost", &["telemetry"]),
    ("jsonwebtoken", &["token"]),
    // Sealing (AES-GCM, HKDF), chance, comparison in constant time and keyed hashes of what is secret, key pairs; and the
    // digest by which a page's policy names its own style sheet.
    ("aws_lc_rs", &["endpoint::page", "random", "seal", "secret", "token"]),
    ("totp_rs", &["signin"]),
    ("phonenumber", &["signin::country"]),
    ("qrcode", &["signin"]),
    ("askama*", &["endpoint::page"]),
    ("matchit", &["endpoint"]),
    ("clap", &["cli", "main"]),
    ("clap_complete", &["cli"]),
    ("clap_mangen", &["cli"]),
    ("toml", &["config"]),
    ("prometheus", &["telemetry"]),
    ("tracing_subscriber", &["telemetry"]),
    ("tracing_log", &["telemetry"]),
    // What the standard library does not do yet: sockets that travel, and the clock that systemd compares.
    ("rustix", &["boot::handover", "boot::notify", "gateway::files", "gateway::straight"]),
    ("rustls*", &["boot", "gateway", "main"]),
    ("tokio_rustls", &["gateway::accept", "gateway::tls"]),
    ("x509_parser", &["gateway::tls", "gateway::upstream"]),
    // Its errors alone, which say what an upstream has not looked at.
    ("h2", &["gateway::upstream"]),
    // What apps answer, read as the framework reads it.
    ("httparse", &["gateway::straight"]),
    ("ppp", &["gateway::accept"]),
    ("socket2", &["gateway::listener"]),
    ("mimalloc", &["main"]),
];

/// Calls that belong to one place, by how their path ends.
const CALLS: &[(&[&str], &[&str])] = &[
    // Time is a parameter; one module knows where it comes from.
    (&["SystemTime", "now"], &["clock"]),
    // Nothing waits by standing still.
    (&["thread", "sleep"], &[]),
];

/// In the tests only the support may name the proxy: everything else talks to the program as its users do.
const TEST_LIBRARIES: &[(&str, &[&str])] = &[("pingora*", &["support"])];

/// Something that the tables do not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Violation {
    file: String,
    line: usize,
    what: String,
}

/// Sources by their path below the folder.
type Sources = BTreeMap<String, String>;

#[test]
fn every_module_names_only_what_its_row_allows() {
    assert_none(&violations(&sources("src")));
}

#[test]
fn the_tests_meet_the_proxy_only_in_their_support() {
    let found: Vec<Violation> = sources("tests/it").iter().flat_map(|(file, text)| libraries(file, text, TEST_LIBRARIES)).collect();

    assert_none(&found);
}

#[test]
fn every_row_names_modules_that_have_a_row() {
    for (module, allowed) in MODULES {
        for other in *allowed {
            assert!(row(other).is_some(), "{module} may name {other}, which has no row");
        }
    }
}

#[test]
fn a_planted_path_to_a_module_is_found_in_every_spelling() {
    let spellings = [
        "use crate::gateway::Listener;",
        "use crate::gateway;",
        "use crate::{clock::Timestamp, gateway::{self, Listener}};",
        "use {crate::gateway::Listener as Door, std::fmt};",
        "fn f() { crate::gateway::serve(); }",
        "fn f(a: &crate::gateway::Listener<'_>) {}",
        "fn f() -> Vec<crate :: gateway::Listener> { vec![] }",
        "macro_rules! m { () => { $crate::gateway::serve() } }",
        "pub(in crate::gateway) fn f() {}",
        "const LETTER: char = '\"'; use crate::gateway::Listener; const OTHER: char = '\"';",
        "fn f<'a>(a: &'a str) { crate::gateway::serve(a, 'b') }",
        "use super::super::gateway::Listener;",
    ];

    for planted in spellings {
        let found = violations(&planted_in("admission/policy.rs", planted));

        assert_eq!(found.len(), 1, "{planted}: {found:?}");
        assert_eq!(found[0], expected("admission/policy.rs", "admission must not name crate::gateway"));
    }
}

#[test]
fn a_planted_library_is_found_in_every_spelling() {
    let spellings = [
        "use sqlx::Row;",
        "use sqlx;",
        "use sqlx as database;",
        "extern crate sqlx;",
        "use ::sqlx::Row;",
        "use {std::fmt, sqlx::Row};",
        "fn f() { sqlx::query(\"SELECT 1\"); }",
        "#[derive(sqlx::FromRow)] struct A;",
        "fn f() { let _ = ::sqlx::query!(r#\"SELECT \"1\"\"#); }",
    ];

    for planted in spellings {
        let found = violations(&planted_in("signin/refresh.rs", planted));

        assert_eq!(found, [expected("signin/refresh.rs", "signin must not name the library sqlx")], "{planted}");
    }
}

#[test]
fn a_planted_violation_in_the_real_sources_is_found_where_it_is() {
    let plants = [
        ("admission/mod.rs", "use pingora::proxy::Session;", "admission must not name the library pingora"),
        ("token/mod.rs", "use pingora_core::Result;", "token must not name the library pingora_core"),
        ("signin/mod.rs", "use crate::store::Store;", "signin must not name crate::store"),
        ("endpoint/mod.rs", "use askama::Template;", "endpoint must not name the library askama"),
        ("signin/mod.rs", "fn f() { std::time::SystemTime::now(); }", "signin must not call SystemTime::now"),
        ("gateway/mod.rs", "use std::thread::sleep;", "gateway must not call thread::sleep"),
    ];

    let before = violations(&sources("src"));
    for (file, planted, what) in plants {
        let mut copy = sources("src");
        let text = copy.get_mut(file).expect("a file of ours");
        let line = text.lines().count() + 1;
        text.push_str(planted);

        let found: Vec<Violation> = violations(&copy).into_iter().filter(|found| !before.contains(found)).collect();

        assert_eq!(found, [violation(file, line, what.to_owned())]);
    }
}

#[test]
fn a_module_without_a_row_is_found() {
    let found = violations(&Sources::from([("novel/mod.rs".to_owned(), "//! New.".to_owned())]));

    let what = "novel has no row in the table of modules".to_owned();
    assert_eq!(found, [Violation { file: "novel/mod.rs".to_owned(), line: 1, what }]);
}

#[test]
fn words_in_comments_and_texts_name_nothing() {
    let harmless = [
        "// use crate::gateway::Listener;",
        "/* use crate::gateway; /* sqlx::query */ use sqlx::Row; */",
        "/// See [`crate::gateway::Listener`].\nfn f() {}",
        "const A: &str = \"crate::gateway \\\" sqlx::query\";",
        "const A: &[u8] = br##\"use \"# crate::gateway;\"##;",
        "fn f(redis: &Settings) { redis.check(); let toml = 1; }",
        "use super::gateway_name;",
        "mod redis; mod prometheus;",
        "use crate::token::redis::Nothing;",
    ];

    for text in harmless {
        assert_none(&violations(&planted_in("admission/policy.rs", text)));
    }
}

#[test]
fn what_a_row_allows_is_no_violation() {
    let allowed = [
        ("store/sql/mod.rs", "use sqlx::Row; use crate::signin::Accounts; mod sqlite; use super::redis;"),
        ("endpoint/page/mod.rs", "use askama::Template; use crate::signin;"),
        ("main.rs", "fn main() -> ExitCode { doorward::cli::run() }"),
        ("clock.rs", "fn now() { SystemTime::now(); }"),
    ];

    for (file, text) in allowed {
        assert_none(&violations(&Sources::from([(file.to_owned(), text.to_owned())])));
    }
}

// === the rules

/// Each line's fault once, however often the line repeats it.
fn violations(sources: &Sources) -> Vec<Violation> {
    let mut found: Vec<Violation> = sources
        .iter()
        .flat_map(|(file, text)| [modules(file, text), libraries(file, text, LIBRARIES), calls(file, text)].concat())
        .collect();
    found.dedup();
    found
}

/// Names of other modules of ours.
fn modules(file: &str, text: &str) -> Vec<Violation> {
    let module = top(file);
    let Some(allowed) = row(module) else {
        return vec![violation(file, 1, format!("{module} has no row in the table of modules"))];
    };
    let depth = place(file).len();
    paths(text)
        .into_iter()
        .filter_map(|path| Some((named_module(&path, depth)?, path.line)))
        .filter(|(named, _)| named != module && !allowed.contains(&named.as_str()))
        .map(|(named, line)| violation(file, line, format!("{module} must not name crate::{named}")))
        .collect()
}

/// The top-level module that a path names, from the crate's root or by climbing out of a file so deep below it.
fn named_module(path: &NamedPath, depth: usize) -> Option<String> {
    let first = path.segments.first()?;
    let climbed = path.segments.iter().take_while(|segment| *segment == "super").count();
    let named = match first.as_str() {
        "crate" | "doorward" => path.segments.get(1)?,
        _ if climbed > 0 && climbed >= depth => path.segments.get(climbed)?,
        _ => return None,
    };
    row(named).map(|_| named.clone())
}

/// Names of libraries.
fn libraries(file: &str, text: &str, table: &[(&str, &[&str])]) -> Vec<Violation> {
    let found = paths(text).into_iter().filter_map(|path| Some((path.segments.first()?.clone(), path.line)));
    found
        .filter(|(library, _)| !may_name(file, library, table))
        .map(|(library, line)| violation(file, line, format!("{} must not name the library {library}", top(file))))
        .collect()
}

fn may_name(file: &str, library: &str, table: &[(&str, &[&str])]) -> bool {
    let is_this = |name: &str| match name.strip_suffix('*') {
        Some(beginning) => library.starts_with(beginning),
        None => library == name,
    };
    table.iter().filter(|(name, _)| is_this(name)).all(|(_, places)| places.iter().any(|place| is_inside(file, place)))
}

/// Calls that belong to one place.
fn calls(file: &str, text: &str) -> Vec<Violation> {
    let found = paths(text);
    let ends =
        |path: &NamedPath, call: &[&str]| path.segments.iter().rev().map(String::as_str).take(call.len()).eq(call.iter().rev().copied());
    CALLS
        .iter()
        .filter(|(_, places)| !places.iter().any(|place| is_inside(file, place)))
        .flat_map(|(call, _)| {
            let here = found.iter().filter(|path| ends(path, call));
            here.map(|path| violation(file, path.line, format!("{} must not call {}", top(file), call.join("::"))))
        })
        .collect()
}

fn row(module: &str) -> Option<&'static [&'static str]> {
    MODULES.iter().find(|(name, _)| *name == module).map(|(_, allowed)| *allowed)
}

/// The modules that a file is: `endpoint/page/mod.rs` is `endpoint`, `page`.
fn place(file: &str) -> Vec<&str> {
    file.trim_end_matches(".rs").split('/').filter(|part| *part != "mod").collect()
}

fn top(file: &str) -> &str {
    place(file)[0]
}

/// True for a file of a module (`endpoint::page`) and of what is below it.
fn is_inside(file: &str, module: &str) -> bool {
    let wanted: Vec<&str> = module.split("::").collect();
    place(file).starts_with(&wanted)
}

fn violation(file: &str, line: usize, what: String) -> Violation {
    Violation { file: file.to_owned(), line, what }
}

// === sources

/// Every Rust file below a folder of the package.
fn sources(folder: &str) -> Sources {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut found = Sources::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&root).expect("below the root").display().to_string();
                found.insert(name, std::fs::read_to_string(&path).expect("text"));
            }
        }
    }
    assert!(!found.is_empty(), "no source in {folder}");
    found
}

/// A file with something planted on its third line.
fn planted_in(file: &str, planted: &str) -> Sources {
    Sources::from([(file.to_owned(), format!("//! A step.\n\n{planted}\n"))])
}

fn expected(file: &str, what: &str) -> Violation {
    violation(file, 3, what.to_owned())
}

fn assert_none(found: &[Violation]) {
    let lines: Vec<String> = found.iter().map(|violation| format!("{}:{}: {}", violation.file, violation.line, violation.what)).collect();
    assert!(lines.is_empty(), "the shape is broken:\n{}", lines.join("\n"));
}
