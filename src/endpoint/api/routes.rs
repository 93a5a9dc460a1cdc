//! `/api/routes` and `/api/limits`: what the configuration says, and what is spent. To read alone.

use http::StatusCode;
use serde_json::{Value, json};

use super::Api;
use super::listing::{self, Window};
use crate::admission::{Require, RouteSettings, RuleSettings};
use crate::endpoint::call::Received;
use crate::endpoint::problem::Problem;
use crate::endpoint::reply::{self, No, Reply};
use crate::limits;
use crate::signin::LimitSettings;

/// The settings that count from the next request on.
#[derive(Debug, Clone, Default)]
pub struct Effective {
    /// All routes, in the order of the file.
    pub routes: Vec<RouteSettings>,
    /// Limits.
    pub limits: LimitSettings,
}

/// Knows which settings count.
pub trait Current: Send + Sync {
    /// Those of this moment.
    fn settings(&self) -> std::sync::Arc<Effective>;
}

impl Api {
    /// In the order of their names.
    pub(super) fn list_routes(&self, received: &Received<'_>) -> Result<Reply, No> {
        let [limit, cursor] = listing::query(received, ["limit", "cursor"])?;
        let window = Window::of(&self.cursors, &["routes"], &limit, &cursor)?;
        let settings = self.setup.current.settings();
        let mut routes: Vec<&RouteSettings> = settings.routes.iter().collect();
        routes.sort_by(|one, other| one.name.cmp(&other.name));
        routes.retain(|route| window.after.as_ref().is_none_or(|after| route.name > *after));
        Ok(window.page(&self.cursors, &["routes"], routes, |route| route.name.clone(), view))
    }

    pub(super) fn show_route(&self, name: &str) -> Result<Reply, No> {
        let settings = self.setup.current.settings();
        let route = settings.routes.iter().find(|route| route.name == name).ok_or(Problem::NotFound)?;
        Ok(reply::json(StatusCode::OK, &view(route)))
    }

    pub(super) async fn show_limits(&self, received: &Received<'_>) -> Result<Reply, No> {
        let settings = self.setup.current.settings();
        let most = &settings.limits;
        let sent = limits::today(self.setup.spending.as_ref(), received.call.now).await?;
        let body = json!({
            "settings": {
                "codes_per_address": most.codes_per_address,
                "codes_per_network": most.codes_per_network,
                "attempts_per_network": most.attempts_per_network,
                "failures_per_account": most.failures_per_account,
                "app_codes": most.app_codes,
                "app_email": most.app_email,
                "app_sms": most.app_sms,
                "app_whatsapp": most.app_whatsapp,
                "app_verifications": most.app_verifications,
                "sms_countries": most.sms_countries.iter().map(|country| country.as_str()).collect::<Vec<_>>(),
                "sms_per_day": most.sms_per_day,
                "sms_breaker_digits": most.sms_breaker_digits,
                "sms_breaker_window": most.sms_breaker_window.as_secs(),
                "sms_breaker_least": most.sms_breaker_least,
                "sms_breaker_percent": most.sms_breaker_percent,
            },
            "sms_today": { "sent": sent, "left": most.sms_per_day.saturating_sub(sent) },
        });
        Ok(reply::json(StatusCode::OK, &body))
    }
}

/// A route, as it is shown. Addresses may have user and password of the app's in them; we show where they lead and no more.
fn view(route: &RouteSettings) -> Value {
    json!({
        "name": route.name,
        "host": route.host,
        "path": route.path,
        "upstream": route.upstream.iter().map(|address| without_credentials(&address.url)).collect::<Vec<_>>(),
        "rules": rules(route),
        "strip_prefix": route.strip_prefix,
        "preserve_host": route.preserve_host,
        "forward_token": route.forward_token,
        "client_ca": { "set": route.client_ca.is_some() },
    })
}

/// An address without a user and a password in it.
fn without_credentials(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{after}")
}

fn rules(route: &RouteSettings) -> Vec<Value> {
    if route.rules.is_empty() {
        return vec![rule(&own(route))];
    }
    route.rules.iter().map(rule).collect()
}

/// The rule of a route that has only one.
fn own(route: &RouteSettings) -> RuleSettings {
    RuleSettings {
        path: None,
        require: route.require.unwrap_or_default(),
        accounts: route.accounts.clone(),
        email_domains: route.email_domains.clone(),
        groups: route.groups.clone(),
        claims: route.claims.clone(),
        networks: route.networks.clone(),
        methods: route.methods.clone(),
        max_age: route.max_age,
        verified: route.verified,
    }
}

fn rule(rule: &RuleSettings) -> Value {
    let require = match rule.require {
        Require::Public => "public",
        Require::Session => "session",
        Require::SecondFactor => "second_factor",
    };
    json!({
        "path": rule.path,
        "require": require,
        "accounts": rule.accounts,
        "email_domains": rule.email_domains,
        "groups": rule.groups,
        "claims": rule.claims,
        "networks": rule.networks.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "methods": rule.methods,
        "max_age": rule.max_age.map(|age| age.as_secs()),
        "verified": rule.verified,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_credentials() {
        for (url, shown) in [
            ("http://127.0.0.1:3000", "http://127.0.0.1:3000"),
            ("https://user:secret@app.example:1/a@b", "https://app.example:1/a@b"),
            ("unix:/run/app.sock", "unix:/run/app.sock"),
        ] {
            assert_eq!(without_credentials(url), shown);
        }
    }
}
