//! Under which header names the app is told who is there, and which names a client may therefore never use.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use http::HeaderName;

use crate::admission::claim::Claim;
use crate::admission::settings::{IdentitySettings, Preset};
use crate::config::Mistake;

/// The assertion's header, on every route that is not public.
pub const ASSERTION: &str = "x-doorward-assertion";

/// What the names of headers begin with that only Doorward sends, or the gateways whose presets it offers: their apps may read
/// more of them than a preset sets.
const OURS: [&str; 4] = ["x-doorward-", "x-authentik-", "x-auth-request-", "cf-access-"];

/// What a header tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    /// A claim; where it is a list, its texts are joined by the character.
    Claim(Claim, char),
    /// The assertion.
    Assertion,
}

/// Which headers tell the app what, and which names are reserved.
#[derive(Debug, Clone)]
pub struct Names {
    told: Arc<[(HeaderName, Told)]>,
    reserved: Arc<Reserved>,
}

/// The names that clients may not use, folded.
#[derive(Debug)]
struct Reserved {
    names: HashSet<String>,
    /// For each character that one of them can begin with, one bit for each length that it can have then: nearly all headers
    /// are free by that alone, and every request has some.
    shapes: Box<[u64; 128]>,
}

impl Names {
    /// From the section `[identity]`. Own names are told besides those of the preset.
    ///
    /// # Errors
    /// Every mistake, with its key.
    pub fn new(settings: &IdentitySettings) -> Result<Self, Vec<Mistake>> {
        let mut told = preset(settings.headers);
        told.push((HeaderName::from_static(ASSERTION), Told::Assertion));
        let own = custom(&settings.custom)?;
        told.retain(|(name, _)| own.iter().all(|(own, _)| fold(own.as_str()) != fold(name.as_str())));
        told.extend(own);
        let reserved = reserved(told.iter().map(|(name, _)| name.as_str()));
        Ok(Self { told: told.into(), reserved: Arc::new(Reserved::new(reserved)) })
    }

    /// The headers that are set, with what they tell.
    pub(super) fn told(&self) -> &[(HeaderName, Told)] {
        &self.told
    }

    /// The names of the headers that tell an app who is there, each once.
    pub fn headers(&self) -> impl Iterator<Item = &HeaderName> {
        self.told.iter().map(|(name, _)| name)
    }

    /// Could an app take a header of this name for one of ours? Some servers fold case and punctuation, so that
    /// `X_Remote.User` arrives as `x-remote-user`.
    pub fn is_reserved(&self, name: &HeaderName) -> bool {
        let name = name.as_str();
        let could_be = self.reserved.could_be(name);
        if !could_be {
            return false;
        }
        let straight = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if straight { self.reserved.holds(name) } else { self.reserved.holds(&fold(name)) }
    }
}

impl Reserved {
    fn new(names: HashSet<String>) -> Self {
        let mut shapes = Box::new([0; 128]);
        for name in &names {
            if let Some(lengths) = shapes.get_mut(initial(name)) {
                *lengths |= length(name);
            }
        }
        for name in OURS {
            if let Some(lengths) = shapes.get_mut(initial(name)) {
                // Whatever follows, from this length on.
                *lengths |= u64::MAX << name.len();
            }
        }
        Self { names, shapes }
    }

    /// False only for a name that is not reserved, however it is spelled: no spelling changes its length.
    fn could_be(&self, name: &str) -> bool {
        self.shapes.get(initial(name)).is_some_and(|lengths| lengths & length(name) != 0)
    }

    fn holds(&self, folded: &str) -> bool {
        OURS.iter().any(|ours| folded.starts_with(ours)) || self.names.contains(folded)
    }
}

/// Lower case, every character that is no letter or digit as `-`.
fn fold(name: &str) -> String {
    name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' }).collect()
}

/// A name's first character, folded.
fn initial(name: &str) -> usize {
    let first = name.bytes().next().map_or(b'-', |byte| if byte.is_ascii_alphanumeric() { byte.to_ascii_lowercase() } else { b'-' });
    usize::from(first)
}

/// The bit of a name's length; all long names share one.
fn length(name: &str) -> u64 {
    1 << name.len().min(63)
}

