//! A configuration is loaded: the file, then the environment, then the files that hold secrets, then types, then checks. All
//! mistakes come together, each with its key.

use std::path::Path;

use toml::{Table, Value};

use super::environment::Overrides;
use super::mistake::Mistake;
use super::typed::Reader;
use super::{Config, check, files};

impl Config {
    /// The configuration in the file at `path`, with what this process's environment says.
    ///
    /// # Errors
    /// Every mistake that was found, in the order of the steps above.
    pub fn load(path: &Path) -> Result<Self, Vec<Mistake>> {
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|error| vec![Mistake::new(&name, format!("cannot be read: {error}"))])?;
        Self::read(&name, &text, environment())
    }

    /// The configuration in `text`, called `name` in mistakes, with `variables` instead of the environment.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn read(name: &str, text: &str, variables: impl Iterator<Item = (String, String)>) -> Result<Self, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let mut top = Value::Table(text.parse::<Table>().map_err(|error| vec![syntax(name, text, &error)])?);
        let overrides = Overrides::apply(&mut top, variables, &mut mistakes);
        let from_files = files::resolve(&mut top, &mut mistakes);
        let config = Reader::new(top, overrides, from_files, &mut mistakes).read();
        if let Some(config) = &config {
            for mistake in check::all(config) {
                add(&mut mistakes, mistake);
            }
        }
        match config {
            Some(config) if mistakes.is_empty() => Ok(config),
            None if mistakes.is_empty() => Err(vec![Mistake::new(name, "cannot be understood")]),
            Some(_) | None => Err(mistakes),
        }
    }
}

/// A value that could not be read is not judged a second time, nor is a list from which an element was taken.
fn add(mistakes: &mut Vec<Mistake>, mistake: Mistake) {
    let covers = |known: &Mistake| {
        let key = known.key.strip_suffix("_file").unwrap_or(&known.key);
        let inside = mistake.key.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
        inside || key.strip_prefix(&mistake.key).is_some_and(|rest| rest.starts_with('['))
    };
    if !mistakes.iter().any(covers) {
        mistakes.push(mistake);
    }
}

/// Without the line itself, which may hold a secret.
fn syntax(name: &str, text: &str, error: &toml::de::Error) -> Mistake {
    let start = error.span().map_or(0, |span| span.start);
    let before = text.get(..start).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    Mistake::new(format!("{name}:{line}"), format!("is not TOML: {}", error.message().replace('\n', ", ")))
}

/// Variables that are no text are not ours.
fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}
