//! The edge, as clients and apps see it: what is refused before anything is decided, what travels untouched, what the app is
//! told, what happens when it fails, and how the process leaves.
//!
//! Most routes here are public: who may pass is another chapter.

mod answers;
mod balance;
mod bounds;
mod client_ca;
mod connections;
mod forwarded;
mod grpc;
mod grpc_streams;
mod habits;
mod health;
mod kept;
mod leaving;
mod nonsense;
#[cfg(feature = "otel")]
mod otel;
mod own;
mod proxy_protocol;
pub mod redirect;
mod reload;
mod renewal;
mod slow;
mod straight;
mod streams;
mod tls;
mod trace;
mod unix;
mod upgrade;
mod upstream_h2;
mod upstream_tls;
mod upstreams;
mod wire;

use crate::support::gateway::{Gateway, Place};
use crate::support::upstream::Upstream;

/// A gateway in front of apps.
pub struct Edge {
    pub gateway: Gateway,
}

impl Edge {
    /// With these routes, and lines in the section `[listen]`.
    pub fn start(listen: &str, routes: &str) -> Self {
        Self { gateway: Gateway::start(|place| configuration(place, listen, routes)) }
    }

    /// One public route to an app.
    pub fn before(app: &Upstream) -> Self {
        Self::start("", &public("app", &[&app.url()], ""))
    }

    pub fn address(&self) -> std::net::SocketAddr {
        self.gateway.public()
    }
}

/// A route that everybody may use, with more keys.
pub fn public(name: &str, upstream: &[&str], more: &str) -> String {
    format!("[[route]]\nname = \"{name}\"\nupstream = {upstream:?}\nrequire = \"public\"\n{more}\n")
}

/// A gateway with one public route, over TLS.
pub fn over_tls(app: &Upstream, tls: &str) -> Edge {
    Edge::start("", &format!("{}\n{tls}", public("app", &[&app.url()], "")))
}

fn configuration(place: &Place, listen: &str, routes: &str) -> String {
    let Place { public, admin, folder } = place;
    let database = folder.join("doorward.db").display().to_string();
    format!(
        r#"
public_url = "http://{public}"

[listen]
public = ["{public}"]
admin = "{admin}"
workers = 2
{listen}

[store]
url = "sqlite:{database}"
encryption_key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

[cookies]
secure = false

[[delivery.email]]
kind = "console"

{routes}
"#
    )
}

/// A request for `/`, with more header lines.
pub fn get(lines: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: app.example\r\n{lines}\r\n")
}
