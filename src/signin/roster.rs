//! The people we know, as an operator sees and changes them.
//!
//! Groups and claims are in the access token, so whatever changes an account makes the tokens outdated that were made before:
//! one line of the ledger, in the same act. Sessions go on, and are renewed with what is true now.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Map, Value};

use crate::clock::Timestamp;
use crate::id::AccountId;
use crate::outage::Outage;
use crate::revocation::{Act, Entry, Revocations};
use crate::signin::account::{self, Account, Accounts, Unfit};
use crate::signin::address::Handle;

/// How often a change is tried anew where others change the same account at once: of those one is done each time.
const TRIES: usize = 100;

/// Which accounts are listed: those that are all of this.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sought {
    /// With this address.
    pub handle: Option<Handle>,
    /// With this user name, whatever its case.
    pub username: Option<String>,
    /// In this group.
    pub group: Option<String>,
    /// Disabled, or not.
    pub disabled: Option<bool>,
}

impl Sought {
    /// Is `account` one of them?
    pub fn is(&self, account: &Account) -> bool {
        let has = |handle: &Handle| match handle {
            Handle::Email(text) => account.email.as_ref() == Some(text),
            Handle::Phone(text) => account.phone.as_ref() == Some(text),
        };
        let folded = |name: &str| account.username.as_deref().map(account::folded).is_some_and(|own| own == account::folded(name));
        self.handle.as_ref().is_none_or(has)
            && self.username.as_deref().is_none_or(folded)
            && self.group.as_ref().is_none_or(|group| account.groups.contains(group))
            && self.disabled.is_none_or(|disabled| disabled == account.disabled_at.is_some())
    }
}

/// How a change of an account ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// It is done, and these lines were added to the ledger.
    Done(Vec<Entry>),
    /// There is no such account of that revision (any more).
    Stale,
    /// An address belongs to another account.
    Taken,
}

/// What an operator does to accounts. Lines of the ledger are written in the same act, and are to expire at `expires_at`.
#[async_trait]
pub trait Roster: Send + Sync {
    /// Let name, addresses, their marks, groups and claims be those of `account`, if its revision is still that of `account`.
    /// The revision becomes one more, and a line for the account with the new one makes tokens of lower ones outdated. Where an
    /// address is another than before, codes that are under way to the account are good for nothing any more.
    async fn change(&self, account: &Account, expires_at: Timestamp) -> Result<Written, Outage>;

    /// Forget an account, if its revision is this one, with its factors, devices and whatever is under way; end its sessions,
    /// each with a line, and write a line for the account. `reason` is kept with the sessions.
    async fn remove(&self, id: &AccountId, revision: i64, reason: &str, now: Timestamp, expires_at: Timestamp) -> Result<Written, Outage>;

    /// At most `limit` accounts of those sought, in the order of ids, those after `after`.
    async fn page(&self, sought: &Sought, after: Option<&AccountId>, limit: u32) -> Result<Vec<Account>, Outage>;
}

/// A new account.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    /// Fixed for ever.
    pub username: Option<String>,
    /// The rest.
    pub edit: Edit,
}

/// What is to be another; `None` leaves it, `Some(None)` takes it away.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Edit {
    /// The name to show.
    pub name: Option<Option<String>>,
    /// An e-mail address; unverified, unless `email_verified` says otherwise.
    pub email: Option<Option<Handle>>,
    /// Does the address belong to the person, as the operator knows?
    pub email_verified: Option<bool>,
    /// A phone number; unverified, unless `phone_verified` says otherwise.
    pub phone: Option<Option<Handle>>,
    /// Does the number belong to the person, as the operator knows?
    pub phone_verified: Option<bool>,
    /// All groups.
    pub groups: Option<Vec<String>>,
    /// Custom claims to set; `null` takes one away, and members of objects are merged (RFC 7396).
    pub claims: Option<Map<String, Value>>,
}

