//! A rule as it is asked on every request: everything in it parsed and checked at the start.

use std::time::Duration;

use http::Method;
use ipnet::IpNet;

use crate::admission::claim::Claim;
use crate::admission::reading::{self, Case};
use crate::admission::route;
use crate::admission::settings::{Require, RouteSettings, RuleSettings};
use crate::config::Mistake;

/// What is required, and how it is narrowed.
#[derive(Debug)]
pub(super) struct Rule {
    /// Prefix, without a slash at its end; empty for all.
    path: String,
    pub(super) require: Require,
    pub(super) accounts: Vec<String>,
    /// In lower case.
    pub(super) email_domains: Vec<String>,
    pub(super) groups: Vec<String>,
    pub(super) claims: Vec<(Claim, Vec<String>)>,
    pub(super) networks: Vec<IpNet>,
    pub(super) methods: Vec<Method>,
    pub(super) max_age: Option<Duration>,
    pub(super) verified: bool,
}

impl Rule {
    /// From the settings that stand at `key`, for a route at `base`. What is wrong goes to `mistakes`.
    fn new(settings: &RuleSettings, key: &str, base: &str, mistakes: &mut Vec<Mistake>) -> Self {
        let mut note = |field: &str, problem: &str| mistakes.push(Mistake::new(format!("{key}.{field}"), problem));
        let path = path(settings, base).unwrap_or_else(|problem| {
            note("path", problem);
            String::new()
        });
        if settings.require == Require::Public && narrows(settings) {
            note("require", "is \"public\", which admits everybody; only path, methods and networks can narrow it");
        }
        if settings.email_domains.iter().any(|domain| domain.is_empty() || domain.contains(['@', '*', ' '])) {
            note("email_domains", "should be whole domains, as \"example.com\"");
        }
        Self {
            path,
            require: settings.require,
            accounts: settings.accounts.clone(),
            email_domains: settings.email_domains.iter().map(|domain| domain.to_lowercase()).collect(),
            groups: settings.groups.clone(),
            claims: claims(settings, &mut note),
            networks: settings.networks.iter().map(IpNet::trunc).collect(),
            methods: methods(settings, &mut note),
            max_age: settings.max_age,
            verified: settings.verified,
        }
    }

    /// The prefix that it is for, without a slash at its end; empty for all of the route.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Is the rule for this reading of a path?
    pub(super) fn covers(&self, path: &[u8], case: Case) -> bool {
        reading::covers(self.path.as_bytes(), path, case)
    }
}

/// The rules of a route: those of its list, else the one that stands in the route itself.
pub(super) fn compile(settings: &RouteSettings, key: &str, base: &str, mistakes: &mut Vec<Mistake>) -> Vec<Rule> {
    let own = own(settings);
    if settings.rules.is_empty() {
        return vec![Rule::new(&own, key, base, mistakes)];
    }
    if settings.require.is_some() || own != RuleSettings::default() {
        mistakes.push(Mistake::new(key, "has a list of rules and a rule of its own; write all of them as [[route.rule]]"));
    }
    if settings.rules.len() > MOST {
        mistakes.push(Mistake::new(format!("{key}.rule"), "has more than 128 rules"));
    }
    let each = |(index, rule)| Rule::new(rule, &format!("{key}.rule[{index}]"), base, mistakes);
    settings.rules.iter().enumerate().map(each).collect()
}

impl RouteSettings {
    /// Its rules in their order, as [`crate::admission::Admitted::rule`] counts them: those of its list, else the one that stands
    /// in the route itself.
    pub fn every_rule(&self) -> Vec<RuleSettings> {
        if self.rules.is_empty() { vec![own(self)] } else { self.rules.clone() }
    }
}

/// So many fit into a `RuleSet`.
const MOST: usize = 128;

fn own(settings: &RouteSettings) -> RuleSettings {
    RuleSettings {
        path: None,
        require: settings.require.unwrap_or_default(),
        accounts: settings.accounts.clone(),
        email_domains: settings.email_domains.clone(),
        groups: settings.groups.clone(),
        claims: settings.claims.clone(),
        networks: settings.networks.clone(),
        methods: settings.methods.clone(),
        max_age: settings.max_age,
        verified: settings.verified,
    }
}

fn path(settings: &RuleSettings, base: &str) -> Result<String, &'static str> {
    let Some(text) = settings.path.as_deref() else { return Ok(String::new()) };
    let path = route::path(text)?;
    let below = reading::covers(base.as_bytes(), path.as_bytes(), Case::Exact);
    if below { Ok(path) } else { Err("should begin with the path of its route: it is the whole path, as the client sends it") }
}

fn narrows(settings: &RuleSettings) -> bool {
    let listed = [&settings.accounts, &settings.email_domains, &settings.groups].into_iter().any(|list| !list.is_empty());
    listed || !settings.claims.is_empty() || settings.max_age.is_some() || settings.verified
}

fn claims(settings: &RuleSettings, note: &mut impl FnMut(&str, &str)) -> Vec<(Claim, Vec<String>)> {
    let mut claims = Vec::new();
    for (name, values) in &settings.claims {
        match Claim::parse(name) {
            Some(claim) if !values.is_empty() => claims.push((claim, values.clone())),
            Some(_) => note(&format!("claims.{name}"), "should list at least one value"),
            None => note(&format!("claims.{name}"), "is no claim of a person"),
        }
    }
    claims
}

fn methods(settings: &RuleSettings, note: &mut impl FnMut(&str, &str)) -> Vec<Method> {
    if settings.methods.iter().any(|text| matches!(text.as_str(), "CONNECT" | "TRACE")) {
        note("methods", "names CONNECT or TRACE, which nobody may use here");
    }
    let upper = |text: &String| text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-');
    let parsed = settings.methods.iter().map(|text| Method::try_from(text.as_str()).ok().filter(|_| upper(text)));
    let methods: Option<Vec<Method>> = parsed.collect();
    methods.unwrap_or_else(|| {
        note("methods", "should be methods in capitals, as \"GET\"");
        Vec::new()
    })
}
