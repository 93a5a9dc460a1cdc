//! What is said of a decision: one sentence, and what it rests on.

use std::time::Duration;

use super::Question;
use crate::admission::explain::{Explained, Fall, Judged, Lack, Under};
use crate::admission::{Admitted, Refusal, Require, RouteSettings, RuleSettings};
use crate::config::Config;
use crate::token::Claims;

/// A route as the configuration has it.
pub(super) struct Written<'a> {
    /// Where it stands: `route[0]`, or with which app.
    pub(super) key: String,
    pub(super) settings: &'a RouteSettings,
    /// Its rules, in their order.
    pub(super) rules: Vec<RuleSettings>,
}

impl<'a> Written<'a> {
    /// The route of this name. The last `guests` of the configuration are those of apps.
    pub(super) fn find(config: &'a Config, guests: usize, name: &str) -> Option<Self> {
        let (index, settings) = config.routes.iter().enumerate().find(|(_, route)| route.name == name)?;
        let is_guest = index.saturating_add(guests) >= config.routes.len();
        let key = if is_guest { format!("app \"{name}\"") } else { format!("route[{index}]") };
        Some(Self { key, settings, rules: settings.every_rule() })
    }

    /// Where its rule number `index` stands: the route itself, where it has no list of rules.
    pub(super) fn rule_key(&self, index: usize) -> String {
        if self.settings.rules.is_empty() { self.key.clone() } else { format!("{}.rule[{index}]", self.key) }
    }

    /// What that rule asks for.
    pub(super) fn rule_words(&self, index: usize) -> String {
        self.rules.get(index).map(asks_for).unwrap_or_default()
    }
}

/// `session, groups staff or wiki, path /admin`
fn asks_for(rule: &RuleSettings) -> String {
    let mut words = vec![
        match rule.require {
            Require::Public => "public",
            Require::Session => "session",
            Require::SecondFactor => "second factor",
        }
        .to_owned(),
    ];
    let mut list = |name: &str, values: &[String]| {
        if !values.is_empty() {
            words.push(format!("{name} {}", values.join(" or ")));
        }
    };
    list("path", rule.path.as_slice());
    list("methods", &rule.methods);
    list("accounts", &rule.accounts);
    list("email_domains", &rule.email_domains);
    list("groups", &rule.groups);
    for (claim, values) in &rule.claims {
        list(&format!("claim {claim} ="), values);
    }
    list("networks", &rule.networks.iter().map(ToString::to_string).collect::<Vec<_>>());
    if let Some(age) = rule.max_age {
        words.push(format!("max_age {}", span(age)));
    }
    if rule.verified {
        words.push("verified".to_owned());
    }
    words.join(", ")
}

/// Why the request passes.
pub(super) fn passes(admitted: &Admitted, route: Option<&Written<'_>>, who: &str) -> String {
    let name = &admitted.route().name;
    let Some(rule) = admitted.rule() else {
        return format!("a CORS preflight passes to the app of route \"{name}\", and tells it of nobody");
    };
    let by = route.map(|route| format!(" by {}", route.rule_key(rule))).unwrap_or_default();
    if admitted.claims().is_none() {
        return format!("route \"{name}\" is public here{by}: everybody passes, and the app is told of nobody");
    }
    format!("route \"{name}\" lets {who} in{by}")
}

/// Why the request does not pass.
pub(super) fn stays_out(refusal: Refusal, explained: &Explained, route: Option<&Written<'_>>, question: &Question<'_>) -> String {
    let name = explained.route.as_ref().map(|route| route.name.as_str()).unwrap_or_default();
    let who = question.who();
    match refusal {
        Refusal::NoRoute => no_route(question),
        Refusal::AmbiguousPath => {
            "servers read this path differently, and its readings do not all fall under the same route and rules".to_owned()
        }
        Refusal::Unauthenticated if explained.rules.iter().all(|judged| matches!(judged, Judged::NotFor | Judged::OtherNetwork)) => {
            forbidden(name, explained, route, question)
        }
        Refusal::InvalidToken if question.has_key => "no good API key: mistyped, unknown, expired or revoked".to_owned(),
        Refusal::Unauthenticated => {
            format!("route \"{name}\" is for people who are signed in{}, and nobody is", narrowed(explained, route))
        }
        Refusal::SecondFactorNeeded => {
            let has = question.person.is_some_and(|person| person.has_authenticator);
            let missing = if has { "signed in without it" } else { "has no authenticator" };
            format!("route \"{name}\" wants a second factor, and {who} {missing}")
        }
        Refusal::TooLongAgo(seconds) => {
            let most = span(Duration::from_secs(seconds));
            format!("route \"{name}\" wants a sign-in of the last {most}, and that of {who} was {} ago", span(question.ago))
        }
        Refusal::Forbidden => forbidden(name, explained, route, question),
        Refusal::CertificateNeeded => format!("route \"{name}\" wants a client certificate of its authority, and none was shown"),
        Refusal::Malformed
        | Refusal::RepeatedCookie
        | Refusal::ConflictingCredentials
        | Refusal::InvalidToken
        | Refusal::SessionEnded
        | Refusal::CrossSite
        | Refusal::MethodNotAllowed
        | Refusal::PreflightRefused => refusal.to_string(),
    }
}

