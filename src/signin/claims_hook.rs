//! Claims of a source outside: asked for whenever tokens are made for a session, and kept, so that people go on being who they
//! were when it is away.
//!
//! It can add custom claims and say the groups; it can never say anything that a token says by itself: who somebody is, how they
//! signed in, until when.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::clock::Timestamp;
use crate::id::{AccountId, SessionId};
use crate::outage::{Dependency, Outage};
use crate::signin::account::{self, Account, MOST_CLAIMS, MOST_GROUPS, is_word};
use crate::token::claims::may_be_custom;

/// What it may say of one person, as JSON, in bytes: it is in the access token, and that is in a cookie.
pub const MOST: usize = 2048;

/// Names that are logged once; beyond that nobody reads them.
const MOST_NAMES: usize = 100;

/// What is said of a person besides what their account says.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Extra {
    /// Custom claims; one that the account has too counts as it stands here.
    #[serde(default)]
    pub claims: Map<String, Value>,
    /// All their groups, in the place of the account's; none are said when unset.
    #[serde(default)]
    pub groups: Option<Vec<String>>,
}

/// Says what else there is to say of a person. Implement it to say so yourself; `[claims_hook]` asks a server of yours.
#[async_trait]
pub trait ClaimsSource: Send + Sync {
    /// Of this account, for whose session tokens are made. It answers within the time that a person waits: nothing else bounds it.
    ///
    /// # Errors
    /// An [`Outage`] when it has nothing to say now; what it said last counts then, or nothing is issued.
    async fn claims(&self, account: &Account, session: &SessionId, now: Timestamp) -> Result<Extra, Outage>;
}

/// Where the last answers are kept.
#[async_trait]
pub trait LastClaims: Send + Sync {
    /// The last answer for an account, as it was kept.
    async fn last(&self, account: &AccountId) -> Result<Option<String>, Outage>;

    /// Keep `answer` (text, at most 4 KiB) in the place of the one before. Of two at once either stays.
    async fn keep(&self, account: &AccountId, answer: &str, now: Timestamp) -> Result<(), Outage>;

    /// Forget answers from before `before`: nobody has used them since. Returns how many.
    async fn sweep(&self, before: Timestamp) -> Result<u64, Outage>;
}

/// What happens when it has nothing to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnOutage {
    /// What it said last of the person counts; nobody gets tokens of whom it has never said anything.
    #[default]
    LastKnown,
    /// Nobody gets tokens.
    Refuse,
}

/// Asks, and remembers.
pub struct ClaimsHook {
    source: Arc<dyn ClaimsSource>,
    last: Arc<dyn LastClaims>,
    on_outage: OnOutage,
    /// Names that were dropped, and said so. A std mutex: it is held for a look, and only when there is such a name.
    dropped: Mutex<BTreeSet<String>>,
}

impl ClaimsHook {
    /// With this source, whose answers are kept in `last`.
    pub fn new(source: Arc<dyn ClaimsSource>, last: Arc<dyn LastClaims>, on_outage: OnOutage) -> Self {
        Self { source, last, on_outage, dropped: Mutex::default() }
    }

    /// What there is to say of `account`, for whose session tokens are about to be made.
    ///
    /// # Errors
    /// An [`Outage`] when there is no answer, and no last one that may count.
    pub(super) async fn ask(&self, account: &Account, session: &SessionId, now: Timestamp) -> Result<Extra, Outage> {
        let answered = self.source.claims(account, session, now).await.and_then(|extra| self.sound(extra)?.fitting(account));
        match answered {
            Ok(extra) => {
                self.keep(account, &extra, now).await?;
                Ok(extra)
            }
            Err(outage) if self.on_outage == OnOutage::Refuse => Err(outage),
            Err(outage) => self.known(account, outage).await,
        }
    }

    /// Kept only where it is another than before: most are not, and a write is dear.
    async fn keep(&self, account: &Account, extra: &Extra, now: Timestamp) -> Result<(), Outage> {
        if self.on_outage == OnOutage::Refuse {
            return Ok(());
        }
        let text = serde_json::to_string(extra).map_err(|cause| Outage::new(Dependency::ClaimsHook, cause))?;
        self.last.keep(&account.id, &text, now).await
    }

    async fn known(&self, account: &Account, outage: Outage) -> Result<Extra, Outage> {
        let Some(text) = self.last.last(&account.id).await? else { return Err(outage) };
        tracing::warn!(account.id = %account.id, error = %outage, "the claims hook has no answer for account {}: its last one counts", account.id);
        serde_json::from_str(&text).map_err(|cause| Outage::new(Dependency::ClaimsHook, cause))
    }

    /// Without names that a token gives a meaning of its own; nothing of it when it is too much.
    fn sound(&self, mut extra: Extra) -> Result<Extra, Outage> {
        let named = std::mem::take(&mut extra.claims);
        let (kept, dropped): (Map<_, _>, Map<_, _>) = named.into_iter().partition(|(name, _)| may_be_custom(name));
        extra.claims = kept;
        dropped.keys().for_each(|name| self.say_once(name));
        let size = serde_json::to_string(&extra).map_or(usize::MAX, |text| text.len());
        let mut groups = extra.groups.iter().flatten();
        if groups.clone().count() > MOST_GROUPS || !groups.all(|group| is_word(group)) {
            return Err(Outage::new(Dependency::ClaimsHook, "its groups are not up to 64 words of letters, digits, '.', '-' and '_'"));
        }
        if size > MOST {
            return Err(Outage::new(
                Dependency::ClaimsHook,
                format!("what it says is {size} bytes of JSON, and more than {MOST} do not fit into a cookie"),
            ));
        }
        Ok(extra)
    }

