//! Machines: what holds an API key, and the port behind which keys are believed. The app side stands behind it.
//!
//! A machine is no person: it has claims of its own, which say so (`amr: ["apikey"]`), and passes only the routes that its key
//! names.

use std::sync::Arc;

use async_trait::async_trait;
use http::Method;

use crate::clock::Timestamp;
use crate::outage::Outage;
use crate::secret::SecretStr;
use crate::token::Claims;

/// What every API key begins with.
pub const KEY_PREFIX: &str = "dwk_";

/// What stands before a key's name towards apps: no user name, address or account id holds a colon and no `@`.
pub const MACHINE_PREFIX: &str = "apikey:";

/// Leave to pass one route.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pass {
    /// The route's name.
    pub route: String,
    /// With these methods; with any when empty.
    pub methods: Vec<Method>,
}

impl Pass {
    /// Is it for this route and method?
    pub fn is_for(&self, route: &str, method: &Method) -> bool {
        self.route == route && (self.methods.is_empty() || self.methods.contains(method))
    }
}

/// Whose key it is. Whether that was revoked is not known here: it is asked for in the next step.
#[derive(Debug, Clone)]
pub struct Machine {
    /// What an app is told: `sub`, `jti` and `sid` are the key's id.
    pub claims: Arc<Claims>,
    /// The routes that it may pass.
    pub passes: Arc<[Pass]>,
}

/// Believes API keys.
#[async_trait]
pub trait Machines: Send + Sync {
    /// The machine that holds `key`, where that is at hand: without waiting. `None` means [`Machines::believe`].
    fn known(&self, key: SecretStr<'_>, now: Timestamp) -> Option<Machine>;

    /// The machine that holds `key`, if it is one of ours and to be believed at `now`.
    ///
    /// # Errors
    /// An [`Outage`] when it could not be looked up.
    async fn believe(&self, key: SecretStr<'_>, now: Timestamp) -> Result<Option<Machine>, Outage>;
}

/// Does `text` say that it is a key of ours, whether or not it is one? One that was written in capitals is still nobody else's.
pub fn names_key(text: &str) -> bool {
    text.get(..KEY_PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(KEY_PREFIX))
}

#[cfg(test)]
mod tests;
