//! The decision, told in full: for an operator who wants to know why. It is made by the gate itself; here it is asked for a
//! person who is supposed to be there, and what the gate does not need to say is put beside it.
//!
//! Apart, because no request of anybody takes this way.

use std::sync::Arc;

use async_trait::async_trait;

use crate::admission::{
    Admitted, Assertions, Gate, Incoming, Machine, Machines, NotRenewed, Refusal, Renew, Revocations, Route, RuleSet, Tokens, Why, matched,
    policy,
};
use crate::client::Seen;
use crate::clock::Timestamp;
use crate::outage::Outage;
use crate::random::{self, Entropy, NoEntropy};
use crate::revocation::{Ids, Standing};
use crate::secret::{self, Secret, SecretStr};
use crate::token::{Claims, Issued};

/// The decision about a request, and what led to it.
#[derive(Debug)]
pub struct Explained {
    /// The route that it falls under; none when the route step refuses it.
    pub route: Option<Arc<Route>>,
    /// What each rule of the route says, in their order.
    pub rules: Vec<Judged>,
    /// The decision.
    pub outcome: Result<Admitted, Why>,
}

/// What a rule says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judged {
    /// It is for another path or method, or a rule with a longer path is asked instead.
    NotFor,
    /// It is for other networks.
    OtherNetwork,
    /// It lets the request in.
    Admits,
    /// It would, after a better or fresher sign-in.
    Wants(Refusal),
    /// It is for other people.
    Lacks(Lack),
}

/// What a person lacks for a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lack {
    /// To be signed in.
    SignIn,
    /// To be one of its accounts.
    Account,
    /// A verified e-mail address of one of its domains.
    EmailDomain,
    /// One of its groups.
    Group,
    /// A claim with one of its values.
    Claim,
    /// A verified address.
    Verified,
}

/// One reading of a path, and where it falls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fall {
    /// The path as it is read; what is no text stands as U+FFFD.
    pub reading: String,
    /// What it is under.
    pub under: Under,
}

/// What a reading of a path is under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Under {
    /// A route, and rules of it.
    Route {
        /// Its name.
        name: String,
        /// The rules whose path covers the reading.
        rules: RuleSet,
    },
    /// Our own endpoints.
    Ours,
    /// No route.
    Nothing,
}

impl Gate {
    /// Decide about a request, and say what led to it. `claims` are those of the person who is supposed to ask, for what the
    /// rules say of them; the decision goes by what the request itself presents.
    pub async fn explain(&self, incoming: &Incoming<'_>, claims: Option<&Claims>, now: Timestamp) -> Explained {
        let matched = match self.matched(incoming) {
            Ok(matched) => matched,
            Err(refusal) => return Explained { route: None, rules: Vec::new(), outcome: Err(refusal.into()) },
        };
        let rules = policy::judged(&matched, incoming, claims, now);
        let outcome = self.admit(incoming, &matched, now).await.map_err(|denied| denied.why);
        Explained { route: Some(Arc::clone(matched.route())), rules, outcome }
    }

    /// Where every reading of the request's path falls.
    ///
    /// # Errors
    /// When the path has too many readings, or none at all.
    pub fn falls(&self, incoming: &Incoming<'_>) -> Result<Vec<Fall>, Refusal> {
        matched::falls(self.table(), incoming)
    }
}

/// Somebody who is supposed to be signed in: stands where tokens are believed, and believes one word, which was drawn for this
/// and is no token. Nothing is issued, and nothing leaves this process.
#[derive(Debug)]
pub struct Supposed {
    word: Secret<String>,
    claims: Arc<Claims>,
}

impl Supposed {
    /// The person whom these claims speak of.
    ///
    /// # Errors
    /// When no word can be drawn.
    pub fn new(claims: Claims, entropy: &dyn Entropy) -> Result<Self, NoEntropy> {
        Ok(Self { word: Secret::new(random::id(entropy)?), claims: Arc::new(claims) })
    }

    /// What the supposed request presents as its access token.
    pub const fn word(&self) -> &Secret<String> {
        &self.word
    }

    /// Who it is.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }
}

impl Tokens for Supposed {
    fn check(&self, token: &str, _now: Timestamp) -> Option<Arc<Claims>> {
        self.names_us(token).then(|| Arc::clone(&self.claims))
    }

    fn names_us(&self, token: &str) -> bool {
        secret::same(token.as_bytes(), self.word.expose().as_bytes())
    }
}

/// Nobody: stands where nothing is believed, renewed or asserted.
#[derive(Debug, Clone, Copy)]
pub struct Nobody;

impl Tokens for Nobody {
    fn check(&self, _token: &str, _now: Timestamp) -> Option<Arc<Claims>> {
        None
    }

    fn names_us(&self, _token: &str) -> bool {
        false
    }
}

#[async_trait]
impl Machines for Nobody {
    fn known(&self, _key: SecretStr<'_>, _now: Timestamp) -> Option<Machine> {
        None
    }

    async fn believe(&self, _key: SecretStr<'_>, _now: Timestamp) -> Result<Option<Machine>, Outage> {
        Ok(None)
    }
}

#[async_trait]
impl Renew for Nobody {
    async fn renew(&self, _refresh: &Secret<String>, _seen: &Seen, _now: Timestamp) -> Result<Issued, NotRenewed> {
        Err(NotRenewed::Ended)
    }
}

#[async_trait]
impl Revocations for Nobody {
    /// Nobody is signed in, so this is not asked; and if it were, nothing would be known.
    async fn revoked(&self, _ids: Ids<'_>, _now: Timestamp) -> Result<Standing, Outage> {
        Err(Outage::store("there is no store to ask"))
    }
}

impl Assertions for Nobody {
    /// No app sees it: the place where one would stand.
    fn assert(&self, _claims: &Claims, _route: &str, _now: Timestamp) -> Result<String, Outage> {
        Ok("(signed when the request is forwarded)".to_owned())
    }
}
