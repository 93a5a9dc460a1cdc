//! What the tests of this folder share: routes as they are written, requests, and ports that remember what they were asked.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use http::request::Parts;
use http::{HeaderName, HeaderValue, Request};
use serde_json::{Value, json};

use super::{
    Admitted, Assertions, Caller, Denied, Gate, Incoming, Machine, Machines, Names, NotRenewed, Pass, Ports, Refusal, Renew, Revocations,
    RouteSettings, Table, Why,
};
use crate::client::{Client, Seen};
use crate::clock::Timestamp;
use crate::cookie::{CookieSettings, Cookies};
use crate::id::{AccountId, SessionId, TokenId};
use crate::outage::Outage;
use crate::revocation::{Ids, Standing};
use crate::secret::{Secret, SecretStr};
use crate::token::ring::Key;
use crate::token::{Acr, Amr, Claims, Issued, Lookups, Minter, Remembering, Ring, Times, Verifier};

/// When the tests happen.
pub(super) const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

/// Who issues the tokens.
pub(super) const ISSUER: &str = "https://door.example.com";

/// The key of the machine there is; that it is one is for `Behind` to say.
pub(super) const KEY: &str = "dwk_machine";

/// The names of the cookies.
pub(super) const ACCESS: &str = "__Host-doorward_access";
pub(super) const REFRESH: &str = "__Host-doorward_refresh";

/// Routes as they are written; name and upstream may be left out.
pub(super) fn settings(routes: Value) -> Vec<RouteSettings> {
    let fill = |(index, mut route): (usize, Value)| {
        let object = route.as_object_mut().unwrap();
        object.entry("name").or_insert_with(|| json!(format!("route-{index}")));
        object.entry("upstream").or_insert_with(|| json!(["http://127.0.0.1:3000"]));
        serde_json::from_value(route).unwrap()
    };
    let Value::Array(routes) = routes else { panic!("a list of routes") };
    routes.into_iter().enumerate().map(fill).collect()
}

/// A table of routes as they are written.
pub(super) fn table(routes: Value) -> Table {
    Table::new(&settings(routes), "/auth").unwrap()
}

/// A person who signed in a minute ago.
pub(super) fn claims() -> Claims {
    let now = NOW.as_secs();
    Claims {
        iss: ISSUER.to_owned(),
        sub: AccountId::new("account-1"),
        aud: ISSUER.to_owned(),
        iat: now - 60,
        nbf: now - 60,
        exp: now + 600,
        jti: TokenId::new("token-1"),
        sid: SessionId::new("session-1"),
        kind: "access".to_owned(),
        email: Some("ada@example.com".to_owned()),
        email_verified: true,
        phone_number: None,
        phone_number_verified: false,
        preferred_username: Some("ada".to_owned()),
        name: Some("Ada Lovelace".to_owned()),
        groups: vec!["staff".to_owned(), "writers".to_owned()],
        amr: vec![Amr::Email],
        acr: Acr::OneFactor,
        auth_time: now - 60,
        revision: 0,
        custom: serde_json::Map::new(),
    }
}

/// A request.
pub(super) struct Asked {
    head: Parts,
    target: String,
    client: Client,
}

impl Asked {
    pub(super) fn new(method: &str, target: &str) -> Self {
        let head = Request::builder().method(method).body(()).unwrap().into_parts().0;
        let client = Client { address: "192.0.2.7".parse().unwrap(), secure: true, host: "wiki.example.com".to_owned() };
        Self { head, target: target.to_owned(), client }
    }

    pub(super) fn get(target: &str) -> Self {
        Self::new("GET", target)
    }

    pub(super) fn host(mut self, host: &str) -> Self {
        host.clone_into(&mut self.client.host);
        self
    }

