//! `doorward session`: signed-in devices.

use std::cmp::Reverse;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{ConfigFile, Failed, desk, print};
use crate::boot::Core;
use crate::id::{AccountId, SessionId};
use crate::revocation::Act;
use crate::signin::{self, Sessions};

/// Sessions that are read at once.
const PAGE: u32 = 500;

/// Kept with the sessions.
const REASON: &str = "ended by the operator";

#[derive(Debug, Subcommand)]
pub(super) enum Session {
    /// List the live sessions, of all or of one account
    List(List),
    /// End one session, or all of an account: its tokens are refused at once, on every node
    Revoke(Revoke),
}

#[derive(Debug, Args)]
pub(super) struct List {
    /// An address of the account, its user name or its id; those of all when unset
    #[arg(value_name = "HANDLE|ID", allow_hyphen_values = true)]
    account: Option<String>,
    #[command(flatten)]
    file: ConfigFile,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Revoke {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    file: ConfigFile,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Which {
    /// The session's id
    #[arg(value_name = "SESSION", allow_hyphen_values = true)]
    session: Option<String>,
    /// All sessions of the account with this address, user name or id
    #[arg(long, alias = "account", value_name = "HANDLE|ID", allow_hyphen_values = true)]
    all_of: Option<String>,
}

pub(super) fn run(command: Session) -> Result<(), Failed> {
    match command {
        Session::List(list) => desk::at(&list.file.config, async |core| show(core, &list).await),
        Session::Revoke(revoke) => desk::at(&revoke.file.config, async |core| end(core, &revoke).await),
    }
}

async fn show(core: &Core, list: &List) -> Result<(), Failed> {
    let account = match &list.account {
        Some(named) => Some(desk::account(core, named).await?.id),
        None => None,
    };
    let sessions = live(core, account.as_ref()).await?;
    if list.json {
        return print::json(&sessions.iter().map(as_value).collect());
    }
    let rows: Vec<_> = sessions.iter().map(as_row).collect();
    print::table(["ID", "ACCOUNT", "CREATED", "LAST SEEN", "EXPIRES", "ADDRESS", "AGENT"], &rows)
}

/// The newest first.
async fn live(core: &Core, account: Option<&AccountId>) -> Result<Vec<signin::Session>, Failed> {
    let (now, mut sessions) = (core.clock.now(), Vec::<signin::Session>::new());
    loop {
        let after = sessions.last().map(|session| session.id.clone());
        let page = Sessions::page(core.store.as_ref(), account, after.as_ref(), now, PAGE).await?;
        let is_last = page.len() < usize::try_from(PAGE).unwrap_or(usize::MAX);
        sessions.extend(page);
        if is_last {
            break;
        }
    }
    sessions.sort_by_key(|session| Reverse(session.created_at));
    Ok(sessions)
}

async fn end(core: &Core, revoke: &Revoke) -> Result<(), Failed> {
    let act = match (&revoke.which.session, &revoke.which.all_of) {
        (Some(session), _) => Act::Session(known(core, session).await?),
        (None, Some(account)) => Act::Account(desk::account(core, account).await?.id),
        (None, None) => return Err(Failed::refused("name a session, or --all-of an account")),
    };
    let ended = desk::revoke(core, act, REASON).await?;
    let names: Vec<&str> = ended.iter().map(|line| line.subject.name()).collect();
    if revoke.json {
        return print::json(&json!({ "ended": names }));
    }
    print::complain(&format!("sessions ended: {}", names.len()));
    names.into_iter().try_for_each(print::line)
}

async fn known(core: &Core, session: &str) -> Result<SessionId, Failed> {
    let id = SessionId::new(session);
    match Sessions::find(core.store.as_ref(), &id).await? {
        Some(_) => Ok(id),
        None => Err(Failed::refused(format!("there is no session {session}"))),
    }
}

fn as_row(session: &signin::Session) -> [String; 7] {
    [
        session.id.to_string(),
        session.account.to_string(),
        session.created_at.to_string(),
        session.last_seen_at.to_string(),
        session.expires_at.to_string(),
        session.address.map_or_else(|| "-".to_owned(), |address| address.to_string()),
        print::cell(&session.agent),
    ]
}

fn as_value(session: &signin::Session) -> Value {
    json!({
        "id": session.id,
        "account": session.account,
        "created_at": session.created_at.to_string(),
        "last_seen_at": session.last_seen_at.to_string(),
        "expires_at": session.expires_at.to_string(),
        "auth_time": session.auth_time.to_string(),
        "amr": session.amr,
        "acr": session.acr,
        "address": session.address,
        "agent": session.agent,
    })
}
