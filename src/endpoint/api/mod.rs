//! The admin API: `/api` on the admin listener, for programs of the operator.
//!
//! ```text
//! table ─▶ caller (an API key of scope `admin` or `read`) ─▶ accounts, sessions, apikeys, routes, … ─▶ reply
//! listing   pages, and cursors of ours alone        precondition   ETag, If-Match
//! ```
//!
//! What it takes and answers is said in [`super::openapi`], which a test keeps equal to the table.

mod accounts;
mod apikeys;
mod apps;
mod audit;
mod cursor;
mod listing;
mod precondition;
mod routes;
mod sessions;
pub(super) mod table;

use std::sync::Arc;

use bytes::Bytes;
use http::StatusCode;
use http::header::{LOCATION, WWW_AUTHENTICATE};

use crate::admission::{Refusal, Why};
use crate::app::{ApiKey, AppDesk, KeyCheck, KeyDesk};
use crate::audit::{Audit, Recorder};
use crate::endpoint::call::Received;
use crate::endpoint::page::Reference;
use crate::endpoint::problem::Problem;
use crate::endpoint::reply::{self, No, Reply};
use crate::endpoint::{body, openapi, refuse};
use crate::id::{AccountId, KeyId, SessionId};
use crate::limits::Spending;
use crate::random::Entropy;
use crate::secret::MacKey;
use crate::signin::{Factors, Registrar, Sessions};
use cursor::Cursors;
use table::{Action, Table};

pub use routes::{Current, Effective};

/// What the admin API is made of.
pub struct ApiSetup {
    /// Changes accounts.
    pub registrar: Registrar,
    /// Where sessions are kept.
    pub sessions: Arc<dyn Sessions>,
    /// Where authenticators are kept.
    pub factors: Arc<dyn Factors>,
    /// Makes and revokes API keys.
    pub keys: KeyDesk,
    /// Believes them.
    pub check: Arc<KeyCheck>,
    /// Registers apps.
    pub apps: AppDesk,
    /// What messages have cost today.
    pub spending: Arc<dyn Spending>,
    /// The audit log, to read.
    pub audit: Arc<dyn Audit>,
    /// The same, to write.
    pub recorder: Arc<Recorder>,
    /// The settings that count.
    pub current: Arc<dyn Current>,
    /// The key of cursors.
    pub cursors: MacKey,
    /// Where ids come from.
    pub entropy: Arc<dyn Entropy>,
    /// What this place is called.
    pub name: String,
}

/// The admin API.
pub struct Api {
    setup: ApiSetup,
    cursors: Cursors,
    table: Table,
    document: Bytes,
    reference: Reference,
}

/// What a reply is about, for the log, where the path may call it otherwise.
#[derive(Clone)]
struct About(String);

impl Api {
    /// From what it is made of.
    ///
    /// # Errors
    /// When the table of paths cannot be made.
    pub fn new(setup: ApiSetup) -> Result<Self, super::BadPrefix> {
        let document = openapi::admin();
        Ok(Self {
            cursors: Cursors::new(setup.cursors.clone()),
            table: Table::new()?,
            reference: Reference::of(&document, &setup.name),
            document: Bytes::from(document.to_string()),
            setup,
        })
    }

    /// Is this path (without query) ours?
    pub(super) fn owns(path: &str) -> bool {
        path == "/api" || path.starts_with("/api/")
    }