impl Edit {
    /// What it can be about, in the words of the admin API.
    pub const FIELDS: &[&'static str] = &["name", "email", "email_verified", "phone", "phone_verified", "groups", "claims"];

    /// What it is about, in those words.
    pub fn fields(&self) -> Vec<&'static str> {
        let is_there = [
            self.name.is_some(),
            self.email.is_some(),
            self.email_verified.is_some(),
            self.phone.is_some(),
            self.phone_verified.is_some(),
            self.groups.is_some(),
            self.claims.is_some(),
        ];
        Self::FIELDS.iter().zip(is_there).filter(|(_, is_there)| *is_there).map(|(name, _)| *name).collect()
    }

    /// `account` after the change.
    ///
    /// # Errors
    /// [`Unfit`] where that cannot be kept.
    pub fn applied(&self, account: &Account) -> Result<Account, Unfit> {
        let mut edited = account.clone();
        let text = |handle: &Option<Handle>| handle.as_ref().map(|handle| handle.expose().to_owned());
        if let Some(name) = &self.name {
            edited.name.clone_from(name);
        }
        if let Some(email) = self.email.as_ref().map(text).filter(|email| *email != account.email) {
            (edited.email, edited.email_verified) = (email, false);
        }
        if let Some(phone) = self.phone.as_ref().map(text).filter(|phone| *phone != account.phone) {
            (edited.phone, edited.phone_verified) = (phone, false);
        }
        edited.email_verified = self.email_verified.unwrap_or(edited.email_verified);
        edited.phone_verified = self.phone_verified.unwrap_or(edited.phone_verified);
        if let Some(groups) = &self.groups {
            edited.groups.clone_from(groups);
        }
        if let Some(claims) = &self.claims {
            merge(&mut edited.claims, claims);
        }
        let nowhere = (edited.email_verified && edited.email.is_none()) || (edited.phone_verified && edited.phone.is_none());
        if nowhere {
            return Err(Unfit::NoAddress);
        }
        let had_one = account.email.is_some() || account.phone.is_some();
        if had_one && edited.email.is_none() && edited.phone.is_none() {
            return Err(Unfit::LastAddress);
        }
        edited.check().map(|()| edited)
    }
}

/// What to say to who was overtaken at every try: who expects a revision is told that it is another one.
fn contended(expected: Option<i64>) -> RosterRefusal {
    match expected {
        Some(_) => RosterRefusal::Stale,
        None => Outage::store("the account is changed by others again and again").into(),
    }
}

/// RFC 7396 §2. It goes no deeper than the reader of JSON went.
fn merge(target: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (name, value) in patch {
        match value {
            Value::Null => {
                target.remove(name);
            }
            Value::Object(members) => {
                let inner = target.entry(name.clone()).or_insert_with(|| Value::Object(Map::new()));
                if !inner.is_object() {
                    *inner = Value::Object(Map::new());
                }
                if let Some(inner) = inner.as_object_mut() {
                    merge(inner, members);
                }
            }
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                target.insert(name.clone(), value.clone());
            }
        }
    }
}

/// Why an account is not changed.
#[derive(Debug, thiserror::Error)]
pub enum RosterRefusal {
    /// There is no such account.
    #[error("there is no such account")]
    Unknown,
    /// It is not of the revision that was expected: somebody changed it.
    #[error("the account was changed meanwhile")]
    Stale,
    /// An address or the user name belongs to another account.
    #[error("an address or the user name belongs to another account")]
    Taken,
    /// It cannot be kept like this.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// It could not be done.
    #[error(transparent)]
    Outage(#[from] Outage),
}

/// Changes accounts, so that it holds on every node at the next request.
#[derive(Clone)]
pub struct Registrar {
    /// Where accounts are kept.
    pub accounts: Arc<dyn Accounts>,
    /// The same, as an operator changes them.
    pub roster: Arc<dyn Roster>,
    /// What makes tokens outdated and ends sessions.
    pub revocations: Arc<Revocations>,
}

impl Registrar {
    /// Make an account with this id.
    ///
    /// # Errors
    /// A [`RosterRefusal`]; `Taken` when an address or the user name is.
    pub async fn add(&self, id: AccountId, draft: &Draft, now: Timestamp) -> Result<Account, RosterRefusal> {
        let empty = Account {
            id,
            username: draft.username.clone(),
            name: None,
            email: None,
            email_verified: false,
            phone: None,
            phone_verified: false,
            groups: Vec::new(),
            claims: Map::new(),
            disabled_at: None,
            created_at: now,
            revision: 0,
        };
        let account = draft.edit.applied(&empty)?;
        if self.accounts.add(&account).await? { Ok(account) } else { Err(RosterRefusal::Taken) }
    }

