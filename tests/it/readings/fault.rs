//! What would be wrong with letting a path through: who, of all servers and of every two in a row, takes it for one of another
//! route or rule.

use std::collections::{BTreeMap, BTreeSet};

use doorward::admission::{Incoming, Matched, Refusal, RouteSettings, Table};
use doorward::client::Client;
use http::Request;
use serde_json::json;

use super::reference::{SERVERS, escaped};

/// Our own path.
pub const OURS: &str = "/auth";

/// A route as the reference knows it.
#[derive(Clone, Debug)]
pub struct Route {
    /// Without a slash at its end.
    pub path: String,
    pub is_stripped: bool,
    pub rules: Vec<String>,
}

/// Where a path falls: a route, and the rules that are for it; or one of our own endpoints, or nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Falls {
    Ours,
    Nowhere,
    Under { route: usize, rules: Vec<bool> },
}

pub fn is_under(path: &[u8], prefix: &str) -> bool {
    path.strip_prefix(prefix.as_bytes()).is_some_and(|rest| rest.is_empty() || rest.starts_with(b"/"))
}

/// In the words of the manual: the longest path that covers it by whole segments.
pub fn falls(routes: &[Route], path: &[u8], is_blind: bool) -> Falls {
    let lower = |text: &str| if is_blind { text.to_lowercase() } else { text.to_owned() };
    let path = if is_blind { String::from_utf8_lossy(path).to_lowercase().into_bytes() } else { path.to_vec() };
    if is_under(&path, OURS) {
        return Falls::Ours;
    }
    let mut covering: Vec<usize> = (0..routes.len()).filter(|index| is_under(&path, &lower(&routes[*index].path))).collect();
    covering.sort_by_key(|index| routes[*index].path.len());
    let Some(route) = covering.pop() else { return Falls::Nowhere };
    let rules = routes[route].rules.iter().map(|rule| is_under(&path, &lower(rule))).collect();
    Falls::Under { route, rules }
}

pub fn table(routes: &[Route]) -> Table {
    let section = |(index, route): (usize, &Route)| {
        let rules: Vec<_> = route.rules.iter().map(|path| json!({ "path": format!("{path}/"), "require": "public" })).collect();
        let mut settings = json!({ "name": index.to_string(), "path": format!("{}/", route.path), "strip_prefix": route.is_stripped, "upstream": ["http://127.0.0.1:1"] });
        if !rules.is_empty() {
            settings["rule"] = json!(rules);
        }
        serde_json::from_value::<RouteSettings>(settings).unwrap()
    };
    let sections: Vec<_> = routes.iter().enumerate().map(section).collect();
    Table::new(&sections, OURS).unwrap()
}

fn decide(table: &Table, target: &str) -> Result<Matched, Refusal> {
    let head = Request::new(()).into_parts().0;
    let client = Client { address: "192.0.2.7".parse().unwrap(), secure: true, host: "wiki.example.com".to_owned() };
    table.matched(&Incoming { head: &head, target, client: &client, authorities: &[], request_id: "" })
}

/// What a server reads, and whether it is blind to letter case.
type Reading = (Vec<u8>, bool);

/// Everything that a server makes of the path that it is sent, with who does; also one behind another, where `depth` is 2.
pub fn readings(sent: &[u8], depth: usize) -> BTreeMap<Reading, String> {
    let mut first: BTreeMap<Reading, String> = BTreeMap::new();
    for server in SERVERS {
        if let Some(read) = (server.reads)(sent) {
            first.entry((read, server.is_blind_to_case)).or_insert_with(|| server.name.to_owned());
        }
    }
    let mut all = first.clone();
    if depth < 2 {
        return all;
    }
    for ((read, is_blind), name) in first {
        // A rewrite may send on what it has decoded, escaped again or not.
        let forms = BTreeSet::from([escaped(&read), read]);
        for form in forms.iter().filter(|form| form.starts_with(b"/")) {
            for server in SERVERS {
                let Some(read) = (server.reads)(form) else { continue };
                let entry = all.entry((read, is_blind || server.is_blind_to_case));
                entry.or_insert_with(|| format!("{}, behind {name}", server.name));
            }
        }
    }
    all
}

/// What is wrong with letting this path through with `table`, which is that of `routes`, if anything is; true where it was let
/// through.
pub fn fault(routes: &[Route], table: &Table, target: &str, depth: usize) -> Result<bool, String> {
    let path = target.split('?').next().unwrap_or_default().as_bytes();
    let Ok(matched) = decide(table, target) else { return Ok(false) };
    let own = falls(routes, path, false);
    let Falls::Under { route, .. } = own.clone() else { return Err(format!("{target} falls {own:?}, and was let through")) };
    if matched.route().name != route.to_string() {
        return Err(format!("{target} falls under {route}, and went to {}", matched.route().name));
    }
    let route = &routes[route];
    let prefix = if route.is_stripped { route.path.as_str() } else { "" };
    let mut sent = path[prefix.len()..].to_vec();
    if !sent.starts_with(b"/") {
        sent.insert(0, b'/');
    }
    for ((read, is_blind), server) in readings(&sent, depth) {
        let read = [prefix.as_bytes(), &read].concat();
        let there = falls(routes, &read, is_blind);
        if there != own {
            return Err(format!("{target} falls {own:?}; {server} reads {} as {}: {there:?}", sent.escape_ascii(), read.escape_ascii()));
        }
    }
    Ok(true)
}
