//! The table of the admin API: what stands where, and which methods it takes.

use http::Method;
use http::header::ALLOW;
use matchit::Router;

use crate::admission::Refusal;
use crate::endpoint::problem::Problem;
use crate::endpoint::reply::No;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::endpoint) enum Action {
    ListAccounts,
    AddAccount,
    ShowAccount,
    ChangeAccount,
    RemoveAccount,
    DisableAccount,
    EnableAccount,
    EndSessionsOf,
    ShowFactor,
    RemoveFactor,
    ListSessions,
    ShowSession,
    EndSession,
    ListKeys,
    CreateKey,
    ShowKey,
    RevokeKey,
    RotateKey,
    ListApps,
    AddApp,
    ShowApp,
    ChangeApp,
    RemoveApp,
    RotateAppKey,
    ListSubjects,
    ListRoutes,
    ShowRoute,
    ShowLimits,
    ListAudit,
    ExportAudit,
    Document,
    Reference,
}

impl Action {
    /// Is it a listing, which a query narrows?
    pub(super) const fn takes_query(self) -> bool {
        matches!(
            self,
            Self::ListAccounts
                | Self::ListSessions
                | Self::ListKeys
                | Self::ListApps
                | Self::ListSubjects
                | Self::ListRoutes
                | Self::ListAudit
                | Self::ExportAudit
        )
    }

    /// Is it for everybody who reaches this listener? They say what there is, and nothing of anybody.
    pub(super) const fn is_open(self) -> bool {
        matches!(self, Self::Document | Self::Reference)
    }
}

/// Paths as `matchit` writes them, with their methods.
pub(in crate::endpoint) const PATHS: &[(&str, &[(Method, Action)])] = &[
    ("/api/accounts", &[(Method::GET, Action::ListAccounts), (Method::POST, Action::AddAccount)]),
    (
        "/api/accounts/{id}",
        &[(Method::GET, Action::ShowAccount), (Method::PATCH, Action::ChangeAccount), (Method::DELETE, Action::RemoveAccount)],
    ),
    ("/api/accounts/{id}/disable", &[(Method::POST, Action::DisableAccount)]),
    ("/api/accounts/{id}/enable", &[(Method::POST, Action::EnableAccount)]),
    ("/api/accounts/{id}/sessions", &[(Method::DELETE, Action::EndSessionsOf)]),
    ("/api/accounts/{id}/factor", &[(Method::GET, Action::ShowFactor), (Method::DELETE, Action::RemoveFactor)]),
    ("/api/sessions", &[(Method::GET, Action::ListSessions)]),
    ("/api/sessions/{id}", &[(Method::GET, Action::ShowSession), (Method::DELETE, Action::EndSession)]),
    ("/api/apikeys", &[(Method::GET, Action::ListKeys), (Method::POST, Action::CreateKey)]),
    ("/api/apikeys/{id}", &[(Method::GET, Action::ShowKey), (Method::DELETE, Action::RevokeKey)]),
    ("/api/apikeys/{id}/rotate", &[(Method::POST, Action::RotateKey)]),
    ("/api/apps", &[(Method::GET, Action::ListApps), (Method::POST, Action::AddApp)]),
    ("/api/apps/{id}", &[(Method::GET, Action::ShowApp), (Method::PATCH, Action::ChangeApp), (Method::DELETE, Action::RemoveApp)]),
    ("/api/apps/{id}/rotate-key", &[(Method::POST, Action::RotateAppKey)]),
    ("/api/apps/{id}/subjects", &[(Method::GET, Action::ListSubjects)]),
    ("/api/routes", &[(Method::GET, Action::ListRoutes)]),
    ("/api/routes/{id}", &[(Method::GET, Action::ShowRoute)]),
    ("/api/limits", &[(Method::GET, Action::ShowLimits)]),
    ("/api/audit", &[(Method::GET, Action::ListAudit)]),
    ("/api/audit/export", &[(Method::GET, Action::ExportAudit)]),
    ("/api/openapi.json", &[(Method::GET, Action::Document)]),
    ("/api/docs", &[(Method::GET, Action::Reference)]),
];

/// What a path and a method lead to.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Found<'a> {
    pub(super) action: Action,
    /// The name in the path, as it stands there.
    pub(super) id: &'a str,
}

/// The table.
#[derive(Debug, Clone)]
pub(super) struct Table(Router<&'static [(Method, Action)]>);

impl Table {
    /// With all paths.
    pub(super) fn new() -> Result<Self, matchit::InsertError> {
        let mut router = Router::new();
        for (path, methods) in PATHS.iter().copied() {
            router.insert(path, methods)?;
        }
        Ok(Self(router))
    }

    /// What stands there. HEAD is GET, without its body.
    ///
    /// # Errors
    /// 404 for an unknown path; 405 with `Allow` for another method.
    pub(super) fn find<'a>(&self, method: &Method, path: &'a str) -> Result<Found<'a>, No> {
        let found = self.0.at(path).map_err(|_| No::from(Problem::NotFound))?;
        let wanted = if method == Method::HEAD { &Method::GET } else { method };
        let action = found.value.iter().find(|(method, _)| method == wanted).map(|(_, action)| *action);
        let action = action.ok_or_else(|| not_allowed(found.value))?;
        Ok(Found { action, id: found.params.get("id").unwrap_or_default() })
    }
}

fn not_allowed(methods: &[(Method, Action)]) -> No {
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
    fn paths_lead_to_actions_and_other_methods_are_told_which_are_allowed() {
        let table = Table::new().unwrap();
        assert_eq!(table.find(&Method::HEAD, "/api/accounts").unwrap().action, Action::ListAccounts);
        let found = table.find(&Method::DELETE, "/api/accounts/a%3Ab").unwrap();
        assert_eq!(found, Found { action: Action::RemoveAccount, id: "a%3Ab" });
        for path in ["/api", "/api/", "/api/accounts/", "/API/accounts", "/api//accounts", "/api/accounts/a/b/c", "/api/nothing"] {
            assert_eq!(table.find(&Method::GET, path).unwrap_err().problem, Problem::NotFound, "{path}");
        }
        let no = table.find(&Method::PUT, "/api/accounts/a").unwrap_err();
        assert_eq!(no.headers, [(ALLOW, http::HeaderValue::from_static("GET, PATCH, DELETE, HEAD"))]);
    }
}
