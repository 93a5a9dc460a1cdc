//! `doorward check`: every mistake in the configuration at once, each with its key; what is allowed and seldom meant; and the routes
//! of apps that have no place beside it.

use clap::Args;
use serde_json::{Value, json};

use super::{ConfigFile, Failed, desk, load, print};
use crate::boot::guests::Joined;
use crate::config::Mistake;

/// What is checked.
#[derive(Debug, Args)]
pub(super) struct Check {
    #[command(flatten)]
    file: ConfigFile,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Says `ok`, or fails with every mistake. A route of an app that has no place is no mistake in the file: it is left out when
/// the gateway runs, and said here.
pub(super) fn run(check: &Check) -> Result<(), Failed> {
    let (joined, note, found, doubts) = match load(&check.file.config) {
        Ok(config) => {
            let (joined, note) = desk::beside_apps(&config)?;
            (Some(joined), note, Vec::new(), config.doubts())
        }
        Err(Failed::Mistakes(mistakes)) if check.json => (None, None, mistakes, Vec::new()),
        Err(failed) => return Err(failed),
    };
    let left_out = joined.as_ref().map(left_out).unwrap_or_default();
    if !check.json {
        for doubt in &doubts {
            print::complain(&format!("note: {doubt}"));
        }
        if let Some(note) = &note {
            print::complain(&format!("note: {note}"));
        }
        for (app, key, problem) in &left_out {
            print::complain(&print::cell(&format!("note: the route of app {app} is left out: {key} {problem}")));
        }
        return print::line("ok");
    }
    let listed = |all: &[Mistake]| all.iter().map(|one| json!({ "key": one.key, "problem": one.problem })).collect::<Value>();
    let left_out: Value = left_out.iter().map(|(app, key, problem)| json!({ "app": app, "key": key, "problem": problem })).collect();
    let mut said = json!({ "ok": found.is_empty(), "mistakes": listed(&found) });
    if let Some(said) = said.as_object_mut().filter(|_| !doubts.is_empty()) {
        said.insert("notes".to_owned(), listed(&doubts));
    }
    let guests = joined.map_or(0, |joined| joined.guests);
    let is_worth_saying = guests > 0 || note.is_some() || left_out.as_array().is_some_and(|all| !all.is_empty());
    if let Some(said) = said.as_object_mut().filter(|_| is_worth_saying) {
        said.insert("apps".to_owned(), json!({ "routes": guests, "left_out": left_out, "note": note }));
    }
    print::json(&said)?;
    if found.is_empty() { Ok(()) } else { Err(Failed::Shown) }
}

fn left_out(joined: &Joined) -> Vec<(&str, &str, &str)> {
    let each = joined.left_out.iter().flat_map(|(app, mistakes)| mistakes.iter().map(move |mistake| (app, mistake)));
    each.map(|(app, mistake)| (app.name.as_str(), mistake.key.as_str(), mistake.problem.as_str())).collect()
}
