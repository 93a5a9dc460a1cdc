//! The routes that apps bring, put beside those of the configuration. One that cannot be is left out, and holds nobody back.
//! Commands that speak of routes without a gateway that runs ask here, too.

use std::path::Path;

use crate::admission::{RouteSettings, Table};
use crate::app::{App, Judge};
use crate::clock::Timestamp;
use crate::config::{Config, Mistake, guest, loops_of};
use crate::gateway::{Tls, Trusts};
use crate::outage::Outage;
use crate::store;

/// A configuration with the routes of apps in it.
#[derive(Debug)]
pub struct Joined {
    /// All routes, the configuration's first.
    pub config: Config,
    /// How many of them are of apps.
    pub guests: usize,
    /// The apps whose route is not among them, and why.
    pub left_out: Vec<(App, Vec<Mistake>)>,
}

/// `config` with the routes of `apps`, each if there is a place for it beside those before it.
pub fn join(config: &Config, apps: &[App], now: Timestamp) -> Joined {
    let mut joined = Joined { config: config.clone(), guests: 0, left_out: Vec::new() };
    // A configuration that counts has no mistakes; without its table no guest can be judged.
    let mut table = Table::new(&config.routes, &config.prefix);
    for app in apps.iter().filter(|app| app.route.is_some()) {
        let taken = match &mut table {
            Ok(table) => take_in(table, app, config, now),
            Err(mistakes) => Err(mistakes.clone()),
        };
        match taken {
            Ok(route) => {
                joined.config.routes.push(route);
                joined.guests = joined.guests.saturating_add(1);
            }
            Err(mistakes) => joined.left_out.push((app.clone(), mistakes)),
        }
    }
    joined
}

/// `config` with the routes of the apps that its database knows of; `None` where there is no database yet, or not one of this
/// version. Nothing is made or changed. To be called inside a runtime.
///
/// # Errors
/// An [`Outage`] when the database cannot be asked.
pub async fn joined(config: &Config, now: Timestamp) -> Result<Option<Joined>, Outage> {
    if is_to_be_made(config.store.url.expose()) {
        return Ok(None);
    }
    let store = store::open(&config.store)?;
    if !store.pending_migrations().await?.is_empty() {
        return Ok(None);
    }
    Ok(Some(join(config, &store.with_routes().await?, now)))
}

/// A file of SQLite that is not there: who opens it makes it.
fn is_to_be_made(url: &str) -> bool {
    let file = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:"));
    file.is_some_and(|file| !Path::new(file.split('?').next().unwrap_or(file)).exists())
}

fn take_in(table: &mut Table, app: &App, config: &Config, now: Timestamp) -> Result<RouteSettings, Vec<Mistake>> {
    let route = app.route.as_ref().ok_or_else(Vec::new)?;
    let route = guest::settings(route, app.name.as_str()).map_err(|mistake| vec![mistake])?;
    let alone = std::slice::from_ref(&route);
    Trusts::read(alone).map_err(renamed)?;
    if route.client_ca.is_some() {
        Tls::read(&config.tls, alone, now).map_err(renamed)?;
    }
    if let Ok(guest) = Table::new(alone, &config.prefix) {
        let loops: Vec<Mistake> = guest.iter().flat_map(|guest| loops_of(config, guest, "route")).collect();
        if !loops.is_empty() {
            return Err(loops);
        }
    }
    table.take_in(&route, config.public_url.host_str())?;
    Ok(route)
}

/// It is the only route that an app has.
fn renamed(mistakes: Vec<Mistake>) -> Vec<Mistake> {
    mistakes.into_iter().map(|it| Mistake::new(it.key.replacen("route[0]", "route", 1), it.problem)).collect()
}

/// Knows the routes of one configuration.
pub(super) struct Judged {
    /// That one.
    pub config: Config,
    /// When certificates are looked at.
    pub now: Timestamp,
}

impl Judge for Judged {
    fn judge(&self, app: &App, others: &[App]) -> Result<(), Vec<Mistake>> {
        let odd = no_sockets(app);
        if !odd.is_empty() {
            return Err(odd);
        }
        let all: Vec<App> = others.iter().chain([app]).cloned().collect();
        let joined = join(&self.config, &all, self.now);
        joined.left_out.into_iter().find(|(left, _)| left.id == app.id).map_or(Ok(()), |(_, mistakes)| Err(mistakes))
    }
}

