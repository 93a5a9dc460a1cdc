//! May they? Of a route's rules those with the longest path that is the request's are asked, in order; the first that admits
//! decides.

use std::sync::Arc;

use http::Method;

use crate::admission::explain::{Judged, Lack};
use crate::admission::matched::{Matched, RuleSet};
use crate::admission::revocation::{Caller, Live};
use crate::admission::rule::Rule;
use crate::admission::settings::{Preflight, Require};
use crate::admission::{Incoming, Refusal, claim, preflight};
use crate::clock::Timestamp;
use crate::token::{Acr, Claims};

/// Leave to pass.
#[derive(Debug)]
pub struct Permit<'a> {
    /// As whom; nobody on what is public.
    pub(super) live: Option<Live<'a>>,
    /// Which of the route's rules decided; none for a preflight.
    pub(super) rule: Option<usize>,
    _made_here: (),
}

impl Permit<'_> {
    const fn open(rule: Option<usize>) -> Self {
        Self { live: None, rule, _made_here: () }
    }

    /// What the app is told of; nothing on what is public.
    pub(super) fn claims(&self) -> Option<&Arc<Claims>> {
        self.live.as_ref().map(|live| &live.verified.claims)
    }
}

/// Who has no certificate that the route's authority has signed goes no further, whatever the rules say: not with credentials,
/// and not with a preflight.
pub(super) fn certified(matched: &Matched, incoming: &Incoming<'_>) -> Result<(), Refusal> {
    let wanted = matched.route().client_ca.as_deref();
    let is_there = wanted.is_none_or(|wanted| incoming.authorities.contains(&wanted));
    if is_there { Ok(()) } else { Err(Refusal::CertificateNeeded) }
}

/// Is it decided without looking at credentials? So it is for preflights, and where the first rule that is for the request
/// is public: such requests go on when everything else is down.
pub(super) fn is_open(matched: &Matched, incoming: &Incoming<'_>) -> bool {
    let first = applying(matched, incoming).next();
    preflight::is_preflight(incoming.head) || first.is_some_and(|(_, rule)| rule.require == Require::Public)
}

/// Decide. `leeway` is how far ahead of ours the clock may have been that said when they signed in, in seconds.
///
/// # Errors
/// The refusal: of the first rule that only wanted a better or fresher sign-in, if there is one.
pub(super) fn decide<'a>(
    caller: Caller<'a>,
    matched: &Matched,
    incoming: &Incoming<'_>,
    leeway: i64,
    now: Timestamp,
) -> Result<Permit<'a>, Refusal> {
    if preflight::is_preflight(incoming.head) {
        return preflight(matched, incoming);
    }
    let mut step_up = None;
    let asking = asking(&caller, matched, incoming, leeway, now)?;
    let mut decided = None;
    for (index, rule) in applying(matched, incoming) {
        match rule.judge(asking, now) {
            Judgement::Admits => {
                decided = Some((index, rule.require == Require::Public));
                break;
            }
            Judgement::Wants(refusal) => step_up = step_up.or(Some(refusal)),
            Judgement::Declines(_) => {}
        }
    }
    match (decided, caller) {
        (Some((index, true)), _) => Ok(Permit::open(Some(index))),
        (Some((index, false)), Caller::SignedIn(live)) => Ok(Permit { live: Some(live), rule: Some(index), _made_here: () }),
        (Some((_, false)) | None, Caller::Nobody(why)) => Err(why),
        (None, Caller::SignedIn(_)) => Err(step_up.unwrap_or(Refusal::Forbidden)),
    }
}

/// The rules that are for the request and the client's network, with their places.
fn applying<'a>(matched: &'a Matched, incoming: &'a Incoming<'_>) -> impl Iterator<Item = (usize, &'a Rule)> {
    selected(matched, &incoming.head.method).filter(|(_, rule)| rule.is_for_network(incoming))
}

