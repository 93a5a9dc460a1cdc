//! Machines: API keys at the gate, with the real program, made and revoked as an operator does.

mod clients;
mod forward;
mod gate;
mod operator;
mod outages;
mod revoked;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;

use crate::flow::place::{Place, Wants};
use crate::support::client::Reply;
use crate::support::gateway::Gateway;

/// Routes beside `wiki` (a session) and `open` (public).
const ROUTES: &str = r#"
[[route]]
name = "git"
path = "/git"
upstream = ["UPSTREAM"]
challenge = "basic"
[[route]]
name = "strict"
path = "/strict"
upstream = ["UPSTREAM"]
require = "second_factor"
[[route]]
name = "robots"
path = "/robots"
upstream = ["UPSTREAM"]
groups = ["robots"]
[[route]]
name = "told"
path = "/told"
upstream = ["UPSTREAM"]
forward_token = true
"#;

async fn place() -> Place {
    Place::with(Wants { routes: ROUTES, ..Wants::default() }).await
}

/// Makes a key, as `doorward apikey create` does with these arguments, and gives it.
fn key(gateway: &Gateway, arguments: &[&str]) -> String {
    let done = gateway.command(&[&["apikey", "create"], arguments].concat());
    assert_eq!(done.0, 0, "{done:?}");
    let key = done.1.trim_end().to_owned();
    assert!(key.starts_with("dwk_") && key.len() == 75 && done.1.lines().count() == 1, "{done:?}");
    key
}

/// What names a key.
fn id(key: &str) -> String {
    key[4..26].to_owned()
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

/// A call of a machine, with nothing but this in `Authorization`.
async fn call(gateway: &Gateway, method: Method, path: &str, authorization: &str) -> Reply {
    gateway.person().request(method, path).header("Authorization", authorization).send().await
}

async fn get(gateway: &Gateway, path: &str, key: &str) -> Reply {
    call(gateway, Method::GET, path, &format!("Bearer {key}")).await
}
