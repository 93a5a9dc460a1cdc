//! Forward-auth: proxies that stay in front and ask, each configured by what `doorward snippet` prints.

mod asked;
mod proxies;
mod proxy;

use reqwest::Method;
use serde_json::json;

use crate::support::client::Person;
use crate::support::gateway::{Gateway, Place};
use crate::support::upstream::Upstream;

/// A gateway that `trusted` may ask, for people who come to `public_url`: an app that wants a session, a part of it that is
/// open to all, and one that wants a second factor.
pub fn gateway(public_url: &str, trusted: &str, app: &Upstream) -> Gateway {
    gateway_with(public_url, trusted, &routes(app), "")
}

/// The same, with these routes and a section `[tls]`.
pub fn gateway_with(public_url: &str, trusted: &str, routes: &str, tls: &str) -> Gateway {
    Gateway::start(|place| configuration(place, public_url, trusted, routes, tls))
}

fn routes(app: &Upstream) -> String {
    let route = |name: &str, path: &str, require: &str| {
        format!("[[route]]\nname = \"{name}\"\npath = \"{path}\"\nupstream = [\"{}\"]\nrequire = \"{require}\"\n", app.url())
    };
    [route("app", "/", "session"), route("open", "/open", "public"), route("strict", "/strict", "second_factor")].concat()
}

fn configuration(place: &Place, public_url: &str, trusted: &str, routes: &str, tls: &str) -> String {
    let Place { public, admin, folder } = place;
    let database = folder.join("doorward.db").display().to_string();
    format!(
        r#"
public_url = "{public_url}"

[listen]
public = ["{public}"]
admin = "{admin}"
trusted_proxies = {trusted}
workers = 1

{tls}

[forward_auth]
trusted_proxies = {trusted}

[store]
url = "sqlite:{database}"
encryption_key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

[cookies]
secure = false

[otp]
resend_after = "0s"

[development]
enabled = true

[[delivery.email]]
kind = "console"

{routes}
"#
    )
}

/// Signs in by e-mail; in development every code is zeros.
pub async fn sign_in(person: &Person) {
    let asked = person.post("/auth/request-otp", &json!({"email": "ada@example.com"})).await;
    assert_eq!(asked.status, 200, "{}", asked.text());
    let entered = person.post("/auth/verify-otp", &json!({"email": "ada@example.com", "code": "000000"})).await;
    assert_eq!(entered.status, 200, "{}", entered.text());
    assert!(person.cookie("doorward_access").is_some() && person.cookie("doorward_refresh").is_some());
}

/// What a proxy of this dialect says of a request for a path of `host`.
pub fn question<'a>(person: &'a Person, dialect: &str, method: &str, host: &str, target: &str) -> crate::support::client::Request<'a> {
    match dialect {
        "nginx" => person
            .request(Method::GET, "/auth/check/nginx")
            .header("X-Original-Method", method)
            .header("X-Original-URL", &format!("http://{host}{target}")),
        "envoy" => {
            person.request(method.parse().expect("a method"), &format!("/auth/check/envoy{target}")).header("X-Forwarded-Proto", "http")
        }
        _ => person
            .request(Method::GET, &format!("/auth/check/{dialect}"))
            .header("X-Forwarded-Method", method)
            .header("X-Forwarded-Proto", "http")
            .header("X-Forwarded-Host", host)
            .header("X-Forwarded-Uri", target),
    }
}
