//! The route that an app brings: the keys of one `[[route]]`, as JSON where it is kept and in the admin API, as TOML or JSON on
//! the command line.

use serde_json::Value;
use serde_path_to_error::Segment;

use super::mistake::{Mistake, words};
use crate::admission::RouteSettings;

/// Where its settings stand, in mistakes.
const KEY: &str = "route";

/// What stands in a file: TOML or JSON, with the keys of a route at its top, or in one `[[route]]`.
///
/// # Errors
/// When it is neither, or holds something else than one route.
pub fn read(text: &str) -> Result<Value, Mistake> {
    let value = if text.trim_start().starts_with('{') { json(text)? } else { toml(text)? };
    match value.get(KEY) {
        None => Ok(value),
        Some(Value::Array(routes)) => match (routes.as_slice(), value.as_object().map_or(0, serde_json::Map::len)) {
            ([route], 1) => Ok(route.clone()),
            _ => Err(Mistake::new(KEY, "should be one [[route]] and nothing else")),
        },
        Some(_) => Err(Mistake::new(KEY, "should be one [[route]] and nothing else")),
    }
}

/// The settings of the route that is kept as `value`. It has the app's name, unless it has one of its own.
///
/// # Errors
/// What cannot be read, with its key.
pub fn settings(value: &Value, app: &str) -> Result<RouteSettings, Mistake> {
    let mut value = value.clone();
    let Some(object) = value.as_object_mut() else { return Err(Mistake::new(KEY, "should be an object with the keys of a [[route]]")) };
    object.entry("name").or_insert_with(|| Value::from(app));
    serde_path_to_error::deserialize(value).map_err(|error| {
        let key = error.path().iter().fold(KEY.to_owned(), |key, segment| match segment {
            Segment::Map { key: next } => format!("{key}.{next}"),
            Segment::Seq { index } => format!("{key}[{index}]"),
            Segment::Enum { .. } | Segment::Unknown => key,
        });
        let said = error.inner().to_string();
        let problem = words(&key, &said);
        Mistake::new(key, problem)
    })
}

fn json(text: &str) -> Result<Value, Mistake> {
    serde_json::from_str(text).map_err(|error| Mistake::new(format!("{KEY}:{}", error.line()), "is not JSON"))
}

fn toml(text: &str) -> Result<Value, Mistake> {
    let table = text.parse::<toml::Table>().map_err(|error| Mistake::new(KEY, format!("is not TOML: {}", error.message())))?;
    serde_json::to_value(table).map_err(|_| Mistake::new(KEY, "holds what no route has"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOML: &str = "host = \"b.example.com\"\nupstream = [\"http://127.0.0.1:1\", { url = \"http://127.0.0.1:2\", weight = 3 }]\n\
        max_age = \"10m\"\nmax_body = \"1MiB\"\nhealth = { path = \"/healthz\" }\n";

    #[test]
    fn toml_and_json_say_the_same() {
        let value = read(TOML).unwrap();

        assert_eq!(read(&value.to_string()).unwrap(), value);
        assert_eq!(read(&format!("[[route]]\n{TOML}")).unwrap(), value);
        let route = settings(&value, "billing").unwrap();
        assert_eq!((route.name.as_str(), route.host.as_deref(), route.upstream.len()), ("billing", Some("b.example.com"), 2));
        assert_eq!((route.max_age, route.max_body), (Some(std::time::Duration::from_secs(600)), Some(1 << 20)));
        let named = settings(&serde_json::json!({ "name": "own", "upstream": [] }), "billing").unwrap();
        assert_eq!(named.name, "own");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_key() {
        let told = |text: &str| read(text).and_then(|value| settings(&value, "billing")).unwrap_err().key;

        assert_eq!(told("upstream = 7"), "route.upstream");
        assert_eq!(told("upstream = []\nhots = \"x\""), "route.hots");
        assert_eq!(told("upstream = []\nmax_age = \"soon\""), "route.max_age");
        assert_eq!(told("upstream = []\nrequire = \"nobody\""), "route.require");
        assert_eq!(told("upstream = [7]"), "route.upstream[0]");
        assert_eq!(told("host = \"x\""), "route");
        assert_eq!(told("upstream = "), "route");
        assert_eq!(told("{ \"upstream\": "), "route:1");
        assert_eq!(told("[[route]]\nupstream = []\n[[route]]\nupstream = []"), "route");
        assert_eq!(told("[[route]]\nupstream = []\n[listen]\nworkers = 1"), "route");
    }
}