    /// The reply to a request for a path of ours.
    pub(super) async fn answer(&self, received: &Received<'_>) -> Result<Reply, No> {
        let found = self.table.find(&received.head.method, received.head.uri.path())?;
        if found.action.is_open() {
            return self.open(found.action);
        }
        let key = self.caller(received).await?;
        let may = if received.is_safe() { key.may_read() } else { key.may_change() };
        if !may {
            let needed = if received.is_safe() { &refuse::SCOPE_READ } else { &refuse::SCOPE_ADMIN };
            return Err(No::from(Problem::InsufficientScope).with(WWW_AUTHENTICATE, needed.clone()));
        }
        if received.body.len() > body::LARGEST {
            return Err(Problem::BodyTooLarge.into());
        }
        if !found.action.takes_query() && !received.query().is_empty() {
            return Err(Problem::InvalidQuery.into());
        }
        let mut reply = self.carry_out(found.action, found.id, received).await?;
        let about = reply.extensions_mut().remove::<About>();
        let made = reply.headers().get(LOCATION).and_then(|place| place.to_str().ok()).and_then(|place| place.rsplit('/').next());
        let id = about.as_ref().map(|about| about.0.as_str()).or(made).unwrap_or(found.id);
        self.record(found.action, id, &key, received).await?;
        Ok(reply)
    }

    /// Whose key it is. One answer to everything that is no good key.
    async fn caller(&self, received: &Received<'_>) -> Result<Arc<ApiKey>, No> {
        let Some(text) = received.bearer()? else { return Err(refuse::with_bearer(Refusal::Unauthenticated)) };
        match self.setup.check.authenticate(crate::secret::SecretStr::new(text.expose()), received.call.now).await {
            Ok(key) => Ok(key),
            Err(Why::Refused(refusal)) => Err(refuse::with_bearer(refusal)),
            Err(Why::Outage(outage)) => Err(outage.into()),
        }
    }

    fn open(&self, action: Action) -> Result<Reply, No> {
        if action == Action::Document {
            return Ok(reply::body(StatusCode::OK, "application/json", self.document.clone()));
        }
        self.reference.show()
    }

    async fn carry_out(&self, action: Action, id: &str, received: &Received<'_>) -> Result<Reply, No> {
        let name = || listing::name(id);
        let account = || name().map(AccountId::new);
        let session = || name().map(SessionId::new);
        let key = || name().map(KeyId::new);
        match action {
            Action::ListAccounts => self.list_accounts(received).await,
            Action::AddAccount => self.add_account(received).await,
            Action::ShowAccount => self.show_account(&account()?).await,
            Action::ChangeAccount => self.change_account(received, &account()?).await,
            Action::RemoveAccount => self.remove_account(received, &account()?).await,
            Action::DisableAccount => self.disable_account(received, &account()?).await,
            Action::EnableAccount => self.enable_account(received, &account()?).await,
            Action::EndSessionsOf => self.end_sessions_of(received, &account()?).await,
            Action::ShowFactor => self.show_factor(&account()?).await,
            Action::RemoveFactor => self.remove_factor(received, &account()?).await,
            Action::ListSessions => self.list_sessions(received).await,
            Action::ShowSession => self.show_session(received, &session()?).await,
            Action::EndSession => self.end_session(received, &session()?).await,
            Action::ListKeys => self.list_keys(received).await,
            Action::CreateKey => self.create_key(received).await,
            Action::ShowKey => self.show_key(&key()?).await,
            Action::RevokeKey => self.revoke_key(received, &key()?).await,
            Action::RotateKey => self.rotate_key(received, &key()?).await,
            Action::ListApps => self.list_apps(received).await,
            Action::AddApp => self.add_app(received).await,
            Action::ShowApp => self.show_app(&name()?).await,
            Action::ChangeApp => self.change_app(received, &name()?).await,
            Action::RemoveApp => self.remove_app(received, &name()?).await,
            Action::RotateAppKey => self.rotate_app_key(received, &name()?).await,
            Action::ListSubjects => self.list_subjects(received, &name()?).await,
            Action::ListRoutes => self.list_routes(received),
            Action::ShowRoute => self.show_route(&name()?),
            Action::ShowLimits => self.show_limits(received).await,
            Action::ListAudit => self.list_audit(received).await,
            Action::ExportAudit => self.export_audit(received).await,
            Action::Document | Action::Reference => self.open(action),
        }
    }
}
