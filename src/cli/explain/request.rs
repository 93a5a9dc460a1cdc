//! `doorward explain --request ID`: what came of a request that was refused, by the id that its reply names. The gateway that runs
//! remembers the last of them; the configuration says what the rules are that were asked.

use serde_json::Value;

use super::words::Written;
use crate::boot::operator;
use crate::cli::{Failed, desk, print, running};
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;

/// Prints what the running gateway remembers of the request `id`.
pub(super) fn look_up(config: &Config, id: &str, as_json: bool) -> Result<(), Failed> {
    if id.is_empty() || !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)) {
        return Err(Failed::refused(format!("{} is no request id", print::cell(id))));
    }
    let path = operator::path_of(id);
    let credential = operator::credential(config, &path, SystemClock.now())?;
    let (status, body) = running::get(&config.listen.admin, &path, Some(&credential))?;
    match status.as_str() {
        "200" => {}
        "404" => return Err(Failed::refused(forgotten(id))),
        other => return Err(Failed::refused(format!("the gateway answers {}: does it run with this configuration?", print::cell(other)))),
    }
    let unread = |error: serde_json::Error| Failed::refused(format!("the gateway's answer cannot be read: {error}"));
    let mut lost: Value = serde_json::from_str(body.trim()).map_err(unread)?;
    let (joined, _) = desk::beside_apps(config)?;
    let reason = reason(&lost, &joined.config, joined.guests);
    if as_json {
        if let Some(lost) = lost.as_object_mut() {
            lost.insert("reason".to_owned(), Value::String(reason));
        }
        return print::json(&lost);
    }
    show(&lost, &reason)
}

fn forgotten(id: &str) -> String {
    format!("the gateway remembers no refused request {id}: it passed, or it was long ago, or another node or process answered it")
}

/// In a sentence.
fn reason(lost: &Value, config: &Config, guests: usize) -> String {
    let text = |name: &str| lost.get(name).and_then(Value::as_str).unwrap_or_default();
    let code = text("code");
    let Some(name) = lost.get("route").and_then(Value::as_str) else {
        return match text("decision") {
            "own" => format!("one of Doorward's own endpoints answered {code}"),
            _ if text("method").is_empty() => format!("its head could not be read, and was turned away: {code}"),
            _ => format!("it was turned away before a route was found: {code}"),
        };
    };
    if text("decision") == "admitted" {
        return format!("route \"{name}\" let it in, and its app gave no answer: {code}");
    }
    let Some(route) = Written::find(config, guests, name) else { return format!("route \"{name}\" refused it: {code}") };
    let places = lost.get("rules").and_then(Value::as_array).into_iter().flatten();
    let places = places.filter_map(|place| usize::try_from(place.as_u64()?).ok());
    let rules: Vec<String> = places.map(|place| format!("{} ({})", route.rule_key(place), route.rule_words(place))).collect();
    let asked = if rules.is_empty() { "no rule of it was for the request".to_owned() } else { format!("asked were {}", rules.join("; ")) };
    format!("route \"{name}\" ({}) refused it with {code}: {asked}", route.key)
}

fn show(lost: &Value, reason: &str) -> Result<(), Failed> {
    let text = |name: &str| lost.get(name).and_then(Value::as_str).map(print::cell).filter(|text| !text.is_empty());
    let status = lost.get("status").and_then(Value::as_u64).unwrap_or_default();
    print::line(&format!("{} ({status} {}): {reason}", text("decision").unwrap_or_default(), text("code").unwrap_or_default()))?;
    let asked = [text("method"), text("host").map(|host| format!("{host}{}", text("path").unwrap_or_default()))];
    let asked: Vec<String> = asked.into_iter().flatten().collect();
    let facts = [
        ("request", Some(asked.join(" ")).filter(|asked| !asked.is_empty())),
        ("id", text("id")),
        ("at", text("at")),
        ("route", text("route")),
    ];
    let known = facts.into_iter().filter_map(|(name, fact)| Some((name, fact?)));
    known.map(|(name, fact)| format!("  {name:<9} {fact}")).try_for_each(|line| print::line(&line))
}
