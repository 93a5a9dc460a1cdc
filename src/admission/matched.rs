//! The route step: which route, which of its rules, if every reading of the path agrees; and what is forwarded of the target.

use std::sync::Arc;

use http::Method;

use crate::admission::explain::{Fall, Under};
use crate::admission::reading::{self, Case, Readings};
use crate::admission::route::{Candidates, Route, Table};
use crate::admission::{Incoming, Refusal, host};

/// A request whose route is known.
#[derive(Debug, Clone)]
pub struct Matched {
    route: Arc<Route>,
    rules: RuleSet,
    rest: Option<String>,
}

impl Matched {
    /// Its route.
    pub const fn route(&self) -> &Arc<Route> {
        &self.route
    }

    /// The target without the route's path, byte for byte, where the route takes it off; `None` when it travels untouched.
    pub(super) fn rest(&self) -> Option<&str> {
        self.rest.as_deref()
    }

    /// The rules whose path covers this one, by their place among the route's.
    pub(super) const fn rules(&self) -> RuleSet {
        self.rules
    }
}

/// A set of rules of one route, by their places in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RuleSet(u128);

impl RuleSet {
    fn of(route: &Route, path: &[u8], case: Case) -> Self {
        Self(route.rules.iter().rev().fold(0, |set, rule| set << 1 | u128::from(rule.covers(path, case))))
    }

    /// Is the rule at this place one of them?
    pub fn contains(self, index: usize) -> bool {
        u32::try_from(index).ok().and_then(|index| self.0.checked_shr(index)).is_some_and(|set| set & 1 == 1)
    }

    /// The places of all of them, in their order.
    pub fn iter(self) -> impl Iterator<Item = usize> {
        (0..128).filter(move |index| self.contains(*index))
    }
}

impl FromIterator<usize> for RuleSet {
    fn from_iter<I: IntoIterator<Item = usize>>(places: I) -> Self {
        let bit = |place: usize| u32::try_from(place).ok().and_then(|place| 1_u128.checked_shl(place)).unwrap_or_default();
        Self(places.into_iter().fold(0, |set, place| set | bit(place)))
    }
}

impl Table {
    /// The route of a request, which needs no look at who asks.
    ///
    /// # Errors
    /// Those of the route step: `MethodNotAllowed`, `Malformed`, `NoRoute`, `AmbiguousPath`.
    pub fn matched(&self, incoming: &Incoming<'_>) -> Result<Matched, Refusal> {
        find(self, incoming)
    }
}

/// Find the route of a request.
///
/// # Errors
/// `MethodNotAllowed` for CONNECT and TRACE; `Malformed` for a target that is neither a path nor `*`; `NoRoute`; and
/// `AmbiguousPath` when one reading of the path falls under another route, other rules or our own endpoints.
pub(super) fn find(table: &Table, incoming: &Incoming<'_>) -> Result<Matched, Refusal> {
    if matches!(incoming.head.method, Method::CONNECT | Method::TRACE) {
        return Err(Refusal::MethodNotAllowed);
    }
    let path = path(incoming)?;
    let host = host::canonical(&incoming.client.host).ok_or(Refusal::Malformed)?;
    let place = Place { candidates: table.candidates(&host), prefix: table.prefix() };
    let found = place.agreed(path)?.ok_or(Refusal::NoRoute)?;
    place.rest_agrees(path, found)?;
    Ok(Matched { route: Arc::clone(found.route), rules: found.rules, rest: rest(found.route, incoming.target) })
}

/// Where each reading of the path falls: as it is written, and without regard to the case of letters. One reading, where there
/// is but one.
///
/// # Errors
/// Those of [`find`] that come before a reading is looked up.
pub(super) fn falls(table: &Table, incoming: &Incoming<'_>) -> Result<Vec<Fall>, Refusal> {
    let path = path(incoming)?;
    let host = host::canonical(&incoming.client.host).ok_or(Refusal::Malformed)?;
    let place = Place { candidates: table.candidates(&host), prefix: table.prefix() };
    let mut readings: Vec<Vec<u8>> = vec![path.as_bytes().to_vec()];
    if !reading::plain(path) {
        readings = Readings::of(path)?.iter().map(<[u8]>::to_vec).collect();
        if let Ok(Some(found)) = place.look_up(path.as_bytes(), Case::Exact) {
            let rest =
                rest(found.route, path).map(|rest| Readings::of(&rest).map(|all| all.iter().map(<[u8]>::to_vec).collect::<Vec<_>>()));
            let whole = |rest: &Vec<u8>| [found.route.path().as_bytes(), rest].concat();
            readings.extend(rest.transpose()?.iter().flatten().map(whole));
        }
    }
    let mut falls = Vec::new();
    for reading in readings {
        for case in [Case::Exact, Case::Folded] {
            let fall = place.fall(&reading, case);
            if !falls.contains(&fall) {
                falls.push(fall);
            }
        }
    }
    Ok(falls)
}

