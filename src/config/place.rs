//! Where a value stands in a configuration: `route[0].upstream`, step by step; and how it is reached, put there, taken away.

use std::fmt::Write as _;

use toml::{Table, Value};

/// One step down.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Step {
    /// Into a section.
    Key(String),
    /// Into a list.
    Index(usize),
}

/// The way down from the top.
pub(super) type Place = Vec<Step>;

/// As an operator reads it.
pub(super) fn render(place: &[Step]) -> String {
    let mut text = String::new();
    for step in place {
        let written = match step {
            Step::Key(key) if text.is_empty() => write!(text, "{key}"),
            Step::Key(key) => write!(text, ".{key}"),
            Step::Index(index) => write!(text, "[{index}]"),
        };
        // Writing to a string does not fail.
        debug_assert!(written.is_ok());
    }
    text
}

/// The value that stands there.
pub(super) fn find<'a>(top: &'a mut Value, place: &[Step]) -> Option<&'a mut Value> {
    place.iter().try_fold(top, |value, step| match step {
        Step::Key(key) => value.as_table_mut()?.get_mut(key),
        Step::Index(index) => value.as_array_mut()?.get_mut(*index),
    })
}

/// Take away what stands there. False when nothing does.
pub(super) fn remove(top: &mut Value, place: &[Step]) -> bool {
    let Some((last, parents)) = place.split_last() else { return false };
    match (find(top, parents), last) {
        (Some(Value::Table(table)), Step::Key(key)) => table.remove(key).is_some(),
        (Some(Value::Array(items)), Step::Index(nth)) if *nth < items.len() => {
            items.remove(*nth);
            true
        }
        _ => false,
    }
}

/// Put `value` there, making sections and lists on the way; a list grows by one element at a time.
///
/// # Errors
/// How far down it came, when something else stands in the way or an element of a list is skipped.
pub(super) fn put(top: &mut Value, place: &[Step], value: Value) -> Result<(), Place> {
    let mut here = top;
    for (depth, step) in place.iter().enumerate() {
        let fresh = match place.get(depth + 1) {
            Some(Step::Index(_)) => Value::Array(Vec::new()),
            Some(Step::Key(_)) | None => Value::Table(Table::new()),
        };
        here = descend(here, step, fresh).ok_or_else(|| place.iter().take(depth + 1).cloned().collect::<Place>())?;
    }
    *here = value;
    Ok(())
}

fn descend<'a>(value: &'a mut Value, step: &Step, fresh: Value) -> Option<&'a mut Value> {
    match (value, step) {
        (Value::Table(table), Step::Key(key)) => Some(table.entry(key.clone()).or_insert(fresh)),
        (Value::Table(table), Step::Index(index)) => Some(table.entry(index.to_string()).or_insert(fresh)),
        (Value::Array(list), Step::Index(index)) => {
            if *index == list.len() {
                list.push(fresh);
            }
            list.get_mut(*index)
        }
        _ => None,
    }
}
