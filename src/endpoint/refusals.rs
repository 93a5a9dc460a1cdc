//! The last requests that came to nothing, by their ids: a person reads one off the page that they got, and the operator finds out
//! why. In memory, bounded, and without anything that speaks of who asked: no address, no token, no query.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::admission::RuleSet;
use crate::clock::Timestamp;

/// So many are remembered.
pub const KEPT: usize = 10_000;

/// So much is kept of a path, a host or a method, in bytes.
const LONGEST: usize = 256;

/// A request that came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// Its id, as the reply named it.
    pub id: String,
    /// When it came.
    pub at: Timestamp,
    /// What was decided: `refused`, `outage`, `admitted` (and the app failed), `own`.
    pub decision: &'static str,
    /// The code of the reply.
    pub code: &'static str,
    /// The status of the reply.
    pub status: u16,
    /// The route that it was for, if it came so far.
    pub route: Option<String>,
    /// The rules that were asked, by their places in the route.
    pub rules: RuleSet,
    /// What was asked for; empty where the head could not be read.
    pub method: String,
    /// At which host.
    pub host: String,
    /// At which path, without query.
    pub path: String,
}

/// As it is told.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    id: String,
    at: String,
    decision: &'static str,
    code: &'static str,
    status: u16,
    route: Option<String>,
    rules: Vec<usize>,
    method: String,
    host: String,
    path: String,
}

impl From<Lost> for Told {
    fn from(lost: Lost) -> Self {
        let Lost { id, at, decision, code, status, route, rules, method, host, path } = lost;
        Self { id, at: at.to_string(), decision, code, status, route, rules: rules.iter().collect(), method, host, path }
    }
}

/// The last of them.
#[derive(Debug)]
pub struct Refusals {
    /// The newest stands last. A std mutex: it is held for a push, and by requests that are refused alone.
    kept: Mutex<VecDeque<Lost>>,
    most: usize,
}

impl Default for Refusals {
    fn default() -> Self {
        Self::new(KEPT)
    }
}

impl Refusals {
    /// Remembers `most` of them.
    pub const fn new(most: usize) -> Self {
        Self { kept: Mutex::new(VecDeque::new()), most }
    }

    /// Remember one; the oldest is forgotten for it.
    pub fn remember(&self, mut lost: Lost) {
        for text in [&mut lost.method, &mut lost.path, &mut lost.host] {
            text.truncate(text.floor_char_boundary(LONGEST));
            text.shrink_to_fit();
        }
        let mut kept = self.kept();
        // It is freed outside of the lock.
        let forgotten = if kept.len() >= self.most { kept.pop_front() } else { None };
        kept.push_back(lost);
        drop(kept);
        drop(forgotten);
    }

    /// The newest with this id.
    pub fn find(&self, id: &str) -> Option<Lost> {
        self.kept().iter().rev().find(|lost| lost.id == id).cloned()
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<Lost>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost(id: &str, path: &str) -> Lost {
        Lost {
            id: id.to_owned(),
            at: Timestamp::from_secs(1_800_000_000),
            decision: "refused",
            code: "forbidden",
            status: 403,
            route: Some("wiki".to_owned()),
            rules: [0, 2].into_iter().collect(),
            method: "GET".to_owned(),
            host: "wiki.example.com".to_owned(),
            path: path.to_owned(),
        }
    }

    #[test]
    fn the_oldest_is_forgotten_for_the_newest() {
        let refusals = Refusals::new(2);
        for (id, path) in [("a", "/1"), ("b", "/2"), ("a", "/3"), ("c", "/4")] {
            refusals.remember(lost(id, path));
        }
        assert_eq!(refusals.find("b"), None);
        assert_eq!(refusals.find("a").unwrap().path, "/3");
        assert_eq!(refusals.find("c").unwrap().path, "/4");
        assert_eq!(refusals.kept().len(), 2);
    }

    #[test]
    fn a_long_path_is_cut_between_characters() {
        let refusals = Refusals::new(1);
        refusals.remember(lost("a", &format!("/{}", "ü".repeat(10_000))));
        assert_eq!(refusals.find("a").unwrap().path, format!("/{}", "ü".repeat(127)));
    }

    #[test]
    fn what_is_told_names_rules_by_their_places() {
        let told = serde_json::to_value(Told::from(lost("a", "/x"))).unwrap();
        assert_eq!(told["rules"], serde_json::json!([0, 2]));
        assert_eq!((&told["at"], &told["route"]), (&"2027-01-15T08:00:00Z".into(), &"wiki".into()));
    }
}
