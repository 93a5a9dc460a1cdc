//! Our own endpoints, with types of `http`, not of pingora.
//!
//! ```text
//! table ─▶ body ─▶ signin/ (JSON) or page/ (forms) ─▶ reply
//! app/     codes as a service, for registered apps
//! check/   answers to a proxy that stays in front and asks (forward-auth)
//! refusals what came to nothing, to be looked up by its id; operator: who may
//! refuse   the reply to a request that is not let in, cannot be decided or finds no app; it fits the asker
//! problem  the one place where an error becomes words
//! admin    health, readiness and metrics, on a listener of their own, and api/, for programs of the operator
//! openapi  what both APIs take and answer
//! ```

mod admin;
mod api;
mod app;
mod asker;
mod body;
mod call;
mod check;
mod next;
mod openapi;
mod operator;
mod pace;
mod page;
mod problem;
mod refusals;
mod refuse;
mod reply;
mod settings;
mod signin;
mod table;

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use http::request::Parts;
use http::{Request, StatusCode};
use url::Url;

use crate::admission::{self, Refusal, RuleSet};
use crate::cookie::Cookies;
use crate::signin::{Means, SignIn};

pub use admin::{Admin, Desk, Readiness, State, Status, Vitals};
pub use api::{Api, ApiSetup, Current, Effective};
pub use app::ForApps;
pub use call::Call;
pub use check::{Decided, Dialect, ForwardAuth, ForwardAuthSettings};
pub use operator::Operator;
pub use page::Brand;
pub use page::inbox::{Inbox, Mail};
pub use problem::Problem;
pub use refusals::{Lost, Refusals};
pub use reply::Reply;
pub use settings::PageSettings;

use call::Received;
use next::{Next, Places};
use page::Pages;
use reply::No;
use table::{Endpoint, Found, Table};

/// What the endpoints are made of.
pub struct Setup {
    /// The sign-in services.
    pub sign_in: Arc<SignIn>,
    /// The names and attributes of our cookies.
    pub cookies: Cookies,
    /// Where people reach us.
    pub public_url: Url,
    /// The path of our endpoints, as `/auth`.
    pub prefix: String,
    /// The hosts of all routes that have one: a sign-in may lead there.
    pub hosts: Vec<String>,
    /// How the pages look.
    pub pages: Brand,
    /// Is every code zeros?
    pub development: bool,
    /// The inbox of the demo.
    pub inbox: Option<Arc<dyn Inbox>>,
    /// What answers proxies that ask; without it none is trusted.
    pub forward_auth: Option<ForwardAuth>,
    /// Remembers what came to nothing.
    pub refusals: Arc<Refusals>,
    /// What registered apps may have done; without it there is no such endpoint.
    pub apps: Option<ForApps>,
}

