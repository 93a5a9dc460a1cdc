//! `/api/accounts`: the people who may sign in.

use http::header::LOCATION;
use http::{HeaderValue, StatusCode};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};

use super::listing::{self, Window};
use super::{Api, precondition};
use crate::endpoint::body;
use crate::endpoint::call::Received;
use crate::endpoint::problem::Problem;
use crate::endpoint::reply::{self, No, Reply};
use crate::id::AccountId;
use crate::revocation::{Act, Entry, Subject};
use crate::signin::{Account, Draft, Edit, Factor, Handle, RosterRefusal, Sought, Unfit};

/// An account, as it is shown.
#[derive(Debug, Serialize)]
struct View {
    id: AccountId,
    username: Option<String>,
    name: Option<String>,
    email: Option<String>,
    email_verified: bool,
    phone: Option<String>,
    phone_verified: bool,
    groups: Vec<String>,
    claims: Map<String, Value>,
    created_at: String,
    disabled_at: Option<String>,
    revision: i64,
}

impl From<Account> for View {
    fn from(account: Account) -> Self {
        Self {
            id: account.id,
            username: account.username,
            name: account.name,
            email: account.email,
            email_verified: account.email_verified,
            phone: account.phone,
            phone_verified: account.phone_verified,
            groups: account.groups,
            claims: account.claims,
            created_at: account.created_at.to_string(),
            disabled_at: account.disabled_at.map(|at| at.to_string()),
            revision: account.revision,
        }
    }
}

/// What a new account is made of, and what of one is changed. A member that is not there stays as it is; `null` takes away.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(clippy::option_option, reason = "not there, null, and a text are three things")]
struct Asked {
    #[serde(deserialize_with = "present")]
    username: Option<Option<String>>,
    #[serde(deserialize_with = "present")]
    name: Option<Option<String>>,
    #[serde(deserialize_with = "present")]
    email: Option<Option<String>>,
    #[serde(deserialize_with = "given")]
    email_verified: Option<bool>,
    #[serde(deserialize_with = "present")]
    phone: Option<Option<String>>,
    #[serde(deserialize_with = "given")]
    phone_verified: Option<bool>,
    #[serde(deserialize_with = "given")]
    groups: Option<Vec<String>>,
    #[serde(deserialize_with = "given")]
    claims: Option<Map<String, Value>>,
}

/// A member that is there, `null` or not.
#[expect(clippy::option_option, reason = "not there, null, and a text are three things")]
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::<String>::deserialize(deserializer).map(Some)
}

/// A member that is there, and not `null`.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl Asked {
    fn edit(self) -> Result<Edit, Problem> {
        let email = self.email.map(|text| text.map(|text| Handle::email(&text)).transpose());
        let phone = self.phone.map(|text| text.map(|text| Handle::phone(&text)).transpose());
        Ok(Edit {
            name: self.name,
            email: email.transpose().map_err(|_| Problem::InvalidAddress)?,
            email_verified: self.email_verified,
            phone: phone.transpose().map_err(|_| Problem::InvalidAddress)?,
            phone_verified: self.phone_verified,
            groups: self.groups,
            claims: self.claims,
        })
    }
}

impl Api {
    pub(super) async fn list_accounts(&self, received: &Received<'_>) -> Result<Reply, No> {
        let names = ["email", "phone", "username", "group", "disabled", "limit", "cursor"];
        let [email, phone, username, group, disabled, limit, cursor] = listing::query(received, names)?;
        let listed = ["accounts", email.as_str(), phone.as_str(), username.as_str(), group.as_str(), disabled.as_str()];
        let window = Window::of(&self.cursors, &listed, &limit, &cursor)?;
        let handle = match (email.as_str(), phone.as_str()) {
            ("", "") => None,
            (email, "") => Some(Handle::email(email).map_err(|_| Problem::InvalidAddress)?),
            ("", phone) => Some(Handle::phone(phone).map_err(|_| Problem::InvalidAddress)?),
            (_, _) => return Err(Problem::InvalidQuery.into()),
        };
        let (username, group) = (listing::said(username.clone()), listing::said(group.clone()));
        let sought = Sought { handle, username, group, disabled: listing::flag(&disabled)? };
        let after = window.after.clone().map(AccountId::new);
        let found = self.setup.registrar.roster.page(&sought, after.as_ref(), window.ask_for()).await?;
        Ok(window.page(&self.cursors, &listed, found, |account| account.id.to_string(), View::from))
    }

    pub(super) async fn add_account(&self, received: &Received<'_>) -> Result<Reply, No> {
        let mut asked: Asked = body::json(received)?;
        let username = asked.username.take().flatten();
        let edit = asked.edit()?;
        if edit.email.iter().chain(&edit.phone).flatten().next().is_none() {
            return Err(Problem::InvalidAccount.into());
        }
        let id = AccountId::draw(self.setup.entropy.as_ref()).map_err(crate::outage::Outage::from)?;
        let account = self.setup.registrar.add(id, &Draft { username, edit }, received.call.now).await?;
        let location = HeaderValue::try_from(format!("/api/accounts/{}", account.id)).map_err(|_| Problem::Internal)?;
        let mut reply = shown(StatusCode::CREATED, account);
        reply.headers_mut().insert(LOCATION, location);
        Ok(reply)
    }

