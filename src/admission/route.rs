//! Routes, and the table that finds the one for a host and a path.
//!
//! Everything is parsed at the start; a mistake is said with its key, all of them at once.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::admission::host::{self, Pattern};
use crate::admission::reading::{self, Case};
use crate::admission::rule::{self, Rule};
use crate::admission::settings::{Challenge, CrossSite, Preflight, RouteSettings};
use crate::admission::upstream::Destination;
use crate::config::Mistake;

/// A route, ready to be asked.
#[derive(Debug)]
pub struct Route {
    /// Its name: in logs, metrics and as `aud` of assertions.
    pub name: String,
    /// Where its requests go.
    pub destination: Destination,
    /// Take the route's path off before forwarding.
    pub strip_prefix: bool,
    /// Send the client's Host on.
    pub preserve_host: bool,
    /// Send our access token on.
    pub forward_token: bool,
    /// How to ask for credentials.
    pub challenge: Challenge,
    /// Time to connect to the upstream.
    pub connect_timeout: Duration,
    /// Longest silence of the upstream.
    pub read_timeout: Duration,
    /// Longest time that the upstream takes nothing.
    pub write_timeout: Duration,
    /// The largest body of a request, in bytes.
    pub max_body: Option<u64>,
    /// Longest silence of the client within a body.
    pub body_timeout: Duration,
    /// The authority that must have signed the client's certificate, as the configuration names it.
    pub client_ca: Option<PathBuf>,
    pub(super) cross_site: CrossSite,
    pub(super) preflight: Preflight,
    pub(super) rules: Vec<Rule>,
    pub(super) host: Pattern,
    /// Without a slash at its end; empty for the root.
    path: String,
}

impl Route {
    /// The path prefix that it is for, without a slash at its end: `/wiki`, and nothing for the root.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// From the settings that stand at `key`; `None` when something is wrong, which goes to `mistakes`.
    pub(super) fn new(settings: &RouteSettings, key: &str, prefix: &str, mistakes: &mut Vec<Mistake>) -> Option<Self> {
        let before = mistakes.len();
        let mut note = |field: &str, problem: &str| mistakes.push(Mistake::new(format!("{key}.{field}"), problem));
        if !is_label(&settings.name) {
            note("name", "should be 1 to 64 letters, digits, dots, - and _");
        }
        let host = Pattern::parse(settings.host.as_deref()).map_err(|problem| note("host", problem)).ok();
        let path = path(&settings.path).map_err(|problem| note("path", problem)).ok();
        if path.as_ref().is_some_and(|path| reading::covers(prefix.as_bytes(), path.as_bytes(), Case::Folded)) {
            note("path", &format!("lies under {prefix}, which is Doorward's own"));
        }
        let destination = Destination::new(settings, &mut note);
        for (field, timeout) in timeouts(settings) {
            if timeout.is_zero() {
                note(field, "should be more than nothing");
            }
        }
        if settings.connect_timeout > LONGEST_CONNECT {
            note("connect_timeout", "should be at most 10m: nobody waits longer for a connection");
        }
        let rules = rule::compile(settings, key, path.as_deref().unwrap_or_default(), mistakes);
        let (host, path) = (host?, path?);
        (mistakes.len() == before).then(|| Self::of(settings, destination, rules, host, path))
    }

    fn of(settings: &RouteSettings, destination: Destination, rules: Vec<Rule>, host: Pattern, path: String) -> Self {
        Self {
            name: settings.name.clone(),
            destination,
            strip_prefix: settings.strip_prefix,
            preserve_host: settings.preserve_host,
            forward_token: settings.forward_token,
            challenge: settings.challenge,
            connect_timeout: settings.connect_timeout,
            read_timeout: settings.read_timeout,
            write_timeout: settings.write_timeout,
            max_body: settings.max_body,
            body_timeout: settings.body_timeout,
            client_ca: settings.client_ca.clone(),
            cross_site: settings.cross_site,
            preflight: settings.preflight,
            rules,
            host,
            path,
        }
    }
}

/// All routes, by host and path.
#[derive(Debug, Default)]
pub struct Table {
    exact: HashMap<String, Vec<Arc<Route>>>,
    wildcard: HashMap<String, Vec<Arc<Route>>>,
    any: Vec<Arc<Route>>,
    prefix: String,
    all: Vec<Arc<Route>>,
}