    /// Change an account, if it is of the revision `expected`, where one is; returns it as it is afterwards. When this returns,
    /// no node believes a token that was made before; sessions go on. Where nothing is another than before, nothing is done.
    ///
    /// # Errors
    /// A [`RosterRefusal`].
    pub async fn change(&self, id: &AccountId, expected: Option<i64>, edit: &Edit, now: Timestamp) -> Result<Account, RosterRefusal> {
        for _ in 0..TRIES {
            let account = self.expect(id, expected).await?;
            let mut edited = edit.applied(&account)?;
            if edited == account {
                return Ok(account);
            }
            let (roster, expires_at, new) = (Arc::clone(&self.roster), self.revocations.lines_expire(now), edited.clone());
            let act = async move { roster.change(&new, expires_at).await.map(parted) };
            match self.revocations.carry(act, now).await?.0 {
                Ended::Done => {
                    edited.revision = edited.revision.saturating_add(1);
                    return Ok(edited);
                }
                Ended::Taken => return Err(RosterRefusal::Taken),
                Ended::Stale => {}
            }
        }
        Err(contended(expected))
    }

    /// Forget an account, if it is of the revision `expected`, where one is, and end all its sessions; returns it as it was.
    ///
    /// # Errors
    /// A [`RosterRefusal`].
    pub async fn remove(&self, id: &AccountId, expected: Option<i64>, now: Timestamp) -> Result<Account, RosterRefusal> {
        for _ in 0..TRIES {
            let account = self.expect(id, expected).await?;
            let (roster, expires_at) = (Arc::clone(&self.roster), self.revocations.lines_expire(now));
            let (id, revision) = (account.id.clone(), account.revision);
            let act = async move { roster.remove(&id, revision, "removed_by_operator", now, expires_at).await.map(parted) };
            match self.revocations.carry(act, now).await?.0 {
                Ended::Done => return Ok(account),
                Ended::Taken | Ended::Stale => {}
            }
        }
        Err(contended(expected))
    }

    /// Let nobody sign in with an account, and end all its sessions; returns it as it is afterwards, and how many lines that took.
    ///
    /// # Errors
    /// A [`RosterRefusal`].
    pub async fn disable(&self, id: &AccountId, now: Timestamp) -> Result<(Account, Vec<Entry>), RosterRefusal> {
        let lines = self.revocations.revoke(Act::Disable(id.clone()), "disabled_by_operator", now).await?;
        Ok((self.expect(id, None).await?, lines))
    }

    /// Let people sign in with it again; returns it as it is afterwards.
    ///
    /// # Errors
    /// A [`RosterRefusal`].
    pub async fn enable(&self, id: &AccountId) -> Result<Account, RosterRefusal> {
        self.accounts.enable(id).await?;
        self.expect(id, None).await
    }