/// The path of the target, as it came.
fn path<'a>(incoming: &Incoming<'a>) -> Result<&'a str, Refusal> {
    let target = incoming.target;
    if target == "*" && incoming.head.method == Method::OPTIONS {
        return Ok("/");
    }
    if !target.starts_with('/') || target.contains('#') {
        return Err(Refusal::Malformed);
    }
    if target.bytes().any(|byte| byte.is_ascii_control() || byte == b' ') {
        return Err(Refusal::Malformed);
    }
    Ok(target.split('?').next().unwrap_or_default())
}

/// Where one reading falls.
#[derive(Clone, Copy)]
struct Found<'a> {
    route: &'a Arc<Route>,
    rules: RuleSet,
}

impl PartialEq for Found<'_> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(self.route, other.route) && self.rules == other.rules
    }
}

/// Where a request's readings are looked up.
struct Place<'a> {
    candidates: Candidates<'a>,
    prefix: &'a str,
}

impl<'a> Place<'a> {
    /// Where all readings of `path` fall; `None` when none of them falls under a route.
    fn agreed(&self, path: &str) -> Result<Option<Found<'a>>, Refusal> {
        let raw = self.look_up(path.as_bytes(), Case::Exact)?;
        if reading::plain(path) {
            let folded = self.look_up(path.as_bytes(), Case::Folded)?;
            return if folded == raw { Ok(raw) } else { Err(Refusal::AmbiguousPath) };
        }
        self.all_agree(path, raw)
    }

    fn all_agree(&self, path: &str, raw: Option<Found<'a>>) -> Result<Option<Found<'a>>, Refusal> {
        for reading in Readings::of(path)?.iter() {
            self.same(raw, reading)?;
        }
        Ok(raw)
    }

    /// The upstream of a route that takes its path off reads the rest alone, where `..` cannot lead out of it: what it reads
    /// there must fall under the same rules.
    fn rest_agrees(&self, path: &str, found: Found<'_>) -> Result<(), Refusal> {
        let Some(rest) = rest(found.route, path).filter(|_| !reading::plain(path)) else { return Ok(()) };
        for reading in Readings::of(&rest)?.iter() {
            let whole = [found.route.path().as_bytes(), reading].concat();
            self.same(Some(found), &whole)?;
        }
        Ok(())
    }

    fn same(&self, raw: Option<Found<'_>>, reading: &[u8]) -> Result<(), Refusal> {
        let exact = self.look_up(reading, Case::Exact)?;
        let folded = self.look_up(reading, Case::Folded)?;
        if exact == raw && folded == raw { Ok(()) } else { Err(Refusal::AmbiguousPath) }
    }

    fn fall(&self, reading: &[u8], case: Case) -> Fall {
        let under = match self.look_up(reading, case) {
            Err(_) => Under::Ours,
            Ok(None) => Under::Nothing,
            Ok(Some(found)) => Under::Route { name: found.route.name.clone(), rules: found.rules },
        };
        Fall { reading: String::from_utf8_lossy(reading).into_owned(), under }
    }

    fn look_up(&self, reading: &[u8], case: Case) -> Result<Option<Found<'a>>, Refusal> {
        if reading::covers(self.prefix.as_bytes(), reading, case) {
            return Err(Refusal::AmbiguousPath);
        }
        let route = self.candidates.find(reading, case);
        Ok(route.map(|route| Found { route, rules: RuleSet::of(route, reading, case) }))
    }
}

fn rest(route: &Route, target: &str) -> Option<String> {
    let rest = target.strip_prefix(route.path()).filter(|_| route.strip_prefix && !route.path().is_empty())?;
    Some(if rest.starts_with('/') { rest.to_owned() } else { format!("/{rest}") })
}

#[cfg(feature = "fuzzing")]
pub mod fuzzing;

#[cfg(test)]
mod tests;