    pub(super) fn from(mut self, address: &str) -> Self {
        self.client.address = address.parse().unwrap();
        self
    }

    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        let name = HeaderName::try_from(name).unwrap();
        self.head.headers.append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        self
    }

    pub(super) fn bearer(self, token: &Secret<String>) -> Self {
        self.with("authorization", &format!("Bearer {}", token.expose()))
    }

    pub(super) fn cookie(self, name: &str, token: &Secret<String>) -> Self {
        self.with("cookie", &format!("{name}={}", token.expose()))
    }

    pub(super) fn incoming(&self) -> Incoming<'_> {
        Incoming { head: &self.head, target: &self.target, client: &self.client, authorities: &[], request_id: "r-1" }
    }
}

/// Ports that remember what they were asked.
#[derive(Default)]
pub(super) struct Behind {
    renewals: Mutex<HashMap<String, Issued>>,
    machines: Mutex<HashMap<String, Machine>>,
    revoked: Mutex<HashSet<SessionId>>,
    /// Of accounts that were changed, the revision below which tokens are outdated.
    changed: Mutex<HashMap<AccountId, i64>>,
    pub(super) gone: AtomicBool,
    pub(super) asked: AtomicUsize,
    pub(super) asserted: AtomicUsize,
    pub(super) renewed: AtomicUsize,
    pub(super) seen: Mutex<Option<Seen>>,
}

impl Behind {
    fn outage(&self) -> Result<(), Outage> {
        if self.gone.load(Ordering::Relaxed) { Err(Outage::store("gone")) } else { Ok(()) }
    }
}

#[async_trait]
impl Renew for Behind {
    async fn renew(&self, refresh: &Secret<String>, seen: &Seen, _now: Timestamp) -> Result<Issued, NotRenewed> {
        self.outage()?;
        *self.seen.lock().unwrap() = Some(seen.clone());
        self.renewed.fetch_add(1, Ordering::Relaxed);
        self.renewals.lock().unwrap().get(refresh.expose()).cloned().ok_or(NotRenewed::Ended)
    }
}

#[async_trait]
impl Machines for Behind {
    fn known(&self, _key: SecretStr<'_>, _now: Timestamp) -> Option<Machine> {
        None
    }

    async fn believe(&self, key: SecretStr<'_>, _now: Timestamp) -> Result<Option<Machine>, Outage> {
        self.outage()?;
        Ok(self.machines.lock().unwrap().get(key.expose()).cloned())
    }
}

#[async_trait]
impl Revocations for Behind {
    async fn revoked(&self, ids: Ids<'_>, _now: Timestamp) -> Result<Standing, Outage> {
        self.outage()?;
        self.asked.fetch_add(1, Ordering::Relaxed);
        if self.revoked.lock().unwrap().contains(ids.session) {
            return Ok(Standing::Revoked);
        }
        let below = self.changed.lock().unwrap().get(ids.account).copied().unwrap_or(0);
        Ok(if ids.revision < below { Standing::Outdated } else { Standing::Good })
    }
}

impl Lookups for Behind {
    fn looked_up(&self, _is_known: bool) {}
}

impl Assertions for Behind {
    fn assert(&self, claims: &Claims, route: &str, _now: Timestamp) -> Result<String, Outage> {
        self.outage()?;
        self.asserted.fetch_add(1, Ordering::Relaxed);
        Ok(format!("assertion.{route}.{}", claims.jti))
    }
}

/// A gate, and what stands behind it.
pub(super) struct World {
    pub(super) gate: Gate,
    pub(super) behind: Arc<Behind>,
    minter: Minter,
}

impl World {
    pub(super) fn new(routes: Value) -> Self {
        Self::with_identity(routes, &json!({}))
    }

