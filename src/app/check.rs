//! Is this key to be believed? Of ours, whole, known, neither revoked nor expired: everything else is one answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

use crate::admission::{MACHINE_PREFIX, Machine, Machines, Pass, Refusal, Revocations, Why};
use crate::app::key::{HashedKey, PlainKey};
use crate::app::known::{FRESH, Known, Record};
use crate::app::scope::Scope;
use crate::app::store::{ApiKey, ApiKeys};
use crate::app::used::Uses;
use crate::clock::Timestamp;
use crate::id::{AccountId, SessionId, TokenId};
use crate::outage::Outage;
use crate::revocation::{Ids, Standing};
use crate::secret::SecretStr;
use crate::token::{Acr, Amr, Claims};

/// How long a request whose key is known waits to have its record read again.
const PATIENCE: Duration = Duration::from_millis(250);

/// How long the store is left alone after it gave no answer, by requests whose key is known.
const ALONE: Duration = Duration::from_secs(1);

/// The value of `type` in what is said of a machine; of no access token.
const KIND: &str = "apikey";

/// What believing keys stands on.
pub struct Parts {
    /// Where keys are kept.
    pub keys: Arc<dyn ApiKeys>,
    /// Knows what is revoked.
    pub revocations: Arc<dyn Revocations>,
    /// The runtime of the store's connections.
    pub slow: Handle,
    /// `public_url`, who says what is said of a machine.
    pub issuer: String,
    /// How long a key that is known goes on where the store is out: as long as an access token.
    pub lasts: Duration,
}

/// How many keys that are not known here are looked up at once. Whoever makes keys up waits, and the store has time for others; keys
/// that are in use are known, and wait for nobody.
const AT_ONCE: usize = 8;

/// How long one of the others waits for its turn: a store that does not answer must not gather a crowd.
const TURN: Duration = Duration::from_secs(5);

/// Believes keys, and remembers them.
pub struct KeyCheck {
    parts: Parts,
    known: Known,
    uses: Uses,
    unknown: Semaphore,
    /// Until when the store is left alone; milliseconds.
    alone_until: AtomicI64,
}

impl KeyCheck {
    /// Nothing is known yet.
    pub fn new(parts: Parts) -> Self {
        let uses = Uses::start(Arc::clone(&parts.keys), &parts.slow);
        Self { parts, known: Known::new(), uses, unknown: Semaphore::new(AT_ONCE), alone_until: AtomicI64::new(i64::MIN) }
    }

    /// The key that `presented` is, for an endpoint of ours that takes keys. Its scopes are for the caller to look at.
    ///
    /// # Errors
    /// `InvalidToken` for a text that is none, or mistyped, or unknown, or expired, or revoked: one answer. An [`Outage`] when it
    /// could not be looked up.
    pub async fn authenticate(&self, presented: SecretStr<'_>, now: Timestamp) -> Result<Arc<ApiKey>, Why> {
        let record = self.record(presented, now).await?.ok_or(Refusal::InvalidToken)?;
        let claims = &record.machine.claims;
        let ids = Ids { token: &claims.jti, session: &claims.sid, account: &claims.sub, revision: claims.revision };
        let standing = match self.parts.revocations.known(ids, now) {
            Some(standing) => standing,
            None => self.parts.revocations.revoked(ids, now).await?,
        };
        if standing == Standing::Good { Ok(Arc::clone(&record.key)) } else { Err(Refusal::InvalidToken.into()) }
    }

    async fn record(&self, text: SecretStr<'_>, now: Timestamp) -> Result<Option<Arc<Record>>, Outage> {
        if let Some(record) = self.at_hand(text, now) {
            return Ok(Some(record));
        }
        let Ok(plain) = PlainKey::parse(text) else { return Ok(None) };
        let found = if let Some(stale) = self.known.find(text).filter(|record| record.is_within(self.parts.lasts, now)) {
            self.read_again(&plain, stale, now).await
        } else {
            let turn = tokio::time::timeout(TURN, self.unknown.acquire()).await;
            let _turn = turn.map_err(|_| Outage::store("too many keys that are not known here wait to be looked up"))?;
            self.read(&plain, now).await?
        };
        let good = found.filter(|record| record.key.is_good(now));
        match &good {
            Some(record) => {
                self.known.keep(text, record);
                self.note(record, now);
            }
            None => self.known.forget(text),
        }
        Ok(good)
    }

