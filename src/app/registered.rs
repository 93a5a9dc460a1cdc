//! A registered app: a backend that has codes sent and checked for its own purpose, and may bring a route of its own; and where
//! apps are kept.

use std::fmt;

use async_trait::async_trait;
use serde_json::Value;

use crate::clock::Timestamp;
use crate::id::AppId;
use crate::outage::Outage;

/// What an app is called: 1 to 60 lower-case letters, digits, `.`, `_` or `-`, the first a letter or digit. Fixed when it is
/// registered: keys name it in their scope.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct AppName(String);

/// Not what an app may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an app's name is 1 to 60 lower-case letters, digits, '.', '_' or '-', the first a letter or digit")]
pub struct NotAName;

impl AppName {
    /// From its text.
    ///
    /// # Errors
    /// [`NotAName`].
    pub fn parse(text: &str) -> Result<Self, NotAName> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let first = text.bytes().next().is_some_and(plain);
        let rest = text.bytes().all(|byte| plain(byte) || matches!(byte, b'.' | b'_' | b'-'));
        if first && rest && text.len() <= 60 { Ok(Self(text.to_owned())) } else { Err(NotAName) }
    }

    /// The text of it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AppName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A registered app, as the store keeps it. Its keys are kept with all others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct App {
    /// Fixed for ever; no other app gets it, one of the same name neither.
    pub id: AppId,
    /// Unique, and fixed.
    pub name: AppName,
    /// Who answers for it, in words.
    pub owner: String,
    /// Its route: an object with the keys of a `[[route]]`; none when it has no route of its own.
    pub route: Option<Value>,
    /// Counts its changes, from 1 on.
    pub revision: i64,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub changed_at: Timestamp,
}

/// Where apps are kept.
#[async_trait]
pub trait Apps: Send + Sync {
    /// Keep a new one. False when its name or id is taken; nothing changed.
    async fn add(&self, app: &App) -> Result<bool, Outage>;

    /// By its name.
    async fn find(&self, name: &str) -> Result<Option<App>, Outage>;

    /// By its id.
    async fn by_id(&self, id: &AppId) -> Result<Option<App>, Outage>;

    /// At most `limit` apps in the order of names, those after `after`.
    async fn list(&self, after: Option<&str>, limit: u32) -> Result<Vec<App>, Outage>;

    /// Put owner, route, revision and moment of `app` in the place of its own, if it is still at the revision before. True for
    /// exactly one caller; false when it was changed or removed meanwhile.
    async fn change(&self, app: &App) -> Result<bool, Outage>;

    /// Take it away, and with it its subjects, their codes and their authenticators. False when there was none.
    async fn remove(&self, id: &AppId) -> Result<bool, Outage>;

    /// A number that grows with every change by which a route comes, changes or goes. Cheap: asked again and again.
    async fn generation(&self) -> Result<i64, Outage>;

    /// All apps with a route, the oldest first.
    async fn with_routes(&self) -> Result<Vec<App>, Outage>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_plain_word() {
        for good in ["a", "billing", "7", "bill-ing_2.eu", &"a".repeat(60)] {
            assert_eq!(AppName::parse(good).map(|name| name.to_string()), Ok(good.to_owned()));
        }
        for bad in ["", " ", "Billing", "a b", "a:b", "a,b", "a/b", "-a", ".a", "_a", "ä", "a\n", "a\0", "*", &"a".repeat(61)] {
            assert_eq!(AppName::parse(bad), Err(NotAName), "{bad:?}");
        }
    }
}