    pub(super) async fn show_account(&self, id: &AccountId) -> Result<Reply, No> {
        let account = self.setup.registrar.accounts.find(id).await?.ok_or(Problem::NotFound)?;
        Ok(shown(StatusCode::OK, account))
    }

    pub(super) async fn change_account(&self, received: &Received<'_>, id: &AccountId) -> Result<Reply, No> {
        let expected = precondition::expected(&received.head.headers)?;
        let asked: Asked = body::patch(received)?;
        if asked.username.is_some() {
            // Fixed when the account is made.
            return Err(Problem::InvalidBody.into());
        }
        let account = self.setup.registrar.change(id, expected, &asked.edit()?, received.call.now).await?;
        Ok(shown(StatusCode::OK, account))
    }

    pub(super) async fn remove_account(&self, received: &Received<'_>, id: &AccountId) -> Result<Reply, No> {
        let expected = precondition::expected(&received.head.headers)?;
        self.setup.registrar.remove(id, expected, received.call.now).await?;
        Ok(reply::empty(StatusCode::NO_CONTENT))
    }

    pub(super) async fn disable_account(&self, received: &Received<'_>, id: &AccountId) -> Result<Reply, No> {
        body::nothing(received)?;
        let (account, _) = self.setup.registrar.disable(id, received.call.now).await?;
        Ok(shown(StatusCode::OK, account))
    }

    pub(super) async fn enable_account(&self, received: &Received<'_>, id: &AccountId) -> Result<Reply, No> {
        body::nothing(received)?;
        let account = self.setup.registrar.enable(id).await?;
        Ok(shown(StatusCode::OK, account))
    }

    pub(super) async fn end_sessions_of(&self, received: &Received<'_>, id: &AccountId) -> Result<Reply, No> {
        self.setup.registrar.accounts.find(id).await?.ok_or(Problem::NotFound)?;
        let act = Act::Account(id.clone());
        let lines = self.setup.registrar.revocations.revoke(act, "ended_by_operator", received.call.now).await?;
        Ok(reply::json(StatusCode::OK, &json!({ "ended": sessions_in(&lines) })))
    }

    pub(super) async fn show_factor(&self, id: &AccountId) -> Result<Reply, No> {
        let factor = self.setup.factors.find(id).await?.filter(|factor| factor.confirmed_at.is_some());
        Ok(reply::json(StatusCode::OK, &factor_view(&factor.ok_or(Problem::NotFound)?)))
    }

    /// Sessions end too: some may be of two factors, and the phone may be in other hands. They end first, so that who is told of an
    /// outage can do all of it again, and once more for those that began meanwhile.
    pub(super) async fn remove_factor(&self, received: &Received<'_>, id: &AccountId) -> Result<Reply, No> {
        self.setup.factors.find(id).await?.ok_or(Problem::NotFound)?;
        let end = async || {
            let revocations = &self.setup.registrar.revocations;
            revocations.revoke(Act::Account(id.clone()), "factor_removed_by_operator", received.call.now).await
        };
        end().await?;
        if !self.setup.factors.remove(id).await? {
            return Err(Problem::NotFound.into());
        }
        end().await?;
        Ok(reply::empty(StatusCode::NO_CONTENT))
    }
}

fn shown(status: StatusCode, account: Account) -> Reply {
    let revision = account.revision;
    precondition::tagged(reply::json(status, &View::from(account)), revision)
}

/// Of the secret it is said that there is one, and no more.
fn factor_view(factor: &Factor) -> Value {
    json!({
        "method": "totp",
        "confirmed_at": factor.confirmed_at.map(|at| at.to_string()),
        "last_used_at": factor.last_used_at.map(|at| at.to_string()),
        "recovery_codes_left": factor.recovery_codes,
        "secret": { "set": true },
    })
}

fn sessions_in(lines: &[Entry]) -> usize {
    lines.iter().filter(|line| matches!(line.subject, Subject::Session(_))).count()
}

impl From<RosterRefusal> for No {
    fn from(refusal: RosterRefusal) -> Self {
        match refusal {
            RosterRefusal::Unknown => Problem::NotFound.into(),
            RosterRefusal::Stale => Problem::PreconditionFailed.into(),
            RosterRefusal::Taken => Problem::Taken.into(),
            RosterRefusal::Unfit(Unfit::LastAddress) => Problem::AddressRequired.into(),
            RosterRefusal::Unfit(Unfit::ClaimName) => Problem::ReservedClaim.into(),
            RosterRefusal::Unfit(Unfit::Username | Unfit::Name | Unfit::Groups | Unfit::ClaimSize | Unfit::NoAddress) => {
                Problem::InvalidAccount.into()
            }
            RosterRefusal::Outage(outage) => outage.into(),
        }
    }
}
