//! A person signs in: request ─▶ deliver ─▶ verify ─▶ issue ─▶ refresh ─▶ revoke. Each step is a file.
//!
//! What the steps need of a store stands beside them as a port: [`Accounts`], [`Challenges`], [`Sessions`], and for the second
//! factor, which stands between verify and issue, [`Pendings`], [`Factors`], [`RecoveryCodes`].

pub mod account;
pub mod address;
pub mod address_change;
mod addresses;
pub mod challenge;
mod claims_hook;
mod cost;
pub mod country;
pub mod deliver;
pub mod device;
mod enrol;
pub mod events;
pub mod factor;
mod issue;
mod keyed;
mod last;
mod notice;
pub mod pending;
pub mod picture;
mod recovery;
mod refresh;
mod request;
mod revoke;
pub mod roster;
pub mod session;
mod settings;
mod step_up;
mod told;
pub mod totp;
mod verify;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

pub use account::{Account, Accounts, Unfit};
pub use address::Handle;
pub use address_change::{AddressChange, AddressChanges, ChangeAttempt, ChangeCandidate, ChangeTaken, Removed, Settled};
pub use addresses::{AddressGuess, AddressRefusal};
pub use challenge::{Attempt, Candidate, Challenge, Challenges, Opened, Pointer, Taken};
pub use claims_hook::{ClaimsHook, ClaimsSource, Extra, LastClaims, OnOutage};
pub use cost::{CostRefusal, Paid, Priced};
pub use country::Country;
pub use deliver::{Changed, Channel, Content, Deliver, Errand, Message, Notice, Purpose};
pub use device::{Device, Devices, Met};
pub use enrol::{Confirmed, FRESH, FactorRefusal, FactorStatus};
pub use events::Events;
pub use factor::{Factor, Factors, Means, RecoveryCodes, Step};
pub use keyed::Keyed;
pub use pending::{Bounds, Counted, Pending, Pendings, Place};
pub use refresh::RefreshRefusal;
pub use request::{Ask, AskRefusal, Asked};
pub use revoke::{Presented, Scope, Worthless};
pub use roster::{Draft, Edit, Registrar, Roster, RosterRefusal, Sought, Written};
pub use session::{Family, NewSession, Session, Sessions};
pub use settings::{LimitSettings, OtpSettings, Registration, SessionSettings};
pub use step_up::{Proof, SecondGuess};
pub use totp::Enrolment;
pub use verify::{Entered, Guess, GuessRefusal};

use crate::audit::Recorder;
use crate::client::{self, Seen};
use crate::clock::Timestamp;
use crate::limits::{Limits, Quota, Spending, Verdict};
use crate::outage::Outage;
use crate::random::Entropy;
use crate::revocation::Revocations;
use crate::seal::Sealer;
use crate::token::{Minter, Ring, TokenSettings, UnderWay, Verifier};

/// What the steps of signing in work with.
pub struct SignIn {
    /// Where accounts are kept.
    pub accounts: Arc<dyn Accounts>,
    /// Where challenges are kept.
    pub challenges: Arc<dyn Challenges>,
    /// Where half-finished sign-ins are kept.
    pub pendings: Arc<dyn Pendings>,
    /// Where authenticators are kept.
    pub factors: Arc<dyn Factors>,
    /// Where recovery codes are kept.
    pub recovery_codes: Arc<dyn RecoveryCodes>,
    /// Where sessions are kept.
    pub sessions: Arc<dyn Sessions>,
    /// Where changes of addresses are kept.
    pub address_changes: Arc<dyn AddressChanges>,
    /// Where devices are remembered.
    pub devices: Arc<dyn Devices>,
    /// What counts uses.
    pub limits: Arc<dyn Limits>,
    /// What counts messages that cost money.
    pub spending: Arc<dyn Spending>,
    /// What sends codes.
    pub deliver: Arc<dyn Deliver>,
    /// What ends sessions.
    pub revocations: Arc<Revocations>,
    /// What signs access tokens.
    pub minter: Minter,
    /// What believes them.
    pub verifier: Verifier,
    /// The keys of both.
    pub ring: Arc<Ring>,
    /// What seals the keys of families and the secrets of authenticators.
    pub sealer: Sealer,
    /// New refresh tokens whose replies have yet to leave.
    pub under_way: UnderWay,
    /// Where codes and ids come from.
    pub entropy: Arc<dyn Entropy>,
    /// What is told of what happens.
    pub events: Arc<dyn Events>,
    /// What says what else tokens say.
    pub claims_hook: Option<Arc<ClaimsHook>>,
    /// What writes it down, for ever.
    pub audit: Arc<Recorder>,
    /// The keys under which codes and addresses are hashed.
    pub keyed: Keyed,
    /// How it is all set.
    pub settings: Settings,
}

/// What of the configuration concerns signing in.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `public_url`, without a slash at its end: `iss`.
    pub issuer: String,
    /// What an authenticator app calls this place.
    pub name: String,
    /// `aud` of access tokens.
    pub audience: String,
    /// Codes.
    pub otp: OtpSettings,
    /// Sessions.
    pub session: SessionSettings,
    /// Limits.
    pub limits: LimitSettings,
    /// Tokens.
    pub tokens: TokenSettings,
    /// The channels that have a provider.
    pub channels: HashSet<Channel>,
    /// Every code is zeros, and is told to who asks.
    pub development: bool,
}

impl Settings {
    fn access_lifetime(&self) -> Duration {
        access_lifetime(&self.tokens, &self.session)
    }
}

/// How long access tokens live. Where sessions end by not being used, use is seen when a token is renewed: often enough that nobody
/// who was here half that time ago is signed out.
pub fn access_lifetime(tokens: &TokenSettings, session: &SessionSettings) -> Duration {
    session.idle.map_or(tokens.access_lifetime, |idle| tokens.access_lifetime.min(idle / 2))
}

/// How long a sign-in may stay half done, and the window of attempts in a session.
pub const PENDING: Duration = Duration::from_secs(600);

const HOUR: Duration = Duration::from_secs(3600);

impl SignIn {
    /// Take one of `count` an hour for the network that `seen` came from. The wait when there is none left.
    async fn take_for_network(&self, limit: &'static str, count: u32, seen: &Seen, now: Timestamp) -> Result<Option<Duration>, Outage> {
        let Some(network) = seen.address.and_then(client::network) else { return Ok(None) };
        self.take(limit, &network, count, now).await
    }

    /// Take one of `count` an hour for what is named `what`. The wait when there is none left.
    async fn take(&self, limit: &'static str, what: &str, count: u32, now: Timestamp) -> Result<Option<Duration>, Outage> {
        let key = format!("{limit}:{}", self.keyed.limit(what));
        match self.limits.take(&key, Quota { count, window: HOUR }, now).await? {
            Verdict::Left(_) => Ok(None),
            Verdict::Spent(wait) => {
                self.events.limited(limit);
                Ok(Some(wait))
            }
        }
    }
}
