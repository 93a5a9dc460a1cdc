//! What a key is for. One form in text, in the store, on the command line and in the admin API:
//!
//! ```text
//! read                    to read in the admin API
//! admin                   to read and to change there
//! app:NAME                codes and authenticators, as the app NAME
//! route:NAME              to pass the route NAME
//! route:NAME:GET,HEAD     to pass it with these methods, and no others
//! ```

use std::fmt;
use std::str::FromStr;

use http::Method;

use crate::admission::Pass;

/// What a key is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Scope {
    /// To read in the admin API.
    Read,
    /// To read and to change in the admin API.
    Admin,
    /// To send codes and to register authenticators as this app.
    App(String),
    /// To pass a route.
    Route(Pass),
}

/// A text that is no scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no scope: write \"read\", \"admin\", \"app:NAME\", \"route:NAME\" or \"route:NAME:GET,HEAD\"")]
pub struct NotAScope;

impl FromStr for Scope {
    type Err = NotAScope;

    fn from_str(text: &str) -> Result<Self, NotAScope> {
        match text.split_once(':') {
            None if text == "read" => Ok(Self::Read),
            None if text == "admin" => Ok(Self::Admin),
            Some(("app", name)) if is_label(name) => Ok(Self::App(name.to_owned())),
            Some(("route", rest)) => pass(rest).map(Self::Route),
            None | Some(_) => Err(NotAScope),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read => f.write_str("read"),
            Self::Admin => f.write_str("admin"),
            Self::App(name) => write!(f, "app:{name}"),
            Self::Route(pass) if pass.methods.is_empty() => write!(f, "route:{}", pass.route),
            Self::Route(pass) => {
                let methods: Vec<&str> = pass.methods.iter().map(Method::as_str).collect();
                write!(f, "route:{}:{}", pass.route, methods.join(","))
            }
        }
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.to_string()
    }
}

impl TryFrom<String> for Scope {
    type Error = NotAScope;

    fn try_from(text: String) -> Result<Self, NotAScope> {
        text.parse()
    }
}

fn pass(text: &str) -> Result<Pass, NotAScope> {
    let (route, methods) = text.split_once(':').map_or((text, None), |(route, methods)| (route, Some(methods)));
    let methods = methods.map(|list| list.split(',').map(method).collect()).transpose()?;
    if is_label(route) { Ok(Pass { route: route.to_owned(), methods: methods.unwrap_or_default() }) } else { Err(NotAScope) }
}

/// In capitals, as in the rules of a route.
fn method(text: &str) -> Result<Method, NotAScope> {
    let is_upper = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-');
    Method::try_from(text).ok().filter(|_| is_upper).ok_or(NotAScope)
}

/// As routes are named, and apps.
fn is_label(name: &str) -> bool {
    (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
}
