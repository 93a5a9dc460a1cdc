//! `doorward account set` and `remove`: what an operator changes of the people who may sign in. It holds on every node at the
//! next request.

use std::sync::Arc;

use clap::{ArgGroup, Args};
use serde_json::{Map, Value};

use super::account::{One, show};
use super::{ConfigFile, Failed, desk, print};
use crate::audit::{Thing, What};
use crate::boot::Core;
use crate::revocation::Pace;
use crate::signin::{Account, Edit, Handle, Registrar, RosterRefusal};

/// What is to be another. What is not named stays.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("change").required(true).multiple(true).args([
    "name", "no_name", "email", "no_email", "phone", "no_phone", "groups", "no_groups", "add", "drop", "claims", "no_claims",
])))]
pub(super) struct Set {
    /// An address of the account, its user name or its id
    #[arg(value_name = "HANDLE|ID", allow_hyphen_values = true)]
    account: String,
    #[command(flatten)]
    file: ConfigFile,
    /// The name to show
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// No name to show
    #[arg(long, conflicts_with = "name")]
    no_name: bool,
    /// E-mail address; not verified until a code has come back from it
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// No e-mail address
    #[arg(long, conflicts_with = "email")]
    no_email: bool,
    /// Phone number, as +4915112345678; not verified until a code has come back from it
    #[arg(long, value_name = "NUMBER")]
    phone: Option<String>,
    /// No phone number
    #[arg(long, conflicts_with = "phone")]
    no_phone: bool,
    /// A group, in the place of all that there are; may be given several times, or several separated by commas
    #[arg(long = "group", alias = "groups", value_name = "GROUP", value_delimiter = ',')]
    groups: Vec<String>,
    /// No group at all
    #[arg(long, conflicts_with_all = ["groups", "drop"])]
    no_groups: bool,
    /// A group besides those that there are
    #[arg(long = "add-group", value_name = "GROUP", value_delimiter = ',')]
    add: Vec<String>,
    /// A group to take away
    #[arg(long = "remove-group", value_name = "GROUP", value_delimiter = ',')]
    drop: Vec<String>,
    /// A custom claim: JSON, or text where it is none
    #[arg(long = "claim", value_name = "NAME=VALUE", value_parser = claim)]
    claims: Vec<(String, Value)>,
    /// A custom claim to take away
    #[arg(long = "no-claim", value_name = "NAME")]
    no_claims: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Changes the account.
pub(super) fn set(set: &Set) -> Result<(), Failed> {
    desk::at(&set.file.config, async |core| {
        let account = desk::account(core, &set.account).await?;
        let edit = edit(set, &account)?;
        // Groups are those that were read a moment ago, with some more or less: nothing of another change may be lost.
        let expected = (!set.add.is_empty() || !set.drop.is_empty()).then_some(account.revision);
        let changed = registrar(core)
            .change(&account.id, expected, &edit, core.clock.now())
            .await
            .map_err(|refusal| refused(&set.account, &refusal))?;
        desk::record(core, What::AccountChanged, Thing::Account(changed.id.clone()), &edit.fields()).await?;
        settled(core).await;
        show(&changed, set.json)
    })
}

/// Forgets the account.
pub(super) fn remove(one: &One) -> Result<(), Failed> {
    desk::at(&one.file.config, async |core| {
        let account = desk::account(core, &one.account).await?;
        let removed =
            registrar(core).remove(&account.id, None, core.clock.now()).await.map_err(|refusal| refused(&one.account, &refusal))?;
        desk::record(core, What::AccountRemoved, Thing::Account(removed.id.clone()), &[]).await?;
        settled(core).await;
        print::complain("removed; its sessions are over");
        show(&removed, one.json)
    })
}

fn registrar(core: &Core) -> Registrar {
    Registrar { accounts: core.store.clone(), roster: core.store.clone(), revocations: Arc::clone(&core.revocations) }
}

/// Without Redis nodes learn of it from the database, within a bound that is waited for.
async fn settled(core: &Core) {
    if core.redis.is_none() {
        tokio::time::sleep(Pace::default().bound).await;
    }
}

fn refused(named: &str, refusal: &RosterRefusal) -> Failed {
    Failed::refused(format!("{named}: {refusal}"))
}

fn edit(set: &Set, account: &Account) -> Result<Edit, Failed> {
    let wrong = |text: &str, error: crate::signin::address::NotAnAddress| Failed::refused(format!("{text} is {error}"));
    let email = set.email.as_deref().map(|text| Handle::email(text).map_err(|error| wrong(text, error))).transpose()?;
    let phone = set.phone.as_deref().map(|text| Handle::phone(text).map_err(|error| wrong(text, error))).transpose()?;
    let claims: Map<String, Value> =
        set.no_claims.iter().map(|name| (name.clone(), Value::Null)).chain(set.claims.iter().cloned()).collect();
    Ok(Edit {
        name: set.name.clone().map(Some).or(set.no_name.then_some(None)),
        email: email.map(Some).or(set.no_email.then_some(None)),
        phone: phone.map(Some).or(set.no_phone.then_some(None)),
        groups: groups(set, account),
        claims: (!claims.is_empty()).then_some(claims),
        ..Edit::default()
    })
}

fn groups(set: &Set, account: &Account) -> Option<Vec<String>> {
    let is_named = set.no_groups || [&set.groups, &set.add, &set.drop].iter().any(|list| !list.is_empty());
    let base = if set.no_groups || !set.groups.is_empty() { &set.groups } else { &account.groups };
    let mut groups: Vec<String> = base.iter().filter(|group| !set.drop.contains(group)).cloned().collect();
    for group in &set.add {
        if !groups.contains(group) {
            groups.push(group.clone());
        }
    }
    is_named.then_some(groups)
}

fn claim(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| "should be NAME=VALUE".to_owned())?;
    Ok((name.trim().to_owned(), serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()))))
}