    async fn expect(&self, id: &AccountId, revision: Option<i64>) -> Result<Account, RosterRefusal> {
        let account = self.accounts.find(id).await?.ok_or(RosterRefusal::Unknown)?;
        if revision.is_some_and(|revision| revision != account.revision) { Err(RosterRefusal::Stale) } else { Ok(account) }
    }
}

/// [`Written`] without its lines.
enum Ended {
    Done,
    Stale,
    Taken,
}

fn parted(written: Written) -> (Ended, Vec<Entry>) {
    match written {
        Written::Done(entries) => (Ended::Done, entries),
        Written::Stale => (Ended::Stale, Vec::new()),
        Written::Taken => (Ended::Taken, Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::signin::account::MOST_CLAIMS;

    fn ada() -> Account {
        Account {
            id: AccountId::new("ada"),
            username: Some("Ada".to_owned()),
            name: None,
            email: Some("ada@example.com".to_owned()),
            email_verified: true,
            phone: None,
            phone_verified: false,
            groups: vec!["staff".to_owned()],
            claims: Map::new(),
            disabled_at: None,
            created_at: Timestamp::default(),
            revision: 3,
        }
    }

    fn claims(value: &Value) -> Edit {
        Edit { claims: value.as_object().cloned(), ..Edit::default() }
    }

    #[test]
    fn what_an_edit_does_not_name_stays() {
        assert_eq!(Edit::default().applied(&ada()).unwrap(), ada());
        let edit = Edit { groups: Some(Vec::new()), ..Edit::default() };
        assert_eq!(edit.applied(&ada()).unwrap(), Account { groups: Vec::new(), ..ada() });
    }

    #[test]
    fn another_address_is_not_verified_unless_the_operator_says_so() {
        let email = Some(Some(Handle::email("new@example.com").unwrap()));
        let edit = Edit { email: email.clone(), ..Edit::default() };
        assert!(!edit.applied(&ada()).unwrap().email_verified);
        let edit = Edit { email, email_verified: Some(true), ..Edit::default() };
        assert!(edit.applied(&ada()).unwrap().email_verified);
        let same = Edit { email: Some(Some(Handle::email("ada@example.com").unwrap())), ..Edit::default() };
        assert!(same.applied(&ada()).unwrap().email_verified);
        let none = Edit { email: Some(None), email_verified: Some(true), ..Edit::default() };
        assert_eq!(none.applied(&ada()), Err(Unfit::NoAddress));
    }

    #[test]
    fn a_custom_claim_never_takes_a_registered_name_and_all_together_are_bounded() {
        for name in crate::token::claims::REGISTERED {
            assert_eq!(claims(&json!({ name: 1 })).applied(&ada()), Err(Unfit::ClaimName), "{name}");
        }
        assert_eq!(claims(&json!({ "": 1 })).applied(&ada()), Err(Unfit::ClaimName));
        let sized = |length: usize| claims(&json!({ "a": "x".repeat(length) }));
        let nowhere = Account { groups: Vec::new(), ..ada() };
        assert!(sized(MOST_CLAIMS - 8).applied(&nowhere).is_ok());
        assert_eq!(sized(MOST_CLAIMS - 7).applied(&nowhere), Err(Unfit::ClaimSize));
        // With the groups: they are in the same cookie.
        let groups = r#"["staff"]"#.len();
        assert!(sized(MOST_CLAIMS - 8 - groups).applied(&ada()).is_ok());
        assert_eq!(sized(MOST_CLAIMS - 7 - groups).applied(&ada()), Err(Unfit::ClaimSize));
    }

    #[test]
    fn claims_are_merged() {
        let before = Account { claims: json!({ "a": { "x": 1, "y": 2 }, "b": [1], "c": "d" }).as_object().cloned().unwrap(), ..ada() };
        let edit = claims(&json!({ "a": { "x": null, "z": { "n": null, "m": 3 } }, "b": { "k": 1 }, "c": null, "e": null }));

        let edited = edit.applied(&before).unwrap();

        assert_eq!(Value::Object(edited.claims), json!({ "a": { "y": 2, "z": { "m": 3 } }, "b": { "k": 1 } }));
    }

    #[test]
    fn groups_are_different_words() {
        for groups in [vec!["a,b"], vec!["a b"], vec![""], vec!["a", "a"], vec!["x\u{0}"]] {
            let groups = groups.into_iter().map(str::to_owned).collect();
            assert_eq!(Edit { groups: Some(groups), ..Edit::default() }.applied(&ada()), Err(Unfit::Groups));
        }
    }

    #[test]
    fn accounts_are_sought_by_all_that_is_said() {
        let sought = |group: &str, disabled| Sought { group: Some(group.to_owned()), disabled: Some(disabled), ..Sought::default() };
        assert!(Sought::default().is(&ada()));
        assert!(sought("staff", false).is(&ada()));
        assert!(!sought("staff", true).is(&ada()));
        assert!(!sought("STAFF", false).is(&ada()));
        assert!(Sought { username: Some("aDA".to_owned()), ..Sought::default() }.is(&ada()));
        assert!(!Sought { handle: Some(Handle::email("b@example.com").unwrap()), ..Sought::default() }.is(&ada()));
    }
}