/// What an app names as a socket and is something else. One that is not there may come when the app is started.
fn no_sockets(app: &App) -> Vec<Mistake> {
    let Some(Ok(route)) = app.route.as_ref().map(|route| guest::settings(route, app.name.as_str())) else { return Vec::new() };
    let is_odd = |url: &str| {
        let there = url.strip_prefix("unix:").and_then(|path| std::fs::metadata(path).ok());
        there.is_some_and(|there| !std::os::unix::fs::FileTypeExt::is_socket(&there.file_type()))
    };
    let odd = route.upstream.iter().enumerate().filter(|(_, address)| is_odd(&address.url));
    odd.map(|(index, _)| Mistake::new(format!("route.upstream[{index}]"), "is no socket")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::app::AppName;
    use crate::id::AppId;

    fn config() -> Config {
        let text = "public_url = \"http://127.0.0.1:8080\"\n[store]\nencryption_key = \"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\"\n\
            [[delivery.email]]\nkind = \"console\"\n[[route]]\nname = \"wiki\"\nhost = \"wiki.example.com\"\nupstream = [\"http://127.0.0.1:1\"]\n";
        Config::read("test", text, std::iter::empty()).unwrap()
    }

    fn app(name: &str, route: Value) -> App {
        let at = Timestamp::from_secs(1);
        App {
            id: AppId::new(name),
            name: AppName::parse(name).unwrap(),
            owner: String::new(),
            route: Some(route),
            revision: 1,
            created_at: at,
            changed_at: at,
        }
    }

    fn at(host: &str) -> Value {
        json!({ "host": host, "upstream": ["http://127.0.0.1:2"] })
    }

    #[test]
    fn who_has_no_place_is_left_out_and_holds_nobody_back() {
        let gone = json!({ "host": "d.example.com", "upstream": ["https://127.0.0.1:2"], "upstream_tls": { "ca_file": "/nowhere" } });
        let apps = [
            app("shadow", at("wiki.example.com")),
            app("first", at("b.example.com")),
            app("second", at("b.example.com")),
            app("trust", gone),
            app("nonsense", json!(7)),
            app("asking", json!({ "host": "e.example.com", "upstream": ["http://127.0.0.1:2"], "client_ca": "/nowhere" })),
            app("loop", json!({ "host": "f.example.com", "upstream": ["http://127.0.0.1:2", "http://127.0.0.1:8080"] })),
            app("last", at("c.example.com")),
        ];

        let joined = join(&config(), &apps, Timestamp::from_secs(1));

        let names: Vec<&str> = joined.config.routes.iter().map(|route| route.name.as_str()).collect();
        assert_eq!((names, joined.guests), (vec!["wiki", "first", "last"], 2));
        let out: Vec<(&str, &str)> = joined.left_out.iter().map(|(app, why)| (app.name.as_str(), why[0].key.as_str())).collect();
        let expected = [
            ("shadow", "route.path"),
            ("second", "route.path"),
            ("trust", "route.upstream_tls.ca_file"),
            ("nonsense", "route"),
            ("asking", "route.client_ca"),
            ("loop", "route.upstream[1]"),
        ];
        assert_eq!(out, expected);
        assert!(Table::new(&joined.config.routes, "/auth").is_ok());
    }

    #[test]
    fn a_file_that_is_no_socket_is_no_place_for_requests() {
        let judged = Judged { config: config(), now: Timestamp::from_secs(1) };
        let to = |url: &str| app("billing", json!({ "host": "b.example.com", "upstream": ["http://127.0.0.1:1", url] }));

        let refused = judged.judge(&to("unix:/etc/passwd"), &[]).unwrap_err();
        assert_eq!(refused[0].to_string(), "route.upstream[1]: is no socket");
        judged.judge(&to("unix:/nowhere/app.sock"), &[]).unwrap();
    }

    #[test]
    fn an_app_is_judged_beside_all_others() {
        let judged = Judged { config: config(), now: Timestamp::from_secs(1) };
        let first = app("first", at("b.example.com"));

        judged.judge(&first, &[]).unwrap();
        let refused = judged.judge(&app("second", at("b.example.com")), &[first]).unwrap_err();
        assert_eq!(refused[0].to_string(), "route.path: would take requests away from the route \"first\"");
    }
}
