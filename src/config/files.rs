//! Secrets from files: `password_file = "/run/secrets/smtp"` sets `password` to what the file holds.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::Path;

use toml::{Table, Value};

use super::mistake::{Mistake, SECRETS};
use super::place::{self, Place, Step};

/// The largest file that is read, bytes.
const LARGEST: u64 = 64 * 1024;

/// Replace every `…_file` of a secret in `top` by the secret. Returns the places that were set so.
pub(super) fn resolve(top: &mut Value, mistakes: &mut Vec<Mistake>) -> BTreeSet<Place> {
    let mut set = BTreeSet::new();
    descend(top, &mut Vec::new(), &mut set, mistakes);
    set
}

fn descend(value: &mut Value, here: &mut Place, set: &mut BTreeSet<Place>, mistakes: &mut Vec<Mistake>) {
    if let Value::Table(table) = value {
        for secret in SECRETS {
            resolve_one(table, secret, here, set, mistakes);
        }
        for (key, inner) in table.iter_mut() {
            inside(inner, Step::Key(key.clone()), here, set, mistakes);
        }
        return;
    }
    if let Value::Array(list) = value {
        for (index, inner) in list.iter_mut().enumerate() {
            inside(inner, Step::Index(index), here, set, mistakes);
        }
    }
}

fn inside(value: &mut Value, step: Step, here: &mut Place, set: &mut BTreeSet<Place>, mistakes: &mut Vec<Mistake>) {
    here.push(step);
    descend(value, here, set, mistakes);
    here.pop();
}

fn resolve_one(table: &mut Table, secret: &str, here: &[Step], set: &mut BTreeSet<Place>, mistakes: &mut Vec<Mistake>) {
    let file_key = format!("{secret}_file");
    // A path of another type is left in place, for serde to refuse.
    let Some(path) = table.get(&file_key).and_then(Value::as_str).map(str::to_owned) else { return };
    table.remove(&file_key);
    let at = |key: &str| [here, &[Step::Key(key.to_owned())]].concat();
    if table.contains_key(secret) {
        mistakes.push(Mistake::new(place::render(&at(&file_key)), format!("{secret} is set too; keep one of them")));
        return;
    }
    match read(Path::new(&path)) {
        Ok(text) => {
            table.insert(secret.to_owned(), Value::String(text));
            set.insert(at(secret));
        }
        Err(problem) => mistakes.push(Mistake::new(place::render(&at(&file_key)), problem)),
    }
}

/// What the file holds, without the line end that editors add.
fn read(path: &Path) -> Result<String, String> {
    let unread = |error: std::io::Error| format!("{} cannot be read: {error}", path.display());
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(unread)?;
    // Bounded: a device or a log that is named by mistake must not fill the memory.
    file.take(LARGEST + 1).read_to_string(&mut text).map_err(unread)?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > LARGEST {
        return Err(format!("{} is larger than 64 KiB: that is no secret", path.display()));
    }
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        return Err(format!("{} is empty", path.display()));
    }
    Ok(text.to_owned())
}
