//! The table of our own endpoints, read from its source: a test about "every endpoint" is then about the next one too.

use std::path::Path;

/// One endpoint with one method.
#[derive(Clone, Debug)]
pub struct Listed {
    pub method: String,
    /// Under the prefix, with `{id}` where it has a place for one.
    pub path: String,
    /// Its name in the program.
    name: String,
}

impl Listed {
    /// `POST /verify-otp`: what it is known by in the tests.
    pub fn key(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// Is it what a page's form is sent to, and nothing else?
    pub fn is_form(&self) -> bool {
        self.method == "POST" && (self.path.starts_with("/account") || self.path == "/step-up")
    }

    /// Is it there to be looked at by people?
    pub fn is_page(&self) -> bool {
        self.method == "GET"
            && !self.path.starts_with("/api/")
            && !["/session", "/sessions", "/.well-known/jwks.json", "/openapi.json"].contains(&self.path.as_str())
    }

    /// Where it is, with something in the place for an id.
    pub fn at(&self) -> String {
        format!("/auth{}", self.path.replace("{id}", "nothing"))
    }
}

/// Every endpoint, the demo's inbox too.
pub fn all() -> Vec<Listed> {
    let source = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/endpoint/table.rs")).expect("the table");
    let (table, _) = source.split_once("#[cfg(test)]\nmod tests").expect("its tests come last");
    // Rustfmt may break a row after its bracket.
    let rows = table.split("\"/").skip(1);
    rows.flat_map(|row| {
        let (path, rest) = row.split_once('"').expect("a path ends");
        let path = format!("/{path}");
        let methods = rest.split("Method::").skip(1).filter_map(|pair| pair.split_once(", Endpoint::"));
        let listed = methods.map(move |(method, name)| Listed {
            method: method.to_owned(),
            path: path.clone(),
            name: name.split(|letter: char| !letter.is_alphanumeric()).next().unwrap_or_default().to_owned(),
        });
        listed.collect::<Vec<_>>()
    })
    .collect()
}

/// Those of these keys that lead somewhere.
pub fn there<'a>(keys: &[&'a str]) -> Vec<&'a str> {
    let all: Vec<String> = all().iter().map(Listed::key).collect();
    keys.iter().copied().filter(|key| all.iter().any(|known| known == key)).collect()
}

#[test]
fn the_table_is_read_whole() {
    let all = all();
    let source = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/endpoint/table.rs")).unwrap();
    let names = source.split_once("enum Endpoint {").unwrap().1.split_once('}').unwrap().0;
    let names: Vec<&str> = names.lines().map(|line| line.trim().trim_end_matches(',')).filter(|line| !line.is_empty()).collect();
    assert!(names.len() >= 15, "{names:?}");
    for name in names.into_iter().filter(|name| !name.starts_with("//")) {
        let name = name.split('(').next().unwrap_or_default();
        assert!(all.iter().any(|listed| listed.name.starts_with(name)), "{name} has no path: {all:?}");
    }
    assert!(all.iter().any(|listed| listed.method == "DELETE" && listed.at() == "/auth/sessions/nothing"));
}
