//! The table of our endpoints: what stands where, and which methods it takes.

use std::borrow::Cow;

use http::Method;
use http::header::ALLOW;
use matchit::Router;

use crate::admission::Refusal;
use crate::endpoint::page::account::{Change, Desk};
use crate::endpoint::problem::Problem;
use crate::endpoint::reply::No;
use crate::signin::{Changed, Means};

/// One endpoint with one method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
    Register,
    RequestOtp,
    VerifyOtp,
    VerifyTotp,
    VerifyRecovery,
    EnrollTotp,
    ConfirmTotp,
    DisableTotp,
    RenewRecoveryCodes,
    Refresh,
    Logout,
    Session,
    Sessions,
    EndSession,
    ChangeAddress,
    ConfirmAddress,
    RemoveAddress,
    Jwks,
    Document,
    LoginPage,
    LoginForm,
    VerifyPage,
    VerifyForm,
    LogoutPage,
    SecondPage(Means),
    SecondForm(Means),
    StepUpPage,
    StepUpForm,
    Account(Desk),
    AppCode,
    AppVerify,
    AppRegister,
    AppStatus,
    AppEnable,
    AppDisable,
    AppRecover,
    Inbox,
}

impl Endpoint {
    /// Is it a page, or a form of one?
    #[cfg(test)]
    const fn is_for_people(self) -> bool {
        match self {
            Self::LoginPage
            | Self::LoginForm
            | Self::VerifyPage
            | Self::VerifyForm
            | Self::LogoutPage
            | Self::SecondPage(_)
            | Self::SecondForm(_)
            | Self::StepUpPage
            | Self::StepUpForm
            | Self::Account(_)
            | Self::Inbox => true,
            Self::Register
            | Self::RequestOtp
            | Self::VerifyOtp
            | Self::VerifyTotp
            | Self::VerifyRecovery
            | Self::EnrollTotp
            | Self::ConfirmTotp
            | Self::DisableTotp
            | Self::RenewRecoveryCodes
            | Self::Refresh
            | Self::Logout
            | Self::Session
            | Self::Sessions
            | Self::EndSession
            | Self::ChangeAddress
            | Self::ConfirmAddress
            | Self::RemoveAddress
            | Self::Jwks
            | Self::AppCode
            | Self::AppVerify
            | Self::AppRegister
            | Self::AppStatus
            | Self::AppEnable
            | Self::AppDisable
            | Self::AppRecover
            | Self::Document => false,
        }
    }

    /// Is it given an address or a code by whoever comes, and must not tell by its time what it knows of them?
    pub(super) const fn is_told_of_an_address(self) -> bool {
        match self {
            Self::Register
            | Self::RequestOtp
            | Self::VerifyOtp
            | Self::ChangeAddress
            | Self::ConfirmAddress
            | Self::LoginForm
            | Self::VerifyForm
            // Some of its forms are given a new address, which may be somebody else's.
            | Self::Account(_) => true,
            Self::VerifyTotp
            | Self::VerifyRecovery
            | Self::EnrollTotp
            | Self::ConfirmTotp
            | Self::DisableTotp
            | Self::RenewRecoveryCodes
            | Self::Refresh
            | Self::Logout
            | Self::Session
            | Self::Sessions
            | Self::EndSession
            | Self::RemoveAddress
            | Self::Jwks
            | Self::Document
            | Self::LoginPage
            | Self::VerifyPage
            | Self::LogoutPage
            // Whose second factor it is, and whose address, is known by then.
            | Self::SecondPage(_)
            | Self::SecondForm(_)
            | Self::StepUpPage
            | Self::StepUpForm
            // An app knows its subjects.
            | Self::AppCode
            | Self::AppVerify
            | Self::AppRegister
            | Self::AppStatus
            | Self::AppEnable
            | Self::AppDisable
            | Self::AppRecover
            | Self::Inbox => false,
        }
    }
}