/// The prefix cannot be the path of anything.
#[derive(Debug, thiserror::Error)]
#[error("not a prefix for our endpoints: {0}")]
pub struct BadPrefix(#[from] matchit::InsertError);

/// Our own endpoints.
pub struct Endpoints {
    sign_in: Arc<SignIn>,
    cookies: Cookies,
    places: Places,
    pages: Pages,
    table: Table,
    /// The path where people sign in.
    login_url: String,
    document: Bytes,
    inbox: Option<Arc<dyn Inbox>>,
    forward_auth: Option<ForwardAuth>,
    refusals: Arc<Refusals>,
    apps: Option<ForApps>,
}

impl Endpoints {
    /// From what they are made of.
    ///
    /// # Errors
    /// [`BadPrefix`] when the table of paths cannot be made.
    pub fn new(setup: Setup) -> Result<Self, BadPrefix> {
        let table = Table::new(&setup.prefix, setup.inbox.is_some())?;
        Ok(Self {
            sign_in: setup.sign_in,
            cookies: setup.cookies,
            places: Places::new(setup.public_url, setup.hosts),
            pages: Pages::new(setup.pages, table.prefix(), setup.development),
            login_url: format!("{}/login", table.prefix()),
            document: Bytes::from(openapi::public(table.prefix()).to_string()),
            table,
            inbox: setup.inbox,
            forward_auth: setup.forward_auth,
            refusals: setup.refusals,
            apps: setup.apps,
        })
    }

    /// Is this path (without query) under our prefix, by whole segments? Such a request is ours on every host.
    pub fn owns(&self, path: &str) -> bool {
        self.table.under(path).is_some()
    }

    /// A path as it may stand in a log.
    pub fn shown<'a>(&self, path: &'a str) -> Cow<'a, str> {
        self.table.shown(path)
    }

    /// The reply to a request for one of our endpoints.
    pub async fn answer(&self, request: Request<Bytes>, call: &Call) -> Reply {
        let (head, body) = request.into_parts();
        let received = Received { head: &head, body: &body, call };
        let reply = match self.dispatch(&received).await {
            Ok(reply) => reply,
            Err(no) => {
                self.remember(no.problem, &head, call);
                self.said(&no, self.asker(&head), &head, &call.request_id)
            }
        };
        reply::finish(admin::without_body(reply, &head.method), &call.request_id)
    }

    /// The reply to a request of which only the head is there; `problem` says why.
    pub fn refuse(&self, problem: Problem, head: &Parts, call: &Call) -> Reply {
        self.remember(problem, head, call);
        self.problem(problem, head, &call.request_id)
    }

    /// What one of our own endpoints does not do can be looked up as well.
    fn remember(&self, problem: Problem, head: &Parts, call: &Call) {
        self.refusals.remember(Lost {
            id: call.request_id.clone(),
            at: call.now,
            decision: "own",
            code: problem.code(),
            status: problem.status().as_u16(),
            route: None,
            rules: RuleSet::default(),
            method: head.method.to_string(),
            host: call.client.host.clone(),
            path: self.shown(head.uri.path()).into_owned(),
        });
    }

    async fn dispatch(&self, received: &Received<'_>) -> Result<Reply, No> {
        let head = received.head;
        if let Some((dialect, below)) = self.table.under(head.uri.path()).and_then(Dialect::at) {
            return Ok(self.check(received, dialect, below).await);
        }
        let found = self.table.find(&head.method, head.uri.path())?;
        if !received.is_safe() && admission::is_cross_site(head, &received.call.client) {
            return Err(Refusal::CrossSite.into());
        }
        if received.body.len() > body::LARGEST {
            return Err(Problem::BodyTooLarge.into());
        }
        if !received.is_safe() {
            // Whether this one needs them or not. Pages stay open to whoever has got into that state.
            self.cookies.read(&head.headers)?;
        }
        if found.endpoint.is_told_of_an_address() {
            return pace::at_a_beat(self.carry_out(found, received)).await;
        }
        self.carry_out(found, received).await
    }

    async fn carry_out(&self, found: Found<'_>, received: &Received<'_>) -> Result<Reply, No> {
        match found.endpoint {
            Endpoint::Register => self.register(received).await,
            Endpoint::RequestOtp => self.request_otp(received).await,
            Endpoint::VerifyOtp => self.verify_otp(received).await,
            Endpoint::VerifyTotp => self.verify_second(received, Means::Totp).await,
            Endpoint::VerifyRecovery => self.verify_second(received, Means::RecoveryCode).await,
            Endpoint::EnrollTotp => self.enroll_totp(received).await,
            Endpoint::ConfirmTotp => self.confirm_totp(received).await,
            Endpoint::DisableTotp => self.disable_totp(received).await,
            Endpoint::RenewRecoveryCodes => self.renew_recovery_codes(received).await,
            Endpoint::Refresh => self.refresh(received).await,
            Endpoint::Logout => self.logout(received).await,
            Endpoint::Session => self.session(received).await,
            Endpoint::Sessions => self.sessions(received).await,
            Endpoint::EndSession => self.end_session(received, found.id.unwrap_or_default()).await,
            Endpoint::ChangeAddress => self.change_address(received).await,
            Endpoint::ConfirmAddress => self.confirm_address(received).await,
            Endpoint::RemoveAddress => self.remove_address(received).await,
            Endpoint::Jwks => Ok(self.jwks(received)),
            Endpoint::Document => Ok(reply::body(StatusCode::OK, "application/json", self.document.clone())),
            Endpoint::LoginPage => self.login_page(received).await,
            Endpoint::LoginForm => self.login_form(received).await,
            Endpoint::VerifyPage => self.verify_page(received),
            Endpoint::VerifyForm => self.verify_form(received).await,
            Endpoint::SecondPage(means) => self.second_page(received, means),
            Endpoint::SecondForm(means) => self.second_form(received, means).await,
            Endpoint::StepUpPage => self.step_up_page(received).await,
            Endpoint::StepUpForm => self.step_up_form(received).await,
            Endpoint::Account(desk) => self.account(received, desk).await,
            Endpoint::LogoutPage => self.logout_page(received).await,
            Endpoint::Inbox => self.inbox_page(received),
            Endpoint::AppCode => self.apps()?.send(received).await,
            Endpoint::AppVerify => self.apps()?.verify(received).await,
            Endpoint::AppRegister => self.apps()?.register(received).await,
            Endpoint::AppStatus => self.apps()?.status(received, found.id).await,
            Endpoint::AppEnable => self.apps()?.enable(received, found.id).await,
            Endpoint::AppDisable => self.apps()?.disable(received, found.id).await,
            Endpoint::AppRecover => self.apps()?.recover(received, found.id).await,
        }
    }

    fn apps(&self) -> Result<&ForApps, No> {
        self.apps.as_ref().ok_or_else(|| Problem::NotFound.into())
    }
}