fn no_route(question: &Question<'_>) -> String {
    let host = question.host.as_str();
    let known = question.gate.table().names(host);
    let any = question.config.routes.iter().any(|route| route.host.is_none());
    match (known, any) {
        (false, false) => format!("no route is for the host {host}"),
        (true, _) | (false, true) => format!("no route for the host {host} is for the path {}", question.target.path()),
    }
}

/// What else is asked for, where there is but one rule to speak of.
fn narrowed(explained: &Explained, route: Option<&Written<'_>>) -> String {
    let mut asked = explained.rules.iter().enumerate().filter(|(_, judged)| !matches!(judged, Judged::NotFor | Judged::OtherNetwork));
    match (asked.next(), asked.next(), route) {
        (Some((index, _)), None, Some(route)) => format!(" ({})", route.rule_words(index)),
        _ => String::new(),
    }
}

fn forbidden(name: &str, explained: &Explained, route: Option<&Written<'_>>, question: &Question<'_>) -> String {
    let who = question.who();
    if let Some(machine) = question.machine.filter(|machine| !machine.passes.iter().any(|pass| pass.is_for(name, question.method))) {
        let routes: Vec<&str> = machine.passes.iter().map(|pass| pass.route.as_str()).collect();
        let routes = if routes.is_empty() { "no route".to_owned() } else { format!("the routes {} alone", routes.join(", ")) };
        return format!(
            "{who} is for {routes}, with the methods that its scopes name, and not for {} at route \"{name}\"",
            question.method
        );
    }
    let asked = explained.rules.iter().enumerate().filter(|(_, judged)| !matches!(judged, Judged::NotFor));
    let reasons: Vec<String> = asked.filter_map(|(index, judged)| Some(declines(index, *judged, route?, question))).collect();
    if reasons.is_empty() {
        let Question { method, target, .. } = question;
        return format!("no rule of route \"{name}\" is for {method} {}", target.path());
    }
    format!("no rule of route \"{name}\" lets {who} in: {}", reasons.join("; "))
}

/// What a rule says, in words.
pub(super) fn declines(index: usize, judged: Judged, route: &Written<'_>, question: &Question<'_>) -> String {
    let key = route.rule_key(index);
    let rule = route.rules.get(index).cloned().unwrap_or_default();
    match judged {
        Judged::NotFor => format!("{key} is for another path or method, or one with a longer path is asked instead"),
        Judged::OtherNetwork => format!("{key} is for other networks than that of {}", question.from),
        Judged::Admits => format!("{key} lets it in"),
        Judged::Wants(refusal) => format!("{key} would, but {refusal}"),
        Judged::Lacks(lack) => format!("{key} {}", lacks(lack, &rule, question.claims())),
    }
}

fn lacks(lack: Lack, rule: &RuleSettings, claims: Option<&Claims>) -> String {
    match lack {
        Lack::SignIn => "is for people who are signed in".to_owned(),
        Lack::Account => format!("is for the accounts {} alone", rule.accounts.join(", ")),
        Lack::EmailDomain => format!("is for verified addresses at {}", rule.email_domains.join(", ")),
        Lack::Group => {
            let groups = claims.map(|claims| claims.groups.join(", ")).filter(|groups| !groups.is_empty());
            format!("is for the groups {}, and they are in {}", rule.groups.join(", "), groups.unwrap_or_else(|| "none".to_owned()))
        }
        Lack::Claim => {
            let wanted: Vec<String> = rule.claims.iter().map(|(name, values)| format!("{name} = {}", values.join(" or "))).collect();
            format!("is for the claims {}", wanted.join(", "))
        }
        Lack::Verified => "is for people with a verified address".to_owned(),
    }
}

/// Where a reading falls.
pub(super) fn falls(fall: &Fall) -> String {
    match &fall.under {
        Under::Ours => "Doorward's own endpoints".to_owned(),
        Under::Nothing => "no route".to_owned(),
        Under::Route { name, rules } => {
            let rules: Vec<String> = rules.iter().map(|rule| rule.to_string()).collect();
            format!("route \"{name}\", rules {}", if rules.is_empty() { "none".to_owned() } else { rules.join(", ") })
        }
    }
}

/// As it is written in the configuration.
pub(super) fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    let (days, hours, minutes, seconds) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let parts = [(days, "d"), (hours, "h"), (minutes, "m"), (seconds, "s")];
    let text = parts.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count}{unit}")).collect::<Vec<_>>().concat();
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_said_as_it_is_written() {
        let said = |seconds: u64| span(Duration::from_secs(seconds));
        assert_eq!((said(0).as_str(), said(300).as_str(), said(90_061).as_str()), ("0s", "5m", "1d1h1m1s"));
    }
}