/// Paths under the prefix, as `matchit` writes them, with their methods.
const PATHS: &[(&str, &[(Method, Endpoint)])] = &[
    ("/register", &[(Method::POST, Endpoint::Register)]),
    ("/request-otp", &[(Method::POST, Endpoint::RequestOtp)]),
    ("/verify-otp", &[(Method::POST, Endpoint::VerifyOtp)]),
    ("/verify-totp", &[(Method::POST, Endpoint::VerifyTotp)]),
    ("/verify-recovery", &[(Method::POST, Endpoint::VerifyRecovery)]),
    ("/totp/enroll", &[(Method::POST, Endpoint::EnrollTotp)]),
    ("/totp/confirm", &[(Method::POST, Endpoint::ConfirmTotp)]),
    ("/totp", &[(Method::DELETE, Endpoint::DisableTotp)]),
    ("/recovery-codes", &[(Method::POST, Endpoint::RenewRecoveryCodes)]),
    ("/refresh", &[(Method::POST, Endpoint::Refresh)]),
    ("/logout", &[(Method::GET, Endpoint::LogoutPage), (Method::POST, Endpoint::Logout)]),
    ("/session", &[(Method::GET, Endpoint::Session)]),
    ("/sessions", &[(Method::GET, Endpoint::Sessions)]),
    ("/sessions/{id}", &[(Method::DELETE, Endpoint::EndSession)]),
    ("/addresses", &[(Method::POST, Endpoint::ChangeAddress), (Method::DELETE, Endpoint::RemoveAddress)]),
    ("/addresses/confirm", &[(Method::POST, Endpoint::ConfirmAddress)]),
    ("/api/code", &[(Method::POST, Endpoint::AppCode)]),
    ("/api/code/verify", &[(Method::POST, Endpoint::AppVerify)]),
    ("/api/otp", &[(Method::POST, Endpoint::AppRegister)]),
    ("/api/otp/{id}", &[(Method::GET, Endpoint::AppStatus), (Method::DELETE, Endpoint::AppDisable)]),
    ("/api/otp/{id}/enable", &[(Method::PUT, Endpoint::AppEnable)]),
    ("/api/otp/{id}/recover", &[(Method::POST, Endpoint::AppRecover)]),
    ("/.well-known/jwks.json", &[(Method::GET, Endpoint::Jwks)]),
    ("/openapi.json", &[(Method::GET, Endpoint::Document)]),
    ("/login", &[(Method::GET, Endpoint::LoginPage), (Method::POST, Endpoint::LoginForm)]),
    ("/verify", &[(Method::GET, Endpoint::VerifyPage), (Method::POST, Endpoint::VerifyForm)]),
    ("/second-factor", &[(Method::GET, Endpoint::SecondPage(Means::Totp)), (Method::POST, Endpoint::SecondForm(Means::Totp))]),
    ("/recovery", &[(Method::GET, Endpoint::SecondPage(Means::RecoveryCode)), (Method::POST, Endpoint::SecondForm(Means::RecoveryCode))]),
    ("/step-up", &[(Method::GET, Endpoint::StepUpPage), (Method::POST, Endpoint::StepUpForm)]),
    ("/account", &[(Method::GET, Endpoint::Account(Desk::Overview))]),
    ("/account/authenticator", &[(Method::GET, Endpoint::Account(Desk::Authenticator)), (Method::POST, Endpoint::Account(Desk::Begin))]),
    ("/account/authenticator/confirm", &[(Method::POST, Endpoint::Account(Desk::Confirm))]),
    ("/account/authenticator/remove", &[(Method::POST, Endpoint::Account(Desk::ChangeForm(Change::Remove)))]),
    (
        "/account/recovery-codes",
        &[
            (Method::GET, Endpoint::Account(Desk::ChangePage(Change::Renew))),
            (Method::POST, Endpoint::Account(Desk::ChangeForm(Change::Renew))),
        ],
    ),
    (
        "/account/email",
        &[
            (Method::GET, Endpoint::Account(Desk::AddressPage(Changed::Email))),
            (Method::POST, Endpoint::Account(Desk::AddressForm(Changed::Email))),
        ],
    ),
    (
        "/account/phone",
        &[
            (Method::GET, Endpoint::Account(Desk::AddressPage(Changed::Phone))),
            (Method::POST, Endpoint::Account(Desk::AddressForm(Changed::Phone))),
        ],
    ),
    (
        "/account/confirm",
        &[(Method::GET, Endpoint::Account(Desk::AddressCodePage)), (Method::POST, Endpoint::Account(Desk::AddressCodeForm))],
    ),
    ("/account/addresses/remove", &[(Method::POST, Endpoint::Account(Desk::RemoveAddress))]),
    ("/account/sessions", &[(Method::POST, Endpoint::Account(Desk::EndSessions))]),
];

/// What stands before a subject of an app, in paths.
const SUBJECTS: &str = "/api/otp/";

/// The inbox of the demo.
const INBOX: (&str, &[(Method, Endpoint)]) = ("/dev/inbox", &[(Method::GET, Endpoint::Inbox)]);

/// Whatever programs call, by path under the prefix and method.
#[cfg(test)]
pub(super) fn programs() -> impl Iterator<Item = (&'static str, &'static Method)> {
    let all = PATHS.iter().flat_map(|(path, methods)| methods.iter().map(move |(method, endpoint)| (*path, method, endpoint)));
    all.filter(|(_, _, endpoint)| !endpoint.is_for_people()).map(|(path, method, _)| (path, method))
}

/// What a path and a method lead to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found<'a> {
    pub(super) endpoint: Endpoint,
    /// The segment, as it stands, where the path has a place for one.
    pub(super) id: Option<&'a str>,
}

/// The table.
#[derive(Debug, Clone)]
pub(super) struct Table {
    prefix: String,
    router: Router<&'static [(Method, Endpoint)]>,
}

