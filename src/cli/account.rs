//! `doorward account`: the people who may sign in.

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::{ConfigFile, Failed, change, desk, print};
use crate::audit::{Thing, What};
use crate::boot::Core;
use crate::id::AccountId;
use crate::revocation::{Act, Subject};
use crate::signin::{self, Accounts, Factors, Handle};

/// Accounts that are read at once.
const PAGE: u32 = 500;

#[derive(Debug, Subcommand)]
pub(super) enum Account {
    /// Make an account; the first code that comes back verifies its address
    Add(Add),
    /// Show one account
    Show(One),
    /// List all accounts
    List(All),
    /// Change name, addresses, groups or custom claims of an account; what is not named stays. It holds at the next request
    Set(change::Set),
    /// Forget an account, and end all its sessions
    Remove(One),
    /// End all sessions of an account, and let nobody sign in with it
    Disable(One),
    /// Let people sign in with it again
    Enable(One),
    /// Take the authenticator and the recovery codes of an account away, for who has lost both, and end all its sessions
    RemoveFactor(One),
}

#[derive(Debug, Args)]
pub(super) struct Add {
    #[command(flatten)]
    file: ConfigFile,
    #[command(flatten)]
    handles: Handles,
    /// User name: fixed for ever, unique; what apps get as Remote-User
    #[arg(long, value_name = "NAME")]
    username: Option<String>,
    /// The name to show
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// A group; may be given several times, or several separated by commas
    #[arg(long = "group", alias = "groups", value_name = "GROUP", value_delimiter = ',')]
    groups: Vec<String>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
struct Handles {
    /// An address: e-mail, or a phone number that begins with +
    #[arg(value_name = "HANDLE", conflicts_with_all = ["email", "phone"])]
    handle: Option<String>,
    /// E-mail address
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// Phone number, as +4915112345678
    #[arg(long, value_name = "NUMBER")]
    phone: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct One {
    /// An address of the account, its user name or its id
    #[arg(value_name = "HANDLE|ID", allow_hyphen_values = true)]
    pub(super) account: String,
    #[command(flatten)]
    pub(super) file: ConfigFile,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct All {
    #[command(flatten)]
    file: ConfigFile,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: Account) -> Result<(), Failed> {
    match command {
        Account::Add(add) => desk::at(&add.file.config, async |core| make(core, &add).await),
        Account::Show(one) => desk::at(&one.file.config, async |core| show(&desk::account(core, &one.account).await?, one.json)),
        Account::List(all) => desk::at(&all.file.config, async |core| list(core, all.json).await),
        Account::Set(set) => change::set(&set),
        Account::Remove(one) => change::remove(&one),
        Account::Disable(one) => desk::at(&one.file.config, async |core| disable(core, &one).await),
        Account::Enable(one) => desk::at(&one.file.config, async |core| enable(core, &one).await),
        Account::RemoveFactor(one) => desk::at(&one.file.config, async |core| remove_factor(core, &one).await),
    }
}

async fn make(core: &Core, add: &Add) -> Result<(), Failed> {
    let account = new_account(core, add)?;
    if Accounts::add(core.store.as_ref(), &account).await? {
        desk::record(core, What::AccountAdded, Thing::Account(account.id.clone()), &[]).await?;
        return show(&account, add.json);
    }
    Err(Failed::refused("this address or user name belongs to an account already"))
}

fn new_account(core: &Core, add: &Add) -> Result<signin::Account, Failed> {
    let canonical = |handle: Handle| handle.expose().to_owned();
    let wrong = |text: &str, error: signin::address::NotAnAddress| Failed::refused(format!("{text} is {error}"));
    let given = add.handles.handle.as_deref();
    let is_phone = given.is_some_and(|text| text.starts_with('+'));
    let email = add.handles.email.as_deref().or(given.filter(|_| !is_phone));
    let phone = add.handles.phone.as_deref().or(given.filter(|_| is_phone));
    let email = email.map(|text| Handle::email(text).map(canonical).map_err(|error| wrong(text, error)));
    let phone = phone.map(|text| Handle::phone(text).map(canonical).map_err(|error| wrong(text, error)));
    let words = add.username.iter().chain(&add.groups).all(|word| is_word(word));
    if !words || add.name.as_deref().is_some_and(|name| name.chars().any(char::is_control) || name.chars().count() > 128) {
        return Err(Failed::refused("user names and groups are 1 to 64 letters, digits, '.', '-' and '_'; names are one line"));
    }
    Ok(signin::Account {
        id: AccountId::draw(core.entropy.as_ref()).map_err(crate::outage::Outage::from)?,
        username: add.username.clone(),
        name: add.name.clone(),
        email: email.transpose()?,
        email_verified: false,
        phone: phone.transpose()?,
        phone_verified: false,
        groups: add.groups.clone(),
        claims: Map::new(),
        disabled_at: None,
        created_at: core.clock.now(),
        revision: 0,
    })
}

/// Sessions end too: some may be of two factors, and the phone may be in other hands. They end first, so that all of it can be done
/// again after an outage, and once more for those that began meanwhile.
async fn remove_factor(core: &Core, one: &One) -> Result<(), Failed> {
    const REASON: &str = "factor_removed_by_operator";
    let account = desk::account(core, &one.account).await?;
    let none = || Failed::refused(format!("{} has no authenticator", one.account));
    Factors::find(core.store.as_ref(), &account.id).await?.ok_or_else(none)?;
    let before = desk::revoke(core, Act::Account(account.id.clone()), REASON).await?;
    if !Factors::remove(core.store.as_ref(), &account.id).await? {
        return Err(none());
    }
    let after = desk::revoke(core, Act::Account(account.id.clone()), REASON).await?;
    desk::record(core, What::FactorRemoved, Thing::Account(account.id.clone()), &[]).await?;
    print::complain(&format!("authenticator removed; sessions ended: {}", before.len() + after.len()));
    show(&account, one.json)
}

/// Groups travel in one header, separated by commas; a user name must not look like an address.
fn is_word(word: &str) -> bool {
    let plain = word.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_'));
    plain && (1..=64).contains(&word.chars().count())
}

async fn disable(core: &Core, one: &One) -> Result<(), Failed> {
    let account = desk::account(core, &one.account).await?;
    let lines = desk::revoke(core, Act::Disable(account.id.clone()), "disabled by the operator").await?;
    let ended = lines.iter().filter(|line| matches!(line.subject, Subject::Session(_))).count();
    print::complain(&format!("disabled; sessions ended: {ended}"));
    show(&desk::account(core, account.id.as_str()).await?, one.json)
}

async fn enable(core: &Core, one: &One) -> Result<(), Failed> {
    let account = desk::account(core, &one.account).await?;
    if Accounts::enable(core.store.as_ref(), &account.id).await? {
        desk::record(core, What::AccountEnabled, Thing::Account(account.id.clone()), &[]).await?;
        return show(&desk::account(core, account.id.as_str()).await?, one.json);
    }
    Err(Failed::refused(format!("there is no account {} any more", one.account)))
}

async fn list(core: &Core, as_json: bool) -> Result<(), Failed> {
    let mut accounts: Vec<signin::Account> = Vec::new();
    loop {
        let page = Accounts::list(core.store.as_ref(), accounts.last().map(|account| &account.id), PAGE).await?;
        let is_last = page.len() < usize::try_from(PAGE).unwrap_or(usize::MAX);
        accounts.extend(page);
        if is_last {
            break;
        }
    }
    if as_json {
        return print::json(&accounts.iter().map(as_value).collect());
    }
    let rows: Vec<_> = accounts.iter().map(as_row).collect();
    print::table(["ID", "USERNAME", "EMAIL", "PHONE", "GROUPS", "STATE", "CREATED"], &rows)
}

fn as_row(account: &signin::Account) -> [String; 7] {
    [
        account.id.to_string(),
        print::optional(account.username.as_deref()),
        print::optional(account.email.as_deref()),
        print::optional(account.phone.as_deref()),
        print::cell(&account.groups.join(",")),
        if account.disabled_at.is_some() { "disabled" } else { "enabled" }.to_owned(),
        account.created_at.to_string(),
    ]
}

pub(super) fn show(account: &signin::Account, as_json: bool) -> Result<(), Failed> {
    if as_json {
        return print::json(&as_value(account));
    }
    let address = |text: Option<&str>, verified: bool| text.map(|text| format!("{text}{}", if verified { "" } else { " (not verified)" }));
    let fields = [
        ("id", Some(account.id.to_string())),
        ("username", account.username.clone()),
        ("name", account.name.clone()),
        ("email", address(account.email.as_deref(), account.email_verified)),
        ("phone", address(account.phone.as_deref(), account.phone_verified)),
        ("groups", (!account.groups.is_empty()).then(|| account.groups.join(", "))),
        ("claims", (!account.claims.is_empty()).then(|| Value::Object(account.claims.clone()).to_string())),
        ("created", Some(account.created_at.to_string())),
        ("disabled", account.disabled_at.map(|at| at.to_string())),
    ];
    let known = fields.iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
    known.map(|(name, value)| format!("{name:<9} {}", print::cell(value))).try_for_each(|line| print::line(&line))
}

fn as_value(account: &signin::Account) -> Value {
    json!({
        "id": account.id,
        "username": account.username,
        "name": account.name,
        "email": account.email,
        "email_verified": account.email_verified,
        "phone": account.phone,
        "phone_verified": account.phone_verified,
        "groups": account.groups,
        "claims": account.claims,
        "created_at": account.created_at.to_string(),
        "disabled_at": account.disabled_at.map(|at| at.to_string()),
    })
}
