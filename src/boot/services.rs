//! The services of signing in, put together from the core.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::runtime::Handle;

use crate::admission::{NotRenewed, Renew};
use crate::app::{self, AppKeyed, CodeService, KeyCheck};
use crate::boot::core::Core;
use crate::boot::heard::Heard;
use crate::boot::library::Shadowed;
use crate::boot::{NotServing, Own};
use crate::client::Seen;
use crate::clock::Timestamp;
use crate::config::Config;
use crate::deliver::HookedClaims;
use crate::endpoint::ForApps;
use crate::gateway::{Lasting, Opened};
use crate::outage::{Dependency, Outage};
use crate::secret::Secret;
use crate::signin::{Accounts, Channel, ClaimsHook, ClaimsSource, Deliver, Keyed, RefreshRefusal, Settings, SignIn, access_lifetime};
use crate::token::{Issued, Minter, Ring, Times, Verifier};

/// `public_url` as issuer: without a slash at its end.
pub fn issuer(config: &Config) -> String {
    config.public_url.as_str().trim_end_matches('/').to_owned()
}

/// What believes access tokens.
pub fn verifier(config: &Config, ring: &Arc<Ring>) -> Verifier {
    let issuer = issuer(config);
    let audience = config.tokens.audience.as_deref().unwrap_or(&issuer);
    let times = Times { leeway: config.tokens.leeway, lifetime: access_lifetime(&config.tokens, &config.session) };
    Verifier::new(Arc::clone(ring), &issuer, audience, times)
}

/// What believes API keys. To be made once, inside the runtime of the store: it remembers.
pub fn key_check(config: &Config, core: &Core, slow: &Handle) -> Arc<KeyCheck> {
    Arc::new(KeyCheck::new(app::Parts {
        keys: core.store.clone(),
        revocations: Arc::<crate::revocation::Revocations>::clone(&core.revocations),
        slow: slow.clone(),
        issuer: issuer(config),
        lasts: config.tokens.access_lifetime,
    }))
}

/// What registered apps may have done.
pub fn for_apps(core: &Core, keys: &Arc<KeyCheck>, sign_in: &Arc<SignIn>) -> ForApps {
    let codes = CodeService {
        apps: core.store.clone(),
        subjects: core.store.clone(),
        codes: core.store.clone(),
        authenticators: core.store.clone(),
        keyed: AppKeyed::new(&core.root),
        sign_in: Arc::clone(sign_in),
    };
    ForApps { keys: Arc::clone(keys), codes: Arc::new(codes), audit: Arc::clone(&core.audit) }
}

/// The steps of signing in.
///
/// # Errors
/// When there can be no claims hook as the configuration has it.
pub fn sign_in(
    config: &Config,
    core: &Core,
    ring: &Arc<Ring>,
    (deliver, channels): (Arc<dyn Deliver>, HashSet<Channel>),
    own: &Own,
) -> Result<Arc<SignIn>, NotServing> {
    let issuer = issuer(config);
    let accounts: Arc<dyn Accounts> = match &own.accounts {
        Some(own) => Arc::new(Shadowed { own: Arc::clone(own), store: core.store.clone() }),
        None => core.store.clone(),
    };
    let claims_hook = claims_hook(config, core, own)?;
    Ok(Arc::new(SignIn {
        accounts,
        challenges: core.store.clone(),
        pendings: core.store.clone(),
        factors: core.store.clone(),
        recovery_codes: core.store.clone(),
        sessions: core.store.clone(),
        address_changes: core.store.clone(),
        devices: core.store.clone(),
        limits: Arc::clone(&core.limits),
        spending: Arc::clone(&core.spending),
        deliver,
        revocations: Arc::clone(&core.revocations),
        minter: Minter::new(Arc::clone(ring)),
        verifier: verifier(config, ring),
        ring: Arc::clone(ring),
        sealer: core.sealer.clone(),
        under_way: core.under_way.clone(),
        entropy: Arc::clone(&core.entropy),
        events: Arc::new(Heard::new(&core.metrics)),
        claims_hook,
        audit: Arc::clone(&core.audit),
        keyed: Keyed::new(&core.root),
        settings: Settings {
            audience: config.tokens.audience.clone().unwrap_or_else(|| issuer.clone()),
            issuer,
            name: config.pages.name.clone(),
            otp: config.otp.clone(),
            session: config.session.clone(),
            limits: config.limits.clone(),
            tokens: config.tokens.clone(),
            channels,
            development: config.development.enabled,
        },
    }))
}

fn claims_hook(config: &Config, core: &Core, own: &Own) -> Result<Option<Arc<ClaimsHook>>, NotServing> {
    let on_outage = config.claims_hook.as_ref().map(|settings| settings.on_outage).unwrap_or_default();
    let source: Arc<dyn ClaimsSource> = match (&own.claims, &config.claims_hook) {
        (Some(own), _) => Arc::clone(own),
        (None, Some(settings)) => Arc::new(HookedClaims::new(settings)?),
        (None, None) => return Ok(None),
    };
    Ok(Some(Arc::new(ClaimsHook::new(source, core.store.clone(), on_outage))))
}

/// Sessions, renewed in passing and asked how long they last, in the runtime of the database's connections: a client that hangs
/// up does not cancel it.
pub struct Through {
    /// What renews.
    pub signin: Arc<SignIn>,
    /// Where.
    pub slow: Handle,
}

#[async_trait]
impl Renew for Through {
    async fn renew(&self, refresh: &Secret<String>, seen: &Seen, now: Timestamp) -> Result<Issued, NotRenewed> {
        let (signin, refresh, seen) = (Arc::clone(&self.signin), refresh.clone(), seen.clone());
        let done = self.slow.spawn(async move { signin.refresh(&refresh, &seen, now).await }).await;
        match done {
            Ok(Ok(issued)) => Ok(issued),
            Ok(Err(RefreshRefusal::Ended | RefreshRefusal::Replaced)) => Err(NotRenewed::Ended),
            Ok(Err(RefreshRefusal::Outage(outage))) => Err(NotRenewed::Outage(outage)),
            Err(cause) => Err(NotRenewed::Outage(Outage::new(Dependency::Store, cause))),
        }
    }
}

#[async_trait]
impl Lasting for Through {
    async fn lasts(&self, opened: &Opened, now: Timestamp) -> Result<Option<Timestamp>, Outage> {
        let (signin, opened) = (Arc::clone(&self.signin), opened.clone());
        let asked = self.slow.spawn(async move { signin.lasts(&opened.session, opened.issued_at, opened.refresh.as_deref(), now).await });
        asked.await.map_err(|cause| Outage::new(Dependency::Store, cause))?
    }
}
