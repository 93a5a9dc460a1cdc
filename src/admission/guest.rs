//! Routes that come beside those of the configuration, which they can neither shadow nor widen: a guest takes requests that would
//! find no route, or only one for every host that nobody meant by that name.

use std::sync::Arc;

use crate::admission::host::Pattern;
use crate::admission::reading::{self, Case};
use crate::admission::route::{Route, Table};
use crate::admission::rule::Rule;
use crate::admission::settings::RouteSettings;
use crate::config::Mistake;

/// Where a guest's settings stand, in mistakes.
const KEY: &str = "route";

/// How the hosts of two routes lie to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hosts {
    /// The same.
    Same,
    /// The first one's are some of those that the other one names, and are asked first.
    Within,
    /// The other one is for every host; the first one's is our own, where people go who go to none in particular.
    OwnWithinAny,
    /// The first one's are asked later, are none of the other's, or are meant by nobody.
    Apart,
}

impl Table {
    /// Take a guest in, if there is a place for it beside those that are here. `own` is the host of `public_url`: on that one,
    /// routes without a host are meant.
    ///
    /// # Errors
    /// Every mistake in it, and in whose way it is.
    pub fn take_in(&mut self, guest: &RouteSettings, own: Option<&str>) -> Result<(), Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let route = Route::new(guest, KEY, self.prefix(), &mut mistakes);
        if self.iter().any(|there| there.name.eq_ignore_ascii_case(&guest.name)) {
            mistakes.push(Mistake::new(format!("{KEY}.name"), format!("is taken: there is a route called \"{}\"", guest.name)));
        }
        if let Some(there) = route.as_ref().and_then(|route| self.iter().find(|there| takes_from(route, there, own))) {
            let problem = format!("would take requests away from the route \"{}\"", there.name);
            mistakes.push(Mistake::new(format!("{KEY}.path"), problem));
        }
        match route.filter(|_| mistakes.is_empty()) {
            Some(route) => {
                self.add(Arc::new(route));
                Ok(())
            }
            None => Err(mistakes),
        }
    }
}

/// Would `guest` be given requests that are meant for `there`? The root of a route for every host is meant for nobody in
/// particular; that of a named host is, and so is every path that a route or one of its rules names.
fn takes_from(guest: &Route, there: &Route, own: Option<&str>) -> bool {
    let named = || std::iter::once(there.path()).chain(there.rules.iter().map(Rule::path)).filter(|path| !path.is_empty());
    let meets = || named().any(|path| under(path, guest.path()) || under(guest.path(), path));
    let is_root = there.path().is_empty();
    match hosts(&guest.host, &there.host, own) {
        Hosts::Apart => false,
        Hosts::Within => meets(),
        Hosts::OwnWithinAny => same(guest.path(), there.path()) || meets(),
        Hosts::Same if same(guest.path(), there.path()) => true,
        Hosts::Same if is_root => there.host != Pattern::Any || meets(),
        Hosts::Same => under(guest.path(), there.path()),
    }
}

fn hosts(guest: &Pattern, there: &Pattern, own: Option<&str>) -> Hosts {
    match (guest, there) {
        (one, other) if one == other => Hosts::Same,
        (Pattern::Exact(host), Pattern::Wildcard(parent)) if is_of(host, parent) => Hosts::Within,
        (Pattern::Exact(host), Pattern::Any) if own == Some(host) => Hosts::OwnWithinAny,
        (Pattern::Wildcard(parent), Pattern::Any) if own.is_some_and(|own| is_of(own, parent)) => Hosts::OwnWithinAny,
        (Pattern::Exact(_) | Pattern::Wildcard(_) | Pattern::Any, Pattern::Exact(_) | Pattern::Wildcard(_) | Pattern::Any) => Hosts::Apart,
    }
}

/// Is the host one label, and this after it?
fn is_of(host: &str, parent: &str) -> bool {
    host.split_once('.').is_some_and(|(_, rest)| rest == parent)
}

fn same(one: &str, other: &str) -> bool {
    one.eq_ignore_ascii_case(other)
}