    /// A fresh record of a key whose time is not over.
    fn at_hand(&self, text: SecretStr<'_>, now: Timestamp) -> Option<Arc<Record>> {
        let record = self.known.find(text).filter(|record| record.is_within(FRESH, now) && record.key.is_good(now))?;
        self.note(&record, now);
        Some(record)
    }

    fn note(&self, record: &Record, now: Timestamp) {
        if record.is_to_tell(now) {
            self.uses.note(&record.key.id, now);
        }
    }

    /// The store's word, or, where there is none, what it said before.
    async fn read_again(&self, plain: &PlainKey, stale: Arc<Record>, now: Timestamp) -> Option<Arc<Record>> {
        if now.as_millis() < self.alone_until.load(Ordering::Relaxed) {
            return Some(stale);
        }
        if let Ok(Ok(found)) = tokio::time::timeout(PATIENCE, self.read(plain, now)).await {
            return found;
        }
        self.alone_until.store(now.plus(ALONE).as_millis(), Ordering::Relaxed);
        tracing::debug!("The API key {} could not be looked up again, what is known of it counts.", plain.id());
        Some(stale)
    }

    /// In the runtime of the store's connections. What is not there is compared with something all the same.
    async fn read(&self, plain: &PlainKey, now: Timestamp) -> Result<Option<Arc<Record>>, Outage> {
        let (keys, id) = (Arc::clone(&self.parts.keys), plain.id().clone());
        let found = self.parts.slow.spawn(async move { keys.find(&id).await }).await.map_err(Outage::store)??;
        let hash = found.as_ref().map_or_else(|| HashedKey::stored("-".repeat(43)), |key| key.hash.clone());
        let is_it = hash.is_of(plain);
        Ok(found.filter(|_| is_it).map(|key| {
            let machine = machine(&key, &self.parts.issuer);
            Arc::new(Record::new(key, machine, now))
        }))
    }
}

#[async_trait]
impl Machines for KeyCheck {
    fn known(&self, key: SecretStr<'_>, now: Timestamp) -> Option<Machine> {
        self.at_hand(key, now).map(|record| record.machine.clone())
    }

    async fn believe(&self, key: SecretStr<'_>, now: Timestamp) -> Result<Option<Machine>, Outage> {
        Ok(self.record(key, now).await?.map(|record| record.machine.clone()))
    }
}

/// The machine that holds the key `text`, as the store has it at this moment: nothing is remembered, and nobody is told that it was
/// used. Whether it is revoked stands in its row.
///
/// # Errors
/// An [`Outage`] when it could not be looked up.
pub async fn look_up(keys: &dyn ApiKeys, text: SecretStr<'_>, issuer: &str, now: Timestamp) -> Result<Option<Machine>, Outage> {
    let Ok(plain) = PlainKey::parse(text) else { return Ok(None) };
    let found = keys.find(plain.id()).await?;
    Ok(found.filter(|key| key.hash.is_of(&plain) && key.is_good(now)).map(|key| machine(&key, issuer)))
}

/// What is said of the machine that holds `key`. All its names are the key's id, so that a line of the ledger finds it.
fn machine(key: &ApiKey, issuer: &str) -> Machine {
    let (id, made) = (key.id.as_str(), key.created_at.as_secs());
    let claims = Claims {
        iss: issuer.to_owned(),
        sub: AccountId::new(id),
        aud: issuer.to_owned(),
        iat: made,
        nbf: made,
        exp: key.expires_at.map_or(i64::MAX, Timestamp::as_secs),
        jti: TokenId::new(id),
        sid: SessionId::new(id),
        kind: KIND.to_owned(),
        email: None,
        email_verified: false,
        phone_number: None,
        phone_number_verified: false,
        preferred_username: Some(format!("{MACHINE_PREFIX}{}", key.name)),
        name: None,
        groups: key.groups.clone(),
        amr: vec![Amr::ApiKey],
        acr: Acr::OneFactor,
        auth_time: made,
        revision: 0,
        custom: serde_json::Map::new(),
    };
    Machine { claims: Arc::new(claims), passes: key.scopes.iter().filter_map(pass).cloned().collect() }
}

const fn pass(scope: &Scope) -> Option<&Pass> {
    match scope {
        Scope::Route(pass) => Some(pass),
        Scope::Read | Scope::Admin | Scope::App(_) => None,
    }
}