/// The rules that are for this path and method, with their places: those of the longest path alone. A rule for `/admin`
/// is not widened by one for the whole route, wherever it stands.
fn selected<'a>(matched: &'a Matched, method: &'a Method) -> impl Iterator<Item = (usize, &'a Rule)> {
    let all = || matched.route().rules.iter().enumerate().filter(|(index, _)| matched.rules().contains(*index));
    let fitting = move || all().filter(|(_, rule)| rule.is_for_method(method));
    let longest = fitting().map(|(_, rule)| rule.path().len()).max();
    fitting().filter(move |(_, rule)| longest == Some(rule.path().len()))
}

/// A preflight passes where there is a rule for the request that it announces, as far as that can be told.
fn preflight(matched: &Matched, incoming: &Incoming<'_>) -> Result<Permit<'static>, Refusal> {
    let announced = preflight::announced(incoming.head).ok_or(Refusal::Malformed)?;
    let mut rules = selected(matched, &announced);
    match matched.route().preflight {
        Preflight::Refuse => Err(Refusal::PreflightRefused),
        Preflight::Pass if rules.any(|(_, rule)| rule.is_for_network(incoming)) => Ok(Permit::open(None)),
        Preflight::Pass => Err(Refusal::Forbidden),
    }
}

/// Who asks, as a rule looks at them.
#[derive(Clone, Copy)]
enum Asking<'c> {
    Nobody,
    Person(&'c Claims),
    /// A machine whose key names this route and method.
    Machine(&'c Claims),
    /// One whose key does not: no rule is for it.
    Astray,
}

fn asking<'c>(
    caller: &'c Caller<'_>,
    matched: &Matched,
    incoming: &Incoming<'_>,
    leeway: i64,
    now: Timestamp,
) -> Result<Asking<'c>, Refusal> {
    let Caller::SignedIn(live) = caller else { return Ok(Asking::Nobody) };
    let claims = live.verified.claims.as_ref();
    if let Some(passes) = &live.verified.passes {
        let is_named = passes.iter().any(|pass| pass.is_for(&matched.route().name, &incoming.head.method));
        return Ok(if is_named { Asking::Machine(claims) } else { Asking::Astray });
    }
    // Nobody has signed in tomorrow: such a token would be fresh for ever.
    let ahead = claims.auth_time > now.as_secs().saturating_add(leeway);
    if ahead { Err(Refusal::InvalidToken) } else { Ok(Asking::Person(claims)) }
}

/// What each rule of the route says, in their order: the same that [`decide`] asks, and those that it does not ask.
pub(super) fn judged(matched: &Matched, incoming: &Incoming<'_>, claims: Option<&Claims>, now: Timestamp) -> Vec<Judged> {
    let method = preflight::announced(incoming.head).filter(|_| preflight::is_preflight(incoming.head));
    let method = method.as_ref().unwrap_or(&incoming.head.method);
    let asked: Vec<usize> = selected(matched, method).map(|(index, _)| index).collect();
    let judge = |(index, rule): (usize, &Rule)| {
        if !asked.contains(&index) {
            return Judged::NotFor;
        }
        if !rule.is_for_network(incoming) {
            return Judged::OtherNetwork;
        }
        match rule.judge(claims.map_or(Asking::Nobody, Asking::Person), now) {
            Judgement::Admits => Judged::Admits,
            Judgement::Wants(refusal) => Judged::Wants(refusal),
            Judgement::Declines(lack) => Judged::Lacks(lack),
        }
    };
    matched.route().rules.iter().enumerate().map(judge).collect()
}

/// Which rules are asked about a request, by their places in the route.
pub(super) fn asked(matched: &Matched, incoming: &Incoming<'_>) -> RuleSet {
    applying(matched, incoming).map(|(index, _)| index).collect()
}

/// What a rule makes of a caller.
enum Judgement {
    Admits,
    /// It would, after a better or fresher sign-in.
    Wants(Refusal),
    Declines(Lack),
}