fn under(path: &str, prefix: &str) -> bool {
    reading::covers(prefix.as_bytes(), path.as_bytes(), Case::Folded)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn settings(name: &str, host: Option<&str>, path: &str) -> RouteSettings {
        let mut route = json!({ "name": name, "path": path, "upstream": ["http://127.0.0.1:1"] });
        if let Some(host) = host {
            route["host"] = Value::from(host);
        }
        serde_json::from_value(route).unwrap()
    }

    /// May a guest be at this host and path, beside a route at that one?
    fn fits(guest: (Option<&str>, &str), there: (Option<&str>, &str)) -> bool {
        let mut table = Table::new(&[settings("there", there.0, there.1)], "/auth").unwrap();
        let taken = table.take_in(&settings("guest", guest.0, guest.1), Some("door.example.com"));
        assert_eq!(table.iter().count(), if taken.is_ok() { 2 } else { 1 });
        taken.is_ok()
    }

    #[test]
    fn a_guest_takes_what_is_meant_for_nobody() {
        let (wiki, star, own, any) = (Some("wiki.example.com"), Some("*.example.com"), Some("door.example.com"), None);
        for (guest, there) in [
            ((Some("billing.example.com"), "/"), (wiki, "/")),
            ((Some("billing.example.com"), "/"), (star, "/")),
            ((Some("billing.example.com"), "/"), (any, "/")),
            ((any, "/billing"), (any, "/")),
            ((any, "/"), (wiki, "/")),
            ((any, "/admin"), (wiki, "/")),
            ((star, "/"), (wiki, "/")),
            ((wiki, "/"), (wiki, "/admin")),
            ((any, "/"), (any, "/admin")),
            ((wiki, "/administrator"), (any, "/admin")),
            ((wiki, "/"), (any, "/admin")),
            ((Some("*.wiki.example.com"), "/admin"), (any, "/admin/x")),
            ((own, "/billing"), (any, "/")),
            ((Some("a.b.example.com"), "/admin"), (star, "/admin")),
        ] {
            assert!(fits(guest, there), "{guest:?} beside {there:?}");
        }
    }

    #[test]
    fn a_guest_takes_nothing_away() {
        let (wiki, star, own, any) = (Some("wiki.example.com"), Some("*.example.com"), Some("door.example.com"), None);
        for (guest, there) in [
            ((wiki, "/"), (wiki, "/")),
            ((Some("WIKI.example.com."), "/"), (wiki, "/")),
            ((wiki, "/admin"), (wiki, "/")),
            ((star, "/admin"), (star, "/")),
            ((any, "/"), (any, "/")),
            ((any, "/ADMIN/"), (any, "/admin")),
            ((any, "/admin/x"), (any, "/admin")),
            ((wiki, "/"), (star, "/Admin")),
            ((own, "/"), (any, "/")),
            ((own, "/"), (any, "/admin")),
            ((own, "/admin/x"), (any, "/admin")),
            ((star, "/admin"), (any, "/admin/x")),
        ] {
            assert!(!fits(guest, there), "{guest:?} beside {there:?}");
        }
    }

    #[test]
    fn a_rule_of_its_own_is_meant_for_somebody() {
        let mut there = settings("there", None, "/");
        there.rules = serde_json::from_value(json!([{ "path": "/admin" }, {}])).unwrap();
        let mut table = Table::new(&[there], "/auth").unwrap();

        for path in ["/admin", "/admin/x"] {
            table.take_in(&settings("guest", None, path), None).unwrap_err();
            table.take_in(&settings("guest", Some("a.example.com"), path), Some("a.example.com")).unwrap_err();
        }
        table.take_in(&settings("guest", Some("a.example.com"), "/"), Some("a.example.com")).unwrap_err();
        table.take_in(&settings("guest", None, "/billing"), None).unwrap();
    }

    #[test]
    fn nobody_is_a_guest_under_our_prefix_or_by_anothers_name() {
        let mut table = Table::new(&[settings("there", Some("a.example.com"), "/")], "/auth").unwrap();
        let keys = |refused: Result<(), Vec<Mistake>>| refused.unwrap_err().into_iter().map(|it| it.key).collect::<Vec<_>>();

        for path in ["/auth", "/auth/api", "/AUTH/login"] {
            assert_eq!(keys(table.take_in(&settings("guest", None, path), None)), ["route.path"]);
        }
        assert_eq!(keys(table.take_in(&settings("There", Some("b.example.com"), "/"), None)), ["route.name"]);
        assert_eq!(keys(table.take_in(&settings("there", Some("a.example.com"), "/"), None)), ["route.name", "route.path"]);
        assert_eq!(keys(table.take_in(&settings("a b", Some("b.example.com"), "/x//y"), None)), ["route.name", "route.path"]);
        table.take_in(&settings("guest", Some("b.example.com"), "/"), None).unwrap();
        assert_eq!(table.find("b.example.com", "/x").unwrap().name, "guest");
    }
}
