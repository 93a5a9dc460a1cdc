//! `/api/audit`: who did what. To read: by page, or as JSON lines; and written to by every change that is made here.

use http::header::HeaderName;
use http::{HeaderValue, StatusCode};
use serde_json::{Map, Value, json};

use super::Api;
use super::listing::{self, Window};
use super::table::Action;
use crate::app::ApiKey;
use crate::audit::{Cursor, Event, Filter, Order, Record, Thing, Wanted, What, Who};
use crate::clock::Timestamp;
use crate::endpoint::call::Received;
use crate::endpoint::problem::Problem;
use crate::endpoint::reply::{self, No, OUT_FOR, Reply};
use crate::id::{AccountId, SessionId};
use crate::signin::Edit;

/// Most rows of one export. Who wants more goes on after them.
const EXPORTED: u32 = 10_000;

/// Where an export goes on, when there are more rows.
const NEXT: HeaderName = HeaderName::from_static("doorward-next-cursor");

impl Api {
    /// Newest first, unless the query says otherwise.
    pub(super) async fn list_audit(&self, received: &Received<'_>) -> Result<Reply, No> {
        let [account, what, since, until, order, limit, cursor] =
            listing::query(received, ["account", "what", "since", "until", "order", "limit", "cursor"])?;
        let listed = ["audit", account.as_str(), what.as_str(), since.as_str(), until.as_str(), order.as_str()];
        let window = Window::of(&self.cursors, &listed, &limit, &cursor)?;
        let from = match order.as_str() {
            "" | "newest" => Order::Newest,
            "oldest" => Order::Oldest,
            _ => return Err(Problem::InvalidQuery.into()),
        };
        let filter = filter(&account, &what, &since, &until)?;
        let after = window.after.as_deref().map(place).transpose()?;
        let found = self.setup.audit.page(&Wanted { filter, order: from, after, limit: window.ask_for() }).await?;
        Ok(window.page(&self.cursors, &listed, found, |record| Cursor::of(record).to_string(), |record| view(&record)))
    }

    /// Oldest first, a row in a line.
    pub(super) async fn export_audit(&self, received: &Received<'_>) -> Result<Reply, No> {
        let [account, what, since, until, cursor] = listing::query(received, ["account", "what", "since", "until", "cursor"])?;
        let listed = ["audit-export", account.as_str(), what.as_str(), since.as_str(), until.as_str()];
        let after = if cursor.is_empty() { None } else { Some(place(&self.cursors.read(&listed, &cursor)?)?) };
        let filter = filter(&account, &what, &since, &until)?;
        let wanted = Wanted { filter, order: Order::Oldest, after, limit: EXPORTED };
        let found = self.setup.audit.page(&wanted).await?;
        let is_full = u32::try_from(found.len()).is_ok_and(|count| count >= EXPORTED);
        let next = found.last().filter(|_| is_full).map(|record| self.cursors.after(&listed, &Cursor::of(record).to_string()));
        let lines = found.iter().fold(String::new(), |lines, record| lines + &view(record).to_string() + "\n");
        let mut reply = reply::body(StatusCode::OK, "application/x-ndjson", lines);
        if let Some(next) = next.and_then(|next| HeaderValue::try_from(next).ok()) {
            reply.headers_mut().insert(NEXT, next);
        }
        Ok(reply)
    }

    /// What was done is in the log before it is answered.
    ///
    /// # Errors
    /// 503 `not_logged` when it could not be written: it is done all the same, its row waits in memory, and nobody was promised that
    /// it lasts.
    pub(super) async fn record(&self, action: Action, id: &str, key: &ApiKey, received: &Received<'_>) -> Result<(), No> {
        let Some((what, thing)) = told(action, id) else { return Ok(()) };
        let event = Event::new(what, Who::Machine(key.id.to_string()), received.call.now).on(thing).seen(&received.seen());
        let event = event.details(&changed(action, received.body));
        self.setup.recorder.record(event).await.map_err(|outage| {
            let id = &received.call.request_id;
            tracing::error!(request.id = id, "request {id} was carried out and is not in the audit log yet: {outage}");
            No::after(Problem::NotLogged, OUT_FOR)
        })
    }
}

/// What of it a change is about: the names of members that it has, never what they hold.
fn changed(action: Action, body: &[u8]) -> Vec<&'static str> {
    let known: &[&'static str] = if action == Action::ChangeAccount {
        Edit::FIELDS
    } else if action == Action::ChangeApp {
        &["owner", "route"]
    } else {
        return Vec::new();
    };
    let members = serde_json::from_slice::<Map<String, Value>>(body).unwrap_or_default();
    known.iter().copied().filter(|name| members.contains_key(*name)).collect()
}

/// What an action is in the log.
fn told(action: Action, id: &str) -> Option<(What, Thing)> {
    let account = || Thing::Account(AccountId::new(id));
    let key = || Thing::ApiKey(id.to_owned());
    let app = || Thing::App(id.to_owned());
    Some(match action {
        Action::AddAccount => (What::AccountAdded, account()),
        Action::ChangeAccount => (What::AccountChanged, account()),
        Action::RemoveAccount => (What::AccountRemoved, account()),
        Action::DisableAccount => (What::AccountDisabled, account()),
        Action::EnableAccount => (What::AccountEnabled, account()),
        Action::EndSessionsOf => (What::SessionEnded, account()),
        Action::RemoveFactor => (What::FactorRemoved, account()),
        Action::EndSession => (What::SessionEnded, Thing::Session(SessionId::new(id))),
        Action::CreateKey | Action::RotateKey => (What::ApiKeyCreated, key()),
        Action::RevokeKey => (What::ApiKeyRevoked, key()),
        Action::AddApp => (What::AppAdded, app()),
        Action::ChangeApp => (What::AppChanged, app()),
        Action::RemoveApp => (What::AppRemoved, app()),
        Action::RotateAppKey => (What::AppKeyRotated, app()),
        Action::ListAccounts
        | Action::ShowAccount
        | Action::ShowFactor
        | Action::ListSessions
        | Action::ShowSession
        | Action::ListKeys
        | Action::ShowKey
        | Action::ListApps
        | Action::ShowApp
        | Action::ListSubjects
        | Action::ListRoutes
        | Action::ShowRoute
        | Action::ShowLimits
        | Action::ListAudit
        | Action::ExportAudit
        | Action::Document
        | Action::Reference => return None,
    })
}

fn filter(account: &str, what: &str, since: &str, until: &str) -> Result<Filter, Problem> {
    let moment = |text: &str| match text {
        "" => Ok(None),
        text => Timestamp::parse(text).map(Some).ok_or(Problem::InvalidQuery),
    };
    Ok(Filter {
        account: listing::said(account.to_owned()).map(AccountId::new),
        what: match what {
            "" => None,
            word => Some(What::parse(word).ok_or(Problem::InvalidQuery)?),
        },
        since: moment(since)?,
        until: moment(until)?,
    })
}

fn place(text: &str) -> Result<Cursor, Problem> {
    Cursor::parse(text).ok_or(Problem::InvalidCursor)
}

/// A row, whole: with its code, so that an export can be held against the log.
fn view(record: &Record) -> Value {
    json!({
        "number": record.number,
        "at": record.at.to_string(),
        "who": record.who,
        "who_id": record.who_id,
        "account": record.account,
        "what": record.what,
        "thing": record.thing,
        "thing_id": record.thing_id,
        "detail": record.detail,
        "outcome": record.outcome,
        "address": record.address,
        "agent": record.agent,
        "request_id": record.request_id,
        "times": record.times,
        "mac": record.mac,
    })
}