/// All names of all presets and `told`, folded, and each with `x-` before it.
fn reserved<'a>(told: impl Iterator<Item = &'a str>) -> HashSet<String> {
    const PRESETS: [Preset; 5] = [Preset::Remote, Preset::XForwarded, Preset::XAuthRequest, Preset::Authentik, Preset::Cloudflare];
    let presets = PRESETS.into_iter().flat_map(|preset| table(preset).iter().map(|(name, _)| *name));
    presets.chain(told).map(fold).flat_map(|name| [format!("x-{name}"), name]).collect()
}

fn preset(preset: Preset) -> Vec<(HeaderName, Told)> {
    // authentik's apps split groups at a bar.
    let separator = if preset == Preset::Authentik { '|' } else { ',' };
    let told = |what: &str| Claim::parse(what).map_or(Told::Assertion, |claim| Told::Claim(claim, separator));
    table(preset).iter().map(|(name, what)| (HeaderName::from_static(name), told(what))).collect()
}

/// The names of a preset with the claims that they tell; `iss` stands for the assertion as a whole.
const fn table(preset: Preset) -> &'static [(&'static str, &'static str)] {
    match preset {
        Preset::Remote => &[("remote-user", "user"), ("remote-email", "email"), ("remote-name", "name"), ("remote-groups", "groups")],
        Preset::XForwarded => &[
            ("x-forwarded-user", "user"),
            ("x-forwarded-email", "email"),
            ("x-forwarded-preferred-username", "preferred_username"),
            ("x-forwarded-groups", "groups"),
        ],
        Preset::XAuthRequest => &[
            ("x-auth-request-user", "user"),
            ("x-auth-request-email", "email"),
            ("x-auth-request-preferred-username", "preferred_username"),
            ("x-auth-request-groups", "groups"),
        ],
        Preset::Authentik => &[
            ("x-authentik-username", "user"),
            ("x-authentik-email", "email"),
            ("x-authentik-name", "name"),
            ("x-authentik-uid", "sub"),
            ("x-authentik-groups", "groups"),
        ],
        Preset::Cloudflare => &[("cf-access-authenticated-user-email", "email"), ("cf-access-jwt-assertion", "iss")],
    }
}

fn custom(settings: &BTreeMap<String, String>) -> Result<Vec<(HeaderName, Told)>, Vec<Mistake>> {
    let (mut told, mut mistakes) = (Vec::new(), Vec::new());
    for (header, claim) in settings {
        let mut note = |problem: &str| mistakes.push(Mistake::new(format!("identity.custom.{header}"), problem));
        let name = HeaderName::try_from(header.as_str()).ok().filter(|name| !is_taken(name.as_str()));
        match (name, Claim::parse(claim)) {
            (None, _) => note("is no name of a header that can be told apart from those of HTTP itself"),
            (_, None) => note("should name a claim of a person, as \"email\""),
            (Some(name), Some(_)) if told.iter().any(|(other, _): &(HeaderName, Told)| fold(other.as_str()) == fold(name.as_str())) => {
                note("is another one's name to an app that folds case and punctuation");
            }
            (Some(name), Some(claim)) => told.push((name, Told::Claim(claim, ','))),
        }
    }
    if mistakes.is_empty() { Ok(told) } else { Err(mistakes) }
}

/// Names that mean something to HTTP, to proxies or to us.
fn is_taken(name: &str) -> bool {
    const NAMES: [&str; 19] = [
        "accept",
        "authorization",
        "connection",
        "cookie",
        "date",
        "expect",
        "forwarded",
        "host",
        "keep-alive",
        "origin",
        "range",
        "referer",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "via",
        "x-request-id",
        "x-real-ip",
    ];
    const PREFIXES: [&str; 10] = [
        "accept-",
        "access-control-",
        "content-",
        "if-",
        "proxy-",
        "sec-",
        "x-doorward-",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-forwarded-p",
    ];
    let folded = fold(name);
    // Every prefix of `x-forwarded-p` but the one of a preset: `-Port`, `-Proto`, `-Prefix`.
    let told = folded == "x-forwarded-preferred-username";
    NAMES.contains(&folded.as_str()) || (!told && PREFIXES.iter().any(|prefix| folded.starts_with(prefix)))
}

#[cfg(test)]
mod tests;
