//! From TOML to types, with every mistake on the way.
//!
//! serde stops at the first mistake. So what is wrong is noted, taken away, and the rest is read again, until it can be read
//! to its end; what is missing is noted and stood in for. A configuration with mistakes is never used: what stands in only
//! lets the reading go on.

use std::collections::{BTreeMap, BTreeSet};

use serde_path_to_error::{Path, Segment};
use toml::Value;

use super::Config;
use super::environment::Overrides;
use super::mistake::{Mistake, wanted, words};
use super::place::{self, Place, Step};

/// More mistakes than this are not looked for.
const ROUNDS: usize = 500;

/// What stands there once.
const SECTIONS: [&str; 15] = [
    "listen",
    "tls",
    "store",
    "redis",
    "otp",
    "tokens",
    "session",
    "cookies",
    "identity",
    "forward_auth",
    "delivery",
    "claims_hook",
    "limits",
    "pages",
    "telemetry",
];

/// Reads a configuration to its end.
pub(super) struct Reader<'a> {
    top: Value,
    overrides: Overrides,
    from_files: BTreeSet<Place>,
    mistakes: &'a mut Vec<Mistake>,
    /// How many elements were taken out of each list: those behind have moved up.
    taken: BTreeMap<Place, usize>,
    /// How often something was stood in for.
    stand_ins: BTreeMap<Place, usize>,
}

impl<'a> Reader<'a> {
    /// A reader of `top`.
    pub(super) const fn new(top: Value, overrides: Overrides, from_files: BTreeSet<Place>, mistakes: &'a mut Vec<Mistake>) -> Self {
        Self { top, overrides, from_files, mistakes, taken: BTreeMap::new(), stand_ins: BTreeMap::new() }
    }

    /// The configuration as far as it can be read; `None` when it cannot. What is wrong is in the mistakes.
    pub(super) fn read(mut self) -> Option<Config> {
        self.refuse_lists();
        for _ in 0..ROUNDS {
            match serde_path_to_error::deserialize(self.top.clone()) {
                Ok(config) => return Some(config),
                Err(error) => {
                    let place = steps(error.path());
                    if !self.repair(place, error.inner().message()) {
                        return None;
                    }
                }
            }
        }
        None
    }

    /// `[[otp]]` for `[otp]`: it would be read as a list of the section's values, and what is said of those helps nobody.
    fn refuse_lists(&mut self) {
        let is_list = |name: &&str| self.top.get(*name).is_some_and(Value::is_array);
        let lists: Vec<&str> = SECTIONS.iter().copied().filter(is_list).collect();
        for name in lists {
            let place = vec![Step::Key(name.to_owned())];
            self.note(&place, &format!("is there once: write [{name}], not [[{name}]]"));
            self.take_away(&place);
        }
    }

    /// Note what is wrong at `place` and change it so that reading can go on. False when it cannot.
    fn repair(&mut self, place: Place, said: &str) -> bool {
        if let Some(field) = between_ticks(said.strip_prefix("missing field ")) {
            return self.stand_in([place, vec![Step::Key(field.to_owned())]].concat());
        }
        if said.starts_with("invalid type")
            && let Some(value) = self.overrides.read_again(&place)
        {
            return place::put(&mut self.top, &place, value).is_ok();
        }
        if self.stand_ins.contains_key(&place) {
            return self.stand_in(place);
        }
        // A variable has no type: it was read in every way that there is, and what was tried last says nothing to who wrote it.
        let wanted = wanted(said).filter(|_| self.overrides.name(&place).is_some());
        let problem = wanted.map_or_else(|| words(&place::render(&place), said), |wanted| format!("should be {wanted}"));
        self.note(&place, &problem);
        self.take_away(&place)
    }

    fn stand_in(&mut self, place: Place) -> bool {
        let candidates = [text("http://localhost"), Value::Array(Vec::new()), text("console")];
        let tried = self.stand_ins.get(&place).copied().unwrap_or_default();
        if tried == 0 {
            self.note(&place, "is missing");
        }
        let Some(value) = candidates.into_iter().nth(tried) else { return false };
        let done = place::put(&mut self.top, &place, value).is_ok();
        self.stand_ins.insert(place, tried + 1);
        done
    }

    fn note(&mut self, place: &[Step], problem: &str) {
        let mut key = place::render(&self.original(place));
        if self.from_files.contains(place) {
            key.push_str("_file");
        }
        if self.mistakes.iter().any(|mistake| mistake.key == key) {
            return;
        }
        let source = self.overrides.name(place).map(|name| format!(" (from {name})")).unwrap_or_default();
        self.mistakes.push(Mistake::new(key, format!("{problem}{source}")));
    }

    fn take_away(&mut self, place: &[Step]) -> bool {
        if let Some((Step::Index(_), list)) = place.split_last() {
            *self.taken.entry(list.to_vec()).or_default() += 1;
        }
        place::remove(&mut self.top, place)
    }

    /// The place as it was in the file, before elements in front of it were taken away.
    fn original(&self, place: &[Step]) -> Place {
        let moved = |depth: usize| self.taken.iter().find(|(list, _)| place.get(..depth) == Some(list)).map_or(0, |(_, count)| *count);
        let step = |(depth, step): (usize, &Step)| match step {
            Step::Key(key) => Step::Key(key.clone()),
            Step::Index(index) => Step::Index(index + moved(depth)),
        };
        place.iter().enumerate().map(step).collect()
    }
}

fn steps(path: &Path) -> Place {
    let known = |segment: &Segment| match segment {
        Segment::Map { key } => Some(Step::Key(key.clone())),
        Segment::Seq { index } => Some(Step::Index(*index)),
        Segment::Enum { .. } | Segment::Unknown => None,
    };
    path.iter().map_while(known).collect()
}

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}

fn between_ticks(text: Option<&str>) -> Option<&str> {
    text?.split('`').nth(1)
}