impl Rule {
    fn is_for_method(&self, method: &Method) -> bool {
        self.methods.is_empty() || self.methods.contains(method)
    }

    fn is_for_network(&self, incoming: &Incoming<'_>) -> bool {
        let address = incoming.client.address.to_canonical();
        self.networks.is_empty() || self.networks.iter().any(|network| network.contains(&address))
    }

    fn judge(&self, asking: Asking<'_>, now: Timestamp) -> Judgement {
        if self.require == Require::Public {
            return Judgement::Admits;
        }
        match asking {
            Asking::Person(claims) => self.lack(claims).map_or_else(|| self.judge_sign_in(claims, now), Judgement::Declines),
            Asking::Machine(claims) if self.is_for_machine(claims) => Judgement::Admits,
            Asking::Nobody | Asking::Machine(_) | Asking::Astray => Judgement::Declines(Lack::SignIn),
        }
    }

    fn judge_sign_in(&self, claims: &Claims, now: Timestamp) -> Judgement {
        if self.require == Require::SecondFactor && claims.acr < Acr::TwoFactor {
            return Judgement::Wants(Refusal::SecondFactorNeeded);
        }
        let age = now.since(Timestamp::from_secs(claims.auth_time));
        match self.max_age {
            Some(greatest) if age > greatest => Judgement::Wants(Refusal::TooLongAgo(greatest.as_secs())),
            Some(_) | None => Judgement::Admits,
        }
    }

    /// What a person lacks for it: the first thing, if there is one.
    fn lack(&self, claims: &Claims) -> Option<Lack> {
        let account = self.accounts.is_empty() || self.accounts.iter().any(|wanted| is_account(wanted, claims));
        let domain = self.email_domains.is_empty() || self.is_for_domain(claims);
        let custom = self.claims.iter().all(|(name, wanted)| name.is_one_of(claims, wanted));
        let verified = !self.verified || is_verified(claims);
        let asked = [
            (account, Lack::Account),
            (domain, Lack::EmailDomain),
            (self.is_for_groups(claims), Lack::Group),
            (custom, Lack::Claim),
            (verified, Lack::Verified),
        ];
        asked.into_iter().find(|(has, _)| !has).map(|(_, lack)| lack)
    }

    /// What only a person can have, no machine has: a second factor, an address, a claim of an account, a fresh sign-in. A key can
    /// have groups.
    fn is_for_machine(&self, claims: &Claims) -> bool {
        let named = self.accounts.is_empty() && self.email_domains.is_empty() && self.claims.is_empty();
        let signed_in = self.require == Require::Session && self.max_age.is_none() && !self.verified;
        named && signed_in && self.is_for_groups(claims)
    }

    fn is_for_groups(&self, claims: &Claims) -> bool {
        self.groups.is_empty() || self.groups.iter().any(|group| claims.groups.contains(group))
    }

    fn is_for_domain(&self, claims: &Claims) -> bool {
        let domain = claim::email(claims).and_then(|email| email.rsplit_once('@')).map(|(_, domain)| domain.to_lowercase());
        domain.is_some_and(|domain| self.email_domains.contains(&domain))
    }
}

/// Is this the account that a rule names? An address names it only once it is verified, and a user name that looks like an
/// address names nobody.
fn is_account(wanted: &str, claims: &Claims) -> bool {
    if wanted.contains('@') {
        return claim::email(claims).is_some_and(|email| email.to_lowercase() == wanted.to_lowercase());
    }
    if wanted.starts_with('+') {
        return claim::phone(claims) == Some(wanted);
    }
    claims.sub.as_str() == wanted || claims.preferred_username.as_deref() == Some(wanted)
}

/// The address that they sign in with is verified: the e-mail address if they have one.
fn is_verified(claims: &Claims) -> bool {
    if claims.email.is_some() { claims.email_verified } else { claim::phone(claims).is_some() }
}

#[cfg(test)]
mod tests;