impl Table {
    /// With all paths under `prefix`; the inbox only where there is one.
    pub(super) fn new(prefix: &str, inbox: bool) -> Result<Self, matchit::InsertError> {
        let mut router = Router::new();
        for (path, methods) in PATHS.iter().copied().chain(inbox.then_some(INBOX)) {
            router.insert(path, methods)?;
        }
        Ok(Self { prefix: prefix.trim_end_matches('/').to_owned(), router })
    }

    /// The prefix, without a slash at its end.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The rest of a path under the prefix; none for a path elsewhere. By whole segments.
    pub(super) fn under<'a>(&self, path: &'a str) -> Option<&'a str> {
        path.strip_prefix(self.prefix.as_str()).filter(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// A path as it may stand in a log: what an app calls somebody may be an address.
    pub(super) fn shown<'a>(&self, path: &'a str) -> Cow<'a, str> {
        let Some(subject) = self.under(path).and_then(|rest| rest.strip_prefix(SUBJECTS)) else { return Cow::Borrowed(path) };
        let what = ["/enable", "/recover"].into_iter().find(|what| subject.ends_with(what)).unwrap_or_default();
        Cow::Owned(format!("{}{SUBJECTS}{{subject}}{what}", self.prefix))
    }

    /// What stands there. HEAD is GET, without its body.
    ///
    /// # Errors
    /// 404 for an unknown path; 405 with `Allow` for another method.
    pub(super) fn find<'a>(&self, method: &Method, path: &'a str) -> Result<Found<'a>, No> {
        let rest = self.under(path).ok_or_else(|| No::from(Problem::NotFound))?;
        let found = self.router.at(rest).map_err(|_| No::from(Problem::NotFound))?;
        let wanted = if method == Method::HEAD { &Method::GET } else { method };
        let endpoint = found.value.iter().find(|(method, _)| method == wanted).map(|(_, endpoint)| *endpoint);
        let endpoint = endpoint.ok_or_else(|| not_allowed(found.value))?;
        Ok(Found { endpoint, id: found.params.get("id") })
    }
}

fn not_allowed(methods: &[(Method, Endpoint)]) -> No {
    let mut names: Vec<&str> = methods.iter().map(|(method, _)| method.as_str()).collect();
    if names.contains(&"GET") {
        names.push("HEAD");
    }
    let no = No::from(Refusal::MethodNotAllowed);
    match http::HeaderValue::try_from(names.join(", ")) {
        Ok(allow) => no.with(ALLOW, allow),
        Err(_) => no,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_is_in_no_log() {
        let table = Table::new("/auth", false).unwrap();
        for (path, shown) in [
            ("/auth/api/otp/ada@example.com", "/auth/api/otp/{subject}"),
            ("/auth/api/otp/ada%40example.com/enable", "/auth/api/otp/{subject}/enable"),
            ("/auth/api/otp/ada/recover", "/auth/api/otp/{subject}/recover"),
            ("/auth/api/otp/a/b/ada@example.com", "/auth/api/otp/{subject}"),
            ("/auth/api/otp", "/auth/api/otp"),
            ("/other/api/otp/ada", "/other/api/otp/ada"),
        ] {
            assert_eq!(table.shown(path), shown);
        }
    }

    #[test]
    fn paths_lead_to_endpoints() {
        let table = Table::new("/auth/", false).unwrap();
        assert_eq!(table.find(&Method::POST, "/auth/refresh").unwrap().endpoint, Endpoint::Refresh);
        assert_eq!(table.find(&Method::HEAD, "/auth/login").unwrap().endpoint, Endpoint::LoginPage);
        let found = table.find(&Method::DELETE, "/auth/sessions/abc").unwrap();
        assert_eq!(found, Found { endpoint: Endpoint::EndSession, id: Some("abc") });
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        let table = Table::new("/auth", false).unwrap();
        let paths = [
            "",
            "/",
            "/auth",
            "/auth/",
            "/auth/x",
            "/auth/login/",
            "/authx/login",
            "/AUTH/login",
            "/auth//login",
            "/auth/dev/inbox",
            "/auth/sessions/",
            "/auth/sessions/a/b",
        ];
        for path in paths {
            assert_eq!(table.find(&Method::GET, path).unwrap_err().problem, Problem::NotFound, "{path}");
        }
        assert!(Table::new("/auth", true).unwrap().find(&Method::GET, "/auth/dev/inbox").is_ok());
    }

    #[test]
    fn another_method_is_told_which_are_allowed() {
        let table = Table::new("/auth", false).unwrap();
        for (method, path, allow) in [
            (Method::GET, "/auth/refresh", "POST"),
            (Method::PUT, "/auth/logout", "GET, POST, HEAD"),
            (Method::OPTIONS, "/auth/sessions/x", "DELETE"),
        ] {
            let no = table.find(&method, path).unwrap_err();
            assert_eq!(no.problem, Problem::Refused(Refusal::MethodNotAllowed));
            assert_eq!(no.headers, [(ALLOW, http::HeaderValue::from_static(allow))]);
        }
    }
}