impl Table {
    /// From the sections `[[route]]`, and the path of our own endpoints, which no route can take.
    ///
    /// # Errors
    /// Every mistake, with its key.
    pub fn new(settings: &[RouteSettings], prefix: &str) -> Result<Self, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let mut table = Self { prefix: prefix.to_owned(), ..Self::default() };
        let (mut names, mut places) = (HashSet::new(), HashSet::new());
        for (index, settings) in settings.iter().enumerate() {
            let key = format!("route[{index}]");
            if !names.insert(settings.name.as_str()) {
                mistakes.push(Mistake::new(format!("{key}.name"), format!("is taken: two routes are called \"{}\"", settings.name)));
            }
            let Some(route) = Route::new(settings, &key, prefix, &mut mistakes) else { continue };
            if !places.insert((route.host.clone(), route.path.to_ascii_lowercase())) {
                mistakes.push(Mistake::new(format!("{key}.path"), "is that of another route with the same host"));
            }
            table.add(Arc::new(route));
        }
        if mistakes.is_empty() { Ok(table) } else { Err(mistakes) }
    }

    /// The route for a host (as in a `Host` header) and a path: an exact host before one with a star before none, and among
    /// those the longest path.
    pub fn find(&self, host: &str, path: &str) -> Option<&Arc<Route>> {
        let host = host::canonical(host)?;
        self.candidates(&host).find(path.as_bytes(), Case::Exact)
    }

    /// Is there a route that names this host (as in a `Host` header), or a domain with a star that it is of?
    pub fn names(&self, host: &str) -> bool {
        let Some(host) = host::canonical(host) else { return false };
        let Candidates([exact, wildcard, _]) = self.candidates(&host);
        !exact.is_empty() || !wildcard.is_empty()
    }

    /// The authorities that routes for a host (as in a `Host` header) ask clients for; without a host, those of routes that are
    /// for every host.
    pub fn authorities(&self, host: Option<&str>) -> BTreeSet<&Path> {
        let host = host.and_then(host::canonical);
        let candidates = host.map_or(Candidates([&[], &[], &self.any]), |host| self.candidates(&host));
        candidates.0.into_iter().flatten().filter_map(|route| route.client_ca.as_deref()).collect()
    }

    /// All of them, as they stand in the configuration.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.all.iter()
    }

    /// The path of our own endpoints.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The routes that are for a host, given in its canonical form.
    pub(super) fn candidates(&self, host: &str) -> Candidates<'_> {
        let parent = host.split_once('.').filter(|_| !host.starts_with('[')).map(|(_, parent)| parent);
        Candidates([
            self.exact.get(host).map(Vec::as_slice).unwrap_or_default(),
            parent.and_then(|parent| self.wildcard.get(parent)).map(Vec::as_slice).unwrap_or_default(),
            &self.any,
        ])
    }

    pub(super) fn add(&mut self, route: Arc<Route>) {
        self.all.push(Arc::clone(&route));
        let routes = match &route.host {
            Pattern::Exact(host) => self.exact.entry(host.clone()).or_default(),
            Pattern::Wildcard(parent) => self.wildcard.entry(parent.clone()).or_default(),
            Pattern::Any => &mut self.any,
        };
        routes.push(route);
        routes.sort_by_key(|route| std::cmp::Reverse(route.path.len()));
    }
}

/// The routes for one host, the best first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidates<'a>([&'a [Arc<Route>]; 3]);

impl<'a> Candidates<'a> {
    /// The one for this reading of a path.
    pub(super) fn find(&self, path: &[u8], case: Case) -> Option<&'a Arc<Route>> {
        self.0.into_iter().flatten().find(|route| reading::covers(route.path.as_bytes(), path, case))
    }
}

/// A path prefix without the slash at its end.
///
/// # Errors
/// When it has more than one reading: it would be matched by nothing, or by too much.
pub(super) fn path(text: &str) -> Result<String, &'static str> {
    if !text.starts_with('/') {
        return Err("should begin with /");
    }
    let path = text.strip_suffix('/').unwrap_or(text);
    let hidden = path.replace("/.", "/");
    if path.ends_with('/') || !reading::plain(&hidden) || path.split('/').any(|segment| matches!(segment, "." | "..")) {
        return Err("should be plain: no //, no .., no %, no ; and nothing else that servers read differently");
    }
    Ok(path.to_owned())
}

fn is_label(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=64).contains(&name.len()) && name.bytes().all(allowed)
}

/// The longest that a connection to an app may take to be made.
const LONGEST_CONNECT: Duration = Duration::from_mins(10);

const fn timeouts(settings: &RouteSettings) -> [(&'static str, Duration); 4] {
    [
        ("connect_timeout", settings.connect_timeout),
        ("read_timeout", settings.read_timeout),
        ("write_timeout", settings.write_timeout),
        ("body_timeout", settings.body_timeout),
    ]
}

#[cfg(test)]
mod tests;
