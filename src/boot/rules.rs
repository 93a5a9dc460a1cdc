//! The rules of a configuration: routes, who may pass, how our endpoints look. They are made when the server starts, and again
//! when the configuration changes, on stores, keys and providers that stay.

use std::collections::HashSet;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::runtime::Handle;

use crate::admission::{Gate, Names, Ports, Table};
use crate::app::KeyCheck;
use crate::boot::core::Core;
use crate::boot::heard::Heard;
use crate::boot::inbox::Shown;
use crate::boot::services::{self, Through};
use crate::boot::{NotServing, Own};
use crate::config::Config;
use crate::cookie::Cookies;
use crate::deliver::Inbox;
use crate::endpoint::{Brand, Current, Effective, Endpoints, ForwardAuth, Refusals};
use crate::gateway::{Rules, Tls, Trusts};
use crate::signin::{Channel, Deliver, SignIn};
use crate::token::{Asserter, Remembering, Ring};

/// Makes rules.
pub(super) struct Rulemaker {
    /// Stores and what looks after them.
    pub core: Arc<Core>,
    /// What believes API keys.
    pub keys: Arc<KeyCheck>,
    /// Signing keys.
    pub ring: Arc<Ring>,
    /// What sends messages, and over which channels.
    pub deliver: Arc<dyn Deliver>,
    /// See there.
    pub channels: HashSet<Channel>,
    /// The demo's inbox.
    pub inbox: Option<Arc<Inbox>>,
    /// What a program that embeds us brings along.
    pub own: Own,
    /// Remembers what comes to nothing.
    pub refusals: Arc<Refusals>,
    /// The runtime of everything slow.
    pub slow: Handle,
    /// Which settings count, for the admin API.
    pub told: Arc<Told>,
}

/// The settings that the last rules were made of.
#[derive(Debug, Default)]
pub(super) struct Told(ArcSwap<Effective>);

impl Current for Told {
    fn settings(&self) -> Arc<Effective> {
        self.0.load_full()
    }
}

impl Rulemaker {
    /// The rules of `config`.
    ///
    /// # Errors
    /// Every mistake in routes and names, with its key.
    pub(super) fn rules(&self, config: &Config) -> Result<Rules, NotServing> {
        let cookies = Cookies::new(&config.cookies);
        let signin = services::sign_in(config, &self.core, &self.ring, (Arc::clone(&self.deliver), self.channels.clone()), &self.own)?;
        let through = Arc::new(Through { signin: Arc::clone(&signin), slow: self.slow.clone() });
        let gate = Arc::new(self.gate(config, &cookies, Arc::<Through>::clone(&through))?);
        let rules = Rules {
            endpoints: Arc::new(self.endpoints(config, &cookies, signin, &gate)?),
            gate,
            trusts: Trusts::read(&config.routes).map_err(NotServing::Configuration)?,
            cookies,
            trusted_proxies: config.listen.trusted_proxies.clone(),
            tls: Tls::read(&config.tls, &config.routes, self.core.clock.now()).map_err(NotServing::Configuration)?.map(Arc::new),
            lasting: through,
            streams: config.listen.streams,
        };
        self.told.0.store(Arc::new(Effective { routes: config.routes.clone(), limits: config.limits.clone() }));
        Ok(rules)
    }

    fn gate(&self, config: &Config, cookies: &Cookies, through: Arc<Through>) -> Result<Gate, NotServing> {
        let table = Table::new(&config.routes, &config.prefix).map_err(NotServing::Configuration)?;
        let names = Names::new(&config.identity).map_err(NotServing::Configuration)?;
        let ports = Ports {
            tokens: Arc::new(Remembering::new(services::verifier(config, &self.ring), Arc::new(Heard::new(&self.core.metrics)))),
            machines: Arc::<KeyCheck>::clone(&self.keys),
            renew: through,
            revocations: Arc::<crate::revocation::Revocations>::clone(&self.core.revocations),
            assertions: Arc::new(Asserter::new(Arc::clone(&self.ring), Arc::clone(&self.core.entropy))),
        };
        Ok(Gate::new(table, names, cookies.clone(), config.tokens.leeway, ports))
    }

    fn endpoints(&self, config: &Config, cookies: &Cookies, signin: Arc<SignIn>, gate: &Arc<Gate>) -> Result<Endpoints, NotServing> {
        let apps = services::for_apps(&self.core, &self.keys, &signin);
        let setup = crate::endpoint::Setup {
            sign_in: signin,
            cookies: cookies.clone(),
            public_url: config.public_url.clone(),
            prefix: config.prefix.clone(),
            hosts: config.routes.iter().filter_map(|route| route.host.clone()).collect(),
            pages: Brand::read(&config.pages).map_err(NotServing::Configuration)?,
            development: config.development.enabled,
            inbox: self.inbox.clone().map(Shown::shared),
            forward_auth: Some(ForwardAuth::new(Arc::clone(gate), &config.forward_auth)),
            refusals: Arc::clone(&self.refusals),
            apps: Some(apps),
        };
        Ok(Endpoints::new(setup)?)
    }
}