    fn say_once(&self, name: &str) {
        let mut dropped = self.dropped.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = dropped.len() < MOST_NAMES && dropped.insert(name.to_owned());
        drop(dropped);
        if is_new {
            tracing::warn!(claim = name, "the claims hook says {name:?}, which a token says itself: it is dropped, now and from now on");
        }
    }
}

impl Extra {
    /// The same, where it fits into a cookie together with what the account says. An account that is too large by itself, since it was
    /// kept before there was a bound, is nobody's fault here.
    fn fitting(self, account: &Account) -> Result<Self, Outage> {
        let claims = account.claims.iter().filter(|(name, _)| !self.claims.contains_key(*name)).chain(&self.claims);
        let claims = claims.map(|(name, value)| (name.clone(), value.clone())).collect();
        let size = account::size(&claims, self.groups.as_deref().unwrap_or(&account.groups));
        if size > MOST_CLAIMS.max(account::size(&account.claims, &account.groups)) {
            let cause =
                format!("with what the account says it is {size} bytes of JSON, and more than {MOST_CLAIMS} do not fit into a cookie");
            return Err(Outage::new(Dependency::ClaimsHook, cause));
        }
        Ok(self)
    }

    /// The claims and groups of `account`, with what is said besides.
    pub fn added_to(self, account: &Account) -> (Map<String, Value>, Vec<String>) {
        let mut claims = account.claims.clone();
        claims.extend(self.claims);
        (claims, self.groups.unwrap_or_else(|| account.groups.clone()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    struct Never;

    #[async_trait]
    impl ClaimsSource for Never {
        async fn claims(&self, _account: &Account, _session: &SessionId, _now: Timestamp) -> Result<Extra, Outage> {
            Err(Outage::new(Dependency::ClaimsHook, "gone"))
        }
    }

    #[async_trait]
    impl LastClaims for Never {
        async fn last(&self, _account: &AccountId) -> Result<Option<String>, Outage> {
            Ok(None)
        }

        async fn keep(&self, _account: &AccountId, _answer: &str, _now: Timestamp) -> Result<(), Outage> {
            Ok(())
        }

        async fn sweep(&self, _before: Timestamp) -> Result<u64, Outage> {
            Ok(0)
        }
    }

    fn account() -> Account {
        Account {
            id: AccountId::new("ada"),
            username: None,
            name: None,
            email: Some("ada@example.com".to_owned()),
            email_verified: true,
            phone: None,
            phone_verified: false,
            groups: Vec::new(),
            claims: Map::new(),
            disabled_at: None,
            created_at: Timestamp::default(),
            revision: 0,
        }
    }

    fn sound(answer: Value) -> Result<Extra, Outage> {
        ClaimsHook::new(Arc::new(Never), Arc::new(Never), OnOutage::LastKnown).sound(serde_json::from_value(answer).unwrap())
    }

    #[test]
    fn no_registered_name_passes() {
        for name in crate::token::claims::REGISTERED {
            let extra = sound(json!({ "claims": { name: "forged", "department": "sales" } })).unwrap();
            assert_eq!(Value::Object(extra.claims), json!({ "department": "sales" }), "{name}");
        }
    }

    #[test]
    fn what_does_not_fit_into_a_cookie_is_no_answer() {
        let room = MOST - r#"{"claims":{"a":""},"groups":null}"#.len();
        assert!(sound(json!({ "claims": { "a": "x".repeat(room) } })).is_ok());
        assert!(sound(json!({ "claims": { "a": "x".repeat(room + 1) } })).is_err());
    }

    #[test]
    fn what_does_not_fit_beside_the_account_is_no_answer() {
        let with = |length: usize| Account { claims: json!({ "own": "x".repeat(length) }).as_object().cloned().unwrap(), ..account() };
        let more = |length: usize| Extra { claims: json!({ "more": "x".repeat(length) }).as_object().cloned().unwrap(), groups: None };
        assert!(more(900).fitting(&with(900)).is_ok());
        assert!(more(1200).fitting(&with(900)).is_err());
        // What takes the place of something adds less.
        let instead = Extra { claims: json!({ "own": "x".repeat(1200) }).as_object().cloned().unwrap(), groups: None };
        assert!(instead.fitting(&with(1200)).is_ok());
        // Kept before there was a bound: nobody is refused for it, and nothing is added.
        assert!(Extra::default().fitting(&with(3000)).is_ok());
        assert!(more(1).fitting(&with(3000)).is_err());
    }

    #[test]
    fn groups_are_words() {
        assert_eq!(sound(json!({ "groups": ["a.b-c_1", "ä"] })).unwrap().groups.unwrap().len(), 2);
        for groups in [json!(["a,b"]), json!([""]), json!(["a b"]), json!(vec!["x"; 65])] {
            assert!(sound(json!({ "groups": groups })).is_err(), "{groups}");
        }
    }
}