    pub(super) fn with_identity(routes: Value, identity: &Value) -> Self {
        let ring = Arc::new(Ring::new(vec![Key::configured(&Secret::new("x".repeat(32)))]));
        let behind = Arc::new(Behind::default());
        let times = Times { leeway: Duration::from_secs(30), lifetime: Duration::from_secs(7200) };
        let tokens = Verifier::new(Arc::clone(&ring), ISSUER, ISSUER, times);
        let names = Names::new(&serde_json::from_value(identity.clone()).unwrap()).unwrap();
        let ports = Ports {
            tokens: Arc::new(Remembering::new(tokens, Arc::<Behind>::clone(&behind))),
            machines: Arc::<Behind>::clone(&behind),
            renew: Arc::<Behind>::clone(&behind),
            revocations: Arc::<Behind>::clone(&behind),
            assertions: Arc::<Behind>::clone(&behind),
        };
        let cookies = Cookies::new(&CookieSettings::default());
        let gate = Gate::new(table(routes), names, cookies, Duration::from_secs(30), ports);
        Self { gate, behind, minter: Minter::new(ring) }
    }

    pub(super) fn token(&self, claims: &Claims) -> Secret<String> {
        self.minter.mint(claims, NOW).unwrap()
    }

    /// A refresh token that is good for a token of these claims.
    pub(super) fn refresh(&self, claims: &Claims) -> Secret<String> {
        let refresh = Secret::new(format!("refresh-of-{}", claims.sid));
        let issued = Issued {
            access: self.token(claims),
            access_lifetime: Duration::from_secs(600),
            refresh: Secret::new("next".to_owned()),
            refresh_lifetime: Duration::from_secs(6000),
            departing: None,
        };
        self.behind.renewals.lock().unwrap().insert(refresh.expose().clone(), issued);
        refresh
    }

    /// A machine whose key may pass these routes.
    pub(super) fn machine(&self, claims: Claims, passes: &[Pass]) {
        let machine = Machine { claims: Arc::new(claims), passes: passes.into() };
        self.behind.machines.lock().unwrap().insert(KEY.to_owned(), machine);
    }

    pub(super) fn revoke(&self, claims: &Claims) {
        self.behind.revoked.lock().unwrap().insert(claims.sid.clone());
    }

    /// The account was changed: tokens of lower revisions are outdated.
    pub(super) fn change(&self, account: &AccountId, revision: i64) {
        self.behind.changed.lock().unwrap().insert(account.clone(), revision);
    }

    /// A request of somebody with these claims, presented in a header.
    pub(super) fn asked_by(&self, claims: Option<Claims>) -> Asked {
        let asked = Asked::get("/");
        match claims {
            Some(claims) => asked.bearer(&self.token(&claims)),
            None => asked,
        }
    }

    /// Whom the steps before policy make of who asks.
    pub(super) async fn caller<'a>(&self, asked: &'a Asked) -> Caller<'a> {
        let incoming = asked.incoming();
        let matched = self.gate.matched(&incoming).unwrap();
        self.gate.caller(&incoming, &matched, NOW, &mut None).await.unwrap()
    }

    pub(super) async fn admit(&self, asked: &Asked) -> Result<Admitted, Denied> {
        self.admit_at(asked, NOW).await
    }

    pub(super) async fn admit_at(&self, asked: &Asked, now: Timestamp) -> Result<Admitted, Denied> {
        let incoming = asked.incoming();
        let matched = self.gate.matched(&incoming).map_err(|refusal| Denied { why: refusal.into(), issued: None })?;
        self.gate.admit(&incoming, &matched, now).await
    }

    /// What is said to a request that must not get in.
    pub(super) async fn refusal(&self, asked: &Asked) -> Refusal {
        match self.admit(asked).await.unwrap_err().why {
            Why::Refused(refusal) => refusal,
            Why::Outage(outage) => panic!("{outage}"),
        }
    }

    /// What the upstream receives: the request's headers after the edit, in order of their names.
    pub(super) async fn received(&self, asked: &Asked) -> Vec<(String, String)> {
        let admitted = self.admit(asked).await.unwrap();
        let mut headers = asked.head.headers.clone();
        for name in asked.head.headers.keys().filter(|name| admitted.edit().removes(name)) {
            headers.remove(name);
        }
        for (name, value) in admitted.edit().sets() {
            headers.insert(name.clone(), value.clone());
        }
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let mut all: Vec<_> = headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        all.sort();
        all
    }
}
